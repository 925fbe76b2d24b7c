// How seats look: one shape per state, so that nobody needs to tell colours apart.
//
//   available   a full disc in the category's colour, with its number when there is room
//   held        a ring with a dot
//   sold        a small dot
//   blocked     a short bar
//
// What belongs to the visitor is drawn over it, by `paintMine`. Everything here is in device pixels.
import type { Palette } from "./colors";
import { Mine, State, type Grid, type Seats } from "./seats";

export interface Look {
  palette: Palette;
  font: string;
  dpr: number;
  /** Only seats of this category stand out; -1: all do. */
  highlight: number;
  /** Names of rows, numbers of seats. */
  hasText: boolean;
}

const seatRadius = 0.4;            // of the pitch
const smallestDisc = 1.2;          // below that a seat is a square
const numbersFrom = 8;             // CSS pixels of radius
const rowNamesFrom = 9;            // CSS pixels of pitch
const shortText = 4;               // characters: they are drawn as narrow as it takes
const squeezeMost = 2;             // what is longer is left out rather than drawn narrower than so many times
const dimmed = 0.16;
const mineSize = 1.3;              // of a seat's radius: half the side of the visitor's own
const mineHalfLeast = 6;           // CSS pixels
const mineSignFrom = 6;            // CSS pixels: smaller ones have no sign
const rowPoints = 8;               // of a curved row's floor

export class Painter {
  readonly #seats: Seats;
  readonly #grid: Grid;
  readonly #rowBoxes: Float32Array;   // left, top, right, bottom a row
  look: Look;

  constructor(seats: Seats, grid: Grid, look: Look) {
    this.#seats = seats;
    this.#grid = grid;
    this.look = look;
    this.#rowBoxes = new Float32Array(seats.rows.length * 4);
    seats.rows.forEach(({ first, count }, r) => {
      let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
      for (let i = first; i < first + count; ++i) {
        left = Math.min(left, seats.x[i]!);
        top = Math.min(top, seats.y[i]!);
        right = Math.max(right, seats.x[i]!);
        bottom = Math.max(bottom, seats.y[i]!);
      }
      this.#rowBoxes.set([left, top, right, bottom], r * 4);
    });
  }

  /** A seat's radius at a scale. */
  radius(scale: number): number {
    return this.#seats.pitch * seatRadius * scale;
  }

