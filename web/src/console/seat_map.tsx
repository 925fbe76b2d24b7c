// The seats of an event, drawn. A picture for the eye and the mouse: all that it does can also be done in the lists beside it.
import { useEffect, useRef, useState } from "preact/hooks";
import { theme } from "../shared/theme";
import { drawSeats, seatAt, type Drawing, type Placing } from "./seat_canvas";
import { t } from "./texts";

export interface SeatMapProps {
  label: string;
  drawing: Drawing;
  /** Changes when the drawing has to be made anew. */
  version: string;
  onPick?(seat: number): void;
  /** What the pointer is over. */
  nameOf(seat: number): string;
}

export function SeatMap({ label, drawing, version, onPick, nameOf }: SeatMapProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const place = useRef<Placing | null>(null);
  const [over, setOver] = useState(-1);
  const [size, setSize] = useState(0);

  useEffect(() => {
    const element = canvas.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setSize(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const element = canvas.current;
    if (element === null) return;
    const frame = requestAnimationFrame(() => {
      place.current = drawSeats(element, drawing);
    });
    return () => cancelAnimationFrame(frame);
  }, [version, size, theme.value]);

  const under = (event: MouseEvent) => (place.current === null ? -1 : seatAt(drawing.x, drawing.y, place.current, event.offsetX, event.offsetY));
  return (
    <figure class="seat-map">
      <canvas
        ref={canvas}
        role="img"
        aria-label={label}
        class={onPick === undefined ? "" : "pickable"}
        onClick={(event) => {
          const seat = under(event);
          if (seat >= 0) onPick?.(seat);
        }}
        onMouseMove={(event) => setOver(under(event))}
        onMouseLeave={() => setOver(-1)}
      />
      <figcaption aria-hidden="true">{over < 0 ? " " : nameOf(over)}</figcaption>
    </figure>
  );
}

/** What the marks of the map mean. */
export function SeatKeys() {
  const texts = t.value.states;
  return (
    <ul class="seat-keys">
      {(["available", "held", "sold", "blocked"] as const).map((state) => (
        <li key={state}>
          <svg width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true" class={state}>
            {state === "blocked" ? <path d="M-4.5 -4.5 4.5 4.5M4.5 -4.5 -4.5 4.5" /> : <circle r="4.5" />}
            {state === "held" && <rect class="dot" x="-2" y="-2" width="4" height="4" />}
          </svg>
          {texts[state]}
        </li>
      ))}
    </ul>
  );
}
