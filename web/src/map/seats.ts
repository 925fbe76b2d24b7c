// The seats of one event in typed arrays, and what follows from where they are. Built once from a plan; only `state` and `mine` change.
import type { Plan } from "@holdfast/client";
import { placesOf } from "../shared/places";

/** What can be seen of a seat's state. An unknown letter counts as blocked: not available. */
export const State = { available: 0, held: 1, sold: 2, blocked: 3 } as const;
export type State = (typeof State)[keyof typeof State];

/** What a seat is to this visitor. */
export const Mine = { no: 0, picked: 1, held: 2, bought: 3 } as const;
export type Mine = (typeof Mine)[keyof typeof Mine];

export interface Row {
  section: number;
  name: string;
  /** Seats of this row, in the plan's order: `first` … `first + count - 1`. */
  first: number;
  count: number;
}

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export interface Section {
  name: string;
  rows: number[];   // into `rows`
  seats: number;
  box: Box;
  x: number;   // middle of its seats
  y: number;
}

export interface Category {
  name: string;
  price: number | null;
  color: string | null;
}

const pitchSample = 20_000;   // pairs of neighbours that are looked at for the usual distance

export class Seats {
  readonly size: number;
  readonly ids: readonly string[];
  readonly numbers: readonly string[];
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly category: Uint16Array;
  readonly rowOf: Uint32Array;
  readonly state: Uint8Array;
  readonly mine: Uint8Array;
  readonly rows: Row[] = [];
  readonly sections: Section[] = [];
  readonly categories: readonly Category[];
  readonly box: Box;
  /** The usual distance of two neighbours in a row. */
  readonly pitch: number;
  /** The usual distance of two rows. */
  readonly rowPitch: number;
  readonly #indexOfId = new Map<string, number>();

  constructor(plan: Plan) {
    const { seats } = plan;
    this.size = plan.size;
    this.ids = seats.id;
    this.numbers = seats.number;
    const places = placesOf(plan);
    this.x = places.x;
    this.y = places.y;
    this.category = Uint16Array.from(seats.category);
    this.rowOf = new Uint32Array(this.size);
    this.state = new Uint8Array(this.size).fill(State.blocked);   // until the first snapshot
    this.mine = new Uint8Array(this.size);
    this.categories = plan.categories.map(({ name, price, color }) => ({ name, price: price ?? null, color: color ?? null }));
    seats.id.forEach((id, i) => this.#indexOfId.set(id, i));
    for (let i = 0; i < this.size; ++i) {
      const section = seats.section[i] ?? 0;
      const name = plan.names[seats.row[i] ?? 0] ?? "";
      const last = this.rows.at(-1);
      if (last === undefined || last.section !== section || last.name !== name) this.rows.push({ section, name, first: i, count: 0 });
      this.rows.at(-1)!.count++;
      this.rowOf[i] = this.rows.length - 1;
    }
    this.box = boxOf(this.x, this.y, 0, this.size) ?? { left: 0, top: 0, right: 1, bottom: 1 };
    this.pitch = this.#usualPitch();
    plan.sections.forEach((name) => this.sections.push({ name, rows: [], seats: 0, box: { ...this.box }, x: 0, y: 0 }));
    this.#describeSections();
    this.rowPitch = this.#usualRowPitch();
  }

  index(id: string): number | undefined {
    return this.#indexOfId.get(id);
  }
  row(i: number): Row {
    return this.rows[this.rowOf[i]!]!;
  }
  section(i: number): Section {
    return this.sections[this.row(i).section]!;
  }
  categoryOf(i: number): Category {
    return this.categories[this.category[i]!]!;
  }
  /** Stalls A-8 */
  label(i: number): string {
    const { name } = this.row(i);
    return `${this.section(i).name} ${name}-${this.numbers[i]}`;
  }
  isFree(i: number): boolean {
    return this.state[i] === State.available;
  }

  setAll(letters: string) {
    for (let i = 0; i < this.size; ++i) this.state[i] = stateOf(letters[i] ?? "b");
  }

  #usualPitch(): number {
    const distances: number[] = [];
    const step = Math.max(1, Math.floor(this.size / pitchSample));
    for (let i = 1; i < this.size; i += step) {
      if (this.rowOf[i] !== this.rowOf[i - 1]) continue;
      const distance = Math.hypot(this.x[i]! - this.x[i - 1]!, this.y[i]! - this.y[i - 1]!);
      if (distance > 0) distances.push(distance);
    }
    distances.sort((a, b) => a - b);
    return distances[distances.length >> 1] ?? Math.max((this.box.right - this.box.left) / 20, 1);
  }

