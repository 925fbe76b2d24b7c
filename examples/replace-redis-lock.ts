// Replacing a lock in Redis by a hold.
//
// Before: SET seat:{id} {token} NX PX 600000, a row in the database, and a script that deletes the key if the token is still ours. Between the
// two, a crash, a slow payment or a failover leaves a seat locked and not sold, or sold twice.
//
// After: the hold is the lock. It is on disk when it is answered, it ends by itself on time, and selling it checks in the same step that it
// is still ours. Several seats are taken all or none, with no order of locking to agree on.
//
//   SET … NX PX 600000      createReservation, holdSeconds: 600        409 `seat_unavailable` in place of nil
//   PEXPIRE                 extendReservation
//   token                   the reservation's id
//   compare and DEL         releaseReservation                         releases nobody else's
//   UPDATE … SET sold       consumeReservation                         409 when the time was over and the seat has gone
//   fencing token           `version` of GET /v1/seats/{seatId}
//
//   HOLDFAST_URL=http://localhost:50002 node replace-redis-lock.js SEAT
import { createClient, HoldfastError } from "@holdfast/client";

const holdfast = createClient({ baseUrl: process.env["HOLDFAST_URL"] ?? "http://localhost:50002" });

/** The reservation's id, or undefined when somebody else has the seat. */
async function lock(seatId: string, customerId: string, seconds: number): Promise<string | undefined> {
  try {
    return (await holdfast.createReservation({ customerId, seatIds: [seatId], holdSeconds: seconds })).id;
  } catch (error) {
    if (error instanceof HoldfastError && error.code === "seat_unavailable") return undefined;
    throw error;
  }
}

const seat = process.argv[2] ?? "";
const mine = await lock(seat, "customer-1", 600);
console.log(`first customer: ${mine === undefined ? "taken" : "locked"}`);
console.log(`second customer: ${(await lock(seat, "customer-2", 600)) === undefined ? "taken" : "locked"}`);
if (mine !== undefined) await holdfast.releaseReservation(mine);
console.log(`after the release: ${(await lock(seat, "customer-2", 600)) === undefined ? "taken" : "locked"}`);
