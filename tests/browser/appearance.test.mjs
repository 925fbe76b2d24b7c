// How the map looks and reads: in each form without anything in somebody's way, in both languages, and kept as pictures.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, expectAccessible, forms, screenshot, startServer, visit } from "./harness.mjs";
import { clickSeat, colorAt, holdAsSomebody, planOf, ready } from "./map.mjs";

const server = await startServer({ flags: ["--demo"] });
const theatre = await server.importVenue("theatre", { name: "An Evening at the Theatre", startsAt: "2027-02-24T19:30:00Z", venue: "Town Hall" });
await server.importVenue("race-track", { name: "Race Day", startsAt: "2027-05-08T13:00:00Z", venue: "The Oval" });
const plan = await planOf(server, theatre.id);

// As a house looks in the middle of a sale: pseudo-random, the same each time.
{
  const picks = plan.seats.id.map((seat, i) => ({ seat, chance: (Math.imul(i + 1, 2_654_435_761) >>> 16) % 100 }));
  const sold = picks.filter(({ chance }) => chance < 34).map(({ seat }) => seat);
  const held = picks.filter(({ chance }) => chance >= 34 && chance < 42).map(({ seat }) => seat);
  const { id } = await holdAsSomebody(server, sold);
  await server.ask("POST", `/v1/reservations/${id}/consume`, { orderId: "box-office" });
  await holdAsSomebody(server, held);
  await server.ask("POST", `/v1/events/${theatre.id}/block`, { seatIds: picks.filter(({ chance }) => chance >= 97).map(({ seat }) => seat) });
}
const freeSeats = async () => {
  const { states } = await server.ask("GET", `/v1/events/${theatre.id}/states`);
  return [...states].map((letter, i) => ({ letter, i })).filter(({ letter }) => letter === "a");
};

for (const { name, ...form } of forms) {
  test(`The events and the map are in nobody's way, and look as they should (${name})`, async (t) => {
    const page = await visit(t, server, "/", form);
    await page.getByRole("link", { name: /Race Day/ }).waitFor();
    // A card's picture is drawn once it is in the window.
    for (const card of await page.locator(".thumb").all()) await card.scrollIntoViewIfNeeded();
    await page.evaluate(() => scrollTo(0, 0));
    await eventually("the pictures of the cards are drawn", () => page.evaluate(() => [...document.querySelectorAll(".thumb")].every((canvas) => canvas.width !== 300)));
    await expectAccessible(page, "the list of events");
    await screenshot(page, `events-${name}`, { fullPage: true });

    await page.getByRole("link", { name: /Theatre/ }).click();
    await ready(page);
    await page.evaluate(() => document.fonts.ready);
    await expectAccessible(page, "the map");
    const free = await freeSeats();
    const near = free.filter(({ i }) => i > 150 && i < 190).slice(0, 2);
    if (!form.hasTouch) {
      for (const { i } of near) await clickSeat(page, plan, i);
      await page.getByRole("button", { name: "Hold 2 seats" }).waitFor();
    }
    await screenshot(page, `map-${name}`);

    // Everything at once: a choice or a hold, a notice, the list.
    if (form.hasTouch) {
      await page.getByRole("button", { name: "Hold the best 2 seats" }).click();
    } else {
      await page.getByRole("button", { name: "Hold 2 seats" }).click();
    }
    await page.getByRole("timer").waitFor();
    await screenshot(page, `hold-${name}`);
    await page.getByRole("button", { name: /^Buy for/ }).click();
    await page.getByText("Enjoy the show!").waitFor();
    await page.locator("summary").click();
    await page.getByRole("grid").waitFor();
    await screenshot(page, `tickets-${name}`, { fullPage: true });
    await expectAccessible(page, "the map with a notice, tickets and the list");
  });
}

test("The map is in Spanish by the browser's language or by the switch, and remembers the choice", async (t) => {
  const page = await visit(t, server, `/?event=${theatre.id}`, { locale: "es-ES" });
  await ready(page);
  assert.equal(await page.locator("html").getAttribute("lang"), "es");
  await page.getByText("miércoles, 24 de febrero de 2027").waitFor();
  await page.getByRole("button", { name: "Reservar los mejores 2 asientos" }).click();
  const hold = page.getByRole("region", { name: "Reservado para ti" });
  await hold.getByRole("timer", { name: /^Tiempo restante: 1[45]:/ }).waitFor();
  await hold.getByRole("button", { name: /^Comprar por \d+,00\s€/ }).click();
  await page.getByText("¡Que lo disfrutes!").waitFor();
  await screenshot(page, "map-spanish");
  await page.getByRole("button", { name: "English" }).click();
  await page.getByText("Enjoy the show!").waitFor();
  await page.reload();
  await ready(page);
  assert.equal(await page.locator("html").getAttribute("lang"), "en");
});

