// A client of the server that this page came from.
import { createClient, type ClientOptions } from "@holdfast/client";

/** With the visitor's session, if the browser has one. `apiKey` is for the console, which asks for it. */
export const clientOf = (options: Omit<ClientOptions, "baseUrl"> = {}) => createClient({ ...options, baseUrl: "" });
