#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Programs that meet a full disk: they are told, nothing that was acknowledged is
# lost, and when there is room again the work goes on without a remount.
bats_require_minimum_version 1.5.0
load common
load postgres

# The store is on a small disk of its own, of which file fill takes what tests
# are not to have.
prepare() {
	[ "$(id -u)" -eq 0 ] || skip "needs a disk of its own, and so root"
	DISK=$T/disk
	mkdir "$DISK"
	case $BATS_TEST_DESCRIPTION in
	PostgreSQL*)
		prepare_server
		truncate -s 600M "$T/image"
		;;
	*) truncate -s 64M "$T/image" ;;
	esac
	mkfs.ext4 -qm 0 "$T/image"
	mount -o loop "$T/image" "$DISK" 2>/dev/null ||
		mount -t tmpfs -o size=64m none "$DISK" || skip "no disk"
	STORE=$DISK/store.git
}

teardown() {
	[ -z "${DISK:-}" ] || rm -f "$DISK/fill"
	[ -z "${D:-}" ] || end_servers
	end_mount
	[ -z "${DISK:-}" ] || umount "$DISK"
}

# leave MIB: so much room, and no more
leave() {
	local free
	free=$(df --output=avail -k "$DISK" | tail -1)
	fallocate -l $((free - $1 * 1024))K "$DISK/fill"
}

give_room() {
	rm "$DISK/fill"
}

# healthy: all is stored, and the store is whole
healthy() {
	cd /
	restart
	stop
	git --git-dir="$STORE" fsck --strict
}

# make_files COUNT BYTES: files that do not compress, in $T/tree
make_files() {
	local i
	mkdir "$T/tree"
	for ((i = 0; i < $1; i++)); do
		head -c "$2" /dev/urandom >"$T/tree/f$i"
	done
}

@test "a store that is made on a full disk is mounted with its branch later" {
	for kib in 8 12 16 24; do
		leave 1
		fallocate -l $(($(df --output=avail -k "$DISK" | tail -1) - kib))K \
			"$DISK/more"
		run timeout 20 "$IRMINFS" mount -f "$STORE" "$M"
		[ "$status" -ne 0 ]
		[[ $output == *"No space left on device"* ]]
		give_room
		rm "$DISK/more"
		start
		echo text >"$M/main/file"
		stop
		[ "$(git --git-dir="$STORE" show main:file)" = text ]
		[ ! -e "$STORE/irminfs/new" ]
		rm -rf "$STORE"
	done
}

# available FOLDER: KiB that df shows
available() {
	df --output=avail -k "$1" | tail -1
}

@test "df counts what is changed and not stored yet" {
	start -o commit=3600
	before=$(available "$M")
	head -c 20M /dev/urandom >"$M/main/f"
	[ $((before - $(available "$M"))) -ge 20480 ]
	# and shows nothing where writing is refused
	! head -c 60M /dev/urandom >"$M/main/g" || false
	[ "$(available "$M")" -lt 2048 ]
	[ "$(available "$DISK")" -gt 2048 ]
	rm "$M/main/g"
	[ "$(available "$M")" -gt 2048 ]
	healthy
}

@test "tar is told, and unpacks when there is room again" {
	make_files 200 100000
	tar -C "$T" -cf "$T/tree.tar" tree
	start
	echo kept >"$M/main/kept"
	sync "$M/main/kept"
	leave 12
	run tar -C "$M/main" -xf "$T/tree.tar"
	[ "$status" -eq 2 ]
	[[ $output == *"No space left on device"* ]]
	# what is there can be stored
	sync "$M/main/tree"
	give_room
	tar -C "$M/main" -xf "$T/tree.tar"
	sync "$M/main/tree"
	diff -r "$T/tree" "$M/main/tree"
	[ "$(cat "$M/main/kept")" = kept ]
	healthy
	[ "$(git --git-dir="$STORE" ls-tree main:tree | wc -l)" -eq 200 ]
}

