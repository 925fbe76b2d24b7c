#!/usr/bin/env bash
# enter.sh ROOT [--ccache FOLDER] -- COMMAND…: the first process of namespaces that unshare(1) has just made. It mounts what a Debian
# expects, and runs the command in ROOT with a clean environment. Nothing of it outlives the namespaces.
set -euo pipefail

folder=$1
shift
mount --rbind -- "$folder" "$folder"   # so that the new / is a mount point, as / is elsewhere
if [[ $1 == --ccache ]]; then
  mkdir -p "$folder/root/.cache/ccache"
  mount --bind -- "$2" "$folder/root/.cache/ccache"
  shift 2
fi
[[ $1 == -- ]] && shift

mount -t proc proc "$folder/proc"
mount -t sysfs -o ro sysfs "$folder/sys"
mount -t tmpfs -o mode=755,nosuid dev "$folder/dev"
for node in "null 3" "zero 5" "full 7" "random 8" "urandom 9"; do
  mknod -m 666 "$folder/dev/${node% *}" c 1 "${node#* }"
done
mknod -m 666 "$folder/dev/tty" c 5 0
ln -s /proc/self/fd "$folder/dev/fd"
for stream in "stdin 0" "stdout 1" "stderr 2"; do
  ln -s "/proc/self/fd/${stream#* }" "$folder/dev/${stream% *}"
done
mkdir "$folder/dev/pts" "$folder/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$folder/dev/pts"
ln -s pts/ptmx "$folder/dev/ptmx"
mount -t tmpfs -o mode=1777,nosuid shm "$folder/dev/shm"
mount -t tmpfs -o mode=755,nosuid run "$folder/run"
hostname bare

# A proxy is how this machine reaches its registries, as apt's and npm's files are.
environment=(HOME=/root USER=root LOGNAME=root SHELL=/bin/bash LANG=C.UTF-8 TERM=dumb
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY GOPROXY GOSUMDB; do
  [[ -z ${!name:-} ]] || environment+=("$name=${!name}")
done
# Not exec: the shell stays the first process, and reaps what the command leaves.
env -i "${environment[@]}" chroot "$folder" "$@"
