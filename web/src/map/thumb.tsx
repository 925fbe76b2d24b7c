// A small picture of an event's seats, for its card. It is drawn when the card comes into view, from the plan that the event's page needs
// anyway (and that browsers keep for ever); not for plans that are large.
import { useEffect, useRef } from "preact/hooks";
import { effect } from "@preact/signals";
import type { Event } from "@holdfast/client";
import { theme } from "../shared/theme";
import { readPalette } from "./colors";
import { Painter } from "./painter";
import { Grid, Seats } from "./seats";
import { patientClient } from "./session";

const seatsMost = 20_000;
const margin = 18;
const smallestPitch = 1.3;   // CSS pixels: below that, the picture shows a part of the house
const largestPitch = 24;

export function Thumb({ event }: { event: Event }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const element = canvas.current;
    if (element === null || event.counts.total > seatsMost) return;
    const stop = new AbortController();
    let undo: (() => void) | undefined;
    const draw = async () => {
      const [plan, { states }] = await Promise.all([patientClient.getPlan(event.id, { signal: stop.signal }), patientClient.getStates(event.id, { signal: stop.signal })]);
      const seats = new Seats(plan);
      seats.setAll(states);
      undo = effect(() => {
        theme.value;
        paint(element, seats);
      });
    };
    const observer = new IntersectionObserver((entries) => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
      observer.disconnect();
      draw().catch(() => undefined);   // a card without its picture is still a card
    });
    observer.observe(element);
    return () => {
      stop.abort();
      observer.disconnect();
      undo?.();
    };
  }, [event.id]);
  return <canvas ref={canvas} class="thumb" aria-hidden="true" />;
}

function paint(element: HTMLCanvasElement, seats: Seats) {
  const context = element.getContext("2d");
  if (context === null) return;
  const dpr = Math.min(window.devicePixelRatio || 1, 2);
  const [width, height] = [element.clientWidth * dpr, element.clientHeight * dpr];
  element.width = width;
  element.height = height;
  const palette = readPalette(seats.categories);
  const painter = new Painter(seats, new Grid(seats), { palette, font: "sans-serif", dpr: 0.5, highlight: -1, hasText: false });
  const { left, top, right, bottom } = seats.box;
  const fitting = Math.min((width - 2 * margin * dpr) / (right - left), (height - 2 * margin * dpr) / (bottom - top));
  const scale = Math.min(Math.max(fitting, (smallestPitch * dpr) / seats.pitch), (largestPitch * dpr) / seats.pitch);
  // A house whose stands are far apart: look at the largest of them.
  const largest = seats.sections.reduce((a, b) => (b.seats > a.seats ? b : a));
  const [x, y] = scale > fitting ? [largest.x, largest.y] : [(left + right) / 2, (top + bottom) / 2];
  const tile = document.createElement("canvas");
  tile.width = tile.height = Math.ceil(Math.max(width, height));
  const on = tile.getContext("2d");
  if (on === null) return;
  painter.paintTile(on, Math.round(x * scale - width / 2), Math.round(y * scale - height / 2), tile.width, scale);
  context.fillStyle = palette.ground;
  context.fillRect(0, 0, width, height);
  context.drawImage(tile, 0, 0);
}
