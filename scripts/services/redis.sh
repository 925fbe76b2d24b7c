#!/usr/bin/env bash
# A private Redis in the foreground: redis.sh FOLDER PORT
set -euo pipefail
here=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd -P)
cp -- "$here/redis.conf" "$1/redis.conf"   # a Sentinel has its servers rewrite their file
exec redis-server "$1/redis.conf" --dir "$1" --port "$2"
