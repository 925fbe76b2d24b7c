// Following an event: its states by server-sent events, its changes by long poll. Both go on until their signal is aborted, whatever the
// network does; only an answer that says no (404, 401, …) ends them with an error.
import { HoldfastError } from "./errors.js";
import type { Change, LiveChanges, LiveSnapshot } from "./generated/schema.js";
import { delayOf, linked, sleep, type Transport, unlessAborted } from "./transport.js";

export type LiveMessage = ({ type: "snapshot" } & LiveSnapshot) | ({ type: "changes" } & LiveChanges);

export interface LiveOptions {
  signal?: AbortSignal;
  /** Milliseconds without a byte after which the connection counts as lost. The server sends at least a comment every 15 s. */
  silenceMs?: number;
  /**
   * Told when the stream has brought its first message or comment (true), which the server sends at once, and when it has broken (false). Until it is
   * told true again, what is known may be old: a proxy may pass on the head of the answer and keep the body back.
   */
  onConnection?: (isConnected: boolean) => void;
}

export interface ChangesOptions {
  signal?: AbortSignal;
  /** Seconds for which the server waits for the next change. Default 25. */
  wait?: number;
  /** Changes a request. Default 1,000. */
  limit?: number;
}

const silenceMsDefault = 45_000;

/** Whether to come back after this error: there was no answer, or one that says "later". */
function isPassing(error: unknown): boolean {
  return error instanceof HoldfastError && (error.status === 0 || error.status === 429 || error.status >= 500);
}

export async function* live(transport: Transport, eventId: string, options: LiveOptions = {}): AsyncGenerator<LiveMessage, void, void> {
  let seq = -1;
  let failures = 0;
  while (!options.signal?.aborted) {
    let retryAfter: number | undefined;
    try {
      for await (const message of connection(transport, eventId, seq, options)) {
        failures = 0;
        // Had that before the connection broke. A snapshot of before it is no repeat: the server was put back to a backup.
        if (message.seq === seq || (message.seq < seq && message.type === "changes")) continue;
        seq = message.seq;
        yield message;
      }
    } catch (error) {
      if (options.signal?.aborted) return;
      if (!isPassing(error)) throw error;
      retryAfter = (error as HoldfastError).retryAfter;
    }
    if (!options.signal?.aborted) options.onConnection?.(false);
    await sleep(delayOf(failures++, retryAfter), options.signal).catch(() => undefined);   // an abort ends the loop
  }
}

/** One connection's messages, until it ends. */
async function* connection(transport: Transport, eventId: string, seq: number, options: LiveOptions): AsyncGenerator<LiveMessage, void, void> {
  const { controller, release } = linked(options.signal);
  let watchdog: ReturnType<typeof setTimeout> | undefined;
  let hasBegun = false;
  const begun = () => {
    if (!hasBegun) options.onConnection?.(true);
    hasBegun = true;
  };
  const heard = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => controller.abort(), options.silenceMs ?? silenceMsDefault);
  };
  try {
    heard();
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (seq >= 0) headers["Last-Event-ID"] = String(seq);
    const path = `/v1/events/${encodeURIComponent(eventId)}/live`;
    const response = await transport.open({ method: "GET", path, headers }, controller.signal);
    if (response.body === null) return;
    for await (const { type, data } of parseEvents(response.body, controller.signal, heard, begun)) {
      // Kinds that a later server adds are skipped.
      if (type === "snapshot" || type === "changes") yield { type, ...JSON.parse(data) } as LiveMessage;
    }
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    throw new HoldfastError("the stream broke", { code: "unreachable", status: 0, cause: error });
  } finally {
    clearTimeout(watchdog);
    release();
    controller.abort();
  }
}

/**
 * Server-sent events out of bytes that come in any pieces, until the signal is aborted, which throws. `heard` is called for each piece, `whole` for
 * each message and each comment that has come to its end, before a message is yielded.
 */
export async function* parseEvents(
  stream: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  heard: () => void = () => undefined,
  whole: () => void = () => undefined,
): AsyncGenerator<{ type: string; data: string }, void, void> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let type = "message";
  let data: string[] = [];
  let isEmpty = true;   // nothing has come since the last empty line
  try {
    for (;;) {
      const { done, value } = await unlessAborted(reader.read(), signal);
      if (done) return;
      heard();
      text += decoder.decode(value, { stream: true });
      // A CR at the end may be half of a CRLF: it waits for the next piece.
      for (let end = text.search(/\r\n|\n|\r(?!$)/); end >= 0; end = text.search(/\r\n|\n|\r(?!$)/)) {
        const line = text.slice(0, end);
        text = text.slice(end + (text.startsWith("\r\n", end) ? 2 : 1));
        if (line === "" && !isEmpty) whole();
        isEmpty = line === "";
        if (line === "") {
          if (data.length > 0) yield { type, data: data.join("\n") };
          type = "message";
          data = [];
        } else if (line.startsWith("event:")) {
          type = line.slice(6).replace(/^ /, "");
        } else if (line.startsWith("data:")) {
          data.push(line.slice(5).replace(/^ /, ""));
        }
      }
    }
  } finally {
    reader.cancel().catch(() => undefined);   // of a stream that has failed
  }
}

export async function* changes(
  transport: Transport,
  eventId: string,
  after: number,
  options: ChangesOptions = {},
): AsyncGenerator<Change, void, void> {
  const wait = options.wait ?? 25;
  const path = `/v1/events/${encodeURIComponent(eventId)}/changes`;
  let failures = 0;
  while (!options.signal?.aborted) {
    let items: Change[] = [];
    const asked = Date.now();
    let retryAfter: number | undefined;
    try {
      const query = { after, wait, limit: options.limit ?? 1_000 };
      const page = await transport.call<{ items: Change[] }>({ method: "GET", path, query }, options.signal ? { signal: options.signal } : {});
      items = page.items;
    } catch (error) {
      if (options.signal?.aborted) return;
      if (!isPassing(error)) throw error;
      retryAfter = (error as HoldfastError).retryAfter;
    }
    for (const change of items) {
      if (change.seq <= after) continue;
      after = change.seq;
      yield change;
      if (options.signal?.aborted) return;
    }
    if (items.length > 0) failures = 0;
    // Nothing, and sooner than asked for: a server that fails or shuts down. Not in a tight loop.
    else if (Date.now() - asked < wait * 500 || wait === 0) await sleep(delayOf(failures++, retryAfter), options.signal).catch(() => undefined);
  }
}
