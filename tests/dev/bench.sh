#!/usr/bin/env bash
# Each benchmark installs what its build looks for: what is configured with `bench` takes the packages of `setup bench`.
set -uo pipefail
root=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.." && pwd -P)
# shellcheck source=/dev/null
source "$root/scripts/common.sh"
# shellcheck source=/dev/null
source "$root/scripts/bench.sh"

# In place of the real ones: they only note what they were called with.
cmd_setup() { printf 'setup %s\n' "$*"; }
build() { printf 'build %s\n' "$*"; }
with_services() { :; }
prepare_peers() { :; }
npm_install() { :; }
node() { :; }
exec() { exit 0; }

kinds=$(sed -n 's/^    \([a-z]*\))$/\1/p' "$root/scripts/bench.sh")
[[ $(wc -w <<<"$kinds") -ge 6 ]] || { printf 'the kinds were not found: %s\n' "$kinds" && exit 1; }
for kind in $kinds; do
  # The last line of `core` complains that it has built no program, and no program of another build may be started.
  calls=$(root=/nonexistent && cmd_bench "$kind" 2>/dev/null)
  if grep -q '^build .* bench$' <<<"$calls" && ! grep -qx 'setup bench' <<<"$calls"; then
    printf 'bench %s is configured with bench, and does not install what that takes:\n%s\n' "$kind" "$calls" && exit 1
  fi
done
