// Both languages of both pages say all that there is to say.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

// What the texts need of a browser.
globalThis.localStorage = { getItem: () => null, setItem: () => undefined };
Object.defineProperty(globalThis, "navigator", { value: { languages: ["en-GB"] }, configurable: true });

const stdin = {
  contents: `export { t as map } from "./map/texts"; export { t as console } from "./console/texts"; export { language } from "./shared/i18n";`,
  resolveDir: fileURLToPath(new URL("../src", import.meta.url)),
};
const { outputFiles } = await build({ stdin, bundle: true, format: "esm", write: false });
const pages = await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);

/** A page's texts in a language: each with its path, "find.hint", and whether it is a text or makes one. */
function textsOf(page, language) {
  pages.language.value = language;
  const all = new Map();
  const walk = (value, path) => {
    if (typeof value === "object") for (const [key, inner] of Object.entries(value)) walk(inner, [...path, key]);
    else all.set(path.join("."), value);
  };
  walk(pages[page].value, []);
  return all;
}

/** Words that are the same in both languages, or names. */
const sameInBoth = new Set(["Total", "No", "Error", "en", "es", "Color"]);

for (const page of ["map", "console"]) {
  test(`Each text of the ${page} is there in English and in Spanish, and is not the same sentence`, () => {
    const [english, spanish] = [textsOf(page, "en"), textsOf(page, "es")];
    assert.ok(english.size > 90, `${english.size} texts`);
    assert.deepEqual([...english.keys()].sort(), [...spanish.keys()].sort());
    for (const [path, text] of english) {
      const other = spanish.get(path);
      assert.equal(typeof other, typeof text, path);
      if (typeof text !== "string") continue;
      assert.ok(text.trim() !== "" && other.trim() !== "", `${path} is empty`);
      if (text.includes(" ") && !sameInBoth.has(text) && !/^[\d\s]+min$|^[\d\s]+h$/.test(text)) assert.notEqual(other, text, `${path} is in one language only`);
    }
  });
}

test("Each reason for a refusal has words in both languages", () => {
  const yaml = readFileSync(new URL("../../src/api/openapi/common.yaml", import.meta.url), "utf8");
  const codes = /ErrorCode:\n {6}type: string\n {6}enum:\n((?: {8}- \w+\n)+)/.exec(yaml)[1].match(/\w+/g);
  assert.ok(codes.length > 30, `${codes.length} codes`);
  for (const language of ["en", "es"]) {
    const texts = textsOf("console", language);
    for (const code of codes) assert.ok(texts.has(`refusals.${code}`), `${code} has no words (${language})`);
  }
});

test("What each status of a part of the server means is said in Spanish", () => {
  pages.language.value = "es";
  const { names, meaning } = pages.console.value.parts;
  for (const part of Object.keys(names)) for (const status of ["ok", "degraded"]) assert.ok(meaning(part, "redis", status), `${part} ${status}`);
  for (const [part, status] of [["ledger", "down"], ["lock", "off"], ["feed", "off"], ["webhooks", "off"]]) assert.ok(meaning(part, "redis", status), `${part} ${status}`);
  assert.ok(meaning("a part of tomorrow", "unknown", "down"));
  assert.equal(meaning("a part of tomorrow", "redis", "ok"), undefined);
});

test("No text of the pages is written where it would be shown in one language only", () => {
  const folder = fileURLToPath(new URL("../src", import.meta.url));
  const names = new Set(["Holdfast", "API", "OpenAPI", "English", "Español"]);
  const found = [];
  for (const file of readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".tsx"))) {
    const source = readFileSync(`${folder}/${file}`, "utf8").replace(/^\s*\/\/.*$/gm, "").replace(/<code>[^<]*<\/code>/g, "");
    // What stands between two tags, and texts of attributes that are read out or shown.
    for (const [, text] of source.matchAll(/(?:\/|")>\s*([A-Za-zÀ-ÿ][^<>{}=;]*?)\s*<\//g)) if (!names.has(text.trim())) found.push(`${file}: ${text}`);
    for (const [, text] of source.matchAll(/(?:aria-label|title|placeholder|data-label|alt)="([^"]+)"/g)) found.push(`${file}: ${text}`);
    for (const [, list] of source.matchAll(/heads=\{\[([^\]]*)\]/g)) for (const [, text] of list.matchAll(/"([^"]+)"/g)) found.push(`${file}: ${text}`);
  }
  assert.deepEqual(found, []);
});

test("The desk's texts have no internal terms of the program", () => {
  for (const language of ["en", "es"]) {
    for (const [path, text] of textsOf("console", language)) {
      const said = typeof text === "function" ? String(text(...Array(text.length).fill(7))) : text;
      assert.doesNotMatch(said, /\bseq\b|\btrace\b|\brastro\b/i, path);
    }
  }
});
