// Events have a start time but no end time, and some last for days. So an event that has begun stays on sale as long as the server sells it, and is
// listed last. A day later this page treats it as over, because not every operator closes past events: it is not listed, and not offered.
import type { Event } from "@holdfast/client";

type Begins = Pick<Event, "startsAt">;

const overAfterMs = 24 * 3_600_000;

/** At `now`, in milliseconds since 1970 by the ledger's clock. An event without a start time never begins and is never over. */
export function hasBegun({ startsAt }: Begins, now: number): boolean {
  return startsAt !== null && Date.parse(startsAt) <= now;
}
export function isOver({ startsAt }: Begins, now: number): boolean {
  return startsAt !== null && Date.parse(startsAt) + overAfterMs <= now;
}
