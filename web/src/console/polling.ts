// Numbers that are asked for again and again: at most as often as a reader's eye can follow, one question at a time, and none while the page
// is hidden. What could not be had stays as it was, and says so.
import { signal, type Signal } from "@preact/signals";
import { OneAtATime } from "../shared/one_at_a_time";
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
  /** Asks now, or as soon as the question that is on its way has been answered, and not again before the usual time. */
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
