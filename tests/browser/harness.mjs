// The real program and a real browser, for tests of the pages.
//
//   const server = await startServer({ flags: ["--demo"] });         // ends with the file, as the browser does
//   const { id } = await server.importVenue("theatre");              // an event of its own, on sale
//   const page = await visit(t, server, `/?event=${id}`);            // a visitor with a browser profile of its own
//   await page.getByRole("button", { name: "Hold" }).click();
//
// Who waits, waits for a condition: locators do by themselves, `eventually` does for the rest. A page that throws, logs an error or meets
// the Content-Security-Policy fails its test, unless the test says that it expects so (`visit`'s `expects`).
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";
import { AxeBuilder } from "@axe-core/playwright";
import { launchBrowser, patience, root, Server } from "./program.mjs";

export { eventually, patience, root, Server } from "./program.mjs";

const screenshotFolder = process.env.HOLDFAST_SCREENSHOTS_FOLDER ?? join(root, "build/release/screenshots");

const servers = new Set();
after(async () => {
  if (browser !== undefined) await (await browser).close();
  for (const server of servers) await server.remove();
});

/** `flags`: further ones of `holdfast serve`. */
export async function startServer({ flags = [] } = {}) {
  const server = new Server(flags);
  servers.add(server);
  await server.start();
  return server;
}

// ---- the browser

let browser;

/** One browser for a file; each visitor has a profile of its own in it. */
export function openBrowser() {
  browser ??= launchBrowser();
  return browser;
}

/**
 * A page of a visitor who was never here before. `expects`: errors that the test brings about itself, as regular expressions.
 * `context`: to open one more tab of the same visitor. Other members of `options` are Playwright's (viewport, colorScheme, locale, …).
 */
export async function visit(t, server, path, { context, expects = [], init, ...options } = {}) {
  let profile = context;
  if (profile === undefined) {
    profile = await (await openBrowser()).newContext({ viewport: { width: 1440, height: 900 }, locale: "en-GB", reducedMotion: "reduce", ...options });
    t.after(async () => {
      // A page that polls may be in the middle of an answer that its test has put in the place of the server's.
      for (const each of profile.pages()) await each.unrouteAll({ behavior: "ignoreErrors" });
      await profile.close();
    });
  }
  const page = await profile.newPage();
  page.setDefaultTimeout(patience);
  const problems = [];
  page.on("pageerror", (error) => problems.push(`thrown: ${error.stack ?? error}`));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(`logged: ${message.text()} (${message.location().url})`);
  });
  t.after(() => {
    assert.deepEqual(problems.filter((each) => !expects.some((pattern) => pattern.test(each))), [], "the page has complained");
  });
  if (init !== undefined) await page.addInitScript(init);
  if (path !== undefined) await page.goto(server.url + path);
  return page;
}

/** From now on the page computes so many times slower. */
export async function slowDown(page, times) {
  const session = await page.context().newCDPSession(page);
  await session.send("Emulation.setCPUThrottlingRate", { rate: times });
}

/** What each of `size` callers waits for the others with. Whoever comes later waits for nobody. */
export function meeting(size) {
  let open;
  const opened = new Promise((resolve) => (open = resolve));
  return () => {
    if (--size <= 0) open();
    return opened;
  };
}

/** axe-core finds nothing against WCAG 2.2 A and AA, nor against its own best practices. */
export async function expectAccessible(page, what) {
  const { violations } = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]).analyze();
  const told = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => `${node.target} ${node.any.map((each) => each.message).join("; ")}`).join(" | ")}`);
  assert.deepEqual(told, [], `${what} has something in the way of somebody`);
}

const heights = { 1440: 900, 1280: 800, 390: 844, 320: 568 };
const widths = process.env.HOLDFAST_SCREENSHOTS === "all" ? [1440, 1280, 390, 320] : [1440, 390];

/** The forms of which pictures are taken: each width, light and dark. Two widths, or four with HOLDFAST_SCREENSHOTS=all. */
export const forms = widths.flatMap((width) =>
  ["light", "dark"].map((colorScheme) => ({ name: `${width}-${colorScheme}`, viewport: { width, height: heights[width] }, colorScheme, hasTouch: width <= 390 })),
);

/** What is seen of the page, or all of it (`fullPage`), kept as NAME.png among the outputs of the tests. */
export async function screenshot(page, name, { fullPage = false } = {}) {
  mkdirSync(screenshotFolder, { recursive: true });
  const options = { path: join(screenshotFolder, `${name}.png`), animations: "disabled", fullPage };
  if (!fullPage) return page.screenshot(options);
  // What stays in the window while the page scrolls would lie over the middle of the whole page. No <style>: the Content-Security-Policy forbids it.
  const scrolled = await page.evaluate(() => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(".foot, .at-hand { position: static !important; }");
    document.adoptedStyleSheets = [sheet];
    const before = scrollY;
    scrollTo({ top: 0, behavior: "instant" });
    return before;
  });
  await page.screenshot(options);
  await page.evaluate((before) => {
    document.adoptedStyleSheets = [];
    scrollTo({ top: before, behavior: "instant" });
  }, scrolled);
}

/** Waits until the page has the theme that it was given: within two frames, and then colours may be on their way. */
async function settle(page) {
  await page.evaluate(async () => {
    await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(go))));
    await Promise.allSettled(document.getAnimations().filter((each) => each instanceof CSSTransition).map((each) => each.finished));
  });
}

/**
 * The whole page as it is now, kept as NAME-WIDTH-THEME.png for each of `forms`. Afterwards it has its size and its theme again.
 * `width`: only in this one, for a state that a resize ends.
 */
export async function screenshots(page, name, { width } = {}) {
  const before = page.viewportSize();
  for (const form of forms.filter(({ viewport }) => width === undefined || viewport.width === width)) {
    await page.setViewportSize(form.viewport);
    await page.emulateMedia({ colorScheme: form.colorScheme });
    await settle(page);
    await screenshot(page, `${name}-${form.name}`, { fullPage: true });
  }
  await page.setViewportSize(before);
  await page.emulateMedia({ colorScheme: null });
  await settle(page);
}
