// Follows an event's states as they change, with one stream for all tabs of a browser. A browser opens at most six connections to a server
// (HTTP/1.1). With a stream in each tab, the seventh tab would not load, and no tab could send a hold.
//
//   await followLive(client, "map", eventId, { signal, onMessage, onConnection });
//
// The tabs that show an event queue for a lock. The tab that has it, the leader, reads the stream and passes its messages on. When that tab is
// closed, hidden or frozen, the next one gets the lock. Hidden tabs read nothing.
//
// A tab that hears nothing polls the states every two seconds. This happens in a browser without locks (a page that came neither by HTTPS nor from
// this machine), or behind a proxy that passes no streams on. A stream counts from its first message or comment on, and only while it is not
// behind a poll's answer: a proxy may pass on the head alone, or delay messages. Polls back off while the server does not answer or says "later".
import { HoldfastError, type Client, type LiveMessage, type SeatLetter } from "@holdfast/client";
import { untilShown, whileShown } from "./shown";

export interface Follower {
  /** Ends it. */
  signal: AbortSignal;
  /** A snapshot first, then changes; another snapshot if changes may have been missed. */
  onMessage(message: LiveMessage): void;
  /** Called when the states that were told become current, or stop being so. */
  onConnection?(isConnected: boolean): void;
}

type Word =
  | { kind: "hello" }                                                             // a tab that has no states yet
  | { kind: "states"; from: string; isConnected: boolean; message: LiveMessage }   // the leader's answer
  | { kind: "message"; from: string; message: LiveMessage }                        // as the stream brought it
  | { kind: "alive"; from: string; isConnected: boolean };

const streamsMax = 3;         // of one browser, for all events: half of its connections stay free for calls
const streamAgainMs = 5_000;  // until one that found no free stream looks again
const tickMs = 500;
const aliveMs = 2_000;
const pollAfterMs = 2_500;    // of silence
const pollEveryMs = 2_000;
const pollEveryMostMs = 30_000;   // after many polls without an answer
const pollSpread = 0.2;           // tabs that began together do not poll together
const silenceMs = 6_000;      // after that the leader counts as stuck

/** Ends when the signal is aborted; throws the server's refusal. Only tabs of the same `scope` share a stream. */
export async function followLive(client: Pick<Client, "live" | "getStates">, scope: string, eventId: string, follower: Follower): Promise<void> {
  while (!follower.signal.aborted) {
    await untilShown(follower.signal);
    const shown = whileShown(follower.signal);
    try {
      if (!shown.signal.aborted) await new Tab(client, `holdfast.live.${scope}.${eventId}`, eventId, follower, shown.signal).run();
    } finally {
      shown.release();
    }
  }
}

/** Whether to retry after this error: there was no answer, or one that says "later". */
function isPassing(error: unknown): boolean {
  return error instanceof HoldfastError && (error.status === 0 || error.status === 429 || error.status >= 500);
}

function spread(ms: number): number {
  return ms * (1 + pollSpread * (2 * Math.random() - 1));
}

/** Milliseconds until the next poll after this many failures in a row. Never less than the server's Retry-After. */
function pollDelay(failures: number, retryAfter = 0): number {
  return Math.max(spread(Math.min(pollEveryMostMs, pollEveryMs * 2 ** (failures - 1))), retryAfter * 1_000 * (1 + pollSpread * Math.random()));
}

function sleep(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const end = () => {
      clearTimeout(timer);
      stop.removeEventListener("abort", end);
      done();
    };
    const timer = setTimeout(end, ms);
    stop.addEventListener("abort", end);
  });
}

// One tab, as long as it is shown.
class Tab {
  readonly #id = crypto.getRandomValues(new Uint32Array(2)).join("-");
  readonly #locks = navigator.locks as LockManager | undefined;
  readonly #channel: BroadcastChannel;
  readonly #end = new AbortController();   // aborted when the tab is hidden or the server has refused
  #letters: string[] | undefined;
  #seq = -1;
  #planVersion = 0;
  #heardAt = performance.now();
  #pollAgainAt = -Infinity;
  #pollFailures = 0;               // since the last answer
  #polledWellAt = -Infinity;
  #polledSeq = -1;                 // of the last answer that brought news since the stream was opened
  #aliveAt = 0;
  readonly #patienceMs = silenceMs * (1 + Math.random() / 3);   // differs, so that tabs do not steal the lock at the same time
  #isPolling = false;
  #isLeader = false;
  #isStreaming = false;            // the leader's stream is open, has sent something, and is not behind
  #leader: string | undefined;     // the tab whose messages this one follows without a gap
  #told: boolean | undefined;
  #leading: AbortController | undefined;
  #waiting = new AbortController();
  #isStealing = false;
  #fail: (error: unknown) => void = () => undefined;

