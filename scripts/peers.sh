# shellcheck shell=bash
# shellcheck disable=SC2154  # `root` is set by ./dev
# The programs beside which ./dev bench peers measures Holdfast (bench/peers). Only this benchmark builds them: what they take comes from PyPI and
# from Go's module proxy.

prepare_peers() {
  prepare_django_cart
  prepare_go_peers
}

# The cart's packages, in the versions of requirements.txt, in a folder of their own.
prepare_django_cart() {
  local wanted=$root/bench/peers/django_cart/requirements.txt venv=$root/build/peers/venv
  ! cmp -s "$wanted" "$venv/installed.txt" || return 0
  say "dev: installing Django, gunicorn and psycopg into build/peers/venv"
  { python3 -m venv --clear "$venv" &&
    "$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: -r "$wanted" && cp "$wanted" "$venv/installed.txt"; } >&2 ||
    fail "the Django cart could not be installed (see above): it takes python3-venv, and PyPI or another registry that pip is configured for"
}

# The versions of go.mod, with the checksums of go.sum. No C compiler is needed, and git need not trust the folder.
prepare_go_peers() {
  say "dev: building the peers in Go into build/peers/bin"
  mkdir -p "$root/build/peers/bin"
  (
    cd -- "$root/bench/peers" || exit
    export CGO_ENABLED=0 GOFLAGS="-mod=readonly -buildvcs=false"
    go mod download || fail "Go's module proxy did not give the modules (see above); GOPROXY names another one: go help environment"
    go build -o "$root/build/peers/bin/" ./... || fail "the peers in Go do not build (see above): they take Go 1.19 or later, this is $(go version)"
  ) >&2
}
