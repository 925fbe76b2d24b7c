// Compares recorded exchanges with the OpenAPI document: what was answered must be what is described, to the last member and header.
//
//   node validate.mjs DOCUMENT FOLDER [--operations N] [--answers N]
//
// FOLDER has files of JSON lines, as tests/support/recorder.h describes them. The numbers are the least operations that must have been seen
// with a success, and the least pairs of operation and status. Status 0 when all agrees, 1 with a list of what does not, 2 for bad arguments.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";
import Ajv from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

// What the HTTP server refuses before a route is asked: described by `default`. Not 500: no test may provoke one.
const SERVER_REFUSALS = new Set([400, 408, 411, 413, 414, 417, 431, 501, 505]);

// Headers that belong to HTTP itself, to CORS or to the safety of browsers, and are not the API's.
const COMMON_HEADERS =
  /^(server|date|connection|cache-control|content-(type|length|encoding|security-policy)|transfer-encoding|vary|x-content-type-options|x-accel-buffering|referrer-policy|access-control-.*|allow)$/;

// What these answer with `not_found` is an answer of their own: no demo here.
const OWN_NOT_FOUND = /^\/v1\/demo\//;

// Pages, and what they load: served, and no operations of the interface.
const PAGES = /^\/(|console|assets\/[^/]+|docs|docs\/.+|llms\.txt)$/;

const FINDINGS_SHOWN = 40;
const FINDING_CHARACTERS = 600;

// ---- schemas

// A copy in which objects take no member that they do not describe. The document itself leaves answers open, so that they can grow.
function closed(schema) {
  if (Array.isArray(schema)) return schema.map(closed);
  if (schema === null || typeof schema !== "object") return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  const describesObject = schema.type === "object" && typeof schema.properties === "object";
  if (describesObject && schema.additionalProperties === undefined) copy.unevaluatedProperties = false;
  return copy;
}

const pointer = (...keys) => keys.map((key) => "/" + encodeURIComponent(String(key).replaceAll("~", "~0").replaceAll("/", "~1"))).join("");

class Schemas {
  constructor(document) {
    this.ajv = new Ajv({ strict: true, strictTypes: false, strictRequired: false, strictTuples: false, allErrors: false, validateFormats: true });
    addFormats(this.ajv);
    for (const annotation of ["paths", "components", "example", "discriminator"]) this.ajv.addKeyword(annotation);
    this.ajv.addSchema({ paths: document.paths, components: document.components }, "open");
    this.ajv.addSchema(closed({ paths: document.paths, components: document.components }), "closed");
    this.compiled = new Map();
  }

  // What is wrong with a value, or nothing. `at` is the schema's place in the document.
  problem(value, set, at) {
    const ref = `${set}#${at}`;
    if (!this.compiled.has(ref)) this.compiled.set(ref, this.ajv.compile({ $ref: ref }));
    const check = this.compiled.get(ref);
    if (check(value)) return null;
    return check.errors.map((e) => `${e.instancePath || "it"} ${e.message} ${JSON.stringify(e.params)}`).join("; ");
  }
}

// ---- operations

const SEGMENT_BYTES_MAX = 3 * 128;   // a seat's id, every byte of it percent-encoded

// A segment that is empty, too long or malformed is of no route.
function canBeParameter(segment) {
  const wellFormed = /^(?:[^%]|%[0-9a-fA-F]{2})+$/.test(segment);
  return wellFormed && !segment.includes("%00") && segment.length <= SEGMENT_BYTES_MAX;
}

