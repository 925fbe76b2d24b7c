// node build.mjs DOCUMENT FOLDER: checks the types of the pages, and builds them into FOLDER.
//
// DOCUMENT is the OpenAPI document of the same build: the client's types are made from it, so a page cannot ask for what the program does
// not have. `npm ci --ignore-scripts` has been run before.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import openapi, { astToString } from "openapi-typescript";
import ts from "typescript";

const web = dirname(fileURLToPath(import.meta.url));
const packages = resolve(web, "../node_modules");   // of the whole workspace
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
    const own = JSON.parse(readFileSync(resolve(packages, name, "package.json"), "utf8"));
    Object.keys(own.dependencies ?? {}).forEach(add);
  };
  Object.keys(dependencies).forEach(add);
  const texts = [...names].sort().map((name) => `${name}\n${"=".repeat(name.length)}\n\n${readFileSync(resolve(packages, name, "LICENSE"), "utf8").trim()}\n`);
  const folder = resolve(web, "node_modules/.licenses");
  mkdirSync(folder, { recursive: true });
  writeFileSync(resolve(folder, "licenses.txt"), texts.join("\n\n"));
}

// Every file that a page loads gets the hash of its content in its name, and is served for ever (tools/embed.cc). Nothing is inline, because
// Content-Security-Policy forbids it: no script, no style, no data: URL. Code that both pages use becomes a file of its own.
async function bundle() {
  rmSync(folder, { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: web,
    entryPoints: { map: "src/map/main.tsx", console: "src/console/main.tsx", base: "src/shared/base.css", icon: "src/shared/icon.svg" },
    outdir: resolve(folder, "assets"),
    publicPath: "/assets",
    entryNames: "[name]-[hash]",
    chunkNames: "shared-[hash]",
    assetNames: "[name]-[hash]",
    loader: { ".svg": "copy", ".txt": "file", ".woff2": "file" },
    bundle: true,
    splitting: true,
    minify: true,
    format: "esm",
    target: "es2022",
    tsconfig: "tsconfig.json",
    metafile: true,
  });
  return metafile.outputs;
}

// A page names its sources. Here it gets the files that were made of them, and what a script takes with it: its style sheet, and the scripts
// that it imports, so that the browser asks for all of them at once.
function writePage(page, outputs) {
  const address = (output) => `/${relative(folder, resolve(web, output))}`;
  let html = readFileSync(resolve(web, page), "utf8");
  for (const [name, { entryPoint, cssBundle, imports }] of Object.entries(outputs)) {
    if (!entryPoint || !html.includes(`"/${entryPoint}"`)) continue;
    const more = imports.filter(({ kind }) => kind === "import-statement").map(({ path }) => `<link rel="modulepreload" href="${address(path)}">\n`);
    if (cssBundle) more.push(`<link rel="stylesheet" href="${address(cssBundle)}">\n`);
    html = html.replace(`"/${entryPoint}"`, `"${address(name)}"`).replace("</head>", `${more.join("")}</head>`);
  }
  const left = html.match(/"\/src\/[^"]*"/);
  if (left) throw new Error(`${page} names ${left[0]}, which is not an entry point in build.mjs`);
  const file = resolve(folder, page);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, html);
}

await generateTypes();
collectLicenses();
if (!checkTypes()) process.exit(1);
const outputs = await bundle();
for (const page of ["index.html", "console/index.html"]) writePage(page, outputs);
