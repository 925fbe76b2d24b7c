// English and Spanish. A page has one table per language, of the same type, so a missing text does not compile:
//
//   const texts = { en: { greeting: "Hello", seats: (n: number) => plural(n, "seat", "seats") },
//                   es: { greeting: "Hola", seats: (n: number) => plural(n, "asiento", "asientos") } };
//   const t = translation(texts);     // a signal: t.value.greeting
//
// The language is the first of the browser's languages that is supported, until the visitor chooses one.
import { computed, signal } from "@preact/signals";

export const languages = ["en", "es"] as const;
export type Language = (typeof languages)[number];

const storageKey = "holdfast.language";

function isLanguage(text: string | null): text is Language {
  return languages.some((each) => each === text);
}

function initial(): Language {
  const stored = localStorage.getItem(storageKey);
  if (isLanguage(stored)) return stored;
  for (const wish of navigator.languages) {
    const base = wish.slice(0, 2).toLowerCase();
    if (isLanguage(base)) return base;
  }
  return "en";
}

export const language = signal<Language>(initial());

/** The language as this browser's country writes it: en-GB, es-MX. For dates and numbers. */
export const locale = computed(() => navigator.languages.find((each) => each.slice(0, 2).toLowerCase() === language.value) ?? language.value);

/** Once, before the page is drawn: <html lang> follows. */
export function followLanguage() {
  language.subscribe((now) => {
    document.documentElement.lang = now;
  });
  addEventListener("storage", (event) => {
    if (event.key === storageKey && isLanguage(event.newValue)) language.value = event.newValue;
  });
}

export function chooseLanguage(to: Language) {
  localStorage.setItem(storageKey, to);
  language.value = to;
}

export function translation<Texts>(texts: Record<Language, Texts>) {
  return computed(() => texts[language.value]);
}

/** "1 seat", "1,000 seats": the number as the language writes it, and the word for it. */
export function plural(n: number, one: string, many: string): string {
  return `${number(n)} ${n === 1 ? one : many}`;
}

// Creating a formatter takes longer than using it a hundred times.
const formats = new Map<string, Intl.NumberFormat>();
function format(style: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = `${locale.value} ${style.currency ?? ""} ${style.minimumFractionDigits ?? ""}`;
  let found = formats.get(key);
  if (found === undefined) {
    found = new Intl.NumberFormat(locale.value, style);
    formats.set(key, found);
  }
  return found;
}

/** 19:30 CET, "Wednesday 24 February 2027 at 19:30 CET": with the zone's name, because it is the viewer's zone and may differ from the event's. */
export function timeOfDay(at: string): string {
  return new Intl.DateTimeFormat(locale.value, { hour: "2-digit", minute: "2-digit", timeZoneName: "short" }).format(new Date(at));
}
export function dateAndTime(at: string): string {
  const day = { weekday: "long", day: "numeric", month: "long", year: "numeric" } as const;
  return new Intl.DateTimeFormat(locale.value, { ...day, hour: "2-digit", minute: "2-digit", timeZoneName: "short" }).format(new Date(at));
}

export function number(n: number): string {
  return format({}).format(n);
}

/** A price; without a currency, the bare number with two decimals. */
export function money(amount: number, currency: string | null): string {
  return format(currency === null ? { minimumFractionDigits: 2 } : { style: "currency", currency, currencyDisplay: "narrowSymbol" }).format(amount);
}
