// The series of GET /v1/operations/series as the desk keeps it: new intervals are appended, the oldest are dropped.
import type { Series } from "@holdfast/client";

export type Columns = Omit<Series, "resolution" | "startedAt" | "asOf" | "at"> & { ends: number[] };

export interface Sale {
  startedAt: string;
  asOf: string;
  /** The last of `at`, to ask from. */
  last: string | null;
  columns: Columns;
}

const add = <Value>(before: readonly Value[], more: readonly Value[], drop: number): Value[] => [...before, ...more].slice(drop);

function addAll<Key extends string, Value>(before: Record<Key, Value[]>, more: Record<Key, Value[]>, drop: number): Record<Key, Value[]> {
  const sum = { ...before };
  for (const key of Object.keys(more) as Key[]) sum[key] = add(before[key], more[key], drop);
  return sum;
}

/** The server names only codes that occurred. A missing code counts as zero. */
function addRefusals(before: Columns, more: Series, drop: number): Record<string, number[]> {
  const sum: Record<string, number[]> = {};
  const zeros = (n: number) => new Array<number>(n).fill(0);
  for (const code of new Set([...Object.keys(before.refusals), ...Object.keys(more.refusals)])) {
    const column = add(before.refusals[code] ?? zeros(before.ends.length), more.refusals[code] ?? zeros(more.at.length), drop);
    if (column.some((count) => count > 0)) sum[code] = column;
  }
  return sum;
}

const none: Columns = {
  ends: [],
  seconds: [],
  changes: { held: [], seats_added: [], extended: [], released: [], consumed: [], expired: [], returned: [], blocked: [], unblocked: [] },
  seats: { held: [], seats_added: [], released: [], consumed: [], expired: [], returned: [], blocked: [], unblocked: [] },
  refusals: {},
  failures: [],
  commands: { count: [], p50Ms: [], p99Ms: [], maxMs: [] },
  reads: { count: [], p50Ms: [], p99Ms: [], maxMs: [] },
  commits: { count: [], p50Ms: [], p99Ms: [], maxMs: [] },
  rounds: [],
  roundCommands: [],
  queuedMax: [],
};

/** `before`: the history so far. It is dropped if the server has restarted since. */
export function joined(before: Sale | null, more: Series, kept: number): Sale {
  const base = before !== null && before.startedAt === more.startedAt ? before.columns : none;
  const drop = Math.max(0, base.ends.length + more.at.length - kept);
  const columns: Columns = {
    ends: add(base.ends, more.at.map((time) => Date.parse(time) / 1_000), drop),
    seconds: add(base.seconds, more.seconds, drop),
    changes: addAll(base.changes, more.changes, drop),
    seats: addAll(base.seats, more.seats, drop),
    refusals: addRefusals(base, more, drop),
    failures: add(base.failures, more.failures, drop),
    commands: addDurations(base.commands, more.commands, drop),
    reads: addDurations(base.reads, more.reads, drop),
    commits: addDurations(base.commits, more.commits, drop),
    rounds: add(base.rounds, more.rounds, drop),
    roundCommands: add(base.roundCommands, more.roundCommands, drop),
    queuedMax: add(base.queuedMax, more.queuedMax, drop),
  };
  return { startedAt: more.startedAt, asOf: more.asOf, last: more.at.at(-1) ?? (base === none ? null : (before?.last ?? null)), columns };
}

function addDurations(before: Series["commands"], more: Series["commands"], drop: number): Series["commands"] {
  return {
    count: add(before.count, more.count, drop),
    p50Ms: add(before.p50Ms, more.p50Ms, drop),
    p99Ms: add(before.p99Ms, more.p99Ms, drop),
    maxMs: add(before.maxMs, more.maxMs, drop),
  };
}

/** The sum of the last intervals that together cover `seconds`. */
export function sumOfLast(columns: Columns, column: readonly number[], seconds: number): number {
  const from = (columns.ends.at(-1) ?? 0) - seconds;
  let sum = 0;
  for (let i = columns.ends.length - 1; i >= 0 && (columns.ends[i] ?? 0) > from; --i) sum += column[i] ?? 0;
  return sum;
}

/** The highest of the last intervals that together cover `seconds`; null: nothing was measured. */
export function highestOfLast(columns: Columns, column: readonly (number | null)[], seconds: number): number | null {
  const from = (columns.ends.at(-1) ?? 0) - seconds;
  let highest: number | null = null;
  for (let i = columns.ends.length - 1; i >= 0 && (columns.ends[i] ?? 0) > from; --i) {
    const value = column[i] ?? null;
    if (value !== null && (highest === null || value > highest)) highest = value;
  }
  return highest;
}
