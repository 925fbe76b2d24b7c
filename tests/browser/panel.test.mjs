// What the panel beside the map offers, and that nothing of it stands in the way of something else.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, screenshots, startServer, visit } from "./harness.mjs";
import { clickSeat, colorAt, holdAsSomebody, placeOf, planOf, ready, zoomTo } from "./map.mjs";

const server = await startServer({ flags: ["--demo"] });

/** An event of one row. `more`: further members of POST /v1/events, or of its seats. */
function row(count, { category = {}, section = "Hall", ...more } = {}) {
  const of = { name: "All", price: 10, ...category };
  const seats = Array.from({ length: count }, (_, k) => ({ section, row: "1", number: String(k + 1), category: of.name, x: k * 20, y: 0 }));
  return server.ask("POST", "/v1/events", { name: "One row", currency: "EUR", categories: [of], seats, ...more });
}
async function sell(seatIds) {
  const { id } = await holdAsSomebody(server, seatIds);
  await server.ask("POST", `/v1/reservations/${id}/consume`, { orderId: "box-office" });
}
const activeOf = async (id) => (await server.ask("GET", `/v1/reservations?eventId=${id}&status=active`)).items;

// ---- a second click

// Presses a button as soon as it is there, by click and by submitting, again and again for half a second: as fast as nobody is.
const pressAtOnce = (page, text) =>
  page.evaluate((start) => {
    window.presses = 0;
    const press = () => {
      const button = [...document.querySelectorAll("button")].find((each) => each.textContent.trim().startsWith(start));
      if (button === undefined) return false;
      for (const end = performance.now() + 500; performance.now() < end; ) {
        button.click();
        button.form?.requestSubmit();
        ++window.presses;
        if (window.presses % 50 === 0) return true;   // the page goes on
      }
      return true;
    };
    const observer = new MutationObserver(() => press() && observer.disconnect());
    observer.observe(document.body, { childList: true, subtree: true });
  }, text);

test("A second click where Buy was makes no new hold, and a later one does", async (t) => {
  const { id } = await server.importVenue("theatre");
  const page = await visit(t, server, `/?event=${id}`);
  await ready(page);
  await page.getByRole("button", { name: "Hold the best 2 seats" }).click();
  await page.getByRole("timer").waitFor();
  await pressAtOnce(page, "Hold the best");
  await page.getByRole("button", { name: /^Buy for/ }).click();
  await page.getByText("Enjoy the show!").waitFor();
  await page.waitForFunction(() => window.presses > 0);
  const best = page.getByRole("button", { name: "Hold the best 2 seats" });
  await page.waitForFunction(() => [...document.querySelectorAll("button")].some((each) => each.textContent.startsWith("Hold the best") && each.ariaDisabled === "false"));
  assert.deepEqual(await activeOf(id), []);
  await best.click();
  await page.getByRole("timer").waitFor();
});

test("A click that comes as a hold ends makes no new one", async (t) => {
  const { id } = await server.importVenue("theatre", { holdSeconds: 3, maxHoldSeconds: 600 });
  const page = await visit(t, server, `/?event=${id}`);
  await ready(page);
  await page.getByRole("button", { name: "Hold the best 2 seats" }).click();
  await page.getByRole("timer").waitFor();
  await pressAtOnce(page, "Hold the best");
  await page.getByText("Your time is over").waitFor();
  await page.waitForFunction(() => window.presses > 0);
  await page.waitForFunction(() => [...document.querySelectorAll("button")].some((each) => each.textContent.startsWith("Hold the best") && each.ariaDisabled === "false"));
  assert.deepEqual(await activeOf(id), []);
  await screenshots(page, "panel-time-over");
  await page.getByRole("button", { name: "Try to hold them again" }).click();
  await page.getByRole("timer").waitFor();
});

test("A double click on a line's cross removes only that line", async (t) => {
  const { id } = await server.importVenue("theatre");
  const plan = await planOf(server, id);
  const page = await visit(t, server, `/?event=${id}`);
  await ready(page);
  for (const i of [60, 61, 62]) await clickSeat(page, plan, i);
  await page.getByRole("button", { name: "Hold 3 seats" }).waitFor();
  const cross = page.getByRole("button", { name: "Remove Stalls D-10" });
  await page.waitForFunction(() => document.querySelector(".choice .icon-button").ariaDisabled === "false");
  const box = await cross.boundingBox();
  await page.mouse.dblclick(box.x + box.width / 2, box.y + box.height / 2);
  await page.getByRole("button", { name: "Hold 2 seats" }).waitFor();
  await page.getByRole("button", { name: "Remove Stalls D-11" }).waitFor();
});

