// The part of the schema that is no ledger: API keys and the secret of sessions, webhooks with their queues, how far Kafka has come, and the
// leases of those who relay. Run once, after the ledger's own part, in the transaction of schema version 1.
#pragma once

namespace holdfast::pg {

extern const char* const k_schema_of_stores;

}   // namespace holdfast::pg
