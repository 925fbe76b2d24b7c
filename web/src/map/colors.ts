// Colours of the map. The plan has one per category; here each gets enough contrast with the theme's background (WCAG 1.4.11: 3 to 1).
import type { Category } from "./seats";

export interface Palette {
  ground: string;
  surface: string;
  line: string;
  text: string;
  soft: string;
  accent: string;
  onAccent: string;
  taken: string;      // held and sold seats
  categories: string[];
  onCategories: string[];   // for text on them
}

// For categories without a colour: told apart by people who see few colours, too.
const fallback = ["#2f6db5", "#c2571a", "#3b8f6b", "#7a4fa3", "#a8780c", "#b3262e", "#1d7f8c", "#8a4b6b"];
const leastContrast = 3;

type Rgb = [number, number, number];

function parse(color: string): Rgb | undefined {
  const hex = /^#?([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(color.trim())?.[1];
  if (hex === undefined) return undefined;
  const full = hex.length === 3 ? [...hex].map((digit) => digit + digit).join("") : hex;
  return [0, 2, 4].map((at) => parseInt(full.slice(at, at + 2), 16)) as Rgb;
}

function luminance(rgb: Rgb): number {
  const [r, g, b] = rgb.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as Rgb;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: Rgb, b: Rgb): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((p, q) => q - p) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

const toHex = (rgb: Rgb) => `#${rgb.map((value) => Math.round(value).toString(16).padStart(2, "0")).join("")}`;

/** The colour, moved towards black or white until it stands out from `ground`. */
export function legible(color: string, ground: string): string {
  const base = parse(ground) ?? [255, 255, 255];
  const start = parse(color) ?? (parse(fallback[0]!) as Rgb);
  const target = luminance(base) > 0.4 ? 0 : 255;
  for (let part = 0; part < 1; part += 0.05) {
    const mixed = start.map((value) => value + (target - value) * part) as Rgb;
    if (contrast(mixed, base) >= leastContrast) return toHex(mixed);
  }
  return target === 0 ? "#000000" : "#ffffff";
}

/** Black or white, whichever reads better. */
export function textOn(color: string): string {
  const rgb = parse(color) ?? [0, 0, 0];
  return contrast(rgb, [255, 255, 255]) >= contrast(rgb, [16, 18, 22]) ? "#ffffff" : "#101216";
}

/** From the style sheet as it is now: call again when the theme has changed. */
export function readPalette(categories: readonly Category[]): Palette {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string) => style.getPropertyValue(name).trim();
  const surface = read("--seats-floor");
  const colors = categories.map(({ color }, i) => legible(color !== null && parse(color) !== undefined ? color : fallback[i % fallback.length]!, surface));
  return {
    ground: read("--map-ground"),
    surface,
    line: read("--line"),
    text: read("--text"),
    soft: read("--text-soft"),
    accent: read("--accent"),
    onAccent: read("--on-accent"),
    taken: read("--seat-taken"),
    categories: colors,
    onCategories: colors.map(textOn),
  };
}
