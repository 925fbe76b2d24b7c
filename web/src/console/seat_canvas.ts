// Draws seats as small discs. Each state has a shape and not only a colour: sold is a full disc, held a ring with a dot, blocked a cross, available
// a ring. A marked seat has a square around it.
export type Mark = "available" | "held" | "sold" | "blocked";

export interface Drawing {
  x: ArrayLike<number>;
  y: ArrayLike<number>;
  markOf(seat: number): Mark;
  isChosen(seat: number): boolean;
  /** Fills available seats with this colour; null: no fill. */
  colorOf?(seat: number): string | null;
}

export interface Placing {
  scale: number;
  left: number;
  top: number;
  radius: number;
}

const margin = 12;
const smallRadius = 2.5;   // pixels

/** Fits all seats into a canvas of this size, as large as possible. */
export function placeSeats(x: ArrayLike<number>, y: ArrayLike<number>, width: number, height: number): Placing {
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let i = 0; i < x.length; ++i) {
    left = Math.min(left, x[i] ?? 0);
    right = Math.max(right, x[i] ?? 0);
    top = Math.min(top, y[i] ?? 0);
    bottom = Math.max(bottom, y[i] ?? 0);
  }
  if (left > right) return { scale: 1, left: 0, top: 0, radius: 1 };
  const scale = Math.min((width - 2 * margin) / Math.max(right - left, 1e-6), (height - 2 * margin) / Math.max(bottom - top, 1e-6), 40);
  // A disc covers one seat's share of the plan's area, but never touches its neighbours.
  const share = Math.sqrt(((right - left + 1 / scale) * (bottom - top + 1 / scale)) / Math.max(1, x.length));
  return {
    scale,
    left: (width - (right - left) * scale) / 2 - left * scale,
    top: (height - (bottom - top) * scale) / 2 - top * scale,
    radius: Math.max(1, Math.min(7, share * scale * 0.32)),
  };
}

const colorOf = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function drawSeats(canvas: HTMLCanvasElement, drawing: Drawing): Placing {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const place = placeSeats(drawing.x, drawing.y, width, height);
  const context = canvas.getContext("2d");
  if (context === null) return place;
  context.scale(ratio, ratio);
  const colors: Record<Mark, string> = { available: colorOf("--seat-available"), held: colorOf("--seat-held"), sold: colorOf("--seat-sold"), blocked: colorOf("--seat-blocked") };
  const chosen = colorOf("--text");
  const { radius } = place;
  const paths: Record<Mark, Path2D> = { available: new Path2D(), held: new Path2D(), sold: new Path2D(), blocked: new Path2D() };
  const dots = new Path2D();
  const marks = new Path2D();
  const filled = new Map<string, Path2D>();
  for (let seat = 0; seat < drawing.x.length; ++seat) {
    const cx = (drawing.x[seat] ?? 0) * place.scale + place.left;
    const cy = (drawing.y[seat] ?? 0) * place.scale + place.top;
    const mark = drawing.markOf(seat);
    const own = mark === "available" ? (drawing.colorOf?.(seat) ?? null) : null;
    if (own !== null && !filled.has(own)) filled.set(own, new Path2D());
    const path = (own === null ? undefined : filled.get(own)) ?? paths[mark];
    if (radius < smallRadius) {
      // Too small for a shape: squares, which are drawn several times as fast. An available one is an empty place with a dot.
      const half = mark === "available" && own === null ? radius * 0.5 : radius;
      path.rect(cx - half, cy - half, 2 * half, 2 * half);
    } else if (mark === "blocked") {
      path.moveTo(cx - radius, cy - radius);
      path.lineTo(cx + radius, cy + radius);
      path.moveTo(cx + radius, cy - radius);
      path.lineTo(cx - radius, cy + radius);
    } else {
      path.moveTo(cx + radius, cy);
      path.arc(cx, cy, radius, 0, 7);
      if (mark === "held") dots.rect(cx - radius * 0.45, cy - radius * 0.45, radius * 0.9, radius * 0.9);
    }
    if (drawing.isChosen(seat)) marks.rect(cx - radius - 2, cy - radius - 2, 2 * radius + 4, 2 * radius + 4);
  }
  for (const [color, path] of filled) {
    context.fillStyle = color;
    context.fill(path);
  }
  context.lineWidth = Math.max(0.6, radius * 0.3);
  for (const mark of ["available", "held", "sold", "blocked"] as const) {
    context.fillStyle = colors[mark];
    context.strokeStyle = colors[mark];
    if (mark === "sold" || radius < smallRadius) context.fill(paths[mark]);
    else context.stroke(paths[mark]);
    if (mark === "held") context.fill(dots);
  }
  context.strokeStyle = chosen;
  context.lineWidth = 1.5;
  context.stroke(marks);
  return place;
}

/** The seat at a point of the canvas; -1 if none is near. */
export function seatAt(x: ArrayLike<number>, y: ArrayLike<number>, place: Placing, px: number, py: number): number {
  let best = -1;
  let nearest = Math.max(8, place.radius * 1.8) ** 2;
  for (let i = 0; i < x.length; ++i) {
    const distance = ((x[i] ?? 0) * place.scale + place.left - px) ** 2 + ((y[i] ?? 0) * place.scale + place.top - py) ** 2;
    if (distance < nearest) {
      nearest = distance;
      best = i;
    }
  }
  return best;
}