@test "make is told, and goes on when there is room again" {
	needs make
	needs gcc
	start
	cd "$M/main"
	printf 'all: %s\n\tgcc -o all $^\n%%.o: %%.c\n\tgcc -c -o $@ $<\n' \
		"$(printf 'f%s.o ' $(seq 12)) main.o" >Makefile
	for i in $(seq 12); do
		echo "char f$i[1500000] = { $i };" >"f$i.c"
	done
	echo 'extern char f12[]; int main(void) { return f12[0] - 12; }' >main.c
	sync main.c
	leave 16
	run make -j2 -k
	[ "$status" -ne 0 ]
	[[ $output == *"No space left on device"* ]]
	[ ! -x all ] || ! ./all
	give_room
	# as make does itself where a compiler was not told to clean up
	find . -name '*.o' -size 0 -delete
	make -j2 >/dev/null
	./all
	make -q
	healthy
}

# rows FILE: how many there are; fails where the database is damaged
rows() {
	local said
	said=$(sqlite3 "$1" 'pragma integrity_check; select count(*) from t')
	[ "${said%$'\n'*}" = ok ] || return 1
	echo "${said##*$'\n'}"
}

# What the call that failed did may be there or not: SQLite cannot know.
@test "SQLite is told, and all that it acknowledged is there" {
	needs sqlite3
	start
	cd "$M/main"
	for mode in delete wal; do
		db=$mode.db
		leave 10
		sqlite3 $db "pragma journal_mode=$mode;
			create table t(a integer primary key, b)" >/dev/null
		count=0
		while [ $count -lt 480 ] &&
			sqlite3 $db "insert into t(b) select randomblob(50000)
				from generate_series(1, 8)" 2>"$T/said"; do
			count=$((count + 8))
		done
		cat "$T/said"
		grep -qE "disk is full|disk I/O error" "$T/said"
		if [ $mode = wal ]; then
			cd /
			crash
			start
			cd "$M/main"
		fi
		give_room
		there=$(rows $db)
		[ "$there" -eq $count ] || [ "$there" -eq $((count + 8)) ]
		sqlite3 $db "insert into t(b) values (1)"
		[ "$(rows $db)" -eq $((there + 1)) ]
	done
	healthy
}

# A server that cannot write its log panics, and may or may not come back by itself.
@test "PostgreSQL is told, and all that it acknowledged is there after a restart" {
	begin_cluster
	leave 100
	bench_until "No space left on device"
	give_room
	check_again
	healthy
}

