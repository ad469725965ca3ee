#!/bin/sh
# Prints the path of a Vault for the integration tests: version 1.13.0, which is
# under the MPL, with its storage in memory. The first time it is built from
# source, in some minutes, and put into the user's cache.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/tallystick/vault-1.13.0"
if [ ! -e "$cache" ]; then
  mkdir -p "$(dirname "$cache")"
  part="$cache.part.$$"
  (cd "$here/vault" && GOFLAGS='' GOWORK=off CGO_ENABLED=0 "${GO:-go}" build -trimpath -ldflags='-s -w' -o "$part" .) >&2
  mv "$part" "$cache"
fi
printf '%s\n' "$cache"
