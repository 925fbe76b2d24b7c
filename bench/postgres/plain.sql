-- The plain version of a reservation, as a careful program without Holdfast would have it: lock the seat, look, mark it, write the
-- reservation, write the message for the outbox; one transaction each. Its tables are in plain_schema.sql; pgbench runs it:
--
--   pgbench -n -M prepared -c 16 -D i=0 -D hot_percent=0 -D hot_seats=10000 -D share=61000 -f plain.sql
--
-- hot_percent of the requests are for any of the first hot_seats seats. For the others, every client has `share` seats of its own after
-- those, and takes them one after the other.
\set i :i + 1
\set n CASE WHEN random(1, 100) <= :hot_percent THEN random(1, :hot_seats) ELSE :hot_seats + :client_id * :share + :i END
BEGIN;
SELECT id AS seat, state FROM plain.seat WHERE id = ('00000000-0000-4000-8000-' || lpad(:n::text, 12, '0'))::uuid FOR UPDATE \gset
\if :state = 0
UPDATE plain.seat SET state = 1, version = version + 1 WHERE id = :seat::uuid;
INSERT INTO plain.reservation (seat, customer, created_at, expires_at, status)
  VALUES (:seat::uuid, 'customer-' || lpad(:n::text, 7, '0'), now(), now() + interval '15 minutes', 'active') RETURNING id AS reservation \gset
INSERT INTO plain.outbox (topic, key, payload) VALUES ('reservation-created', :seat,
  jsonb_build_object('eventId', gen_random_uuid(), 'reservationId', :reservation::text, 'customerId', 'customer-' || lpad(:n::text, 7, '0'),
    'seatId', :seat::text, 'status', 'active'));
\endif
COMMIT;
