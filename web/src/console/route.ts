// Keeps the open view in the address, after `#`: it can be bookmarked and sent, and the browser's history works. It never contains a key.
import { signal } from "@preact/signals";

export type Route =
  | { view: "sale" }
  | { view: "event"; id: string }
  | { view: "find"; text: string }
  | { view: "import" }
  | { view: "actions" };

function parse(hash: string): Route {
  const [view, rest = ""] = hash.replace(/^#\/?/, "").split(/\/(.*)/s);
  let text = "";
  try {
    text = decodeURIComponent(rest);
  } catch {
    // A truncated address: treat it as an empty search.
  }
  if (view === "event" && text !== "") return { view, id: text };
  if (view === "find") return { view, text };
  if (view === "import" || view === "actions") return { view };
  return { view: "sale" };
}

export const route = signal<Route>(parse(location.hash));

export function followAddress(): void {
  addEventListener("hashchange", () => {
    route.value = parse(location.hash);
  });
}

export function addressOf(to: Route): string {
  if (to.view === "event") return `#/event/${encodeURIComponent(to.id)}`;
  if (to.view === "find") return to.text === "" ? "#/find" : `#/find/${encodeURIComponent(to.text)}`;
  return `#/${to.view}`;
}
