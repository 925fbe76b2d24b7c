// The ledger's time, independent of this machine's clock.
//
// A hold ends by the ledger's clock. The page asks for its time (GET /v1/server) and adds what the browser's monotonic clock has counted since. It
// asks again every minute, when the page becomes visible, and when the browser's two clocks differ, which means that the machine slept.
import { signal } from "@preact/signals";
import type { Client } from "@holdfast/client";

const everyMs = 60_000;
const tries = 3;              // the quickest answer is the most exact
const apartMs = 400;

export class ServerClock {
  readonly #client: Client;
  #offset = Date.now() - performance.now();   // until the first answer
  #uncertainty = Infinity;
  #syncing: Promise<void> | undefined;
  #drift = Date.now() - performance.now();
  #timer = 0;

  /** Whole seconds go by: read it to be drawn anew. */
  readonly tick = signal(0);
  readonly demo = signal(false);

  constructor(client: Client) {
    this.#client = client;
  }

  /** Milliseconds since 1970 by the ledger's clock. */
  now(): number {
    return performance.now() + this.#offset;
  }

  async start() {
    await this.sync();
    setInterval(() => this.refresh(), everyMs);
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.refresh();
    });
    this.#tickOnTheSecond();
  }

  /** Throws what the client throws when the server cannot be reached. */
  sync(): Promise<void> {
    this.#syncing ??= this.#measure().finally(() => (this.#syncing = undefined));
    return this.#syncing;
  }

  /** Keeps the old offset if the server cannot be reached. The page's other requests report that. */
  refresh() {
    this.sync().catch(() => undefined);
  }

  async #measure() {
    let best: { offset: number; uncertainty: number } | undefined;
    for (let i = 0; i < tries; ++i) {
      const asked = performance.now();
      const { now, demo } = await this.#client.getServer();
      const took = performance.now() - asked;
      this.demo.value = demo;
      if (best === undefined || took / 2 < best.uncertainty) best = { offset: Date.parse(now) + took / 2 - performance.now(), uncertainty: took / 2 };
    }
    if (best === undefined) return;
    this.#offset = best.offset;
    this.#uncertainty = best.uncertainty;
    this.#drift = Date.now() - performance.now();
  }

  /** How far now() may be off, in milliseconds. */
  get uncertainty(): number {
    return this.#uncertainty;
  }

  // The seconds change here when they change at the server.
  #tickOnTheSecond() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => {
      if (Math.abs(Date.now() - performance.now() - this.#drift) > apartMs) {
        this.#drift = Date.now() - performance.now();
        this.refresh();
      }
      this.tick.value++;
      this.#tickOnTheSecond();
    }, 1_000 - (this.now() % 1_000) + 5);
  }
}
