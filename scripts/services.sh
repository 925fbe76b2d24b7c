# shellcheck shell=bash
# shellcheck disable=SC2154  # `root` is set by ./dev
# ./dev services: private PostgreSQL, Redis and Kafka for tests and for trying things out, on free ports of the loopback, with all that
# they write under build/services. The machine's own services are neither asked nor touched.
#
# What runs is what its folder says: `process` holds the process id, the moment it was started (so that a number that was given to
# somebody else is not taken for it) and the port. Data lasts as long as the services: `down` removes it.

readonly services_folder=$root/build/services
readonly services_templates=$services_folder/templates
readonly kafka_libs=$root/build/kafka/libs
readonly services_environment=$services_folder/environment
readonly -a all_services=(postgresql redis kafka)

services_usage() {
  cat <<'TEXT'
usage: ./dev services up [postgresql] [redis] [kafka]      start all, or these, and print their URLs
       ./dev services down                                 stop all, and delete their data
       ./dev services status                               list what runs, and where; status 0 if all run
       ./dev services prepare [postgresql] [kafka]         only prepare a start: programs, jars, templates

The URLs are also written to build/services/environment:  set -a; . build/services/environment; set +a
TEXT
}

cmd_services() {
  local verb=${1:-} name
  [[ $# -eq 0 ]] || shift
  local names=("$@")
  [[ ${#names[@]} -gt 0 ]] || names=("${all_services[@]}")
  for name in "${names[@]}"; do
    [[ " ${all_services[*]} " == *" $name "* ]] || fail "there is no service '$name'; there are: ${all_services[*]}"
  done
  case $verb in
    up)
      services_up "${names[@]}"
      touch "$services_folder/kept"   # by hand: ./dev test leaves them running
      cat "$services_environment"
      ;;
    down) services_down ;;
    status) services_status ;;
    prepare) services_locked services_prepare "${names[@]}" ;;
    *) services_usage >&2 && exit 2 ;;
  esac
}

# --- what the commands are made of ---

# services_locked COMMAND…: one ./dev at a time starts and ends the services of a checkout. What it starts does not keep the lock.
services_locked() {
  mkdir -p "$services_folder"
  (
    flock 8
    "$@"
  ) 8>"$services_folder/.lock"
}

# services_up NAME…: starts those that do not run, and writes the environment. Kafka may be missing where its jars cannot be had.
services_up() {
  cmd_setup test
  services_locked services_up_locked "$@"
}

services_up_locked() {
  local name
  services_prepare "$@"
  # All at once: Kafka takes the longest, and the others need not wait for it.
  local starting=() failed=()
  for name in "$@"; do
    if [[ $name == kafka && ! -e $services_templates/kafka/data ]]; then continue; fi
    service_runs "$name" || { start_service "$name" & starting+=("$name:$!"); }
  done
  for name in "${starting[@]}"; do
    wait "${name##*:}" || failed+=("${name%%:*}")
  done
  write_environment
  [[ ${#failed[@]} -eq 0 ]] || fail "did not start, see above: ${failed[*]}"
}

services_down() {
  mkdir -p "$services_folder"
  services_locked services_down_locked
}

services_down_locked() {
  local name
  for name in "${all_services[@]}"; do stop_service "$name" & done
  wait
  rm -rf -- "$services_folder/kept" "$services_environment" "${all_services[@]/#/$services_folder/}"
}

services_status() {
  local name status=0 pid started port
  for name in "${all_services[@]}"; do
    if service_runs "$name"; then
      read -r pid started port <"$services_folder/$name/process"
      printf '%-11s runs, process %s, %s\n' "$name" "$pid" "$(service_url "$name" "$port")"
    elif [[ -e $services_folder/$name/process ]]; then
      printf '%-11s has ended by itself, see %s\n' "$name" "$services_folder/$name/log"
      status=3
    else
      printf '%-11s does not run\n' "$name"
      status=3
    fi
  done
  return "$status"
}

# service_url NAME PORT
service_url() {
  case $1 in
    postgresql) printf 'postgresql://holdfast@127.0.0.1:%s/holdfast' "$2" ;;
    redis) printf 'redis://127.0.0.1:%s' "$2" ;;
    kafka) printf '127.0.0.1:%s' "$2" ;;
  esac
}

