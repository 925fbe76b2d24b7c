// The operator's session. The key stays in this page's memory. If the operator asks for it, it is also in sessionStorage, which only this tab can
// read and which ends with the tab. It is sent as a header, and never appears in an address or a log.
import { signal } from "@preact/signals";
import { createClient, HoldfastError, type Client, type ServerHealth } from "@holdfast/client";

const storageKey = "holdfast.console.key";

/** Why the page asks for a key. `none`: nothing is wrong, no key was given yet. */
export type WhyOut = { kind: "none" | "unknown" | "scope" | "revoked" } | { kind: "unreachable" | "other"; message: string };

export type Standing = { kind: "asking" } | { kind: "out"; why: WhyOut } | { kind: "in"; client: Client; key: string | null };

export const standing = signal<Standing>({ kind: "asking" });
export const health = signal<ServerHealth | null>(null);

/** Sends no cookie: through the map this browser may be a visitor, who sees no drafts and only their own reservations. */
const fetchWithoutCookie: typeof fetch = (input, init) => fetch(input, { ...init, credentials: "omit" });

/** No retries: the next poll comes anyway, and late numbers are shown as late. */
function clientWith(key: string | null): Client {
  return createClient({ baseUrl: "", retries: 0, timeoutMs: 10_000, apiKey: key ?? undefined, fetch: fetchWithoutCookie });
}

function whyOf(error: unknown, hadKey: boolean): WhyOut {
  if (!(error instanceof HoldfastError)) return { kind: "other", message: String(error) };
  if (error.status === 401) return { kind: hadKey ? "unknown" : "none" };
  if (error.status === 403 && hadKey) return { kind: "scope" };
  return { kind: error.status === 0 ? "unreachable" : "other", message: error.message };
}

/** Whether the text can be sent as a header. A text that cannot is no key of this server. */
function canBeSent(key: string): boolean {
  return /^[\x21-\x7e]+$/.test(key);
}

/** Signs in with a key, or without one if the server needs none. `keep`: for reloads of this tab too. */
export async function signIn(key: string | null, keep: boolean): Promise<void> {
  if (key !== null && !canBeSent(key)) {
    standing.value = { kind: "out", why: { kind: "unknown" } };
    return;
  }
  const client = clientWith(key);
  try {
    health.value = await client.getHealth();
    // A server without keys ignores the one that is sent.
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

/** Handles a poll's error: a key that is no longer accepted ends the session. */
export function noticeError(error: unknown): void {
  if (error instanceof HoldfastError && (error.status === 401 || error.status === 403)) signOut({ kind: "revoked" });
}

/** The client with the operator's key. Only for components inside the desk, which are drawn after signing in. */
export function client(): Client {
  const now = standing.value;
  if (now.kind !== "in") throw new Error("nobody is signed in");
  return now.client;
}
