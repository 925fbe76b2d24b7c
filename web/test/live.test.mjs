// When the tab that reads an event's stream asks for the states as well. With real tabs, and a proxy: tests/browser.
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

// ---- a browser with one tab, whose time passes when the test says so

const web = fileURLToPath(new URL("..", import.meta.url));
const define = (name, value) => Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
define("crypto", webcrypto);   // Node.js 18 does not have it by itself
define("document", Object.assign(new EventTarget(), { visibilityState: "visible" }));
define("window", new EventTarget());
define("crypto", webcrypto);   // Node.js has it by this name from 19 on
define("navigator", { locks: { request: (name, options, work) => work({ name }) } });
define("BroadcastChannel", class extends EventTarget {
  postMessage() {}
  close() {}
});

let now = 1_000;   // ms, of the browser's monotonic clock
define("performance", { now: () => now });
const ticks = new Set();
define("setInterval", (tick) => {
  ticks.add(tick);
  return tick;
});
define("clearInterval", (tick) => ticks.delete(tick));

/** Lets everything happen that waits for no time to pass. */
const settle = () => new Promise((done) => setImmediate(done));

async function pass(seconds) {
  for (let k = 0; k < seconds * 2; ++k) {
    now += 500;
    for (const tick of ticks) tick();
    await settle();
  }
}

const { outputFiles } = await build({
  stdin: { contents: 'export { followLive } from "./src/shared/live"; export { HoldfastError } from "@holdfast/client";', resolveDir: web }, bundle: true, format: "esm", write: false, absWorkingDir: web, tsconfig: "tsconfig.json", target: "es2022",
});
const { followLive, HoldfastError } = await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);

// ---- an event of three seats, and the tab that follows it

/** The tab's client. `states` and `seq` are what the server answers, and `stream` brings what the test says. */
class Event {
  seq = 1;
  states = "aaa";
  questions = 0;
  seen = [];
  isConnected = undefined;   // as the tab was told last
  #answers = true;
  #failLate = [];
  #came = [];
  #wake = () => undefined;

