// Finds seats to offer instead of seats that are taken: as many, available, near, and side by side if possible.
import type { Seats } from "./seats";

const gapMost = 1.6;      // of the pitch: what still counts as side by side, as the server has it
const otherCategory = 3;  // a seat of another category counts as this many times as far

/** `count` free seats near to `near`, of the event's seats that `isTaken` does not name. Fewer when there are not more. */
export function offerNear(seats: Seats, near: readonly number[], count: number, isTaken: (i: number) => boolean): number[] {
  if (near.length === 0 || count === 0) return [];
  const [cx, cy] = [mean(near.map((i) => seats.x[i]!)), mean(near.map((i) => seats.y[i]!))];
  const category = seats.category[near[0]!]!;
  const isFree = (i: number) => seats.isFree(i) && !isTaken(i);
  const distance = (i: number) => Math.hypot(seats.x[i]! - cx, seats.y[i]! - cy) * (seats.category[i] === category ? 1 : otherCategory);

  let best: number[] = [];
  let least = Infinity;
  for (const row of seats.rows) {
    for (let from = row.first; from + count <= row.first + row.count; ++from) {
      let sum = 0;
      let fits = true;
      for (let i = from; i < from + count && fits; ++i) {
        fits = isFree(i) && (i === from || Math.hypot(seats.x[i]! - seats.x[i - 1]!, seats.y[i]! - seats.y[i - 1]!) <= seats.pitch * gapMost);
        sum += distance(i);
      }
      if (!fits || sum >= least) continue;
      least = sum;
      best = Array.from({ length: count }, (_, k) => from + k);
    }
  }
  if (best.length > 0) return best;
  // Nowhere side by side: the nearest ones.
  const free: number[] = [];
  for (let i = 0; i < seats.size; ++i) if (isFree(i)) free.push(i);
  return free.sort((a, b) => distance(a) - distance(b)).slice(0, count).sort((a, b) => a - b);
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
