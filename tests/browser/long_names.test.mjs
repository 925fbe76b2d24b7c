// Names as long as somebody may have made them, on a wide screen and on the narrowest: nothing is cut that tells two things apart, nothing lies
// over something else, and no page is wider than the screen.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, expectAccessible, screenshots, startServer, visit } from "./harness.mjs";
import { holdAsSomebody, planOf, ready } from "./map.mjs";

const server = await startServer({ flags: ["--demo"] });
const wide = { viewport: { width: 1440, height: 900 } };
const narrow = { viewport: { width: 320, height: 780 }, hasTouch: true, isMobile: true };

const name = "An Evening of Chamber Music, Spoken Word and Improvised Theatre with the Combined Ensembles of the Northern and Southern Provinces";
const categories = ["unrestricted", "restricted"].map((view, k) => ({ name: `Premium upholstered seats of the first price group, ${view}`, price: 1234.5 + k }));
const sections = ["left hand side", "right hand side"].map((side) => `Orchestra Stalls behind the Royal Box, ${side}`);
// Without places, as most imports by hand are.
const seats = sections.flatMap((section, s) =>
  ["A", "B", "C"].flatMap((row) => Array.from({ length: 12 }, (_, n) => ({ section, row: `Terrace row ${row} (raised)`, number: `Seat-${n + 101}-left`, category: categories[s].name }))),
);
/** `more`: further members of POST /v1/events. */
const makeEvent = (more) => server.ask("POST", "/v1/events", { name, venue: name, currency: "EUR", categories, seats, ...more });
const event = await makeEvent();
const plan = await planOf(server, event.id);

const widthOf = (page) => page.evaluate(() => document.documentElement.scrollWidth);
/** Elements whose text is cut, by what they say. */
const cut = (page, selector) =>
  page.locator(selector).evaluateAll((all) => all.filter((each) => each.scrollWidth > each.clientWidth + 1 || each.scrollHeight > each.clientHeight + 1).map((each) => each.textContent));
const desk = (t, hash, options) => visit(t, server, `/console${hash}`, options);

for (const [screen, form] of Object.entries({ wide, narrow })) {
  test(`The map and its list of seats keep long names in their places (${screen})`, async (t) => {
    const page = await visit(t, server, `/?event=${event.id}`, form);
    await ready(page);
    await page.locator("summary").click();
    await page.getByRole("grid").waitFor();
    assert.ok((await widthOf(page)) <= form.viewport.width, `${await widthOf(page)} pixels`);
    // A row takes three lines at most, and its cells are beside each other.
    const heights = await page.locator(".grid-row").evaluateAll((rows) => rows.map((row) => row.getBoundingClientRect().height));
    assert.deepEqual(heights.filter((height) => height > 60), []);
    assert.deepEqual(await cut(page, ".cell, .row-name > [aria-hidden]"), []);
    if (screen === "wide") {
      // The panel scrolls, not the page under it.
      assert.ok((await page.evaluate(() => document.documentElement.scrollHeight)) <= form.viewport.height);
    }
    await expectAccessible(page, `the map with long names, ${screen}`);
    if (screen === "wide") await screenshots(page, "long-map");
  });

  test(`The desk shows long names whole, and draws seats apart that have no places (${screen})`, async (t) => {
    const page = await desk(t, `#/event/${event.id}`, form);
    await page.getByText("Choose seats").waitFor();
    await page.getByText(/^as of change \d/).first().waitFor();
    assert.deepEqual(await cut(page, ".counts tbody th > *, .seat span, .seat"), []);
    assert.ok((await widthOf(page)) <= form.viewport.width, `${await widthOf(page)} pixels`);
    const drawn = await eventually("the seats are drawn", () =>
      page.locator(".seat-map canvas").evaluate((canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const columns = new Set();
        for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 0) columns.add((i / 4) % canvas.width);
        return columns.size;
      }),
    );
    assert.ok(drawn > 60, `they take ${drawn} columns of pixels`);
    if (screen === "wide") await screenshots(page, "long-desk-event");
  });
}

