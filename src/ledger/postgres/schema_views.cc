#include "ledger/postgres/schema_sql.h"

namespace holdfast::pg {

// One half of the view Reservations: a row for each seat of the reservations whose number of seats is `seats`. `id` is the row's id, and
// `join` brings in what the id needs. Every revision of the view is made of two halves.
//
// A row is found by SeatId or CustomerId with an index each, and by Id where a reservation has one seat, because that row has the
// reservation's own id. Rows of larger reservations are found by Id from revision 3 on. The link from a seat to its reservation is the
// change that gave the seat to it: the first one, if the seat came back to the same reservation.
//
// The database's clock at the beginning of the statement decides whether a time is over.
#define HOLDFAST_SEATS_OF_RESERVATIONS(id, seats, join)                                                                         \
  "SELECT " id                                                                                                                  \
  " AS id, s.uuid AS seatid, r.customer::varchar AS customerid, "                                                               \
  "timestamp 'epoch' + r.created_at * interval '1 millisecond' AS createdat, "                                                  \
  "timestamp 'epoch' + r.expires_at * interval '1 millisecond' AS expiresat, "                                                  \
  "(CASE r.status WHEN 1 THEN 'consumed' WHEN 2 THEN 'released' WHEN 3 THEN 'expired' ELSE "                                    \
  "CASE WHEN r.expires_at <= floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint THEN 'expired' ELSE 'active' END " \
  "END)::varchar AS status "                                                                                                    \
  "FROM holdfast.reservation r "                                                                                                \
  "JOIN holdfast.seat_change c ON c.event = r.event AND c.seat = ANY (r.seats) AND c.reservation = r.id "                       \
  "JOIN holdfast.seat s ON s.event = c.event AND s.seat = c.seat " join "WHERE r.kind = 0 AND cardinality(r.seats) " seats      \
  " AND s.uuid IS NOT NULL AND (c.kind = 4 OR (c.kind = 5 AND NOT EXISTS (SELECT FROM holdfast.seat_change b "                  \
  "WHERE b.event = c.event AND b.seat = c.seat AND b.version < c.version AND b.reservation = c.reservation AND b.kind IN (4, 5))))"

const char* const k_views_1 = R"sql(
CREATE VIEW public.reservations AS
)sql" HOLDFAST_SEATS_OF_RESERVATIONS("r.id", "= 1", "") " UNION ALL " HOLDFAST_SEATS_OF_RESERVATIONS(HOLDFAST_ROW_ID("r.id", "s.uuid"),
                                                                                                     "> 1", "") R"sql(;

CREATE VIEW public.tickets AS
  SELECT s.id AS ticket_id,
         e.id AS event_id,
         s.section || '-' || s."row" || '-' || s.number AS seat_id,
         s.section AS zone,
         t.state <> 115 AS status,
         CASE t.state WHEN 97 THEN 'available' WHEN 104 THEN 'held' WHEN 115 THEN 'sold' ELSE 'blocked' END AS state,
         s."row",
         s.number,
         s.category,
         s.price_ten_thousandths / 10000.0 AS price
    FROM holdfast.event_state e
    JOIN holdfast.seat s ON s.event = e.event
    JOIN holdfast.seat_state t ON t.event = s.event AND t.seat = s.seat
   WHERE e.status IN (1, 2, 3);

CREATE VIEW public.tickets_blocked AS
  SELECT s.id AS ticket_id,
         timestamptz 'epoch' + r.expires_at * interval '1 millisecond' AS locked_up,
         timestamptz 'epoch' + r.created_at * interval '1 millisecond' AS date_created
    FROM holdfast.seat s
    JOIN holdfast.seat_state t ON t.event = s.event AND t.seat = s.seat
    JOIN holdfast.reservation r ON r.id = t.reservation AND r.event = t.event
   WHERE t.state = 104 AND r.expires_at > floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint;

-- For people: every event, with the change that the tables have it as of; every seat, with its current state.
CREATE VIEW holdfast.events AS
  SELECT e.event, e.id, e.name, e.venue,
         CASE e.status WHEN 0 THEN 'importing' WHEN 1 THEN 'draft' WHEN 2 THEN 'on_sale' WHEN 3 THEN 'closed' ELSE 'abandoned' END AS status,
         e.seats,
         timestamptz 'epoch' + nullif(e.starts_at, 0) * interval '1 millisecond' AS starts_at,
         timestamptz 'epoch' + e.created_at * interval '1 millisecond' AS created_at,
         p.seq AS as_of_seq,
         timestamptz 'epoch' + p.at * interval '1 millisecond' AS as_of_time
    FROM holdfast.event_state e
    CROSS JOIN LATERAL (SELECT seq, at FROM holdfast.step WHERE step.event = e.event ORDER BY base_seq DESC, base_ordinal DESC LIMIT 1) p;

