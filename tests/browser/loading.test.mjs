// What a page loads, and how much of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startServer, visit } from "./harness.mjs";

const firstLoadBytesMax = 150 * 1024;

const server = await startServer();

for (const path of ["/", "/console"]) {
  test(`${path} loads less than 150 KiB, from its own server only`, async (t) => {
    const page = await visit(t, server);
    const session = await page.context().newCDPSession(page);
    await session.send("Network.enable");
    const addresses = new Map();
    let bytes = 0;
    session.on("Network.requestWillBeSent", ({ requestId, request }) => addresses.set(requestId, request.url));
    session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
      if (!new URL(addresses.get(requestId)).pathname.startsWith("/v1/")) bytes += encodedDataLength;
    });
    await page.goto(server.url + path);
    await page.getByRole("main").waitFor();
    await page.evaluate(() => document.fonts.ready);
    assert.ok(addresses.size >= 4, `${addresses.size} requests`);
    for (const address of addresses.values()) assert.equal(new URL(address).origin, server.url);
    t.diagnostic(`${path}: ${bytes} bytes, heads of answers included`);
    assert.ok(bytes > 20_000 && bytes < firstLoadBytesMax, `${bytes} bytes`);
  });

  test(`${path} loads its files once, and then only asks whether the page is still the same`, async (t) => {
    const page = await visit(t, server, path);
    await page.getByRole("main").waitFor();
    const session = await page.context().newCDPSession(page);
    await session.send("Network.enable");
    const again = [];
    session.on("Network.responseReceived", ({ response }) => again.push(response));
    const kept = new Set();
    const names = new Map();
    session.on("Network.requestWillBeSent", ({ requestId, request }) => names.set(requestId, request.url));
    session.on("Network.requestServedFromCache", ({ requestId }) => kept.add(names.get(requestId)));
    const answer = await page.goto(server.url + path);
    await page.getByRole("main").waitFor();
    assert.equal(answer.headers()["cache-control"], "no-cache");
    const assets = again.filter(({ url }) => url.includes("/assets/"));
    assert.ok(assets.length >= 3, `${assets.length} assets`);
    for (const { url, fromDiskCache } of assets) assert.ok(fromDiskCache || kept.has(url), `${url} was loaded again`);
  });
}
