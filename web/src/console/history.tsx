// What something went through: a table that grows page by page, whatever it is of.
import { useSignal } from "@preact/signals";
import type { Page } from "@holdfast/client";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { problemOf } from "./ask";
import { t } from "./texts";

export interface HistoryProps<Item> {
  title: string;
  heads: string[];
  ask(cursor: string | undefined): Promise<Page<Item>>;
  row(item: Item): ComponentChildren;
  keyOf(item: Item): string | number;
}

const pagesAtOnceMax = 20;   // a page may have nothing and a next one

export function History<Item>({ title, heads, ask, row, keyOf }: HistoryProps<Item>) {
  const items = useSignal<Item[]>([]);
  const next = useSignal<string | null>("");
  const problem = useSignal<string | null>(null);
  const busy = useSignal(false);

  const more = async () => {
    busy.value = true;
    problem.value = null;
    try {
      const before = items.value.length;
      for (let pages = 0; pages < pagesAtOnceMax && next.value !== null && items.value.length === before; ++pages) {
        const page = await ask(next.value === "" ? undefined : next.value);
        items.value = [...items.value, ...page.items];
        next.value = page.nextCursor;
      }
    } catch (error) {
      problem.value = problemOf(error);
    }
    busy.value = false;
  };
  useEffect(() => void more(), []);

  const texts = t.value.find;
  return (
    <div class="history" role="group" aria-label={title} tabIndex={0}>
      <h3>{title}</h3>
      <table>
        <thead>
          <tr>
            {heads.map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {items.value.map((item) => (
            <tr key={keyOf(item)}>{row(item)}</tr>
          ))}
        </tbody>
      </table>
      <p class="problem" role="alert">
        {problem.value}
      </p>
      {next.value !== null && (
        <button type="button" class="button" disabled={busy.value} onClick={() => void more()}>
          {busy.value ? t.value.loading : texts.more}
        </button>
      )}
      {next.value === null && <p class="soft">{texts.complete(items.value.length)}</p>}
    </div>
  );
}