  async getStates() {
    ++this.questions;
    if (!this.#answers) await new Promise((_, fail) => this.#failLate.push(fail));
    return { seq: this.seq, planVersion: 1, states: this.states };
  }

  async *live(id, { signal, onConnection }) {
    let stands = false;
    signal.addEventListener("abort", () => this.#wake());
    for (;;) {
      while (this.#came.length === 0) {
        if (signal.aborted) return;
        await new Promise((wake) => (this.#wake = wake));
      }
      const came = this.#came.shift();
      const stood = stands;
      stands = came !== "break";
      if (stands !== stood) onConnection(stands);
      if (typeof came === "object") yield came;
    }
  }

  async #bring(what) {
    this.#came.push(what);
    this.#wake();
    await settle();
  }

  /** The server now answers with these states. */
  set(seq, states) {
    this.seq = seq;
    this.states = states;
  }

  /** From now on a question gets no answer, until failAnswers() says that there will be none. */
  holdAnswers() {
    this.#answers = false;
  }

  failAnswers() {
    for (const fail of this.#failLate.splice(0)) fail(new HoldfastError("gone", { code: "unreachable", status: 0 }));
    return settle();
  }

  bringSnapshot(seq, states) {
    return this.#bring({ type: "snapshot", seq, planVersion: 1, states });
  }

  bringChanges(seq, ...seats) {
    return this.#bring({ type: "changes", seq, seats });
  }

  bringComment() {
    return this.#bring("comment");
  }

  breakStream() {
    return this.#bring("break");
  }

  /** How often the tab asks in a minute in which the stream brings comments alone. */
  async questionsOfQuietMinute() {
    const before = this.questions;
    for (let k = 0; k < 4; ++k) {
      await pass(15);
      await this.bringComment();
    }
    return this.questions - before;
  }
}

function open(t) {
  const event = new Event();
  const end = new AbortController();
  let letters = [];
  const onMessage = (message) => {
    if (message.type === "snapshot") letters = [...message.states];
    else for (const [seat, letter] of message.seats) letters[seat] = letter;
    event.seen.push(letters.join(""));
  };
  const followed = followLive(event, "map", "e", { signal: end.signal, onMessage, onConnection: (isConnected) => (event.isConnected = isConnected) });
  t.after(() => {
    end.abort();
    return followed;
  });
  return event;
}

/** The stream breaks, and meanwhile the tab hears of these states by asking. */
async function openAndAsk(t, seq, states) {
  const event = open(t);
  await event.bringSnapshot(1, "aaa");
  assert.equal(await event.questionsOfQuietMinute(), 0, "of a stream that stands");
  await event.breakStream();
  event.set(seq, states);
  await pass(5);
  assert.ok(event.questions > 0);
  assert.equal(event.seen.at(-1), states);
  return event;
}

test("A stream with all seats of an answer stops the polling, even if changes without seats made the answer newer", async (t) => {
  const event = await openAndAsk(t, 6, "haa");   // 5 is a hold, and 6 makes it longer
  await event.bringChanges(5, [0, "h"]);
  assert.equal(await event.questionsOfQuietMinute(), 0);
  assert.equal(event.seen.at(-1), "haa");
});

test("A stream that is behind an answer undoes nothing, and the tab polls until the stream has caught up", async (t) => {
  const event = await openAndAsk(t, 8, "hsa");   // 5 and 6 are holds, 7 a purchase, and 8 sets no seat
  await event.bringChanges(5, [0, "h"]);
  assert.ok(await event.questionsOfQuietMinute() > 20);
  await event.bringChanges(6, [1, "h"]);
  assert.ok(await event.questionsOfQuietMinute() > 20);
  assert.equal(event.seen.at(-1), "hsa");
  await event.bringChanges(7, [1, "s"]);
  assert.equal(await event.questionsOfQuietMinute(), 0);
  await event.bringChanges(9, [2, "h"]);
  assert.equal(await event.questionsOfQuietMinute(), 0);
  assert.equal(event.seen.at(-1), "hsh");
});

test("A hold that has ended when the stream reports it is not shown, and its end stops the polling", async (t) => {
  const event = await openAndAsk(t, 8, "aha");   // 5 holds seat 0, 6 releases it, 7 holds seat 1, and 8 sets no seat
  const shown = event.seen.length;
  await event.bringChanges(5, [0, "h"]);
  await event.bringChanges(6, [0, "a"]);
  assert.ok(await event.questionsOfQuietMinute() > 20);
  await event.bringChanges(7, [1, "h"]);
  assert.equal(await event.questionsOfQuietMinute(), 0);
  assert.deepEqual([...new Set(event.seen.slice(shown - 1))], ["aha"]);
});

test("A late stream with an old snapshot counts once its changes have led to the answers", async (t) => {
  const event = open(t);
  event.set(4, "haa");
  await pass(60);
  assert.ok(event.questions > 20);
  await event.bringSnapshot(1, "aaa");
  assert.ok(await event.questionsOfQuietMinute() > 20);
  assert.deepEqual([...new Set(event.seen)], ["haa"]);
  await event.bringChanges(3, [0, "h"]);
  assert.equal(await event.questionsOfQuietMinute(), 0);
  assert.deepEqual([...new Set(event.seen)], ["haa"]);
});

test("A failed poll after the stream's start does not report a lost connection", async (t) => {
  const event = open(t);
  event.holdAnswers();
  await pass(5);
  assert.ok(event.questions > 0);
  await event.bringSnapshot(1, "aaa");
  assert.equal(event.isConnected, true);
  await event.failAnswers();
  assert.equal(event.isConnected, true);
});

test("A failed poll while the stream is broken reports a lost connection", async (t) => {
  const event = await openAndAsk(t, 2, "haa");
  assert.equal(event.isConnected, true);
  event.holdAnswers();
  await pass(5);
  await event.failAnswers();
  assert.equal(event.isConnected, false);
});
