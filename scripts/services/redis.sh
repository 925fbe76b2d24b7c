#!/usr/bin/env bash
# A private Redis in the foreground: redis.sh FOLDER PORT
set -euo pipefail
here=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd -P)
exec redis-server "$here/redis.conf" --dir "$1" --port "$2"
