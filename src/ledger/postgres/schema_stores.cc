#include "ledger/postgres/schema_stores.h"

namespace holdfast::pg {

// These tables are small and belong to no event: in a distributed schema they stay together on one server.
//
// Text of people and receivers is bytea, so that neither the database's encoding nor an invalid byte can keep a message out of its queue.
const char* const k_schema_of_stores = R"sql(
-- ---- API keys and sessions

CREATE TABLE holdfast.api_key (
  id text COLLATE "C" PRIMARY KEY, name text NOT NULL, hash bytea NOT NULL UNIQUE, scopes text NOT NULL,
  created_at bigint NOT NULL, expires_at bigint, revoked_at bigint
);
CREATE TABLE holdfast.session_secret (one boolean PRIMARY KEY DEFAULT true CHECK (one), secret bytea NOT NULL);

-- Grows with each statement that writes api_key, also by hand. Nodes read it once a second.
CREATE TABLE holdfast.api_key_version (one boolean PRIMARY KEY DEFAULT true CHECK (one), version bigint NOT NULL);
INSERT INTO holdfast.api_key_version (version) VALUES (0);
CREATE FUNCTION holdfast.count_api_key_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE holdfast.api_key_version SET version = version + 1;
  RETURN NULL;
END $$;
CREATE TRIGGER api_key_written AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON holdfast.api_key
  FOR EACH STATEMENT EXECUTE FUNCTION holdfast.count_api_key_write();

-- ---- leases of relays: one holder at a time. The epoch grows with each new holder.

CREATE TABLE holdfast.lease (
  name text PRIMARY KEY,
  holder text NOT NULL,
  epoch bigint NOT NULL,
  until timestamptz NOT NULL      -- by this server's clock
);

-- Fails the transaction with HF001 unless the lease has this epoch, and locks the epoch until the commit.
CREATE FUNCTION holdfast.assert_lease(which text, wanted bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM holdfast.lease WHERE name = which AND epoch = wanted FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the lease % is not in epoch % any more', which, wanted USING ERRCODE = 'HF001';
  END IF;
END $$;

-- ---- webhooks

-- Grows with each change of an endpoint, and each time dead messages are revived.
CREATE TABLE holdfast.webhook_revision (one boolean PRIMARY KEY DEFAULT true CHECK (one), revision bigint NOT NULL);
INSERT INTO holdfast.webhook_revision (revision) VALUES (0);

CREATE TABLE holdfast.webhook_endpoint (
  ordinal bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  id uuid PRIMARY KEY,
  url text NOT NULL,
  kinds bigint NOT NULL,
  secret bytea NOT NULL,
  previous_secret bytea NOT NULL,
  previous_until bigint NOT NULL,
  description bytea NOT NULL,
  enabled boolean NOT NULL,
  disabled_because text NOT NULL,
  created_at bigint NOT NULL,
  position text NOT NULL,
  last_success_at bigint NOT NULL DEFAULT 0,
  last_failure_at bigint NOT NULL DEFAULT 0,
  last_error bytea NOT NULL DEFAULT '',
  dead_dropped bigint NOT NULL DEFAULT 0,
  made_key bytea,
  made_request bytea NOT NULL DEFAULT '',
  once_key bytea NOT NULL DEFAULT '',
  once_request bytea NOT NULL DEFAULT ''
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX webhook_endpoint_made ON holdfast.webhook_endpoint (made_key);

-- Waiting messages (died_at NULL; only the first of a group has a time), and dead ones.
CREATE TABLE holdfast.webhook_message (
  endpoint uuid NOT NULL REFERENCES holdfast.webhook_endpoint (id) ON DELETE CASCADE,
  number bigint GENERATED ALWAYS AS IDENTITY,
  id text COLLATE "C" NOT NULL,
  kind smallint NOT NULL,
  grp text COLLATE "C" NOT NULL,
  attempts integer NOT NULL,
  next_at bigint NOT NULL,
  body bytea NOT NULL,
  last_error bytea NOT NULL,
  died_at bigint,
  PRIMARY KEY (endpoint, number),
  UNIQUE (endpoint, id)
);
CREATE INDEX webhook_message_due ON holdfast.webhook_message (endpoint, next_at) WHERE died_at IS NULL;
CREATE INDEX webhook_message_group ON holdfast.webhook_message (endpoint, grp, number) WHERE died_at IS NULL;
CREATE INDEX webhook_message_dead ON holdfast.webhook_message (endpoint, number) WHERE died_at IS NOT NULL;

-- ---- Kafka

-- The last published change of each event.
CREATE TABLE holdfast.feed_position (event integer PRIMARY KEY, seq bigint NOT NULL) WITH (fillfactor = 50);

-- Refused payments, and the reply to each.
CREATE TABLE holdfast.payment_rejected (digest bytea PRIMARY KEY, told bytea NOT NULL, at bigint NOT NULL);
CREATE INDEX payment_rejected_at ON holdfast.payment_rejected (at);
)sql";

}  // namespace holdfast::pg
