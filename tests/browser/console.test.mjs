// The desk: signing in, how the sale goes, looking up, and changing things with a question before and a trace after.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, expectAccessible, forms, screenshot, screenshots, startServer, visit } from "./harness.mjs";

const server = await startServer();
const theatre = await server.importVenue("theatre", { name: "An Evening at the Theatre" });
const plan = await server.ask("GET", `/v1/events/${theatre.id}/plan`);
const labelOf = (i) => `${plan.sections[plan.seats.section[i]]}-${plan.names[plan.seats.row[i]]}-${plan.seats.number[i]}`;
const notFound = /status of 404/;   // who looks something up asks for things that there are not

const hold = (customerId, seats, more = {}) => server.ask("POST", "/v1/reservations", { customerId, seatIds: seats.map((i) => plan.seats.id[i]), ...more });
const stateOf = async (i) => (await server.ask("GET", `/v1/seats/${plan.seats.id[i]}`)).state;
const open = (t, path = "", options = {}) => visit(t, server, `/console${path}`, options);
/** Says yes to the question that is open. */
async function answer(page, note, verb) {
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("textbox").fill(note);
  await dialog.getByRole("button", { name: verb, exact: true }).click();   // once it can be answered
  await dialog.waitFor({ state: "detached" });
}
/** The row of the trace that has all of these texts. */
const traceRow = (page, ...texts) => texts.reduce((rows, text) => rows.filter({ hasText: text }), page.getByRole("row")).first();

test("a server without keys lets the desk in, and the desk says so", async (t) => {
  const page = await open(t);
  await page.getByText("No keys are configured").waitFor();
  await page.getByRole("row", { name: /An Evening at the Theatre/ }).waitFor();
  assert.equal(await page.getByRole("button", { name: "Sign out" }).count(), 0);
});

test("a key that is wrong is told kindly, and a good one is kept no longer than was asked for", async (t) => {
  const guarded = await startServer();
  const admin = (await guarded.tool("keys", "create", "--name", "front desk", "--scopes", "admin")).trim();
  const reader = (await guarded.tool("keys", "create", "--name", "reader", "--scopes", "read")).trim();
  const page = await visit(t, guarded, undefined, { expects: [/status of 40[13]/] });
  // The server notices new keys within a second.
  await eventually("the server takes no strangers any more", async () => (await fetch(`${guarded.url}/v1/events`)).status === 401);
  await page.goto(`${guarded.url}/console`);
  const key = page.getByLabel("API key with the scope admin");
  const enter = page.getByRole("button", { name: "Sign in" });
  await enter.click();
  await page.getByRole("alert").filter({ hasText: "Please paste a key." }).waitFor();
  await key.fill("hf_0000000000000000000000000000000000000000000");
  await enter.click();
  await page.getByRole("alert").filter({ hasText: "does not know this key" }).waitFor();
  await key.fill("schlüssel");
  await enter.click();
  await page.getByRole("alert").filter({ hasText: "does not know this key" }).waitFor();
  await key.fill(reader);
  await enter.click();
  await page.getByRole("alert").filter({ hasText: "needs one with the scope admin" }).waitFor();
  await expectAccessible(page, "the form that asks for a key");
  await screenshots(page, "console-sign-in");
  await key.fill(admin);
  await enter.click();
  await page.getByText("Key front desk (").waitFor();
  assert.ok(!page.url().includes("hf_"), page.url());
  assert.deepEqual(await page.evaluate(() => [sessionStorage.length, Object.values(localStorage).filter((each) => each.includes("hf_")).length]), [0, 0]);

  await page.reload();
  await key.waitFor();   // it was in memory only
  await key.fill(admin);
  await page.getByLabel("Keep it until this tab is closed").check();
  await enter.click();
  await page.getByText("Key front desk (").waitFor();
  await page.reload();
  await page.getByText("Key front desk (").waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await key.waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);

  // A key that is revoked while somebody works with it.
  await key.fill(admin);
  await enter.click();
  await page.getByText("Key front desk (").waitFor();
  const id = (await guarded.tool("keys", "list")).split("\n").find((line) => line.includes("front desk")).match(/k[0-9a-f]{12}/)[0];
  await guarded.tool("keys", "revoke", id);
  await page.getByRole("alert").filter({ hasText: "no longer accepted" }).waitFor();
  assert.ok(!guarded.log.includes(admin) && !guarded.log.includes(reader), "a key is in the log");
});