// ---- what there is not

test("A sold-out event says so and offers nothing; what comes back is offered at once", async (t) => {
  const { id } = await row(3);
  const { seats } = await planOf(server, id);
  await sell([seats.id[0], seats.id[1]]);
  const page = await visit(t, server, `/?event=${id}`, { expects: [/409/] });
  await ready(page);
  // One is left, and two are wanted: that is not a question of sitting apart.
  await page.getByRole("button", { name: "Hold the best 2 seats" }).click();
  await page.getByText("Not enough seats are left").waitFor();
  assert.equal(await page.getByRole("button", { name: /apart/ }).count(), 0);
  await screenshots(page, "panel-too-few");

  const last = await holdAsSomebody(server, [seats.id[2]]);
  await page.getByRole("heading", { name: "Nothing is free at the moment" }).waitFor();
  await page.getByText("Not enough seats are left").waitFor({ state: "detached" });   // "try fewer seats" is no advice any more
  assert.equal(await page.getByRole("button", { name: /^Hold the best/ }).count(), 0);
  await screenshots(page, "panel-nothing-free");
  await server.ask("POST", `/v1/reservations/${last.id}/consume`, { orderId: "box-office" });
  await page.getByRole("heading", { name: "Sold out" }).waitFor();
  await screenshots(page, "panel-sold-out");
  await server.ask("POST", `/v1/reservations/${last.id}/return`, { orderId: "box-office" });
  await page.getByRole("button", { name: "Hold the best 2 seats" }).waitFor();
  const cards = await visit(t, server, "/");
  await cards.getByRole("link", { name: /One row/ }).first().waitFor();
});

test("Seats apart are offered only while some are free", async (t) => {
  const { id } = await row(5);
  const { seats } = await planOf(server, id);
  await holdAsSomebody(server, [seats.id[1], seats.id[3]]);
  const page = await visit(t, server, `/?event=${id}`, { expects: [/409/] });
  await ready(page);
  await page.getByRole("button", { name: "Hold the best 2 seats" }).click();
  await page.getByRole("button", { name: "Hold 2 seats apart" }).waitFor();
  await holdAsSomebody(server, [seats.id[0], seats.id[2], seats.id[4]]);
  await page.getByRole("heading", { name: "Nothing is free at the moment" }).waitFor();
  await page.getByRole("button", { name: "Hold 2 seats apart" }).waitFor({ state: "detached" });
});

test("An event that is over is not listed, and its page offers nothing", async (t) => {
  const { id } = await row(3, { name: "Was yesterday", startsAt: new Date(Date.now() - 24 * 3_600_000 - 1_000).toISOString() });
  await row(3, { name: "Begins soon", startsAt: new Date(Date.now() + 3_600_000).toISOString() });
  const page = await visit(t, server, "/");
  await page.getByRole("link", { name: /Begins soon/ }).waitFor();
  assert.equal(await page.getByText("Was yesterday").count(), 0);
  await page.goto(`${server.url}/?event=${id}`);
  await ready(page);
  await page.getByText("This event is over").first().waitFor();
  assert.equal(await page.getByRole("button", { name: /^Hold/ }).count(), 0);
  await clickSeat(page, await planOf(server, id), 1);
  await page.locator(".tip").getByText("This event is over").waitFor();
  await screenshots(page, "panel-over");
  assert.equal(await page.getByRole("button", { name: /^Hold/ }).count(), 0);
});

