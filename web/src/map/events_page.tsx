// All events, as cards.
import { useEffect, useState } from "preact/hooks";
import type { Event } from "@holdfast/client";
import licenses from "../../node_modules/.licenses/licenses.txt";
import { dateAndTime, money } from "../shared/i18n";
import { Icon } from "./icon";
import { hasBegun, isOver } from "./over";
import { addressOf, follow } from "./route";
import { asVisitor, client, clock } from "./session";
import { Thumb } from "./thumb";
import { t } from "./texts";

const refreshMs = 10_000;

export function EventsPage() {
  const [events, setEvents] = useState<Event[]>();
  const [next, setNext] = useState<string | null>(null);
  const [isAway, setAway] = useState(false);

  // The first page is polled: its numbers change while the visitor looks.
  useEffect(() => {
    const stop = new AbortController();
    const load = async () => {
      try {
        const page = await asVisitor(() => client.listEvents({}, { signal: stop.signal }));
        setEvents((old) => [...page.items, ...(old ?? []).slice(page.items.length)]);
        setNext((old) => (old === null ? page.nextCursor : old));
        setAway(false);
      } catch {
        if (!stop.signal.aborted) setAway(true);
      }
    };
    void load();
    const timer = setInterval(() => void (document.visibilityState === "visible" && load()), refreshMs);
    return () => {
      stop.abort();
      clearInterval(timer);
    };
  }, []);
  const more = async () => {
    if (next === null) return;
    const page = await asVisitor(() => client.listEvents({ cursor: next }));
    setEvents((old) => [...(old ?? []), ...page.items]);
    setNext(page.nextCursor);
  };
  useEffect(() => {
    document.title = `${t.value.title} · Holdfast`;
  });

  const now = clock.now();
  const shown = events
    ?.filter((event) => (event.status === "on_sale" || event.status === "closed") && !isOver(event, now))
    .sort((a, b) => Number(hasBegun(a, now)) - Number(hasBegun(b, now)));   // stable
  // The first ones may all be over.
  const isEmpty = shown?.length === 0;
  useEffect(() => {
    if (isEmpty && next !== null) more().catch(() => setAway(true));
  }, [isEmpty, next]);
  return (
    <main class="events" id="seats">
      <div class="events-intro">
        <h1>{t.value.title}</h1>
        <p>{t.value.intro}</p>
      </div>
      {isAway && (
        <p class="banner" role="alert">
          {t.value.unreachable}
        </p>
      )}
      {shown === undefined && !isAway && <p>{t.value.loading}</p>}
      {isEmpty && next === null && (
        <div class="empty">
          <p>{t.value.noEvents}</p>
          <p class="soft">{t.value.noEventsHint}</p>
        </div>
      )}
      <ul class="cards">{shown?.map((event) => <Card key={event.id} event={event} />)}</ul>
      {next !== null && (
        <button type="button" class="button" onClick={() => void more()}>
          {t.value.more}
        </button>
      )}
      <footer class="foot">
        <span>{t.value.forPrograms}:</span> <a href="/docs">API</a> <a href="/openapi.json">OpenAPI</a> <a href="/console">{t.value.desk}</a> <a href={licenses}>{t.value.licenses}</a>
      </footer>
    </main>
  );
}

function Card({ event }: { event: Event }) {
  const { counts } = event;
  const prices = event.categories.map(({ price }) => price).filter((price): price is number => price !== null);
  const share = counts.total === 0 ? 0 : counts.available / counts.total;
  const isOpen = event.status === "on_sale";
  return (
    <li>
      <a class="card" href={addressOf(event.id)} onClick={(click) => follow(click, event.id)}>
        <Thumb event={event} />
        <h2>{event.name}</h2>
        <ul class="facts">
          {event.startsAt !== null && (
            <li>
              <Icon name="calendar" />
              {dateAndTime(event.startsAt)}
              {hasBegun(event, clock.now()) && ` · ${t.value.begun}`}
            </li>
          )}
          {event.venue !== "" && (
            <li>
              <Icon name="pin" />
              {event.venue}
            </li>
          )}
        </ul>
        <span class="meter" aria-hidden="true">
          <span style={{ width: `${share * 100}%` }} />
        </span>
        <span class="card-end">
          <span class="numbers soft">{!isOpen ? t.value.closed : counts.available > 0 ? t.value.leftOf(counts.available, counts.total) : counts.held > 0 ? t.value.allHeld : t.value.soldOut}</span>
          {prices.length > 0 && <span class="numbers price">{t.value.from(money(Math.min(...prices), event.currency))}</span>}
        </span>
      </a>
    </li>
  );
}
