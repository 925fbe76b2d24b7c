// The time that numbers are as of, or since when there are no newer ones. It always takes its place, so nothing moves when it changes.
import { clock } from "./format";
import type { Reading } from "./polling";
import { t } from "./texts";

export function AsOf<Value>({ reading, of }: { reading: Reading<Value>; of: string | null }) {
  if (reading.failingSince !== null) return <span class="as-of late numbers">{t.value.late(clock(reading.failingSince))}</span>;
  return <span class="as-of numbers">{of ?? t.value.loading}</span>;
}
