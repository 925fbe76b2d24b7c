// Numbers that are asked for again and again: at most as often as a reader's eye can follow, one question at a time, and none while the page
// is hidden. What could not be had stays as it was, and says so.
import { signal, type Signal } from "@preact/signals";
import { noticeError } from "./session";

export interface Reading<Value> {
  value: Value | null;
  /** Of this machine's clock: when the value was answered. */
  at: number;
  /** Since when questions have not been answered; null: they are. */
  failingSince: number | null;
}

export interface Poll<Value> {
  reading: Signal<Reading<Value>>;
  /** Asks now, and not again before the usual time. */
  ask(): Promise<void>;
  stop(): void;
}

export function poll<Value>(everyMs: number, question: (before: Value | null) => Promise<Value>): Poll<Value> {
  const reading = signal<Reading<Value>>({ value: null, at: 0, failingSince: null });
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asking: Promise<void> | null = null;
  let stopped = false;

  const once = async () => {
    try {
      const value = await question(reading.value.value);
      if (!stopped) reading.value = { value, at: Date.now(), failingSince: null };
    } catch (error) {
      if (stopped) return;
      noticeError(error);
      reading.value = { ...reading.value, failingSince: reading.value.failingSince ?? Date.now() };
    }
  };
  const ask = () => {
    clearTimeout(timer);
    asking ??= once().finally(() => {
      asking = null;
      if (!stopped && !document.hidden) timer = setTimeout(ask, everyMs);
    });
    return asking;
  };
  const onVisible = () => {
    if (!document.hidden) void ask();
  };
  document.addEventListener("visibilitychange", onVisible);
  void ask();
  return {
    reading,
    ask,
    stop() {
      stopped = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", onVisible);
    },
  };
}
