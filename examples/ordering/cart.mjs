// A minimal cart of a platform whose inventory is Holdfast.
//
// A buyer reserves a seat (POST /reservations at Holdfast) and puts the reservation into the cart:
//
//   POST /cart/add {"reservationId", "seatId", "price", "userId" | "guestToken"}   → 200 {"cartId", "items": […]}
//
// The cart learns of reservations from Kafka, as it always has. A consumer lags behind its producer, mostly by milliseconds, on a bad day by
// minutes. So a reservation whose message has not arrived yet is not "not found": the cart asks Holdfast, which knows the reservation from its
// 201 on, and answers at once. The buyer never waits for a message, and the page needs no retry.
//
// The price must be the seat's: a page could send any. Where Holdfast has no price, as of an event that came on `seats-generated`, the cart takes the
// page's; a shop of the trade looks it up in its own catalogue. No price is 0 in messages, and null in /v1, where 0 is a price.
//
//   HOLDFAST_URL=http://localhost:50002 KAFKA=localhost:9092 PORT=8080 node cart.mjs
//
// Before the first start `npm install` in this folder, or in a copy of it, installs kafkajs.
//
// Set HOLDFAST_KEY to a key with the scopes `hold` and `read` if the server needs one. TOPIC_PREFIX is Holdfast's `feed.topic_prefix`.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import kafkajs from "kafkajs";

const holdfast = process.env.HOLDFAST_URL ?? "http://localhost:50002";
const key = process.env.HOLDFAST_KEY;
const prefix = process.env.TOPIC_PREFIX ?? "";
const bodyBytesMax = 16 * 1024;
const reservationsMax = 100_000;   // that are remembered; Holdfast is asked for older ones
const cartsMax = 100_000;          // a shop of the trade keeps them in its database; here the oldest goes
const askTimeoutMs = 5_000;
const betweenTriesMs = 1_000;   // to reach Kafka
const leaveTimeoutMs = 3_000;   // the group, at the end

// ---- reservations from Kafka

/** @type {Map<string, {seatId: string, customerId: string, basePrice: number | null, expiresAt: number, status: string}>} */
const reservations = new Map();

function remember(id, reservation) {
  reservations.delete(id);   // keeps the oldest entry first
  reservations.set(id, reservation);
  if (reservations.size > reservationsMax) reservations.delete(reservations.keys().next().value);
}

/** The content of a message; undefined if it is not about a reservation. An exception here would make the consumer read the message forever. */
function read(message) {
  try {
    const told = JSON.parse(message.value.toString());
    if (typeof told.reservationId === "string") return told;
  } catch {
    // Reported below, like JSON without a reservation.
  }
  console.error(`Kafka: the message at offset ${message.offset} is no reservation's; it is skipped`);
  return undefined;
}

// A reservation may have several seats, with one message per seat; the carts of this platform have one seat per reservation.
function take(topic, message) {
  const told = read(message);
  if (told === undefined) return;
  if (topic === `${prefix}reservation-created`) {
    // `created` may be read after the end: there is no order between topics.
    if (reservations.get(told.reservationId)?.status === undefined) {
      remember(told.reservationId, {
        seatId: told.seatId,
        customerId: told.customerId,
        basePrice: told.basePrice === 0 ? null : told.basePrice,
        expiresAt: Date.parse(told.expiresAt),
        status: "active",
      });
    }
    return;
  }
  remember(told.reservationId, { ...reservations.get(told.reservationId), seatId: told.seatId, status: told.status });
}

// ---- reservations from Holdfast

/** The answer at a path; undefined if there is none. */
async function get(path) {
  const response = await fetch(`${holdfast}${path}`, {
    headers: key === undefined ? {} : { Authorization: `Bearer ${key}` },
    signal: AbortSignal.timeout(askTimeoutMs),
  });
  if (response.status === 404) return undefined;
  if (!response.ok) throw new Error(`Holdfast answers ${response.status} at ${path}`);
  return response.json();
}

/** The reservation as it is now, with the seat's price, which only /v1 tells; undefined if there is none. */
async function ask(reservationId) {
  const id = encodeURIComponent(reservationId);
  const [told, priced] = await Promise.all([get(`/reservations/${id}`), get(`/v1/reservations/${id}`)]);
  if (told === undefined || priced === undefined) return undefined;
  const { seatId, customerId, expiresAt, status } = told;
  const seat = priced.seats.find((each) => each.id === seatId);
  // Its price may not be taken for none.
  if (seat === undefined && status === "active") throw new Error(`Holdfast does not list seat ${seatId} in reservation ${reservationId}`);
  const basePrice = seat?.price ?? null;
  return { seatId, customerId, basePrice, expiresAt: Date.parse(expiresAt), status };
}

