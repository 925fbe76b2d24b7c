// One event: the map, and beside it what one can do.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { HoldfastError } from "@holdfast/client";
import { dateAndTime } from "../shared/i18n";
import { BestForm } from "./best_form";
import { Choice } from "./choice";
import { Hold, Purchases } from "./hold";
import { Icon } from "./icon";
import { Legend } from "./legend";
import { MapView } from "./map_view";
import { NoticeCard } from "./notice_card";
import { addressOf, follow } from "./route";
import { Sale } from "./sale";
import { SeatList } from "./seat_list";
import { Seats } from "./seats";
import { asVisitor, client, patientClient } from "./session";
import { t } from "./texts";

const retryMs = 3_000;

export function EventPage({ id }: { id: string }) {
  const [sale, setSale] = useState<Sale>();
  const [problem, setProblem] = useState<"missing" | "away">();

  useEffect(() => {
    const stop = new AbortController();
    let opened: Sale | undefined;
    const open = async () => {
      const [event, plan] = await Promise.all([
        asVisitor(() => client.getEvent(id, { signal: stop.signal })),
        patientClient.getPlan(id, { signal: stop.signal }),
      ]);
      if (stop.signal.aborted) return;
      opened = new Sale(event, new Seats(plan));
      setProblem(undefined);
      setSale(opened);
      await opened.follow();
    };
    const openOrTryAgain = async () => {
      while (!stop.signal.aborted) {
        try {
          return await open();
        } catch (error) {
          if (stop.signal.aborted) return;
          if (!(error instanceof HoldfastError)) throw error;
          opened?.end();
          setProblem(error.status === 404 ? "missing" : "away");
          if (error.status === 404) return;
          await new Promise((go) => setTimeout(go, retryMs));   // the client has tried some times already
        }
      }
    };
    void openOrTryAgain();
    return () => {
      stop.abort();
      opened?.end();
    };
  }, [id]);
  useEffect(() => {
    if (sale !== undefined) document.title = `${sale.event.name} · Holdfast`;
  }, [sale]);

  if (problem !== undefined || sale === undefined) {
    return (
      <main class="waiting" id="seats">
        {problem === undefined ? (
          <p>{t.value.loading}</p>
        ) : (
          <div role="alert">
            <h1>{problem === "missing" ? t.value.notFound : t.value.unreachable}</h1>
          </div>
        )}
        {problem !== undefined && (
          <a class="button" href={addressOf(undefined)} onClick={(event) => follow(event, undefined)}>
            {t.value.back}
          </a>
        )}
      </main>
    );
  }
  return <Opened sale={sale} />;
}

function Opened({ sale }: { sale: Sale }) {
  const { event } = sale;
  const holds = sale.holds.value;
  const picked = sale.picked.value;
  const isBusy = sale.actions.busy.value;
  const panel = useRef<HTMLDivElement>(null);
  // An action may remove the control that had the focus. Then the focus moves to the result.
  useEffect(() => {
    if (isBusy || !sale.actions.hasActed) return;
    if (document.activeElement !== null && document.activeElement !== document.body) return;
    panel.current?.querySelector<HTMLElement>(".notice, .hold, h1")?.focus({ preventScroll: true });
  }, [isBusy]);
  // Scroll a new notice into view.
  useEffect(() => {
    if (sale.notice.value !== undefined) panel.current?.querySelector(".notice")?.scrollIntoView({ block: "nearest" });
  }, [sale.notice.value]);
  // When the buttons change, the next click may have been meant for the old ones.
  const lines = [...picked, "", ...holds.flatMap(({ seats }) => seats.map(({ id, state }) => `${id} ${state}`))].join();
  const isFirst = useRef(true);
  useLayoutEffect(() => {
    if (!isFirst.current) sale.actions.layoutChanged();
    isFirst.current = false;
  }, [lines, sale.notice.value, sale.purchases.value.length, sale.isOpen.value, sale.isEmpty.value]);
  return (
    <main class="event">
      <MapView sale={sale} />
      <div class="panel" ref={panel}>
        <div class="panel-head">
          <a class="back" href={addressOf(undefined)} onClick={(click) => follow(click, undefined)}>
            <Icon name="back" />
            {t.value.back}
          </a>
          <h1 tabIndex={-1}>{event.name}</h1>
          <ul class="facts">
            {event.startsAt !== null && (
              <li>
                <Icon name="calendar" />
                {dateAndTime(event.startsAt)}
              </li>
            )}
            {event.venue !== "" && (
              <li>
                <Icon name="pin" />
                {event.venue}
              </li>
            )}
          </ul>
        </div>
        {!sale.isOpen.value ? <p class="banner">{sale.whyNotOpen()}</p> : sale.hasBegun.value && <p class="banner">{t.value.begunTitle}</p>}
        <NoticeCard sale={sale} />
        {holds.map((hold, h) => (
          <Hold key={hold.id} sale={sale} reservation={hold} isAtHand={h === 0 && picked.length === 0} />
        ))}
        <Choice sale={sale} />
        {holds.length === 0 && <BestForm sale={sale} />}
        <Purchases sale={sale} />
        <Legend sale={sale} />
        <SeatList sale={sale} />
      </div>
      <p class="unseen" role="status">
        {sale.said.value}
      </p>
    </main>
  );
}
