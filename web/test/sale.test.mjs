// What the pages make of the server's answers when they come late, in the wrong order, or not at all. How it looks: tests/browser.
import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

// ---- a browser, as far as these parts ask for one

const web = fileURLToPath(new URL("..", import.meta.url));
const define = (name, value) => Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
define("document", { visibilityState: "visible", addEventListener() {}, removeEventListener() {} });
define("window", new EventTarget());
define("localStorage", { getItem: () => null, setItem() {} });
define("sessionStorage", { getItem: () => null, setItem() {}, removeItem() {} });
define("navigator", { languages: ["en-GB"] });

let time = 1_000;   // of the browser's monotonic clock, in milliseconds
define("performance", { now: () => time });

define("BroadcastChannel", EventTarget);   // Node.js' own would keep the test from ending

// Pauses are a twentieth of what they are told to be.
const haste = 20;
const { setTimeout: later } = globalThis;
define("setTimeout", (call, ms, ...rest) => later(call, ms / haste, ...rest));

/** Answers calls; what it returns is JSON of status 200, or a Response, or never when it does not end. */
let server = () => assert.fail("nothing was to be asked");
define("fetch", async (url, init) => {
  const answer = await server(init.method, new URL(url, "http://server").pathname + new URL(url, "http://server").search, init);
  return answer instanceof Response ? answer : new Response(JSON.stringify(answer), { headers: { "Content-Type": "application/json" } });
});
const refusal = (status, code) => new Response(JSON.stringify({ code, message: code }), { status, headers: { "Content-Type": "application/json" } });
const never = () => new Promise(() => undefined);

const stdin = {
  contents: 'export { Sale } from "./sale"; export { Seats } from "./seats"; export { OneAtATime } from "../shared/one_at_a_time"; export { poll } from "../console/polling"; export { clock } from "./session";',
  resolveDir: `${web}src/map`,
};
const { outputFiles } = await build({ stdin, bundle: true, format: "esm", write: false, absWorkingDir: web, tsconfig: "tsconfig.json", target: "es2022" });
const { Sale, Seats, OneAtATime, poll, clock } = await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);

// ---- a sale

const event = { id: "e", name: "E", currency: "EUR", status: "on_sale", holdSeconds: 600, maxHoldSeconds: 900, limits: { seatsPerReservation: 10, heldSeatsPerCustomer: 0 } };
const plan = {
  eventId: "e", planVersion: 1, size: 4, sections: ["Hall"], names: ["1"], categories: [{ name: "All", price: 10, color: null }],
  seats: { id: ["s0", "s1", "s2", "s3"], section: [0, 0, 0, 0], row: [0, 0, 0, 0], number: ["1", "2", "3", "4"], category: [0, 0, 0, 0], x: [0, 20, 40, 60], y: [0, 0, 0, 0] },
};
const reservation = (id, more = {}) => ({
  id, status: "active", createdAt: new Date(clock.now()).toISOString(), expiresAt: new Date(clock.now() + 600_000).toISOString(), currency: "EUR", total: 10,
  seats: [{ id: "s0", label: "Hall-1-1", state: "held", category: "All", price: 10 }], ...more,
});
const lists = (active, consumed = []) => (method, path) => {
  if (path.includes("status=active")) return { items: active, nextCursor: null };
  if (path.includes("status=consumed")) return { items: consumed, nextCursor: null };
  return assert.fail(`${method} ${path}`);
};

const sales = [];
function open() {
  const seats = new Seats(plan);
  seats.setAll("aaaa");
  const sale = new Sale(event, seats);
  sales.push(sale);
  return sale;
}
beforeEach(() => {
  server = () => assert.fail("nothing was to be asked");
});
after(() => sales.forEach((sale) => sale.end()));

async function turns(n) {
  for (let i = 0; i < n; ++i) await null;
}

test("A request made while an answer is in flight gets the answer to a later request", async () => {
  for (let n = 0; n < 40; ++n) {
    let begun = 0;
    const question = new OneAtATime(async () => {
      const own = ++begun;
      await turns(3);
      if (own === 1) throw new Error("the first one fails");
    });
    const first = question.ask();
    await turns(n);
    const before = begun;
    const isOnItsWay = n < 3;
    await Promise.all([question.ask(), question.ask(), question.ask()]);
    assert.ok(begun > before, `asked ${n} turns later, no question began`);
    if (isOnItsWay) assert.equal(begun, before + 1, "those who ask meanwhile share one");
    await first;
  }
});

