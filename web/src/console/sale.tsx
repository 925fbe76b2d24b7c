// The first view: how the sale goes. Figures, charts, events and the parts of the server, each with what it is as of.
import { computed, signal } from "@preact/signals";
import type { Event } from "@holdfast/client";
import { number } from "../shared/i18n";
import { Chart, type Line } from "./chart";
import { EventsTable } from "./events_table";
import { AsOf } from "./as_of";
import { clock, milliseconds } from "./format";
import { HealthTable } from "./health";
import { highestOfLast, joined, sumOfLast, type Columns, type Sale } from "./history_of_sale";
import { poll, type Poll } from "./polling";
import { client, health } from "./session";
import { t } from "./texts";

const secondsKept = 900;
const minutesKept = 1_440;
const eventsShownMax = 500;

export const ranges = { "5m": 300, "15m": 900, "24h": 86_400 } as const;
type Range = keyof typeof ranges;
const range = signal<Range>("5m");

export interface Events {
  items: Event[];
  /** There are more than are shown. */
  more: boolean;
}

/** What the desk asks for as long as somebody is signed in, whatever view is open. */
export interface Feeds {
  seconds: Poll<Sale>;
  minutes: Poll<Sale>;
  events: Poll<Events>;
  /** Those of the server: their answer is `health`. */
  parts: Poll<true>;
  stop(): void;
}

export function startFeeds(): Feeds {
  const series = (resolution: "second" | "minute", kept: number) => async (before: Sale | null) => {
    const since = before?.last ?? null;
    const more = await client().getSeries({ resolution, ...(since === null ? {} : { since }) });
    // The server began anew, and what was asked was only the end of its series.
    if (before !== null && before.startedAt !== more.startedAt) return joined(null, await client().getSeries({ resolution }), kept);
    return joined(before, more, kept);
  };
  const seconds = poll(1_000, series("second", secondsKept));
  const minutes = poll(15_000, series("minute", minutesKept));
  const events = poll(2_000, async (): Promise<Events> => {
    const items: Event[] = [];
    let cursor: string | null = "";
    while (cursor !== null && items.length < eventsShownMax) {
      const page: { items: Event[]; nextCursor: string | null } = await client().listEvents(cursor === "" ? {} : { cursor });
      items.push(...page.items);
      cursor = page.nextCursor;
    }
    return { items, more: cursor !== null };
  });
  const parts = poll(2_000, async () => {
    health.value = await client().getHealth();
    return true as const;
  });
  return {
    seconds,
    minutes,
    events,
    parts,
    stop() {
      for (const each of [seconds, minutes, events, parts]) each.stop();
    },
  };
}

const dashes = { solid: [], long: [8, 4], short: [3, 3], dot: [1, 3], mixed: [8, 3, 2, 3] } as const;

/** Codes of refusals, each with a colour and a dash of its own, so that neither changes when another reason turns up. */
const refusalForms: Record<string, [string, keyof typeof dashes]> = {
  seat_unavailable: ["--line-1", "solid"],
  no_adjacent_seats: ["--line-2", "long"],
  limit_exceeded: ["--line-3", "short"],
  event_not_on_sale: ["--line-4", "mixed"],
  reservation_expired: ["--line-5", "solid"],
  reservation_not_active: ["--line-1", "short"],
  lock_held: ["--line-2", "dot"],
  rate_limited: ["--line-3", "mixed"],
  unavailable: ["--line-6", "solid"],
};
const otherForm: [string, keyof typeof dashes] = ["--line-4", "dot"];

const perInterval = (columns: Columns, values: readonly number[], by: number) => values.map((value, i) => (value * by) / (columns.seconds[i] || 1));

function linesOfSale(columns: Columns, by: number): Line[] {
  const texts = t.value.sale;
  const line = (label: string, color: string, dash: keyof typeof dashes, values: readonly number[]): Line => ({ label, color, dash: [...dashes[dash]], values: perInterval(columns, values, by) });
  return [
    line(texts.holds, "--line-3", "solid", columns.changes.held),
    line(texts.sales, "--line-1", "solid", columns.changes.consumed),
    line(texts.expiries, "--line-5", "long", columns.changes.expired),
    line(texts.released, "--line-2", "short", columns.changes.released),
    line(texts.returned, "--line-6", "mixed", columns.changes.returned),
  ];
}

function linesOfRefusals(columns: Columns, by: number): Line[] {
  const codes = Object.keys(columns.refusals);
  const known = Object.keys(refusalForms).filter((code) => codes.includes(code));
  const lines = known.map((code): Line => {
    const [color, dash] = refusalForms[code] ?? otherForm;
    return { label: t.value.refusals[code] ?? code, color, dash: [...dashes[dash]], values: perInterval(columns, columns.refusals[code] ?? [], by) };
  });
  const rest = codes.filter((code) => refusalForms[code] === undefined);
  const others = columns.ends.map((_, i) => rest.reduce((sum, code) => sum + (columns.refusals[code]?.[i] ?? 0), 0));
  const [color, dash] = otherForm;
  lines.push({ label: t.value.sale.otherRefusals, color, dash: [...dashes[dash]], values: perInterval(columns, others, by) });
  return lines;
}

