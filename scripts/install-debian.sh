#!/usr/bin/env bash
# Installs from Debian what the integration tests need and this machine lacks.
# No service is started by it. With everything there it changes nothing; without
# apt-get or root it names what is missing and fails only when CI is set.
#
# usage: scripts/install-debian.sh
set -euo pipefail

packages=()
need() { # need PACKAGE CHECK...
	local package=$1
	shift
	"$@" >/dev/null 2>&1 || packages+=("$package")
}
java_compiles() { java --list-modules | grep -q '^jdk.compiler@'; }
command_or_sbin() { PATH="$PATH:/usr/sbin" command -v "$1"; }

need nginx command_or_sbin nginx
need wrk command -v wrk
need haproxy command_or_sbin haproxy
need squid command_or_sbin squid
need apache2-bin command_or_sbin apache2
need mosquitto command_or_sbin mosquitto
need mosquitto-clients command -v mosquitto_pub
need chromium test -x /usr/lib/chromium/chromium
need chromium-sandbox test -e /usr/lib/chromium/chrome-sandbox
need fonts-dejavu-core test -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf
need poppler-utils command -v pdftoppm
need qpdf command -v qpdf
need maven command -v mvn
need default-jdk-headless java_compiles # veraPDF's program is run from its source

[ ${#packages[@]} -gt 0 ] || exit 0
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
	printf 'missing: %s\n' "${packages[*]}"
	if [ -n "${CI:-}" ]; then
		printf 'error: these packages can be installed by root with apt-get only\nhint: apt-get install %s\n' "${packages[*]}" >&2
		exit 1
	fi
	printf 'the tests that need them are left out; to have them: sudo apt-get install %s\n' "${packages[*]}"
	exit 0
fi

# Debian asks this file before it starts a service: 101 is no.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	trap 'rm -f "$policy"' EXIT
	trap 'exit 130' INT TERM HUP
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 0755 "$policy"
fi
apt() { DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"; }
printf 'installing %s\n' "${packages[*]}"
log=$(mktemp)
if ! { apt update && apt install -y --no-install-recommends "${packages[@]}"; } >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	rm -f "$log"
	printf 'error: apt-get could not install %s\nhint: try apt-get install by hand; its last words are above\n' "${packages[*]}" >&2
	exit 1
fi
rm -f "$log"
