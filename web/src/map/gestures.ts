// Mouse, touch, pen and wheel on the map, as three things: move, zoom about a point, tap. In CSS pixels of the element.
export interface GestureTarget {
  pan(dx: number, dy: number): void;
  zoom(factor: number, x: number, y: number): void;
  tap(x: number, y: number, isTouch: boolean): void;
  /** The mouse is there, without a button; nothing: it has left. */
  hover(at: { x: number; y: number } | undefined): void;
}

const tapSlop = 6;              // pixels that a finger may move and still tap
const wheelStep = 0.0018;       // a notch of a wheel is some 20 %
const pinchWheelStep = 0.01;    // a touchpad's pinch comes as small steps of a wheel with Ctrl
const lineHeight = 16;          // of wheels that count in lines

/** Returns what takes it off again. */
export function followGestures(element: HTMLElement, target: GestureTarget): () => void {
  const pointers = new Map<number, { x: number; y: number }>();
  let start = { x: 0, y: 0 };
  let moved = false;

  const place = (event: MouseEvent) => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const pair = () => {
    const [a, b] = [...pointers.values()];
    return a !== undefined && b !== undefined ? { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.hypot(a.x - b.x, a.y - b.y) } : undefined;
  };

  const down = (event: PointerEvent) => {
    if (event.pointerType === "mouse" && event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, place(event));
    if (pointers.size === 1) {
      start = place(event);
      moved = false;
    } else {
      moved = true;   // two fingers are no tap
    }
    target.hover(undefined);
  };
  const move = (event: PointerEvent) => {
    const at = place(event);
    const before = pointers.get(event.pointerId);
    if (before === undefined) {
      if (event.pointerType === "mouse") target.hover(at);
      return;
    }
    const old = pair();
    pointers.set(event.pointerId, at);
    const now = pair();
    if (old !== undefined && now !== undefined) {
      target.pan(now.x - old.x, now.y - old.y);
      if (old.apart > 0 && now.apart > 0) target.zoom(now.apart / old.apart, now.x, now.y);
      return;
    }
    if (!moved && Math.hypot(at.x - start.x, at.y - start.y) < tapSlop) return;
    const from = moved ? before : start;
    moved = true;
    target.pan(at.x - from.x, at.y - from.y);
  };
  const up = (event: PointerEvent) => {
    if (!pointers.delete(event.pointerId)) return;
    if (event.type === "pointerup" && pointers.size === 0 && !moved) target.tap(start.x, start.y, event.pointerType !== "mouse");
  };
  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    const { x, y } = place(event);
    const amount = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? lineHeight : 1);
    target.zoom(Math.exp(-Math.max(-240, Math.min(240, amount)) * (event.ctrlKey ? pinchWheelStep : wheelStep)), x, y);
  };
  const leave = () => target.hover(undefined);

  const listeners: [string, (event: never) => void][] = [
    ["pointerdown", down],
    ["pointermove", move],
    ["pointerup", up],
    ["pointercancel", up],
    ["pointerleave", leave],
    ["wheel", wheel],
  ];
  for (const [type, listener] of listeners) element.addEventListener(type, listener as EventListener, { passive: false });
  return () => {
    for (const [type, listener] of listeners) element.removeEventListener(type, listener as EventListener);
  };
}
