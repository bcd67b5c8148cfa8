#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Programs that meet a daemon whose memory ends: they are told, nothing that was
# acknowledged is lost, and when there is memory again the work goes on.
bats_require_minimum_version 1.5.0
load common
load postgres

prepare() {
	needs prlimit
	! grep -q __asan_init "$IRMINFS-whole" 2>/dev/null ||
		skip "sanitizers need memory of their own"
	case $BATS_TEST_DESCRIPTION in
	PostgreSQL*) prepare_server ;;
	esac
}

teardown() {
	[ -z "${D:-}" ] || end_servers
	end_mount
	[ -z "${GROUP:-}" ] || { leave_group && rmdir "$GROUP"; }
}

# leave MIB: the daemon gets no more than that
leave() {
	local data
	data=$(awk '/VmData/ { print $2 }' "/proc/$DAEMON/status")
	prlimit --pid "$DAEMON" --data=$(((data + $1 * 1024) * 1024)):
}

give_memory() {
	prlimit --pid "$DAEMON" --data=unlimited:
}

# make_group MIB: a control group of version 1 or 2, GROUP, that has no more
make_group() {
	local top=/sys/fs/cgroup file=memory.max
	[ ! -d $top/memory ] || { top=$top/memory; file=memory.limit_in_bytes; }
	mkdir "$top/irminfs-$$" 2>/dev/null || skip "no control groups"
	GROUP=$top/irminfs-$$
	echo "$1M" 2>/dev/null >"$GROUP/$file" || skip "none that limit memory"
}

leave_group() {
	echo $BASHPID >"$(dirname "$GROUP")/cgroup.procs"
}

# start_in_group: the daemon alone is in it
start_in_group() {
	echo $BASHPID >"$GROUP/cgroup.procs"
	start
	leave_group
}

# stop_without_memory: the daemon may say that it could not store the rest
stop_without_memory() {
	local pid=$DAEMON status=0
	umount "$M"
	DAEMON=
	wait "$pid" || status=$?
	[ "$status" -le 1 ]
}

# healthy: all is stored, and the store is whole
healthy() {
	cd /
	restart
	stop
	git --git-dir="$STORE" fsck --strict
	"$IRMINFS" fsck --store "$STORE"
}

# make_files COUNT BYTES: files that do not compress, in $T/tree
make_files() {
	python3 - "$T/tree" "$1" "$2" <<'END'
import os, random, sys
for i in range(int(sys.argv[2])):
    folder = f"{sys.argv[1]}/d{i % 30}"
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/f{i}", "wb") as f:
        f.write(random.Random(i).randbytes(int(sys.argv[3])))
END
}

@test "tar is told, and unpacks when there is memory again" {
	make_files 3000 5000
	tar -C "$T" -cf "$T/tree.tar" tree
	start
	echo kept >"$M/main/kept"
	sync "$M/main/kept"
	leave 2
	run tar -C "$M/main" -xf "$T/tree.tar"
	[ "$status" -eq 2 ]
	[[ $output == *"Cannot allocate memory"* ]]
	give_memory
	[ "$(cat "$M/main/kept")" = kept ]
	tar -C "$M/main" -xf "$T/tree.tar"
	sync "$M/main/tree"
	diff -r "$T/tree" "$M/main/tree"
	# however many requests had no memory
	[ "$(wc -l <"$T/log")" -lt 50 ]
	healthy
	[ "$(git --git-dir="$STORE" ls-tree -r main:tree | wc -l)" -eq 3000 ]
}

@test "what was acknowledged is there after unmounting without memory" {
	for room in 1 6; do
		start
		mkdir -p "$M/main/d$room"
		sync "$M/main/d$room"
		leave $room
		write_synced "$M/main/d$room" 40 12 >"$T/acknowledged"
		[ -s "$T/acknowledged" ]
		stop_without_memory
		start
		has_synced "$M/main/d$room" <"$T/acknowledged"
		stop
	done
	start
	healthy
}

@test "SQLite is told, and all that it acknowledged is there" {
	needs sqlite3
	local count there
	start
	cd "$M/main"
	for mode in delete wal; do
		db=$mode.db
		sqlite3 $db "pragma journal_mode=$mode;
			create table t(a integer primary key, b)" >/dev/null
		leave 3
		count=0
		while [ $count -lt 4000 ] &&
			sqlite3 $db "insert into t(b) select randomblob(50000)
				from generate_series(1, 8)" 2>"$T/said"; do
			count=$((count + 8))
		done
		cat "$T/said"
		[ $count -lt 4000 ]
		give_memory
		[ "$(sqlite3 $db 'pragma integrity_check')" = ok ]
		there=$(sqlite3 $db 'select count(*) from t')
		# SQLite cannot know of the one that failed
		[ "$there" -eq $count ] || [ "$there" -eq $((count + 8)) ]
		sqlite3 $db "insert into t(b) values (1)"
	done
	healthy
}

