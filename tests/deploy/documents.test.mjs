// The documents agree with each other: every link leads to a file and a heading, every document that a source names is there, and the
// indexes of docs/decisions/ and docs/internals/ have every page. Reads files; starts nothing.
import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { files, list, read, root, withoutBlocks } from "./files.mjs";

// The anchors of a document's headings, as GitHub makes them.
function anchors(text) {
  const seen = new Map();
  return new Set([...withoutBlocks(text).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => {
    const plain = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const slug = plain.replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").trim().replaceAll(" ", "-");
    const before = seen.get(slug) ?? 0;
    seen.set(slug, before + 1);
    return before === 0 ? slug : `${slug}-${before}`;
  }));
}

// What is wrong with a document's links within the checkout.
function brokenLinks(page) {
  const links = [...withoutBlocks(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link);
  return links.filter((link) => !/^([a-z]+:|\/)/.test(link)).flatMap((link) => {
    const [path, anchor] = link.split("#");
    const target = path === "" ? page : normalize(join(dirname(page), path));
    if (!existsSync(join(root, target))) return [`${page}: ${link}: there is no ${target}`];
    if (anchor === undefined || statSync(join(root, target)).isDirectory()) return [];
    return anchors(read(target)).has(anchor) ? [] : [`${page}: ${link}: ${target} has no such heading`];
  });
}

test("every link of a document leads to a file, and to a heading of it", () => {
  const pages = files(/\.md$/);
  assert.ok(pages.includes(join("docs", "architecture.md")) && pages.includes("README.md"));
  assert.deepEqual(pages.flatMap(brokenLinks), []);
});

test("every document of docs/ that a source names is there", () => {
  const sources = files(/\.(cc|h|ts|tsx|mjs|yaml|yml|sh|cmake|txt|toml|md)$/);
  const missing = sources.flatMap((path) => [...read(path).matchAll(/(?<![\w/.-])docs\/[\w/-]+\.md\b/g)]
    .filter(([name]) => !existsSync(join(root, name)))
    .map(([name]) => `${path} names ${name}`));
  assert.deepEqual(missing, []);
});

test("the index of decisions has every page with its number and title, and says which numbers no page has", () => {
  const pages = list("docs/decisions").filter((name) => name !== "README.md").sort();
  const index = read("docs/decisions/README.md");
  const expected = pages.map((name) => {
    const [, number, title] = /^# (\d+)\. (.*)\n/.exec(read(`docs/decisions/${name}`)) ?? assert.fail(`${name} has no number and title`);
    assert.ok(name.startsWith(`${number.padStart(4, "0")}-`), `${name} has the number ${number}`);
    return `| ${number} | [${title}](${name}) |`;
  });
  assert.deepEqual(index.split("\n").filter((line) => /^\| \d+ \|/.test(line)), expected);

  const used = new Set(pages.map((name) => Number(name.slice(0, 4))));
  const said = new Set([.../had the numbers ([^.]*?)(,? and no page|\.)/s.exec(index)[1].matchAll(/(\d+)(?: to (\d+))?/g)].flatMap(([, first, last]) =>
    Array.from({ length: Number(last ?? first) - Number(first) + 1 }, (_, i) => Number(first) + i)));
  const gaps = Array.from({ length: Math.max(...used) }, (_, i) => i + 1).filter((number) => !used.has(number));
  assert.equal(used.size, pages.length, "two pages have one number");
  assert.deepEqual([...said].sort((a, b) => a - b), gaps);
});

test("the index of internals has every page", () => {
  const index = read("docs/internals/README.md");
  for (const name of list("docs/internals").filter((each) => each !== "README.md")) {
    assert.ok(index.includes(`](${name})`), `docs/internals/README.md has no ${name}`);
  }
});
