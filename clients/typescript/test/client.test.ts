// Against the real program.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createClient, HoldfastError, type Client, type Reservation } from "../src/index.js";
import { Proxy } from "./proxy.js";
import { makeEvent, Server } from "./server.js";

const webhookHost = "127.0.0.1:9";   // nothing is sent there

let server: Server;
let client: Client;

before(async () => {
  server = await Server.start(["--webhooks-allow-hosts", webhookHost]);
  client = createClient({ baseUrl: server.url, retries: 40 });
});
after(() => server.end());

function refusedWith(code: string, status: number, seatIds: string[] = []) {
  return (error: unknown) => {
    assert.ok(error instanceof HoldfastError, String(error));
    assert.equal(error.code, code);
    assert.equal(error.status, status);
    assert.deepEqual(error.seatIds, seatIds);
    return true;
  };
}

test("a reservation lives from the hold to the refund", async () => {
  const event = await makeEvent(client, 4);
  const [a, b, c] = event.seats as [string, string, string];
  const held = await client.createReservation({ customerId: "c-1", seatIds: [a, b] });
  assert.equal(held.status, "active");
  assert.equal(held.total, 90);
  assert.equal((await client.addSeats(held.id, [c])).seats.length, 3);
  assert.ok((await client.extendReservation(held.id, 1_800)).expiresAt > held.expiresAt);
  assert.equal((await client.releaseReservation(held.id, [c])).total, 90);
  const sold = await client.consumeReservation(held.id, { orderId: "o-1" });
  assert.equal(sold.status, "consumed");
  assert.equal((await client.getSeat(a)).state, "sold");
  await client.returnReservation(held.id, { orderId: "o-1", seatIds: [a] });
  assert.equal((await client.getSeat(a)).state, "available");
  assert.equal((await client.getReservation(held.id)).orderId, "o-1");
});

test("a refusal is an error with its code and exactly its seats", async () => {
  const event = await makeEvent(client, 3);
  const [a, b, c] = event.seats as [string, string, string];
  await client.createReservation({ customerId: "c-1", seatIds: [b] });
  await assert.rejects(client.createReservation({ customerId: "c-2", seatIds: [a, b, c] }), refusedWith("seat_unavailable", 409, [b]));
  await assert.rejects(client.createReservation({ customerId: "c-2", seatIds: ["no-such"] }), refusedWith("seat_not_found", 404, ["no-such"]));
  await assert.rejects(client.lockTickets({ data: { tickets: [b], reserved_time: 60 } }), refusedWith("seat_unavailable", 400, [b]));
  await assert.rejects(client.getEvent("no-such"), refusedWith("event_not_found", 404));
});

test("an id with any characters reaches its seat", async () => {
  const id = "Z 1/ü?#%";
  await client.createEvent({ name: "Odd", categories: [{ name: "H" }], seats: [{ id, section: "A", row: "1", number: "1", category: "H" }] });
  assert.equal((await client.getSeat(id)).id, id);
});

test("the same idempotency key is the same request", async () => {
  const event = await makeEvent(client, 1);
  const wish = { customerId: "c-1", seatIds: event.seats };
  const first = await client.createReservation(wish, { idempotencyKey: "cart-7" });
  assert.deepEqual(await client.createReservation(wish, { idempotencyKey: "cart-7" }), first);
  await assert.rejects(client.createReservation({ ...wish, customerId: "c-2" }, { idempotencyKey: "cart-7" }), refusedWith("idempotency_key_reused", 422));
});