  /** A square of `size` pixels whose left upper corner is at (left, top) pixels of the plan at `scale`. The canvas is empty. */
  paintTile(context: CanvasRenderingContext2D, left: number, top: number, size: number, scale: number) {
    const margin = this.#seats.rowPitch * 1.5 + (8 * this.look.dpr) / scale;
    const box = { left: left / scale - margin, top: top / scale - margin, right: (left + size) / scale + margin, bottom: (top + size) / scale + margin };
    context.setTransform(1, 0, 0, 1, -left, -top);
    this.#paintFloor(context, box, scale);
    const byStyle = new Map<number, number[]>();   // seats of one colour and shape are one path
    this.#grid.within(box, (i) => {
      const style = this.#seats.state[i]! + 4 * this.#seats.category[i]!;
      const members = byStyle.get(style);
      if (members === undefined) byStyle.set(style, [i]);
      else members.push(i);
    });
    for (const [style, members] of byStyle) this.#paintSeats(context, members, (style & 3) as State, style >> 2, scale);
    if (this.look.hasText && this.#seats.pitch * scale >= rowNamesFrom * this.look.dpr) this.#paintRowNames(context, box, scale);
  }

  /** One seat again, over what was there. */
  repaintSeat(context: CanvasRenderingContext2D, i: number, left: number, top: number, scale: number) {
    const r = this.radius(scale);
    context.setTransform(1, 0, 0, 1, -left, -top);
    context.fillStyle = this.look.palette.surface;
    context.beginPath();
    const [x, y] = [this.#seats.x[i]! * scale, this.#seats.y[i]! * scale];
    if (r < smallestDisc) context.rect(Math.round(x - r), Math.round(y - r), Math.max(1, Math.round(2 * r)), Math.max(1, Math.round(2 * r)));
    else context.arc(x, y, r + 1, 0, 2 * Math.PI);
    context.fill();
    this.#paintSeats(context, [i], this.#seats.state[i]! as State, this.#seats.category[i]!, scale);
  }

  #paintSeats(context: CanvasRenderingContext2D, members: number[], state: State, category: number, scale: number) {
    const { palette, highlight, dpr, font, hasText } = this.look;
    const { x, y, numbers } = this.#seats;
    const r = this.radius(scale);
    const isDimmed = highlight >= 0 && highlight !== category;
    context.globalAlpha = isDimmed ? dimmed : r < smallestDisc && state !== State.available ? 0.45 : 1;
    context.fillStyle = context.strokeStyle = state === State.available ? palette.categories[category]! : palette.taken;
    context.beginPath();
    if (r < smallestDisc) {
      const size = Math.max(1, Math.round(2 * r));
      for (const i of members) context.rect(Math.round(x[i]! * scale - r), Math.round(y[i]! * scale - r), size, size);
    } else if (state === State.blocked) {
      for (const i of members) context.rect(x[i]! * scale - r * 0.6, y[i]! * scale - r * 0.18, r * 1.2, Math.max(1, r * 0.36));
    } else {
      const radius = state === State.sold ? r * 0.42 : state === State.held ? r * 0.32 : r;
      for (const i of members) {
        context.moveTo(x[i]! * scale + radius, y[i]! * scale);
        context.arc(x[i]! * scale, y[i]! * scale, radius, 0, 2 * Math.PI);
      }
    }
    context.fill();
    if (state === State.held && r >= smallestDisc) {
      const width = Math.max(1, r * 0.2);
      context.lineWidth = width;
      context.beginPath();
      for (const i of members) {
        context.moveTo(x[i]! * scale + r - width / 2, y[i]! * scale);
        context.arc(x[i]! * scale, y[i]! * scale, r - width / 2, 0, 2 * Math.PI);
      }
      context.stroke();
    }
    if (hasText && state === State.available && r >= numbersFrom * dpr && !isDimmed) {
      context.fillStyle = palette.onCategories[category]!;
      context.font = `500 ${Math.round(r * 0.95)}px ${font}`;
      context.textAlign = "center";
      context.textBaseline = "middle";
      for (const i of members) this.#write(context, numbers[i]!, x[i]! * scale, y[i]! * scale + r * 0.06, r * 1.7);
    }
    context.globalAlpha = 1;
  }

  // The floor under the seats: each row as a broad line. Together they give the section's shape.
  #paintFloor(context: CanvasRenderingContext2D, box: { left: number; top: number; right: number; bottom: number }, scale: number) {
    const { rows, x, y, pitch, rowPitch } = this.#seats;
    context.lineCap = context.lineJoin = "round";
    context.strokeStyle = this.look.palette.surface;
    context.lineWidth = Math.max(pitch * 1.9, rowPitch * 1.9) * scale + 6 * this.look.dpr;
    context.beginPath();
    rows.forEach(({ first, count }, r) => {
      const boxes = this.#rowBoxes;
      if (boxes[r * 4]! > box.right || boxes[r * 4 + 1]! > box.bottom || boxes[r * 4 + 2]! < box.left || boxes[r * 4 + 3]! < box.top) return;
      context.moveTo(x[first]! * scale, y[first]! * scale);
      if (count === 1) context.lineTo(x[first]! * scale + 0.1, y[first]! * scale);
      const step = Math.max(1, (count - 1) / rowPoints);
      let before = first;
      for (let part = step; Math.round(part) <= count - 1; part += step) {
        const i = first + Math.round(part);
        // A gap, for an aisle or a stage, stays one.
        if (Math.hypot(x[i]! - x[before]!, y[i]! - y[before]!) > (i - before) * pitch * 2.5) context.moveTo(x[i]! * scale, y[i]! * scale);
        else context.lineTo(x[i]! * scale, y[i]! * scale);
        before = i;
      }
    });
    context.stroke();
  }

  // At both ends of a row, as far from the last seat as it is from its neighbour.
  #paintRowNames(context: CanvasRenderingContext2D, box: { left: number; top: number; right: number; bottom: number }, scale: number) {
    const { rows, x, y, pitch } = this.#seats;
    context.fillStyle = this.look.palette.soft;
    context.font = `600 ${Math.round(Math.min(pitch * 0.5 * scale, 13 * this.look.dpr))}px ${this.look.font}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (const { first, count, name } of rows) {
      for (const [end, next] of [[first, first + 1], [first + count - 1, first + count - 2]] as const) {
        if (x[end]! < box.left || x[end]! > box.right || y[end]! < box.top || y[end]! > box.bottom) continue;
        const [dx, dy] = count > 1 ? [x[end]! - x[next]!, y[end]! - y[next]!] : [end === first ? -pitch : pitch, 0];
        const length = Math.hypot(dx, dy) || 1;
        this.#write(context, name, (x[end]! + (dx / length) * pitch) * scale, (y[end]! + (dy / length) * pitch) * scale, pitch * 1.1 * scale);
      }
    }
  }

  // Text that would be too small to read is left out: the tip, the choice and the list have it.
  #write(context: CanvasRenderingContext2D, text: string, x: number, y: number, width: number) {
    if (text.length > shortText && context.measureText(text).width > width * squeezeMost) return;
    context.fillText(text, x, y, width);
  }

  /**
   * A seat of the visitor's, at a place on the screen: a square among discs, with a line around it that is as dark (or light) as the text and
   * a gap that is as light (or dark) as the floor. One of the two stands out from a category's colour, whatever that is. In it is a tick
   * (picked), a clock's hands (held) or a star (bought).
   */
  paintMine(context: CanvasRenderingContext2D, mine: Mine, x: number, y: number, radius: number) {
    const { palette, dpr } = this.look;
    const half = Math.max(radius * mineSize, mineHalfLeast * dpr);
    const line = Math.max(1.25 * dpr, half * 0.1);
    const square = (inset: number, color: string) => {
      const side = half - inset;
      context.beginPath();
      context.roundRect(x - side, y - side, 2 * side, 2 * side, side * 0.32);
      context.fillStyle = color;
      context.fill();
    };
    square(-line, palette.surface);   // from a neighbour that is close
    square(0, palette.text);
    square(line, palette.surface);
    square(line * 2.2, mine === Mine.bought ? palette.text : palette.accent);
    if (half < mineSignFrom * dpr) return;
    this.#paintSign(context, mine, x, y, half * 0.72);
  }

  #paintSign(context: CanvasRenderingContext2D, mine: Mine, x: number, y: number, r: number) {
    const { palette } = this.look;
    context.strokeStyle = context.fillStyle = mine === Mine.bought ? palette.surface : palette.onAccent;
    context.lineWidth = Math.max(1.5, r * 0.24);
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    if (mine === Mine.held) {
      context.moveTo(x, y - r * 0.62);
      context.lineTo(x, y);
      context.lineTo(x + r * 0.45, y + r * 0.25);
      context.stroke();
    } else if (mine === Mine.picked) {
      context.moveTo(x - r * 0.5, y + r * 0.04);
      context.lineTo(x - r * 0.12, y + r * 0.42);
      context.lineTo(x + r * 0.52, y - r * 0.38);
      context.stroke();
    } else {
      for (let point = 0; point < 10; ++point) {
        const [reach, turn] = [point % 2 === 0 ? r * 0.75 : r * 0.32, (point * Math.PI) / 5];
        context.lineTo(x + reach * Math.sin(turn), y - reach * Math.cos(turn));
      }
      context.fill();
    }
  }
}
