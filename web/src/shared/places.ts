// Where an event's seats are. Coordinates are the plan's own. A plan without positions (all seats at one point) is laid out: sections below
// each other, rows below each other, seats side by side, all centred.
import type { Plan } from "@holdfast/client";

const rowGap = 1.3;       // of the distance of two neighbours
const sectionGap = 4;

export interface Places {
  readonly x: Float32Array;
  readonly y: Float32Array;
}

export function placesOf({ size, seats }: Pick<Plan, "size" | "seats">): Places {
  const [x, y] = [Float32Array.from(seats.x), Float32Array.from(seats.y)];
  if (x.every((at) => at === x[0]) && y.every((at) => at === y[0])) {
    let line = 0;
    for (let first = 0, end = 0; first < size; first = end) {
      while (end < size && seats.section[end] === seats.section[first] && seats.row[end] === seats.row[first]) ++end;
      if (first > 0) line += seats.section[first] === seats.section[first - 1] ? rowGap : sectionGap;
      for (let i = first; i < end; ++i) {
        x[i] = i - (first + end - 1) / 2;
        y[i] = line;
      }
    }
  }
  return { x, y };
}
