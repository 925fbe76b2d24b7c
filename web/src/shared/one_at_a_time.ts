// A question that is on its way once at a time. An answer that was under way when somebody asks may be from before what made him ask: he gets
// the answer of a question that begins afterwards, and all who ask meanwhile share it.
export class OneAtATime {
  readonly #question: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(question: () => Promise<void>) {
    this.#question = question;
  }

  /** Ends, and does not throw, when a question that began no earlier than now has been answered or has failed. */
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
        // Who has asked since then has a question of his own, which begins now.
        if (this.#next === undefined) this.#running = undefined;
      });
    this.#running = running;
    return running;
  }
}
