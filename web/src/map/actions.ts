// What the visitor can do. Each action is one call; a refusal becomes a notice that says what is possible instead.
import { computed, signal } from "@preact/signals";
import { HoldfastError, type Reservation } from "@holdfast/client";
import { Mine } from "./seats";
import type { Sale } from "./sale";
import { asVisitor, client, tellTabs } from "./session";
import { duration, listed, t } from "./texts";

export interface BestWish {
  quantity: number;
  section?: string;
  category?: string;
  adjacent: boolean;
}

const ownSeatsMs = 3_000;   // how long a visitor waits at most to be told that seats are gone
const settleMs = 600;

export class Actions {
  /** A call is on its way. */
  readonly busy = signal(false);
  /** The page has just replaced a button: a click may have been meant for the old one. */
  readonly settling = signal(false);
  /** Neither pointer nor keyboard starts anything now. */
  readonly isInert = computed(() => this.busy.value || this.settling.value);
  /** Whether this visitor has done anything here yet. */
  hasActed = false;
  readonly #sale: Sale;
  #running: Promise<void> = Promise.resolve();
  #settle: ReturnType<typeof setTimeout> | undefined;

  constructor(sale: Sale) {
    this.#sale = sale;
  }

  /** Ends when no call is on its way. */
  settled(): Promise<void> {
    return this.#running;
  }

  /** What can be clicked has moved. */
  layoutChanged() {
    this.settling.value = true;
    clearTimeout(this.#settle);
    this.#settle = setTimeout(() => (this.settling.value = false), settleMs);
  }

  // ---- picking

  toggle(i: number) {
    const sale = this.#sale;
    const { seats } = sale;
    const label = seats.label(i);
    if (seats.mine[i] === Mine.picked) {
      sale.picked.value = sale.picked.value.filter((other) => other !== i);
      sale.say(t.value.saidUnpicked(label, sale.picked.value.length));
    } else if (seats.mine[i] !== Mine.no || !seats.isFree(i)) {
      sale.say(t.value.saidTaken(label));
      sale.refused.value = { i };
      return;
    } else if (!sale.isOpen.value) {
      sale.say(sale.whyNotOpen());
      sale.refused.value = { i };
      return;
    } else if (sale.picked.value.length + this.#heldSeats() >= this.most()) {
      this.#tellLimit();
      return;
    } else {
      sale.picked.value = [...sale.picked.value, i];
      sale.say(t.value.saidPicked(label, sale.picked.value.length, sale.priceOf(sale.picked.value)));
    }
    sale.markMine();
  }

  /** A button in the list of what is picked. */
  unpick(i: number) {
    if (!this.isInert.value) this.toggle(i);
  }

  clear() {
    if (this.isInert.value) return;
    this.#sale.picked.value = [];
    this.#sale.markMine();
  }

  /** The most seats that one visitor can hold here. */
  most(): number {
    const { seatsPerReservation, heldSeatsPerCustomer } = this.#sale.event.limits;
    return heldSeatsPerCustomer > 0 ? Math.min(seatsPerReservation, heldSeatsPerCustomer) : seatsPerReservation;
  }

  #heldSeats(): number {
    return this.#sale.holds.value.reduce((sum, { seats }) => sum + seats.filter(({ state }) => state === "held").length, 0);
  }

  // ---- calls

