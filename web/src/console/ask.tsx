// Asks before anything is changed, and leaves a trace after.
//
//   ask({ title: "Block 3 seats?", details: ["Stalls-A-7", …], verb: "Block", run: (options) => client().blockSeats(…, options) });
//
// A question has one Idempotency-Key, so an operator who got no answer may confirm again.
//
// The answer leaves a trace at the foot of the page; the server keeps one of its own (GET /v1/operations/actions, and its log).
import { signal } from "@preact/signals";
import { HoldfastError, type CallOptions } from "@holdfast/client";
import { useEffect, useRef, useState } from "preact/hooks";
import { language } from "../shared/i18n";
import { clock } from "./format";
import { noticeError } from "./session";
import { t } from "./texts";

const noteCharactersMax = 100;   // at most 200 bytes, whatever the letters
const detailsShown = 12;
const settleMs = 600;            // ignores the click or key that has opened the question

export interface Question {
  title: string;
  /** What it is about, a line each. */
  details: string[];
  /** What the button says. */
  verb: string;
  /** Makes the call with `options`. If it throws, the error is shown and the question stays open. */
  run(options: CallOptions): Promise<unknown>;
  /** Called after success, to refresh. */
  then?: (() => void) | undefined;
}

export interface Trace {
  at: number;
  what: string;
  /** null: success. */
  problem: string | null;
}

const question = signal<(Question & { key: string }) | null>(null);
export const lastTrace = signal<Trace | null>(null);

export function ask(what: Question): void {
  question.value = { ...what, key: `desk-${[...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(16)).join("-")}` };
}

/** An error for the operator: the server's sentence, its code, and the seats that caused it. */
export function problemOf(error: unknown): string {
  if (!(error instanceof HoldfastError)) return String(error);
  // The server's sentence is English; its code has a word in each language.
  const told = language.value === "en" ? undefined : t.value.refusals[error.code];
  const seats = error.seatIds.length === 0 ? "" : ` ${error.seatIds.slice(0, 10).join(", ")}${error.seatIds.length > 10 ? ", …" : ""}`;
  return `${told ?? error.message} (${error.code})${seats}`;
}

function Dialog({ of }: { of: Question & { key: string } }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [note, setNote] = useState("");
  const [busy, setBusy] = useState(false);
  const [isSettled, setSettled] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);

  useEffect(() => {
    const opener = document.activeElement;
    dialog.current?.showModal();
    const settle = setTimeout(() => setSettled(true), settleMs);
    return () => {
      clearTimeout(settle);
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
    };
  }, []);

  const close = () => {
    if (!busy) question.value = null;
  };
  const run = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await of.run({ note: note.trim(), idempotencyKey: of.key });
      lastTrace.value = { at: Date.now(), what: of.title, problem: null };
      question.value = null;
      of.then?.();
    } catch (error) {
      const told = problemOf(error);
      lastTrace.value = { at: Date.now(), what: of.title, problem: told };
      setProblem(told);
      setBusy(false);
      noticeError(error);
    }
  };

  const texts = t.value.ask;
  return (
    <dialog ref={dialog} class="question" aria-labelledby="question-title" onCancel={(event) => (event.preventDefault(), close())}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (isSettled) void run();
        }}
        // A key that is held down must not confirm twice.
        onKeyDown={(event) => event.repeat && event.key === "Enter" && event.preventDefault()}
      >
        <h2 id="question-title">{of.title}</h2>
        <ul class="details">
          {of.details.slice(0, detailsShown).map((line) => (
            <li key={line}>{line}</li>
          ))}
          {of.details.length > detailsShown && <li>{texts.more(of.details.length - detailsShown)}</li>}
        </ul>
        <label class="field">
          <span>{texts.note}</span>
          <input value={note} maxLength={noteCharactersMax} onInput={(event) => setNote(event.currentTarget.value)} autocomplete="off" />
        </label>
        <p class="problem" role="alert">
          {problem}
        </p>
        <div class="buttons">
          <button type="button" class="button" onClick={close} disabled={busy}>
            {texts.cancel}
          </button>
          <button type="submit" class="button primary" disabled={busy} aria-disabled={!isSettled}>
            {of.verb}
          </button>
        </div>
      </form>
    </dialog>
  );
}

export function QuestionAsked() {
  return question.value === null ? null : <Dialog of={question.value} />;
}

/** The foot of the page: the last action. It always takes its place. */
export function TraceLine() {
  const trace = lastTrace.value;
  if (trace === null) {
    return (
      <p class="trace" role="status">
        <span>{t.value.ask.nothing}</span>
      </p>
    );
  }
  const what = `${clock(trace.at)} · ${trace.what}`;
  const outcome = ` · ${trace.problem ?? t.value.ask.done}`;
  // A long name is cut, but the outcome never is.
  return (
    <p class={`trace ${trace.problem === null ? "" : "bad"}`} role="status" title={what + outcome}>
      <span>{what}</span>
      <span class="outcome">{outcome}</span>
    </p>
  );
}