test("After an action, the desk uses only answers to requests that began afterwards", async () => {
  let done = false;
  let begun = 0;
  let answer;
  const asked = poll(1_000_000, async () => {
    const own = done;
    ++begun;
    await new Promise((go) => (answer = go));
    return own;
  });
  done = true;   // while the first question is on its way
  const afterwards = asked.ask();
  answer();
  await turns(50);
  assert.equal(begun, 2, "another question has begun");
  answer();
  await afterwards;
  assert.equal(asked.reading.value.value, true);
  asked.stop();
});

test("Reservations that change while an answer arrives are asked for once more", async () => {
  // As a word from another tab does, at each instant around the end of a question.
  for (let n = 0; n < 60; ++n) {
    const sale = open();
    let asked = 0;
    server = (method, path) => {
      if (path.includes("status=active")) ++asked;
      return lists(asked > 1 ? [reservation("r")] : [])(method, path);
    };
    const first = sale.refresh();
    while (asked === 0) await null;
    await turns(n);
    await sale.refresh();
    await first;
    assert.equal(sale.holds.value.length, 1, `a question ${n} turns after the first one was lost`);
    sale.end();
  }
});

test("The next answer reports a hold whose end could not be looked up", async () => {
  const sale = open();
  const hold = reservation("r");
  server = lists([hold]);
  await sale.refresh();
  server = (method, path) => (path.startsWith("/v1/reservations/r") ? refusal(500, "internal_error") : lists([])(method, path));
  await sale.refresh();
  assert.equal(sale.notice.value, undefined);
  server = (method, path) => (path.startsWith("/v1/reservations/r") ? { ...hold, status: "expired" } : lists([])(method, path));
  await sale.refresh();
  assert.equal(sale.notice.value?.title(), "Your time is over");
  assert.deepEqual(sale.holds.value, []);
});

test("A hold that the server no longer knows disappears silently", async () => {
  const sale = open();
  server = lists([reservation("r")]);
  await sale.refresh();
  server = (method, path) => (path.startsWith("/v1/reservations/r") ? refusal(404, "reservation_not_found") : lists([])(method, path));
  await sale.refresh();
  assert.deepEqual(sale.holds.value, []);
  assert.equal(sale.notice.value, undefined);
});

test("Seconds that a busy browser has skipped are announced all the same, once", async () => {
  const sale = open();
  server = lists([reservation("r", { expiresAt: new Date(clock.now() + 12_000).toISOString() })]);
  await sale.refresh();
  const said = [];
  for (const pass of [0, 1_000, 3_000, 1_000, 1_000]) {   // 12, 11, 8, 7, 6 s are left
    time += pass;
    sale.say("");
    clock.tick.value++;
    said.push(sale.said.value);
  }
  assert.deepEqual(said, ["", "", "8 seconds left.", "", ""]);
});

test("A hold without an answer blocks the buttons for seconds, not minutes, and its outcome is looked up", async () => {
  const sale = open();
  const keys = new Set();
  let isAway = true;
  server = (method, path, init) => {
    if (method === "GET") return isAway ? never() : lists([reservation("r")])(method, path);
    keys.add(init.headers["Idempotency-Key"]);
    return never();   // it has been done, and its answer is lost
  };
  const began = Date.now();
  await sale.actions.hold([0]);
  const took = (Date.now() - began) * haste;   // a machine that is busy may add seconds; it was minutes
  assert.ok(took < 90_000, `${took} ms`);
  assert.equal(sale.actions.busy.value, false);
  assert.equal(sale.notice.value?.tone, "bad");
  assert.equal(keys.size, 1, "a repeat is the same request");
  isAway = false;
  while (sale.holds.value.length === 0) await new Promise((go) => later(go, 5));
  assert.deepEqual(sale.picked.value, [], "the seat is his own");
});

test("A visitor who was a moment late is told so, even if their reservations cannot be read", async () => {
  const sale = open();
  server = (method) => (method === "POST" ? new Response(JSON.stringify({ code: "seat_unavailable", message: "m", seatIds: ["s1"] }), { status: 409, headers: { "Content-Type": "application/json" } }) : never());
  const began = Date.now();
  await sale.actions.hold([1]);
  const took = (Date.now() - began) * haste;
  assert.ok(took < 60_000, `${took} ms`);
  assert.equal(sale.notice.value?.title(), "Somebody else was faster");
  assert.equal(sale.actions.busy.value, false);
});
