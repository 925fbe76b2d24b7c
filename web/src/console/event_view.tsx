// One event: how it sells by section and category, its seats as they are, and keeping seats from sale.
import { signal, useSignal } from "@preact/signals";
import type { Event, LiveMessage, Plan } from "@holdfast/client";
import { useEffect, useMemo } from "preact/hooks";
import { number } from "../shared/i18n";
import { followLive } from "../shared/live";
import { placesOf } from "../shared/places";
import { AsOf } from "./as_of";
import { ask, problemOf } from "./ask";
import { CountCells, CountHeads } from "./events_table";
import { clock, share } from "./format";
import { poll, type Reading } from "./polling";
import { addressOf } from "./route";
import { SeatKeys, SeatMap } from "./seat_map";
import { SeatPicker } from "./seat_picker";
import { labelOf, stateOf } from "./seats";
import { client } from "./session";
import { t } from "./texts";

const seatsChosenMax = 1_000;     // in one call
const drawEveryMs = 500;
const drawManyEveryMs = 1_000;
const many = 20_000;

/** The states of an event's seats as they change, drawn no more often than the eye can follow. */
function useLiveStates(id: string) {
  const shown = useSignal<{ letters: string[]; seq: number; version: number }>({ letters: [], seq: 0, version: 0 });
  useEffect(() => {
    const end = new AbortController();
    let letters: string[] = [];
    let seq = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const show = () => {
      timer = undefined;
      shown.value = { letters, seq, version: shown.value.version + 1 };
    };
    const follow = async () => {
      const onMessage = (message: LiveMessage) => {
        if (message.type === "snapshot") letters = [...message.states];
        else for (const [seat, letter] of message.seats) letters[seat] = letter;
        seq = message.seq;
        timer ??= setTimeout(show, shown.value.version === 0 ? 0 : letters.length > many ? drawManyEveryMs : drawEveryMs);
      };
      await followLive(client(), "desk", id, { signal: end.signal, onMessage });
    };
    // An event that is not there says so above.
    follow().catch((error: unknown) => console.warn(problemOf(error)));
    return () => {
      end.abort();
      clearTimeout(timer);
    };
  }, [id]);
  return shown;
}

/** What is asked for an event as long as it is open. */
function useEvent(id: string) {
  const reading = useSignal<Reading<Event>>({ value: null, at: 0, failingSince: null });
  const plan = useSignal<Plan | null>(null);
  const problem = useSignal<string | null>(null);
  const askAgain = useMemo(() => signal<() => void>(() => undefined), [id]);
  useEffect(() => {
    const asked = poll(1_000, async () => {
      try {
        return await client().getEvent(id);
      } catch (error) {
        problem.value = problemOf(error);
        throw error;
      }
    });
    const stop = asked.reading.subscribe((now) => {
      reading.value = now;
      if (now.failingSince === null) problem.value = null;
    });
    askAgain.value = () => void asked.ask();
    client()
      .getPlan(id)
      .then((value) => (plan.value = value))
      .catch((error: unknown) => (problem.value = problemOf(error)));
    return () => {
      stop();
      asked.stop();
    };
  }, [id]);
  return { reading, plan, problem, askAgain };
}

