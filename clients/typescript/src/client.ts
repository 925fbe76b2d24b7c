// One method a call of the API. The types come from the OpenAPI document.
import { changes, live, type ChangesOptions, type LiveMessage, type LiveOptions } from "./live.js";
import { Transport, type CallOptions, type ClientOptions } from "./transport.js";
import type {
  Change,
  DeadDelivery,
  Event,
  EventChange,
  ListedChange,
  LockTickets,
  NewEvent,
  NewReservation,
  NewSecret,
  NewWebhook,
  OperatorAction,
  Plan,
  ReleasedSeat,
  Reservation,
  ReservationStatus,
  ReserveSeat,
  Seat,
  SeatChange,
  SeatList,
  SeatReservation,
  SeatReservationNow,
  SeatState,
  Series,
  ServerHealth,
  ServerInfo,
  Session,
  States,
  TicketsLocked,
  UnlockTickets,
  Webhook,
  WebhookChange,
  WebhookWithSecret,
} from "./generated/schema.js";

export interface Page<Item> {
  items: Item[];
  /** For the next page; `null` on the last one. */
  nextCursor: string | null;
}

export interface PageQuery {
  limit?: number;
  cursor?: string;
}

const id = encodeURIComponent;

/**
 * A server of Holdfast. Its methods throw `HoldfastError`; see `Transport` for what is tried again. An object holds no connection and needs
 * no closing.
 */
export class Client {
  readonly #transport: Transport;

  constructor(options: ClientOptions) {
    this.#transport = new Transport(options);
  }

  // ---- events

  createEvent(event: NewEvent, options?: CallOptions): Promise<Event> {
    return this.#post("/v1/events", event, options);
  }
  listEvents(query: PageQuery = {}, options?: CallOptions): Promise<Page<Event>> {
    return this.#get("/v1/events", query, options);
  }
  getEvent(eventId: string, options?: CallOptions): Promise<Event> {
    return this.#get(`/v1/events/${id(eventId)}`, {}, options);
  }
  changeEvent(eventId: string, change: EventChange, options?: CallOptions): Promise<Event> {
    return this.#transport.call({ method: "PATCH", path: `/v1/events/${id(eventId)}`, body: change }, options);
  }
  getPlan(eventId: string, options?: CallOptions): Promise<Plan> {
    return this.#get(`/v1/events/${id(eventId)}/plan`, {}, options);
  }
  getStates(eventId: string, options?: CallOptions): Promise<States> {
    return this.#get(`/v1/events/${id(eventId)}/states`, {}, options);
  }

