#include "ledger/postgres/schema.h"

#include <array>

#include "ledger/embedded/data_folder.h"

namespace holdfast::pg {
namespace {

// Keys begin with the event, so that all of an event can live on one shard; but for the two directories, which are found by id.
//
// What is written for every batch has as few indexes as it can: the journal its key; seat_state its key, with room on each page, so that
// updates move nothing (HOT). There are no foreign keys: the journal is the truth, and the tables are made from it by one hand.
[[maybe_unused]] constexpr const char* k_version_1 = R"sql(
CREATE SCHEMA holdfast;

CREATE TABLE holdfast.schema_version (version integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp());

-- One row: which ledger this is.
CREATE TABLE holdfast.ledger (one boolean PRIMARY KEY DEFAULT true CHECK (one), id uuid NOT NULL DEFAULT gen_random_uuid());
INSERT INTO holdfast.ledger DEFAULT VALUES;

-- An event's row is its lock. It is never updated: a row that every batch updates becomes slow beside an old snapshot.
CREATE TABLE holdfast.event (
  number integer PRIMARY KEY,
  id uuid NOT NULL UNIQUE,
  created_at bigint NOT NULL
);
CREATE SEQUENCE holdfast.event_number AS integer MINVALUE 1 MAXVALUE 100000 OWNED BY holdfast.event.number;

-- Which event an id of a seat belongs to. Written at import only.
CREATE TABLE holdfast.seat_directory (
  id text COLLATE "C" PRIMARY KEY,
  event integer NOT NULL,
  seat integer NOT NULL
);
CREATE INDEX seat_directory_event ON holdfast.seat_directory (event);

-- Imports on their way: whose time is over has lost its node, and is abandoned by any other.
CREATE TABLE holdfast.import (
  event integer PRIMARY KEY,
  node uuid NOT NULL,
  until bigint NOT NULL
);

-- The truth. Changes first_seq … first_seq + changes - 1 of an event; a row of keys only has no changes, and rows with the same first_seq
-- are told apart by their ordinal. The primary key is the guard: a writer that has not seen everything collides.
CREATE TABLE holdfast.journal (
  event integer NOT NULL,
  first_seq bigint NOT NULL,
  ordinal smallint NOT NULL,
  changes integer NOT NULL,
  at bigint NOT NULL,
  batch uuid NOT NULL,
  hash bytea NOT NULL,
  body bytea NOT NULL,
  PRIMARY KEY (event, first_seq, ordinal)
);
ALTER TABLE holdfast.journal ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE holdfast.journal ALTER COLUMN hash SET STORAGE PLAIN;

-- What stands before the oldest journal row that is kept, of events from which rows were removed.
CREATE TABLE holdfast.journal_anchor (
  event integer PRIMARY KEY,
  first_seq bigint NOT NULL,
  ordinal smallint NOT NULL,
  hash bytea NOT NULL
);

-- ---- tables that follow the journal, each event as of its row in event_state

CREATE TABLE holdfast.event_state (
  event integer PRIMARY KEY,
  seq bigint NOT NULL,            -- of the last change that the tables have
  ordinal smallint NOT NULL,      -- rows of keys only after it that the tables have
  hash bytea NOT NULL,            -- of the journal row that they are as of
  at bigint NOT NULL,
  created_at bigint NOT NULL,
  name text NOT NULL,
  venue text NOT NULL,
  currency text NOT NULL,
  starts_at bigint NOT NULL,
  status smallint NOT NULL,       -- 0 importing, 1 draft, 2 on sale, 3 closed, 4 abandoned
  hold_seconds bigint NOT NULL,
  max_hold_seconds bigint NOT NULL,
  seats_per_reservation bigint NOT NULL,
  held_seats_per_customer bigint NOT NULL,
  seats integer NOT NULL,
  next_expiry bigint,             -- no hold of the tables ends before it
  plan_header bytea NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX event_state_next_expiry ON holdfast.event_state (next_expiry) WHERE next_expiry IS NOT NULL;

CREATE TABLE holdfast.plan_part (
  event integer NOT NULL, first integer NOT NULL, count integer NOT NULL, body bytea NOT NULL, PRIMARY KEY (event, first)
);
ALTER TABLE holdfast.plan_part ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE TABLE holdfast.seat (
  event integer NOT NULL,
  seat integer NOT NULL,
  id text NOT NULL,
  uuid uuid,                      -- the id when it is a UUID
  section text NOT NULL,
  "row" text NOT NULL,
  number text NOT NULL,
  category text NOT NULL,
  price_ten_thousandths bigint,
  x double precision NOT NULL,
  y double precision NOT NULL,
  PRIMARY KEY (event, seat)
);

CREATE TABLE holdfast.seat_state (
  event integer NOT NULL,
  seat integer NOT NULL,
  state smallint NOT NULL,        -- 97 available, 104 held, 115 sold, 98 blocked: the letters a, h, s, b
  version integer NOT NULL,
  reservation uuid,
  PRIMARY KEY (event, seat)
) WITH (fillfactor = 50);

CREATE TABLE holdfast.reservation (
  event integer NOT NULL,
  created_seq bigint NOT NULL,
  id uuid NOT NULL,
  kind smallint NOT NULL,         -- 0 customer, 1 ticket lock
  customer text NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  status smallint NOT NULL,       -- 0 active, 1 consumed, 2 released, 3 expired
  order_id text NOT NULL,
  seats integer[] NOT NULL,
  PRIMARY KEY (event, id)
) WITH (fillfactor = 80);
CREATE INDEX reservation_by_event ON holdfast.reservation (event, created_seq);
CREATE INDEX reservation_by_customer ON holdfast.reservation (customer, event, created_seq) WHERE kind = 0;

CREATE TABLE holdfast.seat_change (
  event integer NOT NULL,
  seat integer NOT NULL,
  version integer NOT NULL,
  seq bigint NOT NULL,
  at bigint NOT NULL,
  kind smallint NOT NULL,
  reservation uuid,
  PRIMARY KEY (event, seat, version)
);

CREATE TABLE holdfast.idempotency_key (
  event integer NOT NULL,
  key bytea NOT NULL,
  request bytea NOT NULL,
  at bigint NOT NULL,
  outcomes bytea NOT NULL,
  PRIMARY KEY (event, key)
);
CREATE INDEX idempotency_key_key ON holdfast.idempotency_key (key);
CREATE INDEX idempotency_key_at ON holdfast.idempotency_key (event, at);
)sql";

}  // namespace
}  // namespace holdfast::pg
