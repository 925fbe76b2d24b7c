// The part of schema version 1 that does not belong to the ledger: API keys, the secret of sessions, webhooks with their queues, the
// Kafka feed's positions, and the relays' leases. It runs after the ledger's part, in the same transaction.
#pragma once

namespace holdfast::pg {

extern const char* const k_schema_of_stores;

}   // namespace holdfast::pg
