// Events and how they sell, in the order of their creation, which does not change.
import type { Counts, Event } from "@holdfast/client";
import { number } from "../shared/i18n";
import { share } from "./format";
import { addressOf } from "./route";
import { t } from "./texts";

export function StateBar({ counts }: { counts: Counts }) {
  const texts = t.value.states;
  const width = (part: number) => ({ width: `${counts.total === 0 ? 0 : (part / counts.total) * 100}%` });
  const told = `${texts.sold} ${share(counts.sold, counts.total)}, ${texts.held} ${share(counts.held, counts.total)}, ${texts.blocked} ${share(counts.blocked, counts.total)}`;
  return (
    <span class="state-bar" role="img" aria-label={told}>
      <i class="sold" style={width(counts.sold)} />
      <i class="held" style={width(counts.held)} />
      <i class="blocked" style={width(counts.blocked)} />
    </span>
  );
}

/** The numbers of one row, under the heads of `CountHeads`. */
export function CountCells({ counts }: { counts: Counts }) {
  const texts = t.value.states;
  const cell = (label: string, value: string) => (
    <td class="numbers" data-label={label}>
      {value}
    </td>
  );
  return (
    <>
      {cell(texts.total, number(counts.total))}
      {cell(texts.available, number(counts.available))}
      {cell(texts.held, number(counts.held))}
      {cell(texts.sold, number(counts.sold))}
      {cell(texts.blocked, number(counts.blocked))}
      {cell(texts.soldShare, share(counts.sold, counts.total))}
      <td class="bar-cell">
        <StateBar counts={counts} />
      </td>
    </>
  );
}

export function CountHeads() {
  const texts = t.value.states;
  return (
    <>
      {[texts.total, texts.available, texts.held, texts.sold, texts.blocked, texts.soldShare].map((each) => (
        <th key={each} scope="col" class="numbers">
          {each}
        </th>
      ))}
      <th scope="col" class="bar-cell">
        <span class="unseen">{texts.division}</span>
        <span class="keys" aria-hidden="true">
          <i class="sold" /> {texts.sold} <i class="held" /> {texts.held} <i class="blocked" /> {texts.blocked}
        </span>
      </th>
    </>
  );
}

export function EventsTable({ events }: { events: Event[] | null }) {
  const texts = t.value.events;
  if (events !== null && events.length === 0) {
    return (
      <p class="panel empty">
        {texts.none} <a href={addressOf({ view: "import" })}>{texts.importOne}</a>
      </p>
    );
  }
  return (
    <table class="panel counts">
      <thead>
        <tr>
          <th scope="col">{texts.event}</th>
          <th scope="col">{texts.status}</th>
          <CountHeads />
          <th scope="col" class="numbers">
            {texts.lastChange}
          </th>
        </tr>
      </thead>
      <tbody>
        {(events ?? []).map((event) => (
          <tr key={event.id}>
            <th scope="row">
              <a href={addressOf({ view: "event", id: event.id })} title={event.name}>
                {event.name}
              </a>
            </th>
            <td data-label={texts.status}>{texts.statuses[event.status]}</td>
            <CountCells counts={event.counts} />
            <td class="numbers" data-label={texts.lastChange}>
              {number(event.seq)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