const linesOfDurations = (of: Columns["commands"]): Line[] => [
  { label: "p50", color: "--line-1", dash: [], values: of.p50Ms },
  { label: "p99", color: "--line-3", dash: [...dashes.long], values: of.p99Ms },
  { label: "max", color: "--line-6", dash: [...dashes.dot], values: of.maxMs },
];

function Figure({ label, value, unit, below }: { label: string; value: string; unit: string; below: string }) {
  return (
    <div class="figure">
      <dt>{label}</dt>
      <dd class="numbers">
        <b>{value}</b> <span class="unit">{unit}</span>
        <small>{below}</small>
      </dd>
    </div>
  );
}

function Figures({ sale }: { sale: Sale }) {
  const { columns } = sale;
  const texts = t.value.sale;
  const minute = (column: readonly number[]) => number(sumOfLast(columns, column, 60));
  const second = (column: readonly number[]) => number(sumOfLast(columns, column, 1));
  const refusals = columns.ends.map((_, i) => Object.values(columns.refusals).reduce((sum, column) => sum + (column[i] ?? 0), 0));
  const rate = (label: string, column: readonly number[]) => <Figure label={label} value={second(column)} unit={texts.perSecond} below={texts.inLastMinute(minute(column))} />;
  return (
    <dl class="figures panel">
      {rate(texts.holds, columns.changes.held)}
      {rate(texts.sales, columns.changes.consumed)}
      {rate(texts.expiries, columns.changes.expired)}
      {rate(texts.refusals, refusals)}
      <Figure
        label={texts.latency}
        value={milliseconds(highestOfLast(columns, columns.commands.p99Ms, 60))}
        unit="ms"
        below={texts.latencyBelow(milliseconds(highestOfLast(columns, columns.commands.p50Ms, 60)))}
      />
      <Figure
        label={texts.queue}
        value={number(columns.queuedMax.at(-1) ?? 0)}
        unit={texts.commands}
        below={texts.inLastMinuteMost(number(highestOfLast(columns, columns.queuedMax, 60) ?? 0))}
      />
    </dl>
  );
}

function RangeChoice() {
  return (
    <fieldset class="choice">
      <legend class="unseen">{t.value.sale.range}</legend>
      {(Object.keys(ranges) as Range[]).map((each) => (
        <label key={each}>
          <input type="radio" name="range" checked={range.value === each} onChange={() => (range.value = each)} />
          <span>{t.value.sale.ranges[each]}</span>
        </label>
      ))}
    </fieldset>
  );
}

export function SaleView({ feeds }: { feeds: Feeds }) {
  const texts = t.value.sale;
  const inMinutes = range.value === "24h";
  const reading = (inMinutes ? feeds.minutes : feeds.seconds).reading.value;
  const figures = feeds.seconds.reading.value.value;
  const sale = reading.value;
  const events = feeds.events.reading.value;
  const by = inMinutes ? 60 : 1;
  const unit = inMinutes ? texts.perMinute : texts.perSecond;
  const chart = { ends: sale?.columns.ends ?? [], span: ranges[range.value] };
  const counts = (value: number | null) => (value === null ? "–" : number(Math.round(value * 10) / 10));
  return (
    <>
      <h1 class="unseen">{texts.title}</h1>
      {figures !== null && <Figures sale={figures} />}
      <section class="charts" aria-label={texts.charts}>
        <header class="bar">
          <h2>{texts.charts}</h2>
          <RangeChoice />
          <AsOf reading={reading} of={sale === null ? null : texts.seriesAsOf(clock(sale.asOf))} />
        </header>
        {sale !== null && (
          <div class="grid">
            <Chart {...chart} title={texts.flow} unit={unit} lines={linesOfSale(sale.columns, by)} format={counts} />
            <Chart {...chart} title={texts.refusalsByReason} unit={unit} lines={linesOfRefusals(sale.columns, by)} format={counts} />
            <Chart {...chart} title={texts.latencyOfCommands} unit="ms" lines={linesOfDurations(sale.columns.commands)} format={milliseconds} />
            <Chart {...chart} title={texts.latencyOfCommits} unit="ms" lines={linesOfDurations(sale.columns.commits)} format={milliseconds} />
          </div>
        )}
      </section>
      <section aria-labelledby="events">
        <header class="bar">
          <h2 id="events">{texts.events}</h2>
          {events.value?.more === true && <span class="soft">{texts.moreEvents(number(eventsShownMax))}</span>}
          <AsOf reading={events} of={events.value === null ? null : texts.eventsAsOf(clock(events.at))} />
        </header>
        <EventsTable events={events.value?.items ?? null} />
      </section>
      <section aria-labelledby="parts">
        <header class="bar">
          <h2 id="parts">{texts.parts}</h2>
          <AsOf reading={feeds.parts.reading.value} of={health.value === null ? null : texts.partsAsOf(clock(health.value.at))} />
        </header>
        <HealthTable />
      </section>
    </>
  );
}

/** Whether the numbers are late: for the bar at the top. */
export const lateSince = (feeds: Feeds) => computed(() => feeds.seconds.reading.value.failingSince ?? feeds.events.reading.value.failingSince);
