// What is picked, and not held yet.
import { money } from "../shared/i18n";
import { Icon } from "./icon";
import type { Sale } from "./sale";
import { t } from "./texts";

export function Choice({ sale }: { sale: Sale }) {
  const picked = sale.picked.value;
  const isHolding = sale.holds.value.length > 0;
  const isInert = sale.actions.isInert.value;
  if (picked.length === 0) return isHolding || !sale.isOpen.value || sale.isEmpty.value ? null : <p class="soft hint">{t.value.chooseHint}</p>;
  return (
    <section class="card-like choice" aria-labelledby="choice-title">
      <div class="title-line">
        <h2 id="choice-title">{t.value.yourChoice}</h2>
        <button type="button" class="link" aria-disabled={isInert} onClick={() => sale.actions.clear()}>
          {t.value.clear}
        </button>
      </div>
      <ul class="seat-lines">
        {picked.map((i) => {
          const { name, price } = sale.seats.categoryOf(i);
          return (
            <li key={i}>
              <span>
                {sale.seats.label(i)} <span class="soft">{name}</span>
              </span>
              <span class="numbers">{price === null ? "" : money(price, sale.event.currency)}</span>
              <button type="button" class="icon-button small" aria-disabled={isInert} aria-label={t.value.remove(sale.seats.label(i))} onClick={() => sale.actions.unpick(i)}>
                <Icon name="close" />
              </button>
            </li>
          );
        })}
      </ul>
      <div class="deal at-hand">
        <div class="sum">
          <span>{t.value.total}</span>
          <strong class="numbers">{sale.priceOf(picked)}</strong>
        </div>
        <button type="button" class="button primary wide" aria-disabled={isInert} onClick={() => void sale.actions.hold(picked)}>
          {sale.actions.busy.value ? t.value.holding : isHolding ? t.value.add(picked.length) : t.value.hold(picked.length)}
        </button>
      </div>
    </section>
  );
}