test("plans, states and settings can be read and changed", async () => {
  const event = await makeEvent(client, 2);
  assert.deepEqual((await client.getPlan(event.id)).seats.id, event.seats);
  assert.deepEqual(await client.blockSeats(event.id, [event.seats[0]!]), { seatIds: [event.seats[0]] });
  await client.unblockSeats(event.id, [event.seats[0]!]);
  assert.equal((await client.getStates(event.id)).states.length, 2);
  assert.equal((await client.changeEvent(event.id, { status: "closed" })).status, "closed");
  let listed = 0;
  for (let cursor: string | null = ""; cursor !== null; ) {
    const page: Awaited<ReturnType<Client["listEvents"]>> = await client.listEvents(cursor === "" ? { limit: 1 } : { limit: 1, cursor });
    listed += page.items.length;
    cursor = page.nextCursor;
  }
  assert.ok(listed >= 2);
});

test("both contracts are there", async () => {
  const seat = "550e8400-e29b-41d4-a716-44665544aaaa";
  await client.createEvent({ name: "C1", categories: [{ name: "H" }], seats: [{ id: seat, section: "A", row: "1", number: "1", category: "H" }] });
  const reserved = await client.reserveSeat({ seatId: seat, customerId: "c-1" });
  assert.deepEqual((await client.getSeatReservation(reserved.reservationId)).seatIds, [seat]);
  const event = await makeEvent(client, 1);
  assert.deepEqual((await client.lockTickets({ ticketd_reserved: event.seats, reserved_time: 60 })).data.tickets, event.seats);
  assert.deepEqual(await client.releaseSeat(event.seats[0]!), { seatId: event.seats[0], status: "available" });
  await client.unlockTickets({ tickets: event.seats });
  await client.unlockExpiredTickets();
  assert.equal((await client.getSeat(event.seats[0]!)).state, "available");
});

