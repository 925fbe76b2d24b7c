// The parts of the map that only reckon. How it behaves in a browser: tests/browser.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

// esbuild turns the sources into one module that Node.js runs, as a data: URL.
const sources = ["seats", "neighbours", "colors", "labels", "painter", "over", "../console/labels"].map((name) => `export * from "./${name}";`).join("\n");
const stdin = { contents: sources, resolveDir: fileURLToPath(new URL("../src/map", import.meta.url)) };
const { outputFiles } = await build({ stdin, bundle: true, format: "esm", write: false });
const { Seats, Grid, State, offerNear, legible, textOn, SectionLabels, Painter, isOver, labelsIn, uuidIn } = await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);

/** Rows of ten seats; each letter of `rows` is a row's category. */
function house(rows, { places = true } = {}) {
  const size = rows.length * 10;
  const all = Array.from({ length: size }, (_, i) => i);
  const seats = new Seats({
    eventId: "e",
    planVersion: 1,
    size,
    sections: ["Hall"],
    names: [...rows].map((_, r) => String(r + 1)),
    categories: [...new Set(rows)].map((name) => ({ name, price: 10, color: null })),
    seats: {
      id: all.map((i) => `s${i}`),
      section: all.map(() => 0),
      row: all.map((i) => Math.floor(i / 10)),
      number: all.map((i) => String((i % 10) + 1)),
      category: all.map((i) => [...new Set(rows)].indexOf(rows[Math.floor(i / 10)])),
      x: all.map((i) => (places ? (i % 10) * 20 : 0)),
      y: all.map((i) => (places ? Math.floor(i / 10) * 25 : 0)),
    },
  });
  seats.setAll("a".repeat(size));
  return seats;
}
const none = () => false;

test("An offer has as many adjacent seats as were lost, as near as possible", () => {
  const seats = house("AAA");
  seats.state[14] = State.held;
  assert.deepEqual(offerNear(seats, [14], 1, none).map((i) => Math.abs(i - 14)), [1]);
  const pair = offerNear(seats, [14, 15], 2, (i) => i === 14 || i === 15);
  assert.equal(pair[1] - pair[0], 1);
  assert.ok(!pair.includes(14) && !pair.includes(15));
});

test("An offer stays in the category unless there is nothing left in it", () => {
  const seats = house("ABA");
  for (let i = 0; i < 10; ++i) seats.state[i] = State.sold;
  seats.state[25] = State.held;   // row 3 is of category A, row 2 is nearer than most of it
  assert.equal(seats.category[offerNear(seats, [25], 1, none)[0]], seats.category[25]);
  for (let i = 20; i < 30; ++i) seats.state[i] = State.sold;
  assert.deepEqual(offerNear(seats, [25], 1, none), [15]);
});

test("Where no seats are side by side, the nearest ones are offered; where there are none, nothing", () => {
  const seats = house("A");
  for (let i = 0; i < 10; i += 2) seats.state[i] = State.sold;
  assert.deepEqual(offerNear(seats, [4], 2, none), [3, 5]);
  seats.setAll("s".repeat(10));
  assert.deepEqual(offerNear(seats, [4], 2, none), []);
});

test("A gap in a row is not side by side", () => {
  const seats = house("A");
  for (let i = 5; i < 10; ++i) seats.x[i] += 100;   // an aisle between the fifth and the sixth
  for (const i of [0, 1, 2, 3, 6, 7, 8, 9]) seats.state[i] = State.sold;
  assert.deepEqual(offerNear(seats, [3], 2, none), [4, 5], "the nearest two, because none are side by side");
  seats.state[8] = seats.state[9] = State.available;
  assert.deepEqual(offerNear(seats, [3], 2, none), [8, 9]);
});

test("A plan without places gets some, and every seat is found where it is", () => {
  for (const places of [true, false]) {
    const seats = house("AABB", { places });
    const grid = new Grid(seats);
    for (let i = 0; i < seats.size; ++i) assert.equal(grid.nearest(seats.x[i], seats.y[i], seats.pitch / 2), i);
    const all = [];
    grid.within(seats.box, (i) => all.push(i));
    assert.deepEqual(all.sort((a, b) => a - b), Array.from({ length: 40 }, (_, i) => i));
    assert.equal(grid.nearest(seats.box.right + 10 * seats.pitch, 0, seats.pitch), undefined);
  }
});

test("Letters of a later server count as not available", () => {
  const seats = house("A");
  seats.setAll("ahsbz");
  assert.deepEqual([...seats.state], [0, 1, 2, 3, 3, 3, 3, 3, 3, 3]);
});

function contrast(a, b) {
  const luminance = (hex) => {
    const [r, g, blue] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * blue;
  };
  const [light, dark] = [luminance(a), luminance(b)].sort((p, q) => q - p);
  return (light + 0.05) / (dark + 0.05);
}

test("A category of any colour stands out from the background in both themes", () => {
  for (const ground of ["#ffffff", "#1a1d22"]) {
    for (const color of ["#ffffff", "#000000", "#fca700", "#4176A5", "#abc", "nonsense", "#1a1d22"]) {
      const shown = legible(color, ground);
      assert.ok(contrast(shown, ground) >= 3, `${color} on ${ground} became ${shown}`);
      assert.ok(contrast(textOn(shown), shown) >= 4.5, `a number on ${shown}`);
    }
  }
});