@test "git commit is told, and commits when there is room again" {
	start -o commit=3600
	cd "$M/main"
	echo 1 >f
	sync f
	leave 12
	for i in $(seq 30); do
		head -c 1000000 /dev/urandom >"big$i" || break
		git add "big$i" || break
	done 2>"$T/said"
	cat "$T/said"
	grep -qi "no space left" "$T/said"
	[ "$(git show HEAD:f)" = 1 ]
	give_room
	rm -f "$STORE"/irminfs/git/*/index.lock
	head -c 1000000 /dev/urandom >another
	git add -A
	git commit -qm all
	[ -z "$(git status --porcelain)" ]
	[ "$(git log -1 --format=%s)" = all ]
	git fsck
	healthy
}

@test "rsync is told, and the pass that has room finishes the work" {
	needs rsync
	make_files 200 100000
	start
	leave 12
	run rsync -a "$T/tree" "$M/main/"
	[ "$status" -eq 11 ]
	[[ $output == *"No space left on device"* ]]
	give_room
	rsync -a "$T/tree" "$M/main/"
	[ -z "$(rsync -ainc --delete "$T/tree" "$M/main/")" ]
	healthy
}

@test "each file whose fsync succeeded survives a crash on the full disk" {
	start
	mkdir "$M/main/d"
	leave 8
	write_synced "$M/main/d" 20 28 >"$T/acknowledged"
	[ "$(wc -l <"$T/acknowledged")" -gt 20 ]
	crash
	start
	has_synced "$M/main/d" <"$T/acknowledged"
	give_room
	echo more >"$M/main/d/more"
	sync "$M/main/d/more"
	healthy
}

@test "a mount with no room for what is in the journal says how much it needs" {
	start -o commit=3600
	python3 - "$M/main" "$DAEMON" <<'END'
import os, random, sys
for i in range(5):
    fd = os.open(f"{sys.argv[1]}/{i}", os.O_CREAT | os.O_WRONLY)
    os.write(fd, random.Random(i).randbytes(1000 + i * 5000))
    os.fsync(fd)
# before that can be in Git
os.kill(int(sys.argv[2]), 9)
END
	wait "$DAEMON" || true
	leave 1
	head -c 2M /dev/zero 2>/dev/null >"$DISK/more" || true
	DAEMON=
	run -128 timeout 20 "$IRMINFS" mount -f "$STORE" "$M"
	[[ $output == *"No space left on device"*"Nothing is lost"* ]]
	[[ $output =~ ' '([0-9]+)' MiB of room' ]]
	"$IRMINFS" mount -o ro "$STORE" "$M"
	"$IRMINFS" umount "$M"
	give_room
	rm "$DISK/more"
	echo "needs ${BASH_REMATCH[1]}" >&2; 	leave "${BASH_REMATCH[1]}"
	start
	seq 0 4 | has_synced "$M/main"
	give_room
	healthy
}

@test "what is removed before it was stored gives its space back" {
	start -o memory=1M,commit=3600
	leave 45
	for i in 1 2 3 4 5; do
		head -c 15M /dev/urandom >"$M/main/f"
		cat "$M/main/f" >/dev/null
		rm "$M/main/f"
	done
	head -c 10M /dev/urandom >"$M/main/g"
	sync "$M/main/g"
	give_room
	healthy
}

@test "many small files fit where their bytes fit" {
	start -o memory=1M,commit=3600
	leave 40
	mkdir "$M/main/d"
	python3 - "$M/main/d" <<'END'
import random, sys
for i in range(3000):
    with open(f"{sys.argv[1]}/{i}", "wb") as f:
        f.write(random.Random(i).randbytes(2000))
END
	sync "$M/main/d"
	give_room
	healthy
}

# Vim itself leaves half of the new text, as on other disks.
@test "vim is told, and the text that was synced before is in history" {
	needs vim
	start -o commit=3600
	cd "$M/main"
	seq 100000 >text
	sync text
	head=$(cat .irmin/head)
	leave 12
	# 30 MB
	run vim -Nu NONE -i NONE -n -es -c "%s/$/$(printf ' %0300d' 0)/" \
		-c 'w | qa!' text
	[ "$status" -ne 0 ]
	give_room
	cmp <(seq 100000) "$M/@$head/text"
	cp "$M/@$head/text" text
	vim -Nu NONE -i NONE -n -es -c '1s/^/first /' -c wq text
	[ "$(head -n 1 text)" = "first 1" ]
	sync text
	healthy
}

@test "a Maildir has each message whole or not at all" {
	start -o commit=3600
	leave 12
	python3 - "$M/main" "$T/delivered" <<'END'
import errno, mailbox, os, sys
box = mailbox.Maildir(f"{sys.argv[1]}/box", create=True)
count = 0
try:
    while count < 200:
        box.add(f"Subject: {count}\n\n".encode() + os.urandom(400000).hex().encode())
        count += 1
except OSError as error:
    assert error.errno == errno.ENOSPC, error
assert 0 < count < 200, count
with open(sys.argv[2], "w") as f:
    f.write(str(count))
END
	give_room
	healthy
	start
	python3 - "$M/main" "$(cat "$T/delivered")" <<'END'
import mailbox, sys
box = mailbox.Maildir(f"{sys.argv[1]}/box", create=False)
count = int(sys.argv[2])
assert sorted(int(m["subject"]) for m in box) == list(range(count))
assert all(len(m.get_payload().strip()) == 800000 for m in box)
box.add("Subject: more\n\nbody\n")
assert len(box) == count + 1
END
	stop
}

@test "npm is told, and installs when there is room again" {
	needs npm
	needs node
	mkdir -p "$T/packages/p"
	cd "$T/packages/p"
	echo '{"name":"p","version":"1.0.0","main":"index.js"}' >package.json
	echo "module.exports = 7" >index.js
	head -c 20M /dev/urandom >data
	npm pack --silent --pack-destination "$T/packages" >/dev/null
	start -o commit=3600
	mkdir "$M/main/app"
	cd "$M/main/app"
	export npm_config_cache=$T/cache npm_config_audit=false npm_config_fund=false
	npm_config_update_notifier=false npm init -y --silent >/dev/null
	sync package.json
	leave 12
	! npm install --offline "$T"/packages/p-1.0.0.tgz >"$T/said" 2>&1 || false
	grep -q ENOSPC "$T/said"
	give_room
	npm install --offline --silent "$T"/packages/p-1.0.0.tgz
	[ "$(node -p 'require("p")')" = 7 ]
	cmp "$T/packages/p/data" node_modules/p/data
	healthy
}
