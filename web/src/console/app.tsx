// The desk's frame: who is signed in, which view is open, and how fresh the numbers are.
import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { ActionsView } from "./actions";
import { QuestionAsked, TraceLine } from "./ask";
import { Choices } from "./choices";
import { EventView } from "./event_view";
import { FindView } from "./find";
import { clock, duration, zone } from "./format";
import { StatusMark } from "./health";
import { ImportView } from "./import_view";
import { addressOf, route, type Route } from "./route";
import { SaleView, startFeeds, type Feeds } from "./sale";
import { health, signOut, standing } from "./session";
import { SignIn } from "./sign_in";
import { t } from "./texts";

function Navigation({ at }: { at: Route }) {
  const texts = t.value.frame;
  const views: [Route, string, boolean][] = [
    [{ view: "sale" }, texts.sale, at.view === "sale" || at.view === "event"],
    [{ view: "find", text: "" }, texts.find, at.view === "find"],
    [{ view: "import" }, texts.import, at.view === "import"],
    [{ view: "actions" }, texts.actions, at.view === "actions"],
  ];
  return (
    <nav aria-label={texts.views}>
      {views.map(([to, label, isOpen]) => (
        <a key={to.view} href={addressOf(to)} aria-current={isOpen ? "page" : undefined}>
          {label}
        </a>
      ))}
    </nav>
  );
}

/** The server's state in one line, which is always there and never changes its width. It is empty while the server does not answer. */
function ServerLine({ feeds }: { feeds: Feeds }) {
  const texts = t.value.frame;
  const late = useComputed(() => feeds.seconds.reading.value.failingSince ?? feeds.parts.reading.value.failingSince);
  const now = health.value;
  if (now === null) return null;
  return (
    <p class={`server ${late.value === null ? "" : "late"}`}>
      {late.value === null && <StatusMark status={now.status} />}
      <span class="numbers">
        Holdfast {now.version} · {texts.up} {duration(now.uptimeSeconds)}
      </span>
      <span class="numbers">{late.value === null ? texts.serverTime(`${clock(now.at)} ${zone(now.at)}`) : t.value.late(clock(late.value))}</span>
    </p>
  );
}

function Who() {
  const texts = t.value.frame;
  const key = health.value?.key ?? null;
  if (health.value?.hasKeys === false) return <p class="who">{texts.noKeys}</p>;
  return (
    <p class="who">
      {key === null ? "" : texts.signedInAs(key.name, key.id)}
      <button type="button" class="button plain small" onClick={() => signOut()}>
        {texts.signOut}
      </button>
    </p>
  );
}

function Desk() {
  const feeds = useSignal<Feeds | null>(null);
  useEffect(() => {
    const started = startFeeds();
    feeds.value = started;
    return () => started.stop();
  }, []);
  // Scroll a view that was opened by a link to its top.
  const main = useRef<HTMLElement>(null);
  const at = route.value;
  const first = useRef(true);
  useEffect(() => {
    if (!first.current) main.current?.focus({ preventScroll: true });
    first.current = false;
    scrollTo(0, 0);
  }, [addressOf(at)]);

  const running = feeds.value;
  if (running === null) return null;
  const events = running.events.reading.value.value?.items ?? null;
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), main.current?.focus())}>
        {t.value.frame.skip}
      </a>
      <header class="top">
        <p class="brand">Holdfast</p>
        <Navigation at={at} />
        <ServerLine feeds={running} />
        <Who />
        <Choices />
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        {at.view === "sale" && <SaleView feeds={running} />}
        {at.view === "event" && <EventView key={at.id} id={at.id} />}
        {at.view === "find" && <FindView text={at.text} events={events} />}
        {at.view === "import" && <ImportView />}
        {at.view === "actions" && <ActionsView />}
      </main>
      <footer class="foot">
        <TraceLine />
        <a href={addressOf({ view: "actions" })}>{t.value.frame.allActions}</a>
      </footer>
      <QuestionAsked />
    </>
  );
}

export function App() {
  const now = standing.value;
  if (now.kind === "in") return <Desk />;
  return <SignIn />;
}
