# shellcheck shell=bash
# shellcheck disable=SC2154  # `root` is set by ./dev
# ./dev test bare: a Debian with nothing on it but git, and in it the commands of the README. What somebody installed by hand on this
# machine hides a package that ./dev setup forgets; there it cannot.
#
# A root is a folder under build/bare, entered in namespaces of its own (scripts/bare/enter.sh): when the command ends or is killed, its
# processes and mounts are gone with it.

readonly bare_folder=$root/build/bare
: "${HOME:=/root}"   # where nobody has set one, it is a machine that runs as root
readonly bare_cache=${XDG_CACHE_HOME:-$HOME/.cache}/holdfast
readonly bare_days_max=30   # an older tarball is made again, so that its packages are those that a newcomer gets
readonly -a bare_releases=(bookworm trixie)

cmd_test_bare() {
  local release=${1:-bookworm}
  [[ $# -le 1 ]] || fail "test bare takes the name of one release of Debian"
  is_bare_release "$release"
  with_bare_root "$release" newcomer_in_bare_root
  say "dev: the commands of the README work on a bare Debian ($release)"
}

# is_bare_release NAME: ends with a message when it is none.
is_bare_release() {
  [[ " ${bare_releases[*]} " == *" $1 "* ]] || fail "there is no bare '$1'; there are: ${bare_releases[*]}"
}

# newcomer_in_bare_root ROOT
newcomer_in_bare_root() {
  clone_into_bare_root "$1"
  # The compiler's cache is the one thing of this machine that is shared.
  enter_bare_root "$1" --ccache "$(bare_ccache)" -- bash /root/holdfast/scripts/bare/newcomer.sh
}

# with_bare_root RELEASE FUNCTION [ARG…]: makes a root, calls FUNCTION ROOT ARG…, and removes the root, whatever happens. One at a time.
with_bare_root() {
  local release=$1 function=$2
  shift 2
  command -v dpkg-query >/dev/null || fail "a bare Debian is made with debootstrap, which takes a Debian: this system has no dpkg"
  remove_ended_roots
  trap leave_bare_root EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  make_bare_tarball "$release"
  bare_root=$bare_folder/$BASHPID-$release
  say "dev: a bare Debian ($release) in $bare_root"
  as_root mkdir -p "$bare_root"
  as_root tar -C "$bare_root" -xpf "$(bare_tarball "$release")"
  configure_bare_root "$bare_root" "$release"
  "$function" "$bare_root" "$@"
  leave_bare_root
  trap - EXIT INT TERM HUP
}

bare_root=""      # the root that is in use, or is being made
bare_process=""   # what entered it, or makes it

# Killing unshare kills the first process of its namespace, and so all of them, and with the last one go the mounts.
leave_bare_root() {
  [[ -z $bare_process ]] || { as_root kill -KILL "$bare_process" 2>/dev/null && wait "$bare_process" 2>/dev/null; } || true
  bare_process=""
  [[ -z $bare_root ]] || remove_root "$bare_root"
  bare_root=""
}

# enter_bare_root ROOT [--ccache FOLDER] -- COMMAND…
enter_bare_root() { in_namespaces --ipc --uts -- "$root/scripts/bare/enter.sh" "$@"; }

# in_namespaces [OPTION…] -- COMMAND…: as root, in namespaces of its own for mounts and processes, and those that the options of unshare
# name. In the background, so that a signal need not wait for the command's end. When this shell is killed, the kernel kills unshare
# (setpriv), which is therefore this shell's own child.
in_namespaces() {
  local status=0 options=()
  while [[ $1 != -- ]]; do
    options+=("$1")
    shift
  done
  shift
  exec_as_root setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child "${options[@]}" "$@" </dev/null 6>&- &
  bare_process=$!
  wait "$bare_process" || status=$?
  bare_process=""
  return "$status"
}

remove_root() {
  case $1 in
    "$bare_folder"/?*) as_root rm -rf --one-file-system -- "$1" ;;
    *) fail "'$1' is no root of ours" ;;
  esac
}

