// Who is at the desk. The key lives in this page's memory; only when the operator asks for it, also in sessionStorage, which this tab alone
// reads and which ends with it. It is sent as a header, and stands in no address and no log.
import { signal } from "@preact/signals";
import { createClient, HoldfastError, type Client, type ServerHealth } from "@holdfast/client";

const storageKey = "holdfast.console.key";

/** Why somebody is asked for a key. `none`: nothing is wrong, there was no key yet. */
export type WhyOut = { kind: "none" | "unknown" | "scope" | "revoked" } | { kind: "unreachable" | "other"; message: string };

export type Standing = { kind: "asking" } | { kind: "out"; why: WhyOut } | { kind: "in"; client: Client; key: string | null };

export const standing = signal<Standing>({ kind: "asking" });
export const health = signal<ServerHealth | null>(null);

/** Without the cookie: the map may have made this browser a visitor, who sees no drafts and only his own reservations. */
const fetchWithoutCookie: typeof fetch = (input, init) => fetch(input, { ...init, credentials: "omit" });

/** Polls go on by themselves, so a call is not tried again: what is late is shown as late. */
function clientWith(key: string | null): Client {
  return createClient({ baseUrl: "", retries: 0, timeoutMs: 10_000, apiKey: key ?? undefined, fetch: fetchWithoutCookie });
}

function whyOf(error: unknown, hadKey: boolean): WhyOut {
  if (!(error instanceof HoldfastError)) return { kind: "other", message: String(error) };
  if (error.status === 401) return { kind: hadKey ? "unknown" : "none" };
  if (error.status === 403 && hadKey) return { kind: "scope" };
  return { kind: error.status === 0 ? "unreachable" : "other", message: error.message };
}

/** Whether a key can be sent as a header at all; another one cannot be one of this server's. */
function canBeSent(key: string): boolean {
  return /^[\x21-\x7e]+$/.test(key);
}

/** With a key, or without one where the server needs none. `keep`: also when this tab is loaded again. */
export async function signIn(key: string | null, keep: boolean): Promise<void> {
  if (key !== null && !canBeSent(key)) {
    standing.value = { kind: "out", why: { kind: "unknown" } };
    return;
  }
  const client = clientWith(key);
  try {
    health.value = await client.getHealth();
    // A server without keys looks at none.
    const used = health.value.hasKeys ? key : null;
    if (used !== null && keep) sessionStorage.setItem(storageKey, used);
    standing.value = { kind: "in", client, key: used };
  } catch (error) {
    const why = whyOf(error, key !== null);
    if (why.kind === "unknown" || why.kind === "scope") sessionStorage.removeItem(storageKey);
    standing.value = { kind: "out", why };
  }
}

export function start(): Promise<void> {
  return signIn(sessionStorage.getItem(storageKey), true);
}

export function signOut(why: WhyOut = { kind: "none" }): void {
  sessionStorage.removeItem(storageKey);
  health.value = null;
  standing.value = { kind: "out", why };
}

/** What a poll met: a key that is not taken any more ends the session. */
export function noticeError(error: unknown): void {
  if (error instanceof HoldfastError && (error.status === 401 || error.status === 403)) signOut({ kind: "revoked" });
}

/** The client of whoever is signed in. Only components inside the desk ask. */
export function client(): Client {
  const now = standing.value;
  if (now.kind !== "in") throw new Error("nobody is signed in");
  return now.client;
}
