#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Bad input: damaged and foreign repositories, full disks, killed daemons.
load common

repository() {
	git init -q "$T/tree"
	cd "$T/tree"
	mkdir dir
	echo good >good
	echo bad >bad
	echo inner >dir/inner
	git add -A
	git commit -qm first
	git clone -q --bare --no-local . "$STORE"
	cd /
	unpack_store
}

object() {
	local id
	id=$(store_git rev-parse "$1")
	echo "$STORE/objects/${id:0:2}/${id:2}"
}

@test "a missing blob is EIO, the rest goes on" {
	repository
	rm -f "$(object main:bad)"
	start
	run cat "$M/main/bad"
	[[ $output == *"Input/output error"* ]]
	[ "$(cat "$M/main/good" "$M/main/dir/inner" | xargs)" = "good inner" ]
	echo new >"$M/main/new"
	sync "$M/main/new"
	[ "$(store_git show main:new)" = new ]
	grep -q "$(store_git rev-parse main:bad)" "$T/log"
	grep -q '"bad" of branch main cannot be read' "$T/log"
	run cat "$M/main@~0/bad"
	grep -q "\"bad\" of commit $(store_git rev-parse main~0) cannot" "$T/log"
}

@test "a corrupt blob is an error and never garbage" {
	repository
	file=$(object main:bad)
	chmod u+w "$file"
	printf 'garbage' | dd of="$file" conv=notrunc bs=1 seek=4 status=none
	start
	run cat "$M/main/bad"
	[ "$status" -ne 0 ]
	grep -q '"bad" of branch main cannot be read' "$T/log"
	[ "$(cat "$M/main/good")" = good ]
}

@test "a missing tree is EIO for that directory alone" {
	repository
	rm -f "$(object main:dir)"
	start
	run ls "$M/main/dir"
	[ "$status" -ne 0 ]
	grep -q '"dir" of branch main cannot be' "$T/log"
	[ "$(cat "$M/main/good")" = good ]
	echo new >"$M/main/new"
	sync "$M/main/new"
	[ "$(store_git show main:new)" = new ]
}

@test "a bad ref does not keep the others away" {
	repository
	echo garbage >"$STORE/refs/heads/broken"
	printf '%040d\n' 1 >"$STORE/refs/heads/missing"
	start
	[ "$(cat "$M/main/good")" = good ]
	run cat "$M/broken/good"
	[ "$status" -ne 0 ]
	run cat "$M/missing/good"
	[ "$status" -ne 0 ]
}

@test "a second mount is refused with the pid that holds the store" {
	start
	mkdir "$T/second"
	run "$IRMINFS" mount -f "$STORE" "$T/second"
	[ "$status" -ne 0 ]
	[[ $output == *"$DAEMON"* ]]
}

@test "foreign repositories are refused in words" {
	git init -q --bare --object-format=sha256 "$STORE"
	run "$IRMINFS" mount -f "$STORE" "$M"
	[ "$status" -ne 0 ]
	[[ $output == *sha256* ]]
	rm -rf "$STORE"
	git init -q --bare "$STORE"
	store_git config core.repositoryformatversion 1
	store_git config extensions.refstorage reftable
	run "$IRMINFS" mount -f "$STORE" "$M"
	[ "$status" -ne 0 ]
	[[ $output == *reftable* ]]
	mkdir "$T/folder"
	touch "$T/folder/file"
	run "$IRMINFS" mount -f "$T/folder" "$M"
	[ "$status" -ne 0 ]
}

@test "a branch that is checked out is read-only in words" {
	git init -q "$T/tree"
	cd "$T/tree"
	echo 1 >f
	git add -A
	git commit -qm first
	git branch other
	cd /
	STORE=$T/tree/.git
	start
	run touch "$M/main/new"
	[[ $output == *"Read-only"* ]]
	touch "$M/other/new"
	"$IRMINFS" branches -C "$M" | grep main | grep -q 'checked out'
	restart -o force
	touch "$M/main/new"
}

