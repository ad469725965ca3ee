#!/usr/bin/env bash
# Runs each fuzz target for the given time. What fails is kept by go under the
# package's testdata/fuzz, where the ordinary tests run it for ever; what only
# widens the coverage stays in go's cache.
#
# usage: scripts/fuzz.sh [TIME] [PATTERN]    PATTERN is a regexp of targets
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-20s}
pattern=${2:-.}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0
while read -r dir; do
  while read -r target; do
    echo "== $dir $target"
    if ! go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$dir" >"$log" 2>&1 </dev/null; then
      # At its time limit go may take a worker that is late for a failure.
      if grep -q 'Failing input written' "$log" || ! grep -q 'context deadline exceeded' "$log"; then
        cat "$log"
        failed=1
      fi
    fi
    grep -E "^fuzz: elapsed" "$log" | tail -n 1 || true
  done < <(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go | sed 's/^func //' | sort -u | { grep -E "$pattern" || true; })
done < <(grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u)
exit $failed
