# shellcheck shell=bash
# shellcheck disable=SC2154  # `root` is set by ./dev
# ./dev build: one folder a flavour under build/, Ninja, clang-19.

readonly cmake_wanted=3.25   # as in CMakeLists.txt

cmd_build() {
  local flavour=${1:-release}
  if [[ $# -gt 1 ]] || ! is_flavour "$flavour"; then
    fail "build takes one of: release, asan, tsan"
  fi
  cmd_setup
  build "$flavour" holdfast
  say "dev: built $root/build/$flavour/holdfast"
}

cmd_clean() {
  [[ $# -eq 0 ]] || fail "clean takes no arguments"
  [[ ! -d $services_folder ]] || services_down
  rm -rf -- "$root/build"
}

# build FLAVOUR TARGET [PART…]: one at a time in one folder, because two ninjas in it spoil each other's work.
# A PART is what is configured beside the program: tests, services (the tests that need PostgreSQL, Redis or Kafka), bench, fuzz. The flavour `fuzz` builds fuzz targets only, which have no pages.
build() {
  local flavour=$1 target=$2
  local folder=$root/build/$flavour
  shift 2
  [[ ${DEV_JOBS:-1} =~ ^[1-9][0-9]*$ ]] || fail "DEV_JOBS is a number of compiler processes from 1 on, not '$DEV_JOBS'"
  require_tools
  mkdir -p "$folder"
  if [[ $flavour != fuzz ]]; then
    npm_install pages || say "dev: Node.js is missing or npm's registry does not answer, so this build is without the pages /, /console and /docs"
  fi
  (
    flock -s 8   # what its pages are made of must stay while they are built
    if ! flock -n 9; then
      say "dev: waiting for another ./dev that builds in build/$flavour"
      flock 9
    fi
    configure "$flavour" "$@"
    # With these, a second checkout and a second flavour's unchanged files come out of the cache.
    export CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=$root NINJA_STATUS="[%f/%t] "
    cmake --build "$folder" --target "$target" --parallel "$(jobs_at_once)" 8>&- 9>&-
  ) 8>"$root/build/.npm-lock" 9>"$folder/.dev-lock" || fail "the build of '$target' ($flavour) failed, see above"
}

# require_tools: what `setup` could not install, or an older one on the PATH before it, is named before anything is compiled.
require_tools() {
  local tool version
  for tool in cmake ninja clang++-19; do
    command -v "$tool" >/dev/null || fail "$tool is needed and is not on the PATH. On Debian, ./dev setup installs it."
  done
  read -r _ _ version _ < <(cmake --version)
  at_least "$cmake_wanted" "$version" || fail \
    "CMake $cmake_wanted or newer is needed, $(command -v cmake) is $version." \
    "Put a newer one before it on the PATH, or remove it: Debian's own package, cmake, will do."
}

# configure FLAVOUR [PART…]: only when a PART is missing; changes of CMakeLists.txt are Ninja's to notice. A folder keeps the parts that
# it has, so that running the program between two tests costs nothing. A part that is not asked for goes when it stops the build: the
# program's build needs what the program needs.
configure() {
  local flavour=$1 part parts=() have missing=""
  local folder=$root/build/$flavour
  shift

  # A checkout that was moved: CMake refuses the old folder, and nothing in it is worth keeping.
  if [[ -e $folder/CMakeCache.txt ]] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$folder/CMakeCache.txt"; then
    say "dev: build/$flavour belongs to another place, starting it anew"
    find "$folder" -mindepth 1 ! -name .dev-lock -delete
  fi

  have=$(cat "$folder/.parts" 2>/dev/null) || missing=1
  for part in "$@"; do
    [[ " $have " == *" $part "* ]] || missing=1
  done
  if [[ -z $missing ]] && ninja -C "$folder" build.ninja >"$folder/configure.log" 2>&1 9>&-; then return 0; fi

  for part in tests services bench fuzz; do
    if [[ " $* " == *" $part "* || (-n $missing && " $have " == *" $part "*) ]]; then parts+=("$part"); fi
  done
  run_cmake "$flavour" "${parts[@]}" || { [[ "${parts[*]}" != "$*" ]] && run_cmake "$flavour" "$@"; } || {
    cat "$folder/configure.log" >&2
    fail "CMake could not configure build/$flavour, see above"
  }
}

# run_cmake FLAVOUR [PART…]
run_cmake() {
  local flavour=$1 sanitize tests=OFF services=OFF bench=OFF fuzz=OFF
  local folder=$root/build/$flavour
  shift
  case $flavour in
    release) sanitize="" ;;
    asan | fuzz) sanitize=address ;;
    tsan) sanitize=thread ;;
  esac
  [[ " $* " != *" tests "* ]] || tests=ON
  [[ " $* " != *" services "* ]] || services=ON
  [[ " $* " != *" bench "* ]] || bench=ON
  [[ " $* " != *" fuzz "* ]] || fuzz=ON
  mkdir -p "$folder"
  rm -f -- "$folder/.parts"
  say "dev: configuring build/$flavour${*:+ with $*}"
  cmake -S "$root" -B "$folder" -G Ninja \
    -DCMAKE_C_COMPILER=clang-19 -DCMAKE_CXX_COMPILER=clang++-19 -DCMAKE_BUILD_TYPE=Release \
    -DHOLDFAST_SANITIZE="$sanitize" -DHOLDFAST_TESTS="$tests" -DHOLDFAST_SERVICES_TESTS="$services" \
    -DHOLDFAST_BENCH="$bench" -DHOLDFAST_FUZZ="$fuzz" \
    -DHOLDFAST_COMMIT="${HOLDFAST_COMMIT:-}" >"$folder/configure.log" 2>&1 9>&- || return 1
  printf '%s\n' "$*" >"$folder/.parts"
}

# One compiler a core, as long as each has the 1.5 GB that the largest files take.
jobs_at_once() {
  local cores memory_kb by_memory
  cores=$(nproc)
  memory_kb=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
  by_memory=$((${memory_kb:-0} / 1500000))
  [[ $by_memory -ge 1 ]] || by_memory=1
  printf '%s' "${DEV_JOBS:-$((cores < by_memory ? cores : by_memory))}"
}
