// The programs in examples/ do what they say, against the real program.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { after, before, test } from "node:test";
import { createClient, type Client } from "../src/index.js";
import { makeEvent, Server } from "./server.js";

const run = promisify(execFile);
const compiled = fileURLToPath(new URL("../examples/", import.meta.url));
const sources = fileURLToPath(new URL("../../../../examples/", import.meta.url));

let server: Server;
let client: Client;
before(async () => {
  server = await Server.start();
  client = createClient({ baseUrl: server.url });
});
after(() => server.end());

async function output(program: string, ...args: string[]): Promise<string> {
  const options = { env: { ...process.env, HOLDFAST_URL: server.url }, timeout: 30_000 };
  const { stdout } = program.endsWith(".sh") ? await run(sources + program, args, options) : await run(process.execPath, [compiled + program, ...args], options);
  return stdout;
}

test("checkout.ts sells two seats", async () => {
  const event = await makeEvent(client, 3);
  assert.equal(await output("checkout.js", event.id), "consumed: A-1-1, A-1-2 for 90 EUR\n");
  assert.equal((await client.getSeat(event.seats[1]!)).state, "sold");
});

test("checkout.sh sells two seats and refunds one", async () => {
  const event = await makeEvent(client, 2);
  assert.match(await output("checkout.sh", event.id, ...event.seats), /^held [0-9a-f-]{36}\nsold\nrefunded E2-1\n\{"eventId":/);
  assert.equal((await client.getSeat(event.seats[0]!)).state, "available");
  assert.equal((await client.getSeat(event.seats[1]!)).state, "sold");
});

test("replace-redis-lock.ts locks, refuses and unlocks", async () => {
  const event = await makeEvent(client, 1);
  assert.equal(await output("replace-redis-lock.js", event.seats[0]!), "first customer: locked\nsecond customer: taken\nafter the release: locked\n");
});

test("follow-changes.ts prints what was sold", async () => {
  const event = await makeEvent(client, 1);
  const held = await client.createReservation({ customerId: "c-1", seatIds: event.seats });
  await client.consumeReservation(held.id, { orderId: "order-9" });
  const { items } = await client.listChanges(event.id);
  assert.match(await output("follow-changes.js", event.id, String(items.length)), new RegExp(`${items.length}: order-9 bought ${event.seats[0]}\n$`));
});
