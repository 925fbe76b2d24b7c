// Replacing a lock in Redis with a hold.
//
// Before: SET seat:{id} {token} NX PX 600000, a row in the database, and a script that deletes the key if the token is still ours. A
// crash, a slow payment or a failover in between leaves a seat locked but not sold, or sold twice.
//
// After: the hold is the lock. It is on disk before the answer, and it expires on time by itself. The sale checks in the same step that the
// hold is still ours. Several seats are held all or none, without an agreed lock order.
//
//   SET … NX PX 600000      createReservation, holdSeconds: 600        409 `seat_unavailable` instead of nil
//   PEXPIRE                 extendReservation
//   token                   the reservation's id
//   compare and DEL         releaseReservation                         never releases another caller's hold
//   UPDATE … SET sold       consumeReservation                         409 if the hold has expired and the seat is gone
//   fencing token           `version` of GET /v1/seats/{seatId}
//
//   HOLDFAST_URL=http://localhost:50002 node replace-redis-lock.js SEAT
import { createClient, HoldfastError } from "@holdfast/client";

const holdfast = createClient({ baseUrl: process.env["HOLDFAST_URL"] ?? "http://localhost:50002" });

/** The reservation's id, or undefined if somebody else has the seat. */
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
