#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Many files: what they cost in time and memory, and that they can be had back.
# IRMINFS_MANY is how many there are in one directory (50,000; 1,000,000 by hand).
load common

# Sanitizers take memory of their own, and several times as long.
prepare() {
	MANY=${IRMINFS_MANY:-50000}
	SANITIZED=
	if grep -q __asan_init "$IRMINFS-whole" 2>/dev/null; then
		SANITIZED=1
		MANY=$((MANY / 5))
	fi
}

# stat_of NAME: a number of the mount's statistics
stat_of() {
	sed -n "s/^$1 //p" "$M/.irmin/stats"
}

# memory: what the daemon holds, in KiB; mapped packs are the kernel's to drop
memory() {
	sed -n 's/^RssAnon:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$DAEMON/status"
}

# processor: what the daemon used, in hundredths of a second
processor() {
	sed 's/.*) //' "/proc/$DAEMON/stat" | awk '{ print $12 + $13 }'
}

# make_entries FOLDER COUNT
make_entries() {
	mkdir -p "$1"
	python3 -c 'import os, sys
os.chdir(sys.argv[1])
for i in range(int(sys.argv[2])):
    os.close(os.open(f"entry-{i:07}", os.O_CREAT | os.O_WRONLY))' "$1" "$2"
}

drop_caches() {
	[ -w /proc/sys/vm/drop_caches ] || skip "needs root"
	echo 2 >/proc/sys/vm/drop_caches
}

@test "an entry of a large directory costs no more than one of a small one" {
	start -o commit=3600
	local before small large i
	before=$(processor)
	for i in $(seq 10); do
		make_entries "$M/main/small$i" $((MANY / 100))
	done
	small=$(($(processor) - before))
	before=$(processor)
	make_entries "$M/main/large" "$MANY"
	large=$(($(processor) - before))
	# ten times as many; were it quadratic, a hundred times as dear
	echo "small $small, large $large"
	[ "$large" -lt $(((small + 10) * 50)) ]
	[ "$(ls "$M/main/large" | wc -l)" -eq "$MANY" ]
	[ -e "$M/main/large/entry-$(printf %07d $((MANY - 1)))" ]
	[ ! -e "$M/main/large/entry-$(printf %07d "$MANY")" ]
	sync "$M/main"
	[ "$(store_git ls-tree main:large | wc -l)" -eq "$MANY" ]
	before=$(processor)
	rm -r "$M/main/large"
	echo "removed for $(($(processor) - before))"
	[ "$(($(processor) - before))" -lt $(((small + 10) * 50)) ]
	[ ! -e "$M/main/large" ]
	restart
	[ "$(ls "$M/main" | wc -l)" -eq 10 ]
}

@test "files that were looked at cost little, and nothing once they are forgotten" {
	start -o commit=3600
	for i in 1 2 3 4 5; do
		make_entries "$M/main/d$i" $((MANY / 5))
	done
	restart
	local base walked
	base=$(memory)
	[ "$(find "$M/main" -type f -size -1 | wc -l)" -eq "$MANY" ]
	walked=$(memory)
	echo "before $base, walked $walked, inodes $(stat_of inodes)"
	[ "$(stat_of inodes)" -ge "$MANY" ]
	# 310 bytes each were measured, and names and ids of the directory
	[ -n "$SANITIZED" ] || [ $((walked - base)) -lt $((MANY * 450 / 1024 + 4096)) ]
	drop_caches
	few_inodes() {
		[ "$(stat_of inodes)" -lt $((MANY / 100)) ]
	}
	wait_for 20 few_inodes
	[ -n "$SANITIZED" ] || [ $(($(memory) - base)) -lt $((MANY * 200 / 1024 + 4096)) ]
	# again and again: nothing piles up but holes between what was freed
	for i in 1 2 3; do
		find "$M/main" -type f -size +1 >/dev/null
		echo 2 >/proc/sys/vm/drop_caches
	done
	find "$M/main" -type f -size +1 >/dev/null
	echo "in the end $(memory)"
	[ -n "$SANITIZED" ] || [ "$(memory)" -lt $((walked * 3 / 2 + 2048)) ]
}

@test "unpacking and reading many files stays within the budget of memory" {
	start -o memory=16M
	mkdir "$T/tree"
	python3 - "$T/tree" $((MANY / 5)) <<'END'
import os, random, sys
chooser = random.Random(3)
text = chooser.randbytes(1 << 20)
for i in range(int(sys.argv[2])):
    folder = f"{sys.argv[1]}/d{i // 200}"
    if i % 200 == 0:
        os.mkdir(folder)
    start = chooser.randrange(1 << 19)
    with open(f"{folder}/f{i}", "wb") as f:
        f.write(text[start:start + min(int(chooser.lognormvariate(8.5, 1)), 100000)])
END
	tar -C "$T" -cf "$T/tree.tar" tree
	# contents, what publishing has at hand and what malloc keeps of it, and
	# 1.5 KiB for each new file; unbounded it would be 190 MB and more
	local most=$((16384 * 2 + 65536 + MANY / 5 * 3 / 2))
	within() {
		echo "$1 $(memory) of $most"
		[ -n "$SANITIZED" ] || [ "$(memory)" -lt "$most" ]
	}
	tar -C "$M/main" -xf "$T/tree.tar"
	within unpacked
	sync "$M/main"
	within stored
	diff -r "$T/tree" "$M/main/tree"
	within read
	[ "$(stat_of block_bytes)" -le $((16 << 20)) ]
	drop_caches
	wait_for 20 sh -c "[ \$(sed -n 's/^inodes //p' '$M/.irmin/stats') -lt 100 ]"
	diff -r "$T/tree" "$M/main/tree"
	within again
}