test("the operations are there", async () => {
  assert.equal((await client.getVersion()).name, "holdfast");
  await client.isReady();
  assert.match(await client.getMetrics(), /^# HELP /);
});

test("a server that is killed and started again under it loses nothing and does nothing twice", async () => {
  const event = await makeEvent(client, 300);
  let answered = 0;
  const buyers = Array.from({ length: 6 }, async (_, buyer) => {
    const held: Reservation[] = [];
    for (let i = buyer; i < event.seats.length; i += 6) {
      held.push(await client.createReservation({ customerId: `buyer-${buyer}`, seatIds: [event.seats[i]!] }));
      ++answered;
    }
    return held;
  });
  for (const least of [20, 120, 220]) {
    while (answered < least) await new Promise((resolve) => setImmediate(resolve));
    await server.kill();
    await server.run();
  }
  const held = (await Promise.all(buyers)).flat();
  assert.equal(new Set(held.map((r) => r.id)).size, 300);
  for (const each of held) assert.equal((await client.getSeat(each.seats[0]!.id)).reservationId, each.id);
});

test("the best seats can be asked for", async () => {
  const event = await makeEvent(client, 5);
  const held = await client.createReservation({ customerId: "c-1", bestAvailable: { eventId: event.id, quantity: 2 } });
  assert.equal(held.seats.length, 2);
});

test("reservations are listed by customer, event and status", async () => {
  const event = await makeEvent(client, 2);
  const held = await client.createReservation({ customerId: "lister", seatIds: [event.seats[0]!] });
  const page = await client.listReservations({ customerId: "lister", eventId: event.id, status: "active" });
  assert.deepEqual(page.items.map((r) => r.id), [held.id]);
});

test("a reservation has a history, and the desk's questions are answered", async () => {
  const event = await makeEvent(client, 1);
  const held = await client.createReservation({ customerId: "c", seatIds: [event.seats[0]!] });
  assert.deepEqual((await client.listReservationHistory(held.id)).items.map(({ type }) => type), ["held"]);
  assert.equal((await client.listSeats(event.id, { label: held.seats[0]!.label })).items[0]?.id, event.seats[0]);
  await client.releaseReservation(held.id, undefined, { note: "Überbucht" });
  const { items } = await client.listActions({ limit: 1 });
  assert.deepEqual([items[0]?.note, items[0]?.status], ["Überbucht", 200]);
  assert.ok((await client.getHealth()).components.length > 0);
  const series = await client.getSeries({ resolution: "second" });
  assert.equal(series.changes.held.length, series.at.length);
});

test("seats are listed by state, and a seat has a history", async () => {
  const event = await makeEvent(client, 3);
  await client.createReservation({ customerId: "c-1", seatIds: [event.seats[1]!] });
  assert.deepEqual((await client.listSeats(event.id, { state: "held" })).items.map((s) => s.id), [event.seats[1]]);
  assert.equal((await client.listSeatHistory(event.seats[1]!)).items.at(-1)?.type, "held");
});

test("changes come numbered without gaps, the old ones and the new ones, over a restart", async () => {
  const event = await makeEvent(client, 3);
  const stop = new AbortController();
  const seqs: number[] = [];
  const following = (async () => {
    for await (const change of client.changes(event.id, 0, { signal: stop.signal, wait: 2 })) {
      seqs.push(change.seq);
      if (change.type === "consumed") stop.abort();
    }
  })();
  const held = await client.createReservation({ customerId: "c-1", seatIds: [event.seats[0]!] });
  await server.kill();
  await server.run();
  await client.consumeReservation(held.id, { orderId: "o" });
  await following;
  assert.deepEqual(seqs, Array.from(seqs, (_, i) => i + 1));
  assert.ok((await client.listAllChanges({ limit: 5 })).items.length > 0);
});

test("the live states are the event's, also over a restart", async () => {
  const event = await makeEvent(client, 3);
  const stop = new AbortController();
  const letters: string[] = [];
  const following = (async () => {
    for await (const message of client.live(event.id, { signal: stop.signal })) {
      if (message.type === "snapshot") letters.splice(0, letters.length, ...message.states);
      else for (const [index, letter] of message.seats) letters[index as number] = letter as string;
      if (letters.join("") === "ahs") stop.abort();
    }
  })();
  await client.createReservation({ customerId: "c-1", seatIds: [event.seats[1]!] });
  const held = await client.createReservation({ customerId: "c-1", seatIds: [event.seats[2]!] });
  await server.kill();
  await server.run();
  await client.consumeReservation(held.id, { orderId: "o" });
  await following;
});

test("behind a proxy that keeps a stream's body back, the stream has begun when the body comes and not with its head", async () => {
  const event = await makeEvent(client, 2);
  const proxy = await Proxy.start(server.port);
  const stop = new AbortController();
  const told: string[] = [];
  const following = (async () => {
    const onConnection = (isConnected: boolean) => told.push(isConnected ? "begun" : "broken");
    for await (const { type } of createClient({ baseUrl: proxy.url }).live(event.id, { signal: stop.signal, silenceMs: 1_000, onConnection })) {
      told.push(type);
      stop.abort();
    }
  })();
  try {
    while (proxy.heads < 2) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.deepEqual([...new Set(told)], ["broken"]);
    proxy.release();
    await following;
    assert.deepEqual(told.slice(-2), ["begun", "snapshot"]);
    assert.equal(told.indexOf("begun"), told.length - 2);
  } finally {
    stop.abort();
    proxy.end();
  }
});

test("a browser gets a session", async () => {
  assert.ok((await client.createSession()).customerId.length > 0);
});

test("webhooks are administered", async () => {
  const webhook = await client.createWebhook({ url: `https://${webhookHost}/holdfast`, types: ["consumed"] });
  assert.match(webhook.secret, /^whsec_/);
  assert.deepEqual((await client.getWebhook(webhook.id)).types, ["consumed"]);
  assert.equal((await client.changeWebhook(webhook.id, { enabled: false })).status, "disabled");
  assert.notEqual((await client.rotateWebhookSecret(webhook.id)).secret, webhook.secret);
  assert.deepEqual((await client.listDeadDeliveries(webhook.id)).items, []);
  await client.deleteWebhook(webhook.id);
  assert.deepEqual((await client.listWebhooks()).items, []);
});