for (const [screen, form] of Object.entries({ wide, narrow })) {
  test(`What becomes of a wish is told within the screen, however long the seats' labels are (${screen})`, async (t) => {
    const { id } = await makeEvent({ holdSeconds: 10, maxHoldSeconds: 600 });
    const { seats: { id: ids } } = await planOf(server, id);
    const holdForLong = (seatIds) => server.ask("POST", "/v1/reservations", { customerId: "somebody-else", seatIds, holdSeconds: 600 });
    const page = await visit(t, server, `/?event=${id}`, { ...form, expects: [/status of 409/] });
    const told = async (what, title) => {
      await page.getByText(title).waitFor();
      assert.ok((await widthOf(page)) <= form.viewport.width, `${what}: ${await widthOf(page)} pixels`);
      assert.deepEqual(await cut(page, ".notice, .notice *, .banner, .status, .deal, .deal *"), [], what);
      // The text of a button keeps off its border, in several lines too.
      const gaps = await page.locator(".notice > .button, .deal .button").evaluateAll((all) =>
        all.map((button) => {
          const text = document.createRange();
          text.selectNodeContents(button);
          const [inner, outer] = [text.getBoundingClientRect(), button.getBoundingClientRect()];
          return Math.min(inner.top - outer.top, outer.bottom - inner.bottom);
        }),
      );
      assert.deepEqual(gaps.filter((gap) => gap < 3), [], what);
      if (screen === "wide") await screenshots(page, `long-${what}`);
    };
    await ready(page);
    await page.locator("summary").click();
    for (const seat of [0, 1, 2]) await page.locator(`[data-seat="${seat}"]`).click();
    await page.getByRole("button", { name: "Hold 3 seats" }).waitFor();
    await holdForLong([ids[0], ids[1]]);
    await told("faster", "Somebody else was faster with these");
    await page.getByRole("button", { name: "Hold 1 seat" }).click();
    await page.getByRole("timer").waitFor();
    await told("time-over", "Your time is over");
    await holdForLong(ids.filter((_, i) => i > 2 && i % 2 === 1));
    await page.getByRole("button", { name: "Hold the best 2 seats" }).click();
    await told("apart", "No 2 seats side by side are left");
    await holdForLong(ids.filter((_, i) => i > 1 && i % 2 === 0));
    await told("nothing-free", "Nothing is free at the moment");
  });
}

for (const [screen, form] of Object.entries({ wide, narrow })) {
  test(`The states of a sale keep long names within the screen (${screen})`, async (t) => {
    const hours = (n) => new Date(Date.now() + n * 3_600_000).toISOString();
    const shown = async (page, what, text) => {
      await page.getByText(text).first().waitFor();
      assert.ok((await widthOf(page)) <= form.viewport.width, `${what}: ${await widthOf(page)} pixels`);
      assert.deepEqual(await cut(page, ".notice, .notice *, .banner, .status, .deal, .deal *"), [], what);
      if (screen === "wide") await screenshots(page, `long-${what}`);
    };
    for (const [what, text, more] of [["over", "This event is over", { startsAt: hours(-25) }], ["begun", "This event has begun", { startsAt: hours(-23) }]]) {
      const { id } = await makeEvent(more);
      const page = await visit(t, server, `/?event=${id}`, form);
      await ready(page);
      await shown(page, what, text);
    }
    const { id } = await makeEvent();
    const { seats: { id: ids } } = await planOf(server, id);
    const { id: all } = await holdAsSomebody(server, ids);
    await server.ask("POST", `/v1/reservations/${all}/consume`, { orderId: "box-office" });
    const page = await visit(t, server, `/?event=${id}`, form);
    await ready(page);
    await shown(page, "sold-out", "Sold out");
    const list = await visit(t, server, "/", form);
    await shown(list, "events", "Has begun");
  });
}

