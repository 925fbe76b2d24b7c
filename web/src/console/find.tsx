// Looking up a seat, a reservation, an order or a customer by whatever one has: an id, a label, a name. All that fits is shown.
import { useSignal } from "@preact/signals";
import { HoldfastError, type Event, type Reservation, type Seat } from "@holdfast/client";
import { useEffect, useRef } from "preact/hooks";
import { CustomerList } from "./customer_list";
import { problemOf } from "./ask";
import { ofOrder } from "./find_order";
import { clockMs } from "./format";
import { labelsIn, uuidIn } from "./labels";
import { ReservationCard } from "./reservation_card";
import { addressOf } from "./route";
import { SeatCard } from "./seat_card";
import { client, noticeError } from "./session";
import { t } from "./texts";

const labelsAskedMax = 50;
const orderPageItems = 50;

export interface Found {
  text: string;
  at: number;
  seats: Seat[];
  /** By their own ids, or by their order's. */
  reservations: Reservation[];
  /** Whether every reservation was looked at for the order, unless something else was found. */
  isAll: boolean;
  customer: { items: Reservation[]; next: string | null };
}

/** null where there is none, or where the text cannot be one. */
async function orNone<Value>(asked: Promise<Value>): Promise<Value | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof HoldfastError && (error.status === 404 || error.status === 400)) return null;
    throw error;
  }
}

async function look(text: string, events: readonly Event[]): Promise<Found> {
  // The newest events first: that is where one looks for a seat or an order today.
  const newest = [...events].reverse();
  const labels = newest.flatMap(({ id, sections }) => labelsIn(text, sections).map((label) => ({ id, label })));
  const uuid = uuidIn(text);
  const [seat, labelled, reservation, customer] = await Promise.all([
    orNone(client().getSeat(text)),
    Promise.all(labels.slice(0, labelsAskedMax).map(({ id, label }) => orNone(client().listSeats(id, { label, limit: 1 })))),
    uuid === undefined ? null : orNone(client().getReservation(uuid)),
    orNone(client().listReservations({ customerId: text, limit: 100 })),
  ]);
  const seats = [...(seat === null ? [] : [seat]), ...labelled.flatMap((page) => page?.items ?? [])];
  const named = reservation !== null && (uuid === text || reservation.orderId === text) ? [reservation] : [];
  const isFound = seats.length > 0 || named.length > 0 || (customer?.items.length ?? 0) > 0;
  const { reservations, isAll } = isFound
    ? { reservations: named, isAll: true }
    : await ofOrder(
        newest.map(({ id }) => id),
        (eventId, cursor) =>
          orNone(client().listReservations({ orderId: text, eventId, limit: orderPageItems, ...(cursor === undefined ? {} : { cursor }) })),
      );
  return { text, at: Date.now(), seats, reservations, isAll, customer: { items: customer?.items ?? [], next: customer?.nextCursor ?? null } };
}

export function FindView({ text, events }: { text: string; events: readonly Event[] | null }) {
  const texts = t.value.find;
  const input = useRef<HTMLInputElement>(null);
  const found = useSignal<Found | null>(null);
  const problem = useSignal<string | null>(null);
  const busy = useSignal(false);
  const asked = useRef(0);

  const run = async () => {
    const mine = ++asked.current;
    if (text === "") {
      found.value = null;
      return;
    }
    busy.value = true;
    problem.value = null;
    try {
      const result = await look(text, events ?? []);
      if (mine === asked.current) found.value = result;
    } catch (error) {
      noticeError(error);
      if (mine === asked.current) problem.value = problemOf(error);
    }
    if (mine === asked.current) busy.value = false;
  };
  useEffect(() => {
    if (input.current !== null) input.current.value = text;
  }, [text]);
  // The events are there a moment after the desk; a label is looked for in them. What somebody has typed by then stays.
  useEffect(() => {
    if (events !== null) void run();
  }, [text, events === null]);

  const result = found.value;
  const eventName = (id: string) => events?.find((event) => event.id === id)?.name ?? id;
  const nothing = result !== null && result.seats.length === 0 && result.reservations.length === 0 && result.customer.items.length === 0;
  return (
    <>
      <h1>{texts.title}</h1>
      <form
        role="search"
        class="search"
        onSubmit={(event) => {
          event.preventDefault();
          const wanted = input.current?.value.trim() ?? "";
          if (wanted === text) void run();
          else location.hash = addressOf({ view: "find", text: wanted });
        }}
      >
        <label class="field">
          <span>{texts.what}</span>
          <input ref={input} type="search" defaultValue={text} maxLength={256} autocomplete="off" spellcheck={false} aria-describedby="find-hint" />
        </label>
        <button type="submit" class="button primary">
          {texts.look}
        </button>
      </form>
      <p id="find-hint" class="soft">
        {texts.hint}
      </p>
      <p class="problem" role="alert">
        {problem.value}
      </p>
      <p class="as-of numbers" role="status">
        {busy.value ? t.value.loading : result === null ? " " : nothing ? (result.isAll ? texts.nothing(result.text) : texts.notAll(result.text)) : texts.foundAt(clockMs(result.at))}
      </p>
      {result !== null && (
        <>
          {!nothing && !result.isAll && <p class="soft">{texts.maybeMore}</p>}
          {result.seats.map((seat) => (
            <SeatCard key={`${seat.id} ${result.at}`} seat={seat} eventName={eventName(seat.eventId)} onDone={() => void run()} />
          ))}
          {result.reservations.map((reservation) => (
            <ReservationCard key={`${reservation.id} ${result.at}`} reservation={reservation} eventName={eventName(reservation.eventId)} onDone={() => void run()} />
          ))}
          {result.customer.items.length > 0 && <CustomerList key={result.at} customer={result.text} first={result.customer} eventName={eventName} />}
        </>
      )}
    </>
  );
}
