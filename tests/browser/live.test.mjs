// What others do, and what time does, while the map is open.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, meeting, screenshots, slowDown, startServer, visit } from "./harness.mjs";
import { clickSeat, colorAt, holdAsSomebody, planOf, ready, said } from "./map.mjs";

const server = await startServer({ flags: ["--demo"] });

test("Another visitor's hold and release show within a second", async (t) => {
  const { id } = await server.importVenue("theatre");
  const plan = await planOf(server, id);
  const page = await visit(t, server, `/?event=${id}`);
  await ready(page);
  const i = 300;
  const free = String(await colorAt(page, plan, i));
  // Measured in the page, from the moment that the answer of the hold is there: a busy test must not count as a slow page.
  const changed = (from) =>
    page.evaluate(
      async ([before, at]) => {
        const canvas = document.querySelector(".map-canvas");
        const ratio = canvas.width / canvas.clientWidth;
        const [scale, x, y] = canvas.dataset.view.split(" ").map(Number);
        const began = performance.now();
        for (;;) {
          const color = [...canvas.getContext("2d").getImageData(Math.round((at.x * scale + x) * ratio), Math.round((at.y * scale + y) * ratio), 1, 1).data].slice(0, 3);
          if (String(color) !== before) return performance.now() - began;
          if (performance.now() - began > 20_000) return Infinity;
          await new Promise((go) => setTimeout(go, 20));
        }
      },
      [from, { x: plan.seats.x[i], y: plan.seats.y[i] }],
    );
  const { id: reservation } = await holdAsSomebody(server, [plan.seats.id[i]]);
  const took = await changed(free);
  t.diagnostic(`a hold showed after ${Math.round(took)} ms`);
  assert.ok(took < 1_000, `${took} ms`);
  const held = String(await colorAt(page, plan, i));
  await server.ask("POST", `/v1/reservations/${reservation}/release`, {});
  assert.ok((await changed(held)) < 1_000);
  assert.equal(String(await colorAt(page, plan, i)), free);
});

test("Of two browsers that want one seat, one gets it, and the other is told kindly and offered a neighbour", async (t) => {
  const { id } = await server.importVenue("theatre");
  const plan = await planOf(server, id);
  const pages = [await visit(t, server, `/?event=${id}`, { expects: [/409/] }), await visit(t, server, `/?event=${id}`, { expects: [/409/] })];
  for (const page of pages) {
    await ready(page);
    await clickSeat(page, plan, 60);
  }
  // One of them is slow. Whoever is not yet done with his click when the other has the seat finds no button any more; so no wish goes on its way
  // before both have clicked.
  await slowDown(pages[1], 6);
  const bothHaveClicked = meeting(pages.length);
  for (const page of pages) {
    await page.route("**/v1/reservations", async (route) => {
      if (route.request().method() === "POST") await bothHaveClicked();
      await route.continue();
    });
  }
  const buttons = pages.map((page) => page.getByRole("button", { name: "Hold 1 seat", disabled: false }));
  for (const button of buttons) await button.waitFor();   // a moment after it has come, it does something
  await Promise.all(buttons.map((button) => button.click()));
  const outcome = (page) =>
    Promise.race([page.getByRole("timer").waitFor().then(() => "has it"), page.getByText("Somebody else was faster").waitFor().then(() => "was told")]);
  const outcomes = await Promise.all(pages.map(outcome));
  assert.deepEqual([...outcomes].sort(), ["has it", "was told"]);

  const loser = pages[outcomes.indexOf("was told")];
  const notice = loser.getByRole("alert");
  await notice.getByText("Stalls D-10 has just gone to somebody else. Sorry about that!").waitFor();
  const offer = notice.getByRole("button", { name: /^Hold Stalls D-(9|11) instead$/ });
  await slowDown(pages[1], 1);
  await screenshots(loser, "live-faster");
  await offer.click();
  await loser.getByRole("timer").waitFor();
  const states = await Promise.all([59, 60, 61].map(async (i) => (await server.ask("GET", `/v1/seats/${plan.seats.id[i]}`)).state));
  assert.equal(states[1], "held");
  assert.equal(states.filter((state) => state === "held").length, 2);
});

