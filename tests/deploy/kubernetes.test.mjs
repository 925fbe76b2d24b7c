// deploy/kubernetes/ and the chart in deploy/helm/: objects that Kubernetes takes, options that the program has, and both the same.
//
// Some tests render the chart. They need `helm` on PATH or in build/tools (tests/deploy/get_helm.sh puts it there), and are skipped without
// it; what can be read off the chart's files is tested everywhere.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { Ajv } from "ajv";
import { parse, parseAllDocuments } from "yaml";
import { list, operations, read, root, tool, variables } from "./files.mjs";
import { flaws } from "./schemas.mjs";

const chart = "deploy/helm/holdfast";

function objects(text) {
  return parseAllDocuments(text).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS({ maxAliasCount: 100 });
  }).filter((object) => object !== null);
}

const manifest = objects(read("deploy/kubernetes/holdfast.yaml"));
const monitor = objects(read("deploy/kubernetes/servicemonitor.yaml"));
const of = (all, kind) => {
  const found = all.filter((object) => object.kind === kind);
  assert.equal(found.length, 1, `${found.length} objects of kind ${kind}`);
  return found[0];
};
const values = parse(read(`${chart}/values.yaml`));
const schema = JSON.parse(read(`${chart}/values.schema.json`));
const about = parse(read(`${chart}/Chart.yaml`));
const templates = Object.fromEntries([...list(`${chart}/templates`).filter((name) => name !== "tests").map((name) => `templates/${name}`),
  ...list(`${chart}/templates/tests`).map((name) => `templates/tests/${name}`)].map((path) => [path, read(`${chart}/${path}`)]));

const helm = tool("helm");
const needsHelm = { skip: helm === undefined && "there is no helm; tests/deploy/get_helm.sh builds one with Go" };
// A helm that `go install` built believes in an old Kubernetes.
const version = ["--kube-version", "1.31.0"];
const render = (...flags) =>
  objects(execFileSync(helm, ["template", "holdfast", join(root, chart), ...version, ...flags], { encoding: "utf8", stdio: "pipe" }));
const everything = ["--set", "serviceMonitor.enabled=true,prometheusRule.enabled=true,ingress.enabled=true,ingress.host=tickets.example",
  "--set-string", String.raw`options.http\.trusted_proxies=10.244.7.0/24`,
  "--set", "ingress.tlsSecret=tls,networkPolicy.egress[0].ports[0].port=5432,networkPolicy.ingressFrom[0].podSelector.matchLabels.app=x",
  "--set-json", 'extraEnv=[{"name":"PGSSLROOTCERT","value":"/ca/db.pem"}]',
  "--set-json", 'extraVolumes=[{"name":"ca","configMap":{"name":"ca"}}]', "--set-json", 'extraVolumeMounts=[{"name":"ca","mountPath":"/ca"}]',
  "--set-json", 'tolerations=[{"key":"sales","operator":"Exists"}]', "--set-json", 'imagePullSecrets=[{"name":"registry"}]',
  "--set", "nodeSelector.pool=sales,priorityClassName=high,podLabels.team=sales,service.annotations.a=b,ingress.className=nginx"];

