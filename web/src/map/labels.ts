// Names of sections over the map, while it is zoomed out. A section with room shows its name and how many seats are left. A small section with
// room around it shows the same beside it. In a crowd only the name is shown. Larger sections go first, and no label covers another.
import type { Palette } from "./colors";
import type { Section, Seats } from "./seats";

const nearFrom = 14;      // CSS pixels of pitch: then there are no names. Half faded ones would be neither read nor looked through
const stem = 9;           // from a label to the section that it stands beside
const crowd = 24;       // sections: more than that stand too close for labels beside them
const [padX, nameSize, wordsSize, tall, flat] = [11, 13, 11.5, 40, 22];

interface Place {
  left: number;
  top: number;
  width: number;
  height: number;
}
interface Placed extends Place {
  section: Section;
  kind: "on" | "above" | "below" | "name";
}

export class SectionLabels {
  readonly #seats: Seats;
  readonly #font: string;
  readonly #order: number[];
  readonly #widths = new Map<string, number>();
  #words: string[] = [];
  #placed: Placed[] = [];

  constructor(seats: Seats, font: string) {
    this.#seats = seats;
    this.#font = font;
    this.#order = seats.sections.map((_, s) => s).filter((s) => seats.sections[s]!.seats > 0);
    this.#order.sort((a, b) => seats.sections[b]!.seats - seats.sections[a]!.seats);
  }

  setAvailable(bySection: readonly number[], words: (n: number) => string) {
    this.#words = this.#seats.sections.map((_, s) => words(bySection[s] ?? 0));
  }

  /** Whose label is at a place, in device pixels. */
  sectionAt(x: number, y: number): Section | undefined {
    return this.#placed.find(({ left, top, width, height }) => x >= left && x <= left + width && y >= top && y <= top + height)?.section;
  }

  draw(context: CanvasRenderingContext2D, view: { scale: number; x: number; y: number }, dpr: number, width: number, height: number, palette: Palette) {
    this.#placed = [];
    const pitch = this.#seats.pitch * view.scale;
    if (pitch >= nearFrom) return;
    const boxes = this.#seats.sections.map(({ box }) => {
      const [left, top] = [(box.left * view.scale + view.x - pitch) * dpr, (box.top * view.scale + view.y - pitch) * dpr];
      return { left, top, width: ((box.right - box.left) * view.scale + 2 * pitch) * dpr, height: ((box.bottom - box.top) * view.scale + 2 * pitch) * dpr };
    });
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (const s of this.#order) {
      const section = this.#seats.sections[s]!;
      const box = boxes[s]!;
      if (box.left > width * dpr || box.top > height * dpr || box.left + box.width < 0 || box.top + box.height < 0) continue;
      const center = { x: (section.x * view.scale + view.x) * dpr, y: (section.y * view.scale + view.y) * dpr };
      const placed = this.#place(context, s, center, boxes, width * dpr, height * dpr, dpr);
      if (placed === undefined) continue;
      this.#placed.push(placed);
      this.#paint(context, placed, s, palette, dpr);
    }
  }

  // The first of the ways to say it that there is room for.
  #place(context: CanvasRenderingContext2D, s: number, center: { x: number; y: number }, boxes: readonly Place[], width: number, height: number, dpr: number): Placed | undefined {
    const section = this.#seats.sections[s]!;
    const box = boxes[s]!;
    const nameWidth = this.#width(context, section.name, 600, nameSize * dpr);
    const full = Math.max(nameWidth, this.#width(context, this.#words[s] ?? "", 400, wordsSize * dpr)) + 2 * padX * dpr;
    const at = (kind: Placed["kind"], x: number, y: number, wide: number, high: number): Placed => ({ kind, section, left: x - wide / 2, top: y - high / 2, width: wide, height: high });
    const isFree = (place: Place) => !this.#placed.some((other) => overlaps(place, other, 4 * dpr));
    const isAlone = (place: Place) => boxes.length <= crowd && !boxes.some((other, o) => o !== s && overlaps(place, other, 0));

    if (box.width >= full * 1.5 && box.height >= tall * 2 * dpr) {
      const on = at("on", center.x, center.y, full, tall * dpr);
      if (isFree(on)) return on;
    } else {
      const middle = box.left + box.width / 2;
      const away = (tall / 2 + stem) * dpr;
      const beside = [at("above", middle, box.top - away, full, tall * dpr), at("below", middle, box.top + box.height + away, full, tall * dpr)];
      const isInside = (place: Place) => place.left >= 0 && place.top >= 0 && place.left + place.width <= width && place.top + place.height <= height;
      const found = beside.find((place) => isInside(place) && isFree(place) && isAlone(place));
      if (found !== undefined) return found;
    }
    const name = at("name", center.x, center.y, nameWidth + 12 * dpr, flat * dpr);
    return name.width <= box.width * 1.2 && isFree(name) ? name : undefined;
  }

  #paint(context: CanvasRenderingContext2D, { kind, section, left, top, width, height }: Placed, s: number, palette: Palette, dpr: number) {
    const [x, y] = [left + width / 2, top + height / 2];
    context.strokeStyle = palette.soft;
    context.lineWidth = dpr;
    if (kind === "above" || kind === "below") {
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(x, kind === "above" ? top + height + stem * dpr : top - stem * dpr);
      context.stroke();
    }
    context.beginPath();
    context.roundRect(left, top, width, height, (kind === "name" ? 6 : 9) * dpr);
    context.fillStyle = palette.surface;
    context.fill();
    context.strokeStyle = palette.line;
    context.stroke();
    context.fillStyle = palette.text;
    context.font = `600 ${nameSize * dpr}px ${this.#font}`;
    context.fillText(section.name, x, kind === "name" ? y + 0.5 * dpr : y - 8 * dpr);
    if (kind === "name") return;
    context.fillStyle = palette.soft;
    context.font = `400 ${wordsSize * dpr}px ${this.#font}`;
    context.fillText(this.#words[s] ?? "", x, y + 9 * dpr);
  }

  #width(context: CanvasRenderingContext2D, text: string, weight: number, size: number): number {
    const key = `${weight} ${size} ${text}`;
    let width = this.#widths.get(key);
    if (width === undefined) {
      context.font = `${weight} ${size}px ${this.#font}`;
      width = context.measureText(text).width;
      if (this.#widths.size > 4_000) this.#widths.clear();   // counts go up and down
      this.#widths.set(key, width);
    }
    return width;
  }
}

function overlaps(a: Place, b: Place, gap: number): boolean {
  return a.left < b.left + b.width + gap && b.left < a.left + a.width + gap && a.top < b.top + b.height + gap && b.top < a.top + a.height + gap;
}