test("The line or the gap around the visitor's own seats stands out from any category's colour, in both themes", () => {
  const css = (name) => readFileSync(new URL(`../src/${name}`, import.meta.url), "utf8");
  const [base, map] = [css("shared/base.css"), css("map/map.css")];
  const read = (sheet, name, isDark) => new RegExp(`${isDark ? 'data-theme="dark"\\] \\{' : ":root \\{"}[^}]*--${name}: (#[0-9a-f]{6})`).exec(sheet)[1];
  for (const isDark of [false, true]) {
    const [line, gap] = [read(base, "text", isDark), read(map, "seats-floor", isDark)];
    assert.ok(contrast(line, gap) >= 7, `${line} in ${gap}`);
    const levels = [0, 51, 102, 153, 204, 255].map((level) => level.toString(16).padStart(2, "0"));
    for (const r of levels) for (const g of levels) for (const b of levels) {
      const color = legible(`#${r}${g}${b}`, gap);
      assert.ok(Math.max(contrast(line, color), contrast(gap, color)) >= 3, `#${r}${g}${b}, shown as ${color}`);
    }
    for (const color of ["#1D4ED8", "#2F6DB5"]) assert.ok(contrast(gap, legible(color, gap)) >= 3, color);
  }
});

test("An event is over a day after it has begun, and one without a time never", () => {
  const startsAt = "2027-02-24T19:30:00Z";
  const began = Date.parse(startsAt);
  assert.equal(isOver({ startsAt }, began - 1), false);
  assert.equal(isOver({ startsAt }, began + 24 * 3_600_000 - 1), false);
  assert.equal(isOver({ startsAt }, began + 24 * 3_600_000), true);
  assert.equal(isOver({ startsAt: null }, began), false);
});

test("A label is understood in the server's form and in a ticket's form, for any section name", () => {
  const sections = [{ name: "Stalls" }, { name: "Goal Stand 3" }, { name: "Box-Left A" }, { name: "Goal" }];
  assert.deepEqual(labelsIn("Stalls-E-9", sections), ["Stalls-E-9"]);
  assert.deepEqual(labelsIn("Stalls E-9", sections), ["Stalls-E-9"]);
  assert.deepEqual(labelsIn("stalls E 9", sections), ["Stalls-E-9"]);
  assert.deepEqual(labelsIn("Goal Stand 3 12-4", sections), ["Goal Stand 3-12-4", "Goal-Stand 3 12-4"]);
  assert.deepEqual(labelsIn("Box-Left A 1-2", sections), ["Box-Left A-1-2"]);
  assert.deepEqual(labelsIn("Stallsome E-9", sections), []);
  assert.deepEqual(labelsIn("Stalls", sections), []);
  assert.deepEqual(labelsIn("Stalls ", sections), []);
});

test("A demo order's id names its reservation", () => {
  const id = "00000003-1a1c-8f13-84ca-b164a6afc48b";
  assert.equal(uuidIn(`demo-${id}`), id);
  assert.equal(uuidIn(id), id);
  assert.equal(uuidIn(`${id}x`), undefined);
  assert.equal(uuidIn(`a${id}`), undefined);
});

/** A canvas that keeps what is written on it; a character is `wide` pixels wide for each pixel of its height. */
function page(wide = 0.6) {
  const written = [];
  const context = new Proxy(
    { globalAlpha: 1 },
    {
      get: (all, name) => {
        if (name === "measureText") return (text) => ({ width: text.length * wide * parseFloat(/(\S+)px/.exec(all.font)[1]) });
        if (name === "fillText") return (text) => written.push({ text, alpha: all.globalAlpha });
        return all[name] ?? (() => undefined);
      },
    },
  );
  return { context, written };
}
const palette = { categories: ["#123456"], onCategories: ["#ffffff"], surface: "#fff", ground: "#eee", line: "#ccc", text: "#000", soft: "#555", taken: "#777", accent: "#00f", onAccent: "#fff" };

test("Names of sections are there in full while the map is far, and not at all when it is near", () => {
  const seats = house("AAAAAAAA");
  for (let scale = 0.2; scale < 1.5; scale += 0.02) {
    const labels = new SectionLabels(seats, "sans-serif");
    labels.setAvailable([80], (n) => `${n} left`);
    const { context, written } = page();
    labels.draw(context, { scale, x: 200, y: 200 }, 1, 800, 800, palette);
    assert.deepEqual(written.filter(({ alpha }) => alpha !== 1), [], `at ${scale}`);
    assert.equal(written.length > 0, seats.pitch * scale < 14, `at ${scale}`);
  }
});

test("A number or a row's name that could not be read on its seat is left out, and a short one never is", () => {
  for (const [number, row, isWritten] of [["7", "A", true], ["1024", "XVII", true], ["Seat-101-left", "Terrace row A (raised)", false]]) {
    const seats = house("A");
    seats.numbers.fill(number);
    seats.rows[0].name = row;
    const painter = new Painter(seats, new Grid(seats), { palette, font: "sans-serif", dpr: 1, highlight: -1, hasText: true });
    const { context, written } = page();
    painter.paintTile(context, -100, -100, 1_000, 2);
    const has = (text) => written.some((each) => each.text === text);
    assert.deepEqual([has(number), has(row)], [isWritten, isWritten], number);
  }
});
