# shellcheck shell=bash
# shellcheck disable=SC2154  # `root` is set by ./dev
# What comes from npm: by the versions and hashes of package-lock.json, into node_modules beside it. No package's own scripts are run.
#
# All folders with a package.json are one workspace. A build of the program takes what its pages are made of, and no more: what only a test
# takes must not stop it, and is four times as much.

readonly node_wanted=18.19   # Debian 12 has 18.20, with npm 9.2; what package-lock.json names accepts both

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

readonly page_workspaces=(web web/docs)

# npm_install pages|everything: only when the lock, Node.js's major version or its platform has changed since the last time, or more is wanted
# than is installed. What it was is in node_modules/.installed. Status 1 when Node.js is missing or its registry does not answer; then there is
# no such file. Everything is also what the pages take, so a build between two tests removes nothing.
npm_install() {
  local what=$1 stamp=$root/node_modules/.installed workspaces=() lock folder
  if ! require_node || ! command -v npm >/dev/null; then
    rm -f "$stamp"
    return 1
  fi
  lock="$node_kind, lock $(sha256sum <"$root/package-lock.json" | cut -d " " -f 1)"
  ! is_installed || return 0
  if [[ $what == pages ]]; then
    for folder in "${page_workspaces[@]}"; do workspaces+=("--workspace=$folder"); done
  fi
  mkdir -p "$root/build"
  (
    flock 8   # another ./dev may install, or build its pages of what is installed
    ! is_installed || exit 0
    say "dev: npm ci, $what"
    rm -f "$stamp"
    # Each folder had an installation of its own once, which Node.js would find first.
    for folder in "$root"/*/node_modules/.installed "$root"/*/*/node_modules/.installed; do
      [[ ! -e $folder ]] || rm -rf -- "${folder%/.installed}"
    done
    cd "$root" &&
      timeout 600 npm ci "${workspaces[@]}" --ignore-scripts --no-audit --no-fund --fetch-retries=2 --loglevel=error >&2 8>&- </dev/null &&
      printf '%s\n' "$lock, $what" >"$stamp"
  ) 8>"$root/build/.npm-lock"
}

# Of npm_install: `stamp` says that `what` is installed as `lock` has it.
is_installed() { [[ -e $stamp && ($(<"$stamp") == "$lock, $what" || $(<"$stamp") == "$lock, everything") ]]; }
