#!/usr/bin/env bash
# PostgreSQL refuses to run as root. This runs a command as somebody it accepts, who can work in FOLDER:
#
#   as_database_user.sh [--with-parent] FOLDER COMMAND…
#
# Not root: the caller. Root: the user `postgres` of Debian's package; when that one cannot reach FOLDER, because the checkout is under
# /root for example, with the one capability of root that opens the way, instead of changing the rights of folders that are not ours.
# --with-parent: SIGQUIT (stop at once) when the caller ends. It replaces itself with the command, so the process id stays.
set -euo pipefail

with_parent=()
if [[ $1 == --with-parent ]]; then
  with_parent=(--pdeathsig QUIT)
  shift
fi
folder=$1
shift
cd -- "$folder"

if [[ $(id -u) -ne 0 ]]; then
  [[ ${#with_parent[@]} -gt 0 ]] || exec "$@"
  exec setpriv "${with_parent[@]}" -- "$@"
fi

user=(--reuid postgres --regid postgres --init-groups)
# shellcheck disable=SC2016  # the inner shell's argument
reaches() { setpriv "${user[@]}" -- sh -c 'cd -- "$1"' sh "$folder" 2>/dev/null; }
if ! reaches; then
  user+=(--inh-caps +dac_override --ambient-caps +dac_override)
  reaches || { printf 'as_database_user: the user postgres cannot reach %s\n' "$folder" >&2 && exit 1; }
fi
export HOME=$folder
exec setpriv "${user[@]}" "${with_parent[@]}" -- "$@"
