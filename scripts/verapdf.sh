#!/bin/sh
# Validates PDF files with veraPDF: scripts/verapdf.sh 2a|ua1 FILE...
# Needs Java 17 and Maven. The validator is fetched once, pinned by pom.xml,
# into the user's cache. Exits with 1 when a file does not conform.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/tallystick/verapdf-1.30.2"
if [ ! -e "$cache/complete" ]; then
  part="$cache.part.$$"
  mkdir -p "$part"
  mvn -q -B -f "$here/verapdf/pom.xml" dependency:copy-dependencies -DoutputDirectory="$part" >&2
  : > "$part/complete"
  rm -rf "$cache"
  mv "$part" "$cache" 2>/dev/null || rm -rf "$part"
fi
exec java -cp "$cache/*" "$here/verapdf/Validate.java" "$@"