@test "fsck tells of a damaged list of where history is cut off" {
	start
	echo 1 >"$M/main/f"
	stop
	echo garbage >"$STORE/shallow"
	run "$IRMINFS" log --store "$STORE" main
	[ "$status" -eq 128 ]
	run "$IRMINFS" fsck --store "$STORE"
	[ "$status" -eq 1 ]
	[[ $output == *"file shallow"* ]]
	rm "$STORE/shallow"
	"$IRMINFS" fsck --store "$STORE"
}

@test "what was acknowledged survives SIGKILL" {
	start
	for i in $(seq 20); do
		echo "$i" >"$M/main/f$i"
		sync "$M/main/f$i"
	done
	crash
	run ls "$M"
	[ "$status" -ne 0 ]
	start
	[ "$(ls "$M/main" | wc -l)" -eq 20 ]
	[ "$(cat "$M/main/f20")" = 20 ]
	store_git fsck --strict
}

# is_gone PID: its program has ended; who reaps it does not matter
is_gone() {
	! readlink "/proc/$1/exe" >/dev/null
}

@test "what a killed daemon leaves behind does nothing to the next mount" {
	local children pid ok=1
	start
	mapfile -t children < <(pgrep -P "$DAEMON")
	# on a busy machine they find out late that it died
	kill -STOP "${children[@]}"
	crash && start || ok=
	kill -CONT "${children[@]}"
	[ "$ok" ]
	for pid in "${children[@]}"; do
		wait_for 20 is_gone "$pid"
	done
	echo 1 >"$M/main/f"
	sync "$M/main/f"
	stop
	[ "$(store_git show main:f)" = 1 ]
}

@test "a mount begins that asks a daemon which is killed meanwhile" {
	local first
	"$IRMINFS" mount -f "$STORE" "$M" >"$T/log" 2>&1 3>&- &
	first=$!
	wait_for 20 grep -q "is mounted" "$T/log"
	# the kernel has nothing to answer with by itself
	kill -STOP "$first"
	"$IRMINFS" mount -f "$STORE" "$M" >"$T/log2" 2>&1 3>&- &
	DAEMON=$!
	sleep 0.5
	kill -KILL "$first"
	wait "$first" 2>/dev/null || true
	wait_for 20 grep -q "is mounted" "$T/log2"
	echo 1 >"$M/main/f"
	stop
	[ "$(store_git show main:f)" = 1 ]
}

@test "a full disk gives ENOSPC and keeps what was acknowledged" {
	mkdir "$T/small"
	mount -t tmpfs -o size=8m none "$T/small"
	STORE=$T/small/store.git
	start
	echo kept >"$M/main/kept"
	sync "$M/main/kept"
	run sh -c 'head -c 20M /dev/urandom >"$1" && sync "$1"' - "$M/main/big"
	[ "$status" -ne 0 ]
	[ "$(cat "$M/main/kept")" = kept ]
	rm "$M/main/big"
	echo after >"$M/main/after"
	sync "$M/main/after"
	stop
	[ "$(store_git show main:kept)" = kept ]
	[ "$(store_git show main:after)" = after ]
	umount "$T/small"
}

@test "a store that cannot be written is mounted read-only" {
	repository
	mkdir "$T/ro"
	mount --bind "$STORE" "$T/ro"
	mount -o remount,ro,bind "$T/ro"
	STORE=$T/ro
	start
	[ "$(cat "$M/main/good")" = good ]
	run touch "$M/main/new"
	[[ $output == *"Read-only"* ]]
	stop
	umount "$T/ro"
}

@test "a damaged branch table is refused in words and not thrown away" {
	start
	echo 1 >"$M/main/f"
	stop
	cp "$STORE/irminfs/table" "$T/table"
	truncate -s 20 "$STORE/irminfs/table"
	run "$IRMINFS" mount -f "$STORE" "$M"
	[ "$status" -ne 0 ]
	[[ $output == *table* ]]
	[ "$(stat -c %s "$STORE/irminfs/table")" -eq 20 ]
	cp "$T/table" "$STORE/irminfs/table"
	start
	[ "$(cat "$M/main/f")" = 1 ]
}

