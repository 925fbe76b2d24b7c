-- The plain version's tables, with :seats free seats. As lean as the work allows: no foreign key, no index but those that it needs.
DROP SCHEMA IF EXISTS plain CASCADE;
CREATE SCHEMA plain;
CREATE TABLE plain.seat (
  id uuid PRIMARY KEY,
  label text NOT NULL,
  state smallint NOT NULL DEFAULT 0,
  version integer NOT NULL DEFAULT 0
) WITH (fillfactor = 50);   -- every update finds room in the seat's own page
CREATE TABLE plain.reservation (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  seat uuid NOT NULL,
  customer text NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  status text NOT NULL
);
CREATE TABLE plain.outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic text NOT NULL,
  key text NOT NULL,
  payload jsonb NOT NULL
);
INSERT INTO plain.seat (id, label)
  SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'A-' || n / 1000 || '-' || n % 1000 FROM generate_series(1, :seats) n;
VACUUM (ANALYZE) plain.seat;
