// From the list of events to the ticket: on the theatre with the mouse, on the race track with the best seats, and with the keyboard alone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, startServer, visit } from "./harness.mjs";
import { clickSeat, planOf, ready, said, settled, zoomTo } from "./map.mjs";

const server = await startServer({ flags: ["--demo"] });
const seatOf = (id) => server.ask("GET", `/v1/seats/${id}`);

test("A visitor buys two seats of the theatre that he has picked on the map", async (t) => {
  const { id } = await server.importVenue("theatre", { name: "Theatre by mouse", startsAt: "2027-02-24T19:30:00Z", venue: "Town Hall" });
  const plan = await planOf(server, id);
  const page = await visit(t, server, "/");
  await page.getByRole("link", { name: /Theatre by mouse/ }).click();
  await ready(page);
  await page.getByRole("heading", { level: 1, name: "Theatre by mouse" }).waitFor();

  const seats = [60, 61].map((i) => ({ i, id: plan.seats.id[i] }));
  for (const { i } of seats) await clickSeat(page, plan, i);
  const choice = page.getByRole("region", { name: "Your choice" });
  await choice.getByText("€190.00").waitFor();
  await choice.getByRole("button", { name: "Hold 2 seats" }).click();

  const hold = page.getByRole("region", { name: "Held for you" });
  await hold.getByRole("timer", { name: /^Time left: 1[45]:/ }).waitFor();
  for (const each of seats) assert.equal((await seatOf(each.id)).state, "held");
  await hold.getByRole("button", { name: "Buy for €190.00" }).click();

  await page.getByText("Enjoy the show!").waitFor();
  await page.getByRole("region", { name: "Your tickets" }).waitFor();
  await hold.waitFor({ state: "detached" });
  for (const each of seats) {
    const seat = await seatOf(each.id);
    assert.equal(seat.state, "sold");
    const sold = await server.ask("GET", `/v1/reservations/${seat.reservationId}`);
    assert.match(sold.customerId, /^visitor-/);
    assert.equal(sold.orderId, `demo-${sold.id}`);
  }
});

test("A visitor comes near to a stand of the race track, and picks a seat there", async (t) => {
  const { id } = await server.importVenue("race-track", { name: "Race track by wheel" });
  const plan = await planOf(server, id);
  const page = await visit(t, server, `/?event=${id}`);
  await ready(page);
  const i = 4_000;
  await zoomTo(page, plan, i, 0.6);
  await clickSeat(page, plan, i);
  await page.getByRole("button", { name: "Hold 1 seat" }).click();
  await page.getByRole("timer").waitFor();
  await page.getByRole("button", { name: "Buy", exact: true }).click();   // the race track has no prices
  await page.getByText("Enjoy the show!").waitFor();
  assert.equal((await seatOf(plan.seats.id[i])).state, "sold");
});

test("A visitor holds the best three seats of a stand of the race track, gives one back and buys two", async (t) => {
  const { id } = await server.importVenue("race-track", { name: "Race track, best" });
  const page = await visit(t, server, `/?event=${id}`);
  await ready(page);
  await page.getByRole("button", { name: "One seat more" }).click();
  await page.getByLabel("Where").selectOption({ label: "Goal Stand 3" });
  await page.getByRole("button", { name: "Hold the best 3 seats" }).click();
  const hold = page.getByRole("region", { name: "Held for you" });
  await hold.getByRole("timer").waitFor();
  assert.equal(await hold.getByRole("listitem").count(), 3);
  await hold.getByRole("button", { name: /^Give back Goal Stand 3/ }).first().click();
  await eventually("two are left", async () => (await hold.getByRole("listitem").count()) === 2);
  await hold.getByRole("button", { name: "Buy", exact: true }).click();
  await page.getByText("Enjoy the show!").waitFor();
  const { counts } = await eventually("the counts say so", async () => {
    const event = await server.ask("GET", `/v1/events/${id}`);
    return event.counts.sold === 2 ? event : undefined;
  });
  assert.deepEqual(counts, { total: 8_897, available: 8_895, held: 0, sold: 2, blocked: 0 });
});

