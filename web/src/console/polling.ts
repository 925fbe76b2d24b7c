// Polls numbers: no faster than a reader's eye can follow, one request at a time, and not while the page is hidden. When a request fails, the
// last value stays and is marked as old.
import { signal, type Signal } from "@preact/signals";
import { OneAtATime } from "../shared/one_at_a_time";
import { noticeError } from "./session";

export interface Reading<Value> {
  value: Value | null;
  /** When the value was answered, by this machine's clock. */
  at: number;
  /** Since when requests have failed; null: they succeed. */
  failingSince: number | null;
}

export interface Poll<Value> {
  reading: Signal<Reading<Value>>;
  /** Polls now, or as soon as the running request has been answered. The next poll is a full interval later. */
  ask(): Promise<void>;
  stop(): void;
}

export function poll<Value>(everyMs: number, question: (before: Value | null) => Promise<Value>): Poll<Value> {
  const reading = signal<Reading<Value>>({ value: null, at: 0, failingSince: null });
  let timer: ReturnType<typeof setTimeout> | undefined;
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
  const questions = new OneAtATime(once);
  const ask = async () => {
    clearTimeout(timer);
    await questions.ask();
    clearTimeout(timer);
    if (!stopped && !document.hidden) timer = setTimeout(ask, everyMs);
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
