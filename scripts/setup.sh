# shellcheck shell=bash
# ./dev setup: the packages that building, testing, measuring and running take, all from Debian 12 or 13. Each command installs what it
# takes and no more: what only a test takes must not stop the program's build.

readonly build_packages=(
  clang-19 cmake ninja-build ccache mold pkg-config
  libsqlite3-dev sqlite3 libxxhash-dev libssl-dev zlib1g-dev
  libspdlog-dev libfmt-dev libcli11-dev libtomlplusplus-dev libyaml-cpp-dev prometheus-cpp-dev
  libpq-dev libhiredis-dev librdkafka-dev
  git ca-certificates curl
)
# The newest Boost that Debian 12 has is not its default one.
declare -rA boost_of=(["debian 12"]=libboost1.81-dev ["debian 13"]=libboost1.83-dev)
readonly test_packages=(
  libgtest-dev libgmock-dev librapidcheck-dev libclang-rt-19-dev llvm-19
  redis-server redis-tools haproxy faketime python3
)
readonly fuzz_packages=(libclang-rt-19-dev llvm-19)   # sanitizers and libFuzzer; llvm-symbolizer names functions in a stack
readonly lint_packages=(clang-tidy-19 clang-format-19 shellcheck)
readonly bench_packages=(libbenchmark-dev wrk)
readonly package_packages=(dpkg-dev file)
readonly full_packages=(prometheus python3-venv)   # for promtool: the rules of the alerts; for generated clients
readonly peers_packages=(python3-venv)   # for Django; the peers in Go take golang-go
readonly browser_packages=(chromium)   # for the tests and the benchmark of the pages

# Packages whose installation would start a service, with the name of the service.
declare -rA service_of=([redis-server]=redis-server [nginx-light]=nginx [postgresql]=postgresql [haproxy]=haproxy
  [prometheus]=prometheus)

# missing_packages NAME…: those that are not installed, one a line. Asks dpkg's local database only: no network, no root.
missing_packages() {
  local installed name
  installed=$(dpkg-query -W -f='${db:Status-Abbrev}${Package}\n' "$@" 2>/dev/null | sed -n 's/^.i //p') || true
  for name in "$@"; do
    [[ $'\n'$installed$'\n' == *$'\n'"$name"$'\n'* ]] || printf '%s\n' "$name"
  done
}

# system_name: as `debian 12`.
system_name() {
  # shellcheck source=/dev/null
  (. /etc/os-release 2>/dev/null && printf '%s %s' "${ID:-unknown}" "${VERSION_ID:-}") || printf 'unknown'
}