// What holds of any set of objects that runs Holdfast.
function check(all) {
  for (const object of all) assert.deepEqual(flaws(object), [], `${object.kind} ${object.metadata.name}`);
  const deployment = of(all, "Deployment");
  const service = of(all, "Service");
  const { spec, metadata } = deployment.spec.template;
  const [node] = spec.containers;
  const port = node.ports.find(({ name }) => name === "http");

  const pods = all.flatMap((object) => object.kind === "Pod" ? [object.spec] : object.spec?.template?.spec ? [object.spec.template.spec] : []);
  for (const pod of pods) {
    assert.equal(pod.enableServiceLinks, false, "a service named holdfast would set HOLDFAST_PORT=tcp://… in each pod");
    assert.equal(pod.automountServiceAccountToken, false);
    assert.equal(pod.securityContext.runAsNonRoot, true);
    for (const container of [...pod.containers, ...(pod.initContainers ?? [])]) {
      assert.deepEqual(container.securityContext,
        { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } });
      assert.ok(container.resources.requests.memory && container.resources.limits.memory, container.name);
      assert.equal(container.image, `holdfast:${about.appVersion}`);
    }
  }
  for (const { name } of node.env.filter(({ name }) => name.startsWith("HOLDFAST_"))) {
    assert.ok(variables.has(name), `${name} is no option (src/cli/option_table.cc)`);
  }
  for (const probe of ["startupProbe", "readinessProbe", "livenessProbe"]) {
    const { path, port: asked } = node[probe].httpGet;
    assert.ok(operations.includes(`\`GET ${path}\``), path);
    assert.equal(asked, port.name);
  }
  // The option's default, which the container is not told otherwise.
  assert.equal(String(port.containerPort), operations.match(/\| `port` \| (\d+) \|/)[1]);
  const drain = Number(operations.match(/\| `http.drain_timeout_ms` \| (\d+) \|/)[1]) / 1000;
  assert.ok(spec.terminationGracePeriodSeconds >= Number(node.lifecycle.preStop.exec.command[1]) + drain + 7, "killed before it has stopped");

  const selects = (selector, what) => {
    for (const [key, value] of Object.entries(selector)) assert.equal(metadata.labels[key], value, `${what} selects no pod by ${key}`);
  };
  selects(deployment.spec.selector.matchLabels, "the Deployment");
  selects(service.spec.selector, "the Service");
  selects(spec.topologySpreadConstraints[0].labelSelector.matchLabels, "the topology");
  assert.equal(service.spec.ports[0].targetPort, port.name);

  const budget = of(all, "PodDisruptionBudget").spec;
  selects(budget.selector.matchLabels, "the PodDisruptionBudget");
  assert.ok(budget.maxUnavailable >= 1, "no machine could be drained");
  assert.ok(budget.maxUnavailable < deployment.spec.replicas, "nobody would be left");

  const policy = of(all, "NetworkPolicy").spec;
  selects(policy.podSelector.matchLabels, "the NetworkPolicy");
  assert.deepEqual(policy.ingress.flatMap(({ ports }) => ports), [{ port: port.containerPort, protocol: "TCP" }]);
  assert.equal(policy.policyTypes.includes("Egress"), policy.egress !== undefined);

  const account = of(all, "ServiceAccount");
  assert.equal(spec.serviceAccountName, account.metadata.name);
  assert.equal(account.automountServiceAccountToken, false);
}

// That Prometheus finds the service, may read the metrics, and calls them by the job that the alerts ask for.
function checkMonitor({ metadata, spec }, all) {
  const service = of(all, "Service");
  for (const [key, value] of Object.entries(spec.selector.matchLabels)) assert.equal(service.metadata.labels[key], value);
  assert.equal(service.metadata.labels[spec.jobLabel], "holdfast");
  assert.equal(spec.endpoints.length, 1);
  assert.ok(service.spec.ports.some(({ name }) => name === spec.endpoints[0].port), `no port ${spec.endpoints[0].port}`);
  assert.ok(operations.includes(`\`GET ${spec.endpoints[0].path}\``));
  const { type, credentials } = spec.endpoints[0].authorization;
  assert.equal(type, "Bearer");
  assert.ok(credentials.name && credentials.key, metadata.name);
}

test("the manifests are what Kubernetes takes, and fit each other and the program", () => {
  check(manifest);
  assert.deepEqual(flaws(of(monitor, "ServiceMonitor")), []);
  checkMonitor(of(monitor, "ServiceMonitor"), manifest);
});