// ---- carts

/** @type {Map<string, {cartId: string, items: {reservationId: string, seatId: string, price: number}[]}>} */
const carts = new Map();

class Refusal extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

function check(request) {
  const isText = (value) => typeof value === "string" && value !== "";
  for (const name of ["reservationId", "seatId"]) if (!isText(request[name])) throw new Refusal(400, `${name} is missing`);
  if (typeof request.price !== "number" || !(request.price >= 0)) throw new Refusal(400, "price must be a number");
  if (isText(request.userId) === isText(request.guestToken)) throw new Refusal(400, "either userId or guestToken must be given");
}

async function add(request) {
  check(request);
  const { reservationId, seatId, price } = request;
  // A message may be outdated; Holdfast's answer is current. So only a message that allows the item saves the request.
  let reservation = reservations.get(reservationId);
  const isGood = reservation?.status === "active" && reservation.expiresAt > Date.now();
  let source = "message";
  if (!isGood) {
    reservation = await ask(reservationId);
    source = "holdfast";
  }
  if (reservation === undefined) throw new Refusal(404, "Reservation not found");
  if (reservation.status !== "active") throw new Refusal(409, `The reservation is ${reservation.status}`);
  if (reservation.seatId !== seatId) throw new Refusal(400, "The reservation is for another seat");
  if (reservation.basePrice !== null && reservation.basePrice !== price) throw new Refusal(400, `The price is ${reservation.basePrice}`);
  const owner = request.userId ?? request.guestToken;
  const cart = carts.get(owner) ?? { cartId: randomUUID(), items: [] };
  carts.delete(owner);   // keeps the oldest entry first
  carts.set(owner, cart);
  if (carts.size > cartsMax) carts.delete(carts.keys().next().value);
  if (!cart.items.some((item) => item.reservationId === reservationId)) cart.items.push({ reservationId, seatId, price });
  return { ...cart, source };
}

// ---- HTTP

async function readBody(request) {
  let text = "";
  request.setEncoding("utf8");   // a character may lie in two parts
  for await (const part of request) {
    text += part;
    if (text.length > bodyBytesMax) throw new Refusal(413, "The body is too large");
  }
  try {
    const body = JSON.parse(text);
    if (body !== null && typeof body === "object") return body;
  } catch {
    // Refused below, like a body that is not an object.
  }
  throw new Refusal(400, "The body must be a JSON object");
}

const server = createServer(async (request, response) => {
  const answer = (status, body) => {
    response.statusCode = status;
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify(body));   // with its length, because the head is not sent before
  };
  try {
    if (request.method === "GET" && request.url === "/health") return answer(200, { reservations: reservations.size });
    if (request.method !== "POST" || request.url !== "/cart/add") throw new Refusal(404, "There is nothing at this path");
    answer(200, await add(await readBody(request)));
  } catch (error) {
    if (error instanceof Refusal) return answer(error.status, { error: error.message });
    console.error(error);
    answer(503, { error: "The reservation cannot be looked up at the moment; try again." });
  }
});

// ---- start

const kafka = new kafkajs.Kafka({
  clientId: "ordering",
  brokers: (process.env.KAFKA ?? "localhost:9092").split(","),
  logLevel: kafkajs.logLevel.NOTHING,   // what fails is thrown
});
const consumer = kafka.consumer({ groupId: process.env.GROUP ?? "ordering" });   // reads committed messages only

async function consume() {
  await consumer.connect();
  const topics = ["created", "expired", "consumed", "released"].map((name) => `${prefix}reservation-${name}`);
  await consumer.subscribe({ topics, fromBeginning: true });
  await consumer.run({ eachMessage: async ({ topic, message }) => take(topic, message) });
}

async function consumeWheneverKafkaIsThere() {
  for (;;) {
    try {
      return await consume();   // from here on the client comes back by itself, unless it says otherwise (below)
    } catch (error) {
      console.error(`Kafka: ${error.message}; trying again`);
      await sleep(betweenTriesMs);
    }
  }
}

// After an error that the client takes for lasting it stops for good. Kafka's next answer may be a better one.
consumer.on(consumer.events.CRASH, async ({ payload }) => {
  if (payload.restart) return;
  console.error(`Kafka: ${payload.error.message}; the consumer starts again`);
  await sleep(betweenTriesMs);
  await consumeWheneverKafkaIsThere();
});

server.listen(Number(process.env.PORT ?? 8080), "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
// Not awaited: without Kafka the cart asks Holdfast each time, and still sells.
void consumeWheneverKafkaIsThere();

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    consumer.disconnect().then(() => process.exit(), () => process.exit());
    globalThis.setTimeout(() => process.exit(), leaveTimeoutMs).unref();
  });
}