test("charts and figures move when sales happen, and agree with the journal", async (t) => {
  const fresh = await startServer();
  const event = await fresh.importVenue("theatre");
  const seats = (await fresh.ask("GET", `/v1/events/${event.id}/plan`)).seats.id;
  const page = await visit(t, fresh, "/console");
  const flow = page.getByRole("img", { name: /^Holds, sales, expiries/ });
  const figure = (name) => page.locator(".figure").filter({ has: page.getByText(name, { exact: true }) });
  await figure("Holds").getByText("0 in the last minute").waitFor();
  const drawnBefore = await flow.locator("canvas").screenshot();
  for (let i = 0; i < 12; ++i) {
    const { id } = await fresh.ask("POST", "/v1/reservations", { customerId: "c", seatIds: [seats[i]], ...(i < 2 ? { holdSeconds: 1 } : {}) });
    if (i >= 8) await fresh.ask("POST", `/v1/reservations/${id}/consume`, { orderId: `order-${i}` });
  }
  for (let i = 0; i < 3; ++i) {
    const { status } = await fetch(`${fresh.url}/v1/reservations`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ customerId: "d", seatIds: [seats[11]] }) });
    assert.equal(status, 409);
  }
  const { items } = await fresh.ask("GET", `/v1/events/${event.id}/changes?limit=1000`);
  const inJournal = (type) => items.filter((change) => change.type === type).length;
  assert.deepEqual([inJournal("held"), inJournal("consumed")], [12, 4]);
  await figure("Holds").getByText("12 in the last minute").waitFor();
  await figure("Sales").getByText("4 in the last minute").waitFor();
  await figure("Expiries").getByText("2 in the last minute").waitFor();
  await figure("Refusals").getByText("3 in the last minute").waitFor();
  await page.getByRole("img", { name: /^Refusals by reason.*seat taken/ }).waitFor();
  await eventually("the chart was drawn anew", async () => !drawnBefore.equals(await flow.locator("canvas").screenshot()));
  const row = page.getByRole("row", { name: /^theatre/ });
  const counts = (await fresh.ask("GET", `/v1/events/${event.id}`)).counts;
  await eventually("the row says what the server says", async () => {
    const text = (await row.innerText()).split(/\s+/);
    return text.includes(String(counts.available)) && text.includes(String(counts.sold)) && text.includes(String(counts.held));
  });
});

test("nothing moves while numbers change", async (t) => {
  const page = await open(t);
  const places = () => page.locator(".chart, .figures, table, .bar, .server").evaluateAll((all) => all.map((each) => JSON.stringify(each.getBoundingClientRect())));
  await page.getByRole("row", { name: /An Evening at the Theatre/ }).waitFor();
  await page.getByRole("row", { name: /Ledger/ }).waitFor();
  await page.evaluate(() => document.fonts.ready);
  const before = await places();
  assert.ok(before.length >= 10, `${before.length}`);
  const seconds = page.locator(".charts .as-of");
  for (let i = 0; i < 20; ++i) {
    const { id } = await hold("mover", [100 + i]);
    await server.ask("POST", `/v1/reservations/${id}/release`, {});
  }
  await page.locator(".figure").filter({ hasText: "Holds" }).getByText(/^[2-9][0-9] in the last minute/).waitFor();
  const then = await seconds.innerText();
  await eventually("a second went by", async () => (await seconds.innerText()) !== then);
  assert.deepEqual(await places(), before);
});

