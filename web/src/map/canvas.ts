// The map on its canvas: the visitor's view, and what is drawn in a frame.
//
// A frame costs what has changed. Seats are in tiles (tiles.ts), drawn once per scale. While the visitor zooms, the old scale's tiles are
// stretched. When the zoom ends they are redrawn, some milliseconds per frame. The names of sections come on top, and over them the visitor's
// own seats. Nothing is drawn while nothing happens.
import type { Palette } from "./colors";
import { followGestures } from "./gestures";
import { SectionLabels } from "./labels";
import { Painter } from "./painter";
import { Grid, Mine, type Seats } from "./seats";
import { Level } from "./tiles";

export interface SeatMapListener {
  /** A seat was tapped that is large enough to be the target. */
  tapped(i: number): void;
  /** The mouse is over a seat, at a place in the element; nothing: over none. */
  hovered(seat: ({ i: number } & SeatPlace) | undefined): void;
  /** Seats are elsewhere now. */
  moved(): void;
}

/** In CSS pixels of the element. */
export interface SeatPlace {
  x: number;
  /** Of its upper edge. */
  y: number;
  radius: number;
}

const tileSize = 256;                // CSS pixels
const drawingMsPerFrame = 6;
const settleMs = 90;                 // after the last zoom
const keepShare = 0.6;               // of a level's scale: beyond it the old tiles are too coarse or too small
const pitchLargest = 44;             // CSS pixels
const pitchToPick = 7;               // below that a tap comes nearer instead
const pitchToSee = 14;
const pitchWhenNear = 22;
const fitMargin = 44;
const glideMs = 220;

interface View {
  scale: number;   // CSS pixels for a unit of the plan
  x: number;       // CSS pixels: where the plan's origin is
  y: number;
}

export class SeatMap {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #seats: Seats;
  readonly #grid: Grid;
  readonly #painter: Painter;
  readonly #labels: SectionLabels;
  readonly #listener: SeatMapListener;
  readonly #touched = new Set<number>();
  readonly #undo: (() => void)[] = [];
  #view: View = { scale: 1, x: 0, y: 0 };
  #level: Level;
  #under: Level | undefined;   // shown where #level has nothing yet
  #width = 0;
  #height = 0;
  #dpr = 1;
  #frame = 0;
  #request = 0;
  #settle = 0;
  #glide: { from: View; to: View; since: number } | undefined;
  #hover: number | undefined;
  #focus: number | undefined;
  #isWhole = true;   // the whole house is shown: until the visitor looks somewhere

  constructor(canvas: HTMLCanvasElement, seats: Seats, palette: Palette, font: string, listener: SeatMapListener) {
    const context = canvas.getContext("2d", { alpha: false });
    if (context === null) throw new Error("this browser has no canvas to draw on");
    this.#canvas = canvas;
    this.#context = context;
    this.#seats = seats;
    this.#listener = listener;
    this.#grid = new Grid(seats);
    this.#painter = new Painter(seats, this.#grid, { palette, font, dpr: 1, highlight: -1, hasText: true });
    this.#labels = new SectionLabels(seats, font);
    this.#level = new Level(seats, this.#painter, 1, tileSize);
    const observer = new ResizeObserver(() => this.#resize());
    observer.observe(canvas);
    this.#undo.push(() => observer.disconnect());
    this.#undo.push(
      followGestures(canvas, {
        pan: (dx, dy) => this.#move({ ...this.#view, x: this.#view.x + dx, y: this.#view.y + dy }),
        zoom: (factor, x, y) => this.#zoomAbout(factor, x, y),
        tap: (x, y, isTouch) => this.#tap(x, y, isTouch),
        hover: (at) => this.#hoverAt(at),
      }),
    );
    this.#resize();
  }

