#!/usr/bin/env bash
# lifecycle.sh PACKAGE: installs the package in the Debian that this runs in, where nothing else is, and starts, upgrades, removes, installs
# again and purges it. Data survive each of these, and what an administrator changed in the configuration survives an upgrade.
set -euo pipefail

readonly config=/etc/holdfast/holdfast.toml
readonly data=/var/lib/holdfast
readonly seat=550e8400-e29b-41d4-a716-446655440002
package=$(readlink -f -- "$1")
work=$(mktemp -d)
chmod 755 "$work"   # the service's user reads the plan in it
plan=$work/plan.json
cp -- "$(dirname -- "${BASH_SOURCE[0]}")/../../venues/theatre.seating-plan.json" "$plan"
server=""
port=50002

say() { printf 'package: %s\n' "$*" >&2; }
fail() {
  printf 'package: %s\n' "$@" >&2
  exit 1
}
trap '[[ -z $server ]] || kill "$server"' EXIT

export DEBIAN_FRONTEND=noninteractive
apt() { apt-get -qq -y -o Dpkg::Use-Pty=0 "$@" >"$work/apt.log" 2>&1 </dev/null || { cat "$work/apt.log" >&2 && fail "apt-get $* failed"; }; }

# is WHAT EXPECTED GOT
is() { [[ $2 == "$3" ]] || fail "$1 should be '$2' and is '$3'"; }

# start: as the unit says, by hand, because no systemd runs here. Also as it says, one that ends is started again: a client of somebody else's
# may have been given its port for a moment.
start() {
  local unit user command tries starts
  unit=$(dpkg -L holdfast | grep '/holdfast\.service$')
  user=$(sed -n 's/^User=//p' "$unit")
  command=$(sed -n 's/^ExecStart=//p' "$unit")
  for ((starts = 0; starts < 10; starts++)); do
    # shellcheck disable=SC2086  # words
    setpriv --reuid "$user" --regid "$user" --init-groups -- $command >>"$work/log" 2>&1 </dev/null &
    server=$!
    for ((tries = 0; tries < 300; tries++)); do
      ! curl -fs -o /dev/null "http://127.0.0.1:$port/readyz" || return 0
      kill -0 "$server" 2>/dev/null || break
      sleep 0.1
    done
    grep -q "Address already in use" "$work/log" || break
    sleep 1   # RestartSec
  done
  server=""
  cat "$work/log" >&2
  fail "the service does not answer on port $port"
}

stop() {
  local status=0
  kill -TERM "$server"
  wait "$server" || status=$?
  server=""
  is "the server's status at its end" 0 "$status"
}

seat_state() { curl -fsS "http://127.0.0.1:$port/v1/seats/$seat" | grep -o '"state":"[a-z]*"'; }

# repack VERSION COMMENT: the same package with another version, and with a comment more in its configuration.
repack() {
  local folder=$work/$1
  dpkg-deb --raw-extract "$package" "$folder"
  sed -i "s/^Version: .*/Version: $1/" "$folder/DEBIAN/control"
  [[ -z $2 ]] || printf '# %s\n' "$2" >>"$folder/$config"
  (cd "$folder" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | xargs -0 md5sum >DEBIAN/md5sums)
  dpkg-deb --root-owner-group --build "$folder" "$work/$1.deb" >/dev/null
}

apt update
apt install --no-install-recommends curl dpkg-dev lintian systemd mandoc bsdextrautils bash-completion
version=$(dpkg-deb --field "$package" Version)

say "lintian"
lintian --fail-on error "$package"

say "install $version"
apt install --no-install-recommends "$package"
holdfast --version
is "the owner and rights of $config" "root:holdfast 640" "$(stat -c '%U:%G %a' "$config")"
is "the owner and rights of $data" "holdfast:holdfast 750" "$(stat -c '%U:%G %a' "$data")"
[[ -L /etc/systemd/system/multi-user.target.wants/holdfast.service ]] || fail "the service is not enabled"
mandoc -T ascii "$(dpkg -L holdfast | grep '/holdfast\.1\.gz$')" | col -b >"$work/manual"
grep -q -- --http-body-bytes-max "$work/manual" || fail "the manual page has no options"
bash -c "source /usr/share/bash-completion/bash_completion; source \"\$1\"; complete -p holdfast" sh \
  /usr/share/bash-completion/completions/holdfast >/dev/null
unit=$(dpkg -L holdfast | grep '/holdfast\.service$')
systemd-analyze verify "$unit"
systemd-analyze security --offline=true --threshold=30 "$unit" >"$work/security" 2>&1 || { cat "$work/security" >&2 && fail "the unit is not confined enough"; }

say "start, import, hold"
setpriv --reuid holdfast --regid holdfast --init-groups -- holdfast import --data "$data" --name "An Evening" --keep-ids "$plan"
start
curl -fsS -o "$work/held" "http://127.0.0.1:$port/reservations" -H 'Content-Type: application/json' -d "{\"seatId\": \"$seat\", \"customerId\": \"c\"}"
is "the seat" '"state":"held"' "$(seat_state)"
stop

say "upgrade, with a configuration of one's own"
port=25002
sed -i "1i port = $port" "$config"
repack "$version.1" ""
apt install "$work/$version.1.deb"
is "the version" "$version.1" "$(dpkg-query -W -f '${Version}' holdfast)"
is "the first line of $config" "port = $port" "$(head -n 1 "$config")"
start
is "the seat" '"state":"held"' "$(seat_state)"
stop

say "upgrade to a package with another configuration"
repack "$version.2" "new in this version"
apt install -o Dpkg::Options::=--force-confold "$work/$version.2.deb"
is "the first line of $config" "port = $port" "$(head -n 1 "$config")"
grep -q '^# new in this version$' "$config.dpkg-dist" || fail "the new configuration is not beside the old one"
is "the owner and rights of $config" "root:holdfast 640" "$(stat -c '%U:%G %a' "$config")"

say "remove, and install again"
apt remove holdfast
[[ ! -e /usr/bin/holdfast ]] || fail "the program is still there"
[[ -e $config && -e $data/journal.db ]] || fail "the configuration or the data are gone"
apt install --no-install-recommends --allow-downgrades -o Dpkg::Options::=--force-confold "$package"
start
is "the seat" '"state":"held"' "$(seat_state)"
stop

say "purge"
apt purge holdfast
grep -q "the data in $data are kept" "$work/apt.log" || fail "nobody said that the data are kept"
[[ ! -e $config && ! -e /usr/bin/holdfast ]] || fail "the configuration or the program is still there"
[[ -e $data/journal.db ]] || fail "the data are gone"
[[ -z $(find /etc/systemd -name 'holdfast*' -print -quit) ]] || fail "links to the unit are still there"
say "installed, started, upgraded, removed and purged"