test("seats are blocked and unblocked with the keyboard alone: a question before, a trace after", async (t) => {
  const page = await open(t);
  // From the top of the page to the event.
  await page.getByRole("row", { name: /An Evening at the Theatre/ }).waitFor();
  const tabTo = async (locator) => {
    await locator.waitFor();
    for (let i = 0; i < 80; ++i) {
      if (await locator.evaluate((element) => element === document.activeElement)) return;
      await page.keyboard.press("Tab");
    }
    assert.fail(`Tab does not get to ${locator}`);
  };
  await tabTo(page.getByRole("link", { name: "An Evening at the Theatre" }));
  await page.keyboard.press("Enter");
  await page.getByText("Choose seats").waitFor();
  await tabTo(page.getByRole("combobox", { name: "Row" }));
  await page.keyboard.press("ArrowDown");   // row B
  await tabTo(page.getByRole("button", { name: "Whole row" }));
  await page.keyboard.press("Enter");
  const row = plan.seats.id.map((_, i) => i).filter((i) => labelOf(i).startsWith("Stalls-B-"));
  await page.getByRole("status").filter({ hasText: `${row.length} seats chosen: ${row.length} available, 0 blocked` }).waitFor();
  await tabTo(page.getByRole("button", { name: `Block ${row.length}…` }));
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: `Block ${row.length} seats of An Evening at the Theatre?` });
  await dialog.waitFor();
  await expectAccessible(page, "a question");

  // No is an answer: nothing happens, and the keyboard is where it was.
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  assert.equal(await stateOf(row[0]), "available");
  assert.ok(await page.getByRole("button", { name: `Block ${row.length}…` }).evaluate((element) => element === document.activeElement));
  await page.keyboard.press("Enter");
  await tabTo(dialog.getByRole("textbox"));
  await page.keyboard.type("Camera of the Übertragung");
  await dialog.locator("button[type=submit][aria-disabled=false]").waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("status").filter({ hasText: "An Evening at the Theatre? · done" }).waitFor();
  for (const i of row) assert.equal(await stateOf(i), "blocked");

  await tabTo(page.getByRole("link", { name: "All actions" }));
  await page.keyboard.press("Enter");
  await traceRow(page, "Camera of the Übertragung", "block", "without a key", "✓ 200", plan.seats.id[row[0]]).waitFor();
  assert.match(server.log, /an operator without a key asked for POST \/v1\/events\/[^ ]+\/block .*because .*Camera of the Übertragung.*: 200/);

  await page.goBack();
  await page.getByRole("combobox", { name: "Row" }).selectOption({ label: "B" });
  await page.getByRole("button", { name: "Whole row" }).click();
  await page.getByRole("button", { name: `Unblock ${row.length}…` }).click();
  await answer(page, "Camera is gone", "Unblock");
  assert.equal(await stateOf(row[0]), "available");
  // Others see it come, too.
  await page.getByRole("status").filter({ hasText: "0 seats chosen" }).waitFor();
});

test("a refusal stays in the question and names the seats", async (t) => {
  const page = await open(t, `#/event/${theatre.id}`, { expects: [/status of 409/] });
  const seat = plan.seats.id.findIndex((_, i) => labelOf(i) === "Stalls-C-1");
  await page.getByRole("combobox", { name: "Row" }).selectOption({ label: "C" });
  await page.getByRole("checkbox", { name: /^1 / }).check();
  await page.getByRole("button", { name: "Block 1…" }).click();
  await page.getByRole("dialog").waitFor();
  await hold("faster", [seat]);
  await page.getByRole("dialog").getByRole("button", { name: "Block", exact: true }).click();
  const told = page.getByRole("dialog").getByRole("alert");
  await told.filter({ hasText: "seat_unavailable" }).waitFor();
  assert.ok((await told.innerText()).includes(plan.seats.id[seat]));
  await screenshots(page, "console-refusal");
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.goto(`${server.url}/console#/actions`);
  await traceRow(page, "✕ 409 seat taken").waitFor();
});

