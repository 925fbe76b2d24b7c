// Many tabs of one browser: they share one stream, so none starves, and what happens shows in each.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, startServer, visit } from "./harness.mjs";
import { colorAt, holdAsSomebody, planOf, ready } from "./map.mjs";

const server = await startServer({ flags: ["--demo"] });

/** Streams that the server has open now. */
async function streams() {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return Number(/^holdfast_live_listeners (\d+)/m.exec(text)?.[1] ?? 0);
}
const oneStream = () => eventually("one stream is open", async () => (await streams()) === 1);

/** `count` tabs of one visitor at an event's map; the first one reads the stream. */
async function tabsAt(t, id, count, options = {}) {
  const first = await visit(t, server, `/?event=${id}`, options);
  await ready(first);
  const tabs = [first];
  while (tabs.length < count) tabs.push(await visit(t, server, `/?event=${id}`, { ...options, context: first.context() }));
  for (const tab of tabs) await ready(tab);
  return tabs;
}

/** Somebody holds seat `i`, and each tab shows it. */
async function expectHoldShows(tabs, plan, i) {
  const before = await Promise.all(tabs.map((tab) => colorAt(tab, plan, i)));
  await holdAsSomebody(server, [plan.seats.id[i]]);
  for (const [k, tab] of tabs.entries()) await eventually(`tab ${k} shows the hold of seat ${i}`, async () => String(await colorAt(tab, plan, i)) !== String(before[k]));
}

/** As the browser does when another tab is looked at. */
const setHidden = (page, isHidden) =>
  page.evaluate((hidden) => {
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => (hidden ? "hidden" : "visible") });
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
  }, isHidden);

test("Seven tabs all load, share one stream, and a hold from the last of them is answered at once", async (t) => {
  const { id } = await server.importVenue("theatre");
  const plan = await planOf(server, id);
  const tabs = await tabsAt(t, id, 7);
  await oneStream();
  await expectHoldShows(tabs, plan, 300);
  const last = tabs.at(-1);
  const took = await last.evaluate(async () => {
    const began = performance.now();
    [...document.querySelectorAll("button")].find((button) => button.textContent.startsWith("Hold the best")).click();
    while (document.querySelector("[role=timer]") === null) {
      if (performance.now() - began > 20_000) return Infinity;
      await new Promise((go) => setTimeout(go, 10));
    }
    return performance.now() - began;
  });
  t.diagnostic(`the hold took ${Math.round(took)} ms`);
  assert.ok(took < 5_000, `${took} ms`);   // with a stream a tab it waited until a tab was closed
  for (const tab of tabs) await tab.getByRole("timer").waitFor();
  assert.equal(await streams(), 1);
});

test("When the tab that reads is closed, frozen or hidden, another one reads on", async (t) => {
  const { id } = await server.importVenue("theatre");
  const plan = await planOf(server, id);
  const tabs = await tabsAt(t, id, 4);
  await oneStream();
  await tabs.shift().close();
  await expectHoldShows(tabs, plan, 301);
  await oneStream();

  const session = await tabs[0].context().newCDPSession(tabs[0]);
  await session.send("Page.setWebLifecycleState", { state: "frozen" });
  await expectHoldShows(tabs.slice(1), plan, 302);
  await session.send("Page.setWebLifecycleState", { state: "active" });
  await expectHoldShows(tabs, plan, 303);
  await oneStream();

  await setHidden(tabs[1], true);
  await expectHoldShows([tabs[0], tabs[2]], plan, 304);
  await oneStream();
});

test("A reading tab that is silent counts as stuck, and another tab takes over", async (t) => {
  const { id } = await server.importVenue("theatre");
  const plan = await planOf(server, id);
  const tabs = await tabsAt(t, id, 3, {
    init: () => {
      const post = BroadcastChannel.prototype.postMessage;
      BroadcastChannel.prototype.postMessage = function (message) {
        if (!window.isStuck) post.call(this, message);
      };
    },
  });
  await oneStream();
  const readers = () =>
    tabs[1].evaluate(async () => (await navigator.locks.query()).held.filter(({ name }) => name.startsWith("holdfast.live.")).map(({ clientId }) => clientId));
  const before = await readers();
  assert.equal(before.length, 1);
  await tabs[0].evaluate(() => (window.isStuck = true));
  await expectHoldShows(tabs.slice(1), plan, 305);   // by asking, before anything else
  await eventually("the stream is another tab's", async () => {
    const now = await readers();
    return now.length === 1 && now[0] !== before[0];
  });
  await tabs[0].evaluate(() => (window.isStuck = false));
  await expectHoldShows(tabs, plan, 306);
  await oneStream();
});

