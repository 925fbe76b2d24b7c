#!/usr/bin/env bash
# A private Kafka in the foreground, with its data in FOLDER/data; a new folder starts as a copy of the formatted storage that
# `./dev services prepare kafka` makes: kafka.sh FOLDER PORT CONTROLLER_PORT
#
# It says `Kafka Server started` on its output when it is ready. SIGTERM stops it in order.
set -euo pipefail

here=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd -P)
folder=$(readlink -f -- "$1")
port=$2
controller_port=$3
build=$(readlink -f -- "$here/../../build")
template=$build/services/templates/kafka

if [[ ! -e $folder/data ]]; then
  [[ -e $template/data ]] || { printf 'kafka.sh: there is no template; ./dev services prepare makes it\n' >&2 && exit 1; }
  rm -rf -- "$folder/data.new"
  cp -a -- "$template/data" "$folder/data.new"
  mv -- "$folder/data.new" "$folder/data"
fi
{
  cat -- "$here/kafka.properties"
  printf '%s\n' \
    "log.dirs=$folder/data" \
    "listeners=BROKER://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller_port" \
    "advertised.listeners=BROKER://127.0.0.1:$port" \
    "controller.quorum.voters=1@127.0.0.1:$controller_port"
} >"$folder/server.properties"
# A small heap and the quick compiler: it serves tests, and shares the machine with them.
cd -- "$folder"
exec java -Xms128m -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto -XX:+ExitOnOutOfMemoryError \
  -Djava.awt.headless=true "-Dlog4j.configuration=file:$here/kafka-log.properties" \
  -cp "$build/kafka/libs/*" kafka.Kafka "$folder/server.properties"
