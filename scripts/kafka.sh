#!/bin/sh
# Prints the folder of the jars of a pinned Apache Kafka for the integration
# tests; the first time they are fetched from Maven Central into the user's
# cache. Needs a JDK of 17 or later, and Maven the first time.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/tallystick/kafka-4.3.1"
if [ ! -e "$cache/complete" ]; then
  part="$cache.part.$$"
  mvn -q -B -C -f "$here/kafka/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$part" >&2
  : > "$part/complete"
  rm -rf "$cache"
  mv "$part" "$cache" 2>/dev/null || rm -rf "$part"
fi
printf '%s\n' "$cache"
