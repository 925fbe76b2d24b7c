// Seats of one row, to be chosen with the keyboard as well as with anything else.
import type { Plan } from "@holdfast/client";
import { useMemo, useState } from "preact/hooks";
import { rowsOf, stateOf } from "./seats";
import { t } from "./texts";

export interface SeatPickerProps {
  plan: Plan;
  letters: readonly string[];
  chosen: ReadonlySet<number>;
  choose(seats: readonly number[], on: boolean): void;
}

export function SeatPicker({ plan, letters, chosen, choose }: SeatPickerProps) {
  const texts = t.value.event;
  const rows = useMemo(() => rowsOf(plan), [plan]);
  const [section, setSection] = useState(0);
  const [at, setAt] = useState(0);
  const ofSection = rows.filter((row) => row.section === section);
  const row = ofSection[at] ?? ofSection[0];
  const seats = row?.seats ?? [];
  const longest = Math.max(0, ...seats.map((seat) => plan.seats.number[seat]?.length ?? 0));
  const all = seats.length > 0 && seats.every((seat) => chosen.has(seat));
  return (
    <fieldset class="picker">
      <legend>{texts.choose}</legend>
      <div class="fields">
        <label class="field">
          <span>{texts.section}</span>
          <select
            value={section}
            onChange={(event) => {
              setSection(Number(event.currentTarget.value));
              setAt(0);
            }}
          >
            {plan.sections.map((name, i) => (
              <option key={i} value={i}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          <span>{texts.row}</span>
          <select value={at} onChange={(event) => setAt(Number(event.currentTarget.value))}>
            {ofSection.map((each, i) => (
              <option key={each.row} value={i}>
                {plan.names[each.row]}
              </option>
            ))}
          </select>
        </label>
        <button type="button" class="button" onClick={() => choose(seats, !all)} aria-pressed={all}>
          {texts.wholeRow}
        </button>
      </div>
      <ul class="row-of-seats" style={{ "--characters": longest }}>
        {seats.map((seat) => {
          const state = stateOf(letters[seat]);
          return (
            <li key={seat}>
              <label class={`seat ${state}`}>
                <input type="checkbox" checked={chosen.has(seat)} onChange={(event) => choose([seat], event.currentTarget.checked)} />
                <span class="numbers">{plan.seats.number[seat]}</span>
                <small>{t.value.states[state]}</small>
              </label>
            </li>
          );
        })}
      </ul>
    </fieldset>
  );
}