cmd_setup() {
  local wanted=("${build_packages[@]}") missing=() system
  system=$(system_name)
  wanted+=("${boost_of[$system]:-libboost-dev}")
  case ${1:-} in
    "") ;;
    test) want_servers ;;
    bench)
      want_servers
      wanted+=("${bench_packages[@]}")
      command -v nginx >/dev/null || wanted+=(nginx-light)   # any of Debian's nginx packages will do
      ;;
    browser) wanted+=("${browser_packages[@]}") ;;
    fuzz) wanted+=("${fuzz_packages[@]}") ;;
    go) command -v go >/dev/null || wanted+=(golang-go) ;;   # any Go will do
    peers)
      wanted+=("${peers_packages[@]}")
      command -v go >/dev/null || wanted+=(golang-go)
      ;;
    full)
      wanted+=("${full_packages[@]}")
      command -v javac >/dev/null || wanted+=(default-jdk-headless)
      ;;
    package) wanted+=("${package_packages[@]}") ;;
    lint) wanted+=("${lint_packages[@]}" "${test_packages[@]}") ;;   # clang-tidy reads how the tests are compiled, too
    *) fail "setup takes no argument, 'test', 'bench', 'browser', 'fuzz', 'go', 'peers', 'package', 'full' or 'lint', not '$1'" ;;
  esac

  # Any Node.js from 18.19 on will do, whoever installed it (scripts/node.sh).
  command -v node >/dev/null && command -v npm >/dev/null || wanted+=(nodejs npm)

  if [[ -z ${boost_of[$system]:-} ]]; then
    lacks_on_another_system "$system" "${wanted[@]}"
    return
  fi
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  [[ ${#missing[@]} -gt 0 ]] || return 0
  install_packages "${missing[@]}"
}

# What shows that a package's contents are there, on a system whose packages have other names: a program, or a header after a `<`.
declare -rA sign_of=(
  [clang-19]=clang++-19 [cmake]=cmake [ninja-build]=ninja [ccache]=ccache [mold]=mold [pkg-config]=pkg-config
  [libboost-dev]="<boost/version.hpp" [libsqlite3-dev]="<sqlite3.h" [sqlite3]=sqlite3 [libxxhash-dev]="<xxhash.h"
  [libssl-dev]="<openssl/ssl.h" [zlib1g-dev]="<zlib.h" [libspdlog-dev]="<spdlog/spdlog.h" [libfmt-dev]="<fmt/core.h"
  [libcli11-dev]="<CLI/CLI.hpp" [libtomlplusplus-dev]="<toml++/toml.h" [libyaml-cpp-dev]="<yaml-cpp/yaml.h"
  [prometheus-cpp-dev]="<prometheus/registry.h" [libpq-dev]="<libpq-fe.h" [libhiredis-dev]="<hiredis/hiredis.h"
  [librdkafka-dev]="<librdkafka/rdkafka.h" [git]=git [ca-certificates]=update-ca-certificates [curl]=curl [nodejs]=node [npm]=npm
  [libgtest-dev]="<gtest/gtest.h" [libgmock-dev]="<gmock/gmock.h" [librapidcheck-dev]="<rapidcheck.h"
  [libclang-rt-19-dev]="<sanitizer/asan_interface.h" [llvm-19]=llvm-symbolizer-19 [redis-server]=redis-server [redis-tools]=redis-cli
  [haproxy]=haproxy [faketime]=faketime [python3]=python3 [default-jre-headless]=java [maven]=mvn [postgresql]=postgres [libbenchmark-dev]="<benchmark/benchmark.h"
  [wrk]=wrk [nginx-light]=nginx [chromium]=chromium [clang-tidy-19]=clang-tidy-19 [clang-format-19]=clang-format-19
  [shellcheck]=shellcheck [dpkg-dev]=dpkg-shlibdeps [file]=file [prometheus]=promtool [python3-venv]=python3
  [default-jdk-headless]=javac [golang-go]=go
)

# lacks_on_another_system SYSTEM PACKAGE…: nothing is installed there. Says what is missing and which package of Debian holds it.
lacks_on_another_system() {
  local system=$1 package sign lacking=() compiler
  shift
  compiler=$(command -v clang++-19 || command -v clang++ || command -v c++ || true)
  for package in "$@"; do
    sign=${sign_of[$package]:?}
    if [[ $package == postgresql && -n $(postgresql_programs) ]]; then continue; fi
    case $sign in
      "<"*) [[ -n $compiler ]] && printf '#include %s>\n' "$sign" | "$compiler" -E -x c++ - >/dev/null 2>&1 ;;
      *) command -v "$sign" >/dev/null ;;
    esac || lacking+=("${sign#<} ($package)")
  done
  [[ ${#lacking[@]} -gt 0 ]] || return 0
  fail "Holdfast is built and tested on Debian 12 and 13; this is $system, where ./dev installs nothing." \
    "These are missing here; install them, then start again. In brackets stands the package of Debian that holds each:" \
    "${lacking[@]/#/  }"
}

# want_servers: adds to `wanted` what the tests take beside the build. Whoever has PostgreSQL, Java or Maven already keeps theirs:
# a second PostgreSQL would meddle with the first one's service.
want_servers() {
  wanted+=("${test_packages[@]}")
  [[ -n $(postgresql_programs) ]] || wanted+=(postgresql)
  command -v java >/dev/null || wanted+=(default-jre-headless)
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
