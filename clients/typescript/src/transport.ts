// One call: sent, and sent again when that is safe and may help.
//
// A mutating call gets an Idempotency-Key of its own, the same on every try, so a repeat cannot do a thing twice. What is tried again: a
// connection that failed, an answer that did not come in time, 503 and 429. Everything else is the server's last word.
import { errorOf, HoldfastError } from "./errors.js";

export interface ClientOptions {
  /** Where the server is: `https://tickets.example`, also with a path before `/v1`. */
  baseUrl: string;
  /** An API key of `holdfast keys create`. */
  apiKey?: string | undefined;
  /** How often a call is tried again. Default 5. */
  retries?: number;
  /** Milliseconds that one try may take. Default 30,000. */
  timeoutMs?: number;
  /** Used in place of the global `fetch`. */
  fetch?: typeof fetch;
}

export interface CallOptions {
  /** Ends the call, also while it waits to try again: it throws the signal's reason. */
  signal?: AbortSignal;
  /** In place of a random one, so that a repeat by another process is the same request too: a cart's or an order's id. */
  idempotencyKey?: string;
  /** Why an operator does this: goes into the server's log, and into the list of operators' actions. At most 200 bytes of UTF-8. */
  note?: string;
}

export interface Request {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
  query?: Record<string, string | number | undefined>;
  body?: unknown;
  headers?: Record<string, string>;
}

const firstDelayMs = 100;
const longestDelayMs = 5_000;
const longestRetryAfterSeconds = 30;   // a server that asks for more gets no further try

/** Half of it is random, so that clients that failed together do not come back together. */
export function delayOf(attempt: number, retryAfter?: number): number {
  const delay = Math.min(longestDelayMs, firstDelayMs * 2 ** attempt);
  return (retryAfter ?? 0) * 1_000 + delay / 2 + (Math.random() * delay) / 2;
}

/** Waits; throws the signal's reason when it is aborted meanwhile. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/**
 * As the promise, but an abort ends the wait by itself, whatever the promise does. Not every fetch can be relied on to notice one: that of
 * Debian 12's Node.js forgets its signal when garbage is collected.
 */
export function unlessAborted<Result>(promise: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

/** A signal that follows another one and can be aborted by itself. `release` lets go of the other one. */
export function linked(signal?: AbortSignal): { controller: AbortController; release: () => void } {
  const controller = new AbortController();
  const follow = () => controller.abort(signal?.reason);
  if (signal?.aborted) follow();
  signal?.addEventListener("abort", follow, { once: true });
  return { controller, release: () => signal?.removeEventListener("abort", follow) };
}

export class Transport {
  readonly #base: string;
  readonly #headers: Record<string, string>;
  readonly #retries: number;
  readonly #timeoutMs: number;
  readonly #fetch: typeof fetch;

  constructor(options: ClientOptions) {
    this.#base = options.baseUrl.replace(/\/+$/, "");
    this.#headers = options.apiKey === undefined ? {} : { Authorization: `Bearer ${options.apiKey}` };
    this.#retries = options.retries ?? 5;
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    // Not bound to this object: a browser's fetch wants to be called as a function.
    this.#fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
  }

  /** The answer's JSON, or its text, or undefined when it has no body. */
  async call<Result>(request: Request, options: CallOptions = {}): Promise<Result> {
    const headers: Record<string, string> = { ...this.#headers, ...request.headers };
    if (request.method === "POST" || request.method === "PATCH") headers["Idempotency-Key"] = options.idempotencyKey ?? randomKey();
    if (options.note !== undefined && request.method !== "GET") headers["Holdfast-Note"] = encodeURIComponent(options.note);
    if (request.body !== undefined) headers["Content-Type"] = "application/json";
    const init: RequestInit = { method: request.method, headers, credentials: "same-origin" };
    if (request.body !== undefined) init.body = JSON.stringify(request.body);
    for (let attempt = 0; ; ++attempt) {
      try {
        return (await this.#attempt(this.url(request), init, request.method === "DELETE" && attempt > 0, options.signal)) as Result;
      } catch (error) {
        if (options.signal?.aborted) throw options.signal.reason;
        if (!(error instanceof HoldfastError) || !mayHelp(error) || attempt >= this.#retries) throw error;
        await sleep(delayOf(attempt, error.retryAfter), options.signal);
      }
    }
  }

  /** The answer as it begins: for streams. Throws as `call` does, and does not try again. */
  async open(request: Request, signal: AbortSignal): Promise<Response> {
    let response: Response;
    try {
      const init: RequestInit = { headers: { ...this.#headers, ...request.headers }, signal, cache: "no-store" };
      response = await unlessAborted(this.#fetch(this.url(request), init), signal);
    } catch (error) {
      throw unreachable(error);
    }
    if (!response.ok) throw errorOf(response, await response.text().catch(() => ""));
    return response;
  }

  url(request: Request): string {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(request.query ?? {})) {
      if (value !== undefined) query.set(name, String(value));
    }
    const text = query.toString();
    return this.#base + request.path + (text === "" ? "" : `?${text}`);
  }

  async #attempt(url: string, init: RequestInit, mayBeGone: boolean, signal?: AbortSignal): Promise<unknown> {
    const { controller, release } = linked(signal);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      controller.abort();
    }, this.#timeoutMs);
    try {
      const response = await unlessAborted(this.#fetch(url, { ...init, signal: controller.signal }), controller.signal);
      const body = await unlessAborted(response.text(), controller.signal);
      // A DELETE whose first answer was lost finds nothing the second time.
      if (!response.ok && !(mayBeGone && response.status === 404)) throw errorOf(response, body);
      if (!response.ok || body === "") return undefined;
      return (response.headers.get("Content-Type") ?? "").startsWith("application/json") ? JSON.parse(body) : body;
    } catch (error) {
      if (error instanceof HoldfastError) throw error;
      if (late) throw new HoldfastError(`no answer within ${this.#timeoutMs} ms`, { code: "timeout", status: 0, cause: error });
      throw unreachable(error);
    } finally {
      clearTimeout(timer);
      release();
    }
  }
}

function mayHelp(error: HoldfastError): boolean {
  if (error.status === 0) return true;
  return (error.status === 503 || error.status === 429) && (error.retryAfter ?? 0) <= longestRetryAfterSeconds;
}

function unreachable(error: unknown): HoldfastError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
  return new HoldfastError(`the server was not reached: ${cause}`, { code: "unreachable", status: 0, cause: error });
}

/** 128 random bits, in hex. `crypto` is a global of browsers, and of Node.js from 19 on; `randomUUID` would want https. */
function randomKey(): string {
  const bytes = new Uint8Array(16);
  const source = globalThis.crypto as Crypto | undefined;
  if (source !== undefined) source.getRandomValues(bytes);
  else for (let i = 0; i < bytes.length; ++i) bytes[i] = Math.floor(Math.random() * 256);   // Node.js 18: unlikely to repeat is enough
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