@test "commits made outside while unmounted are adopted" {
	start
	echo 1 >"$M/main/f"
	stop
	git clone -q "$STORE" "$T/clone"
	cd "$T/clone"
	echo 2 >f
	git commit -qam outside
	git push -q origin main HEAD:refs/heads/new
	cd /
	start
	[ "$(cat "$M/main/f" "$M/new/f" | xargs)" = "2 2" ]
}

@test "a branch renamed or dropped right before SIGKILL does not come back" {
	start -o commit=3600
	python3 - "$M" "$STORE" "$DAEMON" <<'END'
import os, signal, sys, time
mount, store, pid = sys.argv[1:]
for name in ("old", "dropped"):
    os.mkdir(f"{mount}/{name}")
    with open(f"{mount}/{name}/f", "w") as f:
        f.write(name)
        f.flush()
        os.fsync(f.fileno())
# their refs are there, but not yet noted in the branch table
while not all(os.path.exists(f"{store}/refs/heads/{n}") for n in ("old", "dropped")):
    time.sleep(0.001)
os.rename(f"{mount}/old", f"{mount}/new")
os.rmdir(f"{mount}/dropped/.irmin")
os.kill(int(pid), signal.SIGKILL)
END
	wait "$DAEMON" 2>/dev/null || true
	DAEMON=
	start
	[ "$(ls "$M" | xargs)" = "main new" ]
	[ "$(cat "$M/new/f")" = old ]
	restart
	[ "$(ls "$M" | xargs)" = "main new" ]
	[ "$(store_git for-each-ref --format='%(refname:short)' refs/heads | xargs)" = "main new" ]
}

# face_root BRANCH, face_git ARGUMENT...: of the local face
face_root() {
	python3 - "$STORE/irminfs/table" "$1" <<-'END'
	import json, sys
	text = open(sys.argv[1]).read()
	table = json.JSONDecoder().raw_decode(text[text.index("{"):])[0]
	print(next(b["local"] for b in table["branches"]
		if b["name"] == sys.argv[2]))
	END
}

face_git() {
	git --git-dir="$STORE/irminfs/local" "$@"
}

@test "fsck tells what is damaged of the local face, and repairs nothing" {
	start
	mkdir -p "$M/main/d/e" "$M/main/other"
	touch "$M/main/d/e/file" "$M/main/other/file"
	chmod 600 "$M/main/d/e/file" "$M/main/other/file"
	mkdir "$M/main/.irmin/fork/f"
	chmod 640 "$M/f/other/file"
	stop
	"$IRMINFS" fsck --store "$STORE"
	mkdir "$T/face"
	mv "$STORE"/irminfs/local/objects/pack/pack-* "$T/face/"
	for pack in "$T"/face/*.pack; do
		face_git unpack-objects -q <"$pack"
	done
	"$IRMINFS" fsck --store "$STORE"
	# the root names the table of its directory, that those of d and other
	top=$(face_git ls-tree "$(face_root main)" |
		awk '$4 != "leaf" && $4 !~ /^base-/ { print $3 }')
	for id in $(face_git ls-tree "$top" |
		awk '$4 != "leaf" { print $3 }'); do
		rm -f "$STORE/irminfs/local/objects/${id:0:2}/${id:2}"
	done
	run "$IRMINFS" fsck --store "$STORE"
	[ "$status" -eq 1 ]
	[[ $output == *'Branch main'*'"d"'*'is missing'* ]]
	[[ $output == *'Branch main'*'"other"'*'is missing'* ]]
	[[ $output != *'Branch main'*'"."'* ]]
	again=$output
	run "$IRMINFS" fsck --store "$STORE"
	[ "$output" = "$again" ]
	id=$(face_root f)
	file=$STORE/irminfs/local/objects/${id:0:2}/${id:2}
	chmod u+w "$file"
	printf 'garbage' | dd of="$file" conv=notrunc bs=1 seek=4 status=none
	run "$IRMINFS" fsck --store "$STORE"
	[ "$status" -eq 1 ]
	[[ $output == *"Branch f: "*'"."'*"root $id "* ]]
	# files are worth more
	start
	[ -f "$M/main/d/e/file" ]
	[ -f "$M/f/other/file" ]
}
