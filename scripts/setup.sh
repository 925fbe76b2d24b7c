# shellcheck shell=bash
# ./dev setup: the packages that building, testing, measuring and running take, all from Debian 12.

readonly build_packages=(
  clang-19 clang-tidy-19 clang-format-19 libclang-rt-19-dev llvm-19
  cmake ninja-build ccache mold pkg-config
  libboost1.81-dev libsqlite3-dev sqlite3 libxxhash-dev libssl-dev zlib1g-dev
  libspdlog-dev libfmt-dev libcli11-dev libtomlplusplus-dev libyaml-cpp-dev prometheus-cpp-dev
  libgtest-dev libgmock-dev librapidcheck-dev libbenchmark-dev
  libpq-dev libhiredis-dev librdkafka-dev
  git ca-certificates curl
)
readonly test_packages=(redis-server redis-tools haproxy faketime)
readonly bench_packages=(wrk)
readonly browser_packages=(chromium)   # for the tests and the benchmark of the pages

# Packages whose installation would start a service, with the name of the service.
declare -rA service_of=([redis-server]=redis-server [nginx-light]=nginx [postgresql]=postgresql [haproxy]=haproxy)

# missing_packages NAME…: those that are not installed, one a line. Asks dpkg's local database only: no network, no root.
missing_packages() {
  local installed name
  installed=$(dpkg-query -W -f='${db:Status-Abbrev}${Package}\n' "$@" 2>/dev/null | sed -n 's/^.i //p') || true
  for name in "$@"; do
    [[ $'\n'$installed$'\n' == *$'\n'"$name"$'\n'* ]] || printf '%s\n' "$name"
  done
}

cmd_setup() {
  local wanted=("${build_packages[@]}") missing=() system
  case ${1:-} in
    "") ;;
    test) want_servers ;;
    bench)
      want_servers
      wanted+=("${bench_packages[@]}")
      command -v nginx >/dev/null || wanted+=(nginx-light)   # any of Debian's nginx packages will do
      ;;
    browser) wanted+=("${browser_packages[@]}") ;;
    *) fail "setup takes no argument, 'test', 'bench' or 'browser', not '$1'" ;;
  esac

  # Any Node.js from 18.19 on will do, whoever installed it (scripts/node.sh).
  command -v node >/dev/null && command -v npm >/dev/null || wanted+=(nodejs npm)

  # shellcheck source=/dev/null
  system=$(. /etc/os-release 2>/dev/null && printf '%s %s' "${ID:-unknown}" "${VERSION_ID:-}") || system="an unknown system"
  if [[ $system != "debian 12" ]]; then
    say "dev: this is $system; Holdfast is built and tested on Debian 12. Going on."
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
      say "dev: without apt, install by hand what these packages of Debian hold: ${wanted[*]}"
      return 0
    fi
  fi

  mapfile -t missing < <(missing_packages "${wanted[@]}")
  [[ ${#missing[@]} -gt 0 ]] || return 0
  install_packages "${missing[@]}"
}

# want_servers: adds to `wanted` what the tests take beside the build. Whoever has PostgreSQL, Java or Maven already keeps theirs:
# a second PostgreSQL would meddle with the first one's service.
want_servers() {
  wanted+=("${test_packages[@]}")
  [[ -n $(postgresql_programs) ]] || wanted+=(postgresql)
  command -v java >/dev/null || wanted+=(openjdk-17-jre-headless)
  command -v mvn >/dev/null || wanted+=(maven)
}

# postgresql_programs: the folder of the newest PostgreSQL server on this machine; nothing when there is none.
postgresql_programs() {
  local found
  found=$(find /usr/lib/postgresql/*/bin -maxdepth 1 -name postgres 2>/dev/null | sort -V | tail -n 1)
  [[ -n $found ]] || found=$(command -v postgres || true)
  [[ -z $found ]] || dirname -- "$(readlink -f -- "$found")"
}

install_packages() {
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300)
  local by_hand="apt-get update && apt-get install --no-install-recommends $*" name
  if [[ $(id -u) -ne 0 ]] && ! command -v sudo >/dev/null; then
    fail "packages are missing, and installing them needs root or sudo. As root: $by_hand"
  fi
  say "dev: installing $# package(s) that are missing (a few minutes the first time): $*"

  # One source that does not answer need not matter: the install says whether it does.
  as_root "${apt[@]}" update >&2 </dev/null || say "dev: apt-get update failed (see above), going on with the package lists that are here"

  # In a subshell, so that its trap puts back what it changed, whatever happens.
  (
    trap 'allow_services; allow_main_cluster' EXIT
    trap 'exit 130' INT TERM
    [[ " $* " != *" postgresql "* ]] || forbid_main_cluster
    for name in "$@"; do
      [[ -z ${service_of[$name]:-} ]] || { forbid_services; break; }
    done
    as_root "${apt[@]}" install --no-install-recommends "$@" >&2 </dev/null
  ) || fail \
    "apt-get install failed (see above). These packages were wanted: $*" \
    "Check the network, /etc/apt/sources.list and what it names, then start again, or run as root: $by_hand"

  # Debian enables a service that it installs. Tests and benchmarks start their own, so the machine's next start shall not.
  for name in "$@"; do
    if [[ -n ${service_of[$name]:-} ]] && command -v systemctl >/dev/null; then
      as_root systemctl disable --quiet "${service_of[$name]}" 2>/dev/null || true
    fi
  done
}

# Debian asks policy-rc.d before it starts a service that it has just installed; 101 means no. One that the machine has already
# steps aside for the duration.
readonly policy=/usr/sbin/policy-rc.d
readonly policy_saved=/usr/sbin/policy-rc.d.before-holdfast
readonly policy_mark="Put here by ./dev setup of Holdfast while it installs"

forbid_services() {
  [[ ! -e $policy || -e $policy_saved ]] || as_root mv "$policy" "$policy_saved"
  # shellcheck disable=SC2016  # the inner shell's arguments
  as_root sh -c 'printf "%s\n" "#!/bin/sh" "$2" "exit 101" >"$1" && chmod 755 "$1"' sh "$policy" "# $policy_mark; may be removed."
}

allow_services() {
  if grep -qsF "$policy_mark" "$policy"; then
    as_root rm -f "$policy"
  fi
  if [[ -e $policy_saved ]]; then
    as_root mv "$policy_saved" "$policy"
  fi
}

# Debian's PostgreSQL makes a cluster of its own when it is installed, unless this file says no. One that the machine has already steps
# aside for the duration; where there was none, the package's own takes the place of ours.
readonly clusters=/etc/postgresql-common/createcluster.conf
readonly clusters_saved=$clusters.before-holdfast
readonly clusters_default=/usr/share/postgresql-common/createcluster.conf

forbid_main_cluster() {
  [[ ! -e $clusters || -e $clusters_saved ]] || as_root mv "$clusters" "$clusters_saved"
  # shellcheck disable=SC2016  # the inner shell's arguments
  as_root sh -c 'mkdir -p "${1%/*}" && printf "%s\n" "# $2; may be removed." "create_main_cluster = false" >"$1"' sh "$clusters" "$policy_mark"
}

allow_main_cluster() {
  grep -qsF "$policy_mark" "$clusters" || return 0
  if [[ -e $clusters_saved ]]; then
    as_root mv "$clusters_saved" "$clusters"
  elif [[ -e $clusters_default ]]; then
    as_root cp "$clusters_default" "$clusters"
  else
    as_root rm -f "$clusters"
  fi
}