CREATE VIEW holdfast.seats AS
  SELECT s.event, s.seat, s.id, s.section || '-' || s."row" || '-' || s.number AS label, s.category,
         CASE t.state WHEN 97 THEN 'available' WHEN 115 THEN 'sold' WHEN 98 THEN 'blocked' ELSE
           CASE WHEN r.expires_at <= floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint THEN 'available' ELSE 'held' END
         END AS state,
         t.version,
         r.id AS reservation,
         r.customer,
         timestamptz 'epoch' + r.expires_at * interval '1 millisecond' AS expires_at
    FROM holdfast.seat s
    JOIN holdfast.seat_state t ON t.event = s.event AND t.seat = s.seat
    LEFT JOIN holdfast.reservation r ON r.id = t.reservation AND r.event = t.event;
)sql";

// A seat's state is that of its last change, found with one lookup in the history's key. The views are replaced, not created again, so
// that they keep their grants and the objects of others that depend on them.
const char* const k_views_2 = R"sql(
CREATE OR REPLACE VIEW public.tickets AS
  SELECT s.id AS ticket_id,
         e.id AS event_id,
         s.section || '-' || s."row" || '-' || s.number AS seat_id,
         s.section AS zone,
         c.kind IS DISTINCT FROM 8 AS status,
         CASE WHEN c.kind IN (4, 5) THEN 'held' WHEN c.kind = 8 THEN 'sold' WHEN c.kind = 11 THEN 'blocked' ELSE 'available' END AS state,
         s."row",
         s.number,
         s.category,
         s.price_ten_thousandths / 10000.0 AS price
    FROM holdfast.event_state e
    JOIN holdfast.seat s ON s.event = e.event
    LEFT JOIN LATERAL (
      SELECT kind FROM holdfast.seat_change WHERE event = s.event AND seat = s.seat ORDER BY version DESC LIMIT 1) c ON true
   WHERE e.status IN (1, 2, 3);

CREATE OR REPLACE VIEW public.tickets_blocked AS
  SELECT s.id AS ticket_id,
         timestamptz 'epoch' + r.expires_at * interval '1 millisecond' AS locked_up,
         timestamptz 'epoch' + r.created_at * interval '1 millisecond' AS date_created
    FROM holdfast.seat s
    CROSS JOIN LATERAL (
      SELECT kind, reservation FROM holdfast.seat_change WHERE event = s.event AND seat = s.seat ORDER BY version DESC LIMIT 1) c
    JOIN holdfast.reservation r ON r.id = c.reservation AND r.event = s.event
   WHERE c.kind IN (4, 5) AND r.expires_at > floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint;

CREATE OR REPLACE VIEW holdfast.seats AS
  SELECT s.event, s.seat, s.id, s.section || '-' || s."row" || '-' || s.number AS label, s.category,
         CASE WHEN c.kind = 8 THEN 'sold' WHEN c.kind = 11 THEN 'blocked'
              WHEN c.kind IN (4, 5) AND r.expires_at > floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint THEN 'held'
              ELSE 'available' END AS state,
         coalesce(c.version, 0) AS version,
         r.id AS reservation,
         r.customer,
         timestamptz 'epoch' + r.expires_at * interval '1 millisecond' AS expires_at
    FROM holdfast.seat s
    LEFT JOIN LATERAL (
      SELECT version, kind, reservation FROM holdfast.seat_change WHERE event = s.event AND seat = s.seat ORDER BY version DESC LIMIT 1) c ON true
    LEFT JOIN holdfast.reservation r ON r.id = c.reservation AND r.event = s.event AND c.kind IN (4, 5, 8);

DROP TABLE holdfast.seat_state;
)sql";

// The ids of the rows that the view Reservations has for reservations of several seats. They are hashes, so finding a row by its id needs
// a table of them. Triggers fill it, whichever program writes. A reservation of one seat, as contract 1 makes them, adds nothing. One
// statement adds the rows of all reservations that an INSERT created. An UPDATE calls the other function only if seats were added.
const char* const k_reservation_rows = R"sql(
CREATE TABLE IF NOT EXISTS holdfast.view_revision (one boolean PRIMARY KEY DEFAULT true CHECK (one), revision integer NOT NULL);