test("a seat, a reservation and a customer are found with their whole history, and given back from there", async (t) => {
  const [a, b, c] = ["Stalls-D-1", "Stalls-D-2", "Stalls-D-3"].map((label) => plan.seats.id.findIndex((_, i) => labelOf(i) === label));
  const reservation = await hold("customer-éñ 7", [a, b, c]);
  await server.ask("POST", `/v1/reservations/${reservation.id}/extend`, { holdSeconds: 1800 });
  const page = await open(t, "", { expects: [notFound] });
  await page.getByRole("link", { name: "Look up" }).click();
  const box = page.getByLabel("Seat, reservation, order or customer");
  const look = async (text) => {
    await box.fill(text);
    await box.press("Enter");
  };

  await look("Stalls-D-2");
  const seat = page.getByRole("article", { name: "Seat Stalls-D-2" });
  await seat.getByText("Held", { exact: true }).first().waitFor();
  await seat.getByRole("row", { name: /held Held 1/ }).waitFor();
  await seat.getByRole("link", { name: reservation.id }).click();

  const card = page.getByRole("article", { name: `Reservation ${reservation.id}` });
  await card.getByRole("row", { name: /held Stalls-D-1, Stalls-D-2, Stalls-D-3/ }).waitFor();
  await card.getByRole("row", { name: /extended until/ }).waitFor();
  await card.getByLabel("Choose Stalls-D-3").check();
  await card.getByRole("button", { name: "Release 1 seat…" }).click();
  await answer(page, "One too many", "Release");
  await card.getByRole("row", { name: /released Stalls-D-3/ }).waitFor();
  assert.equal(await stateOf(c), "available");

  await server.ask("POST", `/v1/reservations/${reservation.id}/consume`, { orderId: "order-77" });
  await page.getByRole("button", { name: "Look up" }).click();
  await card.getByRole("row", { name: /sold Stalls-D-1, Stalls-D-2 · Order order-77/ }).waitFor();
  await card.getByRole("button", { name: "Return 2 seats…" }).click();
  await answer(page, "Refund 12", "Return");
  await card.getByRole("row", { name: /returned Stalls-D-1, Stalls-D-2/ }).waitFor();
  assert.equal(await stateOf(a), "available");

  await card.getByRole("link", { name: "customer-éñ 7" }).click();
  const customer = page.getByRole("article", { name: "Customer customer-éñ 7" });
  await customer.getByRole("row", { name: /Sold 2 .*order-77/ }).waitFor();
  await page.getByRole("link", { name: "All actions" }).click();
  await traceRow(page, "Refund 12", "return", "✓ 200").waitFor();
  await traceRow(page, "One too many", "release", "✓ 200").waitFor();

  await page.getByRole("link", { name: "Look up" }).click();
  await look("nobody-has-this");
  await page.getByRole("status").filter({ hasText: "Nothing was found for “nobody-has-this”" }).waitFor();
});

test("a seat is found by the label of its ticket, and a reservation by its order", async (t) => {
  const seats = ["Stalls-E-8", "Stalls-E-9"].map((label) => plan.seats.id.findIndex((_, i) => labelOf(i) === label));
  const { id } = await hold("buyer of E", seats);
  await server.ask("POST", `/v1/reservations/${id}/consume`, { orderId: "web order 2027/118" });
  const page = await open(t, "#/find/", { expects: [notFound] });
  const box = page.getByLabel("Seat, reservation, order or customer");
  const look = async (text) => {
    await box.fill(text);
    await box.press("Enter");
  };
  await look("Stalls E-9");
  await page.getByRole("article", { name: "Seat Stalls-E-9" }).getByText("Sold", { exact: true }).first().waitFor();
  await look("web order 2027/118");
  await page.getByRole("article", { name: `Reservation ${id}` }).getByText("web order 2027/118").first().waitFor();
  assert.equal(await page.getByRole("article").count(), 1);
});

test("what is typed before the desk knows the events stays in its box", async (t) => {
  const page = await visit(t, server, undefined, { expects: [notFound] });
  let answerEvents;
  const answered = new Promise((resolve) => (answerEvents = resolve));
  await page.route(/\/v1\/events(\?|$)/, async (route) => {
    await answered;
    await route.continue();
  });
  await page.goto(`${server.url}/console#/find/`);
  const box = page.getByLabel("Seat, reservation, order or customer");
  await box.fill("Stalls-E-10");
  const known = page.waitForResponse(/\/v1\/events(\?|$)/);
  answerEvents();
  await known;
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  assert.equal(await box.inputValue(), "Stalls-E-10");
  await box.press("Enter");
  await page.getByRole("article", { name: "Seat Stalls-E-10" }).waitFor();
});

