-- The tables of this peer with :seats free seats, whose ids are those of the plan that bench/http/make_plan.awk writes. The names of the
-- reservations' columns are the contract's. As lean as the work allows: no foreign key, no index but those that it needs.
CREATE TABLE seats (
  id uuid PRIMARY KEY,
  section text NOT NULL,
  row text NOT NULL,
  number text NOT NULL,
  base_price numeric(10, 2) NOT NULL,
  reserved_until timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 50);   -- every update finds room in the seat's own page
CREATE TABLE reservations (
  id uuid PRIMARY KEY,
  seatid uuid NOT NULL,
  customerid text NOT NULL,
  createdat timestamptz NOT NULL,
  expiresat timestamptz NOT NULL,
  status text NOT NULL
);
INSERT INTO seats (id, section, row, number, base_price)
  SELECT (lpad(to_hex(n), 8, '0') || '-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'Z' || n / 100000, n / 1000, n % 1000, 45
  FROM generate_series(1, :seats) n;
VACUUM (ANALYZE) seats;
