// The map with its controls, and what is told about the seat under the mouse.
import { effect, signal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { money } from "../shared/i18n";
import { theme } from "../shared/theme";
import { SeatMap } from "./canvas";
import { readPalette } from "./colors";
import { Icon } from "./icon";
import { highlighted } from "./legend";
import type { Sale } from "./sale";
import { focused } from "./seat_list";
import { stateWord } from "./state_word";
import { t } from "./texts";

const font = '"Geist", system-ui, sans-serif';

export function MapView({ sale }: { sale: Sale }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const map = useRef<SeatMap | null>(null);
  const hovered = useMemo(() => signal<{ i: number; x: number; y: number } | undefined>(undefined), [sale]);

  useEffect(() => {
    if (canvas.current === null) return;
    highlighted.value = -1;
    const made = new SeatMap(canvas.current, sale.seats, readPalette(sale.seats.categories), font, {
      tapped: (i) => sale.actions.toggle(i),
      hovered: (seat) => (hovered.value = seat),
    });
    map.current = made;
    sale.watcher = made;
    // The typeface may come after the first drawing.
    void document.fonts.ready.then(() => made.redraw());
    const undo = [
      effect(() => {
        theme.value;
        made.redraw(readPalette(sale.seats.categories));
      }),
      effect(() => {
        sale.version.value;
        const words = t.value.left;
        made.setAvailable(sale.availableBySection, words);
        made.mine = sale.mineList;
        made.redrawMine();
      }),
      effect(() => made.highlight(highlighted.value)),
      effect(() => made.showSeats(sale.lookAt.value)),
      effect(() => made.focus(focused.value)),
    ];
    return () => {
      for (const each of undo) each();
      sale.watcher = undefined;
      made.destroy();
    };
  }, [sale]);

  return (
    <section class="map" id="seats" aria-label={t.value.map} tabIndex={-1}>
      <canvas ref={canvas} class="map-canvas" role="img" aria-label={`${t.value.map}. ${t.value.mapHint}`} />
      <Status sale={sale} />
      <div class="map-tools">
        <button type="button" class="icon-button" aria-label={t.value.zoomIn} onClick={() => map.current?.zoomBy(1.6)}>
          <Icon name="plus" />
        </button>
        <button type="button" class="icon-button" aria-label={t.value.zoomOut} onClick={() => map.current?.zoomBy(1 / 1.6)}>
          <Icon name="minus" />
        </button>
        <button type="button" class="icon-button" aria-label={t.value.fit} onClick={() => map.current?.fit()}>
          <Icon name="fit" />
        </button>
      </div>
      <Tip sale={sale} hovered={hovered.value} />
    </section>
  );
}

function Status({ sale }: { sale: Sale }) {
  const connection = sale.connection.value;
  const text = connection === "live" ? t.value.live : connection === "lost" ? t.value.reconnecting : t.value.connecting;
  return (
    <div class={`status ${connection}`} role="status">
      <span class="status-dot" aria-hidden="true" />
      {text}
      {connection === "lost" && <span class="unseen">{t.value.stale}</span>}
    </div>
  );
}

function Tip({ sale, hovered }: { sale: Sale; hovered: { i: number; x: number; y: number } | undefined }) {
  sale.version.value;
  if (hovered === undefined) return null;
  const { i, x, y } = hovered;
  const { name, price } = sale.seats.categoryOf(i);
  return (
    <div class="tip" style={{ left: `${x}px`, top: `${y}px` }} aria-hidden="true">
      <strong>{sale.seats.label(i)}</strong>
      <span class="tip-line">
        <span>{name}</span>
        {price !== null && <span class="numbers">{money(price, sale.event.currency)}</span>}
      </span>
      <span class="soft">{stateWord(sale.seats, i)}</span>
    </div>
  );
}
