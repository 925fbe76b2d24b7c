// A reservation of this visitor: the time that it still has, and what he can do with it.
import type { Reservation } from "@holdfast/client";
import { money, timeOfDay } from "../shared/i18n";
import { Icon } from "./icon";
import type { Sale } from "./sale";
import { clock } from "./session";
import { t } from "./texts";

const hurrySeconds = 60;
const ringLength = 2 * Math.PI * 26;

function labelOf(sale: Sale, seat: Reservation["seats"][number]): string {
  const i = sale.seats.index(seat.id);
  return i === undefined ? seat.label : sale.seats.label(i);
}

/** `isAtHand`: where there is little room, its price and its clock stay in view. */
export function Hold({ sale, reservation, isAtHand }: { sale: Sale; reservation: Reservation; isAtHand: boolean }) {
  const { actions } = sale;
  const isInert = actions.isInert.value;
  const seats = reservation.seats.filter(({ state }) => state === "held");
  const longest = Date.parse(reservation.createdAt) + sale.event.maxHoldSeconds * 1_000;
  const isLongest = Date.parse(reservation.expiresAt) >= longest;
  const total = reservation.total;
  return (
    <section class="card-like hold" tabIndex={-1} aria-label={t.value.yourHold}>
      <div class="hold-head">
        <Countdown sale={sale} reservation={reservation} />
        <div>
          <h2>{t.value.yourHold}</h2>
          <p class="soft">{t.value.until(timeOfDay(reservation.expiresAt))}</p>
        </div>
      </div>
      <ul class="seat-lines">
        {seats.map((seat) => (
          <li key={seat.id}>
            <span>
              {labelOf(sale, seat)} <span class="soft">{seat.category}</span>
            </span>
            <span class="numbers">{seat.price === null ? "" : money(seat.price, reservation.currency)}</span>
            {seats.length > 1 && (
              <button type="button" class="icon-button small" aria-disabled={isInert} aria-label={t.value.giveBackOne(labelOf(sale, seat))} onClick={() => void actions.release(reservation, seat.id)}>
                <Icon name="close" />
              </button>
            )}
          </li>
        ))}
      </ul>
      <div class={`deal ${isAtHand ? "at-hand" : ""}`}>
        <div class={`sum ${total === null ? "no-price" : ""}`}>
          <span>{total === null ? t.value.yourHold : t.value.total}</span>
          <ClockAtHand sale={sale} reservation={reservation} />
          {total !== null && <strong class="numbers">{money(total, reservation.currency)}</strong>}
        </div>
        {clock.demo.value && (
          <button type="button" class="button primary wide" aria-disabled={isInert} onClick={() => void actions.buy(reservation)}>
            {total === null ? t.value.buyFree : t.value.buy(money(total, reservation.currency))}
          </button>
        )}
      </div>
      <div class="pair">
        <button type="button" class="button" disabled={isLongest} aria-disabled={isInert} onClick={() => void actions.extend(reservation)}>
          {t.value.extend}
        </button>
        <button type="button" class="button" aria-disabled={isInert} onClick={() => void actions.release(reservation)}>
          {t.value.giveBack}
        </button>
      </div>
      <p class="soft small-print">
        {clock.demo.value ? t.value.demo : t.value.noDemo} {isLongest && t.value.extendMost}
      </p>
    </section>
  );
}

const timeText = (seconds: number) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;

// The countdown again, beside the price. For the eye only: the timer above has a name.
function ClockAtHand({ sale, reservation }: { sale: Sale; reservation: Reservation }) {
  clock.tick.value;
  const left = sale.secondsLeft(reservation);
  return (
    <span class={`clock-at-hand numbers ${left <= hurrySeconds ? "hurry" : ""}`} aria-hidden="true">
      {timeText(left)}
    </span>
  );
}

/** By the ledger's clock (clock.ts). What a screen reader hears of it are the milestones of sale.ts, not each second. */
function Countdown({ sale, reservation }: { sale: Sale; reservation: Reservation }) {
  clock.tick.value;   // draws it anew each second
  const left = sale.secondsLeft(reservation);
  const whole = (Date.parse(reservation.expiresAt) - Date.parse(reservation.createdAt)) / 1_000;
  const text = timeText(left);
  return (
    <div class={`countdown ${left <= hurrySeconds ? "hurry" : ""}`} role="timer" aria-live="off" aria-label={`${t.value.timeLeft}: ${text}`}>
      <svg viewBox="0 0 60 60" aria-hidden="true">
        <circle cx="30" cy="30" r="26" />
        <circle class="rest" cx="30" cy="30" r="26" stroke-dasharray={ringLength} stroke-dashoffset={ringLength * (1 - Math.min(1, left / Math.max(whole, 1)))} />
      </svg>
      <span class="numbers" aria-hidden="true">
        {text}
      </span>
    </div>
  );
}

export function Purchases({ sale }: { sale: Sale }) {
  const bought = sale.purchases.value;
  if (bought.length === 0) return null;
  return (
    <section class="card-like" aria-labelledby="bought-title">
      <h2 id="bought-title">{t.value.yourSeats}</h2>
      {bought.map((reservation) => (
        <div key={reservation.id} class="ticket">
          <p>
            {reservation.seats
              .filter(({ state }) => state === "sold")
              .map((seat) => labelOf(sale, seat))
              .join(", ")}
          </p>
          <p class="soft small-print">
            {t.value.order} {reservation.orderId}
          </p>
        </div>
      ))}
    </section>
  );
}
