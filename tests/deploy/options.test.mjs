// The table of options in docs/operations.md says what the program takes: the same keys, ranges, words and defaults as `holdfast config`
// prints. The program makes that file from the table that its parser uses.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { operations, root } from "./files.mjs";

const binary = process.env.HOLDFAST_BINARY ?? join(root, "build/release/holdfast");

// A value of the example file as a flag has it: true is on, ["a", "b"] is a,b.
function asFlag(toml) {
  const value = JSON.parse(toml);
  return typeof value === "boolean" ? (value ? "on" : "off") : Array.isArray(value) ? value.join(",") : String(value);
}

// Options by key: { allowed, standard }. `allowed`: "0 to 64", "auto, text, json" or "on, off"; undefined for a text. `standard`: undefined
// for an option without a default, whose example is indented.
function optionsIn(example) {
  const options = new Map();
  let table = "";
  let allowed;
  for (const line of example.split("\n")) {
    const head = line.match(/^\[([a-z]+)\]$/);
    const pairs = line.match(/^#   \[([a-z.]+)\]$/);
    const range = line.match(/^# .*\((\d+ to \d+|"[a-z]+"(?:, "[a-z]+")*)\)\.$/);
    const key = line.match(/^#(   )?([a-z_]+) = (.*)$/);
    if (line === "") allowed = undefined;
    if (head) table = `${head[1]}.`;
    if (pairs) options.set(pairs[1], {});
    if (range) allowed = range[1].replaceAll("\"", "");
    if (key) {
      const standard = key[1] ? undefined : asFlag(key[3]);
      const isFlag = key[3] === "true" || key[3] === "false";
      options.set(table + key[2], { allowed: isFlag ? "on, off" : allowed, standard });
    }
  }
  return options;
}

// The rows of the table below the heading "Options": [key, default, allowed].
function rowsIn(document) {
  const section = document.slice(document.indexOf("\n## Options\n"), document.indexOf("\n## Signals and exit status\n"));
  return [...section.matchAll(/^\| `([a-z_.]+)`[^|]*\|([^|]*)\|([^|]*)\|/gm)].map(([, ...cells]) => cells.map((cell) => cell.trim()));
}

// What the document says otherwise than the program, one line each.
function differences(document, options) {
  const rows = rowsIn(document);
  const keys = rows.map(([key]) => key);
  const found = [...options.keys()].filter((key) => !keys.includes(key)).map((key) => `${key} is not documented`);
  for (const [at, [key, standard, allowed]] of rows.entries()) {
    const option = options.get(key);
    if (keys.indexOf(key) !== at) found.push(`${key} is documented twice`);
    if (!option) found.push(`${key} is no option`);
    else if (option.allowed && allowed !== option.allowed && !allowed.startsWith(`${option.allowed} (`))
      found.push(`${key}: the document allows "${allowed}", the program "${option.allowed}"`);
    if (option && option.standard !== undefined && standard !== option.standard)
      found.push(`${key}: the document's default is "${standard}", the program's "${option.standard}"`);
    // Without a default, words may say what holds then.
    if (option && option.standard === undefined && /^(\d+|on|off)$/.test(standard)) found.push(`${key} has no default; the document's is "${standard}"`);
  }
  return found;
}

const options = optionsIn(execFileSync(binary, ["config"], { encoding: "utf8" }));

test("every option is documented once, with the range, words and default of the program", () => {
  assert.ok(options.size > 60, [...options.keys()].join(" "));
  assert.ok([...options.values()].filter(({ allowed }) => allowed).length > 45);
  assert.deepEqual(differences(operations, options), []);
});

test("the comparison finds a wrong range, word, default and key, a missing row and one too many", () => {
  const falsified = (from, to) => {
    assert.ok(operations.includes(from), from);
    return differences(operations.replace(from, to), options);
  };
  assert.match(falsified("| 20 | 13 to 1000 |", "| 20 | 4 to 1000 |").join(), /^ledger\.connections_max: .*"4 to 1000".*"13 to 1000"$/);
  assert.match(falsified("auto, text, json |", "auto, text |").join(), /^log\.format: the document allows/);
  assert.match(falsified("| `port` | 50002 |", "| `port` | 50003 |").join(), /^port: .*default/);
  assert.match(falsified("| `sweep` | on |", "| `sweep` | off |").join(), /^sweep: .*default/);
  assert.match(falsified("5s,1m,5m,", "5s,5m,").join(), /^webhooks\.retry: .*default/);
  assert.match(falsified("| on beyond loopback |", "| on |").join(), /^session\.secure_cookie has no default/);
  assert.deepEqual(falsified("| `threads` |", "| `thread` |"), ["threads is not documented", "thread is no option"]);
  assert.deepEqual(falsified("| `feed.kafka` |", "| `feed.url` |"), ["feed.kafka is not documented", "feed.url is documented twice"]);
});
