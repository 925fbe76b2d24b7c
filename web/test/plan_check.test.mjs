// The check of a seating plan says what the server says: both run the cases of tests/shared/plan_cases.json.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const web = fileURLToPath(new URL("..", import.meta.url));
const { cases } = JSON.parse(readFileSync(new URL("../../tests/shared/plan_cases.json", import.meta.url), "utf8"));
const { outputFiles } = await build({
  entryPoints: ["src/console/plan_check.ts"], bundle: true, format: "esm", write: false, absWorkingDir: web, tsconfig: "tsconfig.json", target: "es2022",
});
const { checkPlan } = await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);

/** The case's plan as text, with its repetitions written out. */
function textOf({ plan, text = JSON.stringify(plan) }) {
  return text.replaceAll(/<<(.*?)\*(\d+)>>/gs, (_, part, count) => Array.from({ length: Number(count) }, (_, i) => part.replaceAll("#", String(i + 1))).join(""));
}

for (const each of cases) {
  test(`${each.name}: ${each.page ?? "accepted"}`, () => {
    const errors = checkPlan(textOf(each), each.keepIds === true).mistakes.filter(({ isError }) => isError);
    if (each.page === null) assert.deepEqual(errors, []);
    else assert.ok(errors.some(({ kind }) => kind === each.page), `instead: ${JSON.stringify(errors.slice(0, 5))}`);
  });
}

test("the page and the server accept the same cases", () => {
  assert.deepEqual(cases.filter(({ page, server }) => (page === null) !== (server === null)), []);
});
