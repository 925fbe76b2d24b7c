// Behind a proxy that passes on the head of a live stream and keeps back what follows.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, startServer, visit } from "./harness.mjs";
import { colorAt, holdAsSomebody, planOf, ready } from "./map.mjs";
import { Proxy } from "./proxy.mjs";

const server = await startServer({ flags: ["--demo"] });

/** Two tabs of one visitor, and the proxy that they ask. Nothing of a stream's body goes through yet. */
async function open(t) {
  const { id } = await server.importVenue("theatre");
  const proxy = await Proxy.start(server);
  const expects = [/ERR_INCOMPLETE_CHUNKED_ENCODING/];
  const tabs = [];
  try {
    tabs.push(await visit(t, proxy, `/?event=${id}`, { expects }));
    tabs.push(await visit(t, proxy, `/?event=${id}`, { context: tabs[0].context(), expects }));
  } finally {
    t.after(() => proxy.end());   // after the tabs: they would complain that nobody answers
  }
  for (const tab of tabs) await ready(tab);
  return { proxy, plan: await planOf(server, id), tabs };
}

/** Somebody holds seat `i`, and each tab shows it. */
async function expectHoldShows(tabs, plan, i) {
  const before = await Promise.all(tabs.map((tab) => colorAt(tab, plan, i)));
  await holdAsSomebody(server, [plan.seats.id[i]]);
  for (const [k, tab] of tabs.entries()) await eventually(`tab ${k} shows the hold of seat ${i}`, async () => String(await colorAt(tab, plan, i)) !== String(before[k]));
}

test("A stream with only a head counts as none: the tabs poll the states, even after it was opened again", async (t) => {
  const { proxy, plan, tabs } = await open(t);
  await expectHoldShows(tabs, plan, 300);
  const { heads } = proxy;
  assert.ok(heads > 0);
  proxy.breakStreams();
  await eventually("the stream is opened again", () => proxy.heads > heads);
  // The first of them may show by a question that was on its way already.
  for (const i of [301, 302]) await expectHoldShows(tabs, plan, i);
});

test("A delayed snapshot undoes nothing, and a stream that has caught up stops the polling", async (t) => {
  const { proxy, plan, tabs } = await open(t);
  const free = await Promise.all(tabs.map((tab) => colorAt(tab, plan, 300)));
  await expectHoldShows(tabs, plan, 300);
  proxy.let(1);   // the snapshot, of before the hold
  for (const i of [301, 302]) await expectHoldShows(tabs, plan, i);
  for (const [k, tab] of tabs.entries()) assert.notEqual(String(await colorAt(tab, plan, 300)), String(free[k]), `tab ${k} shows the hold that it has shown`);

  proxy.let(Infinity);
  let asked = -1;
  let since = 0;
  await eventually("nobody has asked for five seconds", () => {
    if (proxy.questions !== asked) [asked, since] = [proxy.questions, performance.now()];
    return performance.now() - since > 5_000;
  });
  await expectHoldShows(tabs, plan, 303);
  assert.equal(proxy.questions, asked);
});
