// ./dev bench web: how smoothly 60,000 seats move while 500 of them a second change, and how soon there is something to see.
//
// The real program, and chromium without a screen and without a GPU: what a small laptop does in hardware, the processor does here. The mouse is
// the browser's own input, each step sent when the one before has been taken. A frame is a call of requestAnimationFrame, counted in the page.
import { setTimeout as wait } from "node:timers/promises";
import { launchBrowser, Server } from "../../tests/browser/program.mjs";
import { arena } from "./arena.mjs";

const seconds = Number(process.argv[2] ?? 5);          // of panning, at each distance
const changesPerSecond = 500;
const seatsAtOnce = 5;                                  // a hold, and a second later its release
const repeats = 5;                                      // of loading a page

const round = (value, digits = 0) => value.toFixed(digits);
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

const server = new Server(["--demo"]);
const browser = await launchBrowser();
try {
  await server.start();
  const { id } = await server.ask("POST", "/v1/events", { name: "Arena", currency: "EUR", plan: arena() });
  const { id: theatre } = await server.importVenue("theatre");
  console.log(`browser   chromium ${browser.version()}, 1440 x 900, no GPU`);
  await loadings("theatre, 616 seats", theatre);
  await loadings("arena, 60,000 seats", id);
  await panning(id);
} finally {
  await browser.close();
  await server.remove();
}

// ---- how soon

async function loadings(what, id) {
  const paints = [];
  const maps = [];
  for (let i = 0; i < repeats; ++i) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });   // nothing in its cache
    const page = await context.newPage();
    await page.addInitScript(() => {
      new MutationObserver((_, observer) => {
        if (document.querySelector(".map-canvas[data-view]") === null || document.querySelector(".status.live") === null) return;
        observer.disconnect();
        requestAnimationFrame(() => (window.mapAt = performance.now()));
      }).observe(document, { subtree: true, childList: true, attributes: true });
    });
    await page.goto(`${server.url}/?event=${id}`);
    await page.waitForFunction(() => window.mapAt !== undefined);
    const [paint, map] = await page.evaluate(() => [performance.getEntriesByName("first-contentful-paint")[0].startTime, window.mapAt]);
    paints.push(paint);
    maps.push(map);
    await context.close();
  }
  console.log(`load      ${what}: first paint ${round(median(paints))} ms, all seats drawn and live ${round(median(maps))} ms (median of ${repeats}, cold cache)`);
}

// ---- how smoothly

async function panning(id) {
  const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
  await page.goto(`${server.url}/?event=${id}`);
  await page.locator(".status.live").waitFor();
  await page.locator(".map-canvas[data-view]").waitFor();
  const plan = await server.ask("GET", `/v1/events/${id}/plan`);
  const changes = changing(plan.seats.id);
  try {
    for (const [what, turns] of [["the whole house", 0], ["some blocks", 4], ["single seats, with numbers", 9]]) {
      const box = await page.locator(".map-canvas").boundingBox();
      await page.getByRole("button", { name: "Show the whole house" }).click();
      await wait(500);   // the glide there is not what is measured
      for (let turn = 0; turn < turns; ++turn) {
        await page.mouse.move(box.x + box.width * 0.72, box.y + box.height / 2);
        await page.mouse.wheel(0, -240);
        await wait(60);
      }
      await wait(800);
      const before = changes.done();
      const { frames, took, times } = await pan(page, box);
      const sorted = [...times].sort((a, b) => a - b);
      console.log(
        `pan       ${what}: ${round(frames / took, 1)} frames/s, 95 % within ${round(sorted[Math.floor(sorted.length * 0.95)], 1)} ms, longest ${round(sorted.at(-1))} ms; ` +
          `${round((changes.done() - before) / took)} changes of seats/s meanwhile`,
      );
    }
  } finally {
    await changes.stop();
  }
}

/** Moves the map in circles with the mouse's button down. */
async function pan(page, box) {
  await page.evaluate(() => {
    window.frames_ = [];
    const count = (now) => {
      window.frames_.push(now);
      window.counting = requestAnimationFrame(count);
    };
    window.counting = requestAnimationFrame(count);
  });
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const began = performance.now();
  await page.mouse.move(x, y);
  await page.mouse.down();
  for (let step = 0; performance.now() - began < seconds * 1_000; ++step) {
    await page.mouse.move(x + 180 * Math.sin(step / 14), y + 140 * Math.sin(step / 9));
  }
  await page.mouse.up();
  const times = await page.evaluate(() => {
    cancelAnimationFrame(window.counting);
    return window.frames_.slice(1).map((at, i) => at - window.frames_[i]);
  });
  return { frames: times.length, took: times.reduce((sum, time) => sum + time, 0) / 1_000, times };
}

/** Holds seats and gives them back, all over the house, until it is stopped. */
function changing(ids) {
  let done = 0;
  let at = 0;
  let stopped = false;
  const everyMs = (2 * seatsAtOnce * 1_000) / changesPerSecond;   // a hold and a release change as many seats each
  const open = new Set();
  const one = async () => {
    const seatIds = Array.from({ length: seatsAtOnce }, () => ids[(at += 7_919) % ids.length]);
    const { id } = await server.ask("POST", "/v1/reservations", { customerId: "bench", seatIds: [...new Set(seatIds)] });
    done += seatsAtOnce;
    await wait(1_000);
    await server.ask("POST", `/v1/reservations/${id}/release`, {});
    done += seatsAtOnce;
  };
  const run = (async () => {
    const began = performance.now();
    for (let n = 0; !stopped; ++n) {
      const call = one().finally(() => open.delete(call));
      open.add(call);
      await wait(Math.max(0, began + (n + 1) * everyMs - performance.now()));
    }
    await Promise.all(open);
  })();
  return {
    done: () => done,
    stop: () => {
      stopped = true;
      return run;
    },
  };
}
