// The server that this page came from, by the project's own client.
import { createClient, type ClientOptions } from "@holdfast/client";

/** As whoever the browser is: with a visitor's session when it has one. `apiKey` is for the console, which asks for one. */
export const clientOf = (options: Omit<ClientOptions, "baseUrl"> = {}) => createClient({ ...options, baseUrl: "" });
