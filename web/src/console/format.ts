// Numbers and times as the desk writes them, with a fixed width so that columns stay aligned.
import { language, locale } from "../shared/i18n";


const two = (n: number) => String(n).padStart(2, "0");

/** 14:03:07, in the operator's time zone, which the line at the top names. */
export function clock(at: number | string): string {
  const date = new Date(at);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** "CET", "GMT+1": of the zone that times are shown in, as it is at that moment. */
export function zone(at: number | string): string {
  const parts = new Intl.DateTimeFormat(locale.value, { timeZoneName: "short" }).formatToParts(new Date(at));
  return parts.find(({ type }) => type === "timeZoneName")?.value ?? "";
}

/** 14:03:07.412 */
export function clockMs(at: number | string): string {
  return `${clock(at)}.${String(new Date(at).getMilliseconds()).padStart(3, "0")}`;
}

/** 2026-02-24 14:03:07.412 CET */
export function moment(at: string): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clockMs(at)} ${zone(at)}`;
}

/** 0.482, 12.4, 1,204: three significant digits. A dash if nothing was measured. */
export function milliseconds(ms: number | null): string {
  if (ms === null) return "–";
  if (ms === 0) return "0";
  const digits = ms < 1 ? 3 : ms < 10 ? 2 : ms < 100 ? 1 : 0;
  return new Intl.NumberFormat(language.value, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(ms);
}

/** 42.1 % */
export function share(part: number, whole: number): string {
  return new Intl.NumberFormat(language.value, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(whole === 0 ? 0 : part / whole);
}

/** 3 d 04:05:06 */
export function duration(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  const rest = `${two(Math.floor((seconds % 86_400) / 3_600))}:${two(Math.floor((seconds % 3_600) / 60))}:${two(seconds % 60)}`;
  return days === 0 ? rest : `${days} d ${rest}`;
}

/** The beginning of a UUID, short enough to read aloud. */
export function short(id: string): string {
  return id.length > 18 ? `${id.slice(0, 8)}…${id.slice(-4)}` : id;
}