  #describeSections() {
    this.rows.forEach((row, r) => this.sections[row.section]?.rows.push(r));
    for (const section of this.sections) {
      let [sumX, sumY] = [0, 0];
      const box: Box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
      for (const r of section.rows) {
        const { first, count } = this.rows[r]!;
        section.seats += count;
        for (let i = first; i < first + count; ++i) {
          sumX += this.x[i]!;
          sumY += this.y[i]!;
          box.left = Math.min(box.left, this.x[i]!);
          box.right = Math.max(box.right, this.x[i]!);
          box.top = Math.min(box.top, this.y[i]!);
          box.bottom = Math.max(box.bottom, this.y[i]!);
        }
      }
      if (section.seats === 0) continue;
      section.box = box;
      section.x = sumX / section.seats;
      section.y = sumY / section.seats;
    }
  }

  // From the middle seat of a row to the nearest one of the row after it.
  #usualRowPitch(): number {
    const distances: number[] = [];
    for (let r = 1; r < this.rows.length; ++r) {
      const [before, row] = [this.rows[r - 1]!, this.rows[r]!];
      if (before.section !== row.section) continue;
      const at = before.first + (before.count >> 1);
      let least = Infinity;
      for (let i = row.first; i < row.first + row.count; ++i) {
        least = Math.min(least, Math.hypot(this.x[i]! - this.x[at]!, this.y[i]! - this.y[at]!));
      }
      if (least > 0 && least < this.pitch * 6) distances.push(least);
    }
    distances.sort((a, b) => a - b);
    return Math.max(distances[distances.length >> 1] ?? this.pitch, this.pitch * 0.6);
  }
}

export function stateOf(letter: string): State {
  return letter === "a" ? State.available : letter === "h" ? State.held : letter === "s" ? State.sold : State.blocked;
}

/** Nothing when all are at one point. */
function boxOf(x: Float32Array, y: Float32Array, first: number, end: number): Box | undefined {
  const box: Box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (let i = first; i < end; ++i) {
    box.left = Math.min(box.left, x[i]!);
    box.right = Math.max(box.right, x[i]!);
    box.top = Math.min(box.top, y[i]!);
    box.bottom = Math.max(box.bottom, y[i]!);
  }
  return box.right > box.left || box.bottom > box.top ? box : undefined;
}

/** The seats in each cell of a square grid, so that finding a few does not need a scan of all. */
export class Grid {
  readonly #cell: number;
  readonly #columns: number;
  readonly #rows: number;
  readonly #first: Uint32Array;   // by cell, into #members
  readonly #members: Uint32Array;
  readonly #seats: Seats;

  constructor(seats: Seats) {
    this.#seats = seats;
    const { left, top, right, bottom } = seats.box;
    // Cells of some 8 by 8 seats, but never more cells than seats: a plan may be mostly empty.
    this.#cell = Math.max(seats.pitch * 8, Math.sqrt(((right - left) * (bottom - top)) / Math.max(seats.size, 64)));
    this.#columns = Math.floor((right - left) / this.#cell) + 1;
    this.#rows = Math.floor((bottom - top) / this.#cell) + 1;
    this.#first = new Uint32Array(this.#columns * this.#rows + 1);
    this.#members = new Uint32Array(seats.size);
    for (let i = 0; i < seats.size; ++i) this.#first[this.#cellOf(i) + 1]!++;
    for (let c = 1; c < this.#first.length; ++c) this.#first[c]! += this.#first[c - 1]!;
    const next = this.#first.slice();
    for (let i = 0; i < seats.size; ++i) this.#members[next[this.#cellOf(i)]!++] = i;
  }

  #cellOf(i: number): number {
    const { left, top } = this.#seats.box;
    return Math.floor((this.#seats.y[i]! - top) / this.#cell) * this.#columns + Math.floor((this.#seats.x[i]! - left) / this.#cell);
  }

  /** Calls `visit` for each seat whose middle is in the box. */
  within(box: Box, visit: (i: number) => void) {
    const { left, top } = this.#seats.box;
    const column = (x: number) => Math.min(Math.max(Math.floor((x - left) / this.#cell), 0), this.#columns - 1);
    const row = (y: number) => Math.min(Math.max(Math.floor((y - top) / this.#cell), 0), this.#rows - 1);
    const { x, y } = this.#seats;
    const [from, to] = [column(box.left), column(box.right)];
    for (let r = row(box.top); r <= row(box.bottom); ++r) {
      const end = this.#first[r * this.#columns + to + 1]!;
      for (let at = this.#first[r * this.#columns + from]!; at < end; ++at) {
        const i = this.#members[at]!;
        if (x[i]! >= box.left && x[i]! <= box.right && y[i]! >= box.top && y[i]! <= box.bottom) visit(i);
      }
    }
  }

  /** The seat whose middle is nearest to a point, not farther than `reach`. */
  nearest(px: number, py: number, reach: number): number | undefined {
    let found: number | undefined;
    let least = reach;
    this.within({ left: px - reach, top: py - reach, right: px + reach, bottom: py + reach }, (i) => {
      const distance = Math.hypot(this.#seats.x[i]! - px, this.#seats.y[i]! - py);
      if (distance > least) return;
      least = distance;
      found = i;
    });
    return found;
  }
}
