// Follows an event's changes from the first one, and prints the sales. Stop it with Ctrl-C; with CHANGES it ends after that many changes.
//
//   HOLDFAST_URL=http://localhost:50002 node follow-changes.js EVENT [CHANGES]
import { createClient } from "@holdfast/client";

const holdfast = createClient({ baseUrl: process.env["HOLDFAST_URL"] ?? "http://localhost:50002" });
const eventId = process.argv[2] ?? "";
const changesMax = Number(process.argv[3] ?? Infinity);
const stop = new AbortController();
process.once("SIGINT", () => stop.abort());

// Store `seq` in the same transaction as the effect of the change. A restart then continues exactly there.
let seq = 0;
let count = 0;
for await (const change of holdfast.changes(eventId, seq, { signal: stop.signal })) {
  seq = change.seq;
  if (change.type === "consumed") console.log(`${seq}: ${change.orderId} bought ${change.seats.map((seat) => seat.id).join(", ")}`);
  else console.log(`${seq}: ${change.type}`);
  if (++count >= changesMax) stop.abort();
}
