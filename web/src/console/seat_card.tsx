// One seat as it is, what it went through, and what an operator can do with it.
import type { CallOptions, Reservation, Seat, SeatChange } from "@holdfast/client";
import { number } from "../shared/i18n";
import { ask } from "./ask";
import { moment, short } from "./format";
import { History } from "./history";
import { addressOf } from "./route";
import { client } from "./session";
import { t } from "./texts";

function SeatActions({ seat, onDone }: { seat: Seat; onDone: () => void }) {
  const texts = t.value.find;
  const event = t.value.event;
  const question = (title: string, verb: string, run: (options: CallOptions) => Promise<unknown>) => ask({ title, details: [seat.label, seat.id], verb, run, then: onDone });
  const owner = seat.reservationId;
  const ofOwner = async (act: (reservation: Reservation) => Promise<unknown>) => {
    if (owner !== null) await act(await client().getReservation(owner));
  };
  return (
    <div class="buttons">
      {seat.state === "available" && (
        <button type="button" class="button" onClick={() => question(texts.askBlockSeat(seat.label), event.block, (options) => client().blockSeats(seat.eventId, [seat.id], options))}>
          {event.block}…
        </button>
      )}
      {seat.state === "blocked" && (
        <button type="button" class="button" onClick={() => question(texts.askUnblockSeat(seat.label), event.unblock, (options) => client().unblockSeats(seat.eventId, [seat.id], options))}>
          {event.unblock}…
        </button>
      )}
      {seat.state === "held" && owner !== null && (
        <button type="button" class="button" onClick={() => question(texts.askReleaseSeat(seat.label), texts.release, (options) => client().releaseReservation(owner, [seat.id], options))}>
          {texts.release}…
        </button>
      )}
      {seat.state === "sold" && owner !== null && (
        <button
          type="button"
          class="button"
          onClick={() =>
            question(texts.askReturnSeat(seat.label), texts.giveBack, (options) =>
              ofOwner((reservation) => client().returnReservation(owner, { orderId: reservation.orderId ?? "", seatIds: [seat.id] }, options)),
            )
          }
        >
          {texts.giveBack}…
        </button>
      )}
    </div>
  );
}

export function SeatCard({ seat, eventName, onDone }: { seat: Seat; eventName: string; onDone: () => void }) {
  const texts = t.value.find;
  return (
    <article class="card panel" aria-label={`${texts.seat} ${seat.label}`}>
      <header>
        <h2>
          {texts.seat} {seat.label}
        </h2>
        <b class={`state ${seat.state}`}>{t.value.states[seat.state]}</b>
        <SeatActions seat={seat} onDone={onDone} />
      </header>
      <dl class="facts">
        <dt>{texts.id}</dt>
        <dd>
          <code>{seat.id}</code>
        </dd>
        <dt>{t.value.events.event}</dt>
        <dd>
          <a href={addressOf({ view: "event", id: seat.eventId })}>{eventName}</a>
        </dd>
        <dt>{t.value.event.category}</dt>
        <dd>{seat.category.name}</dd>
        <dt>{texts.version}</dt>
        <dd class="numbers">{number(seat.version)}</dd>
        <dt>{texts.reservation}</dt>
        <dd>{seat.reservationId === null ? "–" : <a href={addressOf({ view: "find", text: seat.reservationId })}>{seat.reservationId}</a>}</dd>
      </dl>
      <History<SeatChange>
        title={texts.history}
        heads={[texts.changeNumber, texts.when, texts.change, texts.after, texts.version, texts.reservation, texts.customer, texts.order]}
        ask={(cursor) => client().listSeatHistory(seat.id, { limit: 100, ...(cursor === undefined ? {} : { cursor }) })}
        keyOf={(change) => change.version}
        row={(change) => (
          <>
            <td class="numbers">{number(change.seq)}</td>
            <td class="numbers">{moment(change.at)}</td>
            <td>{t.value.changes[change.type]}</td>
            <td>{t.value.states[change.state]}</td>
            <td class="numbers">{number(change.version)}</td>
            <td>{change.reservationId ? <a href={addressOf({ view: "find", text: change.reservationId })}>{short(change.reservationId)}</a> : "–"}</td>
            <td>{change.customerId ? <a href={addressOf({ view: "find", text: change.customerId })}>{short(change.customerId)}</a> : "–"}</td>
            <td>{change.orderId ?? "–"}</td>
          </>
        )}
      />
    </article>
  );
}
