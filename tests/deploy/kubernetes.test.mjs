// deploy/kubernetes/: objects that Kubernetes takes, and options that the program has.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import { operations, read, variables } from "./files.mjs";
import { flaws } from "./schemas.mjs";

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
      assert.equal(container.image, "holdfast:0.2.0");
    }
  }
  for (const { name } of node.env.filter(({ name }) => name.startsWith("HOLDFAST_"))) {
    assert.ok(variables.has(name), `${name} is no option (src/cli/options.cc)`);
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
  assert.deepEqual(policy.ingress.flatMap(({ ports }) => ports), [{ port: port.name, protocol: "TCP" }]);
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
