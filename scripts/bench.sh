#!/usr/bin/env bash
# Measures the whole pipeline beside the naive Go program, then the parts beside
# their peers. LINES_TOTAL, RUNS, ENTRIES and BENCHTIME make it longer or shorter.
set -euo pipefail
cd "$(dirname "$0")/.."
go build -trimpath -o bin/bench-pipeline ./internal/bench/pipeline
bin/bench-pipeline -bin bin/tallystick -lines "${LINES_TOTAL:-1000000}" -runs "${RUNS:-3}"
echo
echo 'parts (peers: internal/store driver = clickhouse-go row by row, masking/keys tink = Tink)'
mapfile -t packages < <(git grep -lE '^func Benchmark' -- '*_test.go' | xargs -n1 dirname | sort -u | sed 's|^|./|')
go test -run '^$' -bench . -benchtime "${BENCHTIME:-1s}" "${packages[@]}"
echo
echo 'parse and normalise'
scripts/bench-parse.sh
echo
echo 'entries on disk'
go run ./internal/bench/store -rows "${ENTRIES:-2000000}" -layouts present,words_lz4
echo
echo 'detection'
scripts/bench-detect.sh
if command -v node >/dev/null; then scripts/bench-reencrypt.sh; fi
