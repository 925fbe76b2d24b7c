// A checkout: hold two seats, take the payment, sell them. If the payment fails, give them back.
//
//   HOLDFAST_URL=http://localhost:50002 node checkout.js EVENT
import { createClient, HoldfastError } from "@holdfast/client";

const holdfast = createClient({ baseUrl: process.env["HOLDFAST_URL"] ?? "http://localhost:50002" });
const eventId = process.argv[2] ?? "";
const cart = "cart-" + Date.now();

async function pay(amount: number | null): Promise<string> {
  return `order-for-${amount}`;   // your payment provider
}

const { seats } = await holdfast.getPlan(eventId);
const { states } = await holdfast.getStates(eventId);
const free = seats.id.filter((_, i) => states[i] === "a").slice(0, 2);
try {
  // The key is the cart's name: a second tab, or a retry after a crash, gets the same reservation.
  const held = await holdfast.createReservation({ customerId: "customer-123", seatIds: free }, { idempotencyKey: cart });
  try {
    const orderId = await pay(held.total);
    const sold = await holdfast.consumeReservation(held.id, { orderId, reinstate: true });
    console.log(`${sold.status}: ${sold.seats.map((seat) => seat.label).join(", ")} for ${sold.total} ${sold.currency}`);
  } catch (error) {
    await holdfast.releaseReservation(held.id);
    throw error;
  }
} catch (error) {
  if (error instanceof HoldfastError && error.code === "seat_unavailable") console.log(`gone: ${error.seatIds.join(", ")}`);
  throw error;
}
