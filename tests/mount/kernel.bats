#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# What the kernel caches, locks, and is told.
load common

fork() {
	mkdir "$M/$1/.irmin/fork/$2"
}

@test "a name with an encoded slash is a link to the real one" {
	start
	mkdir "$M/space%2Fb"
	[ "$(readlink "$M/space%2Fb")" = space/b ]
	mkdir "$M/space/n%2Fm"
	[ "$(readlink "$M/space/n%2Fm")" = n/m ]
	touch "$M/space/n%2Fm/f"
	[ -e "$M/space/n/m/f" ]
	[ ! -e "$M/space%2Fnone" ]
	run mv "$M/main" "$M/space%2Fb"
	[ -d "$M/main" ]
}

stands_in() {
	[ "$(realpath . 2>/dev/null)" = "$1" ]
}

@test "who stands in a branch that moves below a folder stays in it" {
	start
	cd "$M/main"
	mv "$M/main" "$M/deep%2Fer"
	touch f
	wait_for 5 stands_in "$M/deep/er"
	for i in $(seq 20); do
		mv "$M/deep/er" "$M/flat"
		mv "$M/flat" "$M/deep%2Fer"
	done
	[ -e "$M/deep/er/f" ]
	[ "$(ls "$M")" = deep ]
}

@test "a branch is renamed at once from where the kernel has not seen it" {
	start
	touch "$M/main/f"
	python3 - "$M" <<'END'
import os, sys
m = sys.argv[1]
os.chdir(m + "/main")
os.rename(m + "/main", m + "/flat")
for i in range(20):
	os.rename(m + "/flat", m + "/deep%2Fer")
	os.rename(m + "/deep/er", m + "/flat")
assert os.listdir(".") == ["f"]
assert os.listdir(m) == ["flat"]
END
	mkdir "$M/space%2Fb"
	for i in $(seq 5); do
		"$IRMINFS" rename -C "$M" flat x/y
		python3 -c 'import os, sys; os.rename(*sys.argv[1:])' \
			"$M/x/y" "$M/space/flat"
		"$IRMINFS" rename -C "$M" space/flat flat
	done
	[ -e "$M/flat/f" ]
}

@test "a branch that a command has just renamed merges by rename" {
	start
	touch "$M/main/f"
	for i in $(seq 5); do
		fork main b
		touch "$M/b/f$i"
		"$IRMINFS" rename -C "$M" b x/y
		python3 -c 'import os, sys; os.rename(*sys.argv[1:])' \
			"$M/x/y" "$M/main"
		[ -e "$M/main/f$i" ]
	done
}

@test "several names of one commit can be read at the same time" {
	start
	mkdir -p "$M/main/d/e"
	echo 1 >"$M/main/d/e/f"
	echo first >"$M/main/.irmin/commit"
	mkdir "$M/main/.irmin/tag/v1"
	id=$(cat "$M/main/.irmin/head")
	for i in 1 2 3 4; do
		for name in "main@~0" "@v1" "@$id" "@${id:0:10}"; do
			(for k in $(seq 5); do
				cat "$M/$name/d/e/f" || exit 1
			done >/dev/null) &
			jobs[i]="${jobs[i]:-} $!"
		done
	done
	# shellcheck disable=SC2086
	for pid in ${jobs[*]}; do
		wait "$pid"
	done
	(cd "$M/@v1/d" && cat "$M/@$id/d/e/f" && [ "$(pwd -P)" = "$M/@v1/d" ])
}

@test "branches that commands change come and go at once" {
	start
	touch "$M/main/f"
	for i in $(seq 10); do
		"$IRMINFS" fork -C "$M" main a
		[ -e "$M/a/f" ]
		"$IRMINFS" rename -C "$M" a x/b
		[ ! -e "$M/a" ]
		[ -e "$M/x/b/f" ]
		"$IRMINFS" drop -C "$M" x/b
		[ ! -e "$M/x/b" ]
		[ ! -e "$M/x" ]
	done
	[ "$(ls "$M")" = main ]
}

@test "moves that mv must not turn into copies are EPERM, others EXDEV" {
	start
	mkdir "$M/a" "$M/space%2Fb" "$M/main/d"
	touch "$M/main/f"
	echo files >"$M/main/.irmin/commit"
	python3 - "$M" <<'END'
import errno, os, sys
os.chdir(sys.argv[1])
def check(source, target, expected):
	try:
		os.rename(source, target)
		got = 0
	except OSError as e:
		got = e.errno
	assert got == expected, (source, target, errno.errorcode.get(got, got))
check("a", "main/a", errno.EPERM)
check("space", "other", errno.EPERM)
check("main/d", "d", errno.EPERM)
check("main/f", "f", errno.EPERM)
check("main/f", "main/.irmin/message", errno.EPERM)
check("main/.irmin/message", "main/g", errno.EPERM)
check("main@~0", "new", errno.EPERM)
check("main@~0/f", "main/e", errno.EROFS)
check("main/f", "a/f", errno.EXDEV)
check("main/d", "space/b/d", errno.EXDEV)
check("a", "space", errno.ENOTEMPTY)
assert sorted(os.listdir(".")) == ["a", "main", "space"]
assert sorted(os.listdir("main")) == ["d", "f"]
END
}

