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
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after } from "node:test";
import { AxeBuilder } from "@axe-core/playwright";
import { chromium } from "playwright-core";

const root = resolve(import.meta.dirname, "../..");
const binary = process.env.HOLDFAST_BINARY ?? join(root, "build/release/holdfast");
const screenshots = process.env.HOLDFAST_SCREENSHOTS ?? join(root, "build/release/screenshots");

/** How long a condition may take on a machine that is busy with other things. */
export const patience = 30_000;

// ---- the program

const servers = new Set();
const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));   // also when a test has thrown everything over
after(async () => {
  if (browser !== undefined) await (await browser).close();
  for (const server of servers) await server.remove();
});

/** Asks until `condition` returns something true, and returns that. */
export async function eventually(what, condition, ms = patience) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) assert.fail(`within ${ms} ms it did not happen that ${what}`);
    await new Promise((go) => setTimeout(go, 25));
  }
}

export class Server {
  #folder = mkdtempSync(join(tmpdir(), "holdfast-browser-"));
  #flags;
  #child;
  port = 0;

  constructor(flags) {
    this.#flags = flags;
  }

  get url() {
    return `http://localhost:${this.port}`;
  }
  get data() {
    return join(this.#folder, "data");
  }
  get log() {
    return readFileSync(join(this.#folder, "log"), "utf8");
  }

  /** On any free port the first time, on the same one again. Returns when it is ready. */
  async start() {
    const portFile = join(this.#folder, "port");
    rmSync(portFile, { force: true });
    // Variables that begin with HOLDFAST_ are options of the program.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("HOLDFAST_")));
    const log = openSync(join(this.#folder, "log"), "a");
    const child = spawn(binary, ["serve", "--data", this.data, "--port", String(this.port), "--port-file", portFile, ...this.#flags], {
      env,
      stdio: ["ignore", log, log],
    });
    closeSync(log);   // the child has its own
    this.#child = child;
    running.add(child);
    child.once("exit", () => running.delete(child));
    await eventually("the server wrote its port", () => {
      assert.equal(child.exitCode, null, `the server ended: ${this.log}`);
      return existsSync(portFile);
    });
    this.port = Number(readFileSync(portFile, "utf8"));
    await eventually("the server is ready", async () => (await fetch(`${this.url}/readyz`)).ok);
  }

  async stop(signal = "SIGTERM") {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    const [status] = await ended;
    if (signal === "SIGTERM") assert.equal(status, 0, `the server ended with status ${status}: ${this.log}`);
  }

  /** Stops it, and forgets its data. The end of the file does it too. */
  async remove() {
    servers.delete(this);
    await this.stop();
    rmSync(this.#folder, { recursive: true });
  }

  /** A call of the API that must succeed; what it answers. `headers`: for a key, for example. */
  async ask(method, path, body, headers = {}) {
    const type = body === undefined ? {} : { "Content-Type": "application/json" };
    const answer = await fetch(this.url + path, { method, headers: { ...type, ...headers }, body: body === undefined ? undefined : JSON.stringify(body) });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${path} was answered ${answer.status}: ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  }

  /** An event of a plan in venues/: "theatre" or "race-track". `more`: further members of POST /v1/events. */
  importVenue(name, more = {}, headers = {}) {
    const plan = JSON.parse(readFileSync(join(root, `venues/${name}.seating-plan.json`), "utf8"));
    return this.ask("POST", "/v1/events", { name, currency: "EUR", plan, ...more }, headers);
  }

  /** What `holdfast ARGS --data …` prints, for `keys create` for example. */
  async tool(...args) {
    const child = spawn(binary, [...args, "--data", this.data], { stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    let err = "";
    child.stdout.on("data", (part) => (out += part));
    child.stderr.on("data", (part) => (err += part));
    const [status] = await once(child, "close");
    assert.equal(status, 0, `holdfast ${args.join(" ")}: ${err}`);
    return out;
  }
}

/** `flags`: further ones of `holdfast serve`. */
export async function startServer({ flags = [] } = {}) {
  const server = new Server(flags);
  servers.add(server);
  await server.start();
  return server;
}

// ---- the browser

const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
let browser;

/** One browser for a file; each visitor has a profile of its own in it. */
export function openBrowser() {
  browser ??= chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: flags });
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
    t.after(() => profile.close());
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

/** axe-core finds nothing against WCAG 2.2 A and AA, nor against its own best practices. */
export async function expectAccessible(page, what) {
  const { violations } = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]).analyze();
  const told = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => `${node.target} ${node.any.map((each) => each.message).join("; ")}`).join(" | ")}`);
  assert.deepEqual(told, [], `${what} has something in the way of somebody`);
}

/** The whole viewport, kept as NAME-WIDTH-THEME.png among the outputs of the tests. */
export async function screenshot(page, name) {
  mkdirSync(screenshots, { recursive: true });
  await page.screenshot({ path: join(screenshots, `${name}.png`), animations: "disabled" });
}

/** The four forms in which each page is looked at. */
export const forms = [1440, 390].flatMap((width) =>
  ["light", "dark"].map((colorScheme) => ({ name: `${width}-${colorScheme}`, viewport: { width, height: width === 390 ? 844 : 900 }, colorScheme, hasTouch: width === 390 })),
);