test("an order's id is found as the buyer's page prints it", async (t) => {
  const shop = await startServer({ flags: ["--demo"] });
  const event = await shop.importVenue("theatre");
  const buyer = await visit(t, shop, `/?event=${event.id}`);
  await buyer.getByRole("button", { name: "Hold the best 2 seats" }).click();
  await buyer.getByRole("button", { name: /^Buy for/ }).click();
  const tickets = buyer.getByRole("region", { name: "Your tickets" });
  const label = (await tickets.locator("p").first().textContent()).split(",")[0];
  const order = (await tickets.locator("p").nth(1).textContent()).replace("Order ", "").trim();
  const page = await visit(t, shop, "/console#/find/", { expects: [notFound] });
  const box = page.getByLabel("Seat, reservation, order or customer");
  await box.fill(order);
  await box.press("Enter");
  await page.getByRole("article").getByText(order).first().waitFor();
  await box.fill(label);
  await box.press("Enter");
  await page.getByRole("article", { name: `Seat ${label.replace(" ", "-")}` }).waitFor();
});

test("neither a second click nor a held key answers a question that has just appeared", async (t) => {
  const page = await open(t, `#/event/${theatre.id}`);
  const seat = plan.seats.id.findIndex((_, i) => labelOf(i) === "Stalls-F-1");
  await page.getByRole("combobox", { name: "Row" }).selectOption({ label: "F" });
  await page.getByRole("checkbox", { name: /^1 / }).check();
  const block = page.getByRole("button", { name: "Block 1…" });
  await block.evaluate(async (button) => {
    button.click();
    for (let n = 0; n < 20; ++n) {
      await new Promise((go) => setTimeout(go, 20));
      document.querySelector("dialog form")?.requestSubmit();
    }
  });
  await page.getByRole("dialog").waitFor();
  assert.equal(await stateOf(seat), "available");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });

  await block.focus();
  await page.keyboard.down("Enter");
  await page.getByRole("dialog").locator("button[type=submit][aria-disabled=false]").waitFor();
  for (let n = 0; n < 5; ++n) await page.keyboard.down("Enter");   // the keyboard repeats it
  assert.equal(await stateOf(seat), "available");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.up("Enter");
  await answer(page, "Now I mean it", "Block");
  assert.equal(await stateOf(seat), "blocked");
});

test("on a phone an action takes a part of the screen, and its request can be opened", async (t) => {
  const seats = plan.seats.id.map((_, i) => i).filter((i) => labelOf(i).startsWith("Circle-"));
  assert.ok(seats.length > 20, `${seats.length}`);
  await server.ask("POST", `/v1/events/${theatre.id}/block`, { seatIds: seats.map((i) => plan.seats.id[i]) });
  await server.ask("POST", `/v1/events/${theatre.id}/unblock`, { seatIds: seats.map((i) => plan.seats.id[i]) });
  const page = await open(t, "#/actions", { viewport: { width: 390, height: 844 }, hasTouch: true });
  const newest = traceRow(page, "unblock", "✓ 200");
  await newest.waitFor();
  const { height } = await newest.boundingBox();
  assert.ok(height < 844 / 4, `${height} pixels`);
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 390);
  await newest.locator("summary").click();
  await newest.getByText(plan.seats.id[seats[0]]).waitFor();
});

test("a server that is gone is said to be gone, and comes back", async (t) => {
  const away = await startServer();
  await away.importVenue("theatre");
  const page = await visit(t, away, "/console", { expects: [/ERR_CONNECTION_REFUSED|Failed to load resource/] });
  await page.getByRole("row", { name: /^theatre/ }).waitFor();
  await away.stop();
  await page.getByText(/no answer since \d\d:\d\d:\d\d; these are the last numbers/).first().waitFor();
  await page.getByRole("row", { name: /^theatre/ }).waitFor();   // the last numbers stay
  // And nothing says that all is well now.
  await page.getByRole("region", { name: "Parts of the server" }).getByText(/no answer since/).waitFor();
  assert.doesNotMatch(await page.locator(".server").innerText(), /OK/);
  await away.start();
  await eventually("the numbers are fresh again", async () => (await page.getByText(/no answer since/).count()) === 0);
});

test("the parts of the server and their lag are shown", async (t) => {
  const page = await open(t);
  await page.getByRole("row", { name: /^Ledger embedded OK –/ }).waitFor();
  await page.getByRole("row", { name: /^Tables state\.db OK [0-9,]+ rows/ }).waitFor();
  await page.getByRole("row", { name: /^Lock none Off –/ }).waitFor();
  await page.getByRole("row", { name: /^Feed none Off –/ }).waitFor();
});

