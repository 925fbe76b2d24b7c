// deploy/alerts.yml: each alert fires on what it is for and on nothing else, and has a page that helps.
//
// That alerts fire is tested by `promtool test rules`, if promtool (of Debian's package prometheus) is on PATH or in build/tools; without it
// these tests are skipped, and the others stay.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parse, stringify } from "yaml";
import { list, metricsIn, operations, read, root, tool } from "./files.mjs";

const alerts = parse(read("deploy/alerts.yml")).groups.flatMap(({ rules }) => rules);
const names = alerts.map(({ alert }) => alert);

const promtool = tool("promtool");
const needsPromtool = { skip: promtool === undefined && "there is no promtool; Debian has it in the package prometheus" };

// Of each alert: series on which it fires after 15 minutes, with which labels, and sets of series on which it does not. A sample each 15 s.
const a = 'instance="a"';
const count = (labels) => `holdfast_http_request_duration_seconds_count{${a},${labels}}`;
const answered = (endpoint, within) => ({
  [`holdfast_http_request_duration_seconds_bucket{${a},outcome="accepted",endpoint="${endpoint}",le="0.5"}`]: `0+${within}x80`,
  [`holdfast_http_request_duration_seconds_bucket{${a},outcome="accepted",endpoint="${endpoint}",le="1"}`]: "0+100x80",
  [`holdfast_http_request_duration_seconds_bucket{${a},outcome="accepted",endpoint="${endpoint}",le="+Inf"}`]: "0+100x80",
  [count(`outcome="accepted",endpoint="${endpoint}"`)]: "0+100x80",
});
const cases = {
  HoldfastDown: {
    fires: { [`up{job="holdfast",${a}}`]: "0x80" }, labels: { job: "holdfast", instance: "a" },
    quiet: [{ [`up{job="holdfast",${a}}`]: "1x80" }, { [`up{job="another",${a}}`]: "0x80" }],
  },
  HoldfastMissing: {
    fires: { 'up{job="another"}': "1x80" }, labels: { job: "holdfast" },
    quiet: [{ [`up{job="holdfast",${a}}`]: "0x80" }],
  },
  HoldfastNotReady: {
    fires: { [`holdfast_readiness{${a},state="not_ready"}`]: "1x80" }, labels: { instance: "a", state: "not_ready" },
    quiet: [{ [`holdfast_readiness{${a},state="not_ready"}`]: "0x80" }, { [`holdfast_readiness{${a},state="degraded"}`]: "1x80" },
      { [`holdfast_readiness{${a},state="not_ready"}`]: "0x59 1x20" }],
  },
  HoldfastDegraded: {
    fires: { [`holdfast_readiness{${a},state="degraded"}`]: "1x80" }, labels: { instance: "a", state: "degraded" },
    quiet: [{ [`holdfast_readiness{${a},state="ready"}`]: "1x80", [`holdfast_readiness{${a},state="degraded"}`]: "0x80" }],
  },
  HoldfastFailedCommits: {
    fires: { [`holdfast_failed_commits_total{${a}}`]: "0x50 1x30" }, labels: { instance: "a" },
    quiet: [{ [`holdfast_failed_commits_total{${a}}`]: "7x80" }],
  },
  HoldfastQueueGrows: {
    fires: { [`holdfast_queue_depth{${a}}`]: "16000x80" }, labels: { instance: "a" },
    quiet: [{ [`holdfast_queue_depth{${a}}`]: "14000x80" }],
  },
  HoldfastKeysRefused: {
    fires: { [`holdfast_idempotency_keys_refused_total{${a},from="caller"}`]: "0x50 3x30" }, labels: { instance: "a", from: "caller" },
    quiet: [{ [`holdfast_idempotency_keys_refused_total{${a},from="caller"}`]: "3x80" },
      { [`holdfast_idempotency_keys_refused_total{${a},from="stranger"}`]: "0+3x80" }],
  },
  HoldfastFails: {
    fires: { [count('outcome="failed",endpoint="POST /reservations"')]: "0+30x80" }, labels: { instance: "a" },
    // A series appears with its first request.
    also: [{ [count('outcome="failed",endpoint="POST /reservations"')]: "_x40 30+30x40" }],
    quiet: [{ [count('outcome="failed",endpoint="POST /reservations"')]: "0+10x80" },
      { [count('outcome="refused",endpoint="POST /reservations"')]: "0+30x80" }],
  },
  HoldfastSlow: {
    fires: answered("POST /reservations", 90), labels: { instance: "a" },
    quiet: [answered("POST /reservations", 100), answered("GET /v1/changes", 0), answered("GET /v1/events/{}/live", 0), answered("POST /v1/events", 0),
      Object.fromEntries(Object.entries(answered("POST /reservations", 90)).map(([series]) => [series, series.includes("0.5") ? "0+1x80" : "0+10x80"]))],
  },
  HoldfastLockAway: {
    fires: { [`holdfast_lock_state{${a},state="up"}`]: "0x80" }, labels: { instance: "a", state: "up" },
    quiet: [{ [`holdfast_lock_state{${a},state="up"}`]: "1x80", [`holdfast_lock_state{${a},state="away"}`]: "0x80" }],
  },
  HoldfastFeedBehind: {
    fires: { [`holdfast_feed_lag_seconds{${a}}`]: "40x80", 'holdfast_feed_lag_seconds{instance="b"}': "0x80" }, labels: {},
    quiet: [{ [`holdfast_feed_lag_seconds{${a}}`]: "20x80" }],
  },
  HoldfastNobodyPublishes: {
    fires: { [`holdfast_feed_publishing{${a}}`]: "0x80", 'holdfast_feed_publishing{instance="b"}': "0x80" }, labels: {},
    quiet: [{ [`holdfast_feed_publishing{${a}}`]: "0x80", 'holdfast_feed_publishing{instance="b"}': "1x80" }, { [`holdfast_queue_depth{${a}}`]: "0x80" }],
  },
  HoldfastFeedLostChanges: {
    fires: { [`holdfast_feed_lost_changes_total{${a}}`]: "0x50 9x30" }, labels: { instance: "a" },
    quiet: [{ [`holdfast_feed_lost_changes_total{${a}}`]: "9x80" }],
  },
  HoldfastPaymentsWait: {
    fires: { [`holdfast_feed_payments_oldest_pending_seconds{${a}}`]: "90x80", 'holdfast_feed_payments_oldest_pending_seconds{instance="b"}': "0x80" }, labels: {},
    quiet: [{ [`holdfast_feed_payments_oldest_pending_seconds{${a}}`]: "30x80" }],
  },
  HoldfastSeatsWait: {
    fires: { [`holdfast_feed_seats_oldest_pending_seconds{${a}}`]: "700x80", 'holdfast_feed_seats_oldest_pending_seconds{instance="b"}': "0x80" }, labels: {},
    quiet: [{ [`holdfast_feed_seats_oldest_pending_seconds{${a}}`]: "90x80" }],
  },
  HoldfastSeatsAreDeadLetter: {
    fires: { [`holdfast_feed_seat_parts_total{${a},outcome="dead_letter"}`]: "0x50 1x30" }, labels: {},
    quiet: [{ [`holdfast_feed_seat_parts_total{${a},outcome="skipped"}`]: "0+1x80" }],
  },
  HoldfastEventLeftOut: {
    fires: { [`holdfast_feed_events_held_back{${a}}`]: "1x80" }, labels: {},
    also: [{ [`holdfast_webhook_events_held_back{${a}}`]: "1x80", [`holdfast_feed_events_held_back{${a}}`]: "0x80" },
      { [`holdfast_postgresql_events_left_out{${a}}`]: "2x80" }],
    quiet: [{ [`holdfast_feed_events_held_back{${a}}`]: "0x80", [`holdfast_postgresql_events_left_out{${a}}`]: "0x80" },
      { [`holdfast_postgresql_events_left_out{${a}}`]: "0x58 1x22" }],
  },
  HoldfastPaymentIsDeadLetter: {
    fires: { [`holdfast_feed_payments_total{${a},outcome="dead_letter"}`]: "0x50 1x30" }, labels: {},
    quiet: [{ [`holdfast_feed_payments_total{${a},outcome="rejected"}`]: "0+1x80" }],
  },
  HoldfastWebhookDead: {
    fires: { [`holdfast_webhook_dead{${a},endpoint="w"}`]: "3x80", 'holdfast_webhook_dead{instance="b",endpoint="w"}': "3x80" }, labels: { endpoint: "w" },
    quiet: [{ [`holdfast_webhook_dead{${a},endpoint="w"}`]: "0x80" }],
  },
  HoldfastWebhookBehind: {
    fires: { [`holdfast_webhook_lag_changes{${a},endpoint="w"}`]: "20000x80" }, labels: { endpoint: "w" },
    quiet: [{ [`holdfast_webhook_lag_changes{${a},endpoint="w"}`]: "9000x80" }],
  },
  HoldfastNobodyDelivers: {
    fires: { [`holdfast_webhook_relaying{${a}}`]: "0x80" }, labels: {},
    quiet: [{ [`holdfast_webhook_relaying{${a}}`]: "0x80", 'holdfast_webhook_relaying{instance="b"}': "1x80" }],
  },
  HoldfastStateBehind: {
    fires: { [`holdfast_state_rows_behind{${a}}`]: "20000x80", [`holdfast_state_follows{${a}}`]: "1x80" }, labels: { instance: "a" },
    also: [{ [`holdfast_state_rows_behind{${a}}`]: "5x80", [`holdfast_state_follows{${a}}`]: "0x80" }],
    quiet: [{ [`holdfast_state_rows_behind{${a}}`]: "9000x80", [`holdfast_state_follows{${a}}`]: "1x80" },
      { [`holdfast_state_rows_behind{${a}}`]: "20000x80", [`holdfast_postgresql_projection_seconds_behind{${a}}`]: "1x80" }],
  },
  HoldfastPostgresqlAway: {
    fires: { [`holdfast_postgresql_batches_total{${a},result="unavailable"}`]: "0+5x80" }, labels: { instance: "a", result: "unavailable" },
    quiet: [{ [`holdfast_postgresql_batches_total{${a},result="written"}`]: "0+5x80" }],
  },
  HoldfastTablesBehind: {
    fires: { [`holdfast_postgresql_projection_seconds_behind{${a}}`]: "11x80" }, labels: {},
    quiet: [{ [`holdfast_postgresql_projection_seconds_behind{${a}}`]: "9x80" }],
  },
  HoldfastEventDamaged: {
    fires: { [`holdfast_postgresql_events_damaged{${a}}`]: "1x80" }, labels: {},
    quiet: [{ [`holdfast_postgresql_events_damaged{${a}}`]: "0x80" }],
  },
  HoldfastHistoryChanged: {
    fires: { [`holdfast_postgresql_histories_changed_total{${a}}`]: "0x50 1x30" }, labels: { instance: "a" },
    quiet: [{ [`holdfast_postgresql_histories_changed_total{${a}}`]: "1x80" }],
  },
};

