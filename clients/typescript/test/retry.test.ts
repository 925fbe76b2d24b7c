// Against a server that fails as it is told.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, test } from "node:test";
import { createClient, HoldfastError, type LiveMessage } from "../src/index.js";
import { parseEvents } from "../src/live.js";

type Behaviour = (request: IncomingMessage, response: ServerResponse, count: number) => void;

let fake: Server | undefined;
afterEach(() => {
  fake?.closeAllConnections();
  fake?.close();
});

/** Starts it; the requests that came, by their headers. */
async function behave(behaviour: Behaviour): Promise<{ url: string; requests: IncomingMessage["headers"][] }> {
  const requests: IncomingMessage["headers"][] = [];
  fake = createServer((request, response) => {
    requests.push(request.headers);
    request.resume().on("end", () => behaviour(request, response, requests.length));
  }).listen(0, "127.0.0.1");
  await once(fake, "listening");
  return { url: `http://127.0.0.1:${(fake.address() as AddressInfo).port}`, requests };
}

function answer(response: ServerResponse, status: number, body: unknown = {}, headers: Record<string, string> = {}) {
  response.writeHead(status, { "Content-Type": status < 400 ? "application/json" : "application/problem+json", ...headers });
  response.end(JSON.stringify(body));
}

const wish = { customerId: "c", seatIds: ["T-1"] };
const busy = { code: "unavailable", detail: "busy" };

test("503, 429 and lost connections are tried again under the same key", async () => {
  const { url, requests } = await behave((request, response, count) => {
    if (count === 1) return answer(response, 503, busy, { "Retry-After": "0" });
    if (count === 2) return void request.socket.destroy();
    if (count === 3) return answer(response, 429, { code: "rate_limited" }, { "Retry-After": "0" });
    answer(response, 201, { id: "r" });
  });
  assert.equal((await createClient({ baseUrl: url, apiKey: "hf_x" }).createReservation(wish)).id, "r");
  assert.equal(requests.length, 4);
  assert.equal(new Set(requests.map((r) => r["idempotency-key"])).size, 1);
  assert.match(String(requests[0]?.["idempotency-key"]), /^[0-9a-f]{32}$/);
  assert.equal(requests[0]?.authorization, "Bearer hf_x");
});

test("two calls have two keys", async () => {
  const { url, requests } = await behave((_request, response) => answer(response, 201, {}));
  const client = createClient({ baseUrl: url });
  await client.createReservation(wish);
  await client.createReservation(wish);
  assert.notEqual(requests[0]?.["idempotency-key"], requests[1]?.["idempotency-key"]);
});

test("Retry-After is waited for", async () => {
  const { url } = await behave((_request, response, count) => (count === 1 ? answer(response, 503, busy, { "Retry-After": "1" }) : answer(response, 200, {})));
  const begun = Date.now();
  await createClient({ baseUrl: url }).getEvent("e");
  assert.ok(Date.now() - begun >= 1_000);
});

test("it gives up after its retries, with the last answer", async () => {
  const { url, requests } = await behave((_request, response) => answer(response, 503, busy, { "Retry-After": "0" }));
  await assert.rejects(createClient({ baseUrl: url, retries: 2 }).createReservation(wish), (error: HoldfastError) => error.code === "unavailable" && error.retryAfter === 0);
  assert.equal(requests.length, 3);
});

test("a server that asks for more than half a minute is not waited for", async () => {
  const { url, requests } = await behave((_request, response) => answer(response, 429, { code: "rate_limited" }, { "Retry-After": "3600" }));
  await assert.rejects(createClient({ baseUrl: url }).getEvent("e"), (error: HoldfastError) => error.retryAfter === 3_600);
  assert.equal(requests.length, 1);
});

test("a refusal is not tried again", async () => {
  const { url, requests } = await behave((_request, response) => answer(response, 409, { code: "seat_unavailable", seatIds: ["T-1"] }));
  await assert.rejects(createClient({ baseUrl: url }).createReservation(wish), HoldfastError);
  assert.equal(requests.length, 1);
});

test("an answer that does not come in time is tried again, then given up", async () => {
  const { url, requests } = await behave(() => undefined);
  await assert.rejects(createClient({ baseUrl: url, retries: 1, timeoutMs: 50 }).getEvent("e"), (error: HoldfastError) => error.code === "timeout");
  assert.equal(requests.length, 2);
});

test("a fetch that does not notice an abort is not waited for", async () => {
  const options = { baseUrl: "http://127.0.0.1:1", retries: 0, timeoutMs: 20 };
  const never = () => new Promise<Response>(() => undefined);
  await assert.rejects(createClient({ ...options, fetch: never }).getEvent("e"), (error: HoldfastError) => error.code === "timeout");
  let opened = 0;
  const silent = () => Promise.resolve(new Response(new ReadableStream({ start: () => void ++opened }), { headers: { "Content-Type": "text/event-stream" } }));
  await assert.rejects(createClient({ ...options, fetch: silent }).getEvent("e"), (error: HoldfastError) => error.code === "timeout");
  const stop = new AbortController();
  const following = createClient({ ...options, fetch: silent }).live("e", { signal: stop.signal, silenceMs: 20 }).next();
  while (opened < 3) await new Promise((resolve) => setTimeout(resolve, 5));
  stop.abort();
  assert.ok((await following).done);
});

test("nobody at the address is `unreachable`", async () => {
  await assert.rejects(createClient({ baseUrl: "http://127.0.0.1:1", retries: 1 }).getEvent("e"), (error: HoldfastError) => error.code === "unreachable" && error.status === 0);
});

