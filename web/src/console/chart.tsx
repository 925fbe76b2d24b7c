// One chart over time, drawn by uPlot: lines that differ in colour and dash, a scale that does not twitch, and a legend with the same numbers for
// readers who do not see the drawing.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { theme } from "../shared/theme";
import { clock } from "./format";

export interface Line {
  label: string;
  /** A custom property of console.css. */
  color: string;
  dash: number[];
  values: readonly (number | null)[];
}

export interface ChartProps {
  title: string;
  unit: string;
  /** Ends of the intervals, in seconds since 1970. */
  ends: readonly number[];
  /** How many seconds before the last end the drawing begins. */
  span: number;
  lines: readonly Line[];
  format(value: number | null): string;
}

const height = 156;

/** The smallest of 1, 2, 5, 10, 20, … that is not below the value. */
function rounded(most: number): number {
  if (most <= 0) return 1;
  const step = 10 ** Math.floor(Math.log10(most));
  for (const factor of [1, 2, 5]) if (factor * step >= most) return factor * step;
  return 10 * step;
}

/** Grows at once, but shrinks only when half of it is empty, so the lines do not jump for one quiet second. */
function nextTop(before: number, most: number): number {
  const wanted = rounded(most);
  return wanted > before || most < before * 0.35 ? wanted : before;
}

function colorOf(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Values without a neighbour make no line, so they are drawn as points. */
function alone(plot: uPlot, series: number): number[] {
  const values = plot.data[series] ?? [];
  const isThere = (i: number) => values[i] !== null && values[i] !== undefined;
  return [...values.keys()].filter((i) => isThere(i) && !isThere(i - 1) && !isThere(i + 1));
}

function optionsOf(props: ChartProps, width: number, top: { value: number }, domain: { value: [number, number] }, hover: (index: number | null) => void): uPlot.Options {
  const axis: uPlot.Axis = { stroke: colorOf("--text-soft"), grid: { stroke: colorOf("--line"), width: 1 }, ticks: { show: false }, font: "11px Geist, sans-serif" };
  return {
    width,
    height,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: { x: { time: true, range: () => domain.value }, y: { range: () => [0, top.value] } },
    axes: [
      { ...axis, size: 24, space: 80, values: (_, times) => times.map((time) => clock(time * 1_000)) },
      { ...axis, size: 52, space: 34, values: (_, values) => values.map((value) => props.format(value)) },
    ],
    series: [{}, ...props.lines.map(({ label, color, dash }): uPlot.Series => ({ label, stroke: colorOf(color), width: 1.5, dash, points: { show: true, size: 5, fill: colorOf(color), filter: alone }, spanGaps: false }))],
    hooks: { setCursor: [(plot) => hover(plot.cursor.idx ?? null)] },
  };
}

export function Chart(props: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const top = useRef({ value: 1 });
  const domain = useRef<{ value: [number, number] }>({ value: [0, 1] });
  const [hovered, setHovered] = useState<number | null>(null);
  const { ends, lines, span } = props;

  const data = useMemo((): uPlot.AlignedData => [[...ends], ...lines.map(({ values }) => [...values])], [ends, lines]);
  const last = ends.at(-1) ?? Date.now() / 1_000;
  domain.current.value = [last - span, last];
  let most = 0;
  for (const line of lines) for (const [i, value] of line.values.entries()) if (value !== null && (ends[i] ?? 0) >= last - span) most = Math.max(most, value);
  top.current.value = nextTop(top.current.value, most);

  // Another theme or other lines need a new plot. Otherwise the plot gets the new data.
  const form = `${theme.value} ${lines.map(({ label }) => label).join("|")}`;
  useLayoutEffect(() => {
    const element = place.current;
    if (element === null) return;
    const made = new uPlot(optionsOf(props, Math.max(120, element.clientWidth), top.current, domain.current, setHovered), data, element);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: Math.max(120, element.clientWidth), height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [form]);
  useEffect(() => plot.current?.setData(data), [data, span]);

  const shown = hovered !== null && hovered < ends.length ? hovered : ends.length - 1;
  const at = ends[shown];
  const told = lines.map(({ label, values }) => `${label} ${props.format(values[shown] ?? null)}`).join(", ");
  return (
    <figure class="chart panel">
      <figcaption>
        <h3>{props.title}</h3>
        <span class="unit">{props.unit}</span>
        <time class="numbers">{at === undefined ? "––:––:––" : clock(at * 1_000)}</time>
      </figcaption>
      <div ref={place} class="plot" style={{ height: `${height}px` }} role="img" aria-label={`${props.title}, ${props.unit}: ${told}`} />
      <ul class="legend">
        {lines.map(({ label, color, dash, values }) => (
          <li key={label}>
            <svg width="18" height="8" aria-hidden="true">
              <line x1="0" y1="4" x2="18" y2="4" stroke={`var(${color})`} stroke-width="2" stroke-dasharray={dash.join(" ")} />
            </svg>
            <span>{label}</span>
            <b class="numbers">{props.format(values[shown] ?? null)}</b>
          </li>
        ))}
      </ul>
    </figure>
  );
}
