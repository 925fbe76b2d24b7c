// examples/ordering: the cart of contract 1's platform answers at once, whether the message of a reservation has come, comes late, or never does.
//
// With a Kafka that ./dev test has started (HOLDFAST_TEST_KAFKA), else without one.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const kafka = process.env.HOLDFAST_TEST_KAFKA?.replace(/^kafka:\/\//, "");
const cartProgram = fileURLToPath(new URL("../../examples/ordering/cart.mjs", import.meta.url));
const kafkajs = createRequire(cartProgram)("kafkajs");   // the example's own
const prefix = `ordering-${randomUUID()}-`;
const patienceMs = 240_000;     // for all waits together. CTest ends the test after 300 s, and then nothing says what it waited for
const endPatienceMs = 20_000;   // for the children to end, all at once
const deadline = Date.now() + patienceMs;

let folder;
let holdfast;        // its URL
const ends = [];     // functions that end what was started
let cartWithKafka;   // its URL; undefined without Kafka
let cartWithout;

async function until(what, condition) {
  for (; Date.now() < deadline; await sleep(50)) {
    const found = await condition();
    if (found) return found;
  }
  throw new Error(`waited in vain for: ${what}`);
}

function start(name, program, args, environment, stderr = "inherit") {
  const mine = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("HOLDFAST_")));
  const child = spawn(program, args, { stdio: ["ignore", "pipe", stderr], env: { ...mine, ...environment } });
  ends.push(() => end(name, child));
  return child;
}

// A child that does not end would keep this process from ending.
async function end(name, child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  const kill = setTimeout(() => child.kill("SIGKILL"), endPatienceMs);
  const [, signal] = await exit;
  clearTimeout(kill);
  assert.notEqual(signal, "SIGKILL", `${name} did not end within ${endPatienceMs} ms of SIGTERM`);
}

async function startHoldfast() {
  const portFile = join(folder, "port");
  const flags = ["serve", "--data", join(folder, "data"), "--port", "0", "--port-file", portFile];
  if (kafka !== undefined) flags.push("--feed", `kafka://${kafka}`, "--feed-topic-prefix", prefix, "--feed-payments-group", `${prefix}payments`);
  const child = start("Holdfast", process.env.HOLDFAST_BINARY, flags, {});
  child.stdout.resume();
  const port = await until("Holdfast serves", async () => {
    assert.equal(child.exitCode, null, "Holdfast ended");
    return (await readFile(portFile, "utf8").catch(() => "")).trim();
  });
  return `http://127.0.0.1:${port}`;
}

async function startCart(brokers, url = holdfast) {
  const child = start(`the cart of ${brokers}`, process.execPath, [cartProgram], { HOLDFAST_URL: url, KAFKA: brokers, PORT: "0", TOPIC_PREFIX: prefix, GROUP: `${prefix}${randomUUID()}` });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part) => (text += part));
  const port = await until("the cart serves", () => {
    assert.equal(child.exitCode, null, "the cart ended");
    return /listening on ([0-9]+)/.exec(text)?.[1];
  });
  return `http://127.0.0.1:${port}`;
}

async function ask(url, init = {}) {
  const signal = AbortSignal.timeout(Math.max(1, deadline - Date.now()));
  return fetch(url, { ...init, signal }).catch((error) => {
    throw new Error(`${init.method ?? "GET"} ${url} got no answer`, { cause: error });
  });
}

async function call(method, url, body) {
  const init = { method };
  if (body !== undefined) {
    init.headers = { "Content-Type": "application/json" };
    init.body = typeof body === "string" ? body : JSON.stringify(body);
  }
  const response = await ask(url, init);
  return { status: response.status, body: await response.json() };
}

async function makeEvent(seats, price = 45) {
  const ids = Array.from({ length: seats }, () => randomUUID());
  const { status, body } = await call("POST", `${holdfast}/v1/events`, {
    name: "Evening Talk",
    categories: [price === null ? { name: "Hall" } : { name: "Hall", price }],
    seats: ids.map((id, i) => ({ id, section: "A", row: "1", number: String(i + 1), category: "Hall" })),
  });
  assert.equal(status, 201, JSON.stringify(body));
  return ids;
}

async function reserve(seatId, customerId = "customer-1") {
  const { status, body } = await call("POST", `${holdfast}/reservations`, { seatId, customerId });
  assert.equal(status, 201, JSON.stringify(body));
  return body.reservationId;
}

// As Snappy's format has it, without compressing: the length, and one stretch of literal bytes.
function snappy(bytes) {
  assert.ok(bytes.length <= 60, "the longest stretch whose length is in its first byte");
  return Buffer.concat([Buffer.from([bytes.length, (bytes.length - 1) << 2]), bytes]);
}

