// Runs one request at a time. The answer of a request that is already running may be older than the reason for a new call. Such a call gets the
// answer of a request that begins after it, and all calls that come meanwhile share that request.
export class OneAtATime {
  readonly #question: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(question: () => Promise<void>) {
    this.#question = question;
  }

  /** Resolves, and never throws, when a request that began no earlier than this call has been answered or has failed. */
  ask(): Promise<void> {
    if (this.#running === undefined) return this.#begin();
    this.#next ??= this.#running.then(() => this.#begin());
    return this.#next;
  }

  #begin(): Promise<void> {
    this.#next = undefined;
    const running = this.#question()
      .catch(() => undefined)
      .then(() => {
        // Calls that came since then share the next request, which begins now.
        if (this.#next === undefined) this.#running = undefined;
      });
    this.#running = running;
    return running;
  }
}