CREATE TABLE holdfast.reservation_row (
  id uuid PRIMARY KEY,
  event integer NOT NULL,
  seat integer NOT NULL,
  reservation uuid NOT NULL
);

-- Roles that may read reservations may read their rows too: `holdfast verify` does.
GRANT SELECT ON holdfast.view_revision TO PUBLIC;
DO $$
DECLARE reader oid;
BEGIN
  FOR reader IN SELECT DISTINCT a.grantee FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a
    WHERE c.oid = 'holdfast.reservation'::pg_catalog.regclass AND a.privilege_type = 'SELECT' AND a.grantee <> c.relowner
  LOOP
    EXECUTE pg_catalog.format('GRANT SELECT ON holdfast.reservation_row TO %s',
                              CASE reader WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(reader)) END);
  END LOOP;
END $$;

CREATE FUNCTION holdfast.add_rows_of_new_reservations() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  INSERT INTO holdfast.reservation_row (id, event, seat, reservation)
  SELECT )sql" HOLDFAST_ROW_ID("r.id", "s.uuid") R"sql(, r.event, u.seat, r.id
    FROM added r
    CROSS JOIN LATERAL unnest(r.seats) u(seat)
    CROSS JOIN LATERAL (SELECT uuid FROM holdfast.seat WHERE event = r.event AND seat = u.seat LIMIT 1) s
   WHERE r.kind = 0 AND cardinality(r.seats) > 1 AND s.uuid IS NOT NULL
      ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;

CREATE FUNCTION holdfast.add_rows_of_grown_reservation() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  INSERT INTO holdfast.reservation_row (id, event, seat, reservation)
  SELECT )sql" HOLDFAST_ROW_ID("NEW.id", "s.uuid") R"sql(, NEW.event, u.seat, NEW.id
    FROM unnest(NEW.seats) u(seat)
    CROSS JOIN LATERAL (SELECT uuid FROM holdfast.seat WHERE event = NEW.event AND seat = u.seat LIMIT 1) s
   WHERE s.uuid IS NOT NULL
      ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;

REVOKE EXECUTE ON FUNCTION holdfast.add_rows_of_new_reservations(), holdfast.add_rows_of_grown_reservation() FROM PUBLIC;

CREATE TRIGGER rows_of_new AFTER INSERT ON holdfast.reservation REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION holdfast.add_rows_of_new_reservations();
CREATE TRIGGER rows_of_grown AFTER UPDATE OF seats ON holdfast.reservation FOR EACH ROW
  WHEN (NEW.kind = 0 AND cardinality(NEW.seats) > 1 AND NEW.seats <> OLD.seats)
  EXECUTE FUNCTION holdfast.add_rows_of_grown_reservation();
)sql";

// tickets_blocked starts from active reservations, or from a ticket, so that a join with all tickets does not visit each seat's history a
// second time. The condition on the version uses the reservation's event, which equals the seat's. So the planner checks it after that
// join, for few rows, and its estimate stays large enough for a hash join. It would estimate an anti-join at one row, and loop over all
// tickets.
const char* const k_views_3 = R"sql(
CREATE OR REPLACE VIEW public.reservations AS
)sql" HOLDFAST_SEATS_OF_RESERVATIONS("r.id", "= 1", "") " UNION ALL " HOLDFAST_SEATS_OF_RESERVATIONS(
    "x.id", "> 1",
    "JOIN holdfast.reservation_row x ON x.id = " HOLDFAST_ROW_ID("r.id", "s.uuid") " AND x.reservation = r.id AND x.event = r.event "
    "AND x.seat = s.seat ") R"sql(;

CREATE OR REPLACE VIEW public.tickets_blocked AS
  SELECT s.id AS ticket_id,
         timestamptz 'epoch' + r.expires_at * interval '1 millisecond' AS locked_up,
         timestamptz 'epoch' + r.created_at * interval '1 millisecond' AS date_created
    FROM holdfast.reservation r
    JOIN holdfast.seat_change c ON c.reservation = r.id
    JOIN holdfast.seat s ON s.event = c.event AND s.seat = c.seat
   WHERE r.status = 0 AND r.expires_at > floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint AND c.kind IN (4, 5)
     AND c.version >= (SELECT b.version FROM holdfast.seat_change b WHERE b.event = r.event AND b.seat = c.seat
                        ORDER BY b.version DESC LIMIT 1);
)sql";

}   // namespace holdfast::pg