@test "a branch that others may write into is not theirs to drop" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	start
	chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$T"
	chmod 777 "$M/main"
	run setpriv --reuid=65534 --clear-groups rmdir "$M/main/.irmin"
	[[ $output == *"not permitted"* ]]
	setpriv --reuid=65534 --clear-groups mkdir "$M/main/theirs"
	run setpriv --reuid=65534 --clear-groups cat "$M/.irmin/control"
	[[ $output == *"Permission denied"* ]]
	run setpriv --reuid=65534 --clear-groups mkdir "$M/new"
	[[ $output == *"Permission denied"* ]]
}

@test "dropping the target of a long merge gives up, and blocks nothing" {
	git init -q --bare "$STORE"
	store_git config merge.slow.driver 'sleep 4; cat %B >%A'
	start
	[ -e "$M/main" ] || mkdir "$M/main"
	echo 'f merge=slow' >"$M/main/.gitattributes"
	echo 1 >"$M/main/f"
	fork main a
	echo 2 >"$M/a/f"
	echo 3 >"$M/main/f"
	touch "$M/main/g" "$M/a/h"
	echo a >"$M/main/.irmin/merge" &
	merge=$!
	sleep 1
	run timeout 20 rmdir "$M/main/.irmin"
	[[ $output == *busy* ]]
	run timeout 20 mv "$M/main" "$M/other%2Fname"
	wait "$merge"
	[ "$(cat "$M/main/f" "$M/other/name/f" 2>/dev/null)" = 2 ]
}

@test "many merges and forks at once find threads to serve the kernel" {
	start
	touch "$M/main/f"
	for i in $(seq 30); do
		fork main "b$i"
		echo "$i" >"$M/b$i/f$i"
	done
	python3 - "$M" <<'END'
import mmap, os, sys, threading
m = sys.argv[1]
fd = os.open(m + "/main/map", os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, 1 << 20)
page = mmap.mmap(fd, 1 << 20)
failed = []
def merge(i):
	page[i * 4096] = i
	try:
		with open(m + "/main/.irmin/merge", "w") as f:
			f.write("b%d" % i)
		os.mkdir(m + "/main/.irmin/fork/c%d" % i)
		if open(m + "/c%d/map" % i, "rb").read()[i * 4096] != i:
			failed.append((i, "the mapping is not in the fork"))
	except OSError as e:
		failed.append((i, e.strerror))
threads = [threading.Thread(target=merge, args=(i,)) for i in range(1, 31)]
[t.start() for t in threads]
[t.join(60) for t in threads]
assert not failed, failed
assert all(os.path.exists(m + "/main/f%d" % i) for i in range(1, 31))
END
}

@test "SIGTERM keeps what mappings hold and unmounts though it is in use" {
	start
	python3 - "$M" "$T/ready" <<'END' &
import mmap, os, sys, time
fd = os.open(sys.argv[1] + "/main/map", os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, 4096)
page = mmap.mmap(fd, 4096)
page[:4] = b"kept"
open(sys.argv[2], "w")
time.sleep(60)
END
	user=$!
	wait_for 20 [ -e "$T/ready" ]
	pid=$DAEMON
	DAEMON=
	kill "$pid"
	wait "$pid"
	kill "$user"
	run grep " $M " /proc/self/mountinfo
	[ "$status" -ne 0 ]
	[ "$(store_git cat-file blob main:map | head -c 4)" = kept ]
}

# a sanitizer sees what the daemon does with a file that was closed meanwhile
@test "a control file may be closed as soon as it is read" {
	start
	python3 - "$M" <<'END'
import multiprocessing, os, sys, time
root, end = sys.argv[1], time.monotonic() + 2

def read(name):
    while time.monotonic() < end:
        fd = os.open(root + name, os.O_RDONLY)
        assert os.read(fd, 4096)
        os.close(fd)

names = ["/.irmin/version", "/main/.irmin/type"] * 2
readers = [multiprocessing.Process(target=read, args=(n,)) for n in names]
for reader in readers:
    reader.start()
for reader in readers:
    reader.join()
assert not any(reader.exitcode for reader in readers)
END
}

@test "a message may come in several writes" {
	start
	(printf 'one '; printf 'two\n\n'; printf 'three\n') >"$M/main/.irmin/message"
	[ "$(cat "$M/main/.irmin/message")" = "$(printf 'one two\n\nthree')" ]
	touch "$M/main/f"
	sync "$M/main/f"
	[ "$(store_git log -1 --format=%s main)" = "one two" ]
	[ -z "$(cat "$M/main/.irmin/message")" ]
}

@test "requests in JSON are answered from the same open file" {
	start
	exec 7<>"$M/.irmin/control"
	for i in 1 2; do
		echo '{"do": "branches"}' >&7
		answer=$(timeout 10 cat <&7)
		[[ $answer == *'"main"'* ]]
	done
	exec 7>&-
	python3 - "$M/.irmin/control" <<'END'
import json, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
for name in ("x", "y"):
	request = json.dumps({"do": "make", "branch": name}).encode()
	assert os.pwrite(fd, request, 0) == len(request)
	assert json.loads(os.pread(fd, 4096, 0)) == {}
END
	[ "$(ls "$M" | xargs)" = "main x y" ]
}

@test "opening for reading with O_TRUNC empties a file" {
	start
	echo 1 >"$M/main/f"
	python3 -c 'import os, sys; os.open(sys.argv[1], os.O_RDONLY | os.O_TRUNC)' \
		"$M/main/f"
	[ ! -s "$M/main/f" ]
	[ -z "$(cat "$M/main/f")" ]
}

@test "what was written past the page cache is what others read" {
	start
	python3 "$BATS_TEST_DIRNAME/direct_aio.py" "$M/main/f" 2
}
