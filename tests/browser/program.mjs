// The real program and a real browser, without a test around them: for the harness, and for the benchmark (bench/web).
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const root = fileURLToPath(new URL("../..", import.meta.url));
const binary = process.env.HOLDFAST_BINARY ?? join(root, "build/release/holdfast");

/** How long a condition may take on a machine that is busy with other things, in milliseconds. */
export const patience = 30_000;

const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));   // also when a test has thrown everything over

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

  /** Stops it, and forgets its data. */
  async remove() {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
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

// ---- the browser

const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export const launchBrowser = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: flags });