function Breakdown({ title, rows }: { title: string; rows: { name: string; counts: Event["counts"] }[] }) {
  return (
    <table class="panel counts">
      <thead>
        <tr>
          <th scope="col">{title}</th>
          <CountHeads />
        </tr>
      </thead>
      <tbody>
        {rows.map(({ name, counts }) => (
          <tr key={name}>
            <th scope="row" title={name}>
              <span>{name}</span>
            </th>
            <CountCells counts={counts} />
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Desk({ event, plan, onDone }: { event: Event; plan: Plan; onDone: () => void }) {
  const live = useLiveStates(event.id);
  const chosen = useSignal<ReadonlySet<number>>(new Set());
  const texts = t.value.event;
  const { letters, seq, version } = live.value;
  const places = useMemo(() => placesOf(plan), [plan]);
  const choose = (seats: readonly number[], on: boolean) => {
    const next = new Set(chosen.value);
    for (const seat of seats) {
      if (!on) next.delete(seat);
      else if (next.size < seatsChosenMax) next.add(seat);
    }
    chosen.value = next;
  };
  const act = (to: "block" | "unblock") => {
    const seats = [...chosen.value].filter((seat) => letters[seat] === (to === "block" ? "a" : "b"));
    const ids = seats.map((seat) => plan.seats.id[seat] ?? "");
    ask({
      title: to === "block" ? texts.askBlock(seats.length, event.name) : texts.askUnblock(seats.length, event.name),
      details: seats.map((seat) => labelOf(plan, seat)),
      verb: to === "block" ? texts.block : texts.unblock,
      run: (options) => (to === "block" ? client().blockSeats(event.id, ids, options) : client().unblockSeats(event.id, ids, options)),
      then: () => {
        chosen.value = new Set();
        onDone();
      },
    });
  };
  const count = (letter: string) => [...chosen.value].filter((seat) => letters[seat] === letter).length;
  const [free, blocked] = [count("a"), count("b")];
  const drawing = {
    ...places,
    markOf: (seat: number) => stateOf(letters[seat]),
    isChosen: (seat: number) => chosen.value.has(seat),
  };
  return (
    <section class="seats-of-event" aria-labelledby="seats">
      <header class="bar">
        <h2 id="seats">{texts.seats}</h2>
        <span class="as-of numbers">{version === 0 ? t.value.loading : texts.seatsAsOf(number(seq))}</span>
      </header>
      <div class="split panel">
        <SeatMap
          label={texts.map(event.name)}
          drawing={drawing}
          version={`${version} ${[...chosen.value].join()}`}
          onPick={(seat) => choose([seat], !chosen.value.has(seat))}
          nameOf={(seat) => `${labelOf(plan, seat)} · ${t.value.states[stateOf(letters[seat])]}`}
        />
        <div class="side">
          <SeatKeys />
          <SeatPicker plan={plan} letters={letters} chosen={chosen.value} choose={choose} />
          <p class="numbers" role="status">
            {texts.chosen(chosen.value.size, free, blocked)}
          </p>
          <div class="buttons">
            <button type="button" class="button" disabled={free === 0} onClick={() => act("block")}>
              {texts.blockN(free)}
            </button>
            <button type="button" class="button" disabled={blocked === 0} onClick={() => act("unblock")}>
              {texts.unblockN(blocked)}
            </button>
            <button type="button" class="button plain" disabled={chosen.value.size === 0} onClick={() => (chosen.value = new Set())}>
              {texts.chooseNone}
            </button>
          </div>
        </div>
      </div>
    </section>
  );
}

export function EventView({ id }: { id: string }) {
  const { reading, plan, problem, askAgain } = useEvent(id);
  const texts = t.value.event;
  const event = reading.value.value;
  return (
    <>
      <header class="bar">
        <h1>{event?.name ?? texts.title}</h1>
        {event !== null && <span class="soft">{t.value.events.statuses[event.status]}</span>}
        {/* Without an event there are no last numbers: the problem below says why. */}
        {(event !== null || problem.value === null) && (
          <AsOf reading={reading.value} of={event === null ? null : texts.asOf(number(event.seq), clock(reading.value.at))} />
        )}
      </header>
      <p class="soft id">
        <code>{id}</code> · <a href={addressOf({ view: "sale" })}>{texts.allEvents}</a>
      </p>
      <p class="problem" role="alert">
        {problem.value}
      </p>
      {event !== null && (
        <>
          <dl class="figures panel">
            {(["available", "held", "sold", "blocked"] as const).map((state) => (
              <div class="figure" key={state}>
                <dt>{t.value.states[state]}</dt>
                <dd class="numbers">
                  <b>{number(event.counts[state])}</b>
                  <small>{share(event.counts[state], event.counts.total)}</small>
                </dd>
              </div>
            ))}
            <div class="figure">
              <dt>{t.value.states.total}</dt>
              <dd class="numbers">
                <b>{number(event.counts.total)}</b>
                <small>{texts.seatsOf}</small>
              </dd>
            </div>
          </dl>
          <div class="two">
            <section aria-label={texts.sections}>
              <Breakdown title={texts.section} rows={event.sections} />
            </section>
            <section aria-label={texts.categories}>
              <Breakdown title={texts.category} rows={event.categories} />
            </section>
          </div>
          {plan.value !== null && <Desk event={event} plan={plan.value} onDone={askAgain.value} />}
        </>
      )}
    </>
  );
}
