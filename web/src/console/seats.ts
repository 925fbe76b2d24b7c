// A plan's seats by their index, and the state of each.
import type { Plan, SeatState } from "@holdfast/client";

export type Letter = "a" | "h" | "s" | "b";

export function labelOf(plan: Plan, seat: number): string {
  const { sections, names, seats } = plan;
  return `${sections[seats.section[seat] ?? 0]}-${names[seats.row[seat] ?? 0]}-${seats.number[seat]}`;
}

/** A letter of a later server's: neither available nor possible to unblock. */
export function stateOf(letter: string | undefined): SeatState {
  return letter === "a" ? "available" : letter === "b" ? "blocked" : letter === "s" ? "sold" : "held";
}

export interface RowOfSeats {
  section: number;
  row: number;
  seats: number[];
}

/** Rows in the plan's order. All seats of a section's row are one row, even if they are apart in the plan. */
export function rowsOf(plan: Plan): RowOfSeats[] {
  const rows = new Map<string, RowOfSeats>();
  for (let seat = 0; seat < plan.size; ++seat) {
    const section = plan.seats.section[seat] ?? 0;
    const row = plan.seats.row[seat] ?? 0;
    const key = `${section} ${row}`;
    const found = rows.get(key);
    if (found === undefined) rows.set(key, { section, row, seats: [seat] });
    else found.seats.push(seat);
  }
  return [...rows.values()];
}
