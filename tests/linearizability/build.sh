#!/usr/bin/env bash
# build.sh PROGRAM: tests the checker and builds it. Its one module comes by Go's module proxy (GOPROXY), and go.sum has its checksum.
# Status 77: there is no Go, or the proxy does not answer.
set -euo pipefail
[[ $# -eq 1 ]] || { printf 'usage: %s PROGRAM\n' "$0" >&2 && exit 2; }
command -v go >/dev/null || { printf 'skipped: there is no Go (golang-go)\n' && exit 77; }

mkdir -p -- "$(dirname -- "$1")"
program=$(cd -- "$(dirname -- "$1")" && pwd -P)/$(basename -- "$1")
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"/checker
# No C compiler is needed, and git need not trust the folder.
export CGO_ENABLED=0 GOFLAGS="-mod=readonly -buildvcs=false"
go version
go mod download || { printf "skipped: Go's module proxy did not give the checker's module, see above\n" && exit 77; }
go vet ./...
go test -count=1 ./...
go build -o "$program" .
