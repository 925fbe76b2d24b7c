// The same seats without a map: a section at a time, as a grid of rows that the arrow keys walk through.
import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { money } from "../shared/i18n";
import type { Sale } from "./sale";
import { Mine, State, type Row } from "./seats";
import { stateWord } from "./state_word";
import { t } from "./texts";

/** The seat that the keyboard is at: the map shows it. */
export const focused = signal<number | undefined>(undefined);

const stateClass = ["available", "held", "sold", "blocked"] as const;
const mineClass = ["", "picked", "mine", "bought"] as const;

export function SeatList({ sale }: { sale: Sale }) {
  const { sections, rows } = sale.seats;
  const [isOpen, setOpen] = useState(false);
  const [section, setSection] = useState(() => Math.max(0, sections.findIndex(({ seats }) => seats > 0)));
  // The seat with the one tab stop of the grid.
  const [current, setCurrent] = useState<number>();
  const grid = useRef<HTMLDivElement>(null);
  const shown = sections[section]!.rows;
  const stop = current !== undefined && sale.seats.row(current).section === section ? current : rows[shown[0] ?? 0]!.first;

  useEffect(() => () => void (focused.value = undefined), []);
  const go = (i: number | undefined) => {
    if (i === undefined) return;
    setCurrent(i);
    grid.current?.querySelector<HTMLElement>(`[data-seat="${i}"]`)?.focus();
  };
  const walk = (event: KeyboardEvent) => {
    const target = event.target instanceof HTMLElement ? event.target.dataset["seat"] : undefined;
    if (target === undefined) return;
    const i = Number(target);
    const to = keyTo(sale, event, i);
    if (to === undefined && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    if (to === undefined) sale.actions.toggle(i);
    else go(to);
  };
  const labels = sections[section]!.name;
  const longest = Math.max(0, ...shown.map((r) => rows[r]!.name.length));
  return (
    <details class="seat-list" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{t.value.list}</summary>
      {isOpen && (
        <>
          <label class="field">
            <span>{t.value.section}</span>
            <select value={String(section)} onChange={(event) => setSection(Number(event.currentTarget.value))}>
              {sections.map(({ name, seats }, s) => (
                <option key={name} value={String(s)} disabled={seats === 0}>
                  {name}
                </option>
              ))}
            </select>
          </label>
          <Refused sale={sale} />
          <div
            class="grid"
            role="grid"
            ref={grid}
            style={{ "--characters": longest }}
            aria-label={t.value.seatGrid(labels)}
            aria-multiselectable="true"
            onKeyDown={walk}
            onFocusIn={(event) => {
              const seat = event.target instanceof HTMLElement ? event.target.dataset["seat"] : undefined;
              if (seat === undefined) return;
              setCurrent(Number(seat));
              focused.value = Number(seat);
            }}
            onFocusOut={() => (focused.value = undefined)}
          >
            {shown.map((r) => (
              <RowLine key={r} sale={sale} row={rows[r]!} stop={stop} />
            ))}
          </div>
        </>
      )}
    </details>
  );
}

// For the eye, as the page's status line says it for the ear.
function Refused({ sale }: { sale: Sale }) {
  sale.version.value;
  const refused = sale.refused.value;
  return (
    <p class="refused-line" aria-hidden="true">
      {refused === undefined ? " " : `${sale.seats.label(refused.i)}: ${sale.isOpen.value || !sale.seats.isFree(refused.i) ? stateWord(sale.seats, refused.i) : sale.whyNotOpen()}`}
    </p>
  );
}

function RowLine({ sale, row, stop }: { sale: Sale; row: Row; stop: number }) {
  sale.version.value;
  const { seats } = sale;
  // A row whose seats are as they were is not drawn again: a section has hundreds of them, and seats change all the time.
  const end = row.first + row.count;
  const isStop = stop >= row.first && stop < end;
  const looks = `${seats.state.subarray(row.first, end).join("")} ${seats.mine.subarray(row.first, end).join("")}`;
  return <Cells sale={sale} row={row} stop={isStop ? stop : -1} looks={looks} />;
}

// `looks` is what it shows, in short: signals' components are only drawn again when a property or a signal has changed.
function Cells({ sale, row, stop }: { sale: Sale; row: Row; stop: number; looks: string }) {
  const { seats } = sale;
  return (
    <div class="grid-row" role="row">
      <span class="row-name" role="rowheader">
        <span class="unseen">{t.value.row(row.name)}</span>
        <span aria-hidden="true">{row.name}</span>
      </span>
      {Array.from({ length: row.count }, (_, k) => {
        const i = row.first + k;
        const { name, price } = seats.categoryOf(i);
        const mine = seats.mine[i]!;
        const canPick = mine === Mine.picked || (mine === Mine.no && seats.state[i] === State.available);
        return (
          <span
            key={i}
            role="gridcell"
            data-seat={i}
            tabIndex={i === stop ? 0 : -1}
            class={`cell ${mine === Mine.no ? stateClass[seats.state[i]!] : mineClass[mine]}`}
            aria-selected={mine === Mine.picked}
            aria-disabled={!canPick}
            aria-label={t.value.seatName(row.name, seats.numbers[i]!, name, price === null ? t.value.noPrice : money(price, sale.event.currency), stateWord(seats, i))}
            onClick={() => sale.actions.toggle(i)}
          >
            {seats.numbers[i]}
          </span>
        );
      })}
    </div>
  );
}

/** Where an arrow key leads; nothing for another key. */
function keyTo(sale: Sale, event: KeyboardEvent, i: number): number | undefined {
  const { seats } = sale;
  const row = seats.row(i);
  const last = row.first + row.count - 1;
  const section = seats.sections[row.section]!;
  const at = section.rows.indexOf(seats.rowOf[i]!);
  const nearestIn = (r: number | undefined) => {
    const other = r === undefined ? undefined : seats.rows[r];
    if (other === undefined) return i;
    let best = other.first;
    for (let k = other.first; k < other.first + other.count; ++k) {
      if (Math.abs(seats.x[k]! - seats.x[i]!) < Math.abs(seats.x[best]! - seats.x[i]!)) best = k;
    }
    return best;
  };
  switch (event.key) {
    case "ArrowRight":
      return Math.min(i + 1, last);
    case "ArrowLeft":
      return Math.max(i - 1, row.first);
    case "ArrowDown":
      return nearestIn(section.rows[at + 1]);
    case "ArrowUp":
      return nearestIn(section.rows[at - 1]);
    case "Home":
      return event.ctrlKey ? seats.rows[section.rows[0]!]!.first : row.first;
    case "End":
      return event.ctrlKey ? nearestIn(section.rows.at(-1)) : last;
    default:
      return undefined;
  }
}
