#!/usr/bin/env bash
# The commit in the program is that of the tree which was built (cmake/HoldfastCommit.cmake).
#
#   commit.sh SOURCE    the folder of the checkout
set -euo pipefail

source=$1
folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
tree=$folder/tree
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE

fail() {
  printf '%s\n' "$1" >&2
  exit 1
}

# look SOURCE [COMMIT]
look() {
  cmake "-DSOURCE=$1" "-DCOMMIT=${2:-}" "-DTEMPLATE=$folder/template" "-DOUT=$folder/out" -P "$source/cmake/HoldfastCommit.cmake"
}

# expect WANTED WHY: what the file says now.
expect() {
  [[ $(cat "$folder/out") == "$1" ]] || fail "$2: wanted '$1', and it is '$(cat "$folder/out")'"
}

printf '@id@ @modified@' >"$folder/template"
mkdir "$tree"
look "$tree"
expect " false" "a tree without git has no commit"

git init -q "$tree"
printf 'one\n' >"$tree/file"
look "$tree"
expect " false" "a repository without a commit has none"

commit() { git -C "$tree" -c user.name=t -c user.email=t@example.org commit -qam "$1"; }
git -C "$tree" add file
commit one
look "$tree"
first=$(git -C "$tree" rev-parse HEAD)
expect "${first:0:12} false" "the commit"

touch -d '2020-01-01' "$folder/out"
look "$tree"
[[ $(stat -c %Y "$folder/out") == $(date -d 2020-01-01 +%s) ]] || fail "a file that would stay the same was written: each build would compile it"

printf 'two\n' >"$tree/file"
look "$tree"
expect "${first:0:12} true" "a file was changed"

commit two
look "$tree"
second=$(git -C "$tree" rev-parse HEAD)
[[ $first != "$second" ]]
expect "${second:0:12} false" "the next commit, without configuring again"

mkdir "$tree/vendored"
look "$tree/vendored"
expect " false" "a source archive inside another project's repository is not of that commit"

look "$folder" 0123456789abcdef0123456789abcdef01234567
expect "0123456789ab false" "a commit that the build was told"
! look "$folder" "not a hash" 2>/dev/null || fail "a text that is no hash was taken"