# write_environment: the URL of each service that runs; put in place whole.
write_environment() {
  local name pid started port
  for name in "${all_services[@]}"; do
    service_runs "$name" || continue
    read -r pid started port <"$services_folder/$name/process"
    printf 'HOLDFAST_TEST_%s=%s\n' "${name^^}" "$(service_url "$name" "$port")"
  done >"$services_environment.new"
  mv -f -- "$services_environment.new" "$services_environment"
}

# started_at PID: the moment the process was started, in ticks since the machine's start; nothing when there is none, or only its remains.
started_at() {
  local line
  line=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  line=${line##*) }   # what follows the name, which may hold anything
  local -a field
  read -ra field <<<"$line"
  [[ ${field[0]} == Z ]] || printf '%s' "${field[19]}"
}

# service_runs NAME: the process that the folder speaks of is still the same one.
service_runs() {
  local pid started port
  read -r pid started port 2>/dev/null <"$services_folder/$1/process" || return 1
  [[ -n $started && $(started_at "$pid") == "$started" ]]
}

# start_service NAME: returns when it answers. A port that somebody else took in between is another try with another one.
start_service() {
  local name=$1 folder=$services_folder/$1 tries port pid
  mkdir -p "$folder"
  for tries in 1 2 3 4 5; do
    rm -f -- "$folder/process"
    port=$(free_port)
    local words=("$root/scripts/services/$name.sh" "$folder" "$port")
    [[ $name != kafka ]] || words+=("$(free_port)")
    setsid "${words[@]}" >"$folder/log" 2>&1 </dev/null 8>&- 9>&- &
    pid=$!
    printf '%s %s %s\n' "$pid" "$(started_at "$pid")" "$port" >"$folder/process"
    ! service_became_ready "$name" "$folder" "$port" || return 0
    stop_service "$name"
    grep -qiE 'address already in use|could not bind' "$folder/log" || break
    say "dev: port $port was taken in the meantime, $name tries another one"
  done
  tail -n 20 "$folder/log" >&2
  say "dev: $name did not start, see above"
  return 1
}

# service_became_ready NAME FOLDER PORT: waits up to two minutes, as long as its process lives.
service_became_ready() {
  local deadline=$((SECONDS + 120))
  while [[ $SECONDS -lt $deadline ]]; do
    case $1 in
      postgresql) ! "$(postgresql_programs)/pg_isready" -q -h 127.0.0.1 -p "$3" || return 0 ;;
      redis) [[ $(redis-cli -h 127.0.0.1 -p "$3" ping 2>/dev/null) != PONG ]] || return 0 ;;
      kafka) ! grep -q 'Kafka Server started' "$2/log" || return 0 ;;
    esac
    service_runs "$1" || return 1
    sleep 0.1
  done
  return 1
}

# stop_service NAME: in order, and by force after ten seconds. PostgreSQL stops at once: its data is not kept.
stop_service() {
  local name=$1 pid started port tries signal=TERM
  [[ -e $services_folder/$name/process ]] || return 0
  read -r pid started port <"$services_folder/$name/process"
  [[ $name != postgresql ]] || signal=QUIT
  ! service_runs "$name" || kill -s "$signal" "$pid" 2>/dev/null || true
  for ((tries = 0; tries < 200; tries++)); do
    service_runs "$name" || break
    sleep 0.05
  done
  ! service_runs "$name" || kill -s KILL "$pid" 2>/dev/null || true
  [[ $name != postgresql ]] || end_sessions
  rm -f -- "$services_folder/$name/process"
}

# end_sessions: a PostgreSQL that was killed leaves sessions that are in the midst of something; they work in its folder.
end_sessions() {
  local sessions
  mapfile -t sessions < <(find /proc/[0-9]*/cwd -maxdepth 0 -lname "$services_folder/postgresql/data" 2>/dev/null | cut -d / -f 3)
  [[ ${#sessions[@]} -eq 0 ]] || kill -s KILL "${sessions[@]}" 2>/dev/null || true
}

# --- what a start takes ---

services_prepare() {
  local name
  for name in "$@"; do
    case $name in
      postgresql) prepare_postgresql ;;
      kafka) prepare_kafka ;;
      redis) ;;
    esac
  done
}

