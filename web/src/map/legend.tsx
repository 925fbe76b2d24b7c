// What the colours cost, what the shapes mean. A category can be highlighted on the map.
import { signal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { money } from "../shared/i18n";
import { theme } from "../shared/theme";
import { readPalette } from "./colors";
import type { Sale } from "./sale";
import { t } from "./texts";

/** The category that stands out; -1: none. */
export const highlighted = signal(-1);

export function Legend({ sale }: { sale: Sale }) {
  sale.version.value;   // drawn anew when counts change
  const themeNow = theme.value;
  const palette = useMemo(() => readPalette(sale.seats.categories), [sale, themeNow]);
  const hasPrices = sale.seats.categories.some(({ price }) => price !== null);
  const shapes: [string, string][] = [
    ["available", t.value.available],
    ["picked", t.value.picked],
    ["mine", t.value.mineHeld],
    ["bought", t.value.bought],
    ["held", t.value.held],
    ["sold", t.value.sold],
    ["blocked", t.value.blocked],
  ];
  return (
    <section class="legend" aria-labelledby="prices-title">
      <h2 id="prices-title">{hasPrices ? t.value.prices : t.value.categories}</h2>
      <ul class="categories">
        {sale.seats.categories.map(({ name, price }, c) => (
          <li key={name}>
            <button type="button" aria-pressed={highlighted.value === c} onClick={() => (highlighted.value = highlighted.value === c ? -1 : c)}>
              <span class="swatch" style={{ background: palette.categories[c]! }} />
              <span class="category-name">{name}</span>
              <span class="soft numbers">{t.value.left(sale.availableByCategory[c]!)}</span>
              {hasPrices && <span class="numbers price">{price === null ? "–" : money(price, sale.event.currency)}</span>}
              <span class="unseen">{t.value.highlight}</span>
            </button>
          </li>
        ))}
      </ul>
      <h3>{t.value.states}</h3>
      <ul class="shapes">
        {shapes.map(([shape, text]) => (
          <li key={shape}>
            <Shape name={shape} />
            {text}
          </li>
        ))}
      </ul>
    </section>
  );
}

// As painter.ts draws them.
function Shape({ name }: { name: string }) {
  return (
    <svg class={`shape ${name}`} viewBox="0 0 20 20" aria-hidden="true">
      {name === "available" && <circle cx="10" cy="10" r="8" />}
      {name === "held" && (
        <>
          <circle class="ring" cx="10" cy="10" r="7.2" />
          <circle cx="10" cy="10" r="2.6" />
        </>
      )}
      {name === "sold" && <circle cx="10" cy="10" r="3.4" />}
      {name === "blocked" && <rect x="5" y="8.6" width="10" height="2.9" />}
      {(name === "picked" || name === "mine" || name === "bought") && (
        <>
          <rect class="line" x="1" y="1" width="18" height="18" rx="5.5" />
          <rect class="gap" x="2.6" y="2.6" width="14.8" height="14.8" rx="4.4" />
          <rect class="field" x="4.4" y="4.4" width="11.2" height="11.2" rx="3" />
        </>
      )}
      {name === "picked" && <path d="M7 10.2l2.2 2.1 3.8-4.6" />}
      {name === "mine" && <path d="M10 6.6V10l2.4 1.4" />}
      {name === "bought" && <path class="star" d="M10 5.6l1.2 2.9 3.1.2-2.4 2 .8 3-2.7-1.7-2.7 1.7.8-3-2.4-2 3.1-.2Z" />}
    </svg>
  );
}