@test "PostgreSQL is told, and all that it acknowledged is there after a restart" {
	begin_cluster
	leave 3
	bench_until "Cannot allocate memory"
	give_memory
	check_again
	healthy
}

@test "forks, merges and queues are refused whole" {
	start
	queue
	for i in $(seq 20); do
		echo "$i" >"$M/main/jobs/j$i"
		echo "$i" >"$M/main/f$i"
	done
	mkdir "$M/main/.irmin/fork/side"
	echo side >"$M/side/f1"
	echo new >"$M/side/new"
	sync "$M/side/f1"
	leave 0
	# until all that the daemon has at hand is in use
	mkdir "$M/main/fill" 2>/dev/null || true
	for i in $(seq 3000); do
		head -c 3000 /dev/urandom >"$M/main/fill/$i" || break
	done 2>/dev/null
	mkdir "$M/main/.irmin/fork/half" || true
	mv -T "$M/side" "$M/main" || true
	mv "$M/main/jobs/j3" "$M/main/taken" || true
	echo 21 >"$M/main/jobs/j21" || true
	give_memory
	# each is done or not
	if [ -d "$M/half" ]; then
		[ "$(cat "$M/half/f20")" = 20 ]
	fi
	[ ! -d "$M/side" ] || mv -T "$M/side" "$M/main"
	[ "$(cat "$M/main/new" "$M/main/f1")" = $'new\nside' ]
	[ -e "$M/main/taken" ] || mv "$M/main/jobs/j3" "$M/main/taken"
	[ "$(cat "$M/main/taken")" = 3 ]
	[ ! -e "$M/main/jobs/j3" ]
	[ "$("$IRMINFS" pop "$M/main/jobs")" = 1 ]
	sync "$M/main/taken"
	healthy
}

@test "a file larger than the memory goes through the spill file" {
	head -c 80M /dev/urandom >"$T/big"
	start -o memory=4M
	leave 32
	cp "$T/big" "$M/main/big"
	sync "$M/main/big"
	cmp "$T/big" "$M/main/big"
	give_memory
	healthy
}

@test "a file larger than the memory does so without a budget that fits" {
	head -c 80M /dev/urandom >"$T/big"
	start -o commit=3600
	leave 32
	cp "$T/big" "$M/main/big"
	cmp "$T/big" "$M/main/big"
	give_memory
	sync "$M/main/big"
	healthy
}

# burst: many requests at once, each in a thread of the daemon
burst() {
	python3 - "$M/main" <<'END'
import os, sys, threading
def run(i):
    try:
        fd = os.open(f"{sys.argv[1]}/burst{i}", os.O_CREAT | os.O_WRONLY)
        for n in range(5):
            os.write(fd, b"x" * 5000)
            os.fsync(fd)
        os.close(fd)
    except OSError as e:
        assert e.errno == 12, e
threads = [threading.Thread(target=run, args=(i,)) for i in range(64)]
for t in threads: t.start()
for t in threads: t.join()
END
}

@test "the mount stays when there is no memory for more threads" {
	start
	# the stacks of threads that have ended are at hand after it
	burst
	leave 0
	for i in $(seq 3000); do
		: >"$M/main/empty$i" || break
	done 2>/dev/null
	burst
	kill -0 "$DAEMON"
	grep -q " $M " /proc/self/mountinfo
	stop_without_memory
	start
	healthy
}

@test "a daemon in a control group keeps within what that allows" {
	make_group 96
	make_files 3000 40000
	tar -C "$T" -cf "$T/tree.tar" tree
	start_in_group
	tar -C "$M/main" -xf "$T/tree.tar"
	sync "$M/main/tree"
	diff -r "$T/tree" "$M/main/tree"
	kill -0 "$DAEMON"
	healthy
}

@test "who says that it is mounted serves, however little memory there is" {
	local kib served=0
	prepare
	mkdir -p "$M"
	for kib in $(seq 60000 20000 200000) 1000000; do
		if (ulimit -v "$kib" && "$IRMINFS" "$STORE" "$M") 2>"$T/said"; then
			timeout -s KILL 30 stat "$M/.irmin/version"
			served=1
			umount "$M"
		else
			[ -s "$T/said" ]
			run -32 mountpoint -q "$M"
		fi
	done
	[ "$served" -eq 1 ]
}
