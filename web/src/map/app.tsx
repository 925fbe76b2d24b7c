// The frame around everything: head, and the place that the address names.
import { useEffect, useState } from "preact/hooks";
import { chooseLanguage, language, languages } from "../shared/i18n";
import { theme, toggleTheme } from "../shared/theme";
import { EventPage } from "./event_page";
import { EventsPage } from "./events_page";
import { Icon } from "./icon";
import { addressOf, eventId, follow } from "./route";
import { clock, openSession } from "./session";
import { t } from "./texts";

const retryMs = 3_000;

/** Tries until the server has given a session and its time. */
async function meet(stop: AbortSignal) {
  while (!stop.aborted) {
    try {
      await openSession();
      await clock.start();
      return true;
    } catch {
      await new Promise((go) => setTimeout(go, retryMs));   // the client has tried some times already
    }
  }
  return false;
}

export function App() {
  const [isReady, setReady] = useState(false);
  const [isAway, setAway] = useState(false);
  useEffect(() => {
    const stop = new AbortController();
    const late = setTimeout(() => setAway(true), retryMs);
    void meet(stop.signal).then((met) => {
      clearTimeout(late);
      setAway(false);
      setReady(met);
    });
    return () => stop.abort();
  }, []);
  const id = eventId.value;
  return (
    <>
      <a class="skip" href="#seats">
        {t.value.skip}
      </a>
      <Head />
      {isReady ? id === undefined ? <EventsPage /> : <EventPage key={id} id={id} /> : <Waiting isAway={isAway} />}
    </>
  );
}

function Waiting({ isAway }: { isAway: boolean }) {
  return (
    <main class="waiting" id="seats">
      {isAway ? (
        <div role="alert">
          <h1>{t.value.unreachable}</h1>
        </div>
      ) : (
        <p>{t.value.loading}</p>
      )}
    </main>
  );
}

function Head() {
  const isDark = theme.value === "dark";
  return (
    <header class="head">
      <a class="brand" href={addressOf(undefined)} onClick={(event) => follow(event, undefined)}>
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <rect width="32" height="32" rx="8" />
          <path d="M9 8v16M9 16h14M23 8v16" />
        </svg>
        Holdfast
      </a>
      <div class="head-tools">
        <div class="languages" role="group" aria-label={t.value.language}>
          {languages.map((each) => (
            <button key={each} type="button" lang={each} aria-pressed={language.value === each} onClick={() => chooseLanguage(each)}>
              {each.toUpperCase()} <span class="unseen">{each === "en" ? "English" : "Español"}</span>
            </button>
          ))}
        </div>
        <button type="button" class="icon-button" onClick={toggleTheme} aria-label={isDark ? t.value.toLight : t.value.toDark}>
          <Icon name={isDark ? "sun" : "moon"} />
        </button>
      </div>
    </header>
  );
}