const add = (cart, request) => call("POST", `${cart}/cart/add`, request);

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdfast-ordering-"));
  holdfast = await startHoldfast();
  cartWithout = await startCart("127.0.0.1:1");   // where nobody listens
  if (kafka === undefined) return;
  await until("Holdfast publishes", async () => /^holdfast_feed_publishing 1$/m.test(await (await ask(`${holdfast}/metrics`)).text()));
  cartWithKafka = await startCart(kafka);
});
after(async () => {
  const ended = await Promise.allSettled(ends.map((each) => each()));   // one that fails must not leave others running
  await rm(folder, { recursive: true, force: true });
  for (const { reason } of ended) if (reason !== undefined) throw reason;
});

test("a reservation whose message never comes is in the cart the moment it is answered", async () => {
  const [seatId] = await makeEvent(1);
  const reservationId = await reserve(seatId);
  const added = await add(cartWithout, { reservationId, seatId, price: 45, userId: "user-1" });
  assert.equal(added.status, 200, JSON.stringify(added.body));
  assert.equal(added.body.source, "holdfast");
  assert.deepEqual(added.body.items, [{ reservationId, seatId, price: 45 }]);
});

test("many buyers put their seats into carts without waiting, with Kafka too", { skip: kafka === undefined && "there is no Kafka" }, async () => {
  const seats = await makeEvent(100);
  await Promise.all(
    seats.map(async (seatId, i) => {
      const reservationId = await reserve(seatId, `customer-${i}`);
      const added = await add(cartWithKafka, { reservationId, seatId, price: 45, guestToken: `guest-${i}` });
      assert.equal(added.status, 200, JSON.stringify(added.body));
    }),
  );
});

test("a reservation whose message has come needs no question", { skip: kafka === undefined && "there is no Kafka" }, async () => {
  const [seatId] = await makeEvent(1);
  const reservationId = await reserve(seatId);
  const added = await until("the message has come", async () => {
    const answer = await add(cartWithKafka, { reservationId, seatId, price: 45, userId: "user-2" });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body.source === "message" ? answer : undefined;
  });
  assert.equal(added.body.items.length, 1, "the same reservation is one item");
});

test("an ended reservation is refused, as by Holdfast", async () => {
  const [seatId] = await makeEvent(1);
  const reservationId = await reserve(seatId);
  assert.equal((await call("POST", `${holdfast}/v1/reservations/${reservationId}/release`)).status, 200);
  assert.equal((await add(cartWithout, { reservationId, seatId, price: 45, userId: "user-3" })).status, 409);
});

test("a reservation that a message knew as active is refused once the message of its end is read", { skip: kafka === undefined && "there is no Kafka" }, async () => {
  const [seatId] = await makeEvent(1);
  const reservationId = await reserve(seatId);
  const request = { reservationId, seatId, price: 45, userId: "user-5" };
  await until("the message of the reservation has come", async () => (await add(cartWithKafka, request)).body.source === "message");
  assert.equal((await call("POST", `${holdfast}/v1/reservations/${reservationId}/release`)).status, 200);
  await until("the cart has read that it was released", async () => (await add(cartWithKafka, request)).status === 409);
});

test("a message that is no reservation's is skipped, and those behind it are read", { skip: kafka === undefined && "there is no Kafka" }, async () => {
  const producer = new kafkajs.Kafka({ clientId: "nonsense", brokers: [kafka], logLevel: kafkajs.logLevel.NOTHING }).producer();
  await producer.connect();
  for (const value of ["no JSON", "null", "[]", "{}", null]) await producer.send({ topic: `${prefix}reservation-created`, messages: [{ key: "k", value }] });
  await producer.disconnect();
  const [seatId] = await makeEvent(1);
  const reservationId = await reserve(seatId);
  await until("the message behind has come", async () => (await add(cartWithKafka, { reservationId, seatId, price: 45, userId: "user-6" })).body.source === "message");
});