test("it speaks Spanish to readers of Spanish", async (t) => {
  const page = await open(t, "", { locale: "es-ES" });
  await page.getByRole("heading", { name: "Eventos" }).waitFor();
  await page.getByRole("columnheader", { name: "Cambios" }).waitFor();
  await page.getByRole("link", { name: "Actividad" }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), "es");
  // What the server says of its parts is English: it is marked as such, under what it means.
  const webhooks = page.getByRole("row", { name: /^Webhooks/ });
  await webhooks.getByText("No hay webhooks.").waitFor();
  await webhooks.locator("[lang=en]").getByText("There are no webhooks.").waitFor();
  assert.equal(await page.locator(".parts .detail").count(), await page.locator(".parts .detail small[lang=en]").count());
  await expectAccessible(page, "the sale in Spanish");
  await screenshots(page, "console-spanish");
  await page.getByRole("button", { name: "English" }).click();
  await page.getByRole("heading", { name: "Events" }).waitFor();
  assert.equal(await webhooks.locator(".detail").innerText(), "There are no webhooks.");
});

for (const locale of ["en-GB", "es-ES"]) {
  for (const viewport of [{ width: 1280, height: 800 }, { width: 320, height: 568 }]) {
    test(`no figure, legend or last line of the sale is cut (${locale}, ${viewport.width} pixels)`, async (t) => {
      const page = await visit(t, server, undefined, { locale, viewport });
      await page.route("**/v1/operations/series*", async (route) => {
        const response = await route.fetch();
        const body = await response.json();
        for (const code of ["seat_unavailable", "reservation_expired", "rate_limited", "unavailable", "no_adjacent_seats", "limit_exceeded"]) body.refusals[code] ??= body.at.map(() => 1);
        await route.fulfill({ response, json: body });
      });
      await page.goto(`${server.url}/console`);
      await page.getByRole("row", { name: /An Evening at the Theatre/ }).waitFor();
      await page.locator(".legend").nth(3).waitFor();
      await page.evaluate(() => document.fonts.ready);
      const cut = await page
        .locator(".figure small, .legend, .legend li, .foot .trace > *")
        .evaluateAll((all) => all.filter((each) => each.scrollWidth > each.clientWidth || each.scrollHeight > each.clientHeight).map((each) => each.textContent));
      assert.deepEqual(cut, []);
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= viewport.width);
    });
  }
}

for (const locale of ["en-GB", "es-ES"]) {
  test(`a seat's number in the list to choose from stands in one line (${locale})`, async (t) => {
    const page = await open(t, `#/event/${theatre.id}`, { locale });
    await page.locator(".row-of-seats .numbers").nth(11).waitFor();
    await page.evaluate(() => document.fonts.ready);
    for (const width of [1440, 1280, 390, 320]) {
      await page.setViewportSize({ width, height: 800 });
      // The twelfth has two digits.
      const [one, twelfth] = await page.locator(".row-of-seats .numbers").evaluateAll((all) => [all[0], all[11]].map((each) => each.getBoundingClientRect().height));
      assert.equal(twelfth, one, `${width} pixels`);
    }
  });
}

for (const { name, ...form } of forms) {
  test(`every view is accessible and looks as it should: ${name}`, async (t) => {
    const page = await open(t, "", { ...form, expects: [notFound] });
    await page.getByRole("row", { name: /An Evening at the Theatre/ }).waitFor();
    await page.getByText("Ledger", { exact: true }).waitFor();
    const views = [
      ["sale", "#/sale", () => page.getByRole("img", { name: /^Holds, sales, expiries/ })],
      ["event", `#/event/${theatre.id}`, () => page.getByText("Choose seats")],
      ["find", "#/find/Stalls-D-1", () => page.getByRole("article").first().getByText(/That is all/)],
      ["import", "#/import", () => page.getByLabel("File of the seating plan")],
      ["actions", "#/actions", () => page.getByRole("heading", { name: "Operators’ actions" })],
    ];
    for (const [view, hash, seen] of views) {
      await page.goto(`${server.url}/console${hash}`);
      await seen().waitFor();
      await page.evaluate(() => document.fonts.ready);
      await screenshot(page, `console-${view}-${name}`, { fullPage: true });
      await expectAccessible(page, `${view}, ${name}`);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= form.viewport.width, `${view} is ${width} pixels wide`);
    }
  });
}
