#!/usr/bin/env bash
# Measures what a quiet site costs: no lines, then 10 a second, then 10 of which
# 5 % raise a finding, one run after the other. BIN may name several binaries with commas, which run side by
# side; FOR and SETTLE are how long it measures, and runs before that.
set -euo pipefail
cd "$(dirname "$0")/.."
go build -trimpath -o bin/bench-quiet ./internal/bench/quiet
measure() { bin/bench-quiet -bin "${BIN:-bin/tallystick}" -for "${FOR:-90s}" -settle "${SETTLE:-60s}" "$@"; }
measure -rates 0
measure -rates 10 -findings 0
measure -rates 10 -findings 0.05