// kafkajs cannot read Snappy, and takes that for an error that lasts. The client says nothing of it but its event.
test("a cart whose consumer has stopped for good consumes again", { skip: kafka === undefined && "there is no Kafka" }, async () => {
  const own = `${prefix}stopped-`;
  const topics = ["created", "expired", "consumed", "released"].map((name) => `${own}reservation-${name}`);
  const client = new kafkajs.Kafka({ clientId: "stopped", brokers: [kafka], logLevel: kafkajs.logLevel.NOTHING });
  const admin = client.admin();
  ends.push(() => admin.disconnect());
  await admin.connect();
  await admin.createTopics({ topics: topics.map((topic) => ({ topic, numPartitions: 1 })), waitForLeaders: true });
  kafkajs.CompressionCodecs[kafkajs.CompressionTypes.Snappy] = () => ({ compress: ({ buffer }) => snappy(buffer) });
  const producer = client.producer();
  ends.push(() => producer.disconnect());
  await producer.connect();
  await producer.send({ topic: topics[0], compression: kafkajs.CompressionTypes.Snappy, messages: [{ key: "k", value: "v" }] });

  const environment = { HOLDFAST_URL: holdfast, KAFKA: kafka, PORT: "0", TOPIC_PREFIX: own, GROUP: own };
  const cart = start("the cart whose consumer stops", process.execPath, [cartProgram], environment, "pipe");
  let told = "";
  let port;
  cart.stderr.setEncoding("utf8").on("data", (part) => (told += part));
  cart.stdout.setEncoding("utf8").on("data", (part) => (port ??= /listening on ([0-9]+)/.exec(part)?.[1]));
  await until("the consumer has stopped twice", () => told.match(/Snappy.*; the consumer starts again/g)?.length >= 2);

  const remove = () => admin.deleteTopicRecords({ topic: topics[0], partitions: [{ partition: 0, offset: "1" }] });
  await until("the message is removed", () => remove().then(() => true, () => false));   // kafkajs looks for the leader when it has missed it
  await producer.send({ topic: topics[0], messages: [{ key: "k", value: JSON.stringify({ reservationId: randomUUID(), seatId: randomUUID() }) }] });
  await until("the message behind is read", async () => (await call("GET", `http://127.0.0.1:${port}/health`)).body.reservations === 1);
});

test("another price than the seat's is refused, whoever told of the reservation", async () => {
  const [seatId] = await makeEvent(1, 45.5);
  const request = { reservationId: await reserve(seatId), seatId, price: 45.5, userId: "user-7" };
  for (const price of [0, 1, 45, 45.51]) {
    const refused = await add(cartWithout, { ...request, price });
    assert.equal(refused.status, 400, JSON.stringify(refused.body));
    assert.equal(refused.body.error, "The price is 45.5");
  }
  assert.equal((await add(cartWithout, request)).status, 200);
  if (cartWithKafka === undefined) return;
  await until("the message has come", async () => (await add(cartWithKafka, request)).body.source === "message");
  assert.equal((await add(cartWithKafka, { ...request, price: 1 })).status, 400);
});

test("the price of a seat without one is the page's", async () => {
  const [seatId] = await makeEvent(1, null);
  const reservationId = await reserve(seatId);
  assert.equal((await add(cartWithout, { reservationId, seatId, price: 12, userId: "user-8" })).status, 200);
});

// What Holdfast lists as the seats of a reservation is scripted.
test("only a seat that is listed without a price has none", async () => {
  const [reservationId, seatId] = [randomUUID(), randomUUID()];
  let seats;
  const scripted = createServer((request, response) => {
    const told = { seatId, customerId: "customer-1", expiresAt: new Date(Date.now() + patienceMs).toISOString(), status: "active" };
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify(request.url.startsWith("/v1/") ? { seats } : told));
  });
  await once(scripted.listen(0, "127.0.0.1"), "listening");
  ends.push(async () => {
    const closed = once(scripted, "close");
    scripted.close();   // in Node.js 18 it returns nothing
    scripted.closeAllConnections();
    await closed;
  });
  const cart = await startCart("127.0.0.1:1", `http://127.0.0.1:${scripted.address().port}`);
  const status = async (listed, price) => {
    seats = listed;
    return (await add(cart, { reservationId, seatId, price, userId: "user-9" })).status;
  };
  assert.equal(await status([], 1), 503);
  assert.equal(await status([{ id: randomUUID(), price: 45 }], 45), 503, "the price of another seat");
  assert.equal(await status([{ id: seatId, price: 0 }], 1), 400, "a seat may be free");
  assert.equal(await status([{ id: seatId, price: 0 }], 0), 200);
  assert.equal(await status([{ id: seatId, price: null }], 12), 200);
  assert.equal(await status([{ id: seatId }], 12), 200);
});

test("a malformed request, or a reservation of another seat, is refused", async () => {
  const [seatId, other] = await makeEvent(2);
  const reservationId = await reserve(seatId);
  const good = { reservationId, seatId, price: 45, userId: "user-4" };
  assert.equal((await add(cartWithout, { ...good, seatId: other })).status, 400);
  assert.equal((await add(cartWithout, { ...good, reservationId: randomUUID() })).status, 404);
  assert.equal((await add(cartWithout, { ...good, price: "45" })).status, 400);
  assert.equal((await add(cartWithout, { ...good, guestToken: "both" })).status, 400);
  assert.equal((await add(cartWithout, { ...good, userId: undefined })).status, 400);
  assert.equal((await add(cartWithout, "{")).status, 400);
  assert.equal((await add(cartWithout, "[1]")).status, 400);
  assert.equal((await call("GET", `${cartWithout}/cart`)).status, 404);
});
