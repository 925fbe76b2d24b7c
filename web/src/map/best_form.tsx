// "The best that there are": how many, and where.
import { useState } from "preact/hooks";
import { Icon } from "./icon";
import type { Sale } from "./sale";
import { State } from "./seats";
import { t } from "./texts";

const quantityMost = 20;   // a larger group picks its place

/** No seat is available now. Held seats may come back. */
function NothingLeft({ sale }: { sale: Sale }) {
  sale.version.value;
  const isHeld = sale.seats.state.includes(State.held);
  return (
    <section class="card-like" aria-labelledby="nothing-title">
      <h2 id="nothing-title">{isHeld ? t.value.allHeld : t.value.soldOut}</h2>
      <p class="soft">{isHeld ? t.value.allHeldBody : t.value.soldOutBody}</p>
    </section>
  );
}

export function BestForm({ sale }: { sale: Sale }) {
  const [quantity, setQuantity] = useState(2);
  const [where, setWhere] = useState("");
  if (!sale.isOpen.value) return null;
  if (sale.isEmpty.value) return <NothingLeft sale={sale} />;
  const most = Math.min(quantityMost, sale.actions.most());
  const wanted = Math.min(quantity, most);
  const find = (event: Event) => {
    event.preventDefault();
    const [kind, name] = [where.slice(0, 1), where.slice(1)];
    void sale.actions.holdBest({ quantity: wanted, adjacent: true, ...(kind === "s" ? { section: name } : kind === "c" ? { category: name } : {}) });
  };
  return (
    <form class="card-like best" onSubmit={find} aria-labelledby="best-title">
      <h2 id="best-title">{t.value.best}</h2>
      <div class="best-row">
        <div class="stepper" role="group" aria-label={t.value.quantity}>
          <button type="button" class="icon-button" aria-label={t.value.fewer} disabled={wanted <= 1} onClick={() => setQuantity(wanted - 1)}>
            <Icon name="minus" />
          </button>
          <output class="numbers" aria-live="polite">
            {wanted}
          </output>
          <button type="button" class="icon-button" aria-label={t.value.moreSeats} disabled={wanted >= most} onClick={() => setQuantity(wanted + 1)}>
            <Icon name="plus" />
          </button>
        </div>
        <select aria-label={t.value.where} value={where} onChange={(event) => setWhere(event.currentTarget.value)}>
          <option value="">{t.value.anywhere}</option>
          <optgroup label={t.value.categories}>
            {sale.seats.categories.map(({ name }) => (
              <option key={name} value={`c${name}`}>
                {name}
              </option>
            ))}
          </optgroup>
          {sale.seats.sections.length > 1 && (
            <optgroup label={t.value.section}>
              {sale.seats.sections.map(({ name }) => (
                <option key={name} value={`s${name}`}>
                  {name}
                </option>
              ))}
            </optgroup>
          )}
        </select>
      </div>
      <button type="submit" class="button wide" aria-disabled={sale.actions.isInert.value}>
        {t.value.findBest(wanted)}
      </button>
      <p class="soft small-print">{t.value.bestHint}</p>
    </form>
  );
}