test("the check of objects finds a misspelt member, a wrong type and a missing member", () => {
  const wrong = structuredClone(of(manifest, "Deployment"));
  wrong.spec.template.spec.enableServiceLink = false;
  wrong.spec.replicas = "three";
  delete wrong.spec.selector;
  const found = flaws(wrong).join("\n");
  for (const part of ["enableServiceLink does not exist", "replicas must be integer", "required"]) assert.ok(found.includes(part), found);
  const rule = { apiVersion: "monitoring.coreos.com/v1", kind: "PrometheusRule", metadata: { name: "x" },
    spec: { groups: [{ name: "x", rules: [{ alert: "x", expr: "up", fore: "1m" }] }] } };
  assert.deepEqual(flaws(rule), ["PrometheusRule.spec.groups[0].rules[0].fore does not exist"]);
});

test("what the manifest applies without the Prometheus operator needs no CRD of it", () => {
  for (const { apiVersion } of manifest) assert.ok(!apiVersion.startsWith("monitoring."), apiVersion);
});

test("the chart says what it is, and of which version", () => {
  assert.equal(about.apiVersion, "v2");
  assert.equal(about.name, "holdfast");
  assert.match(about.version, /^\d+\.\d+\.\d+$/);
  assert.equal(of(manifest, "Deployment").spec.template.spec.containers[0].image, `holdfast:${about.appVersion}`);
});

test("the schema knows exactly the existing values, and the defaults pass it", () => {
  const validate = new Ajv({ strict: true, allowUnionTypes: true, strictTypes: false, strictRequired: false }).compile(schema);
  assert.ok(validate(values), JSON.stringify(validate.errors));
  for (const wrong of [{ replicaCount: 0 }, { replicas: 3 }, { options: { port: "1" } }, { options: { "log.level": 1 } },
    { terminationGracePeriodSeconds: 10 }, { podDisruptionBudget: { enabled: true, maxUnavailable: 0 } }]) {
    assert.ok(!validate({ ...values, ...wrong }), JSON.stringify(wrong));
  }
  const compare = (value, part, path) => {
    if (part.additionalProperties !== false) return;
    for (const name of Object.keys(part.properties).filter((name) => !["global", "claims"].includes(name))) {
      assert.ok(name in value, `${path}${name} is in no values.yaml`);
      if (part.properties[name].type === "object") compare(value[name], part.properties[name], `${path}${name}.`);
    }
  };
  compare(values, { ...schema, properties: { ...schema.properties } }, "");
});

test("every value is used by a template, and every value that a template uses is there", () => {
  const used = new Set(Object.values(templates).flatMap((text) => [...text.matchAll(/\.Values\.([A-Za-z.]+)/g)].map(([, path]) => path)));
  for (const path of used) {
    let at = values;
    for (const name of path.split(".")) {
      assert.ok(at !== null && typeof at === "object" && name in at, `.Values.${path} is not in values.yaml`);
      at = at[name];
    }
  }
  const leaves = (value, path) => used.has(path) || value === null || typeof value !== "object" || Array.isArray(value)
    ? [path] : Object.entries(value).flatMap(([name, each]) => leaves(each, path ? `${path}.${name}` : name));
  for (const path of leaves(values, "")) assert.ok(used.has(path), `no template uses ${path}`);
});