test("An event that has begun is listed last, says so, and is sold", async (t) => {
  const { id } = await row(3, { name: "Began this morning", startsAt: new Date(Date.now() - 23 * 3_600_000).toISOString() });
  await row(3, { name: "Begins later", startsAt: new Date(Date.now() + 3_600_000).toISOString() });
  const page = await visit(t, server, "/");
  const begun = page.getByRole("link", { name: /Began this morning/ });
  await begun.getByText("Has begun").waitFor();
  const names = await page.locator(".card h2").allTextContents();
  assert.ok(names.indexOf("Began this morning") > names.indexOf("Begins later"), `${names}`);
  assert.equal(names.at(-1), "Began this morning");
  await screenshots(page, "panel-begun-events");
  await page.goto(`${server.url}/?event=${id}`);
  await ready(page);
  await page.getByText("This event has begun").waitFor();
  await screenshots(page, "panel-begun");
  await clickSeat(page, await planOf(server, id), 1);
  await page.getByRole("button", { name: "Hold 1 seat" }).click();
  await page.getByRole("timer").waitFor();
});

for (const viewport of [{ width: 390, height: 844 }, { width: 320, height: 568 }]) {
  test(`A tap on a seat that somebody has says so beside the seat (${viewport.width} pixels)`, async (t) => {
    const { id } = await row(6);
    const plan = await planOf(server, id);
    await holdAsSomebody(server, [plan.seats.id[2]]);
    await sell([plan.seats.id[5]]);
    const page = await visit(t, server, `/?event=${id}`, { viewport, hasTouch: true, isMobile: true });
    await ready(page);
    const tip = page.locator(".tip");
    for (const [i, name, word] of [[2, "held", "Held by somebody"], [5, "sold", "Sold"]]) {
      const { x, y } = await placeOf(page, plan, i);
      await page.touchscreen.tap(x, y);
      await tip.getByText(`Hall 1-${i + 1}`).waitFor();
      await tip.getByText(word, { exact: true }).waitFor();
      const box = await tip.boundingBox();
      assert.ok(box.x >= 0 && box.x + box.width <= viewport.width, JSON.stringify(box));
      await screenshots(page, `panel-tap-${name}`, viewport);
    }
    // A seat that is free is picked.
    await page.touchscreen.tap(...Object.values(await placeOf(page, plan, 0)));
    await page.getByRole("button", { name: "Hold 1 seat" }).waitFor();
    // On a phone that is turned the seat is elsewhere: what was said beside it goes.
    await page.touchscreen.tap(...Object.values(await placeOf(page, plan, 2)));
    await tip.waitFor();
    await page.setViewportSize({ width: viewport.height, height: viewport.width });
    await tip.waitFor({ state: "detached", timeout: 2_000 });   // by itself it goes after four seconds
  });
}

// ---- room

const long = "Premium Balcony With Restricted View And A Complimentary Drink";
const unbroken = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunte";

for (const width of [1440, 1280, 390, 320]) {
  test(`Names of any length push nothing out of a window of ${width} pixels`, async (t) => {
    const category = { name: unbroken, price: 1_234.5, color: "#2F6DB5" };
    const { id } = await row(9, { name: `${long} ${unbroken}`, venue: `${unbroken} ${long}`, section: long, category, startsAt: "2027-02-24T19:30:00Z" });
    const plan = await planOf(server, id);
    const page = await visit(t, server, "/", { viewport: { width, height: 800 } });
    const inWindow = async (what, name) => {
      const out = await page.evaluate(() => {
        const wide = [...document.querySelectorAll("button, select, h1, h2, li, p, strong, .card, .deal")].filter((each) => {
          const box = each.getBoundingClientRect();
          return box.width > 0 && each.closest(".grid, .unseen, .skip") === null && (box.right > innerWidth + 0.5 || box.left < -0.5);
        });
        return [...wide.map((each) => `${each.tagName} ${each.className} ${each.textContent.slice(0, 40)}`), ...(document.documentElement.scrollWidth > innerWidth ? ["the page scrolls sideways"] : [])];
      });
      assert.deepEqual(out, [], what);
      if (width === 1440) await screenshots(page, `panel-long-${name}`);
    };
    await page.getByRole("link", { name: new RegExp(long) }).first().waitFor();
    await inWindow("the events", "events");
    await page.goto(`${server.url}/?event=${id}`);
    await ready(page);
    await inWindow("the map", "map");
    for (const i of [0, 1, 2, 3]) await clickSeat(page, plan, i);
    await page.getByRole("button", { name: "Hold 4 seats" }).waitFor();
    await inWindow("a choice", "choice");
    await page.getByRole("button", { name: "Hold 4 seats" }).click();
    await page.getByRole("timer").waitFor();
    await inWindow("a hold", "hold");
    await page.getByRole("button", { name: /^Buy for/ }).click();
    await page.getByText("Enjoy the show!").waitFor();
    await inWindow("a purchase", "tickets");
    await server.ask("POST", `/v1/events/${id}/block`, { seatIds: plan.seats.id.slice(4) });
  });
}

