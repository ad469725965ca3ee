#!/bin/sh
# Prints the folder of a pinned moto, which plays AWS KMS, and of Amazon's boto3
# for the integration tests; the first time they are fetched from PyPI into the
# user's cache, checked by their hashes. Run them with PYTHONPATH set to it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
cache="${XDG_CACHE_HOME:-$HOME/.cache}/tallystick/moto-5.2.5-python$python"
if [ ! -e "$cache/complete" ]; then
  part="$cache.part.$$"
  python3 -m pip install --quiet --no-deps --require-hashes --only-binary :all: --disable-pip-version-check --root-user-action ignore \
    --target "$part" --requirement "$here/moto/requirements.txt" >&2
  : > "$part/complete"
  rm -rf "$cache"
  mv "$part" "$cache" 2>/dev/null || rm -rf "$part"
fi
printf '%s\n' "$cache"
