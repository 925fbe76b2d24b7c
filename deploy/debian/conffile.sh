#!/bin/sh
# conffile.sh EXAMPLE: prints /etc/holdfast/holdfast.toml: every option as a comment, and the folder of the data set.
set -eu
awk '
  !done && /^# *data = / { print "data = \"/var/lib/holdfast\""; done = 1; next }
  { print }
  END { if (!done) exit 1 }' "$1"
