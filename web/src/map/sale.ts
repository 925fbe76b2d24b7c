// One event as the visitor sees it: the states of its seats, and what the visitor has picked, holds and has bought. It has signals,
// which components only show.
//
// The server tells it in two ways. /live streams the states of seats. The visitor's own reservations are requested whenever they may have
// changed: after a call of this tab, a message from another tab, a change of one of the visitor's seats in /live, or the end of a hold's time.
import { batch, computed, signal } from "@preact/signals";
import { HoldfastError, type Event, type LiveMessage, type Reservation } from "@holdfast/client";
import { money } from "../shared/i18n";
import { followLive } from "../shared/live";
import { OneAtATime } from "../shared/one_at_a_time";
import { Actions } from "./actions";
import type { Notice } from "./notice";
import { hasBegun, isOver } from "./over";
import { Mine, Seats, State, stateOf } from "./seats";
import { asVisitor, client, clock, onTold } from "./session";
import { duration, listed, t } from "./texts";
import { offerNear } from "./neighbours";

export type Connection = "connecting" | "live" | "lost";

/** Whoever draws the map. */
export interface SeatWatcher {
  touch(touched: Iterable<number>): void;
  redraw(): void;
  redrawMine(): void;
}

const versionMs = 150;
const milestones = [300, 120, 60, 30, 10];   // seconds that are announced

export class Sale {
  readonly event: Event;
  readonly seats: Seats;
  readonly connection = signal<Connection>("connecting");
  /** Increases when seats' states have changed, at most a few times a second, for components that count them. The map is told at once. */
  readonly version = signal(0);
  readonly picked = signal<readonly number[]>([]);
  readonly holds = signal<readonly Reservation[]>([]);
  readonly purchases = signal<readonly Reservation[]>([]);
  readonly notice = signal<Notice | undefined>(undefined);
  /** For screen readers. */
  readonly said = signal("");
  /** The states are known, and no seat is available. */
  readonly isEmpty = computed(() => (this.version.value, this.connection.value !== "connecting" && !this.availableByCategory.some((n) => n > 0)));
  readonly availableBySection: number[];
  readonly availableByCategory: number[];
  readonly hasBegun = computed(() => (clock.tick.value, hasBegun(this.event, clock.now())));
  /** It began long ago. */
  readonly isOver = computed(() => (clock.tick.value, isOver(this.event, clock.now())));
  /** Whether this page offers its seats. */
  readonly isOpen = computed(() => this.event.status === "on_sale" && !this.isOver.value);
  /** A seat that was picked and is not available: the map says so beside it. A new object each time. */
  readonly refused = signal<{ readonly i: number } | undefined>(undefined);
  /** Where the map should look. */
  readonly lookAt = signal<readonly number[]>([]);
  readonly actions: Actions;
  mineList: readonly number[] = [];
  watcher: SeatWatcher | undefined;
  readonly #stop = new AbortController();
  readonly #undo: (() => void)[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #reservations = new OneAtATime(() => this.#ask());
  #secondsLeft = new Map<string, number>();   // of each hold, when it was looked at last
  #answered = 0;   // calls that have changed a reservation

  constructor(event: Event, seats: Seats) {
    this.event = event;
    this.seats = seats;
    this.availableBySection = seats.sections.map(() => 0);
    this.availableByCategory = seats.categories.map(() => 0);
    this.actions = new Actions(this);
    this.#undo.push(clock.tick.subscribe(() => this.#eachSecond()));
    this.#undo.push(onTold((eventId) => void (eventId === event.id && this.refresh())));
    const seen = () => void (document.visibilityState === "visible" && this.refresh());
    document.addEventListener("visibilitychange", seen);
    this.#undo.push(() => document.removeEventListener("visibilitychange", seen));
  }