for (const width of [1440, 1280, 390, 320]) {
  test(`What is wrong with a part of the server stays within the screen, however long a path in it is (${width} pixels)`, async (t) => {
    const page = await visit(t, server, undefined, { viewport: { width, height: 800 } });
    await page.route("**/v1/operations/health*", async (route) => {
      const response = await route.fetch();
      const body = await response.json();
      body.components[0] = { ...body.components[0], status: "degraded", detail: `It cannot write /srv/${"a_folder_with_a_long_name/".repeat(10)}journal.db.` };
      await route.fulfill({ response, json: body });
    });
    await page.goto(`${server.url}/console`);
    await page.getByText("It cannot write").waitFor();
    assert.ok((await widthOf(page)) <= width, `${await widthOf(page)} pixels`);
    if (width === 1440) await screenshots(page, "long-desk-sale");
  });
}

test("The text about a seat has its price on one line", async (t) => {
  const { id } = await holdAsSomebody(server, [plan.seats.id[0]]);
  t.after(() => server.ask("POST", `/v1/reservations/${id}/release`, {}));
  const viewport = { width: 320, height: 568 };
  const page = await visit(t, server, `/?event=${event.id}`, { ...narrow, viewport });
  await ready(page);
  await page.locator("summary").click();
  await page.locator('[data-seat="0"]').click({ force: true });   // it is called disabled, because it cannot be had
  const price = page.locator(".tip .numbers");
  await price.getByText("€1,234.50").waitFor();
  const { height } = await price.boundingBox();
  assert.ok(height < 30, `${height} pixels`);
  await screenshots(page, "long-tip", viewport);
});

test("The desk's last line says how an action ended, however long its name is", async (t) => {
  const page = await desk(t, `#/event/${event.id}`, narrow);
  await page.getByRole("button", { name: "Whole row" }).click();
  await page.getByRole("button", { name: "Block 12…" }).click();
  await page.getByRole("dialog").waitFor();
  await screenshots(page, "long-desk-question");
  await page.getByRole("dialog").getByRole("button", { name: "Block", exact: true }).click();
  const outcome = page.locator(".trace .outcome");
  await outcome.getByText("done").waitFor();
  const { x, width } = await outcome.boundingBox();
  assert.ok(x >= 0 && x + width <= 320, `from ${x} to ${x + width}`);
  assert.deepEqual(await cut(page, ".trace .outcome"), []);
  await screenshots(page, "long-desk-outcome");
});

test("An unknown event is not reported as a server without an answer", async (t) => {
  const page = await desk(t, "#/event/0e000000-0000-4000-8000-00000000ffff", { ...wide, expects: [/status of 404/] });
  await page.getByText(/event_not_found/).waitFor();
  assert.equal(await page.getByText(/no answer since/).count(), 0);
  await screenshots(page, "desk-no-event");
  const buyers = await visit(t, server, "/?event=0e000000-0000-4000-8000-00000000ffff", { ...wide, expects: [/status of 404/] });
  await buyers.getByRole("heading", { name: "There is no such event." }).waitFor();
  await expectAccessible(buyers, "an event that there is not");
  await screenshots(buyers, "no-event");
});

test("Results of a search at the desk fit on the narrowest screen, and their tables scroll by keyboard", async (t) => {
  const customer = "customer-" + "x".repeat(200);
  const { id } = await holdAsSomebody(server, [13, 14].map((i) => plan.seats.id[i]), customer);
  const page = await desk(t, `#/find/${id}`, { ...narrow, expects: [/status of 404/] });
  await page.getByRole("article").first().getByText(/That is all/).waitFor();
  assert.ok((await widthOf(page)) <= 320, `${await widthOf(page)} pixels`);
  await expectAccessible(page, "a reservation with long names");
  await screenshots(page, "long-desk-reservation");
  for (const [name, text, seen] of [["customer", customer, page.getByRole("article", { name: /^Customer/ })], ["nothing", "nobody-" + "z".repeat(100), page.getByText(/Nothing was found/)]]) {
    await page.goto(`${server.url}/console#/find/${text}`);
    await seen.waitFor();
    assert.ok((await widthOf(page)) <= 320, `${await widthOf(page)} pixels for ${text.slice(0, 10)}`);
    await screenshots(page, `long-desk-${name}`);
  }
});
