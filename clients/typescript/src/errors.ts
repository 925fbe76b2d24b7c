// What a call throws.
import type { ErrorCode } from "./generated/schema.js";

/** A call that did not succeed. Nothing of it was done, unless `code` is `unreachable`, `timeout` or `unavailable`: then it may have been. */
export class HoldfastError extends Error {
  override readonly name = "HoldfastError";
  /** The stable word of the answer. `unreachable` and `timeout` are the client's own: there was no answer. */
  readonly code: ErrorCode | "unreachable" | "timeout" | "unexpected_answer";
  /** The HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** Where seats are the reason: exactly these. */
  readonly seatIds: readonly string[];
  /** Seconds after which the server said to try again. */
  readonly retryAfter: number | undefined;
  /** Names the request in the server's logs. */
  readonly requestId: string | undefined;

  constructor(
    message: string,
    details: {
      code: HoldfastError["code"];
      status: number;
      seatIds?: readonly string[];
      retryAfter?: number | undefined;
      requestId?: string | undefined;
      cause?: unknown;
    },
  ) {
    super(message, { cause: details.cause });
    this.code = details.code;
    this.status = details.status;
    this.seatIds = details.seatIds ?? [];
    this.retryAfter = details.retryAfter;
    this.requestId = details.requestId;
  }
}

function retryAfterOf(response: Response): number | undefined {
  const text = response.headers.get("Retry-After");
  return text !== null && /^[0-9]+$/.test(text) ? Number(text) : undefined;
}

/** The error that an answer is: a problem document, or contract 2's own form. */
export function errorOf(response: Response, body: string): HoldfastError {
  let parsed: Record<string, unknown> = {};
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === "object" && value !== null) parsed = value as Record<string, unknown>;
  } catch {
    // Not from Holdfast: a proxy's page, for example. The status says what there is to say.
  }
  const data = (typeof parsed["data"] === "object" && parsed["data"] !== null ? parsed["data"] : {}) as Record<string, unknown>;
  const unavailableTickets = Array.isArray(data["nodisponible"]) ? (data["nodisponible"] as string[]) : undefined;
  const code = parsed["code"] ?? data["code"] ?? (unavailableTickets ? "seat_unavailable" : "unexpected_answer");
  const message = parsed["detail"] ?? parsed["message"] ?? `HTTP status ${response.status}`;
  return new HoldfastError(String(message), {
    code: code as HoldfastError["code"],
    status: response.status,
    seatIds: Array.isArray(parsed["seatIds"]) ? (parsed["seatIds"] as string[]) : (unavailableTickets ?? []),
    retryAfter: retryAfterOf(response),
    requestId: response.headers.get("X-Request-Id") ?? undefined,
  });
}