test("A seat that was picked and is taken meanwhile leaves the choice, with a word and a neighbour", async (t) => {
  const { id } = await server.importVenue("theatre");
  const plan = await planOf(server, id);
  const page = await visit(t, server, `/?event=${id}`);
  await ready(page);
  for (const i of [60, 61]) await clickSeat(page, plan, i);
  await page.getByRole("button", { name: "Hold 2 seats" }).waitFor();
  await holdAsSomebody(server, [plan.seats.id[61]]);
  const notice = page.getByRole("alert");
  await notice.getByText(/Stalls D-11 has just gone to somebody else.*Your other seat is still free/).waitFor();
  await page.getByRole("button", { name: "Hold 1 seat" }).waitFor();
  await screenshots(page, "live-taken-meanwhile");
  await notice.getByRole("button", { name: /instead$/ }).click();
  await page.getByRole("timer").waitFor();
  const { items } = await server.ask("GET", `/v1/reservations?eventId=${id}&status=active`);
  const own = items.find(({ customerId }) => customerId.startsWith("visitor-"));
  assert.equal(own.seats.length, 2);
  assert.ok(own.seats.some((seat) => seat.id === plan.seats.id[60]));
});

test("A hold ends on screen: the clock runs out, the seats go back, and the customer can try again", async (t) => {
  const { id } = await server.importVenue("theatre", { holdSeconds: 12, maxHoldSeconds: 600 });
  const page = await visit(t, server, `/?event=${id}`);
  await ready(page);
  await page.getByRole("button", { name: "Hold the best 2 seats" }).click();
  await page.getByRole("timer", { name: /^Time left: 0:(1[0-2]|0\d)$/ }).waitFor();
  // A browser that is busy may skip a second.
  await eventually("ten seconds are announced", async () => /^(10|[1-9]) seconds? left\.$/.test(await said(page).textContent()));
  await page.getByText("Your time is over").waitFor();
  await page.getByRole("timer").waitFor({ state: "detached" });
  const [ended] = (await server.ask("GET", `/v1/reservations?eventId=${id}`)).items;
  assert.equal(ended.status, "expired");
  for (const seat of ended.seats) assert.equal((await server.ask("GET", `/v1/seats/${seat.id}`)).state, "available");
  await page.getByRole("button", { name: "Try to hold them again" }).click();
  await page.getByRole("timer").waitFor();
  const again = (await server.ask("GET", `/v1/reservations?eventId=${id}&status=active`)).items;
  assert.deepEqual(again[0].seats.map((seat) => seat.id), ended.seats.map((seat) => seat.id));
});

test("The countdown is right to the second on a machine whose clock is three hours slow and jumps", async (t) => {
  const { id } = await server.importVenue("theatre");
  const page = await visit(t, server, `/?event=${id}`, {
    init: () => {
      const real = Date.now;
      let shift = -3 * 3_600_000;
      window.jump = (ms) => (shift += ms);
      Date.now = () => real() + shift;
    },
  });
  await ready(page);
  await page.getByRole("button", { name: "Hold the best 2 seats" }).click();
  await page.getByRole("timer").waitFor();
  const [{ expiresAt }] = (await server.ask("GET", `/v1/reservations?eventId=${id}&status=active`)).items;
  const compare = async () => {
    // The server's time before and after the look bound what the page may show.
    const now = async () => Date.parse((await server.ask("GET", "/v1/server")).now);
    const most = Math.ceil((Date.parse(expiresAt) - (await now())) / 1_000);
    const shown = await page.getByRole("timer").getAttribute("aria-label");
    const least = Math.ceil((Date.parse(expiresAt) - (await now())) / 1_000);
    const [minutes, seconds] = shown.replace("Time left: ", "").split(":").map(Number);
    const left = minutes * 60 + seconds;
    // It is drawn some milliseconds after the second has changed.
    assert.ok(left >= least && left <= most + 1, `${left} s are shown, ${least} to ${most} s are left`);
  };
  for (let looks = 0; looks < 10; ++looks) await compare();
  await page.evaluate(() => window.jump(7 * 3_600_000));
  for (let looks = 0; looks < 10; ++looks) await compare();
});

