# shellcheck shell=bash
# shellcheck disable=SC2154  # `root` is set by ./dev
# What comes from npm: by the versions and hashes of a package-lock.json, into node_modules beside it, and only when that file has changed.
# No package's own scripts are run.

# npm_install FOLDER: fails when Node.js is missing or its registry does not answer.
npm_install() {
  local folder=$root/$1
  local stamp=$folder/node_modules/.installed-lock.json
  ! cmp -s "$folder/package-lock.json" "$stamp" || return 0
  command -v npm >/dev/null || return 1
  mkdir -p "$root/build"
  (
    flock 8   # another ./dev may be at it
    ! cmp -s "$folder/package-lock.json" "$stamp" || exit 0
    say "dev: npm ci in $1"
    cd "$folder" &&
      timeout 600 npm ci --ignore-scripts --no-audit --no-fund --fetch-retries=2 --loglevel=error >&2 8>&- </dev/null &&
      cp package-lock.json "$stamp"
  ) 8>"$root/build/.npm-lock"
}
