#!/usr/bin/env bash
# Looks for known vulnerabilities. Where its database can't be reached, it says so and goes on.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! out=$(go tool govulncheck ./... 2>&1); then
  if grep -qE 'no such host|dial tcp|Forbidden|lookup|connection refused|fetching vulnerabilities' <<<"$out"; then
    echo 'warning: the vulnerability database could not be reached; govulncheck did not run'
    exit 0
  fi
  echo "$out"; exit 1
fi
