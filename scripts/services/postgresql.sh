#!/usr/bin/env bash
# A private PostgreSQL in the foreground, with its data in FOLDER/data; a new folder starts as a copy of the template that
# `./dev services prepare postgresql` makes. It has the role and the database `holdfast`, and nobody asks for passwords:
#
#   postgresql.sh [--with-parent] FOLDER PORT      psql postgresql://holdfast@127.0.0.1:PORT/holdfast
#
# SIGINT stops it in order, SIGQUIT at once (as `pg_ctl stop -m immediate`). --with-parent: SIGQUIT when the caller ends.
set -euo pipefail

here=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd -P)
with_parent=()
if [[ $1 == --with-parent ]]; then
  with_parent=(--with-parent)
  shift
fi
folder=$(readlink -f -- "$1")
port=$2
template=$here/../../build/services/templates/postgresql

if [[ ! -e $folder/data ]]; then
  [[ -e $template/programs ]] || { printf 'postgresql.sh: there is no template; ./dev services prepare makes it\n' >&2 && exit 1; }
  rm -rf -- "$folder/data.new"
  cp -a --reflink=auto -- "$template/data" "$folder/data.new"
  mv -- "$folder/data.new" "$folder/data"
fi

# A server that was killed leaves its lock file, with the number of a process that may be another's by now, or of one that nobody has
# waited for. It may go when no process works in the folder any more: those that outlive their parent get three seconds.
workers() { find /proc/[0-9]*/cwd -maxdepth 0 -lname "$folder/data" 2>/dev/null | cut -d / -f 3; }
for ((tries = 0; tries < 60; tries++)); do
  [[ -e $folder/data/postmaster.pid ]] || break
  mapfile -t left < <(workers)
  if [[ ${#left[@]} -eq 0 ]]; then
    rm -f -- "$folder/data/postmaster.pid"
  elif [[ $tries -ge 30 ]]; then
    kill -s KILL "${left[@]}" 2>/dev/null || true
  fi
  sleep 0.1
done

exec "$here/as_database_user.sh" "${with_parent[@]}" "$folder" "$(<"$template/programs")/postgres" -D "$folder/data" -p "$port"
