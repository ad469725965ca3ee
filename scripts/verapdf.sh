#!/bin/sh
# Validates PDF files with veraPDF: scripts/verapdf.sh 2a|ua1 FILE...
# Needs a JDK of 17 or later, and Maven the first time: the validator is fetched
# once, pinned by pom.xml, into the user's cache; without arguments it is only
# fetched. Exits with 1 when a file does not conform.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/tallystick/verapdf-1.30.2"
if [ ! -e "$cache/complete" ]; then
  part="$cache.part.$$"
  mkdir -p "$part"
  mvn -q -B -C -f "$here/verapdf/pom.xml" dependency:copy-dependencies -DoutputDirectory="$part" >&2
  : > "$part/complete"
  rm -rf "$cache"
  mv "$part" "$cache" 2>/dev/null || rm -rf "$part"
fi
[ $# -gt 0 ] || exit 0
exec java -cp "$cache/*" "$here/verapdf/Validate.java" "$@"
