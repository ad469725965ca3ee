#!/usr/bin/env bash
# Measures proxy re-encryption on one core, the published implementation (WASM
# in Node.js) and ours in turns, and prints the ratios beside the goals. Exits
# with 1 when one is missed. SECONDS_EACH: for each operation and turn.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${SECONDS_EACH:-2}
core=${CORE:-$(($(nproc) - 1))}
pin=()
if command -v taskset >/dev/null; then pin=(taskset -c "$core"); fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go test -c -o "$work/reencrypt.test" ./masking/reencrypt
for _ in 1 2 3; do
  "${pin[@]}" scripts/umbral-peer.sh bench.js "$seconds" >> "$work/peer"
  (cd masking/reencrypt && GOMAXPROCS=1 "${pin[@]}" "$work/reencrypt.test" -test.run '^$' -test.bench . -test.benchtime "${seconds}s" -test.cpu 1) |
    awk '/^Benchmark/ {sub("Benchmark", "", $1); print $1, 1e9 / $3}' >> "$work/ours"
done
awk '
  function median(list, n, v) { n = split(list, v, " "); return n < 3 ? v[1] : v[1] + v[2] + v[3] - max(v) - min(v) }
  function max(v, m) { m = v[1]; if (v[2] > m) m = v[2]; if (v[3] > m) m = v[3]; return m }
  function min(v, m) { m = v[1]; if (v[2] < m) m = v[2]; if (v[3] < m) m = v[3]; return m }
  FILENAME ~ /peer$/ { if (!($1 in peer)) order[++count] = $1; peer[$1] = peer[$1] " " $2; next }
  { if (!($1 in peer) && !($1 in ours)) extra[++more] = $1; ours[$1] = ours[$1] " " $2 }
  END {
    goal["Encapsulate"] = 4; goal["Grant"] = 4
    goal["Transform"] = goal["VerifyKeyFragment"] = goal["VerifyCapsuleFragment"] = goal["Open"] = 2
    printf "%-26s %12s %12s %8s %6s\n", "one core, operations/s", "umbral-pre", "tallystick", "ratio", "goal"
    for (i = 1; i <= count; i++) {
      name = order[i]; p = median(peer[name]); o = median(ours[name])
      missed = name in goal && o < goal[name] * p
      bad += missed
      printf "%-26s %12.0f %12.0f %7.2fx %6s%s\n", name, p, o, o / p, name in goal ? goal[name] "x" : "", missed ? " missed" : ""
    }
    for (i = 1; i <= more; i++) printf "%-26s %12s %12.0f\n", extra[i], "", median(ours[extra[i]])
    exit bad > 0
  }' "$work/peer" "$work/ours"
