#!/bin/sh
# Prints the folder where tests put their temporary files: one in memory if there
# is room and programs may run there, else the usual one. The embedded engine
# makes and deletes small files by the thousand, and ext4 looks for numbers of
# files that were not in use in the last five seconds: up to a fifth of the
# processor time of the tests that open it. The name is always the same, as it is
# part of what go test keeps results by. make test-race and make integration use
# the disk.
set -u

usual=${TMPDIR:-/tmp}
room=1500000 # KiB; the dearest package has been seen to fill 200000
dir=/dev/shm/tallystick-tests-$(id -u)

enough() {
	free=$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')
	memory=$(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo 2>/dev/null)
	[ "${free:-0}" -ge "$room" ] && [ "${memory:-0}" -ge $((3 * room)) ]
}

runs() {
	printf '#!/bin/sh\n' >"$dir/runs.$$" && chmod 700 "$dir/runs.$$" && "$dir/runs.$$"
	code=$?
	rm -f "$dir/runs.$$"
	return $code
}

if enough && mkdir -p -m 700 "$dir" && [ -O "$dir" ] && [ ! -L "$dir" ] && runs; then
	# what runs that were interrupted left behind
	find "$dir" -mindepth 1 -maxdepth 1 -mtime +0 -exec rm -rf {} +
	echo "$dir"
else
	echo "$usual"
fi 2>/dev/null