  /** Follows the event until end(). Throws the server's refusal. */
  async follow() {
    void this.refresh();
    const onConnection = (isConnected: boolean) => {
      const before = this.connection.value;
      this.connection.value = isConnected ? "live" : "lost";
      if (isConnected && before === "lost") {
        this.say(t.value.caughtUp);
        clock.refresh();
        void this.refresh();
      }
    };
    await followLive(client, "map", this.event.id, { signal: this.#stop.signal, onConnection, onMessage: (message) => this.#apply(message) });
  }

  end() {
    this.#stop.abort();
    clearTimeout(this.#timer);
    for (const undo of this.#undo) undo();
  }

  // ---- what the server says

  #apply(message: LiveMessage) {
    const { seats } = this;
    if (message.type === "snapshot") {
      seats.setAll(message.states);
      this.#countAll();
      this.watcher?.redraw();
      this.#lookForLosses(this.picked.value);
    } else {
      const touched: number[] = [];
      for (const [i, letter] of message.seats) {
        const state = stateOf(letter);
        if (i >= seats.size || seats.state[i] === state) continue;
        this.#count(i, -1);
        seats.state[i] = state;
        this.#count(i, 1);
        touched.push(i);
      }
      this.watcher?.touch(touched);
      this.#lookForLosses(touched.filter((i) => this.picked.value.includes(i)));
      if (touched.some((i) => seats.mine[i] === Mine.held)) void this.refresh();
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.version.value++;
    }, versionMs);
  }

  /** Seats that are available now, in a section or category if one is named. */
  availableIn(section?: string, category?: string): number {
    const { seats } = this;
    let n = 0;
    for (let i = 0; i < seats.size; ++i) {
      if (seats.isFree(i) && (section === undefined || seats.section(i).name === section) && (category === undefined || seats.categoryOf(i).name === category)) ++n;
    }
    return n;
  }

  #count(i: number, by: number) {
    if (this.seats.state[i] !== State.available) return;
    this.availableBySection[this.seats.row(i).section]! += by;
    this.availableByCategory[this.seats.category[i]!]! += by;
  }
  #countAll() {
    this.availableBySection.fill(0);
    this.availableByCategory.fill(0);
    for (let i = 0; i < this.seats.size; ++i) this.#count(i, 1);
  }

  /**
   * Requests this visitor's reservations. Calls that come meanwhile get the answer of a later request. Does not throw: the connection's state shows
   * that the server is away, and the page asks again when it is back.
   */
  refresh(): Promise<void> {
    return this.#reservations.ask();
  }

  async #ask() {
    const eventId = this.event.id;
    for (;;) {
      const answered = this.#answered;
      const [active, consumed] = await Promise.all([
        asVisitor(() => client.listReservations({ eventId, status: "active" })),
        asVisitor(() => client.listReservations({ eventId, status: "consumed" })),
      ]);
      const listed = new Set([...active.items, ...consumed.items].map(({ id }) => id));
      const gone = this.holds.value.filter(({ id }) => !listed.has(id));
      // Before anything is shown: a hold whose end cannot be looked up now is looked for again.
      const ended = await Promise.all(gone.map(({ id }) => this.#find(id)));
      if (this.#answered !== answered) continue;   // a call has been answered meanwhile: these lists may be from before it
      this.setReservations(active.items, consumed.items);
      for (const reservation of ended) if (reservation?.status === "expired") this.#tellExpired(reservation);
      return;
    }
  }

  async #find(id: string): Promise<Reservation | undefined> {
    try {
      return await asVisitor(() => client.getReservation(id));
    } catch (error) {
      if (error instanceof HoldfastError && error.status === 404) return undefined;   // the server was restored from a backup
      throw error;
    }
  }

  setReservations(active: readonly Reservation[], consumed: readonly Reservation[]) {
    batch(() => {
      this.holds.value = active;
      this.purchases.value = consumed;
      const own = new Set(this.#indexesOf(active));
      if (this.picked.value.some((i) => own.has(i))) this.picked.value = this.picked.value.filter((i) => !own.has(i));
    });
    this.markMine();
  }

  /** A reservation as a call has just answered it. */
  setReservation(reservation: Reservation) {
    this.#answered++;
    const others = (list: readonly Reservation[]) => list.filter(({ id }) => id !== reservation.id);
    this.setReservations(
      reservation.status === "active" ? [...others(this.holds.value), reservation] : others(this.holds.value),
      reservation.status === "consumed" ? [...others(this.purchases.value), reservation] : others(this.purchases.value),
    );
  }

  #indexesOf(reservations: readonly Reservation[]): number[] {
    return reservations.flatMap(({ seats }) => seats.filter(({ state }) => state !== "available").map(({ id }) => this.seats.index(id) ?? -1)).filter((i) => i >= 0);
  }

  markMine() {
    const { mine } = this.seats;
    for (const i of this.mineList) mine[i] = Mine.no;
    const picked = this.picked.value;
    const held = this.#indexesOf(this.holds.value);
    const bought = this.#indexesOf(this.purchases.value);
    for (const i of picked) mine[i] = Mine.picked;
    for (const i of held) mine[i] = Mine.held;
    for (const i of bought) mine[i] = Mine.bought;
    this.mineList = [...picked, ...held, ...bought];
    this.version.value++;
    this.watcher?.redrawMine();
  }

  // ---- what is lost

  // Picked seats that are not free any more: this visitor's own, of this tab or another, or somebody else's?
  async #lookForLosses(candidates: readonly number[]) {
    const isGone = (i: number) => this.picked.value.includes(i) && !this.seats.isFree(i);
    if (!candidates.some(isGone)) return;
    await this.actions.settled();
    if (!candidates.some(isGone)) return;
    await this.refresh();
    const lost = candidates.filter(isGone);
    if (lost.length > 0) this.tellLost(lost);
  }

