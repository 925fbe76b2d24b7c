// Which view is open, in the address behind `#`: it can be kept and sent, and the browser's own history works. There is never a key in it.
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
    // An address that somebody cut: as if nothing had been asked.
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
