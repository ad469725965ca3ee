#!/usr/bin/env bash
# Measures the whole pipeline beside the naive Go program, then the parts.
set -euo pipefail
cd "$(dirname "$0")/.."
go build -trimpath -o bin/bench-pipeline ./internal/bench/pipeline
bin/bench-pipeline -bin bin/tallystick -lines "${LINES_TOTAL:-1000000}" -runs "${RUNS:-3}"
go test -run '^$' -bench . -benchtime "${BENCHTIME:-1s}" $(grep -rlE '^func Benchmark' --include='*_test.go' . | xargs -n1 dirname | sort -u)
if command -v node >/dev/null; then scripts/bench-reencrypt.sh; fi