  /** These were picked, and somebody else has them now. */
  tellLost(lost: readonly number[]) {
    const { seats } = this;
    const kept = this.picked.value.filter((i) => !lost.includes(i));
    const offer = offerNear(seats, lost, lost.length, (i) => kept.includes(i) || lost.includes(i));
    const labels = (list: readonly number[]) => listed(list.map((i) => seats.label(i)));
    this.picked.value = kept;
    this.markMine();
    this.notice.value = {
      tone: "warn",
      title: () => t.value.lostTitle(lost.length),
      body: () =>
        [
          t.value.lostBody(labels(lost), lost.length),
          kept.length > 0 ? t.value.lostKept(kept.length) : "",
          offer.length > 0 ? t.value.lostOffer(labels(offer)) : t.value.lostNothing,
        ].join(" "),
      ...(offer.length > 0 ? { action: { label: () => t.value.takeInstead(labels(offer)), run: () => this.actions.hold([...kept, ...offer]) } } : {}),
    };
    if (offer.length > 0) this.lookAt.value = [...lost, ...offer];
  }

  #tellExpired(reservation: Reservation) {
    const indexes = reservation.seats.map(({ id }) => this.seats.index(id) ?? -1).filter((i) => i >= 0);
    const labels = () => listed(indexes.map((i) => this.seats.label(i)));
    this.notice.value = {
      tone: "warn",
      title: () => t.value.expiredTitle,
      body: () => t.value.expiredBody(labels()),
      action: { label: () => t.value.holdAgain, run: () => this.actions.hold(indexes) },
    };
  }

  // ---- time

  /** Whole seconds that a hold still has, by the ledger's clock. */
  secondsLeft(reservation: Reservation): number {
    return Math.max(0, Math.ceil((Date.parse(reservation.expiresAt) - clock.now()) / 1_000));
  }

  #eachSecond() {
    const seen = this.#secondsLeft;
    this.#secondsLeft = new Map();
    for (const hold of this.holds.value) {
      const left = this.secondsLeft(hold);
      const before = seen.get(hold.id) ?? left + 1;
      this.#secondsLeft.set(hold.id, left);
      // A browser that is busy or in the background skips seconds.
      if (left > 0 && milestones.some((milestone) => left <= milestone && milestone < before)) this.say(t.value.saidLeft(duration(left)));
      if (left === 0) void this.refresh();   // the server says whether it has ended
    }
  }

  // ---- words

  say(text: string) {
    this.said.value = text;
  }
  /** For when it is not open. */
  whyNotOpen(): string {
    return this.isOver.value ? t.value.overTitle : t.value.closedTitle;
  }
  priceOf(indexes: readonly number[]): string {
    let sum = 0;
    for (const i of indexes) {
      const { price } = this.seats.categoryOf(i);
      if (price === null) return t.value.noPrice;
      sum += price;
    }
    return money(sum, this.event.currency);
  }
}
