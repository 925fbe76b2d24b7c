// Events have a beginning and no end yet, and some take days. So one that has begun goes on being sold as long as the server sells it, and stands last
// in the list. A day later this page takes it for over, because nobody closes all of his events: it is not listed, and not held.
import type { Event } from "@holdfast/client";

type Begins = Pick<Event, "startsAt">;

const overAfterMs = 24 * 3_600_000;

/** At `now`, in milliseconds since 1970 by the ledger's clock. One that does not say when it begins never has, and is never over. */
export function hasBegun({ startsAt }: Begins, now: number): boolean {
  return startsAt !== null && Date.parse(startsAt) <= now;
}
export function isOver({ startsAt }: Begins, now: number): boolean {
  return startsAt !== null && Date.parse(startsAt) + overAfterMs <= now;
}
