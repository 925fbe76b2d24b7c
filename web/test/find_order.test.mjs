// How the desk looks for the reservations of an order. How it looks in a browser: tests/browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const stdin = { contents: 'export * from "./find_order";', resolveDir: fileURLToPath(new URL("../src/console", import.meta.url)) };
const { outputFiles } = await build({ stdin, bundle: true, format: "esm", write: false });
const { ofOrder } = await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);

/** Answers with the pages of each event, one after the other, and remembers what it was asked. */
function server(pagesOf) {
  const asked = [];
  const ask = async (eventId, cursor) => {
    asked.push(eventId);
    const at = Number(cursor ?? 0);
    const pages = pagesOf[eventId];
    return { items: pages[at], nextCursor: at + 1 < pages.length ? String(at + 1) : null };
  };
  return { asked, ask };
}

test("An order of the newest event is found however many reservations older events have", async () => {
  const { asked, ask } = server({ new: [["mine"]], old: Array(1_000).fill([]) });
  const { reservations, isAll } = await ofOrder(["new", "old"], ask);
  assert.deepEqual(reservations, ["mine"]);
  assert.equal(asked[0], "new");
  assert.equal(asked.length, 100);
  assert.equal(isAll, false, "the old event was not looked through to its end");
});

test("A search that reached the end says that its results are complete", async () => {
  const { asked, ask } = server({ new: [[], ["one"], []], old: [["two"]] });
  assert.deepEqual(await ofOrder(["new", "old"], ask), { reservations: ["one", "two"], isAll: true });
  assert.deepEqual(asked, ["new", "new", "new", "old"]);
});

test("A hundred pages without a next one are the whole list", async () => {
  const { ask } = server({ old: Array(100).fill([]) });
  assert.deepEqual(await ofOrder(["old"], ask), { reservations: [], isAll: true });
  const { ask: more } = server({ old: Array(101).fill([]) });
  assert.deepEqual(await ofOrder(["old"], more), { reservations: [], isAll: false });
});

test("An event that is gone has none", async () => {
  assert.deepEqual(await ofOrder(["gone"], async () => null), { reservations: [], isAll: true });
});
