#!/bin/sh
# Runs a script of masking/reencrypt/testdata/peer against the published
# implementation of proxy re-encryption that ours is compared with:
# scripts/umbral-peer.sh peer.js|bench.js [ARGUMENT...]
# Needs Node.js 20 and npm. The package is fetched once, pinned with its hash by
# package-lock.json, into the user's cache; it is no part of the product.
set -eu
here=$(cd "$(dirname "$0")/../masking/reencrypt/testdata/peer" && pwd)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/tallystick/umbral-pre-0.10.0"
if [ ! -e "$cache/complete" ]; then
  command -v npm >/dev/null || { echo 'error: npm is missing' >&2; echo 'hint: install Node.js 20' >&2; exit 1; }
  part="$cache.part.$$"
  mkdir -p "$part"
  cp "$here/package.json" "$here/package-lock.json" "$part/"
  npm ci --prefix "$part" --ignore-scripts --no-audit --no-fund --silent >&2
  : > "$part/complete"
  rm -rf "$cache"
  mv "$part" "$cache" 2>/dev/null || rm -rf "$part"
fi
script=$1
shift
NODE_PATH="$cache/node_modules" exec node "$here/$script" "$@"
