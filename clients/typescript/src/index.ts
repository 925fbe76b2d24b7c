export { Client, createClient, type Page, type PageQuery } from "./client.js";
export { HoldfastError } from "./errors.js";
export type { ChangesOptions, LiveMessage, LiveOptions } from "./live.js";
export type { CallOptions, ClientOptions } from "./transport.js";
export type * from "./generated/schema.js";
