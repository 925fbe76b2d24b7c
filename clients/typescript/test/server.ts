// The real program for tests, and events in it.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Client } from "../src/index.js";

const startPatienceMs = 20_000;

export class Server {
  port = 0;
  #folder = "";
  #flags: string[] = [];
  #process: ChildProcess | undefined;

  /** `flags`: further arguments of `holdfast serve`. */
  static async start(flags: string[] = []): Promise<Server> {
    const server = new Server();
    server.#flags = flags;
    server.#folder = await mkdtemp(join(tmpdir(), "holdfast-client-"));
    await server.run();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Again, on the same data and port. */
  async run(): Promise<void> {
    const binary = process.env["HOLDFAST_BINARY"];
    if (binary === undefined) throw new Error("HOLDFAST_BINARY must name the program");
    const portFile = join(this.#folder, "port");
    await rm(portFile, { force: true });
    const args = ["serve", "--data", join(this.#folder, "data"), "--port", String(this.port), "--port-file", portFile, ...this.#flags];
    // Variables that begin with HOLDFAST_ are the program's options.
    const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("HOLDFAST_")));
    const child = spawn(binary, args, { stdio: ["ignore", "ignore", "inherit"], env: environment });
    this.#process = child;
    const until = Date.now() + startPatienceMs;
    for (;;) {
      const text = await readFile(portFile, "utf8").catch(() => "");
      if (text !== "") {
        this.port = Number(text);
        return;
      }
      if (child.exitCode !== null || Date.now() > until) throw new Error("the server did not start");
      await sleep(10);
    }
  }

  async kill(signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, "exit");
  }

  async end(): Promise<void> {
    await this.kill("SIGTERM");
    await rm(this.#folder, { recursive: true, force: true });
  }
}

let events = 0;

/** An event on sale with this many seats; their ids. */
export async function makeEvent(client: Client, seats: number): Promise<{ id: string; seats: string[] }> {
  const prefix = `E${++events}`;
  const ids = Array.from({ length: seats }, (_, i) => `${prefix}-${i + 1}`);
  const event = await client.createEvent({
    name: "Evening Talk",
    currency: "EUR",
    categories: [{ name: "Hall", price: 45 }],
    seats: ids.map((id, i) => ({ id, section: "A", row: "1", number: String(i + 1), category: "Hall" })),
  });
  return { id: event.id, seats: ids };
}