// An alert's annotations as they are for these labels.
function annotationsOf({ annotations }, labels) {
  return Object.fromEntries(Object.entries(annotations).map(([name, text]) => [name, text.replace(/\{\{ \$labels\.(\w+) \}\}/g, (_, label) => labels[label])]));
}

function promtoolTests() {
  return alerts.flatMap((rule) => {
    const { fires, also = [], quiet, labels } = cases[rule.alert];
    const expected = [{ exp_labels: { ...rule.labels, ...labels }, exp_annotations: annotationsOf(rule, labels) }];
    return [[fires, expected], ...also.map((series) => [series, expected]), ...quiet.map((series) => [series, []])].map(([series, exp_alerts]) => ({
      interval: "15s",
      input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
      alert_rule_test: [{ eval_time: "15m", alertname: rule.alert, exp_alerts }],
    }));
  });
}

test("every alert has a severity, a summary, and names only labels that it keeps", () => {
  assert.equal(new Set(names).size, names.length);
  for (const { alert, labels, annotations } of alerts) {
    assert.ok(["page", "look"].includes(labels.severity), alert);
    assert.ok(annotations.summary.length > 10, alert);
    assert.ok(alert in cases, `${alert} has no series to fire on`);
    for (const [, label] of annotations.summary.matchAll(/\$labels\.(\w+)/g)) assert.ok(label in cases[alert].labels, `${alert} has no label ${label}`);
  }
  assert.deepEqual(Object.keys(cases).filter((name) => !names.includes(name)), []);
});

