// Light and dark: as the system has it, until the visitor chooses. All colours are in base.css, by the attribute `data-theme` of <html>.
import { signal } from "@preact/signals";

export type Theme = "light" | "dark";

const storageKey = "holdfast.theme";
const system = matchMedia("(prefers-color-scheme: dark)");

function chosen(): Theme | undefined {
  const stored = localStorage.getItem(storageKey);
  return stored === "light" || stored === "dark" ? stored : undefined;
}

/** What the page shows now. */
export const theme = signal<Theme>("light");

function apply() {
  const next = chosen() ?? (system.matches ? "dark" : "light");
  document.documentElement.dataset["theme"] = next;   // first: a canvas that is redrawn by the signal reads its colours from the style sheet
  theme.value = next;
}

/** Once, before the page is drawn. */
export function followTheme() {
  apply();
  system.addEventListener("change", apply);
  addEventListener("storage", (event) => {
    if (event.key === storageKey) apply();   // another tab's choice
  });
}

export function toggleTheme() {
  localStorage.setItem(storageKey, theme.value === "dark" ? "light" : "dark");
  apply();
}
