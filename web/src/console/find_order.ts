// Looks up the reservations of an order. The server has no index of orders: it scans reservations page by page, oldest first. Operators ask
// about recent orders, so this scans the events one by one, newest first.
import type { Reservation } from "@holdfast/client";

const pagesMax = 100;   // each scans up to 10,000 reservations, or one event
const foundMax = 50;

export interface OfOrder {
  reservations: Reservation[];
  /** Whether all reservations were scanned. If not, there may be more. */
  isAll: boolean;
}

interface Page {
  items: readonly Reservation[];
  nextCursor: string | null;
}

/** `ask` for a page of the reservations of the order in one event. `eventIds`: the newest first. */
export async function ofOrder(eventIds: readonly string[], ask: (eventId: string, cursor?: string) => Promise<Page | null>): Promise<OfOrder> {
  const reservations: Reservation[] = [];
  let pages = 0;
  for (const eventId of eventIds) {
    let cursor: string | undefined;
    do {
      if (pages === pagesMax || reservations.length >= foundMax) return { reservations, isAll: false };
      const page = await ask(eventId, cursor);
      ++pages;
      reservations.push(...(page?.items ?? []));
      cursor = page?.nextCursor ?? undefined;
    } while (cursor !== undefined);
  }
  return { reservations, isAll: true };
}
