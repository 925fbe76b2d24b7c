import { Mine, State, type Seats } from "./seats";
import { t } from "./texts";

/** What a seat is to this visitor, in a word. */
export function stateWord(seats: Seats, i: number): string {
  switch (seats.mine[i]) {
    case Mine.picked:
      return t.value.picked;
    case Mine.held:
      return t.value.mineHeld;
    case Mine.bought:
      return t.value.bought;
  }
  switch (seats.state[i]) {
    case State.available:
      return t.value.available;
    case State.held:
      return t.value.held;
    case State.sold:
      return t.value.sold;
    default:
      return t.value.blocked;
  }
}
