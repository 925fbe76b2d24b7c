// Whether somebody can see this page: it is not hidden, frozen, or on its way out.
let isLeft = false;   // between pagehide and pageshow: the browser may keep the page to show it again
let isFrozen = false;
const listeners = new Set<() => void>();

export function isShown(): boolean {
  return !isLeft && !isFrozen && document.visibilityState === "visible";
}

function on(target: EventTarget, type: string, note: () => void) {
  target.addEventListener(type, () => {
    note();
    for (const each of [...listeners]) each();
  });
}
on(document, "visibilitychange", () => undefined);
on(document, "freeze", () => (isFrozen = true));
on(document, "resume", () => (isFrozen = false));
on(window, "pagehide", () => (isLeft = true));
on(window, "pageshow", () => (isLeft = false));

/** Ends when the page is shown, or `stop` is aborted. */
export function untilShown(stop: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const look = () => {
      if (!isShown() && !stop.aborted) return;
      listeners.delete(look);
      stop.removeEventListener("abort", look);
      done();
    };
    listeners.add(look);
    stop.addEventListener("abort", look);
    look();
  });
}

/** Aborted when the page is not shown any more, or `stop` is. `release` ends the watch. */
export function whileShown(stop: AbortSignal): { signal: AbortSignal; release: () => void } {
  const shown = new AbortController();
  const release = () => {
    listeners.delete(look);
    stop.removeEventListener("abort", look);
  };
  const look = () => {
    if (isShown() && !stop.aborted) return;
    release();
    shown.abort();
  };
  listeners.add(look);
  stop.addEventListener("abort", look);
  look();
  return { signal: shown.signal, release };
}
