#!/usr/bin/env bash
# Measures detection beside Go's regexp and Hyperscan. Hyperscan is taken from
# HYPERSCAN_ROOT, the system, or Debian's packages unpacked into the cache;
# without it the peer is left out. MB and ROUNDS make it longer or shorter.
set -euo pipefail
cd "$(dirname "$0")/.."
cache="${XDG_CACHE_HOME:-$HOME/.cache}/tallystick/hyperscan"
root="${HYPERSCAN_ROOT:-}"
if [[ -z $root && -e /usr/include/hs/hs.h ]]; then root=/; fi
if [[ -z $root && ! -d $cache/usr ]] && command -v apt-get dpkg >/dev/null; then
	tmp=$(mktemp -d)
	if (cd "$tmp" && apt-get -qq download libhyperscan5 libhyperscan-dev 2>/dev/null); then
		mkdir -p "$cache"
		for deb in "$tmp"/*.deb; do dpkg -x "$deb" "$cache"; done
	fi
	rm -r "$tmp"
fi
if [[ -z $root && -d $cache/usr ]]; then root=$cache; fi
mkdir -p bin
args=(-mb "${MB:-20}" -rounds "${ROUNDS:-5}")
if [[ -n $root ]] && command -v gcc >/dev/null; then
	lib=$(find "$root/usr/lib" -name 'libhs.so.5' 2>/dev/null | head -1)
	if [[ -n $lib ]] && gcc -O2 -I"$root/usr/include" -o bin/hyperscan internal/bench/detect/hyperscan/scan.c "$lib" -Wl,-rpath,"$(dirname "$lib")"; then
		args+=(-hyperscan bin/hyperscan)
	fi
fi
[[ ${#args[@]} -gt 4 ]] || echo 'Hyperscan is not here; on one machine it was 24 times (dense) and 43 times (sparse) as fast as Go regexp'
go build -trimpath -o bin/bench-detect ./internal/bench/detect
pin=()
if command -v taskset >/dev/null; then pin=(taskset -c "$(($(nproc) - 1))"); fi
"${pin[@]}" bin/bench-detect "${args[@]}"
