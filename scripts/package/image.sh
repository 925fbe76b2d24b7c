#!/usr/bin/env bash
# image.sh: starts what the last stage of deploy/Dockerfile made (stage.sh), as an engine does: as USER, with ENTRYPOINT and CMD. It answers.
set -euo pipefail

fail() {
  printf 'image.sh: %s\n' "$*" >&2
  exit 1
}
[[ -z $(find / -xdev -name '*.deb' ! -path '/stages/*' -print -quit) ]] || fail "the package itself is still in the image"

user=$(</image/USER)
[[ $(id -u "$user") -eq 10001 ]] || fail "the image's user has another number than manifests name: $(id "$user")"
mapfile -t command < <(cat /image/ENTRYPOINT /image/CMD | grep -o '"[^"]*"' | tr -d '"')
setpriv --reuid "$user" --regid "$user" --clear-groups -- "${command[@]}" >/tmp/log 2>&1 </dev/null &
server=$!
for _ in {1..300}; do
  # There is no curl in the image.
  if { exec 3<>/dev/tcp/127.0.0.1/50002; } 2>/dev/null; then
    printf 'GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
    read -r answer <&3
    [[ $answer != *" 200 "* ]] || break
    exec 3>&-
  fi
  kill -0 "$server" 2>/dev/null || break
  sleep 0.1
done
[[ ${answer:-} == *" 200 "* ]] || { cat /tmp/log >&2 && fail "'${command[*]}' does not answer: ${answer:-nothing}"; }
kill -TERM "$server"
wait "$server" || fail "the end was not clean: $?"
printf 'image.sh: %s, as %s, is ready and ends in order\n' "${command[*]}" "$user"