class Operations {
  constructor(document) {
    this.document = document;
    this.paths = Object.keys(document.paths).map((path) => ({ path, segments: path.split("/").slice(1) }));
    // A literal segment wins over a parameter.
    this.paths.sort((a, b) => (a.path.match(/\{/g) ?? []).length - (b.path.match(/\{/g) ?? []).length);
  }

  path(target) {
    const segments = target.split("?")[0].split("/").slice(1);
    const fits = (pattern) =>
      pattern.segments.length === segments.length && pattern.segments.every((s, i) => (s.startsWith("{") ? canBeParameter(segments[i]) : s === segments[i]));
    return this.paths.find(fits)?.path;
  }

  // The object that a $ref stands for, and its place.
  resolve(node, at) {
    if (node?.$ref === undefined) return [node, at];
    const keys = node.$ref.slice(2).split("/").map((key) => decodeURIComponent(key).replaceAll("~1", "/").replaceAll("~0", "~"));
    const found = keys.reduce((object, key) => object?.[key], this.document);
    return this.resolve(found, pointer(...keys));
  }

  parameters(path, method) {
    const item = this.document.paths[path];
    const listed = [
      ...(item.parameters ?? []).map((p, i) => [p, pointer("paths", path, "parameters", i)]),
      ...(item[method].parameters ?? []).map((p, i) => [p, pointer("paths", path, method, "parameters", i)]),
    ];
    return listed.map(([p, at]) => this.resolve(p, at));
  }
}

// A parameter or header value as its schema would have it: numbers from texts.
function typed(text, schema) {
  return schema?.type === "integer" && /^-?[0-9]+$/.test(text) ? Number(text) : text;
}

// ---- one exchange

export class Validator {
  constructor(document) {
    this.operations = new Operations(document);
    this.schemas = new Schemas(document);
    this.seen = new Map();       // operationId -> Map of status -> count
    this.unserved = new Map();   // operationId -> the findings that would be, if it were served
    this.findings = [];
    this.exchanges = 0;
  }

  find(exchange, what) {
    this.findings.push(`${exchange.method} ${exchange.target.slice(0, 120)} -> ${exchange.status}: ${what}`);
  }

  check(exchange) {
    ++this.exchanges;
    const method = exchange.method === "HEAD" ? "get" : exchange.method.toLowerCase();
    const path = this.operations.path(exchange.target);
    const refused = SERVER_REFUSALS.has(exchange.status) && exchange.status !== 400;
    if (path === undefined) {
      if (PAGES.test(exchange.target.split("?")[0])) return;
      if (exchange.status !== 404 && exchange.status !== 401 && !SERVER_REFUSALS.has(exchange.status)) this.find(exchange, "the document does not have this path");
      return;
    }
    const operation = this.operations.document.paths[path][method];
    if (operation === undefined) {
      const preflight = exchange.method === "OPTIONS" && exchange.status === 204;
      const absent = exchange.status === 404 && OWN_NOT_FOUND.test(exchange.target);
      if (exchange.status !== 405 && exchange.status !== 401 && !preflight && !refused && !absent) this.find(exchange, "the document does not have this method");
      if (exchange.status === 405 && this.header(exchange, "allow") === undefined) this.find(exchange, "405 without Allow");
      return;
    }
    if (this.isUnserved(exchange)) {
      this.unserved.set(operation.operationId, [...(this.unserved.get(operation.operationId) ?? []), `${exchange.method} ${exchange.target} -> ${exchange.status}`]);
      return;
    }
    const statuses = this.seen.get(operation.operationId) ?? this.seen.set(operation.operationId, new Map()).get(operation.operationId);
    statuses.set(exchange.status, (statuses.get(exchange.status) ?? 0) + 1);
    this.checkResponse(exchange, path, method, operation);
    if (exchange.status < 300) this.checkRequest(exchange, path, method, operation);
  }

  // A route that the document has and the program has not.
  isUnserved(exchange) {
    return exchange.status === 405 || (exchange.status === 404 && exchange.body.includes('"code":"not_found"') && !OWN_NOT_FOUND.test(exchange.target));
  }

  header(exchange, name) {
    return exchange.headers.find(([each]) => each.toLowerCase() === name)?.[1];
  }

  checkResponse(exchange, path, method, operation) {
    const name = operation.responses[exchange.status] !== undefined ? String(exchange.status) : SERVER_REFUSALS.has(exchange.status) ? "default" : undefined;
    if (name === undefined || operation.responses[name] === undefined) return this.find(exchange, "the document does not have this status");
    const [response, at] = this.operations.resolve(operation.responses[name], pointer("paths", path, method, "responses", name));
    this.checkHeaders(exchange, response, at);
    if (exchange.method === "HEAD" || response.content === undefined) {
      if (exchange.body !== "") this.find(exchange, "a body where the document has none");
      return;
    }
    const type = (this.header(exchange, "content-type") ?? "").split(";")[0];
    if (response.content[type] === undefined) return this.find(exchange, `the document does not have the type ${type || "(none)"}`);
    const bytes = Buffer.from(exchange.body, "latin1");
    const text = (this.header(exchange, "content-encoding") === "gzip" ? gunzipSync(bytes) : bytes).toString("utf8");
    let value = text;
    if (type.endsWith("json")) {
      try {
        value = JSON.parse(text);
      } catch (error) {
        return this.find(exchange, `not JSON: ${error.message}`);
      }
    }
    const problem = this.schemas.problem(value, "closed", at + pointer("content", type, "schema"));
    if (problem !== null) this.find(exchange, `the body is not as described: ${problem}`);
  }

  checkHeaders(exchange, response, responseAt) {
    const described = Object.entries(response.headers ?? {});
    for (const [name, node] of described) {
      const [header, at] = this.operations.resolve(node, responseAt + pointer("headers", name));
      const value = this.header(exchange, name.toLowerCase());
      if (value === undefined) {
        if (header.required) this.find(exchange, `the header ${name} is missing`);
        continue;
      }
      const problem = this.schemas.problem(typed(value, header.schema), "closed", at + "/schema");
      if (problem !== null) this.find(exchange, `the header ${name} is not as described: ${problem}`);
    }
    const names = new Set(described.map(([name]) => name.toLowerCase()));
    for (const [name] of exchange.headers) {
      if (!names.has(name.toLowerCase()) && !COMMON_HEADERS.test(name.toLowerCase())) this.find(exchange, `the document does not have the header ${name}`);
    }
  }

  // What was accepted must be a request that the document lets one make.
  checkRequest(exchange, path, method, operation) {
    const parameters = this.operations.parameters(path, method);
    const named = (where, name) => parameters.find(([p]) => p.in === where && p.name.toLowerCase() === name.toLowerCase());
    const check = (where, name, value) => {
      const found = named(where, name);
      if (found === undefined) return where === "query" && this.find(exchange, `the document does not have the parameter ${name}`);
      const problem = this.schemas.problem(typed(value, found[0].schema), "open", found[1] + "/schema");
      if (problem !== null) this.find(exchange, `the parameter ${name} was accepted and is not as described: ${problem}`);
    };
    for (const [name, value] of new URLSearchParams(exchange.target.split("?")[1] ?? "")) check("query", name, value);
    for (const [name, value] of exchange.requestHeaders) check("header", name, value);
    if (operation.requestBody === undefined || (exchange.requestBody === "" && !operation.requestBody.required)) return;
    const at = pointer("paths", path, method, "requestBody", "content", "application/json", "schema");
    let value;
    try {
      value = JSON.parse(Buffer.from(exchange.requestBody, "latin1").toString("utf8").replace(/^\uFEFF/, ""));   // plans may begin with one
    } catch (error) {
      return this.find(exchange, `a request that is not JSON was accepted: ${error.message}`);
    }
    const problem = this.schemas.problem(value, "open", at);
    if (problem !== null) this.find(exchange, `the request was accepted and is not as described: ${problem}`);
  }

  // ---- what was covered

  coverage() {
    const operations = [];
    for (const [path, item] of Object.entries(this.operations.document.paths)) {
      for (const [method, operation] of Object.entries(item)) {
        if (operation.operationId === undefined) continue;
        const seen = this.seen.get(operation.operationId) ?? new Map();
        const declared = Object.keys(operation.responses).filter((status) => status !== "default");
        operations.push({
          name: `${method.toUpperCase()} ${path}`,
          id: operation.operationId,
          seen,
          unseen: declared.filter((status) => !seen.has(Number(status))),
          success: [...seen.keys()].some((status) => status < 400),
        });
      }
    }
    return operations;
  }

  finish() {
    // Refused as if it were not there, and yet answered at another time: then it is there, and the refusal is wrong.
    for (const [id, lines] of this.unserved) {
      if (this.seen.has(id)) for (const line of lines) this.findings.push(`${line}: refused, though the operation ${id} is served`);
    }
    return this.findings;
  }
}

// ---- the program

export function validateFolder(document, folder, least) {
  const validator = new Validator(document);
  let files = [];
  try {
    files = readdirSync(folder).filter((file) => file.endsWith(".jsonl"));
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
  for (const file of files) {
    for (const line of readFileSync(join(folder, file), "utf8").split("\n")) {
      if (line !== "") validator.check(JSON.parse(line));
    }
  }
  const findings = [...validator.finish()];
  const operations = validator.coverage();
  const succeeded = operations.filter((o) => o.success).length;
  const answers = operations.reduce((sum, o) => sum + o.seen.size, 0);
  if (validator.exchanges === 0) findings.push(`no exchange was recorded in ${folder}`);
  if (succeeded < least.operations) findings.push(`only ${succeeded} operations were seen with a success; at least ${least.operations} must be`);
  if (answers < least.answers) findings.push(`only ${answers} pairs of operation and status were seen; at least ${least.answers} must be`);
  return { exchanges: validator.exchanges, operations, succeeded, answers, findings };
}

function report({ exchanges, operations, succeeded, answers, findings }) {
  console.log(`${exchanges} exchanges; ${succeeded} of ${operations.length} operations seen with a success, ${answers} pairs of operation and status`);
  for (const each of operations) {
    const seen = [...each.seen.entries()].sort((a, b) => a[0] - b[0]).map(([status, count]) => `${status} x${count}`);
    console.log(`  ${each.name}: ${seen.join(", ") || "NEVER SEEN"}${each.unseen.length > 0 ? `; never: ${each.unseen.join(" ")}` : ""}`);
  }
  for (const finding of findings.slice(0, FINDINGS_SHOWN)) console.error(`WRONG: ${finding.slice(0, FINDING_CHARACTERS)}`);
  if (findings.length > FINDINGS_SHOWN) console.error(`… and ${findings.length - FINDINGS_SHOWN} more`);
}

function main(args) {
  const least = { operations: 1, answers: 1 };
  const names = [];
  for (let i = 0; i < args.length; ++i) {
    if (args[i] === "--operations" || args[i] === "--answers") least[args[i].slice(2)] = Number(args[++i]);
    else names.push(args[i]);
  }
  if (names.length !== 2 || !Number.isInteger(least.operations) || !Number.isInteger(least.answers)) {
    console.error("usage: validate.mjs DOCUMENT FOLDER [--operations N] [--answers N]");
    return 2;
  }
  const result = validateFolder(JSON.parse(readFileSync(names[0], "utf8")), names[1], least);
  report(result);
  return result.findings.length === 0 ? 0 : 1;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) process.exitCode = main(process.argv.slice(2));
