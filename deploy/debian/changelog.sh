#!/bin/sh
# changelog.sh VERSION CHANGELOG.md: prints the changelog of the Debian package. It points to CHANGELOG.md, which the package contains.
set -eu
day=$(sed -n 's/^## \[[0-9.]*\] - \([0-9-]*\).*/\1/p' "$2" | head -n 1)
[ -n "$day" ] || { echo "$2: no version has a date" >&2; exit 1; }
cat <<TEXT
holdfast ($1) stable; urgency=medium

  * See /usr/share/doc/holdfast/CHANGELOG.md

 -- Holdfast maintainers <holdfast@users.noreply.github.com>  $(LC_ALL=C date -u -d "$day" -R)
TEXT
