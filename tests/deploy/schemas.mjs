// Checks objects of Kubernetes and of the Prometheus operator: types and required members by the compiled schemas of kubernetes-models, and
// unknown members, which those let pass, by its TypeScript declarations.
//
//   flaws({ apiVersion: "v1", kind: "Service", … })   // [] or sentences
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);

function moduleOf({ apiVersion, kind }) {
  const from = apiVersion.startsWith("monitoring.coreos.com/") ? "@kubernetes-models/prometheus-operator" : "kubernetes-models";
  return `${from}/${apiVersion}/${kind}`;
}

// ------------------------------------------------------------------------------------------------- declarations

const files = new Map();

// A file of declarations: its text without comments, and where each imported name comes from.
function declarations(path) {
  if (!files.has(path)) {
    const text = readFileSync(path, "utf8").replace(/\/\*[^]*?\*\//g, "");
    const imports = new Map([...text.matchAll(/import \{([^}]*)\} from "([^"]+)"/g)].flatMap(([, names, from]) =>
      names.split(",").map((name) => [name.trim(), from])));
    const aliases = new Map([...text.matchAll(/(\w+) as (\w+)/g)].map(([, name, alias]) => [alias, name]));
    files.set(path, { path, text, imports, aliases });
  }
  return files.get(path);
}

// Reads a type at the beginning of `text`; returns it and what follows. A type is { members }, { each } (arrays, maps), { name, file } or {}.
function readType(text, file) {
  let rest = text.trimStart();
  let type = {};
  if (rest.startsWith("Array<")) {
    const [each, after] = readType(rest.slice(6), file);
    type = { each };
    rest = after.trimStart().slice(1);
  } else if (rest.startsWith("{")) {
    [type, rest] = readMembers(rest, file);
  } else {
    const [word] = rest.match(/^(?:"(?:[^"\\]|\\.)*"|[\w.]+(?:\[[^\]]*\])*)/);
    if (/^I[A-Z]\w*$/.test(word)) type = { name: word, file };
    rest = rest.slice(word.length);
  }
  const more = rest.trimStart();
  if (!more.startsWith("|")) return [type, rest];
  return [{}, readType(more.slice(1), file)[1]];   // one of several: the compiled schema knows
}

function readMembers(text, file) {
  const type = { members: new Map() };
  let rest = text.slice(1);
  for (;;) {
    rest = rest.trimStart();
    if (rest.startsWith("}")) return [type, rest.slice(1)];
    const [head, key, name] = rest.match(/^(?:(\[key: string\])|"?([^"?:]+)"?)\??:/);
    const [value, after] = readType(rest.slice(head.length), file);
    if (key) type.each = value;
    else type.members.set(name, value);
    rest = after.trimStart().replace(/^;/, "");
  }
}

function resolve({ name, file }) {
  const from = file.imports.get(name);
  if (from !== undefined) {
    const path = from.startsWith(".") ? join(dirname(file.path), from) : require.resolve(from).replace(/\.js$/, "");
    return existsSync(`${path}.d.ts`) ? resolve({ name, file: declarations(`${path}.d.ts`) }) : {};
  }
  const declared = file.aliases.get(name) ?? name;
  const at = file.text.match(new RegExp(`export interface ${declared} [^{]*(?=\\{)`));
  return at ? readMembers(file.text.slice(at.index + at[0].length), file)[0] : {};   // an alias of text or number
}

function unknownMembers(value, type, path) {
  if (type.name) return unknownMembers(value, resolve(type), path);
  if (Array.isArray(value)) return value.flatMap((each, i) => unknownMembers(each, type.each ?? {}, `${path}[${i}]`));
  if (value === null || typeof value !== "object" || (!type.members && !type.each)) return [];
  return Object.entries(value).flatMap(([name, each]) => {
    const of = type.members?.get(name) ?? type.each;
    return of === undefined ? [`${path}.${name} does not exist`] : unknownMembers(each, of, `${path}.${name}`);
  });
}

// ---------------------------------------------------------------------------------------------------------------

export function flaws(object) {
  const from = moduleOf(object);
  const Model = require(from)[object.kind];
  const found = [];
  try {
    new Model(object).validate();
  } catch (error) {
    found.push(error.message);
  }
  const file = declarations(require.resolve(from).replace(/\.js$/, ".d.ts"));
  const declared = file.text.includes(`export interface I${object.kind} `);
  if (!declared) throw new Error(`no declaration of ${object.kind} in ${file.path}`);
  return [...found, ...unknownMembers(object, { name: `I${object.kind}`, file }, object.kind)];
}