test("A hidden page reads no stream, and catches up when it is shown again", async (t) => {
  const { id } = await server.importVenue("theatre");
  const plan = await planOf(server, id);
  const [page] = await tabsAt(t, id, 1);
  await oneStream();
  await setHidden(page, true);
  await eventually("no stream is open", async () => (await streams()) === 0);
  const before = String(await colorAt(page, plan, 307));
  await holdAsSomebody(server, [plan.seats.id[307]]);
  await setHidden(page, false);
  await eventually("it shows the hold", async () => String(await colorAt(page, plan, 307)) !== before);
  await oneStream();

  await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true })));
  await eventually("no stream is open", async () => (await streams()) === 0);
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
  await oneStream();
});

test("A browser without locks asks for the states instead, and opens no stream", async (t) => {
  const { id } = await server.importVenue("theatre");
  const plan = await planOf(server, id);
  const opened = [];
  const page = await visit(t, server, undefined, { init: () => Object.defineProperty(Navigator.prototype, "locks", { value: undefined }) });
  page.on("request", (request) => request.url().endsWith("/live") && opened.push(request.url()));
  await page.goto(`${server.url}/?event=${id}`);
  await ready(page);
  await expectHoldShows([page], plan, 308);
  assert.deepEqual(opened, []);
});

test("A server that says when to ask again for the states is not asked before", async (t) => {
  const { id } = await server.importVenue("theatre");
  const plan = await planOf(server, id);
  const page = await visit(t, server, undefined, { expects: [/503/], init: () => Object.defineProperty(Navigator.prototype, "locks", { value: undefined }) });
  const retryAfter = 4;
  const asked = [];
  let isBusy = false;
  await page.route("**/states", async (route) => {
    if (!isBusy) return route.continue();
    asked.push(performance.now());
    await route.fulfill({ status: 503, headers: { "Retry-After": String(retryAfter) }, json: { error: { code: "unavailable", message: "later" } } });
  });
  await page.goto(`${server.url}/?event=${id}`);
  await ready(page);
  isBusy = true;
  await eventually("it has asked, and tried again, and asked anew", () => asked.length >= 5, 60_000);
  isBusy = false;
  const waits = asked.slice(1).map((at, k) => at - asked[k]);
  t.diagnostic(`waits: ${waits.map(Math.round).join(", ")} ms`);
  for (const wait of waits) assert.ok(wait >= retryAfter * 1_000 - 100, `${wait} ms`);
  await expectHoldShows([page], plan, 311);
});

test("Tabs at more events than a browser should have streams for: the others ask, and all show what happens", async (t) => {
  const events = [];
  for (let n = 0; n < 5; ++n) events.push((await server.importVenue("theatre")).id);
  const tabs = [];
  for (const id of events) {
    const tab = await visit(t, server, `/?event=${id}`, tabs.length === 0 ? {} : { context: tabs[0].context() });
    await ready(tab);
    tabs.push(tab);
  }
  await eventually("three streams are open", async () => (await streams()) === 3);
  for (const [n, id] of events.entries()) await expectHoldShows([tabs[n]], await planOf(server, id), 309);
  assert.equal(await streams(), 3);
});

test("Tabs of the desk share a stream, too", async (t) => {
  const { id } = await server.importVenue("theatre");
  const first = await visit(t, server, `/console#/event/${id}`);
  const second = await visit(t, server, `/console#/event/${id}`, { context: first.context() });
  for (const tab of [first, second]) await tab.getByText(/^as of change \d/).first().waitFor();
  await oneStream();
  const plan = await planOf(server, id);
  await holdAsSomebody(server, [plan.seats.id[310]]);
  for (const tab of [first, second]) await tab.locator(".seats-of-event .as-of").getByText("as of change 3").waitFor();
});
