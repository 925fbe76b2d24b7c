// The parts of the server: whether they work, and how far behind each is.
import { number } from "../shared/i18n";
import { health } from "./session";
import { t } from "./texts";

const marks = { ok: "●", degraded: "▲", down: "■", off: "○" } as const;

export function StatusMark({ status }: { status: keyof typeof marks }) {
  return (
    <span class={`status ${status}`}>
      <span aria-hidden="true">{marks[status]}</span> {t.value.parts.statuses[status]}
    </span>
  );
}

/** The server's own sentence is English in every language. */
function Detail({ meaning, detail }: { meaning: string | undefined; detail: string }) {
  if (meaning === undefined) return <span lang="en">{detail}</span>;
  return (
    <>
      {meaning}{" "}
      <small class="soft" lang="en">
        {detail}
      </small>
    </>
  );
}

export function HealthTable() {
  const texts = t.value.parts;
  return (
    <table class="panel parts">
      <thead>
        <tr>
          <th scope="col">{texts.part}</th>
          <th scope="col">{texts.kind}</th>
          <th scope="col">{texts.status}</th>
          <th scope="col" class="numbers">
            {texts.lag}
          </th>
          <th scope="col">{texts.detail}</th>
        </tr>
      </thead>
      <tbody>
        {(health.value?.components ?? []).map(({ name, kind, status, detail, lag }) => (
          <tr key={name}>
            <th scope="row">{texts.names[name] ?? name}</th>
            <td data-label={texts.kind}>{texts.kinds[kind] ?? kind}</td>
            <td data-label={texts.status}>
              <StatusMark status={status} />
            </td>
            <td class="numbers" data-label={texts.lag}>
              {lag === null ? "–" : `${number(lag.value)} ${texts.units[lag.unit] ?? lag.unit}`}
            </td>
            <td class="detail">
              <Detail meaning={texts.meaning(name, kind, status)} detail={detail} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
