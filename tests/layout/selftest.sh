#!/usr/bin/env bash
# A check that cannot fail checks nothing: gives include_direction.sh one source tree that is right, and one for every rule that
# breaks it, and expects exactly that finding.
set -euo pipefail

check=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)/include_direction.sh
tree=$(mktemp -d)
trap 'rm -rf -- "$tree"' EXIT
failures=0

right_tree() {
  rm -rf -- "$tree"
  mkdir -p "$tree"/{core,json,sql,ledger/embedded,engine,access,live,lock,feed,http,api,cli}
  cat >"$tree/core/seat.h" <<'TEXT'
// Not a clock: the word std::chrono::system_clock in a comment, time(nullptr) too.
#include <chrono>
#include <vector>
#include <boost/unordered/unordered_flat_map.hpp>
inline int runtime(int now) { return now; }
inline const char* text() { return "at that time (so it says)"; }
TEXT
  printf '#include "core/seat.h"\n#include <boost/beast/http.hpp>\n#include <thread>\n' >"$tree/http/server.cc"
  printf '#include "core/seat.h"\n#include "lock/lock.h"\n#include "sql/sqlite.h"\n' >"$tree/ledger/embedded/ledger.cc"
  printf '#include "core/seat.h"\n' >"$tree/json/json.h"
  printf '#include "core/seat.h"\n#include <sqlite3.h>\n' >"$tree/sql/sqlite.h"
  printf '#include "core/seat.h"\n' >"$tree/lock/lock.h"
  printf '#include "ledger/ledger.h"\n#include <mutex>\n' >"$tree/engine/engine.h"
  printf '#include "ledger/ledger.h"\n#include "sql/sqlite.h"\n' >"$tree/access/registry.h"
  printf '#include "ledger/ledger.h"\n#include "http/server.h"\n' >"$tree/live/hub.h"
  printf '#include "engine/engine.h"\n#include "access/registry.h"\n#include "ledger/embedded/journal.h"\n#include "sql/sqlite.h"\n' >"$tree/feed/feed.h"
  printf '#include "engine/engine.h"\n#include "json/json.h"\n#include "http/server.h"\n#include "feed/feed.h"\n' >"$tree/api/api.cc"
  printf '#include "api/api.h"\n#include <iostream>\n' >"$tree/cli/main.cc"
}

# expect WHAT FINDING: the tree as it is now has exactly this one finding; an empty one means none.
expect() {
  local what=$1 finding=$2 status=0 output
  output=$("$check" "$tree" 2>&1) || status=$?
  if [[ -z $finding ]]; then
    [[ $status -eq 0 && -z $output ]] && return 0
  else
    [[ $status -eq 1 && $output == *"$finding"* && $(wc -l <<<"$output") -eq 1 ]] && return 0
  fi
  printf 'FAILED: %s\n  expected: %s\n  status %s, output: %s\n' "$what" "${finding:-no finding}" "$status" "$output"
  failures=$((failures + 1))
}

# wrong WHERE LINE FINDING: adds one line to a file of the right tree.
wrong() {
  right_tree
  printf '%s\n' "$2" >>"$tree/$1"
  expect "$1 with: $2" "$3"
}

right_tree
expect "a tree as it should be" ""

wrong core/seat.h '#include "ledger/ledger.h"' 'core must not know ledger'
wrong core/seat.h '#include "http/server.h"' 'core must not know http'
wrong ledger/embedded/ledger.cc '#include "engine/engine.h"' 'ledger must not know engine'
wrong ledger/embedded/ledger.cc '#include "http/server.h"' 'ledger must not know http'
wrong ledger/embedded/ledger.cc '#include "feed/lease.h"' 'ledger must not know feed'
wrong engine/engine.h '  #  include "api/api.h"' 'engine must not know api'
wrong engine/engine.h '#include "http/server.h"' 'engine must not know http'
wrong engine/engine.h '#include "feed/lease.h"' 'engine must not know feed'
wrong api/api.cc '#include "cli/config.h"' 'api must not know cli'
wrong http/server.cc '#include "api/api.h"' 'http must not know api'
wrong http/server.cc '#include "engine/engine.h"' 'http must not know engine'
wrong json/json.h '#include "api/call.h"' 'json must not know api'
wrong sql/sqlite.h '#include "ledger/ledger.h"' 'sql must not know ledger'
wrong lock/lock.h '#include "ledger/ledger.h"' 'lock must not know ledger'
wrong access/registry.h '#include "feed/lease.h"' 'access must not know feed'
wrong access/registry.h '#include "engine/engine.h"' 'access must not know engine'
wrong live/hub.h '#include "api/call.h"' 'live must not know api'
wrong live/hub.h '#include "access/registry.h"' 'live must not know access'
wrong feed/feed.h '#include "api/call.h"' 'feed must not know api'

wrong core/seat.h '#include <thread>' '<thread> is not'
wrong core/seat.h '#include <mutex>   // briefly' '<mutex> is not'
wrong core/seat.h '#include <iostream>' '<iostream> is not'
wrong core/seat.h '#include <fstream>' '<fstream> is not'
wrong core/seat.h '#include <spdlog/spdlog.h>' '<spdlog/spdlog.h> is not known as one'
wrong core/seat.h '#include <sqlite3.h>' '<sqlite3.h> is not known as one'
wrong core/seat.h '#include <boost/asio/awaitable.hpp>' '<boost/asio/awaitable.hpp> is not known as one'
wrong core/seat.h '#include <unistd.h>' '<unistd.h> is not known as one'
wrong core/seat.h 'auto now() { return std::chrono::steady_clock::now(); }' 'core has no clock'
wrong core/seat.h 'auto now() { return std::time(nullptr); }' 'core has no clock'

wrong api/api.cc '#include <boost/beast/core.hpp>' 'only http includes Beast'
wrong api/api.cc '#include "../core/seat.h"' 'name it from src/ on'
wrong api/api.cc '#include "api.h"' 'name it from src/ on'
wrong api/api.cc '#include "util/strings.h"' 'there is no room "util"'

right_tree
mkdir "$tree/util"
printf 'int x;\n' >"$tree/util/strings.h"
expect "a room that nobody planned" '"util" is not a room'

right_tree
printf 'int x;\n%.0s' {1..901} >"$tree/api/long.cc"
expect "a file of 901 lines" 'more than 900 lines'
head -n 900 "$tree/api/long.cc" >"$tree/api/long.cut" && mv "$tree/api/long.cut" "$tree/api/long.cc"
expect "a file of 900 lines" ""

# Nothing to look at is not the same as nothing wrong.
rm -rf -- "${tree:?}"/*
status=0
"$check" "$tree" >/dev/null 2>&1 || status=$?
[[ $status -eq 2 ]] || { printf 'FAILED: an empty tree gives status %s, not 2\n' "$status" && failures=$((failures + 1)); }

[[ $failures -eq 0 ]] || { printf '%s expectation(s) failed\n' "$failures" && exit 1; }
printf 'every rule finds what breaks it\n'