# A cluster is made once and then copied, which takes a tenth of the time. Settings and version of the template are those of now.
prepare_postgresql() {
  local template=$services_templates/postgresql programs conf=$root/scripts/services/postgresql.conf
  programs=$(postgresql_programs)
  [[ -n $programs ]] || fail "there is no PostgreSQL server on this machine; ./dev setup test installs it"
  if [[ -e $template/programs && $(<"$template/programs") == "$programs" && $template/programs -nt $conf ]]; then return 0; fi

  rm -rf -- "$template"
  mkdir -p "$template"
  # The folder's owner is who the server will run as, so the data is made by that one too.
  local as=("$root/scripts/services/as_database_user.sh" "$template")
  [[ $(id -u) -ne 0 ]] || chown postgres: "$template"
  # shellcheck disable=SC2016  # the inner shell's arguments
  if ! {
    "${as[@]}" "$programs/initdb" -D "$template/data" -U postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync &&
      "${as[@]}" sh -c 'cat >>"$1/data/postgresql.conf"' sh "$template" <"$conf" &&
      printf '%s\n' 'CREATE ROLE holdfast LOGIN CREATEDB' 'CREATE DATABASE holdfast OWNER holdfast' |
      "${as[@]}" "$programs/postgres" --single -D "$template/data" postgres
  } >"$services_templates/postgresql.log" 2>&1 8>&-; then
    cat "$services_templates/postgresql.log" >&2
    fail "the template of a PostgreSQL cluster could not be made, see above"
  fi
  printf '%s\n' "$programs" >"$template/programs"
}

# The jars from Maven Central, pinned in pom.xml, and a storage that is formatted once. Not to be had is not an error: the tests then
# take the mock cluster of librdkafka, and say so.
prepare_kafka() {
  local pom=$root/scripts/services/pom.xml template=$services_templates/kafka log=$services_templates/kafka.log
  mkdir -p "$services_templates"
  if [[ ! -e $kafka_libs/done || $pom -nt $kafka_libs/done ]]; then
    rm -rf -- "$kafka_libs" "$template"
    if ! mvn --batch-mode --quiet --file "$pom" dependency:copy-dependencies -DoutputDirectory="$kafka_libs" >"$log" 2>&1 </dev/null 8>&-; then
      grep -m 3 ERROR "$log" >&2 || tail -n 5 "$log" >&2
      say "dev: Kafka's jars cannot be had from Maven Central (see above), so there is no Apache Kafka: tests take the MOCK cluster of librdkafka"
      return 0
    fi
    touch "$kafka_libs/done"
  fi
  if [[ -e $template/data/meta.properties ]]; then return 0; fi

  rm -rf -- "$template"
  mkdir -p "$template/data.new"
  {
    cat "$root/scripts/services/kafka.properties"
    printf '%s\n' "log.dirs=$template/data.new" listeners=BROKER://127.0.0.1:1,CONTROLLER://127.0.0.1:2 \
      advertised.listeners=BROKER://127.0.0.1:1 controller.quorum.voters=1@127.0.0.1:2
  } >"$template/server.properties"
  java -XX:TieredStopAtLevel=1 -cp "$kafka_libs/*" "-Dlog4j.configuration=file:$root/scripts/services/kafka-log.properties" \
    kafka.tools.StorageTool format --cluster-id holdfast-tests-000000 --config "$template/server.properties" >"$log" 2>&1 </dev/null 8>&- ||
    { cat "$log" >&2 && fail "Kafka's storage could not be formatted, see above"; }
  mv -- "$template/data.new" "$template/data"
}

# --- for ./dev test and ./dev bench ---

# with_services NAME… -- COMMAND…: runs a command while these run, with their URLs in the environment. Whoever is the last to leave ends
# what no `services up` started; also when the command fails or is interrupted.
with_services() {
  local names=() status=0
  while [[ $1 != -- ]]; do
    names+=("$1")
    shift
  done
  shift
  mkdir -p "$services_folder"
  (
    flock --shared 7   # as long as somebody holds it so, they stay
    trap leave_services EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    services_up "${names[@]}" 7>&-
    set -a
    # shellcheck source=/dev/null
    source "$services_environment"
    export HOLDFAST_TEST_PREPARED=1   # what cannot be had now need not be asked for by every test
    set +a
    "$@" 7>&-
  ) 7>"$services_folder/.users" || status=$?
  return "$status"
}

leave_services() {
  trap '' INT TERM HUP
  if flock --nonblock --exclusive 7 && [[ ! -e $services_folder/kept ]]; then
    services_down 7>&-
  fi
  remove_ended_folders
}

# remove_ended_folders: what tests that were killed left of their own servers. A folder's name begins with the process that made it.
remove_ended_folders() {
  local folder name
  for folder in "$services_folder"/tests/*/; do
    [[ -d $folder ]] || continue
    name=$(basename -- "$folder")
    [[ -e /proc/${name%%-*} ]] || rm -rf -- "$folder"
  done
}
