// Events have a beginning and no end yet. So this page takes one for over some hours after it has begun: it is not listed, and not held.
import type { Event } from "@holdfast/client";

const overAfterMs = 6 * 3_600_000;

/** At `now`, in milliseconds since 1970 by the ledger's clock. One that does not say when it begins is never over. */
export function isOver({ startsAt }: Pick<Event, "startsAt">, now: number): boolean {
  return startsAt !== null && Date.parse(startsAt) + overAfterMs <= now;
}
