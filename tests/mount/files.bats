#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Files and directories of a branch.
load common

@test "a new store has the empty branch main" {
	start
	[ "$(ls -A "$M")" = main ]
	[ -z "$(ls -A "$M/main")" ]
}

@test "what is written is read, and is in Git after fsync" {
	start
	echo hello >"$M/main/greeting"
	[ "$(cat "$M/main/greeting")" = hello ]
	sync "$M/main/greeting"
	[ "$(store_git show main:greeting)" = hello ]
	store_git fsck --strict
}

@test "files survive a remount" {
	start
	mkdir -p "$M/main/a/b"
	seq 100000 >"$M/main/a/b/numbers"
	ln -s b/numbers "$M/main/a/link"
	printf '#!/bin/sh\necho ran\n' >"$M/main/run"
	chmod +x "$M/main/run"
	restart
	[ "$(md5sum <"$M/main/a/link")" = "$(seq 100000 | md5sum)" ]
	[ "$("$M/main/run")" = ran ]
}

@test "an unlinked file stays readable while it is open" {
	start
	echo kept >"$M/main/f"
	exec 5<"$M/main/f"
	rm "$M/main/f"
	[ ! -e "$M/main/f" ]
	[ "$(cat <&5)" = kept ]
	exec 5<&-
}

@test "rename moves, replaces, refuses and exchanges" {
	start
	cd "$M/main"
	mkdir d
	echo 1 >a
	echo 2 >b
	mv a d/a
	mv -T d e
	[ "$(cat e/a)" = 1 ]
	mv b e/a
	[ "$(cat e/a)" = 2 ]
	echo 3 >c
	mv -n c e/a
	[ "$(cat e/a)" = 2 ]
	run mv e e/inside
	[ "$status" -ne 0 ]
	python3 - <<'END'
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
assert libc.renameat2(-100, b"c", -100, b"e", 2) == 0
END
	[ "$(cat e)" = 3 ]
	[ "$(cat c/a)" = 2 ]
	sync c/a
	[ "$(store_git ls-tree -r --name-only main)" = "$(printf 'c/a\ne')" ]
}

@test "names that Git cannot store are refused" {
	start
	cd "$M/main"
	for name in .Git .GIT 'git~1' 'a\.git' .irmin; do
		run mkdir "$name"
		[ "$status" -ne 0 ]
	done
	ln -s target link
	for command in 'ln -s target' 'mv link'; do
		run $command .gitmodules
		[ "$status" -ne 0 ]
	done
	long=$(printf 'x%.0s' {1..256})
	run touch "$long"
	[[ $output == *"too long"* ]]
	touch "${long:1}"
}

@test "sparse files and truncation read as zeros" {
	start
	cd "$M/main"
	truncate -s 1G sparse
	printf end | dd of=sparse bs=1 seek=$((1 << 30)) conv=notrunc status=none
	[ "$(stat -c %s sparse)" -eq $(((1 << 30) + 3)) ]
	[ "$(tail -c 3 sparse)" = end ]
	[ "$(head -c 4096 sparse | tr -d '\0' | wc -c)" -eq 0 ]
	rm sparse
	echo abcdef >t
	truncate -s 3 t
	truncate -s 6 t
	[ "$(od -An -c t | tr -d ' ')" = 'abc\0\0\0' ]
}

@test "appends of two writers do not overwrite each other" {
	start
	cd "$M/main"
	for who in a b; do
		(for _ in {1..200}; do echo "$who" >>log; done) &
	done
	wait $(jobs -p | grep -v "^$DAEMON$")
	[ "$(wc -l <log)" -eq 400 ]
	[ "$(grep -c a log)" -eq 200 ]
}

@test "shared mappings are written back at msync" {
	start
	python3 - "$M/main/map" <<'END'
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, 8192)
m = mmap.mmap(fd, 8192)
m[5000:5005] = b"hello"
m.flush()
assert os.pread(fd, 5, 5000) == b"hello"
private = mmap.mmap(fd, 8192, mmap.MAP_PRIVATE)
private[5000:5005] = b"other"
assert os.pread(fd, 5, 5000) == b"hello"
END
	[ "$(store_git show main:map | tr -d '\0')" = hello ]
}

@test "a listing stays right while the directory changes" {
	start
	python3 - "$M/main" <<'END'
import os, sys
os.chdir(sys.argv[1])
names = {f"f{i}" for i in range(5000)}
for n in names:
	open(n, "w").close()
seen = []
with os.scandir(".") as it:
	for i, e in enumerate(it):
		seen.append(e.name)
		if i % 10 == 0:
			os.unlink(e.name)
			open(f"new{i}", "w").close()
old = [n for n in seen if n in names]
assert len(old) == len(set(old)) == 5000, len(old)
assert len(seen) == len(set(seen))
END
}

@test "copies inside the mount share contents and stay apart" {
	start
	cd "$M/main"
	seq 200000 >a
	cp a b
	cmp a b
	echo more >>b
	sync b
	[ "$(store_git show main:a | md5sum)" = "$(seq 200000 | md5sum)" ]
	[ "$(tail -1 b)" = more ]
}

@test "objects belong to the caller and statfs answers" {
	start
	cd "$M/main"
	touch mine
	[ "$(stat -c %u mine)" = "$(id -u)" ]
	df "$M/main" >/dev/null
	[ "$(stat -f -c %l .)" = 255 ]
}
