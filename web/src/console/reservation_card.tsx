// One reservation as it is, what it went through, and giving it back: all of it, or some seats.
import { useSignal } from "@preact/signals";
import type { Change, Reservation } from "@holdfast/client";
import { useMemo } from "preact/hooks";
import { money, number } from "../shared/i18n";
import { ask } from "./ask";
import { moment } from "./format";
import { History } from "./history";
import { addressOf } from "./route";
import { client } from "./session";
import { t } from "./texts";

/** What a change says beside its type: seats by their labels, the new end, the order. */
function saying(change: Change, labels: ReadonlyMap<string, string>): string {
  const parts: string[] = [];
  if ("seats" in change) parts.push(change.seats.map(({ id }) => labels.get(id) ?? id).join(", "));
  if ("expiresAt" in change) parts.push(t.value.find.until(moment(change.expiresAt)));
  if ("orderId" in change) parts.push(`${t.value.find.order} ${change.orderId}`);
  return parts.join(" · ");
}

const labelsAskedMax = 100;

/** Changes name seats by their ids. Those that the reservation has given back are not in it any more: they are asked for. */
async function learnLabels(changes: readonly Change[], labels: Map<string, string>): Promise<void> {
  const ids = changes.flatMap((change) => ("seats" in change ? change.seats.map(({ id }) => id) : []));
  const unknown = [...new Set(ids)].filter((id) => !labels.has(id)).slice(0, labelsAskedMax);
  for (const seat of await Promise.all(unknown.map((id) => client().getSeat(id)))) labels.set(seat.id, seat.label);
}

function ReservationActions({ of, chosen, onDone }: { of: Reservation; chosen: ReadonlySet<string>; onDone: () => void }) {
  const texts = t.value.find;
  const seats = of.seats.filter(({ id }) => chosen.size === 0 || chosen.has(id));
  const details = seats.map(({ label, id }) => `${label} · ${id}`);
  const some = chosen.size === 0 ? undefined : seats.map(({ id }) => id);
  const orderId = of.orderId;
  return (
    <div class="buttons">
      {of.status === "active" && (
        <button
          type="button"
          class="button"
          onClick={() => ask({ title: texts.askRelease(seats.length), details, verb: texts.release, run: (options) => client().releaseReservation(of.id, some, options), then: onDone })}
        >
          {texts.releaseN(seats.length)}
        </button>
      )}
      {of.status === "consumed" && orderId !== null && (
        <button
          type="button"
          class="button"
          onClick={() =>
            ask({
              title: texts.askReturn(seats.length, orderId),
              details,
              verb: texts.giveBack,
              run: (options) => client().returnReservation(of.id, some === undefined ? { orderId } : { orderId, seatIds: some }, options),
              then: onDone,
            })
          }
        >
          {texts.returnN(seats.length)}
        </button>
      )}
    </div>
  );
}

export function ReservationCard({ reservation, eventName, onDone }: { reservation: Reservation; eventName: string; onDone: () => void }) {
  const texts = t.value.find;
  const chosen = useSignal<ReadonlySet<string>>(new Set());
  const labels = useMemo(() => new Map(reservation.seats.map(({ id, label }) => [id, label])), [reservation]);
  const choose = (id: string, on: boolean) => {
    const next = new Set(chosen.value);
    if (on) next.add(id);
    else next.delete(id);
    chosen.value = next;
  };
  const customer = reservation.customerId;
  return (
    <article class="card panel" aria-label={`${texts.reservation} ${reservation.id}`}>
      <header>
        <h2>{texts.reservation}</h2>
        <b class={`state ${reservation.status}`}>{t.value.reservationStatuses[reservation.status]}</b>
        <ReservationActions of={reservation} chosen={chosen.value} onDone={onDone} />
      </header>
      <dl class="facts">
        <dt>{texts.id}</dt>
        <dd>
          <code>{reservation.id}</code>
        </dd>
        <dt>{texts.customer}</dt>
        <dd>{customer === null ? texts.ticketLock : <a href={addressOf({ view: "find", text: customer })}>{customer}</a>}</dd>
        <dt>{t.value.events.event}</dt>
        <dd>
          <a href={addressOf({ view: "event", id: reservation.eventId })}>{eventName}</a>
        </dd>
        <dt>{texts.created}</dt>
        <dd class="numbers">{moment(reservation.createdAt)}</dd>
        <dt>{texts.expires}</dt>
        <dd class="numbers">{moment(reservation.expiresAt)}</dd>
        <dt>{texts.order}</dt>
        <dd>{reservation.orderId ?? "–"}</dd>
        <dt>{texts.total}</dt>
        <dd class="numbers">{reservation.total === null ? "–" : money(reservation.total, reservation.currency)}</dd>
      </dl>
      <div class="history">
        <h3>{texts.seats}</h3>
        <table>
          <thead>
            <tr>
              <th scope="col">
                <span class="unseen">{texts.choose}</span>
              </th>
              {[texts.label, t.value.event.category, t.value.events.status, texts.id].map((head) => (
                <th key={head} scope="col">
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {reservation.seats.map((seat) => (
              <tr key={seat.id}>
                <td>
                  <input type="checkbox" aria-label={`${texts.choose} ${seat.label}`} checked={chosen.value.has(seat.id)} onChange={(event) => choose(seat.id, event.currentTarget.checked)} />
                </td>
                <td class="name">{seat.label}</td>
                <td class="name">{seat.category}</td>
                <td>{t.value.states[seat.state]}</td>
                <td>
                  <a href={addressOf({ view: "find", text: seat.id })}>{seat.id}</a>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <History<Change>
        title={texts.history}
        heads={[texts.changeNumber, texts.when, texts.change, texts.saying]}
        ask={async (cursor) => {
          const page = await client().listReservationHistory(reservation.id, { limit: 100, ...(cursor === undefined ? {} : { cursor }) });
          await learnLabels(page.items, labels);
          return page;
        }}
        keyOf={(change) => change.seq}
        row={(change) => (
          <>
            <td class="numbers">{number(change.seq)}</td>
            <td class="numbers">{moment(change.at)}</td>
            <td>{t.value.changes[change.type]}</td>
            <td class="wide">{saying(change, labels)}</td>
          </>
        )}
      />
    </article>
  );
}