  destroy() {
    cancelAnimationFrame(this.#request);
    clearTimeout(this.#settle);
    for (const undo of this.#undo) undo();
  }

  /** These seats' state has changed. */
  touch(touched: Iterable<number>) {
    for (const i of touched) this.#touched.add(i);
    this.#wake();
  }
  /** Any seat may have changed, or the colours. */
  redraw(palette?: Palette) {
    if (palette !== undefined) this.#painter.look.palette = palette;
    this.#touched.clear();
    this.#level.clear();
    this.#under = undefined;
    this.#wake();
  }
  /** What is the visitor's has changed. */
  redrawMine() {
    this.#wake();
  }
  highlight(category: number) {
    this.#painter.look.highlight = category;
    this.redraw();
  }
  /** How many are available, by section, for the labels. */
  setAvailable(bySection: readonly number[], words: (n: number) => string) {
    this.#labels.setAvailable(bySection, words);
    this.#wake();
  }

  /** Where a seat is now. */
  placeOf(i: number): SeatPlace {
    const { scale, x, y } = this.#view;
    const radius = this.#painter.radius(scale);
    return { x: this.#seats.x[i]! * scale + x, y: this.#seats.y[i]! * scale + y - radius, radius };
  }

  fit(isGlide = true) {
    const { left, top, right, bottom } = this.#seats.box;
    const pad = this.#seats.pitch;
    const margin = Math.min(fitMargin, this.#width * 0.06);
    const scale = Math.min((this.#width - 2 * margin) / (right - left + 2 * pad), (this.#height - 2 * margin) / (bottom - top + 2 * pad), pitchLargest / this.#seats.pitch);
    this.#goTo({ scale, x: this.#width / 2 - ((left + right) / 2) * scale, y: this.#height / 2 - ((top + bottom) / 2) * scale }, isGlide);
    this.#isWhole = true;
  }
  zoomBy(factor: number) {
    const scale = this.#clampScale(this.#view.scale * factor);
    const [x, y] = [this.#width / 2, this.#height / 2];
    const part = scale / this.#view.scale;
    this.#goTo({ scale, x: x - (x - this.#view.x) * part, y: y - (y - this.#view.y) * part });
  }
  /** Brings seats into view, near enough to see each. */
  showSeats(shown: readonly number[]) {
    if (shown.length === 0) return;
    const xs = shown.map((i) => this.#seats.x[i]!);
    const ys = shown.map((i) => this.#seats.y[i]!);
    const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const view = this.#glide?.to ?? this.#view;
    const [marginX, marginY] = [this.#width * 0.1, this.#height * 0.1];
    const isSeen =
      left * view.scale + view.x > marginX &&
      right * view.scale + view.x < this.#width - marginX &&
      top * view.scale + view.y > marginY &&
      bottom * view.scale + view.y < this.#height - marginY;
    if (isSeen && this.#seats.pitch * view.scale >= pitchToSee) return;
    const pad = this.#seats.pitch * 4;
    const fitting = Math.min(this.#width / (right - left + 2 * pad), this.#height / (bottom - top + 2 * pad));
    const scale = this.#clampScale(Math.min(fitting, Math.max(this.#view.scale, pitchWhenNear / this.#seats.pitch)));
    this.#goTo({ scale, x: this.#width / 2 - ((left + right) / 2) * scale, y: this.#height / 2 - ((top + bottom) / 2) * scale });
  }
  /** The keyboard is at this seat: it is framed, and brought into view when it is not. */
  focus(i: number | undefined) {
    this.#focus = i;
    if (i !== undefined) {
      const [x, y] = [this.#seats.x[i]! * this.#view.scale + this.#view.x, this.#seats.y[i]! * this.#view.scale + this.#view.y];
      const isInside = x > 40 && y > 40 && x < this.#width - 40 && y < this.#height - 40;
      if (!isInside || this.#seats.pitch * this.#view.scale < pitchToPick) this.showSeats([i]);
    }
    this.#wake();
  }

  // ---- where the visitor looks

  #resize() {
    const { clientWidth, clientHeight } = this.#canvas;
    const dpr = Math.min(window.devicePixelRatio || 1, 3);
    if (clientWidth === 0 || clientHeight === 0) return;
    if (clientWidth === this.#width && clientHeight === this.#height && dpr === this.#dpr) return;
    const center = { x: (this.#width / 2 - this.#view.x) / this.#view.scale, y: (this.#height / 2 - this.#view.y) / this.#view.scale };
    this.#width = clientWidth;
    this.#height = clientHeight;
    this.#dpr = dpr;
    this.#canvas.width = Math.round(clientWidth * dpr);
    this.#canvas.height = Math.round(clientHeight * dpr);
    this.#painter.look.dpr = dpr;
    if (this.#isWhole) {
      this.fit(false);   // it stays whole in a window of another size, and on a phone that is turned
    } else {
      this.#view = { ...this.#view, x: this.#width / 2 - center.x * this.#view.scale, y: this.#height / 2 - center.y * this.#view.scale };
      this.#listener.moved();
    }
    this.#startLevel();
    this.#draw(performance.now());   // at once: a canvas that was resized is empty
  }

  #clampScale(scale: number): number {
    const { left, top, right, bottom } = this.#seats.box;
    const least = Math.min(this.#width / (right - left + 1), this.#height / (bottom - top + 1)) * 0.5;
    return Math.min(Math.max(scale, Math.min(least, pitchLargest / this.#seats.pitch)), pitchLargest / this.#seats.pitch);
  }

  // The plan's box keeps a part of itself in the window.
  #clamped(view: View): View {
    const { left, top, right, bottom } = this.#seats.box;
    const keep = (least: number, most: number, size: number, at: number) => Math.min(Math.max(at, size * 0.3 - most), size * 0.7 - least);
    return {
      scale: view.scale,
      x: keep(left * view.scale, right * view.scale, this.#width, view.x),
      y: keep(top * view.scale, bottom * view.scale, this.#height, view.y),
    };
  }

  #move(view: View) {
    this.#isWhole = false;
    this.#glide = undefined;
    this.#view = this.#clamped(view);
    this.#listener.moved();
    this.#wake();
  }

  #zoomAbout(factor: number, x: number, y: number) {
    const scale = this.#clampScale(this.#view.scale * factor);
    const part = scale / this.#view.scale;
    this.#move({ scale, x: x - (x - this.#view.x) * part, y: y - (y - this.#view.y) * part });
    this.#settleSoon();
  }

  #goTo(view: View, isGlide = true) {
    const to = this.#clamped(view);
    this.#isWhole = false;
    this.#listener.moved();
    if (!isGlide || matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.#glide = undefined;
      this.#view = to;
      this.#settleSoon();
    } else {
      this.#glide = { from: this.#view, to, since: performance.now() };
    }
    this.#wake();
  }

  #settleSoon() {
    clearTimeout(this.#settle);
    this.#settle = window.setTimeout(() => {
      if (this.#level.scale !== this.#view.scale * this.#dpr) this.#startLevel();
      this.#wake();
    }, settleMs);
  }

  #startLevel() {
    this.#under = this.#level;
    this.#level = new Level(this.#seats, this.#painter, this.#view.scale * this.#dpr, Math.round(tileSize * this.#dpr));
  }

  // ---- what is under the finger

  #seatAt(x: number, y: number, reachPixels: number): number | undefined {
    const reach = Math.max(this.#seats.pitch * 0.55, Math.min(reachPixels / this.#view.scale, this.#seats.pitch));
    return this.#grid.nearest((x - this.#view.x) / this.#view.scale, (y - this.#view.y) / this.#view.scale, reach);
  }

  #tap(x: number, y: number, isTouch: boolean) {
    const pitch = this.#seats.pitch * this.#view.scale;
    if (pitch < pitchToPick) {
      // A section's name stands beside what is small: that is what was meant.
      const section = this.#labels.sectionAt(x * this.#dpr, y * this.#dpr);
      const [px, py] = section !== undefined ? [section.x, section.y] : [(x - this.#view.x) / this.#view.scale, (y - this.#view.y) / this.#view.scale];
      let scale = pitchWhenNear / this.#seats.pitch;
      if (section !== undefined) {
        const { left, top, right, bottom } = section.box;
        const pad = this.#seats.pitch * 3;
        scale = Math.min(scale, this.#width / (right - left + 2 * pad), this.#height / (bottom - top + 2 * pad));
        scale = Math.max(scale, this.#view.scale * 1.5);
      }
      this.#goTo({ scale, x: this.#width / 2 - px * scale, y: this.#height / 2 - py * scale });
      return;
    }
    const i = this.#seatAt(x, y, isTouch ? 20 : 8);
    if (i !== undefined) this.#listener.tapped(i);
  }

  #hoverAt(at: { x: number; y: number } | undefined) {
    const isNear = this.#seats.pitch * this.#view.scale >= pitchToPick;
    const i = at !== undefined && isNear ? this.#seatAt(at.x, at.y, 0) : undefined;
    this.#canvas.classList.toggle("over-seat", i !== undefined);
    if (i === this.#hover) return;
    this.#hover = i;
    this.#listener.hovered(
      i === undefined
        ? undefined
        : { i, ...this.placeOf(i) },
    );
    this.#wake();
  }

  // ---- a frame

  #wake() {
    if (this.#request === 0) this.#request = requestAnimationFrame((now) => this.#draw(now));
  }

  #advanceGlide(now: number) {
    if (this.#glide === undefined) return;
    const { from, to, since } = this.#glide;
    const part = Math.min(1, Math.max(0, (now - since) / glideMs));
    const eased = 1 - (1 - part) ** 3;
    // The scale changes by factors; the position follows it, so that the movement looks straight.
    const scale = from.scale * (to.scale / from.scale) ** eased;
    const share = to.scale === from.scale ? eased : (scale - from.scale) / (to.scale - from.scale);
    this.#view = { scale, x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
    if (part === 1) {
      this.#view = to;
      this.#glide = undefined;
      this.#settleSoon();
    } else {
      this.#wake();
    }
  }

  #draw(now: number) {
    this.#request = 0;
    this.#frame++;
    this.#advanceGlide(now);
    this.#level.touch(this.#touched);
    this.#under?.touch(this.#touched);
    this.#touched.clear();
    const scale = this.#view.scale * this.#dpr;
    const part = scale / this.#level.scale;
    if (part < keepShare || part > 1 / keepShare) this.#startLevel();

    const context = this.#context;
    const { palette } = this.#painter.look;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = palette.ground;
    context.fillRect(0, 0, this.#canvas.width, this.#canvas.height);
    const deadline = performance.now() + drawingMsPerFrame;
    if (this.#under !== undefined) this.#showLevel(this.#under, 0);
    const complete = this.#showLevel(this.#level, deadline);
    if (complete) this.#under = undefined;
    else this.#wake();
    this.#labels.draw(context, this.#view, this.#dpr, this.#width, this.#height, palette);
    this.#drawMine(scale);   // over the names: on a phone a name is as large as its section
    if (complete && this.#glide === undefined) this.#tellView();
  }

  #showLevel(level: Level, deadline: number): boolean {
    const zoom = (this.#view.scale * this.#dpr) / level.scale;
    const [left, top] = [(-this.#view.x * this.#dpr) / zoom, (-this.#view.y * this.#dpr) / zoom];
    const isExact = Math.abs(zoom - 1) < 1e-9;
    return level.show(this.#context, isExact ? Math.round(left) : left, isExact ? Math.round(top) : top, this.#canvas.width, this.#canvas.height, isExact ? 1 : zoom, this.#frame, deadline);
  }

  #drawMine(scale: number) {
    const { mine, x, y } = this.#seats;
    const radius = this.#painter.radius(scale);
    const place = (i: number) => [x[i]! * scale + this.#view.x * this.#dpr, y[i]! * scale + this.#view.y * this.#dpr] as const;
    for (const i of this.mine) {
      if (mine[i] === Mine.no) continue;
      const [px, py] = place(i);
      this.#painter.paintMine(this.#context, mine[i]! as Mine, px, py, radius);
    }
    for (const [i, width, gap] of [[this.#hover, 1.5, 2.5], [this.#focus, 2.5, 4.5]] as const) {
      if (i === undefined) continue;
      const [px, py] = place(i);
      this.#context.strokeStyle = this.#painter.look.palette.text;
      this.#context.lineWidth = width * this.#dpr;
      this.#context.beginPath();
      this.#context.arc(px, py, Math.max(radius, 3 * this.#dpr) + gap * this.#dpr, 0, 2 * Math.PI);
      this.#context.stroke();
    }
  }

  /** Seats that may be the visitor's. Whoever changes it calls redrawMine(). */
  mine: readonly number[] = [];

  // For whoever looks from outside (tests, the benchmark): where a seat is, once nothing moves.
  #tellView() {
    this.#canvas.dataset["view"] = `${this.#view.scale} ${this.#view.x} ${this.#view.y}`;
  }
}