test("the alerts of Prometheus and of the chart are the same", () => {
  assert.equal(read("deploy/alerts.yml"), read("deploy/helm/holdfast/files/alerts.yml"), "deploy/alerts.yml is a link to the chart's file");
});

test("every metric of the alerts is exported and documented", () => {
  const used = metricsIn(alerts.map(({ expr }) => expr).join(" "));
  assert.ok(used.size > 15, [...used.keys()].join(" "));
  for (const flaw of used.values()) assert.equal(flaw, "");
});

test("every alert has a page in docs/runbooks/, and every page an alert", () => {
  for (const { alert, annotations } of alerts) {
    assert.equal(annotations.runbook_url, `docs/runbooks/${alert}.md`);
    const page = read(annotations.runbook_url);
    assert.ok(page.startsWith(`# ${alert}\n`), alert);
    const headings = [...page.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading);
    assert.deepEqual(headings, ["Meaning", "Impact", "First look", "What to do", "When it is over"], alert);
  }
  const pages = list("docs/runbooks").filter((name) => name !== "README.md");
  assert.deepEqual(pages.sort(), names.map((name) => `${name}.md`).sort());
  const index = read("docs/runbooks/README.md");
  for (const { alert, labels } of alerts) assert.match(index, new RegExp(`\\[${alert}\\]\\(${alert}\\.md\\) \\| ${labels.severity} \\|`));
  assert.ok(operations.includes("runbooks/README.md"));
});

