# shellcheck shell=bash
# shellcheck disable=SC2154  # `root` is set by ./dev
# What comes from npm: by the versions and hashes of a package-lock.json, into node_modules beside it. No package's own scripts are run.

readonly node_wanted=18.19   # Debian 12 has 18.20, with npm 9.2; what the package-lock.json files name accepts both

# require_node: ends everything when there is a Node.js that is too old. Status 1 when there is none. Sets node_kind.
require_node() {
  [[ -z ${node_kind:-} ]] || return 0
  local program version platform
  program=$(command -v node) || return 1
  read -r version platform < <(node -p 'process.versions.node + " " + process.platform + "-" + process.arch') || fail "$program does not run, see above"
  at_least "$node_wanted" "$version" || fail \
    "Node.js $node_wanted or newer is needed, $program is $version." \
    "Put a newer one before it on the PATH, or remove it: Debian's own packages, nodejs and npm, will do."
  node_kind="Node.js ${version%%.*} $platform"
}

# npm_install FOLDER: only when the lock, Node.js's major version or its platform has changed since the last time. What it was is in
# node_modules/.installed. Status 1 when Node.js is missing or its registry does not answer; then there is no such file.
npm_install() {
  local folder=$root/$1 wanted
  local stamp=$folder/node_modules/.installed
  if ! require_node || ! command -v npm >/dev/null; then
    rm -f "$stamp"
    return 1
  fi
  wanted="$node_kind, lock $(sha256sum <"$folder/package-lock.json" | cut -d " " -f 1)"
  ! is_installed || return 0
  mkdir -p "$root/build"
  (
    flock 8   # another ./dev may be at it
    ! is_installed || exit 0
    say "dev: npm ci in $1"
    rm -f "$stamp"
    cd "$folder" &&
      timeout 600 npm ci --ignore-scripts --no-audit --no-fund --fetch-retries=2 --loglevel=error >&2 8>&- </dev/null &&
      printf '%s\n' "$wanted" >"$stamp"
  ) 8>"$root/build/.npm-lock"
}

# Of npm_install: `stamp` says `wanted`.
is_installed() { [[ -e $stamp && $(<"$stamp") == "$wanted" ]]; }
