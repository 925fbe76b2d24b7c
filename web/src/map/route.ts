// Two places: all events (/), and one event (/?event=…).
import { signal } from "@preact/signals";

const read = () => new URLSearchParams(location.search).get("event") ?? undefined;

export const eventId = signal(read());
addEventListener("popstate", () => (eventId.value = read()));

export const addressOf = (id: string | undefined) => (id === undefined ? "/" : `/?event=${encodeURIComponent(id)}`);

/** For a link: goes there without loading the page anew, unless the visitor wants another tab. */
export function follow(event: MouseEvent, id: string | undefined) {
  if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  history.pushState(null, "", addressOf(id));
  eventId.value = id;
  scrollTo(0, 0);
}
