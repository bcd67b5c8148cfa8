# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# What the mount tests share.  Each test gets, in its own temporary folder:
#   $T the folder   $STORE a repository that irminfs makes   $M the mount point
#   $IRMINFS the program under test
# start and stop mount and unmount; whatever is left is ended by teardown.

setup() {
	[ -c /dev/fuse ] || skip "there is no /dev/fuse: mount tests cannot run"
	[ "$(id -u)" -eq 0 ] || command -v fusermount3 >/dev/null ||
		skip "mounting needs root or fusermount3"
	T=$BATS_TEST_TMPDIR
	STORE=$T/store.git
	M=$T/mnt
	mkdir -p "$M" "$T/home"
	export HOME=$T/home GIT_CONFIG_NOSYSTEM=1
	unset GIT_DIR GIT_WORK_TREE
	git config --global user.name Tester
	git config --global user.email tester@example.org
	git config --global init.defaultBranch main
	git config --global safe.directory '*'
	if declare -F prepare >/dev/null; then prepare; fi
}

needs() {
	command -v "$1" >/dev/null || skip "$1 is not installed"
}

# A file with a teardown of its own ends that with end_mount.
teardown() {
	end_mount
}

end_mount() {
	[ -n "${M:-}" ] || return 0
	cd / || return 1
	# what the daemon said belongs to what bats tells of a failed test
	[ -n "${BATS_TEST_COMPLETED:-}" ] || show_log
	if [ -n "${DAEMON:-}" ]; then
		stop || return 1
	fi
	# a mount that a test left without a daemon
	if grep -q " $M " /proc/self/mountinfo; then
		umount -f "$M" 2>/dev/null || umount -l "$M"
	fi
}

show_log() {
	[ ! -s "$T/log" ] || sed 's/^/log: /' "$T/log"
}

# start [ARGUMENT...]: mounts $STORE at $M in the foreground of a background
# job, so that DAEMON is its pid and $T/log its messages
start() {
	"$IRMINFS" mount -f "$STORE" "$M" "$@" >>"$T/log" 2>&1 3>&- &
	DAEMON=$!
	local i
	for ((i = 0; i < 200; i++)); do
		[ -e "$M/.irmin/version" ] && return 0
		kill -0 "$DAEMON" 2>/dev/null || break
		sleep 0.05
	done
	show_log
	return 1
}

# stop: unmounts, waits for the daemon, fails if it failed or a sanitizer spoke
stop() {
	local pid=$DAEMON status=0
	DAEMON=
	umount "$M" 2>/dev/null || umount -l "$M" || kill "$pid"
	wait "$pid" || status=$?
	if [ "$status" -ne 0 ] ||
		grep -qE 'Sanitizer|runtime error' "$T/log"; then
		echo "the daemon exited with $status"
		show_log
		return 1
	fi
}

# crash: the daemon dies as in a power cut of its own
crash() {
	local pid=$DAEMON
	DAEMON=
	kill -KILL "$pid"
	wait_for 20 ended "$pid"
	wait "$pid" 2>/dev/null || true
}

# ended PID: nothing of the process is left, also in the kernel
ended() {
	! kill -0 "$1" 2>/dev/null
}

# restart [ARGUMENT...]
restart() {
	stop && start "$@"
}

# unpack_store: loose objects, so that single ones can be damaged
unpack_store() {
	local pack
	mkdir "$T/packs"
	mv "$STORE"/objects/pack/pack-* "$T/packs/"
	for pack in "$T"/packs/*.pack; do
		store_git unpack-objects -q <"$pack"
	done
}

# store_git ARGUMENT...: plain Git on the store, when all that is durable is there
store_git() {
	if [ -n "${DAEMON:-}" ]; then
		"$IRMINFS" publish --store "$STORE" >/dev/null 2>&1 || true
	fi
	git --git-dir="$STORE" "$@"
}

# wait_for SECONDS COMMAND...: until the command succeeds
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.1
	done
}

# queue [PATH]: an empty queue on branch main
queue() {
	mkdir -p "$M/main/${1:-jobs}"
	setfattr -n user.irmin.type -v queue "$M/main/${1:-jobs}"
}

# write_synced FOLDER COUNT ERRNO: writes files and syncs them until that was refused
# COUNT times, which may be with ERRNO alone; prints which were acknowledged
write_synced() {
	python3 - "$@" <<'END'
import os, random, sys
left, errno = int(sys.argv[2]), int(sys.argv[3])
for i in range(100000):
    try:
        fd = os.open(f"{sys.argv[1]}/{i}", os.O_CREAT | os.O_WRONLY)
        try:
            os.write(fd, random.Random(i).randbytes(1000 + i % 50 * 5000))
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as e:
        assert e.errno == errno, e
        left -= 1
        if left == 0:
            break
        continue
    print(i)
assert left == 0
END
}

# has_synced FOLDER: whether what write_synced printed (standard input) is there
has_synced() {
	python3 -c '
import random, sys
for i in map(int, sys.stdin):
    data = open(f"{sys.argv[1]}/{i}", "rb").read()
    assert data == random.Random(i).randbytes(1000 + i % 50 * 5000), i
' "$1"
}
