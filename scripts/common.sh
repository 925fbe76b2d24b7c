# shellcheck shell=bash
# What the commands of ./dev share. Sourced by ./dev; `root` is the folder of the checkout.

: "${root:?this file is a part of ./dev}"

say() { printf '%s\n' "$*" >&2; }

# fail MESSAGE…: one line a message, then the end. Status 2, to tell our own complaints from a tool's.
fail() {
  printf 'dev: %s\n' "$@" >&2
  exit 2
}

# as_root COMMAND…: runs a command with the rights that installing takes.
as_root() {
  if [[ $(id -u) -eq 0 ]]; then
    "$@"
  else
    (exec_as_root "$@")
  fi
}

# exec_as_root COMMAND…: the same in place of this shell, for a command that has to be its parent's own child.
exec_as_root() {
  if [[ $(id -u) -eq 0 ]]; then
    exec "$@"
  elif command -v sudo >/dev/null; then
    exec sudo -- "$@"
  else
    fail "this needs root, and there is no sudo. Run as root: $*"
  fi
}

# at_least WANTED VERSION: 3.25 is at least 3.9.
at_least() { printf '%s\n' "$@" | sort -V -C; }

# is_flavour WORD
is_flavour() { [[ $1 == release || $1 == asan || $1 == tsan ]]; }

# port_answers PORT: somebody listens on this port of the loopback.
port_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port: prints a port of the loopback that nobody answers on, below those that the system gives to clients.
free_port() {
  local port
  while port=$((20000 + RANDOM % 12000)) && port_answers "$port"; do :; done
  printf '%s' "$port"
}
