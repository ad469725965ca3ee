#!/usr/bin/env bash
# Refuses GPL, AGPL, LGPL, BSL and SSPL code in the dependency tree of the program.
# The Mozilla licence, which names the GPL as one that may be chosen, is allowed:
# it reaches only its own files, which we do not change.
set -euo pipefail
cd "$(dirname "$0")/.."
bad=0
while read -r path dir; do
  [ -n "$dir" ] || continue
  f=$(find "$dir" -maxdepth 1 -iname 'licen[sc]e*' -o -maxdepth 1 -iname 'copying*' | sort | head -1)
  if [ -z "$f" ]; then echo "error: $path has no licence file"; bad=1; continue; fi
  if grep -qiE 'Mozilla Public License,? version 2\.0' "$f"; then continue; fi
  if grep -qiE 'GNU (AFFERO |LESSER )?GENERAL PUBLIC LICENSE|Business Source License|Server Side Public License' "$f"; then
    echo "error: $path is under a licence that is not allowed: $(head -3 "$f" | tr '\n' ' ')"; bad=1
  fi
done < <(go list -deps -f '{{with .Module}}{{.Path}} {{.Dir}}{{end}}' ./cmd/tallystick | sort -u)
[ "$bad" = 0 ] || { echo 'hint: replace the module or discuss it in an issue first'; exit 1; }
