#!/usr/bin/env bash
# check.sh CHECKER FOLDER [ARGUMENT…]: checks all histories of a folder. Status 77: there is no checker; its own test says why.
set -euo pipefail
[[ $# -ge 2 ]] || { printf 'usage: %s CHECKER FOLDER [ARGUMENT…]\n' "$0" >&2 && exit 2; }
checker=$1 folder=$2
shift 2
[[ -x $checker ]] || { printf 'skipped: the checker was not built; linearizability.the_checker_finds_what_is_wrong says why\n' && exit 77; }

shopt -s nullglob
histories=("$folder"/*.jsonl)
[[ ${#histories[@]} -gt 0 ]] || { printf 'there is no history in %s\n' "$folder" >&2 && exit 1; }
exec "$checker" "$@" "${histories[@]}"