test("The whole house stays whole in a window of another size, and what somebody looks at stays in the middle", async (t) => {
  const { id } = await server.importVenue("theatre");
  const plan = await planOf(server, id);
  const page = await visit(t, server, `/?event=${id}`);
  await ready(page);
  const [xs, ys] = [plan.seats.x, plan.seats.y];
  const isWhole = () =>
    page.evaluate(([left, right, top, bottom]) => {
      const canvas = document.querySelector(".map-canvas");
      const [scale, x, y] = canvas.dataset.view.split(" ").map(Number);
      return left * scale + x > 0 && right * scale + x < canvas.clientWidth && top * scale + y > 0 && bottom * scale + y < canvas.clientHeight;
    }, [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)]);
  for (const viewport of [{ width: 1280, height: 800 }, { width: 390, height: 844 }, { width: 844, height: 390 }, { width: 1440, height: 900 }]) {
    await page.setViewportSize(viewport);
    await eventually(`the whole house is seen at ${viewport.width} pixels`, isWhole);
  }
  await zoomTo(page, plan, 60, 1.5);
  const middle = () =>
    page.locator(".map-canvas").evaluate((canvas) => {
      const [scale, x, y] = canvas.dataset.view.split(" ").map(Number);
      return [scale, (canvas.clientWidth / 2 - x) / scale, (canvas.clientHeight / 2 - y) / scale].map(Math.round).join(" ");
    });
  const before = await middle();
  const view = await page.locator(".map-canvas").getAttribute("data-view");
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.waitForFunction((old) => document.querySelector(".map-canvas").dataset.view !== old, view);
  assert.equal(await middle(), before);
});

for (const [width, height] of [[1280, 800], [390, 844], [320, 568]]) {
  test(`Nothing lies over the seats (${width} pixels)`, async (t) => {
    const { id } = await server.importVenue("theatre");
    const page = await visit(t, server, `/?event=${id}`, { viewport: { width, height } });
    await ready(page);
    const over = await page.evaluate(() => {
      const canvas = document.querySelector(".map-canvas");
      const { left, top, right, bottom } = canvas.getBoundingClientRect();
      const found = new Set();
      for (let x = left + 2; x < right; x += 10) {
        for (let y = top + 2; y < Math.min(bottom, innerHeight); y += 10) {
          const there = document.elementFromPoint(x, y);
          if (there !== canvas) found.add(`${there?.tagName} ${there?.className}`);
        }
      }
      return [...found];
    });
    assert.deepEqual(over, []);
    for (const name of ["Zoom in", "Zoom out", "Show the whole house"]) await page.getByRole("button", { name }).click();
  });
}

