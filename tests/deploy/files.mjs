// What the tests of this folder share: files of the checkout, what the program exports and takes, and tools that a machine may have.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";

export const root = join(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "../..");
export const read = (path) => readFileSync(join(root, path), "utf8");
export const list = (folder) => readdirSync(join(root, folder));
export const operations = read("docs/operations.md");

const SKIPPED = new Set(["node_modules", "dist", "data"]);

// The files of the checkout whose names match, as paths from its root. Leaves out build output and names that begin with a dot.
export function files(name, folder = "") {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.name.startsWith(".") || SKIPPED.has(entry.name) || path === "build") return [];
    if (entry.isDirectory()) return files(name, path);
    return name.test(entry.name) ? [path] : [];
  });
}

// A document without its fenced code blocks.
export const withoutBlocks = (text) => text.replaceAll(/^```.*?^```/gms, "");

function sources(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? sources(`${folder}/${entry.name}`) : entry.name.endsWith(".cc") ? [read(`${folder}/${entry.name}`)] : []);
}

// What the program exports: names of metrics stand in its sources as whole strings.
const exported = new Set(sources("src").flatMap((text) => [...text.matchAll(/"(holdfast_[a-z_]+)"/g)].map((match) => match[1])));
const documented = new Set([...operations.matchAll(/`(holdfast_[a-z_]+)/g)].map((match) => match[1]));

// The metrics that a text names, each with what is wrong about it, or "".
export function metricsIn(text) {
  return new Map([...text.matchAll(/holdfast_[a-z_]*[a-z]/g)].map(([name]) => {
    const candidates = [name, name.replace(/_(bucket|sum|count)$/, "")];
    if (!candidates.some((candidate) => exported.has(candidate))) return [name, `${name} is not exported`];
    return [name, candidates.some((candidate) => documented.has(candidate)) ? "" : `${name} is not in docs/operations.md`];
  }));
}

// The options as they stand in src/cli/option_table.cc, and their variables.
export const variables = new Set([...read("src/cli/option_table.cc").matchAll(/["(]"?([a-z]+(?:[._][a-z]+)*)"/g)].map((match) =>
  `HOLDFAST_${match[1].toUpperCase().replaceAll(".", "_")}`));

// The path of a program in build/tools or on PATH; undefined if it is in neither.
export function tool(name) {
  return [join(root, "build/tools"), ...(process.env.PATH ?? "").split(delimiter)]
    .map((folder) => join(folder, name)).find((path) => existsSync(path));
}