  /** The states as they change: a snapshot, then changes. Reconnects by itself and repeats nothing; ends when its signal is aborted. */
  live(eventId: string, options?: LiveOptions): AsyncGenerator<LiveMessage, void, void> {
    return live(this.#transport, eventId, options);
  }

  // ---- seats

  listSeats(eventId: string, query: PageQuery & { state?: SeatState; section?: string; category?: string; label?: string } = {}, options?: CallOptions): Promise<Page<Seat>> {
    return this.#get(`/v1/events/${id(eventId)}/seats`, query, options);
  }
  getSeat(seatId: string, options?: CallOptions): Promise<Seat> {
    return this.#get(`/v1/seats/${id(seatId)}`, {}, options);
  }
  listSeatHistory(seatId: string, query: PageQuery = {}, options?: CallOptions): Promise<Page<SeatChange>> {
    return this.#get(`/v1/seats/${id(seatId)}/history`, query, options);
  }
  blockSeats(eventId: string, seatIds: string[], options?: CallOptions): Promise<SeatList> {
    return this.#post(`/v1/events/${id(eventId)}/block`, { seatIds }, options);
  }
  unblockSeats(eventId: string, seatIds: string[], options?: CallOptions): Promise<SeatList> {
    return this.#post(`/v1/events/${id(eventId)}/unblock`, { seatIds }, options);
  }

  // ---- reservations

  createReservation(reservation: NewReservation, options?: CallOptions): Promise<Reservation> {
    return this.#post("/v1/reservations", reservation, options);
  }
  listReservations(
    query: PageQuery & { customerId?: string; eventId?: string; orderId?: string; status?: ReservationStatus } = {},
    options?: CallOptions,
  ): Promise<Page<Reservation>> {
    return this.#get("/v1/reservations", query, options);
  }
  getReservation(reservationId: string, options?: CallOptions): Promise<Reservation> {
    return this.#get(`/v1/reservations/${id(reservationId)}`, {}, options);
  }
  /** Every change that it went through, the oldest first. A page may have none and a next one. */
  listReservationHistory(reservationId: string, query: PageQuery = {}, options?: CallOptions): Promise<Page<Change>> {
    return this.#get(`/v1/reservations/${id(reservationId)}/history`, query, options);
  }
  addSeats(reservationId: string, seatIds: string[], options?: CallOptions): Promise<Reservation> {
    return this.#act(reservationId, "add", { seatIds }, options);
  }
  extendReservation(reservationId: string, holdSeconds: number, options?: CallOptions): Promise<Reservation> {
    return this.#act(reservationId, "extend", { holdSeconds }, options);
  }
  consumeReservation(reservationId: string, order: { orderId: string; reinstate?: boolean }, options?: CallOptions): Promise<Reservation> {
    return this.#act(reservationId, "consume", order, options);
  }
  /** All seats, or these. */
  releaseReservation(reservationId: string, seatIds?: string[], options?: CallOptions): Promise<Reservation> {
    return this.#act(reservationId, "release", seatIds === undefined ? {} : { seatIds }, options);
  }
  returnReservation(reservationId: string, refund: { orderId: string; seatIds?: string[] }, options?: CallOptions): Promise<Reservation> {
    return this.#act(reservationId, "return", refund, options);
  }

  // ---- changes

  listChanges(
    eventId: string,
    query: { after?: number; limit?: number; wait?: number } = {},
    options?: CallOptions,
  ): Promise<{ items: Change[]; seq: number }> {
    return this.#get(`/v1/events/${id(eventId)}/changes`, query, options);
  }
  listAllChanges(query: PageQuery & { wait?: number } = {}, options?: CallOptions): Promise<Page<ListedChange>> {
    return this.#get("/v1/changes", query, options);
  }
  /** The event's changes after `after` (0: all), and then each as it happens; ends when its signal is aborted. */
  changes(eventId: string, after = 0, options?: ChangesOptions): AsyncGenerator<Change, void, void> {
    return changes(this.#transport, eventId, after, options);
  }

  // ---- sessions: in a browser, which keeps the cookie

  createSession(options?: CallOptions): Promise<Session> {
    return this.#post("/v1/sessions", undefined, options);
  }
  getSession(options?: CallOptions): Promise<Session> {
    return this.#get("/v1/sessions", {}, options);
  }
  deleteSession(options?: CallOptions): Promise<void> {
    return this.#transport.call({ method: "DELETE", path: "/v1/sessions" }, options);
  }

  // ---- webhooks

  createWebhook(webhook: NewWebhook, options?: CallOptions): Promise<WebhookWithSecret> {
    return this.#post("/v1/webhooks", webhook, options);
  }
  /** All of them: there are never more than fit on one page. */
  listWebhooks(options?: CallOptions): Promise<Page<Webhook>> {
    return this.#get("/v1/webhooks", {}, options);
  }
  getWebhook(webhookId: string, options?: CallOptions): Promise<Webhook> {
    return this.#get(`/v1/webhooks/${id(webhookId)}`, {}, options);
  }
  changeWebhook(webhookId: string, change: WebhookChange, options?: CallOptions): Promise<Webhook> {
    return this.#transport.call({ method: "PATCH", path: `/v1/webhooks/${id(webhookId)}`, body: change }, options);
  }
  deleteWebhook(webhookId: string, options?: CallOptions): Promise<void> {
    return this.#transport.call({ method: "DELETE", path: `/v1/webhooks/${id(webhookId)}` }, options);
  }
  rotateWebhookSecret(webhookId: string, options?: CallOptions): Promise<NewSecret> {
    return this.#post(`/v1/webhooks/${id(webhookId)}/rotate-secret`, undefined, options);
  }
  /** Dead messages, all or these, back into the queue. */
  redeliverWebhook(webhookId: string, ids?: string[], options?: CallOptions): Promise<{ redelivered: number }> {
    return this.#post(`/v1/webhooks/${id(webhookId)}/redeliver`, ids === undefined ? undefined : { ids }, options);
  }
  testWebhook(
    webhookId: string,
    options?: CallOptions,
  ): Promise<{ delivered: boolean; status: number | null; error: string | null; milliseconds: number }> {
    return this.#post(`/v1/webhooks/${id(webhookId)}/test`, undefined, options);
  }
  listDeadDeliveries(webhookId: string, query: PageQuery = {}, options?: CallOptions): Promise<Page<DeadDelivery>> {
    return this.#get(`/v1/webhooks/${id(webhookId)}/dead`, query, options);
  }

  // ---- the two contracts

  reserveSeat(request: ReserveSeat, options?: CallOptions): Promise<SeatReservation> {
    return this.#post("/reservations", request, options);
  }
  getSeatReservation(reservationId: string, options?: CallOptions): Promise<SeatReservationNow> {
    return this.#get(`/reservations/${id(reservationId)}`, {}, options);
  }
  /** Releases the seat of a ticket lock; 409 where a customer holds it, or it is sold or blocked. */
  releaseSeat(seatId: string, options?: CallOptions): Promise<ReleasedSeat> {
    return this.#transport.call({ method: "PUT", path: `/api/v1/seats/${id(seatId)}/release` }, options);
  }
  lockTickets(request: LockTickets, options?: CallOptions): Promise<TicketsLocked> {
    return this.#post("/tickets_lock", request, options);
  }
  async unlockTickets(request: UnlockTickets, options?: CallOptions): Promise<void> {
    await this.#post("/tickets_unlock_param", request, options);
  }
  async unlockExpiredTickets(options?: CallOptions): Promise<void> {
    await this.#post("/tickets_unlock", undefined, options);
  }

  // ---- the server itself

  /** Its clock, by which holds end, and whether it has a demo payment. */
  getServer(options?: CallOptions): Promise<ServerInfo> {
    return this.#get("/v1/server", {}, options);
  }
  /** Of a server with `--demo`: the session buys what it holds itself. */
  payForDemo(reservationId: string, options?: CallOptions): Promise<Reservation> {
    return this.#post("/v1/demo/payments", { reservationId }, options);
  }

  // ---- operations

  getVersion(options?: CallOptions): Promise<{ name: "holdfast"; version: string; commit: string | null; modified: boolean }> {
    return this.#get("/version", {}, options);
  }
  /** Returns when the server can sell now; else throws a `HoldfastError` that says why not. */
  async isReady(options?: CallOptions): Promise<void> {
    await this.#get("/readyz", {}, options);
  }
  /** How each part of the server is doing. */
  getHealth(options?: CallOptions): Promise<ServerHealth> {
    return this.#get("/v1/operations/health", {}, options);
  }
  /** What happened over time: all intervals that are kept, or those that end after `since` (the last of `at` of the answer before). */
  getSeries(query: { resolution?: "second" | "minute"; since?: string } = {}, options?: CallOptions): Promise<Series> {
    return this.#get("/v1/operations/series", query, options);
  }
  /** What operators did, the newest first. */
  listActions(query: { limit?: number } = {}, options?: CallOptions): Promise<{ items: OperatorAction[] }> {
    return this.#get("/v1/operations/actions", query, options);
  }
  /** As Prometheus reads them. */
  getMetrics(options?: CallOptions): Promise<string> {
    return this.#get("/metrics", {}, options);
  }

  #get<Result>(path: string, query: object, options?: CallOptions): Promise<Result> {
    return this.#transport.call({ method: "GET", path, query: query as Record<string, string | number | undefined> }, options);
  }
  #post<Result>(path: string, body: unknown, options?: CallOptions): Promise<Result> {
    return this.#transport.call({ method: "POST", path, body }, options);
  }
  #act(reservationId: string, action: string, body: unknown, options?: CallOptions): Promise<Reservation> {
    return this.#post(`/v1/reservations/${id(reservationId)}/${action}`, body, options);
  }
}

/** A client of the server at `baseUrl`. */
export function createClient(options: ClientOptions): Client {
  return new Client(options);
}
