// The browser's identity: a visitor with a session, which is a customer. There is never a key here.
import { HoldfastError } from "@holdfast/client";
import { clientOf } from "../shared/client";
import { ServerClock } from "./clock";

// How long a visitor waits for an answer. After that, a retry with the same key finds out what has happened; meanwhile the visitor can do nothing
// else.
const answerMs = 8_000;
const retries = 2;

export const client = clientOf({ timeoutMs: answerMs, retries });
/** For large answers, which a slow connection delivers slowly. */
export const patientClient = clientOf();
export const clock = new ServerClock(client);

let opening: Promise<void> | undefined;

/** A session, new or renewed. */
export function openSession(): Promise<void> {
  opening ??= client
    .createSession()
    .then(() => undefined)
    .finally(() => (opening = undefined));
  return opening;
}

/** Runs a call as the visitor. If the session has expired, runs it once more with a new one. */
export async function asVisitor<Result>(call: () => Promise<Result>): Promise<Result> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.status !== 401) throw error;
    await openSession();
    return call();
  }
}

// ---- the other tabs of this visitor

const channel = new BroadcastChannel("holdfast");

/** Tells the other tabs that this visitor's reservations of an event have changed. */
export function tellTabs(eventId: string) {
  channel.postMessage(eventId);
}
export function onTold(listen: (eventId: string) => void): () => void {
  const heard = (event: MessageEvent<unknown>) => {
    if (typeof event.data === "string") listen(event.data);
  };
  channel.addEventListener("message", heard);
  return () => channel.removeEventListener("message", heard);
}
