// The map with its controls, and what is told about the seat under the mouse.
import { effect, signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
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

const refusedMs = 4_000;   // how long a seat that cannot be had says so

interface Told {
  i: number;
  /** Of the seat's upper edge, in the element. */
  x: number;
  y: number;
  radius: number;
  isRefused: boolean;
}

const font = '"Geist", system-ui, sans-serif';

export function MapView({ sale }: { sale: Sale }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const map = useRef<SeatMap | null>(null);
  const told = useMemo(() => signal<Told | undefined>(undefined), [sale]);

  useEffect(() => {
    if (canvas.current === null) return;
    highlighted.value = -1;
    const made = new SeatMap(canvas.current, sale.seats, readPalette(sale.seats.categories), font, {
      tapped: (i) => sale.actions.toggle(i),
      hovered: (seat) => {
        // A mouse that has just clicked stays where it is.
        if (told.value?.isRefused && (seat === undefined || seat.i === told.value.i)) return;
        told.value = seat === undefined ? undefined : { ...seat, isRefused: false };
      },
      moved: () => (told.value = undefined),
    });
    let late: ReturnType<typeof setTimeout> | undefined;
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
      effect(() => {
        const refused = sale.refused.value;
        if (refused === undefined) return;
        clearTimeout(late);
        told.value = { i: refused.i, ...made.placeOf(refused.i), isRefused: true };
        late = setTimeout(() => (sale.refused.value = told.value = undefined), refusedMs);
      }),
    ];
    return () => {
      clearTimeout(late);
      sale.refused.value = undefined;
      for (const each of undo) each();
      sale.watcher = undefined;
      made.destroy();
    };
  }, [sale]);

  return (
    <section class="map" id="seats" aria-label={t.value.map} tabIndex={-1}>
      <div class="map-bar">
        <Status sale={sale} />
        <div class="map-tools" role="group" aria-label={t.value.mapTools}>
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
      </div>
      <div class="map-view">
        <canvas ref={canvas} class="map-canvas" role="img" aria-label={`${t.value.map}. ${t.value.mapHint}`} />
        <Tip sale={sale} told={told.value} />
      </div>
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

const tipGap = 10;
const tipMargin = 8;

function Tip({ sale, told }: { sale: Sale; told: Told | undefined }) {
  sale.version.value;
  const tip = useRef<HTMLDivElement>(null);
  // Above its seat, or under it where there is no room; never beyond the map's sides.
  useLayoutEffect(() => {
    const room = tip.current?.parentElement;
    if (tip.current === null || !room || told === undefined) return;
    const { offsetWidth: width, offsetHeight: height } = tip.current;
    const above = told.y - tipGap - height;
    tip.current.style.left = `${Math.max(tipMargin, Math.min(room.clientWidth - tipMargin - width, told.x - width / 2))}px`;
    tip.current.style.top = `${above >= tipMargin ? above : told.y + 2 * told.radius + tipGap}px`;
  });
  if (told === undefined) return null;
  const { i, isRefused } = told;
  const { name, price } = sale.seats.categoryOf(i);
  const why = !sale.seats.isFree(i) || sale.isOpen.value ? stateWord(sale.seats, i) : sale.whyNotOpen();
  return (
    <div ref={tip} class={`tip ${isRefused ? "refused" : ""}`} aria-hidden="true">
      <strong>{sale.seats.label(i)}</strong>
      <span class="tip-line">
        <span>{name}</span>
        {price !== null && <span class="numbers">{money(price, sale.event.currency)}</span>}
      </span>
      <span class="tip-state">
        {isRefused && <Icon name="close" />}
        {isRefused ? why : stateWord(sale.seats, i)}
      </span>
    </div>
  );
}