test("templates are balanced and include only what is defined", () => {
  const defined = new Set([...templates["templates/_helpers.tpl"].matchAll(/define "([^"]+)"/g)].map(([, name]) => name));
  for (const [path, text] of Object.entries(templates)) {
    const actions = [...text.matchAll(/\{\{-?\s*(.*?)\s*-?\}\}/gs)].map(([, action]) => action);
    assert.equal(actions.length, text.split("{{").length - 1, `${path}: {{ without }}`);
    assert.equal(actions.length, text.split("}}").length - 1, `${path}: }} without {{`);
    let open = 0;
    for (const action of actions) {
      if (/^(if|with|range|define|block)\b/.test(action)) ++open;
      if (action === "end") assert.ok(--open >= 0, `${path}: an end too many`);
    }
    assert.equal(open, 0, `${path}: an end is missing`);
    for (const [, name] of text.matchAll(/include "([^"]+)"/g)) assert.ok(defined.has(name), `${path} includes ${name}`);
  }
});

test("the options of the values are options of the program, and not those that the chart sets itself", () => {
  for (const option of Object.keys(values.options)) {
    assert.ok(variables.has(`HOLDFAST_${option.toUpperCase().replaceAll(".", "_")}`), option);
  }
  const own = [...templates["templates/deployment.yaml"].matchAll(/- name: (HOLDFAST_[A-Z_]+)$/gm), ...templates["templates/_helpers.tpl"]
    .matchAll(/- name: (HOLDFAST_[A-Z_]+)$/gm)].map(([, name]) => name);
  assert.equal(own.length, 4);
  for (const name of own) {
    assert.ok(schema.properties.options.propertyNames.not.enum.some((option) => name === `HOLDFAST_${option.toUpperCase().replaceAll(".", "_")}`), name);
  }
});

test("the defaults of the chart are the manifest's", () => {
  const { spec, metadata } = of(manifest, "Deployment").spec.template;
  const [node] = spec.containers;
  const [migrate] = spec.initContainers;
  const env = Object.fromEntries(node.env.map(({ name, value, valueFrom }) => [name, value ?? valueFrom.secretKeyRef]));
  assert.equal(values.replicaCount, of(manifest, "Deployment").spec.replicas);
  assert.deepEqual(values.resources, node.resources);
  assert.deepEqual(values.migrate.resources, migrate.resources);
  assert.deepEqual(values.podSecurityContext, spec.securityContext);
  assert.deepEqual(values.securityContext, node.securityContext);
  assert.deepEqual(values.podAnnotations, metadata.annotations);
  assert.equal(values.terminationGracePeriodSeconds, spec.terminationGracePeriodSeconds);
  assert.equal(String(values.preStopSeconds), node.lifecycle.preStop.exec.command[1]);
  assert.equal(values.startupSeconds, node.startupProbe.periodSeconds * node.startupProbe.failureThreshold);
  const { topologyKey, whenUnsatisfiable } = spec.topologySpreadConstraints[0];
  assert.deepEqual(values.topologySpread, { topologyKey, whenUnsatisfiable });
  assert.equal(values.podDisruptionBudget.maxUnavailable, of(manifest, "PodDisruptionBudget").spec.maxUnavailable);
  assert.equal(values.service.port, of(manifest, "Service").spec.ports[0].port);
  const { ledger, password, lock, feed } = values.secretKeys;
  for (const [name, key] of [["HOLDFAST_LEDGER_URL", ledger], ["PGPASSWORD", password], ["HOLDFAST_LOCK_URL", lock], ["HOLDFAST_FEED_URL", feed]]) {
    assert.deepEqual(env[name], { name: values.existingSecret, key }, name);
  }
  for (const [option, value] of Object.entries(values.options)) assert.equal(env[`HOLDFAST_${option.toUpperCase().replaceAll(".", "_")}`], value);
  assert.equal(node.env.length, Object.keys(values.options).length + 5);
  const { credentials } = of(monitor, "ServiceMonitor").spec.endpoints[0].authorization;
  assert.deepEqual(credentials, { name: values.serviceMonitor.authorization.secret, key: values.serviceMonitor.authorization.key });
});

test("no default admits strangers: no anonymous calls, no trusted proxy, a limit of sessions for each address", () => {
  const { env } = of(manifest, "Deployment").spec.template.spec.containers[0];
  const inManifest = Object.fromEntries(env.map(({ name, value }) => [name, value]));
  assert.equal(inManifest.HOLDFAST_ACCESS_ANONYMOUS, "");
  assert.equal(inManifest.HOLDFAST_HTTP_TRUSTED_PROXIES, "");
  assert.ok(Number(inManifest.HOLDFAST_LIMITS_SESSIONS_PER_MINUTE_ADDRESS) > 0);
  assert.equal(values.options["access.anonymous"], "");
  assert.equal(values.options["http.trusted_proxies"], "");
  assert.ok(Number(values.options["limits.sessions_per_minute_address"]) > 0);
});

test("helm lint has nothing against the chart", needsHelm, () => {
  const out = execFileSync(helm, ["lint", "--strict", join(root, chart)], { encoding: "utf8", stdio: "pipe" });
  assert.match(out, /1 chart\(s\) linted, 0 chart\(s\) failed/);
});

test("the chart renders the manifest, and with everything on what Kubernetes takes", needsHelm, () => {
  // What helm says of itself, the order of variables and Kubernetes' own default of imagePullPolicy are no difference.
  const plain = (all) => JSON.parse(JSON.stringify(Object.fromEntries(all.map((object) => [object.kind, object])), (key, value) => {
    if (key === "imagePullPolicy" && value === "IfNotPresent") return undefined;
    if (key === "labels") return Object.fromEntries(Object.entries(value).filter(([name]) => name === "app" || name === "app.kubernetes.io/name"));
    return key === "env" ? [...value].sort((a, b) => a.name < b.name ? -1 : 1) : value;
  }));
  const rendered = render();
  check(rendered);
  assert.deepEqual(plain(rendered.filter(({ kind }) => kind !== "Pod")), plain(manifest));
  const all = render(...everything);
  check(all);
  checkMonitor(of(all, "ServiceMonitor"), all);
  assert.deepEqual(plain([of(all, "ServiceMonitor")]), plain(monitor));
  assert.equal(of(all, "Ingress").spec.rules[0].http.paths[0].backend.service.port.name, of(all, "Service").spec.ports[0].name);
  assert.deepEqual(of(all, "PrometheusRule").spec, parse(read("deploy/alerts.yml")));
});

test("values change what the chart renders", needsHelm, () => {
  const env = (all) => of(all, "Deployment").spec.template.spec.containers[0].env.map(({ name }) => name);
  const bare = render("--set", "secretKeys.password=,secretKeys.lock=,secretKeys.feed=", "--set-string", String.raw`options.ledger\.lanes=16`);
  for (const name of ["PGPASSWORD", "HOLDFAST_LOCK_URL", "HOLDFAST_FEED_URL"]) assert.ok(!env(bare).includes(name), name);
  assert.ok(env(bare).includes("HOLDFAST_LEDGER_LANES"));
  const rules = of(render("--set", "prometheusRule.enabled=true,prometheusRule.runbookBaseUrl=https://wiki.example/runbooks/"), "PrometheusRule");
  for (const { alert, annotations } of rules.spec.groups[0].rules) {
    assert.equal(annotations.runbook_url, `https://wiki.example/runbooks/${alert}.md`);
  }
  assert.equal(of(render("--set", "fullnameOverride=tickets"), "Service").metadata.name, "tickets");
  assert.deepEqual(render("--set", "serviceAccount.create=false").filter(({ kind }) => kind === "ServiceAccount"), []);
  const ingress = "ingress.enabled=true,ingress.host=tickets.example";
  for (const [wrong, why] of [["replicaCount=0", /replicaCount/], [ingress, /trusted_proxies is needed/], ["unknown=1", /unknown/]]) {
    assert.throws(() => render("--set", wrong), why);
  }
  const unlimited = ["--set-string", String.raw`options.limits\.sessions_per_minute_address=0`];
  assert.equal(of(render("--set", ingress, ...unlimited), "Ingress").spec.rules[0].host, "tickets.example");
  assert.throws(() => render("--set", "ingress.enabled=true", ...unlimited), /ingress.host is needed/);
  assert.throws(() => render("--set-string", "options.port=1"), /propertyName/);
});
