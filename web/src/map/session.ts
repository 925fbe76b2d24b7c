// Who this browser is: a visitor with a session, which is a customer. No key is ever here.
import { HoldfastError } from "@holdfast/client";
import { clientOf } from "../shared/client";
import { ServerClock } from "./clock";

// What a visitor waits for. An answer that takes longer is lost, and asking again with the same key finds what has become of it; meanwhile he can do
// nothing else.
const answerMs = 8_000;
const retries = 2;

export const client = clientOf({ timeoutMs: answerMs, retries });
/** For what is large, and takes as long as a slow line takes. */
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

/** Runs a call as the visitor; when the session is over, with a new one, once more. */
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