# remove_ended_roots: what a run that was killed has left. A folder's name begins with the process that made it.
remove_ended_roots() {
  local folder name
  for folder in "$bare_folder"/*/; do
    [[ -d $folder ]] || continue
    name=$(basename -- "$folder")
    [[ -e /proc/${name%%-*} ]] || remove_root "${folder%/}"
  done
}

# bare_tarball RELEASE: where the tarball of a Debian with git and nothing else is kept.
bare_tarball() { printf '%s/debian-%s-minbase.tar' "$bare_cache" "$1"; }

# make_bare_tarball RELEASE: by debootstrap, when there is none or an old one. Part of with_bare_root, whose traps end it.
make_bare_tarball() {
  local release=$1 tarball
  tarball=$(bare_tarball "$release")
  mkdir -p "$bare_cache" "$bare_folder"
  exec 6>"$bare_cache/.lock"
  flock 6
  if [[ ! -e $tarball || -n $(find "$tarball" -mtime "+$bare_days_max") ]]; then debootstrap_tarball "$release" "$tarball"; fi
  exec 6>&-
}

# debootstrap_tarball RELEASE TARBALL: in namespaces too, because debootstrap mounts and starts things inside of the root.
debootstrap_tarball() {
  local release=$1 tarball=$2
  [[ -z $(missing_packages debootstrap) ]] || install_packages debootstrap
  bare_root=$bare_folder/$BASHPID-debootstrap
  say "dev: debootstrap $release (a few minutes, the first time)"
  if ! in_namespaces -- debootstrap --variant=minbase --include=git,ca-certificates \
    "$release" "$bare_root" "$(apt_site Debian http://deb.debian.org/debian)" >"$bare_folder/debootstrap.log" 2>&1; then
    tail -n 20 "$bare_folder/debootstrap.log" >&2
    fail "debootstrap could not make a bare Debian ($release), see above and $bare_folder/debootstrap.log"
  fi
  as_root tar -C "$bare_root" --one-file-system -cf - . >"$tarball.new"
  mv -- "$tarball.new" "$tarball"
  leave_bare_root
}

# apt_site LABEL DEFAULT: where this machine's apt finds the archive with this label, Debian or Debian-Security.
apt_site() {
  local site
  # shellcheck disable=SC2016  # apt-get's own format
  site=$(apt-get indextargets --format '$(LABEL)|$(REPO_URI)' 2>/dev/null | sed -n "s/^$1|//p" | head -n 1) || true
  printf '%s' "${site:-$2}"
}

# configure_bare_root ROOT RELEASE: apt, npm, Maven, Go and names are found as this machine finds them; nothing else of it is there.
configure_bare_root() {
  local folder=$1 release=$2 site security file
  site=$(apt_site Debian http://deb.debian.org/debian)
  security=$(apt_site Debian-Security http://deb.debian.org/debian-security)
  printf 'deb %s main\n' "$site $release" "$site $release-updates" "$security $release-security" |
    as_root tee "$folder/etc/apt/sources.list" >/dev/null
  # No power cut of this machine matters to a folder that is thrown away.
  printf 'force-unsafe-io\n' | as_root tee "$folder/etc/dpkg/dpkg.cfg.d/unsafe-io" >/dev/null
  apt-config dump | grep '^Acquire::' | as_root tee "$folder/etc/apt/apt.conf.d/90machine" >/dev/null || true
  as_root cp -L /etc/resolv.conf /etc/hosts "$folder/etc/"
  for file in /usr/local/share/ca-certificates/*.crt; do
    [[ ! -e $file ]] || as_root cp -- "$file" "$folder/usr/local/share/ca-certificates/"
  done
  as_root chroot "$folder" update-ca-certificates >/dev/null 2>&1 </dev/null
  [[ ! -e $HOME/.npmrc ]] || as_root cp -- "$HOME/.npmrc" "$folder/root/.npmrc"
  file=$(npm config get globalconfig 2>/dev/null) || file=/etc/npmrc
  [[ ! -e $file ]] || as_root cp -- "$file" "$folder/etc/npmrc"
  file=$(go env GOENV 2>/dev/null) || file=""
  if [[ -n $file && -e $file ]]; then
    as_root mkdir -p "$folder/root/.config/go"
    as_root cp -- "$file" "$folder/root/.config/go/env"
  fi
  if [[ -e $HOME/.m2/settings.xml ]]; then
    as_root mkdir -p "$folder/root/.m2"
    as_root cp -- "$HOME/.m2/settings.xml" "$folder/root/.m2/"
  fi
}

# clone_into_bare_root ROOT: the commit that is checked out here, in /root/holdfast.
clone_into_bare_root() {
  git -C "$root" rev-parse --quiet --verify HEAD >/dev/null || fail "this is no checkout of git, so there is nothing to clone"
  [[ -z $(git -C "$root" status --porcelain) ]] || say "dev: changes that are not committed are not in the clone"
  # Through a bundle: git reads no repository of another user, and this may run under sudo.
  git -C "$root" bundle create --quiet - HEAD | as_root tee "$1/root/holdfast.bundle" >/dev/null
  as_root chroot "$1" git -c advice.detachedHead=false -c init.defaultBranch=main clone --quiet /root/holdfast.bundle /root/holdfast
  as_root rm -- "$1/root/holdfast.bundle"
}

# bare_ccache: the folder of the compiler's cache. Another user's is not written as root.
bare_ccache() {
  local folder=$bare_cache/ccache
  [[ $(id -u) -ne 0 ]] || folder=$(ccache --get-config cache_dir 2>/dev/null) || folder=$HOME/.cache/ccache
  mkdir -p "$folder"
  printf '%s' "$folder"
}