test("a page that is not Holdfast's is an error with its status", async () => {
  const { url } = await behave((_request, response) => void response.writeHead(502, { "Content-Type": "text/html" }).end("<h1>Bad gateway"));
  await assert.rejects(createClient({ baseUrl: url }).getEvent("e"), (error: HoldfastError) => error.status === 502 && error.code === "unexpected_answer");
});

test("a DELETE whose first answer was lost succeeds when there is nothing left", async () => {
  const { url } = await behave((request, response, count) => (count === 1 ? void request.socket.destroy() : answer(response, 404, { code: "not_found" })));
  await createClient({ baseUrl: url }).deleteWebhook("w");
});

test("an abort ends a call, and its wait for another try, with the signal's reason", async () => {
  const { url } = await behave((_request, response) => answer(response, 503, busy, { "Retry-After": "20" }));
  const stop = new AbortController();
  const call = createClient({ baseUrl: url }).createReservation(wish, { signal: stop.signal });
  setTimeout(() => stop.abort(new Error("enough")), 50);
  await assert.rejects(call, /enough/);
});

const stream = { "Content-Type": "text/event-stream" };
const event = (seq: number, type: string, data: object) => `id: ${seq}\nevent: ${type}\ndata: ${JSON.stringify({ seq, ...data })}\n\n`;

test("a live stream that breaks is resumed, and nothing comes twice", async () => {
  const { url, requests } = await behave((request, response, count) => {
    if (count === 2) return answer(response, 503, busy, { "Retry-After": "0" });
    response.writeHead(200, stream);
    if (count === 1) {
      response.write(event(4, "snapshot", { planVersion: 1, states: "aaaa" }) + ": a comment\n\n" + event(5, "changes", { seats: [[2, "h"]] }));
      setTimeout(() => request.socket.destroy(), 20);
    } else {
      response.write(event(5, "changes", { seats: [[2, "h"]] }) + event(6, "later_kind", {}) + event(7, "changes", { seats: [[2, "s"]] }));
    }
  });
  const stop = new AbortController();
  const seen: LiveMessage[] = [];
  for await (const message of createClient({ baseUrl: url }).live("e", { signal: stop.signal })) {
    seen.push(message);
    if (message.seq === 7) stop.abort();
  }
  assert.deepEqual(seen.map((m) => `${m.type} ${m.seq}`), ["snapshot 4", "changes 5", "changes 7"]);
  assert.deepEqual(requests.map((r) => r["last-event-id"]), [undefined, "5", "5"]);
});

test("a live stream that falls silent is opened again", async () => {
  const { url, requests } = await behave((_request, response) => {
    response.writeHead(200, stream);
    response.write(event(4, "snapshot", { planVersion: 1, states: "a" }));
  });
  const stop = new AbortController();
  const following = (async () => {
    for await (const message of createClient({ baseUrl: url }).live("e", { signal: stop.signal, silenceMs: 40 })) assert.equal(message.seq, 4);
  })();
  while (requests.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  stop.abort();
  await following;
});

test("a stream has begun with its first whole message or comment", async () => {
  const begin = event(4, "snapshot", { planVersion: 1, states: "aa" });
  const { url, requests } = await behave((_request, response, count) => {
    response.writeHead(200, stream);
    response.write([begin.slice(0, -1), begin, ":\n\n"][Math.min(count, 3) - 1]);
  });
  const stop = new AbortController();
  const told: unknown[] = [];
  const onConnection = (isConnected: boolean) => {
    told.push(isConnected);
    if (isConnected && requests.length >= 3) stop.abort();
  };
  for await (const { type } of createClient({ baseUrl: url }).live("e", { signal: stop.signal, silenceMs: 1_000, onConnection })) told.push(type);
  assert.deepEqual(told, [false, true, "snapshot", false, true]);
});

test("an unknown event ends the stream with an error", async () => {
  const { url } = await behave((_request, response) => answer(response, 404, { code: "event_not_found" }));
  await assert.rejects(createClient({ baseUrl: url }).live("e").next(), (error: HoldfastError) => error.code === "event_not_found");
});

test("server-sent events are read from pieces of any size, with any line ends", async () => {
  for (const [size, end] of [[1, "\r\n"], [1, "\n"], [3, "\r\n"], [1_000, "\r"]] as const) {
    const text = [":c", "event: x", "data: {\"a\":", "data: \"ü\"}", "", "data:2", "", ""].join(end) + "x";
    const bytes = new TextEncoder().encode(text);
    const pieces = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.subarray(at, at + size));
        controller.close();
      },
    });
    const events = [];
    for await (const each of parseEvents(pieces, new AbortController().signal)) events.push(each);
    assert.deepEqual(events, [{ type: "x", data: "{\"a\":\n\"ü\"}" }, { type: "message", data: "2" }], `${size} ${JSON.stringify(end)}`);
  }
});

test("changes are followed by long poll, each once, until the signal", async () => {
  const { url } = await behave((request, response, count) => {
    const after = Number(new URL(request.url ?? "", "http://x").searchParams.get("after"));
    if (count === 2) return void request.socket.destroy();
    answer(response, 200, { items: [after, after + 1, after + 2].filter((seq) => seq > 0).map((seq) => ({ seq, type: "blocked" })), seq: after + 2 });
  });
  const stop = new AbortController();
  const seqs: number[] = [];
  for await (const change of createClient({ baseUrl: url }).changes("e", 0, { signal: stop.signal })) {
    seqs.push(change.seq);
    if (seqs.length === 7) stop.abort();
  }
  assert.deepEqual(seqs, [1, 2, 3, 4, 5, 6, 7]);
});
