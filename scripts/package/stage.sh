#!/usr/bin/env bash
# stage.sh DOCKERFILE N CONTEXT: does the N-th stage of a Dockerfile in the Debian that this runs in, as `docker build` would in a container.
# A test's stand-in for an engine: it knows the instructions that our Dockerfile has, and ends at any other.
#
# COPY takes its files from CONTEXT, COPY --from=STAGE from /stages/STAGE. What the image would be started with goes to /image: a file for
# each of USER, ENTRYPOINT and CMD.
set -euo pipefail

dockerfile=$(readlink -f -- "$1")
wanted=$2
context=$(readlink -f -- "$3")
mkdir -p /image

stage=0
workdir=/
arguments=()

fail() {
  printf 'stage.sh: %s\n' "$*" >&2
  exit 1
}

# copy [--from=STAGE] SOURCE… TARGET: of a folder, what is in it.
copy() {
  local from=$context target=${*: -1} source
  if [[ $1 == --from=* ]]; then
    from=/stages/${1#*=}
    shift
  fi
  cd -- "$workdir"
  for source in "${@:1:$#-1}"; do
    # A pattern, as in a Dockerfile.
    # shellcheck disable=SC2206
    local found=("$from"/$source) one
    for one in "${found[@]}"; do
      [[ -e $one ]] || fail "COPY: there is no $source in $from"
      mkdir -p -- "$target"
      if [[ -d $one ]]; then cp -a -- "$one/." "$target"; else cp -a -- "$one" "$target"; fi
    done
  done
}

# instruction WORD TEXT
instruction() {
  local -a words
  read -ra words <<<"$2"
  if [[ $1 == FROM ]]; then
    stage=$((stage + 1))
    [[ ${words[0]} == debian:12-slim ]] || fail "a stage from ${words[0]} is not one that a bare Debian 12 stands for"
    return
  fi
  [[ $stage -eq $wanted ]] || return 0
  printf 'stage.sh: %s %s\n' "$1" "$2" >&2
  case $1 in
    ARG) name=${words[0]%%=*} && arguments+=("$name=${!name:-}") ;;
    WORKDIR) workdir=$2 && mkdir -p -- "$workdir" ;;
    COPY) copy "${words[@]}" ;;
    RUN) (cd -- "$workdir" && env "${arguments[@]}" sh -c "$2") </dev/null || fail "RUN failed: $2" ;;
    USER | ENTRYPOINT | CMD) printf '%s\n' "$2" >"/image/$1" ;;
    VOLUME | EXPOSE) ;;
    *) fail "$1 is an instruction that this does not know" ;;
  esac
}

text=""
while IFS= read -r line; do
  [[ $line != \#* && -n $line ]] || continue
  text+=$line
  if [[ $text == *\\ ]]; then
    text=${text%\\}
    continue
  fi
  instruction "${text%% *}" "${text#* }"
  text=""
done <"$dockerfile"
[[ $stage -ge $wanted ]] || fail "there is no stage $wanted in $dockerfile"
