#!/usr/bin/env bash
# Runs the tests that need real servers and a real browser: proxies, Kafka and
# an MQTT broker under load, Vault, moto for AWS KMS, Chromium, veraPDF. Installs
# what is missing first. A part that can't be had leaves its tests out on a
# developer's machine and fails where CI is set.
#
# usage: scripts/integration.sh [flags of go test, such as -run Nginx]
#   SHOTS=DIR keeps screenshots of the pages.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s  %s\n' "$(date +%T)" "$*"; }

say 'packages of the system'
scripts/install-debian.sh
say 'axe-core and veraPDF'
scripts/fetch.sh axe
AXE_JS=$(scripts/fetch.sh --path axe)
export AXE_JS
if command -v mvn >/dev/null; then
	scripts/verapdf.sh
fi
say 'Envoy, Apache Kafka, Vault (built once, in some minutes) and moto'
for server in envoy kafka vault moto; do
	scripts/$server.sh >/dev/null || [ -z "${CI:-}" ] # its tests are left out, or fail where CI is set
done

# Exactly the tests that are built only with the tag: the others have run.
mapfile -t files < <(git grep -l --untracked '^//go:build .*\bintegration\b' -- '*_test.go')
mapfile -t packages < <(printf './%s\n' "${files[@]}" | xargs -n1 dirname | sort -u)
tests=$(sed -n 's/^func \(Test[A-Za-z0-9_]*\)(.*/\1/p' "${files[@]}" | paste -sd '|')
say "${tests//|/ } in ${packages[*]}"
# -p 1: they measure times, and each starts servers of its own. Those that only
# wait for counts to agree run side by side at the end.
${GO:-go} test -tags nomsgpack,integration -count=1 -p 1 -parallel 4 -timeout 20m -v -run "^($tests)\$" "$@" "${packages[@]}" |
	grep -vE '^=== (RUN|PAUSE|CONT)'
say 'done'
