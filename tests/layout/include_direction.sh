#!/usr/bin/env bash
# Checks how the rooms of src/ know each other, as the design has it:
#
#   core <- {json, sql, http, lock} <- ledger <- {engine, access, live} <- feed <- api <- cli
#
# and that core is pure (no clock, I/O, threads or logging), that only src/http/ includes Beast, and that no file outgrows a reader.
#
#   include_direction.sh SRC     status 0: all is well; 1: one line a finding, FILE:LINE: what is wrong; 2: it could not look
set -euo pipefail
export LC_ALL=C

[[ $# -eq 1 && -d $1 ]] || { printf 'usage: %s SRC\n' "$0" >&2 && exit 2; }
cd -- "$1"

mapfile -d '' files < <(find . -type f \( -name '*.h' -o -name '*.cc' \) -printf '%P\0' | sort -z)
[[ ${#files[@]} -gt 0 ]] || { printf 'there is no C++ file in %s\n' "$1" >&2 && exit 2; }

awk '
  BEGIN {
    lines_max = 900

    # What each room may include of the others: rooms before it, never one beside it; and of those before it the ones that it has a
    # reason to know.
    knows["core"] = "core"
    knows["json"] = "core json"
    knows["sql"] = "core sql"
    knows["http"] = "core http"
    knows["lock"] = "core lock"
    knows["ledger"] = "core sql lock ledger"
    knows["engine"] = "core ledger engine"
    knows["access"] = "core sql ledger access"
    knows["live"] = "core http ledger live"
    knows["feed"] = "core json sql http ledger engine access feed"
    knows["api"] = "core json http lock ledger engine access live feed api"
    knows["cli"] = "core json sql http lock ledger engine access live feed api cli"

    # Core: what the standard library has for time, the outside world and threads …
    split("thread mutex shared_mutex condition_variable future semaphore latch barrier stop_token atomic syncstream " \
          "iostream istream ostream fstream print cstdio filesystem ctime locale clocale csignal random", list, " ")
    for (i in list) impure[list[i]] = 1
    # … except where check.cc says its last words; and libraries that only compute. Everything else is a finding.
    allowed["core/check.cc", "cstdio"] = 1
    allowed["core/check.cc", "poll.h"] = 1
    pure_library = "^(boost/(container|container_hash|unordered|uuid|json|dynamic_bitset|endian|intrusive|crc|algorithm)[/.]|fmt/(core|format|compile|ranges)\\.h$|xxhash\\.h$)"
    clock = "(system|steady|high_resolution|utc|file)_clock|(^|[^_[:alnum:]])(clock_gettime|gettimeofday|clock|time|sleep|usleep|nanosleep)[ ]*\\("
  }

  function finding(text) {
    printf "%s:%d: %s\n", FILENAME, FNR, text
    findings++
  }

  function may_know(room, other) { return index(" " knows[room] " ", " " other " ") > 0 }

  FNR == 1 {
    room = FILENAME
    if (room !~ /\//) room = ""
    sub(/\/.*/, "", room)
    if (!(room in knows)) finding("\"" room "\" is not a room of src/; give it a place in tests/layout/include_direction.sh")
  }

  FNR == lines_max + 1 { finding("the file has more than " lines_max " lines: it is more than one thing") }

  /^[ \t]*#[ \t]*include/ {
    path = $0
    if (path ~ /^[ \t]*#[ \t]*include[ \t]*"/) {
      sub(/^[^"]*"/, "", path)
      sub(/".*/, "", path)
      other = path
      sub(/\/.*/, "", other)
      if (path !~ /\// || path ~ /(^|\/)\.\.?\//) finding("\"" path "\": name it from src/ on, as \"room/file.h\"")
      else if (!(other in knows)) finding("\"" path "\": there is no room \"" other "\"; a library is included with <>")
      else if ((room in knows) && !may_know(room, other)) finding(room " must not know " other ": \"" path "\"")
      next
    }
    if (path !~ /</) next
    sub(/^[^<]*</, "", path)
    sub(/>.*/, "", path)
    if (path ~ /^boost\/beast/ && room != "http") finding("only http includes Beast: <" path ">")
    if (room == "core" && !((FILENAME, path) in allowed)) {
      if (path in impure) finding("core is pure, <" path "> is not")
      else if (path ~ /[\/.]/ && path !~ pure_library)
        finding("core includes the standard library and libraries that only compute; <" path "> is not known as one")
    }
    next
  }

  room == "core" {
    code = $0
    sub(/\/\/.*/, "", code)
    gsub(/"([^"\\]|\\.)*"/, "\"\"", code)
    if (code ~ clock) finding("core has no clock, time comes with the command: " $0)
  }

  END { exit findings > 0 }
' "${files[@]}"