  constructor(
    readonly client: Pick<Client, "live" | "getStates">,
    readonly name: string,
    readonly eventId: string,
    readonly follower: Follower,
    shown: AbortSignal,
  ) {
    this.#channel = new BroadcastChannel(name);
    shown.addEventListener("abort", () => this.#end.abort(), { once: true });
  }

  async run() {
    const failed = new Promise<never>((_, fail) => (this.#fail = fail));
    const ended = new Promise<void>((end) => this.#end.signal.addEventListener("abort", () => end(), { once: true }));
    this.#channel.addEventListener("message", ({ data }: MessageEvent<Word>) => this.#hear(data));
    const timer = setInterval(() => this.#tick(), tickMs);
    if (this.#locks !== undefined) {
      this.#post({ kind: "hello" });
      this.#queue(this.#locks).catch(this.#fail);
    } else {
      void this.#poll();
    }
    try {
      await Promise.race([ended, failed]);
    } finally {
      this.#end.abort();
      clearInterval(timer);
      this.#waiting.abort();
      this.#leading?.abort();
      this.#channel.close();
    }
  }

  // ---- the lock

  async #queue(locks: LockManager) {
    while (!this.#end.signal.aborted) {
      this.#waiting = new AbortController();
      this.#leading = new AbortController();
      const { signal } = this.#leading;
      const wish = this.#isStealing ? { steal: true } : { signal: this.#waiting.signal };
      this.#isStealing = false;
      try {
        await locks.request(this.name, wish, () => this.#lead(locks, signal));
      } catch (error) {
        // Another tab has stolen the lock, this tab is about to steal it, or following has ended.
        if (!(error instanceof DOMException) || error.name !== "AbortError") throw error;
      }
      this.#leading.abort();
      this.#isLeader = false;
    }
  }

  async #lead(locks: LockManager, stop: AbortSignal) {
    this.#isStealing = false;   // the lock came while this tab was about to steal it
    this.#isLeader = true;
    this.#isStreaming = false;
    while (!stop.aborted && !this.#end.signal.aborted) {
      for (let k = 0; k < streamsMax && !stop.aborted; ++k) {
        await locks.request(`holdfast.stream.${k}`, { ifAvailable: true }, async (lock) => {
          if (lock !== null) await this.#stream(stop);
        });
      }
      if (stop.aborted) return;
      void this.#poll();
      await sleep(streamAgainMs, stop);
    }
  }

  async #stream(stop: AbortSignal) {
    let stands = false;
    this.#polledSeq = -1;
    const onConnection = (isConnected: boolean) => {
      stands = isConnected;
      if (!isConnected) this.#polledSeq = -1;   // the server may be restored from a backup meanwhile
      this.#isStreaming = isConnected && this.#letters !== undefined;
      const isPolled = performance.now() - this.#polledWellAt < 2 * pollEveryMs;
      if (this.#isStreaming || (!isConnected && !isPolled)) this.#tellConnection(isConnected);
    };
    let told: string[] = [];   // the states as the stream has told them, late or not
    for await (const message of this.client.live(this.eventId, { signal: stop, onConnection })) {
      if (message.type === "snapshot") told = [...message.states];
      else for (const [seat, letter] of message.seats) told[seat] = letter;
      const isBehind = this.#isBehind(message.seq, told);
      this.#isStreaming = stands && !isBehind;
      if (!isBehind) this.#pass(message);
    }
  }

  // Whether the stream, which has told these states as of `seq`, is behind a poll's answer. An older number alone does not show that: a change that
  // sets no seat makes an answer newer, and the stream never sends it.
  #isBehind(seq: number, told: string[]): boolean {
    return seq < this.#polledSeq && told.join("") !== this.#letters?.join("");
  }

  // ---- words

  #post(word: Word) {
    if (!this.#end.signal.aborted) this.#channel.postMessage(word);
  }

  #hear(word: Word) {
    if (this.#end.signal.aborted) return;
    if (word.kind === "hello") {
      if (this.#isLeader && this.#letters !== undefined) this.#post({ kind: "states", from: this.#id, isConnected: this.#told === true, message: this.#snapshot() });
      return;
    }
    if (this.#isLeader) return;   // from a former leader that has not noticed yet
    this.#heardAt = performance.now();
    if (word.kind !== "alive" && (word.kind === "states" || word.message.type === "snapshot")) {
      // An answer to another tab's hello is not news to a tab that follows already.
      const isNews = word.kind === "message" || this.#leader !== word.from;
      this.#leader = word.from;
      if (isNews) this.#take(word.message);
      this.#tellConnection(word.kind === "message" || word.isConnected);
    } else if (this.#leader !== word.from) {
      this.#leader = undefined;
      this.#post({ kind: "hello" });
    } else if (word.kind === "message") {
      this.#take(word.message);
      this.#tellConnection(true);
    } else {
      this.#tellConnection(word.isConnected);
    }
  }

  #snapshot(): LiveMessage {
    return { type: "snapshot", seq: this.#seq, planVersion: this.#planVersion, states: (this.#letters ?? []).join("") };
  }

  // Takes a message as the leader, and passes it on to the other tabs.
  #pass(message: LiveMessage) {
    this.#take(message);
    this.#post({ kind: "message", from: this.#id, message });
    this.#tellConnection(true);
  }

  #take(message: LiveMessage) {
    if (message.type === "snapshot") {
      this.#letters = [...message.states];
      this.#planVersion = message.planVersion;
    } else {
      if (this.#letters === undefined || message.seq <= this.#seq) return;   // known from a poll
      for (const [seat, letter] of message.seats) this.#letters[seat] = letter;
    }
    this.#seq = message.seq;
    this.follower.onMessage(message);
  }

  #tellConnection(isConnected: boolean) {
    if (this.#told === isConnected) return;
    this.#told = isConnected;
    if (this.#isLeader) this.#post({ kind: "alive", from: this.#id, isConnected });
    this.follower.onConnection?.(isConnected);
  }

  // ---- silence

  #tick() {
    const now = performance.now();
    if (this.#isLeader && now - this.#aliveAt >= aliveMs) {
      this.#aliveAt = now;
      this.#post({ kind: "alive", from: this.#id, isConnected: this.#told === true });
    }
    if (this.#isLeader && this.#isStreaming) this.#heardAt = now;
    const silent = now - this.#heardAt;
    if (silent >= pollAfterMs || this.#locks === undefined) void this.#poll();
    if (this.#locks !== undefined && !this.#isLeader && silent >= this.#patienceMs) {
      this.#heardAt = now;   // gives this tab time to become the leader
      this.#isStealing = true;
      this.#waiting.abort();
    }
  }

  // Polls, if it is time to.
  async #poll() {
    const askedAt = performance.now();
    if (this.#isPolling || askedAt < this.#pollAgainAt) return;
    this.#isPolling = true;
    this.#pollAgainAt = askedAt + spread(pollEveryMs);
    try {
      const { seq, planVersion, states } = await this.client.getStates(this.eventId, { signal: this.#end.signal });
      const message = this.#difference({ type: "snapshot", seq, planVersion, states });
      if (this.#end.signal.aborted) return;
      this.#polledWellAt = performance.now();
      if (message?.type === "snapshot" || (message?.seats.length ?? 0) > 0) this.#polledSeq = seq;
      this.#pollFailures = 0;
      if (message !== undefined && this.#isLeader) this.#pass(message);
      else if (message !== undefined) this.#take(message);
      this.#tellConnection(true);
    } catch (error) {
      if (this.#end.signal.aborted) return;
      if (!isPassing(error)) this.#fail(error);
      this.#pollAgainAt = performance.now() + pollDelay(++this.#pollFailures, (error as HoldfastError).retryAfter);
      // The stream may have opened, or the leader may have spoken, while the poll was running. They know better.
      const isTold = this.#isLeader ? this.#isStreaming : this.#heardAt > askedAt;
      if (!isTold) this.#tellConnection(false);
    } finally {
      this.#isPolling = false;
    }
  }

  // Nothing if the polled states are not newer than the known ones.
  #difference(asked: LiveMessage & { type: "snapshot" }): LiveMessage | undefined {
    const before = this.#letters;
    if (before === undefined || before.length !== asked.states.length) return asked;
    if (asked.seq <= this.#seq) return undefined;
    const seats: [number, SeatLetter][] = [];
    for (let i = 0; i < before.length; ++i) if (before[i] !== asked.states[i]) seats.push([i, asked.states[i] as SeatLetter]);
    return { type: "changes", seq: asked.seq, seats };
  }
}