test("A hold survives a reload, is found in a second tab, and what one tab does shows in the other", async (t) => {
  const { id } = await server.importVenue("theatre");
  const page = await visit(t, server, `/?event=${id}`);
  await ready(page);
  await page.getByRole("button", { name: "Hold the best 2 seats" }).click();
  await page.getByRole("timer").waitFor();
  await page.reload();
  await ready(page);
  await page.getByRole("timer").waitFor();

  const second = await visit(t, server, `/?event=${id}`, { context: page.context() });
  await second.getByRole("timer").waitFor();
  await second.getByRole("button", { name: /^Buy for/ }).click();
  await second.getByText("Enjoy the show!").waitFor();
  await page.getByRole("region", { name: "Your tickets" }).waitFor();
  await page.getByRole("timer").waitFor({ state: "detached" });
});

test("An open page reconnects after the server was killed and restarted, and catches up", async (t) => {
  const { id } = await server.importVenue("theatre");
  const plan = await planOf(server, id);
  const page = await visit(t, server, `/?event=${id}`, { expects: [/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE/] });
  await ready(page);
  await page.getByRole("button", { name: "Hold the best 2 seats" }).click();
  await page.getByRole("timer").waitFor();
  const free = String(await colorAt(page, plan, 300));

  await server.stop("SIGKILL");
  await page.getByText("Reconnecting…").waitFor();
  await screenshots(page, "live-reconnecting");
  await server.start();
  await holdAsSomebody(server, [plan.seats.id[300]]);   // perhaps before the page is back
  await page.getByText("Live", { exact: true }).waitFor();
  await eventually("the map shows the new hold", async () => String(await colorAt(page, plan, 300)) !== free);
  // And the visitor's own hold is still his.
  await page.getByRole("timer").waitFor();
  await page.getByRole("button", { name: /^Buy for/ }).click();
  await page.getByText("Enjoy the show!").waitFor();
});

test("A request for more adjacent seats than exist is offered separate seats", async (t) => {
  const seats = [1, 2, 3, 4, 5].map((n) => ({ section: "Hall", row: "1", number: String(n), category: "All" }));
  const { id } = await server.ask("POST", "/v1/events", { name: "Tiny", currency: "EUR", categories: [{ name: "All", price: 10 }], seats });
  const plan = await planOf(server, id);
  await holdAsSomebody(server, [plan.seats.id[1], plan.seats.id[3]]);
  const page = await visit(t, server, `/?event=${id}`, { expects: [/409/] });
  await ready(page);
  await page.getByRole("button", { name: "Hold the best 2 seats" }).click();
  await page.getByText("No 2 seats side by side are left").waitFor();
  await screenshots(page, "live-apart");
  await page.getByRole("button", { name: "Hold 2 seats apart" }).click();
  await page.getByRole("timer").waitFor();
  await page.getByText("€20.00", { exact: true }).waitFor();
});

test("An event with a limit says so when it is met", async (t) => {
  const { id } = await server.importVenue("theatre", { limits: { heldSeatsPerCustomer: 2 } });
  const plan = await planOf(server, id);
  const page = await visit(t, server, `/?event=${id}`);
  await ready(page);
  for (const i of [60, 61, 62]) await clickSeat(page, plan, i);
  await page.getByText("One person can have at most 2 seats here.").waitFor();
  await screenshots(page, "live-limit");
  await page.getByRole("button", { name: "Hold 2 seats" }).waitFor();
});
