// A customer's reservations, ended ones too.
import type { Reservation } from "@holdfast/client";
import { useRef } from "preact/hooks";
import { money, number } from "../shared/i18n";
import { moment, short } from "./format";
import { History } from "./history";
import { addressOf } from "./route";
import { client } from "./session";
import { t } from "./texts";

export interface CustomerListProps {
  customer: string;
  first: { items: Reservation[]; next: string | null };
  eventName(id: string): string;
}

export function CustomerList({ customer, first, eventName }: CustomerListProps) {
  const texts = t.value.find;
  const given = useRef(false);
  return (
    <article class="card panel" aria-label={`${texts.customer} ${customer}`}>
      <header>
        <h2>
          {texts.customer} {customer}
        </h2>
      </header>
      <History<Reservation>
        title={texts.reservations}
        heads={[texts.reservation, t.value.events.event, t.value.events.status, texts.seats, texts.created, texts.expires, texts.order, texts.total]}
        ask={async (cursor) => {
          // The first page is what the search has found.
          if (!given.current) {
            given.current = true;
            return { items: first.items, nextCursor: first.next };
          }
          return client().listReservations({ customerId: customer, limit: 100, ...(cursor === undefined ? {} : { cursor }) });
        }}
        keyOf={(reservation) => reservation.id}
        row={(reservation) => (
          <>
            <td class="whole">
              <a href={addressOf({ view: "find", text: reservation.id })}>{short(reservation.id)}</a>
            </td>
            <td class="name">{eventName(reservation.eventId)}</td>
            <td>{t.value.reservationStatuses[reservation.status]}</td>
            <td class="numbers">{number(reservation.seats.length)}</td>
            <td class="numbers">{moment(reservation.createdAt)}</td>
            <td class="numbers">{moment(reservation.expiresAt)}</td>
            <td class="name">{reservation.orderId ?? "–"}</td>
            <td class="numbers">{reservation.total === null ? "–" : money(reservation.total, reservation.currency)}</td>
          </>
        )}
      />
    </article>
  );
}