test("metrics, commands and links on the pages exist", () => {
  const commands = new Set([...read("src/cli/command_line.cc").matchAll(/[(,] ?"([a-z]+)",\s*"[A-Z]/g)].map(([, name]) => name));
  assert.ok(commands.size > 5, [...commands].join(" "));
  const seen = { metrics: 0, commands: 0, links: 0 };
  for (const name of list("docs/runbooks")) {
    const page = read(`docs/runbooks/${name}`);
    for (const flaw of metricsIn(page).values()) {
      assert.equal(flaw, "", name);
      ++seen.metrics;
    }
    for (const [, command] of page.matchAll(/(?:^|`)holdfast ([a-z]+)/gm)) {
      assert.ok(commands.has(command), `${name}: holdfast ${command}`);
      ++seen.commands;
    }
    for (const [, path, anchor] of page.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)) {
      const target = read(path === "" ? `docs/runbooks/${name}` : join("docs/runbooks", path));
      const anchors = [...target.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading.toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(" ", "-"));
      if (anchor) assert.ok(anchors.includes(anchor), `${name}: ${path}#${anchor}`);
      ++seen.links;
    }
  }
  assert.ok(seen.metrics > 20 && seen.commands > 5 && seen.links > 20, JSON.stringify(seen));
});

test("promtool takes the rules, and each alert fires on what it is for only", needsPromtool, () => {
  const rules = join(root, "deploy/alerts.yml");
  assert.match(execFileSync(promtool, ["check", "rules", rules], { encoding: "utf8", stdio: "pipe" }), new RegExp(`${alerts.length} rules found`));
  const folder = mkdtempSync(join(tmpdir(), "holdfast-alerts-"));
  try {
    const file = join(folder, "tests.yml");
    writeFileSync(file, stringify({ rule_files: [rules], evaluation_interval: "15s", tests: promtoolTests() }, { aliasDuplicateObjects: false }));
    execFileSync(promtool, ["test", "rules", file], { encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    assert.fail(`${error.stdout}\n${error.stderr}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
