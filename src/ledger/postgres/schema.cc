// The schema's versions in SQL. schema_views.cc has the views for other programs; migrate.cc runs the scripts.
#include "ledger/postgres/schema_sql.h"
#include "ledger/postgres/schema_stores.h"

namespace holdfast::pg {
namespace {

// Keys begin with the event, so that all of an event can be on one shard. (A reservation's key begins with its id, which begins with the
// event.) The directories of events and seats and the order of all changes belong to no event.
//
// Tables that every batch writes have as few indexes as possible. The journal has its key. seat_change has its key, by which the last
// change of a seat, and so its state, is found. (Version 1 also had a table of states, which cost more to update than the history costs
// to write.) There are no foreign keys: the journal is the truth, and only the projector writes the tables behind it.
constexpr const char* k_version_1 = R"sql(
CREATE SCHEMA holdfast;

CREATE TABLE holdfast.schema_version (version integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp());

-- One row: which ledger this is.
CREATE TABLE holdfast.ledger (one boolean PRIMARY KEY DEFAULT true CHECK (one), id uuid NOT NULL DEFAULT gen_random_uuid());
INSERT INTO holdfast.ledger DEFAULT VALUES;

-- An event's row is its lock. It is never updated: a row that every batch updates becomes slow while an old snapshot is open.
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

-- Running imports. If the time is over, the node is gone, and any other node abandons the import.
CREATE TABLE holdfast.import (
  event integer PRIMARY KEY,
  node uuid NOT NULL,
  until bigint NOT NULL
);

-- The truth. A row has the changes first_seq … first_seq + changes - 1 of an event. A row with keys only has no changes; rows with the same
-- first_seq differ in their ordinal. The primary key is the guard: a writer that has not seen every row collides.
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

-- The row before the oldest remaining journal row, for events from which rows were removed.
CREATE TABLE holdfast.journal_anchor (
  event integer PRIMARY KEY,
  first_seq bigint NOT NULL,
  ordinal smallint NOT NULL,
  hash bytea NOT NULL
);

-- ---- tables that follow the journal (docs/internals/postgresql-ledger.md), each event as of its last step

-- A step of the projector, which took the tables of an event from (base_seq, base_ordinal) to (seq, ordinal). Only the last step of an
-- event stays. Rows are added and removed, never updated, so the last one is found with one index lookup even while an old snapshot is
-- open.
CREATE TABLE holdfast.step (
  event integer NOT NULL,
  base_seq bigint NOT NULL,
  base_ordinal smallint NOT NULL,
  seq bigint NOT NULL,            -- the last change that the tables have
  ordinal smallint NOT NULL,      -- number of rows without changes after it that the tables have
  hash bytea NOT NULL,            -- of the last journal row that the tables have
  at bigint NOT NULL,             -- its time
  digest bigint NOT NULL,         -- of seat_state and of the reservations that own seats, checked by each load
  PRIMARY KEY (event, base_seq, base_ordinal)
);

-- An event's row is the lock of its steps. Written if the event changes, or a hold ends before next_expiry.
CREATE TABLE holdfast.event_state (
  event integer PRIMARY KEY,
  id uuid NOT NULL,
  created_at bigint NOT NULL,
  starts_at bigint NOT NULL,
  hold_seconds bigint NOT NULL,
  max_hold_seconds bigint NOT NULL,
  seats_per_reservation bigint NOT NULL,
  held_seats_per_customer bigint NOT NULL,
  next_expiry bigint,             -- no hold in the tables ends before; NULL: no holds
  seats integer NOT NULL,
  status smallint NOT NULL,       -- 0 importing, 1 draft, 2 on sale, 3 closed, 4 abandoned
  name text NOT NULL,
  venue text NOT NULL,
  currency text NOT NULL,
  plan_header bytea NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX event_state_next_expiry ON holdfast.event_state (next_expiry) WHERE next_expiry IS NOT NULL;
CREATE INDEX event_state_id ON holdfast.event_state (id);

CREATE TABLE holdfast.plan_part (
  event integer NOT NULL, first integer NOT NULL, count integer NOT NULL, body bytea NOT NULL, PRIMARY KEY (event, first)
);
ALTER TABLE holdfast.plan_part ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE TABLE holdfast.seat (
  event integer NOT NULL,
  seat integer NOT NULL,
  uuid uuid,                      -- the id, if it is a UUID
  price_ten_thousandths bigint,
  x real NOT NULL,
  y real NOT NULL,
  id text COLLATE "C" NOT NULL,
  section text NOT NULL,
  "row" text NOT NULL,
  number text NOT NULL,
  category text NOT NULL,
  PRIMARY KEY (event, seat)
);
CREATE INDEX seat_by_id ON holdfast.seat (id);
CREATE INDEX seat_by_uuid ON holdfast.seat (uuid) WHERE uuid IS NOT NULL;

CREATE TABLE holdfast.seat_state (
  event integer NOT NULL,
  seat integer NOT NULL,
  version integer NOT NULL,
  state smallint NOT NULL,        -- 97 available, 104 held, 115 sold, 98 blocked: the letters a, h, s, b
  reservation uuid,
  PRIMARY KEY (event, seat)
) WITH (fillfactor = 50);

-- A reservation's id begins with its event, and so does its key. No column that changes is in an index.
CREATE TABLE holdfast.reservation (
  event integer NOT NULL,
  kind smallint NOT NULL,         -- 0 customer, 1 ticket lock
  status smallint NOT NULL,       -- 0 active, 1 consumed, 2 released, 3 expired
  owned smallint NOT NULL,        -- number of seats held by it or sold to it
  created_seq bigint NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  id uuid NOT NULL,
  customer text COLLATE "C" NOT NULL,
  order_id text COLLATE "C" NOT NULL,
  seats integer[] NOT NULL,
  PRIMARY KEY (id, event)
) WITH (fillfactor = 80);
CREATE INDEX reservation_by_creation ON holdfast.reservation (event, created_seq);
CREATE INDEX reservation_by_customer ON holdfast.reservation (customer, event, created_seq) WHERE kind = 0;
CREATE INDEX reservation_of_several ON holdfast.reservation (event, created_seq) WHERE cardinality(seats) > 1;

CREATE TABLE holdfast.seat_change (
  event integer NOT NULL,
  seat integer NOT NULL,
  version integer NOT NULL,
  kind smallint NOT NULL,
  seq bigint NOT NULL,
  at bigint NOT NULL,
  reservation uuid,
  PRIMARY KEY (event, seat, version)
);

-- The idempotency keys of a step, packed: nothing looks for a single one, and a replica loads those of a day.
CREATE TABLE holdfast.kept_keys (
  event integer NOT NULL,
  base_seq bigint NOT NULL,
  base_ordinal smallint NOT NULL,
  at bigint NOT NULL,             -- of the last of them
  body bytea NOT NULL,
  PRIMARY KEY (event, base_seq, base_ordinal)
);

-- The changes of all events in one order, which keeps the order of each event. Rows become visible by ascending position, without gaps.
CREATE TABLE holdfast.change_order (
  position bigint PRIMARY KEY,
  event integer NOT NULL,
  first_seq bigint NOT NULL,
  last_seq bigint NOT NULL,
  UNIQUE (event, first_seq)
);
CREATE TABLE holdfast.change_order_lock (one boolean PRIMARY KEY DEFAULT true CHECK (one));
INSERT INTO holdfast.change_order_lock DEFAULT VALUES;
)sql";

// The ids of events in a table of their own, so that every unique key of `event` contains its number. An abandoned event has no row here.
constexpr const char* k_version_2 = R"sql(
CREATE TABLE holdfast.event_directory (id uuid PRIMARY KEY, event integer NOT NULL);
INSERT INTO holdfast.event_directory SELECT id, number FROM holdfast.event;
CREATE INDEX event_directory_event ON holdfast.event_directory (event);
ALTER TABLE holdfast.event DROP CONSTRAINT event_id_key;
)sql";

}   // namespace

std::span<const SchemaStep> schema_steps() {
  static const std::vector<SchemaStep> steps = {
      {.scripts = {k_version_1, k_schema_of_stores, k_views_1}}, {.scripts = {k_version_2, k_views_2}},   // drops seat_state
  };
  return steps;
}

}   // namespace holdfast::pg
