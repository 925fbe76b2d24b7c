// The documents name what is there: every name of C++ and every source file between backticks exists in the sources. Catches the document
// that still has a type's old name. Reads files; starts nothing.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { files, read, withoutBlocks } from "./files.mjs";

// Names that are not ours: of browsers, PostgreSQL, Prometheus and Kafka.
const FOREIGN = new Set(["EventSource", "SharedWorker", "pg_total_relation_size", "increase", "kafka-consumer-groups.sh"]);
const FOREIGN_SCOPES = new Set(["std", "ranges", "views", "boost"]);

const paths = files(/./);
// Code without comments, because a comment may be as old as the document; and without this file, which has names that do not exist.
const sources = paths.filter((path) => path !== join("tests", "deploy", "names.test.mjs")).filter((path) => /\.(cc|h|in|ts|tsx|mjs|sh|yaml|cmake)$|(^|\/)(CMakeLists\.txt|dev)$/.test(path)).map((path) =>
  /\.(cc|h|ts|tsx|mjs)$/.test(path) ? read(path).replaceAll(/(?<![:"'\w])\/\/[^\n]*/g, "") : read(path));
const words = new Set(sources.flatMap((text) => text.match(/[A-Za-z_]\w*/g) ?? []));

// Whether a file that declares the namespace or type `scope` has the word `name`.
function hasMember(scope, name) {
  const declaration = new RegExp(`\\b(?:namespace (?:\\w+::)*|(?:class|struct|enum|union) (?:alignas\\(\\d+\\) )?(?:\\w+::)*)${scope}\\b`);
  const word = new RegExp(`\\b${name}\\b`);
  return sources.some((text) => declaration.test(text) && word.test(text));
}

function isScopedName(name) {
  const parts = name.split("::");
  return FOREIGN_SCOPES.has(parts[0]) || parts.slice(1).every((part, at) => hasMember(parts[at], part.replace("~", "")));
}

const isWord = (name) => words.has(name) || FOREIGN.has(name);
const isFile = (name) => FOREIGN.has(name) || paths.some((path) => path === name || path.endsWith(`/${name}`));

// What looks like a name of ours, and what decides whether it exists.
const KINDS = [
  [/(?<![\w:])[A-Za-z_]\w*(?:::~?[A-Za-z_]\w*)+/g, isScopedName],                       // Ledger::commit
  [/(?<![\w:./-])[a-z_]\w*(?=\()/g, isWord],                                             // hold_back()
  [/(?<![\w:./"-])(?:[A-Z][a-z0-9]+){2,}(?![\w:./"-])/g, isWord],                        // EmbeddedLedger
  [/^[A-Z][a-z]+$/g, isWord],                                                            // Tenure, alone between its backticks
  [/\bk_[a-z0-9_]+\b/g, isWord],                                                         // k_refusal_codes
  [/(?<![\w/.:-])(?:[\w.-]+\/)*[\w-]+\.(?:h|cc|ts|tsx|mjs|sh|cmake)(?![\w.])/g, isFile],   // core/rules.cc
];

// The names between the backticks of a document that do not exist.
function unknownNames(text) {
  const spans = [...withoutBlocks(text).matchAll(/`([^`\n]+)`/g)].map(([, span]) => span);
  return spans.flatMap((span) => KINDS.flatMap(([pattern, exists]) => (span.match(pattern) ?? []).filter((name) => !exists(name))));
}

test("every C++ name and source file that a document names is in the sources", () => {
  // A decision tells of the code of its day, with the names of that day.
  const pages = [...files(/\.md$/, "docs"), "CONTRIBUTING.md"].filter((page) => !page.startsWith(join("docs", "decisions")));
  assert.ok(pages.includes(join("docs", "internals", "words.md")));
  assert.deepEqual(pages.flatMap((page) => unknownNames(read(page)).map((name) => `${page} names ${name}`)), []);
});

test("the comparison finds a name of each kind that does not exist", () => {
  const unknown = ["feed::NoSuch", "Ledger::no_such", "no_such()", "NoSuchLedger", "Nosuchtype", "k_no_such", "core/no_such.cc"];
  for (const name of unknown) assert.deepEqual(unknownNames(`A \`${name}\`.`), [name.replace("()", "")]);
  assert.deepEqual(unknownNames("`Ledger::trouble`, `std::expected::and_then`, `judge()`, `Journal`, `core/rules.cc`"), []);
  assert.deepEqual(unknownNames("```\n`NoSuchLedger`\n```\n"), []);
});
