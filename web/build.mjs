// node build.mjs DOCUMENT FOLDER: checks the types of the pages, and builds them into FOLDER.
//
// DOCUMENT is the OpenAPI document of the same build: the client's types are made from it, so a page cannot ask for what the program does
// not have. `npm ci --ignore-scripts` has been there before.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import openapi, { astToString } from "openapi-typescript";
import ts from "typescript";
import { build } from "vite";

const web = import.meta.dirname ?? dirname(new URL(import.meta.url).pathname);
const [document, folder] = process.argv.slice(2).map((path) => resolve(path));
if (folder === undefined) {
  console.error("usage: node build.mjs DOCUMENT FOLDER");
  process.exit(2);
}

// Written only when it has changed, and in one step: another flavour's build, and the client's own, use the same file.
async function generateTypes() {
  const types = resolve(web, "../clients/typescript/src/generated/schema.ts");
  const made = astToString(await openapi(pathToFileURL(document), { defaultNonNullable: false, rootTypes: true, rootTypesNoSchemaPrefix: true }));
  let old = "";
  try {
    old = readFileSync(types, "utf8");
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
  if (old === made) return;
  mkdirSync(dirname(types), { recursive: true });
  writeFileSync(`${types}.${process.pid}`, made);
  renameSync(`${types}.${process.pid}`, types);
}

// As `tsc --noEmit` does. And the sources have no `any`: the compiler knows of those that it infers, not of those that somebody wrote.
function checkTypes() {
  const file = resolve(web, "tsconfig.json");
  const config = ts.parseJsonConfigFileContent(ts.readConfigFile(file, ts.sys.readFile).config, ts.sys, web, undefined, file);
  const program = ts.createProgram(config.fileNames, config.options);
  const problems = [...config.errors, ...ts.getPreEmitDiagnostics(program)];
  const host = { getCurrentDirectory: () => web, getCanonicalFileName: (name) => name, getNewLine: () => "\n" };
  if (problems.length > 0) console.error(ts.formatDiagnostics(problems, host));
  let loose = 0;
  const look = (source) => (node) => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) {
      ++loose;
      console.error(`${source.fileName}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}: \`any\` is not a type here`);
    }
    ts.forEachChild(node, look(source));
  };
  for (const source of program.getSourceFiles()) {
    if (source.fileName.startsWith(resolve(web, "src"))) ts.forEachChild(source, look(source));
  }
  return problems.length === 0 && loose === 0;
}

// The licences of what the pages contain, which ask to be passed on with it: the page / links to them.
function collectLicenses() {
  const { dependencies } = JSON.parse(readFileSync(resolve(web, "package.json"), "utf8"));
  const names = new Set();
  const add = (name) => {
    if (names.has(name)) return;
    names.add(name);
    const own = JSON.parse(readFileSync(resolve(web, "node_modules", name, "package.json"), "utf8"));
    Object.keys(own.dependencies ?? {}).forEach(add);
  };
  Object.keys(dependencies).forEach(add);
  const texts = [...names].sort().map((name) => `${name}\n${"=".repeat(name.length)}\n\n${readFileSync(resolve(web, "node_modules", name, "LICENSE"), "utf8").trim()}\n`);
  const folder = resolve(web, "node_modules/.licenses");
  mkdirSync(folder, { recursive: true });
  writeFileSync(resolve(folder, "licenses.txt"), texts.join("\n\n"));
}

await generateTypes();
collectLicenses();
if (!checkTypes()) process.exit(1);
await build({ configFile: resolve(web, "vite.config.ts"), logLevel: "warn", build: { outDir: folder } });