  /** These seats, for a new reservation or the one that there is. */
  hold(indexes: readonly number[]): Promise<void> {
    if (this.isInert.value) return this.#running;
    const sale = this.#sale;
    sale.picked.value = [...new Set(indexes)];
    sale.markMine();
    const seatIds = sale.picked.value.map((i) => sale.seats.ids[i]!);
    const existing = sale.holds.value.find((hold) => sale.secondsLeft(hold) > 0);
    return this.#run(async () => {
      const reservation = await asVisitor(() => (existing === undefined ? client.createReservation({ seatIds }) : client.addSeats(existing.id, seatIds)));
      this.#held(reservation);
    });
  }

  /** The server picks. */
  holdBest(wish: BestWish): Promise<void> {
    const sale = this.#sale;
    return this.#run(
      async () => {
        const reservation = await asVisitor(() => client.createReservation({ bestAvailable: { eventId: sale.event.id, ...wish } }));
        this.#held(reservation);
        sale.lookAt.value = reservation.seats.map(({ id }) => sale.seats.index(id) ?? -1).filter((i) => i >= 0);
      },
      (error) => {
        if (error.code === "no_adjacent_seats" && sale.availableIn(wish.section, wish.category) >= wish.quantity) {
          sale.notice.value = {
            tone: "warn",
            title: () => t.value.apartTitle(wish.quantity),
            body: () => t.value.apartBody,
            advisesSeats: true,
            action: { label: () => t.value.takeApart(wish.quantity), run: () => this.holdBest({ ...wish, adjacent: false }) },
          };
          return true;
        }
        if (error.code === "no_adjacent_seats" || error.code === "seat_unavailable") {
          sale.notice.value = { tone: "warn", title: () => t.value.notEnoughTitle, body: () => t.value.notEnoughBody, advisesSeats: true };
          return true;
        }
        return false;
      },
    );
  }

  #held(reservation: Reservation) {
    const sale = this.#sale;
    sale.picked.value = [];
    sale.notice.value = undefined;
    sale.setReservation(reservation);
    sale.say(t.value.saidHeld(reservation.seats.length, duration(sale.secondsLeft(reservation))));
  }

  extend(reservation: Reservation): Promise<void> {
    const sale = this.#sale;
    return this.#run(async () => {
      const extended = await asVisitor(() => client.extendReservation(reservation.id, sale.event.holdSeconds));
      sale.setReservation(extended);
      sale.say(t.value.saidExtended(duration(sale.secondsLeft(extended))));
    });
  }

  /** All of it, or one seat. */
  release(reservation: Reservation, seatId?: string): Promise<void> {
    const sale = this.#sale;
    return this.#run(async () => {
      const seatIds = seatId === undefined ? undefined : [seatId];
      const released = await asVisitor(() => client.releaseReservation(reservation.id, seatIds));
      sale.setReservation(released);
      sale.say(t.value.saidReleased(seatIds?.length ?? reservation.seats.filter(({ state }) => state === "held").length));
    });
  }

  buy(reservation: Reservation): Promise<void> {
    const sale = this.#sale;
    return this.#run(async () => {
      const bought = await asVisitor(() => client.payForDemo(reservation.id));
      sale.setReservation(bought);
      const sold = bought.seats.filter(({ state }) => state === "sold");
      const labels = sold.map(({ id, label }) => (sale.seats.index(id) === undefined ? label : sale.seats.label(sale.seats.index(id)!)));
      sale.notice.value = { tone: "good", title: () => t.value.boughtTitle, body: () => t.value.boughtBody(listed(labels), bought.orderId ?? "") };
      sale.say(t.value.saidBought(sold.length));
    });
  }

  // ---- one at a time

  // A click while a call is running, or just after it has changed the page, is ignored: it is a double click.
  #run(call: () => Promise<void>, explain: (error: HoldfastError) => boolean = () => false): Promise<void> {
    if (this.isInert.value) return this.#running;
    this.busy.value = true;
    this.hasActed = true;
    const run = async () => {
      try {
        await call();
        tellTabs(this.#sale.event.id);
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error;
        if (!explain(error)) await this.#explain(error);
      } finally {
        this.busy.value = false;
      }
    };
    this.#running = run();
    return this.#running;
  }

  async #explain(error: HoldfastError) {
    const sale = this.#sale;
    const tell = (tone: "warn" | "bad", title: () => string, body: () => string) => {
      sale.notice.value = { tone, title, body };
    };
    switch (error.code) {
      case "seat_unavailable": {
        await Promise.race([sale.refresh(), new Promise((go) => setTimeout(go, ownSeatsMs))]);   // the visitor's other tab may have them
        const lost = error.seatIds.map((id) => sale.seats.index(id) ?? -1).filter((i) => i >= 0 && sale.seats.mine[i] !== Mine.held);
        if (lost.length > 0) sale.tellLost(lost);
        return;
      }
      case "limit_exceeded":
        return this.#tellLimit();
      case "event_not_on_sale":
        return tell("warn", () => t.value.closedTitle, () => t.value.closedBody);
      case "reservation_expired":
      case "reservation_not_active":
      case "reservation_not_found":
        void sale.refresh();
        return tell("warn", () => t.value.goneTitle, () => t.value.goneBody);
      case "unreachable":
      case "timeout":
        void sale.refresh();   // it may have been done, and only the answer lost
        return tell("bad", () => t.value.awayTitle, () => t.value.awayBody);
      case "rate_limited":
      case "unavailable":
      case "no_room":
        return tell("bad", () => t.value.busyTitle, () => t.value.busyBody);
      default:
        return tell("bad", () => t.value.otherTitle, () => t.value.otherBody(error.message, error.code));
    }
  }

  #tellLimit() {
    const most = this.most();
    this.#sale.notice.value = { tone: "warn", title: () => t.value.limitTitle, body: () => t.value.limitBody(most) };
  }
}
