// docs/testing.md says of each limit in docs/internals/limits.md what reached it: the two tables have the same rows, and every test
// and benchmark that is named is there. Reads the documents and the sources; starts nothing.
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { read, root } from "./files.mjs";

// The rows of the first table after a heading, each as its cells.
function table(file, heading) {
  const text = read(file);
  const from = `\n${text}`.search(new RegExp(`\n##? ${heading}\n`));
  assert.ok(from >= 0, `${file} has no section "${heading}"`);
  const lines = text.slice(from).split("\n");
  const first = lines.findIndex((line) => line.startsWith("| --- "));
  assert.ok(first >= 0, `${file}, "${heading}", has no table`);
  const rows = lines.slice(first + 1);
  return rows.slice(0, rows.findIndex((line) => !line.startsWith("|"))).map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
}

function sources(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? sources(`${folder}/${entry.name}`) : entry.name.endsWith(".cc") ? [read(`${folder}/${entry.name}`)] : []);
}
// Tests by name, as ctest and --gtest_filter have them; without the prefixes of parameters.
const tests = new Set(sources("tests").flatMap((text) =>
  [...text.matchAll(/\bTEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)/g)].map(([, suite, name]) => `${suite}.${name}`)));

const limits = table("docs/internals/limits.md", "Limits");
const reached = table("docs/testing.md", "Limits");

test("each limit has a row that names its test, in the same order, and no row is left over", () => {
  assert.deepEqual(reached.map(([limit]) => limit), limits.map(([limit]) => limit));
});

test("every test and benchmark that a limit's row names exists", () => {
  for (const [limit, by] of reached) {
    const names = [...by.matchAll(/`([^`]+)`/g)].map((match) => match[1]);
    assert.ok(names.length > 0, `nothing is named that reaches: ${limit}`);
    for (const name of names) {
      const is_file = name.includes("/");
      assert.ok(is_file ? existsSync(join(root, name)) : tests.has(name), `${limit}: there is no ${name}`);
    }
  }
});
