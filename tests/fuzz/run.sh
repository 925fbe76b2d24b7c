#!/usr/bin/env bash
# run.sh TARGET CORPUS GROWN FINDINGS: searches for HOLDFAST_FUZZ_SECONDS (10), beginning with the inputs in CORPUS, which stays as it is,
# and those that earlier searches have added to GROWN. An input that fails is kept in FINDINGS.
set -euo pipefail
target=$1 corpus=$2 grown=$3 findings=$4
name=$(basename -- "$target" _fuzz)
mkdir -p "$grown" "$findings"

# -timeout: seconds for one input. -rss_limit_mb: what an input may make the program take.
status=0
"$target" -max_total_time="${HOLDFAST_FUZZ_SECONDS:-10}" -timeout=10 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1 \
  -artifact_prefix="$findings/$name-" "$grown" "$corpus" || status=$?
[[ $status -ne 0 ]] || exit 0

finding=$(find "$findings" -name "$name-*" -type f -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d " " -f 2-)
[[ -z $finding ]] || printf '%s\n' "fuzz: $name fails with an input that is kept. To run it again:" "  $target $finding" \
  "Once it is mended, keep the input as a file in $corpus."
exit "$status"
