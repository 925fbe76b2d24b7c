// Importing a seating plan: dropped, drawn, checked, and sent only when nothing is wrong with it.
import { useSignal } from "@preact/signals";
import type { Event as SaleEvent, NewEvent, SeatingPlan } from "@holdfast/client";
import { useMemo, useRef, useState } from "preact/hooks";
import { money, number } from "../shared/i18n";
import { ask } from "./ask";
import { zone } from "./format";
import { checkPlan, type CheckedPlan, type Mistake } from "./plan_check";
import { addressOf } from "./route";
import { SeatMap } from "./seat_map";
import { client } from "./session";
import { t } from "./texts";

const fileBytesMax = 64 * 1024 * 1024;   // more is for `holdfast import`
const mistakesShown = 200;
const idCharacters = 128;   // a longer one is a mistake, and may be as long as the file
const excerptCharacters = 160;
const excerptLines = 6;

const cut = (text: string, characters: number) => (text.length > characters ? `${text.slice(0, characters)}…` : text);

function Mistakes({ plan, lines, chosen, choose }: { plan: CheckedPlan; lines: string[]; chosen: Mistake | null; choose(mistake: Mistake): void }) {
  const texts = t.value.importing;
  const errors = plan.mistakes.filter(({ isError }) => isError).length;
  const warnings = plan.mistakes.length - errors;
  // A line may be the whole file; then what stands around the place is shown.
  const from = chosen === null ? 0 : Math.max(0, chosen.column - 1 - 40);
  const excerpt = chosen === null ? [] : lines.slice(chosen.line - 1, chosen.line - 1 + excerptLines);
  const shown = plan.mistakes.slice(0, mistakesShown);
  const idOf = ({ seat }: Mistake) => cut(plan.seats.id[seat] ?? "", idCharacters);
  const hasIds = shown.some((mistake) => idOf(mistake) !== "");
  return (
    <section aria-labelledby="mistakes">
      <h2 id="mistakes">{texts.mistakes}</h2>
      <p role="status" class={errors > 0 ? "problem" : "good"}>
        {errors > 0 ? texts.errors(errors) : texts.noErrors} {warnings > 0 && texts.warnings(warnings)}
      </p>
      {plan.mistakes.length > 0 && (
        <div class="scroll mistakes" role="group" aria-label={texts.mistakes} tabIndex={0}>
          <table>
            <thead>
              <tr>
                {[texts.line, texts.where, ...(hasIds ? [texts.id] : []), texts.what].map((head) => (
                  <th key={head} scope="col">
                    {head}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {shown.map((mistake, i) => (
                <tr key={i} class={mistake === chosen ? "chosen" : ""}>
                  <td class="numbers">
                    <button type="button" class="link" onClick={() => choose(mistake)} title={texts.showLine(mistake.line)}>
                      {mistake.line}:{mistake.column}
                    </button>
                  </td>
                  <td>{mistake.where === "" ? "–" : mistake.where}</td>
                  {hasIds && <td>{idOf(mistake) === "" ? "–" : <code>{idOf(mistake)}</code>}</td>}
                  <td class={mistake.isError ? "refused" : ""}>
                    {mistake.isError ? "✕ " : "▲ "}
                    {texts.kinds[mistake.kind](mistake.what)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {plan.mistakes.length > mistakesShown && <p class="soft">{texts.moreMistakes(number(plan.mistakes.length - mistakesShown))}</p>}
      {chosen !== null && (
        <pre class="excerpt" aria-label={texts.excerpt(chosen.line)}>
          <code>
            {excerpt.map((text, i) => {
              const begin = i === 0 ? from : 0;
              return `${chosen.line + i}: ${begin > 0 ? "…" : ""}${text.slice(begin, begin + excerptCharacters)}${text.length > begin + excerptCharacters ? "…" : ""}\n`;
            })}
          </code>
        </pre>
      )}
    </section>
  );
}

function Preview({ plan, chosen, choose }: { plan: CheckedPlan; chosen: Mistake | null; choose(mistake: Mistake): void }) {
  const texts = t.value.importing;
  const wrong = useMemo(() => new Map(plan.mistakes.filter(({ seat }) => seat >= 0).reverse().map((mistake) => [mistake.seat, mistake])), [plan]);
  const drawing = {
    x: plan.seats.x,
    y: plan.seats.y,
    markOf: (seat: number) => (wrong.get(seat)?.isError === true ? ("blocked" as const) : ("available" as const)),
    isChosen: (seat: number) => (chosen === null ? wrong.get(seat)?.isError === true : chosen.seat === seat),
    colorOf: (seat: number) => plan.categories[plan.seats.category[seat] ?? -1]?.color ?? null,
  };
  return (
    <section aria-labelledby="preview">
      <h2 id="preview">{texts.preview}</h2>
      <SeatMap
        label={texts.drawn(plan.seats.x.length)}
        drawing={drawing}
        version={`${plan.seats.x.length} ${plan.mistakes.length} ${chosen?.seat} ${chosen?.line}`}
        onPick={(seat) => {
          const mistake = wrong.get(seat);
          if (mistake !== undefined) choose(mistake);
        }}
        nameOf={(seat) => `${plan.seats.label[seat]} · ${plan.categories[plan.seats.category[seat] ?? -1]?.name ?? "?"}`}
      />
      <p class="numbers">{texts.size(plan.seats.x.length, plan.sections.length)}</p>
      <ul class="categories">
        {plan.categories.map(({ name, color, price, seats }) => (
          <li key={name}>
            <i style={{ background: color ?? "var(--seat-available)" }} /> {name} <span class="numbers">{number(seats)}</span>
            <span class="soft numbers">{price === null ? "–" : money(price, null)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

interface Wishes {
  name: string;
  venue: string;
  currency: string;
  startsAt: string;
  status: "on_sale" | "draft";
}

/** What the server says of the import: what it has blocked, and what of the plan it has no place for. */
function Outcome({ event }: { event: SaleEvent }) {
  const texts = t.value.importing;
  const members = event.notTaken?.members ?? [];
  const others = event.notTaken?.others ?? 0;
  return (
    <>
      {event.counts.blocked > 0 && <p>{texts.blocked(event.counts.blocked)}</p>}
      {members.length > 0 && (
        <>
          <p>{texts.notTaken}</p>
          <ul>
            {members.map(({ member, count, line }) => (
              <li key={member}>
                <code>{member}</code> <span class="soft">{texts.notTakenMember(count, line)}</span>
              </li>
            ))}
            {others > 0 && <li class="soft">{texts.notTakenOthers(others)}</li>}
          </ul>
        </>
      )}
    </>
  );
}

function SendForm({ plan, keepIds, setKeepIds, onSent }: { plan: CheckedPlan; keepIds: boolean; setKeepIds(on: boolean): void; onSent(made: SaleEvent): void }) {
  const texts = t.value.importing;
  const [wishes, setWishes] = useState<Wishes>({ name: plan.name, venue: "", currency: "EUR", startsAt: "", status: "on_sale" });
  const errors = plan.mistakes.filter(({ isError }) => isError).length;
  const set = (change: Partial<Wishes>) => setWishes({ ...wishes, ...change });
  const text = (name: "name" | "venue" | "currency", label: string, more: { required?: boolean; maxLength: number; pattern?: string }) => (
    <label class="field">
      <span>{label}</span>
      <input type="text" value={wishes[name]} onInput={(event) => set({ [name]: event.currentTarget.value })} autocomplete="off" {...more} />
    </label>
  );
  const send = () => {
    const event: NewEvent = {
      name: wishes.name.trim(),
      // What the check has read is a plan of this form: it has looked at every member.
      plan: plan.plan as SeatingPlan,
      keepIds,
      status: wishes.status,
      ...(wishes.currency === "" ? {} : { currency: wishes.currency.toUpperCase() }),
      ...(wishes.venue.trim() === "" ? {} : { venue: wishes.venue.trim() }),
      ...(wishes.startsAt === "" ? {} : { startsAt: new Date(wishes.startsAt).toISOString() }),
    };
    let made: SaleEvent | null = null;
    ask({
      title: texts.askImport(plan.seats.x.length, event.name),
      details: plan.categories.map(({ name, seats }) => `${name}: ${number(seats)}`),
      verb: texts.send,
      run: async (options) => {
        made = await client().createEvent(event, { ...options, signal: AbortSignal.timeout(600_000) });
      },
      then: () => {
        if (made !== null) onSent(made);
      },
    });
  };
  return (
    <form
      class="send"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <h2>{texts.event}</h2>
      <div class="fields">
        {text("name", texts.name, { required: true, maxLength: 200 })}
        {text("venue", texts.venue, { maxLength: 200 })}
        <label class="field">
          {/* As it is at that moment: in summer it may be another one than now. */}
          <span>{texts.startsAt(zone(wishes.startsAt === "" ? Date.now() : wishes.startsAt))}</span>
          <input type="datetime-local" value={wishes.startsAt} onInput={(event) => set({ startsAt: event.currentTarget.value })} />
        </label>
        {text("currency", texts.currency, { maxLength: 3, pattern: "[A-Za-z]{3}" })}
        <label class="field">
          <span>{t.value.events.status}</span>
          <select value={wishes.status} onChange={(event) => set({ status: event.currentTarget.value === "draft" ? "draft" : "on_sale" })}>
            <option value="on_sale">{t.value.events.statuses.on_sale}</option>
            <option value="draft">{t.value.events.statuses.draft}</option>
          </select>
        </label>
      </div>
      <label class="tick">
        <input type="checkbox" checked={keepIds} onChange={(event) => setKeepIds(event.currentTarget.checked)} /> {texts.keepIds}
      </label>
      <div class="buttons">
        <button type="submit" class="button primary" disabled={errors > 0}>
          {texts.sendN(plan.seats.x.length)}
        </button>
        {errors > 0 && <span class="soft">{texts.notWithErrors}</span>}
      </div>
    </form>
  );
}

function DropZone({ onFile }: { onFile(file: File): void }) {
  const texts = t.value.importing;
  const [over, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  return (
    <div
      class={`drop ${over ? "over" : ""}`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        const file = event.dataTransfer?.files[0];
        if (file !== undefined) onFile(file);
      }}
    >
      <p>{texts.drop}</p>
      <label class="field">
        <span class="unseen">{texts.choose}</span>
        <input
          ref={input}
          type="file"
          accept=".json,application/json"
          onChange={(event) => {
            const file = event.currentTarget.files?.[0];
            if (file !== undefined) onFile(file);
            // The same file, mended, is another one.
            if (input.current !== null) input.current.value = "";
          }}
        />
      </label>
    </div>
  );
}

export function ImportView() {
  const texts = t.value.importing;
  const file = useSignal<{ name: string; text: string; read: number } | null>(null);
  const keepIds = useSignal(false);
  const chosen = useSignal<Mistake | null>(null);
  const problem = useSignal<string | null>(null);
  const sent = useSignal<SaleEvent | null>(null);
  const plan = useMemo(() => (file.value === null ? null : checkPlan(file.value.text, keepIds.value)), [file.value, keepIds.value]);
  const lines = useMemo(() => file.value?.text.split("\n") ?? [], [file.value]);

  const open = async (of: File) => {
    problem.value = null;
    sent.value = null;
    chosen.value = null;
    if (of.size > fileBytesMax) {
      problem.value = texts.tooLarge;
      return;
    }
    try {
      // Bytes that are not UTF-8 are a mistake of the file, not something to be guessed.
      const text = new TextDecoder("utf-8", { fatal: true }).decode(await of.arrayBuffer());
      keepIds.value = checkPlan(text, false).hasIds;
      file.value = { name: of.name, text, read: Date.now() };
    } catch {
      problem.value = texts.notText(of.name);
    }
  };
  return (
    <>
      <h1>{texts.title}</h1>
      <p class="soft">{texts.about}</p>
      <DropZone onFile={(of) => void open(of)} />
      <p class="problem" role="alert">
        {problem.value}
      </p>
      {sent.value !== null && (
        <div class="panel empty good" role="status">
          <p>
            {texts.imported(sent.value.name)} <a href={addressOf({ view: "event", id: sent.value.id })}>{texts.openIt}</a>
          </p>
          <Outcome event={sent.value} />
        </div>
      )}
      {file.value !== null && plan !== null && sent.value === null && (
        <div class="panel import" aria-label={file.value.name} role="group">
          <h2 class="file">{file.value.name}</h2>
          <div class="two">
            <Preview plan={plan} chosen={chosen.value} choose={(mistake) => (chosen.value = mistake)} />
            <Mistakes plan={plan} lines={lines} chosen={chosen.value} choose={(mistake) => (chosen.value = mistake)} />
          </div>
          <SendForm
            key={file.value.read}
            plan={plan}
            keepIds={keepIds.value}
            setKeepIds={(on) => {
              chosen.value = null;
              keepIds.value = on;
            }}
            onSent={(made) => (sent.value = made)}
          />
        </div>
      )}
    </>
  );
}
