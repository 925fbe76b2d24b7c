// The document says things in the ways that generators of clients understand. tests/clients/generated builds some, which takes long; this does not.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const document = JSON.parse(readFileSync(process.env.HOLDFAST_OPENAPI, "utf8"));
const METHODS = new Set(["get", "put", "post", "delete", "patch"]);

const resolve = (node) => (node?.$ref === undefined ? node : resolve(node.$ref.slice(2).split("/").reduce((at, key) => at[key.replaceAll("~1", "/")], document)));
const operationsOf = (items) =>
  Object.entries(items).flatMap(([path, item]) => Object.entries(item).filter(([method]) => METHODS.has(method)).map(([method, each]) => ({ name: `${method} ${path}`, ...each })));
const operations = operationsOf(document.paths);

// Each object of the document, with its place.
function* everything(node, at = "#") {
  if (node === null || typeof node !== "object") return;
  yield [node, at];
  for (const [key, each] of Object.entries(node)) yield* everything(each, `${at}/${key}`);
}

test("each refusal has a schema with all its members, whose code is an enum", () => {
  let refusals = 0;
  for (const { name, responses } of operations) {
    for (const [status, node] of Object.entries(responses)) {
      if (status !== "default" && Number(status) < 400) continue;
      const schema = resolve(resolve(node).content["application/problem+json"]?.schema);
      if (schema === undefined) continue;   // contract 2's form
      assert.ok(schema.properties?.code, `${name} ${status}: no members, or by allOf, of which generators make nothing`);
      assert.ok(Array.isArray(resolve(schema.properties.code).enum), `${name} ${status}: code is no enum`);
      assert.ok(schema.required.includes("code"), `${name} ${status}`);
      ++refusals;
    }
  }
  assert.ok(refusals > 250, `only ${refusals} refusals`);
});

test("no allOf narrows a member of another schema", () => {
  for (const [node, at] of everything(document)) {
    if (!Array.isArray(node.allOf)) continue;
    assert.ok(node.allOf.length === 1, `${at}: name a schema that has all members`);
  }
});

test("objects that are one of several have names", () => {
  for (const [node, at] of everything(document)) {
    for (const kind of ["oneOf", "anyOf"]) {
      for (const [i, part] of (Array.isArray(node[kind]) ? node[kind] : []).entries()) {
        const alone = part.$ref !== undefined || part.properties === undefined || at.includes("Tickets");   // of contract 2 the forms differ by a wrapper
        assert.ok(alone, `${at}/${kind}/${i}`);
      }
    }
  }
});

test("what is sent to others has tags of its own", () => {
  const called = new Set(operations.flatMap(({ tags }) => tags));
  const sent = operationsOf(document.webhooks);
  assert.ok(sent.length > 0);
  for (const { name, tags } of sent) for (const tag of tags) assert.ok(!called.has(tag), `${name}: a generator makes one class of the tag ${tag}, and one of both wins`);
});

test("names of schemas and tags differ in more than their letter case and spaces", () => {
  for (const names of [Object.keys(document.components.schemas), document.tags.map(({ name }) => name), operations.map(({ operationId }) => operationId)]) {
    const plain = names.map((name) => name.toLowerCase().replace(/[^a-z0-9]/g, ""));
    assert.deepEqual(plain.filter((name, i) => plain.indexOf(name) !== i), []);
  }
});

test("pages and what they load are no operations", () => {
  for (const { name, responses } of operations) {
    for (const node of Object.values(responses)) {
      for (const type of Object.keys(resolve(node).content ?? {})) assert.match(type, /^(application\/(problem\+)?json|text\/(plain|event-stream))$/, name);
    }
  }
});
