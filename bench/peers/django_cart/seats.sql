-- :seats free seats, whose ids are those of the plan that bench/http/make_plan.awk writes.
INSERT INTO cart_seat (id, section, "row", number)
  SELECT (lpad(to_hex(n), 8, '0') || '-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'Z' || n / 100000, n / 1000, n % 1000
  FROM generate_series(1, :seats) n;
VACUUM (ANALYZE) cart_seat;
