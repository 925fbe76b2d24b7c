# shellcheck shell=bash
# ./dev setup: the packages that building, testing and running take, all from Debian 12.

readonly build_packages=(
  clang-19 clang-tidy-19 clang-format-19 libclang-rt-19-dev llvm-19
  cmake ninja-build ccache mold pkg-config
  libboost1.81-dev libsqlite3-dev sqlite3 libxxhash-dev libssl-dev zlib1g-dev
  libspdlog-dev libfmt-dev libcli11-dev libtomlplusplus-dev libyaml-cpp-dev prometheus-cpp-dev
  libgtest-dev libgmock-dev librapidcheck-dev libbenchmark-dev
  git ca-certificates curl
)
readonly bench_packages=(redis-server redis-tools wrk)
readonly browser_packages=(chromium)   # for the tests and the benchmark of the pages

# Packages whose installation would start a service, with the name of the service.
declare -rA service_of=([redis-server]=redis-server [nginx-light]=nginx)

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
  if [[ ${1:-} == bench ]]; then
    wanted+=("${bench_packages[@]}")
    command -v nginx >/dev/null || wanted+=(nginx-light)   # any of Debian's nginx packages will do
  elif [[ ${1:-} == browser ]]; then
    wanted+=("${browser_packages[@]}")
  elif [[ $# -gt 0 ]]; then
    fail "setup takes no argument, 'bench' or 'browser', not '$1'"
  fi

  # Any Node.js from 18 on will do, whoever installed it.
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

install_packages() {
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300)
  local by_hand="apt-get update && apt-get install --no-install-recommends $*" name
  if [[ $(id -u) -ne 0 ]] && ! command -v sudo >/dev/null; then
    fail "packages are missing, and installing them needs root or sudo. As root: $by_hand"
  fi
  say "dev: installing $# package(s) that are missing (a few minutes the first time): $*"

  # One source that does not answer need not matter: the install says whether it does.
  as_root "${apt[@]}" update >&2 </dev/null || say "dev: apt-get update failed (see above), going on with the package lists that are here"

  # In a subshell, so that its trap puts the service policy back whatever happens.
  (
    trap allow_services EXIT
    trap 'exit 130' INT TERM
    for name in "$@"; do
      [[ -z ${service_of[$name]:-} ]] || { forbid_services; break; }
    done
    as_root "${apt[@]}" install --no-install-recommends "$@" >&2 </dev/null
  ) || fail \
    "apt-get install failed (see above). These packages were wanted: $*" \
    "Check the network, /etc/apt/sources.list and what it names, then start again, or run as root: $by_hand"

  # Debian enables a service that it installs. The benchmark starts its own, so the machine's next start shall not.
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
