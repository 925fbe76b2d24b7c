// The list of operators' actions, at this desk and others, newest first.
import { useSignal } from "@preact/signals";
import type { OperatorAction } from "@holdfast/client";
import { useEffect } from "preact/hooks";
import { AsOf } from "./as_of";
import { clock, moment } from "./format";
import { poll, type Reading } from "./polling";
import { client } from "./session";
import { t } from "./texts";

/** The action is the last word of the path, or the list's name. */
function nameOf({ method, path }: OperatorAction): string {
  const texts = t.value.actions;
  const last = path.split("/").at(-1) ?? "";
  return texts.names[last] ?? texts.names[`${method} ${path.split("/")[2] ?? ""}`] ?? `${method} ${path}`;
}

export function ActionsView() {
  const reading = useSignal<Reading<OperatorAction[]>>({ value: null, at: 0, failingSince: null });
  useEffect(() => {
    const asked = poll(2_000, async () => (await client().listActions({ limit: 200 })).items);
    const stop = asked.reading.subscribe((now) => (reading.value = now));
    return () => {
      stop();
      asked.stop();
    };
  }, []);
  const texts = t.value.actions;
  const items = reading.value.value;
  return (
    <>
      <header class="bar">
        <h1>{texts.title}</h1>
        <AsOf reading={reading.value} of={items === null ? null : texts.asOf(clock(reading.value.at))} />
      </header>
      <p class="soft">{texts.about}</p>
      {items !== null && items.length === 0 && <p class="panel empty">{texts.none}</p>}
      {items !== null && items.length > 0 && (
        <div class="scroll" role="region" aria-label={texts.title} tabIndex={0}>
          <table class="panel trace-table">
            <thead>
              <tr>
                {[texts.when, texts.who, texts.what, texts.request, texts.note, texts.result].map((head) => (
                  <th key={head} scope="col">
                    {head}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {items.map((action) => (
                <tr key={action.requestId + action.at}>
                  <td class="numbers">{moment(action.at)}</td>
                  <td data-label={texts.who}>{action.key === null ? texts.withoutKey : `${action.key.name} (${action.key.id})`}</td>
                  <td class="what">{nameOf(action)}</td>
                  <td class="asked">
                    <details>
                      <summary>
                        <code>
                          {action.method} {action.path}
                        </code>
                      </summary>
                      <code class="soft">{action.request}</code>
                    </details>
                  </td>
                  <td data-label={texts.note}>{action.note === "" ? "–" : action.note}</td>
                  <td class={action.code === null ? "done" : "refused"}>{action.code === null ? `✓ ${action.status}` : `✕ ${action.status} ${t.value.refusals[action.code] ?? action.code}`}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}