test("A visitor buys with the keyboard alone, and hears what happens", async (t) => {
  const { id } = await server.importVenue("theatre", { name: "Theatre by keyboard" });
  const plan = await planOf(server, id);
  const page = await visit(t, server, "/");
  const press = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  /** Tab until the control with this name has the focus. */
  const tabTo = async (role, name, key = "Tab") => {
    const wanted = page.getByRole(role, { name }).first();
    await wanted.waitFor();
    for (let tabs = 0; tabs < 60; ++tabs) {
      if (await wanted.evaluate((element) => element === document.activeElement)) return;
      await page.keyboard.press(key);
    }
    assert.fail(`Tab does not lead to ${role} ${name}`);
  };

  await tabTo("link", /Theatre by keyboard/);
  await press("Enter");
  await ready(page);
  const summary = page.locator("summary");
  for (let tabs = 0; tabs < 60 && !(await summary.evaluate((element) => element === document.activeElement)); ++tabs) await press("Tab");
  await press("Enter");
  await tabTo("gridcell", /^Row A, seat 1,/);
  // Down is the seat behind: the theatre's rows are curved, so behind seat 1 is seat 2.
  await press("ArrowDown", "ArrowRight", "ArrowRight", "Enter", "ArrowRight", "Space");
  await page.getByRole("gridcell", { name: "Row B, seat 4, Premium, €95.00, Your choice" }).waitFor();
  assert.match(await said(page).textContent(), /Stalls B-5 picked\. 2 seats, €190\.00\./);
  // Home and End stay in the row.
  await press("End");
  assert.match(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), /^Row B, seat 18,/);

  await tabTo("button", /Hold 2 seats/, "Shift+Tab");
  await settled(page);
  await press("Enter");
  await eventually("the hold is announced", async () => /2 seats held for you, for 15 minutes\./.test(await said(page).textContent()));
  await tabTo("button", /^Buy for/);
  await settled(page);
  await press("Enter");
  await eventually("the purchase is announced", async () => /You have bought 2 seats\./.test(await said(page).textContent()));
  const sold = plan.seats.id.filter((_, i) => plan.names[plan.seats.row[i]] === "B" && plan.sections[plan.seats.section[i]] === "Stalls" && ["4", "5"].includes(plan.seats.number[i]));
  assert.equal(sold.length, 2);
  for (const seat of sold) assert.equal((await seatOf(seat)).state, "sold");
});

test("More time, and giving back", async (t) => {
  const { id } = await server.importVenue("theatre", { name: "Extended", holdSeconds: 120, maxHoldSeconds: 600 });
  const page = await visit(t, server, `/?event=${id}`);
  await ready(page);
  await page.getByRole("button", { name: "Hold the best 2 seats" }).click();
  const [held] = await eventually("it is held", async () => {
    const { items } = await server.ask("GET", `/v1/reservations?eventId=${id}`);
    return items.length > 0 ? items : undefined;
  });
  await page.getByRole("timer", { name: /^Time left: 1:5/ }).waitFor();
  await page.getByRole("button", { name: "More time" }).click();
  await eventually("the hold ends later", async () => Date.parse((await server.ask("GET", `/v1/reservations/${held.id}`)).expiresAt) > Date.parse(held.expiresAt));
  await page.getByRole("button", { name: "Give back", exact: true }).click();
  await page.getByRole("timer").waitFor({ state: "detached" });
  assert.equal((await server.ask("GET", `/v1/reservations/${held.id}`)).status, "released");
});

test("Without a demo there is no way to buy, and the page says who takes the money", async (t) => {
  const plain = await startServer();
  const { id } = await plain.importVenue("theatre");
  const page = await visit(t, plain, `/?event=${id}`);
  await ready(page);
  await page.getByRole("button", { name: "Hold the best 2 seats" }).click();
  await page.getByText("Payment is not part of this page").waitFor();
  assert.equal(await page.getByRole("button", { name: /^Buy/ }).count(), 0);
});

test("Behind keys, the page needs none", async (t) => {
  const locked = await startServer({ flags: ["--demo"] });
  const { id } = await locked.importVenue("theatre");
  const key = (await locked.tool("keys", "create", "--name", "operator", "--scopes", "admin")).match(/hf_[\w-]{43}/)[0];
  await eventually("the server knows of the key", async () => (await fetch(`${locked.url}/v1/events`)).status === 401);
  const page = await visit(t, locked, "/");
  await page.getByRole("link", { name: /theatre/ }).click();
  await ready(page);
  await page.getByRole("button", { name: "Hold the best 2 seats" }).click();
  await page.getByRole("button", { name: /^Buy for/ }).click();
  await page.getByText("Enjoy the show!").waitFor();
  const { counts } = await eventually("it is sold", async () => {
    const event = await locked.ask("GET", `/v1/events/${id}`, undefined, { Authorization: `Bearer ${key}` });
    return event.counts.sold > 0 ? event : undefined;
  });
  assert.equal(counts.sold, 2);
});
