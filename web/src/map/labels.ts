// Names of sections over the map, while it is far: the larger section goes first, and none covers another.
import type { Palette } from "./colors";
import type { Section, Seats } from "./seats";

const fadeFrom = 12;   // CSS pixels of pitch
const fadeTo = 17;
const stem = 9;        // from a label to a section that is smaller than it
const [padX, nameSize, wordsSize, height] = [11, 13, 11.5, 40];

interface Placed {
  section: Section;
  left: number;
  top: number;
  width: number;
  height: number;
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
    return this.#placed.find(({ left, top, width, height: tall }) => x >= left && x <= left + width && y >= top && y <= top + tall)?.section;
  }

  draw(context: CanvasRenderingContext2D, view: { scale: number; x: number; y: number }, dpr: number, width: number, height_: number, palette: Palette) {
    this.#placed = [];
    const pitch = this.#seats.pitch * view.scale;
    const alpha = Math.min(1, Math.max(0, (fadeTo - pitch) / (fadeTo - fadeFrom)));
    if (alpha === 0) return;
    context.globalAlpha = alpha;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (const s of this.#order) {
      const section = this.#seats.sections[s]!;
      // On a section that has room for it; over one that it would hide.
      const isSmall = (section.box.bottom - section.box.top) * view.scale < height * 2.2;
      const at = isSmall ? section.box.top * view.scale - height / 2 - stem - pitch : section.y * view.scale;
      const [x, y] = [(section.x * view.scale + view.x) * dpr, (at + view.y) * dpr];
      const words = this.#words[s] ?? "";
      const wide = (Math.max(this.#width(context, section.name, 600, nameSize * dpr), this.#width(context, words, 400, wordsSize * dpr)) + 2 * padX * dpr) | 0;
      const box: Placed = { section, left: x - wide / 2, top: y - (height * dpr) / 2, width: wide, height: height * dpr };
      if (box.left > width * dpr || box.top > height_ * dpr || box.left + wide < 0 || box.top + box.height < 0) continue;
      if (this.#placed.some((other) => overlaps(box, other, 4 * dpr))) continue;
      this.#placed.push(box);
      context.beginPath();
      context.roundRect(box.left, box.top, box.width, box.height, 9 * dpr);
      context.fillStyle = palette.surface;
      context.fill();
      context.strokeStyle = palette.line;
      context.lineWidth = dpr;
      context.stroke();
      context.fillStyle = palette.text;
      context.font = `600 ${nameSize * dpr}px ${this.#font}`;
      context.fillText(section.name, x, y - 8 * dpr);
      context.fillStyle = palette.soft;
      context.font = `400 ${wordsSize * dpr}px ${this.#font}`;
      context.fillText(words, x, y + 9 * dpr);
      if (!isSmall) continue;
      context.beginPath();
      context.moveTo(x, box.top + box.height);
      context.lineTo(x, box.top + box.height + stem * dpr);
      context.strokeStyle = palette.soft;
      context.stroke();
    }
    context.globalAlpha = 1;
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

function overlaps(a: Placed, b: Placed, gap: number): boolean {
  return a.left < b.left + b.width + gap && b.left < a.left + a.width + gap && a.top < b.top + b.height + gap && b.top < a.top + a.height + gap;
}
