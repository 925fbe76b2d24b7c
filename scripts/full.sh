# shellcheck shell=bash
# shellcheck disable=SC2154  # `root` is set by ./dev
# ./dev test full: what takes too long for every run, before a release; and ./dev test package, a part of it.

# Each part is a ./dev test of its own, so that one that fails does not hide the others.
readonly -a full_parts=("release deploy" "release -- -L ^full$" "package bookworm" "package trixie" "bare trixie")

cmd_test_full() {
  [[ $# -eq 0 ]] || fail "test full takes no arguments"
  cmd_setup full
  # Debian has no package of helm. Without a Go that fetches the toolchain which helm asks for (1.21 and later; Debian 12 has 1.19) there is
  # none, and the tests of deploy/ say what they leave out.
  if command -v go >/dev/null && go version | grep -qE ' go1\.(2[1-9]|[3-9][0-9])'; then
    "$root/tests/deploy/get_helm.sh" >&2 || fail "helm could not be built, see above"
  fi
  local part words passed=0 failed=() begun
  for part in "${full_parts[@]}"; do
    say "" "dev: ./dev test $part"
    begun=$SECONDS
    read -ra words <<<"$part"
    if "$root/dev" test "${words[@]}"; then
      passed=$((passed + 1))
      say "dev: ./dev test $part passed in $(((SECONDS - begun + 30) / 60)) min"
    else
      failed+=("$part")
      say "dev: ./dev test $part FAILED after $(((SECONDS - begun + 30) / 60)) min"
    fi
  done
  [[ ${#failed[@]} -eq 0 ]] || say "dev: failed: ${failed[*]/%/;}"
  printf '%s passed, %s failed\n' "$passed" "${#failed[@]}"
  [[ ${#failed[@]} -eq 0 ]]
}

# cmd_test_package [RELEASE]: builds the package in a bare Debian, and installs it in another one. For Debian 12 it is built by the steps of
# deploy/Dockerfile, and what they make of it is started too.
cmd_test_package() {
  local release=${1:-bookworm} package
  [[ $# -le 1 ]] || fail "test package takes the name of one release of Debian"
  is_bare_release "$release"
  package=$root/build/package-test/$release
  as_root rm -rf -- "$package"
  mkdir -p "$package"
  if [[ $release == bookworm ]]; then
    with_bare_root "$release" package_by_dockerfile "$package"
    with_bare_root "$release" image_by_dockerfile "$package"
  else
    with_bare_root "$release" package_by_dev "$package"
  fi
  with_bare_root "$release" package_lifecycle "$package"
  say "dev: the package of Debian ($release) installs, starts, upgrades and goes"
}

# package_by_dockerfile ROOT FOLDER: the first stage; leaves the package in FOLDER.
package_by_dockerfile() {
  clone_into_bare_root "$1"
  # As deploy/Dockerfile.dockerignore has it: no history.
  as_root rm -rf -- "$1/root/holdfast/.git"
  enter_bare_root "$1" --ccache "$(bare_ccache)" -- env COMMIT="$(git -C "$root" rev-parse HEAD)" \
    /root/holdfast/scripts/package/stage.sh /root/holdfast/deploy/Dockerfile 1 /root/holdfast
  cp -- "$1"/holdfast/build/package/*.deb "$2"
}

package_by_dev() {
  clone_into_bare_root "$1"
  enter_bare_root "$1" --ccache "$(bare_ccache)" -- /root/holdfast/dev package
  cp -- "$1"/root/holdfast/build/package/*.deb "$2"
}

# image_by_dockerfile ROOT FOLDER: the second stage, and what it makes is started as an engine would start it.
image_by_dockerfile() {
  clone_into_bare_root "$1"
  as_root mkdir -p "$1/stages/package/holdfast/build/package"
  as_root cp -- "$2"/*.deb "$1/stages/package/holdfast/build/package/"
  enter_bare_root "$1" -- /root/holdfast/scripts/package/stage.sh /root/holdfast/deploy/Dockerfile 2 /root/holdfast
  enter_bare_root "$1" -- /root/holdfast/scripts/package/image.sh
}

package_lifecycle() {
  clone_into_bare_root "$1"
  as_root cp -- "$2"/*.deb "$1/root/"
  enter_bare_root "$1" -- bash -c 'exec /root/holdfast/scripts/package/lifecycle.sh /root/holdfast_*.deb'
}