test("The theme is the system's until it is chosen, and the choice is kept", async (t) => {
  const page = await visit(t, server, `/?event=${theatre.id}`, { colorScheme: "dark" });
  await ready(page);
  const theme = () => page.locator("html").getAttribute("data-theme");
  // The map's corner, where no seat is, has the colour behind the seats.
  const isMap = async (wanted) => {
    const [red] = await page.locator(".map-canvas").evaluate((canvas) => [...canvas.getContext("2d").getImageData(1, 1, 1, 1).data]);
    return wanted === "dark" ? red < 64 : red > 192;
  };
  assert.equal(await theme(), "dark");
  await eventually("the map is dark", () => isMap("dark"));
  await page.emulateMedia({ colorScheme: "light" });
  await eventually("the page follows the system", async () => (await theme()) === "light");
  await eventually("the map follows it, too", () => isMap("light"));
  await page.getByRole("button", { name: "Dark theme" }).click();
  assert.equal(await theme(), "dark");
  await eventually("the map follows the choice", () => isMap("dark"));
  await page.reload();
  await ready(page);
  assert.equal(await theme(), "dark");
});

for (const viewport of [{ width: 390, height: 844 }, { width: 320, height: 568 }]) {
  test(`The name of a section does not cover a seat of the visitor's own (${viewport.width} pixels)`, async (t) => {
    // Where names are written on the map. A tile's canvas, which has numbers of seats, is not part of the page.
    const init = () => {
      window.written = {};
      const write = CanvasRenderingContext2D.prototype.fillText;
      CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...rest) {
        if (this.canvas.matches?.(".map-canvas")) window.written[text] = { x, y };
        return write.call(this, text, x, y, ...rest);
      };
    };
    const page = await visit(t, server, `/?event=${theatre.id}`, { viewport, hasTouch: true, init });
    await ready(page);
    // How many pixels a seat is away from the nearest name, now.
    const measure = async () => {
      const [scale, left, top] = (await page.locator(".map-canvas").getAttribute("data-view")).split(" ").map(Number);
      const written = await page.evaluate(() => window.written);
      const names = plan.sections.map((name) => written[name]).filter((place) => place !== undefined);
      return (i) => Math.min(...names.map(({ x, y }) => Math.hypot(x - plan.seats.x[i] * scale - left, y - plan.seats.y[i] * scale - top)));
    };
    const away = await measure();
    const free = (await freeSeats()).map(({ i }) => i).sort((one, other) => away(one) - away(other));
    const [under, beside] = [free[0], free.at(-1)];
    const besideTheSign = [-2, 2];
    const before = await colorAt(page, plan, beside, besideTheSign);

    assert.ok((await page.request.post(`${server.url}/v1/sessions`)).ok());
    const held = await page.request.post(`${server.url}/v1/reservations`, { data: { seatIds: [plan.seats.id[under], plan.seats.id[beside]] } });
    assert.equal(held.status(), 201, await held.text());
    await page.reload();
    await ready(page);
    let own;
    await eventually("the seat beside the names is drawn as the visitor's", async () => {
      own = await colorAt(page, plan, beside, besideTheSign);
      return own.join() !== before.join();
    });
    const awayNow = await measure();
    assert.ok(awayNow(under) < 8 && awayNow(beside) > 40, `one is under a name, the other is not: ${awayNow(under)}, ${awayNow(beside)}`);
    assert.deepEqual(await colorAt(page, plan, under, besideTheSign), own);
  });
}

test("Two fingers zoom the map on a phone, one moves it, and a tap picks a seat", async (t) => {
  const page = await visit(t, server, `/?event=${theatre.id}`, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  await ready(page);
  const scaleNow = async () => Number((await page.locator(".map-canvas").getAttribute("data-view")).split(" ")[0]);
  const before = await scaleNow();
  const touch = await page.context().newCDPSession(page);
  const fingers = (type, points) => touch.send("Input.dispatchTouchEvent", { type, touchPoints: points.map(([x, y], id) => ({ x, y, id })) });
  await fingers("touchStart", [[170, 260], [220, 260]]);
  for (let step = 1; step <= 10; ++step) await fingers("touchMove", [[170 - step * 8, 260], [220 + step * 8, 260]]);
  await fingers("touchEnd", []);
  await eventually("the map is nearer", async () => (await scaleNow()) > before * 2);

  // The view is told once it has come to rest; then a free seat that is in sight is tapped.
  const free = await freeSeats();
  await eventually("a tap has picked a seat", async () => {
    const box = await page.locator(".map-canvas").boundingBox();
    const [scale, x, y] = (await page.locator(".map-canvas").getAttribute("data-view")).split(" ").map(Number);
    const inSight = free.map(({ i }) => ({ x: plan.seats.x[i] * scale + x, y: plan.seats.y[i] * scale + y })).find((at) => at.x > 60 && at.x < 280 && at.y > 90 && at.y < 250);
    assert.ok(inSight, "no free seat is in sight");
    await page.touchscreen.tap(box.x + inSight.x, box.y + inSight.y);
    // A second tap would give the seat back: the page gets its time to show the first one.
    const shown = page.getByRole("button", { name: "Hold 1 seat" }).waitFor({ timeout: 2_000 });
    return shown.then(() => true, () => false);
  });
});
