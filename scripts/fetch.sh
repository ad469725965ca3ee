#!/bin/sh
# Fetches what is too large for the repository, once per user: libchdb (the
# embedded ClickHouse) and the table of countries by address. Versions and
# hashes are pinned below; nothing is taken whose hash differs. Without
# anything to do it says nothing and returns at once.
#
# usage: scripts/fetch.sh [libchdb|country|axe ...]     default: the first two
#        scripts/fetch.sh --path axe                    where it is
# axe-core checks pages for accessibility in the browser tests only.
set -eu

libchdb_version=26.7.3-stable.1
country_version=2.3.2026061719
country_integrity=sha512-xemBDNQl4mCYDuVbqe3jKGKsVDykZGkfvebhtOh/3VGLadq8vsp7t7ontpMUt3hH7sAGT0eLDyJ99SV+0waxZg==
axe_version=4.14.1
axe_integrity=sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tallystick
axe=$cache/axe-core-$axe_version/axe.min.js

fail() {
	printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
	exit 1
}

# The name of the library's file, of its package and the package's hash. A
# platform is added here once the hash of its package has been seen.
platform() {
	case "$(uname -s)-$(uname -m)" in
	Linux-x86_64 | Linux-amd64)
		library=libchdb.so
		package=@chdb/lib-linux-x64-gnu
		integrity=sha512-XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw==
		;;
	*)
		fail "no libchdb is pinned for $(uname -s) on $(uname -m)" \
			"set TALLYSTICK_LIBCHDB to a libchdb 26.7 of your own, or configure the address of a ClickHouse server"
		;;
	esac
}

# sha512 FILE prints the hash as npm writes it.
sha512() {
	if command -v openssl >/dev/null 2>&1; then
		printf 'sha512-%s' "$(openssl dgst -sha512 -binary "$1" | openssl base64 -A)"
	else
		node -e 'const h = require("crypto").createHash("sha512"); require("fs").createReadStream(process.argv[1]).on("data", d => h.update(d)).on("end", () => process.stdout.write("sha512-" + h.digest("base64")))' "$1"
	fi
}

# fetch PACKAGE VERSION HASH FILE FOLDER puts one file of a package into the
# cache, under a folder that appears complete or not at all.
fetch() {
	[ -s "$cache/$5/$4" ] && return 0
	command -v npm >/dev/null 2>&1 || fail "npm is not installed, and $1 comes as an npm package" \
		"install Node.js with npm, then run make fetch again"
	printf 'fetching %s %s\n' "$1" "$2"
	(cd "$work" && npm pack --silent --ignore-scripts "$1@$2" >/dev/null) ||
		fail "npm could not fetch $1 $2" "check the network and npm's settings (npm ping), then run make fetch again"
	archive=$(ls "$work"/*.tgz)
	printf 'checking %s\n' "$1"
	seen=$(sha512 "$archive")
	[ "$seen" = "$3" ] || fail "$1 $2 is not what was pinned: its hash is $seen, expected $3" \
		"do not use it; clear npm's cache (npm cache clean --force) and try again, and report it if it stays"
	printf 'unpacking %s\n' "$4"
	mkdir "$work/out"
	tar -xzf "$archive" -C "$work/out" --strip-components=1 "package/$4"
	chmod 0444 "$work/out/$4"
	rm -rf "${cache:?}/$5"
	mv "$work/out" "$cache/$5"
	rm -f "$archive"
	printf 'ready: %s\n' "$cache/$5/$4"
}

if [ "$*" = "--path axe" ]; then
	printf '%s\n' "$axe"
	exit 0
fi
[ $# -gt 0 ] || set -- libchdb country
missing=
for part in "$@"; do
	case $part in
	libchdb)
		platform
		[ -s "$cache/libchdb-$libchdb_version/$library" ] || missing="$missing libchdb"
		;;
	country)
		[ -s "$cache/country-$country_version/geo-whois-asn-country.mmdb" ] || missing="$missing country"
		;;
	axe) [ -s "$axe" ] || missing="$missing axe" ;;
	*) fail "$part is not a part that can be fetched" "scripts/fetch.sh libchdb country axe" ;;
	esac
done
[ -n "$missing" ] || exit 0

# One run at a time: a second one waits until the first is done, and a lock
# whose owner is gone is taken over.
mkdir -p "$cache"
lock=$cache/fetch.lock
until mkdir "$lock" 2>/dev/null; do
	owner=$(cat "$lock/pid" 2>/dev/null || echo)
	if [ -n "$owner" ]; then
		nameless=0
	else
		nameless=$((${nameless:-0} + 1)) # it ended before it wrote its number
	fi
	if [ "$nameless" -gt 5 ] || { [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; }; then
		rm -rf "$lock"
	else
		[ -n "${waited:-}" ] || printf 'waiting for another fetch (process %s) to finish\n' "${owner:-unknown}"
		waited=yes
		sleep 1
	fi
done
echo $$ >"$lock/pid"
work=$(mktemp -d "$cache/fetch.XXXXXX")
trap 'rm -rf "$work" "$lock"' EXIT
trap 'exit 130' INT TERM HUP

for part in $missing; do
	case $part in
	libchdb) fetch "$package" "$libchdb_version" "$integrity" "$library" "libchdb-$libchdb_version" ;;
	country) fetch @ip-location-db/geo-whois-asn-country-mmdb "$country_version" "$country_integrity" \
		geo-whois-asn-country.mmdb "country-$country_version" ;;
	axe) fetch axe-core "$axe_version" "$axe_integrity" axe.min.js "axe-core-$axe_version" ;;
	esac
done
