#!/usr/bin/env bash
# Measures parse and normalise of nginx's combined lines beside the naive Go
# program and rsyslog's mmnormalize, in turns on one core. rsyslog is taken from
# RSYSLOG_ROOT, the system, or Debian's packages unpacked into the cache, where
# nothing of them is started but by this; without it the peer is left out. PARSE_LINES
# and ROUNDS make it longer or shorter.
set -euo pipefail
cd "$(dirname "$0")/.."
cache="${XDG_CACHE_HOME:-$HOME/.cache}/tallystick/rsyslog"
module=usr/lib/x86_64-linux-gnu/rsyslog/mmnormalize.so
root="${RSYSLOG_ROOT:-}"
if [[ -z $root && -e /$module ]]; then root=/; fi
if [[ -z $root && ! -e $cache/$module ]] && command -v apt-get dpkg >/dev/null; then
	tmp=$(mktemp -d)
	if (cd "$tmp" && apt-get -qq download rsyslog liblognorm5 libestr0 libfastjson4 2>/dev/null); then
		mkdir -p "$cache"
		for deb in "$tmp"/*.deb; do dpkg -x "$deb" "$cache"; done
	fi
	rm -r "$tmp"
fi
if [[ -z $root && -e $cache/$module ]]; then root=$cache; fi
args=(-lines "${PARSE_LINES:-500000}" -rounds "${ROUNDS:-5}")
if [[ -n $root ]]; then
	args+=(-rsyslog "$root")
else
	echo 'rsyslog is not here; on one machine the naive program was 2.4 times as fast as its mmnormalize'
fi
mkdir -p bin
go build -trimpath -o bin/bench-parse ./internal/bench/parse
pin=()
if command -v taskset >/dev/null; then pin=(taskset -c "$(($(nproc) - 1))"); fi
"${pin[@]}" bin/bench-parse "${args[@]}"