for (const [width, height] of [[390, 844], [320, 568]]) {
  test(`On a phone of ${width} pixels the price and the button are in view with four seats, and then the clock with Buy`, async (t) => {
    const { id } = await server.importVenue("theatre");
    const plan = await planOf(server, id);
    const page = await visit(t, server, `/?event=${id}`, { viewport: { width, height }, hasTouch: true });
    await ready(page);
    // In view, and what is there is what is seen there.
    const isInView = (locator) =>
      locator.evaluate((element) => {
        const box = element.getBoundingClientRect();
        const there = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
        return box.width > 0 && box.top >= 0 && box.bottom <= innerHeight && (element.contains(there) || there?.contains(element));
      });
    const everywhere = async (what, ...locators) => {
      for (const to of [0, 0.5, 1]) {
        await page.evaluate((part) => scrollTo(0, part * (document.documentElement.scrollHeight - innerHeight)), to);
        for (const locator of locators) assert.ok(await isInView(locator), `${what}: ${locator}, scrolled to ${to}`);
      }
      await page.evaluate(() => scrollTo(0, 0));
    };
    // On a small phone seats are small: the list has them, too.
    await page.locator("summary").click();
    for (const n of [5, 6, 7, 8]) await page.getByRole("gridcell", { name: new RegExp(`^Row D, seat ${n},`) }).click();
    const deal = page.locator(".deal.at-hand");
    await everywhere("a choice", deal.getByText("€380.00", { exact: true }), deal.getByRole("button", { name: "Hold 4 seats" }));
    assert.match(await deal.evaluate((element) => getComputedStyle(element).backgroundColor), /^rgb\(/, "it has a backing");
    await deal.getByRole("button", { name: "Hold 4 seats" }).click();
    await page.getByRole("timer").waitFor();
    await everywhere("a hold", deal.locator(".clock-at-hand"), deal.getByText("€380.00", { exact: true }), deal.getByRole("button", { name: "Buy for €380.00" }));
    assert.match(await deal.locator(".clock-at-hand").textContent(), /^1[45]:\d\d$/);
    // The last thing of the page is not under it.
    await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
    const [list, bar] = [await page.locator(".seat-list").boundingBox(), await deal.boundingBox()];
    assert.ok(list.y + list.height <= bar.y, `the list ends at ${list.y + list.height}, the bar begins at ${bar.y}`);
  });
}

// ---- the visitor's own seats

for (const colorScheme of ["light", "dark"]) {
  for (const color of ["#1D4ED8", "#2F6DB5", "#86A9FF", "#16181B", "#FFFFFF"]) {
    test(`The visitor's own seats stand out among seats of ${color} (${colorScheme})`, async (t) => {
      const { id } = await row(9, { category: { color } });
      const plan = await planOf(server, id);
      const page = await visit(t, server, `/?event=${id}`, { colorScheme });
      await ready(page);
      const free = await colorAt(page, plan, 6);
      await clickSeat(page, plan, 4);
      await page.mouse.move(5, 5);
      const shown = async () => {
        const [scale, x, y] = (await page.locator(".map-canvas").getAttribute("data-view")).split(" ").map(Number);
        // From the middle of the seat to beyond its edge: the most that a pixel differs from the category's colour.
        return page.evaluate(
          ([from, to, at, other]) => {
            const luminance = (rgb) => rgb.map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)).reduce((sum, part, k) => sum + part * [0.2126, 0.7152, 0.0722][k], 0);
            const canvas = document.querySelector(".map-canvas");
            const ratio = canvas.width / canvas.clientWidth;
            const line = canvas.getContext("2d").getImageData(Math.round(from * ratio), Math.round(at * ratio), Math.round((to - from) * ratio), 1).data;
            const contrasts = [];
            for (let k = 0; k < line.length; k += 4) {
              const [light, dark] = [luminance([...line.slice(k, k + 3)]), luminance(other)].sort((a, b) => b - a);
              contrasts.push((light + 0.05) / (dark + 0.05));
            }
            return contrasts.filter((contrast) => contrast >= 3).length;
          },
          [plan.seats.x[4] * scale + x, plan.seats.x[4] * scale + x + 0.55 * scale * (plan.seats.x[1] - plan.seats.x[0]), plan.seats.y[4] * scale + y, free],
        );
      };
      await eventually("its frame is seen", async () => (await shown()) >= 2);
      // A corner of its square is not a disc's.
      assert.notEqual(String(await colorAt(page, plan, 4)), String(free));
    });
  }
}

// ---- times

test("Times are shown with the name of their zone", async (t) => {
  const { id } = await row(4, { name: "Zoned", startsAt: "2027-02-24T19:30:00Z" });
  const page = await visit(t, server, "/", { timezoneId: "America/New_York", locale: "en-US" });
  await page.getByRole("link", { name: /Zoned.*02:30 PM EST/ }).waitFor();
  await page.goto(`${server.url}/?event=${id}`);
  await ready(page);
  await page.getByText("Wednesday, February 24, 2027 at 02:30 PM EST").waitFor();
  await page.getByRole("button", { name: "Hold the best 2 seats" }).click();
  await page.getByText(/^Yours until \d\d:\d\d [AP]M E[SD]T$/).waitFor();

  const spanish = await visit(t, server, `/?event=${id}`, { timezoneId: "Europe/Madrid", locale: "es-ES" });
  await ready(spanish);
  await spanish.getByText("miércoles, 24 de febrero de 2027, 20:30 CET").waitFor();

  const desk = await visit(t, server, "/console", { timezoneId: "Asia/Tokyo" });
  await desk.locator(".server").getByText(/as of \d\d:\d\d:\d\d GMT\+9/).waitFor();
});
