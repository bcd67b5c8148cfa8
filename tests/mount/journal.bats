#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Cuts in the journal, commits behind them, and other programs beside the mount.

load common

irminfs() {
	"$IRMINFS" "$@"
}

commits() {
	store_git rev-list --count "${1:-main}"
}

# number NAME: of the mount's statistics
number() {
	awk -v name="$1" '$1 == name { print $2 }' "$M/.irmin/stats"
}

@test "many fsyncs are few commits, and the file is the last" {
	start
	for i in $(seq 200); do
		echo "$i" >"$M/main/f"
		sync "$M/main/f"
	done
	irminfs publish -C "$M/main"
	[ "$(store_git show main:f)" = 200 ]
	[ "$(commits)" -lt 150 ]
	[ "$(number cuts_journaled)" -ge 199 ]
	[ "$(number cuts_queued)" -eq 0 ]
	irminfs stats -C "$M/main" | grep -q "^journal_flushes "
	irminfs stats -C "$M/main" --json | python3 -c 'import json, sys
assert json.load(sys.stdin)["cuts_published"] > 0'
	store_git fsck --strict --no-dangling
}

@test "with fold=off each fsync is a commit" {
	start -o fold=off
	for i in 1 2 3 4 5; do
		echo "$i" >"$M/main/f"
		sync "$M/main/f"
	done
	[ "$(commits)" -eq 6 ]
	[ "$(store_git show main~2:f)" = 3 ]
}

@test "a message, a fork and a commit asked for are not folded" {
	start
	echo 1 >"$M/main/f"
	sync "$M/main/f"
	mkdir "$M/main/.irmin/fork/side"
	echo 2 >"$M/main/f"
	echo "my words" >"$M/main/.irmin/message"
	sync "$M/main/f"
	echo 3 >"$M/main/f"
	sync "$M/main/f"
	[ "$(store_git show side:f)" = 1 ]
	[ "$(store_git log --format=%s main | grep -c "my words")" -eq 1 ]
	[ "$(store_git log -1 --format=%s main)" = "Update f" ]
	[ "$(commits)" -eq 4 ]
}

@test "git sees a commit soon without being waited for" {
	start
	echo 1 >"$M/main/f"
	sync "$M/main/f"
	wait_for 5 git --git-dir="$STORE" cat-file -e main:f
}

@test "a killed daemon's cuts come back, however large" {
	start -o journal=1M
	head -c 3M /dev/urandom >"$T/big"
	for i in 1 2 3 4 5 6; do
		cp "$T/big" "$M/main/big"
		printf "$i" | dd of="$M/main/big" bs=1 seek=$((i * 1000)) conv=notrunc status=none
		printf "$i" | dd of="$T/big" bs=1 seek=$((i * 1000)) conv=notrunc status=none
		sync "$M/main/big"
		echo "$i" >"$M/main/small"
		sync "$M/main/small"
	done
	mkdir "$M/main/.irmin/fork/late"
	mv "$M/late" "$M/later"
	rm "$M/main/small"
	sync "$M/main"
	crash
	start
	cmp "$T/big" "$M/main/big"
	[ ! -e "$M/main/small" ]
	cmp "$T/big" "$M/later/big"
	[ "$(cat "$M/later/small")" = 6 ]
	[ ! -e "$M/late" ]
	store_git fsck --strict --no-dangling
}

@test "a mount right after a kill waits for the dying daemon" {
	for i in 1 2 3; do
		irminfs "$STORE" "$M"
		echo "$i" >"$M/main/f"
		sync "$M/main/f"
		kill -KILL "$(head -1 "$STORE/irminfs/lock")"
	done
	irminfs "$STORE" "$M"
	[ "$(cat "$M/main/f")" = 3 ]
	irminfs umount "$M"
}

@test "a store opened read-only says what its journal has" {
	start
	echo 1 >"$M/main/f"
	sync "$M/main/f"
	echo 2 >"$M/main/f"
	sync "$M/main/f"
	crash
	start -o ro
	grep -q "mount it writable once" "$T/log" || [ "$(cat "$M/main/f")" = 2 ]
	restart
	[ "$(cat "$M/main/f")" = 2 ]
}

@test "a store without its journal has what was published" {
	start
	echo 1 >"$M/main/f"
	sync "$M/main/f"
	irminfs publish -C "$M/main"
	crash
	rm -r "$STORE/irminfs/journal"
	start
	[ "$(cat "$M/main/f")" = 1 ]
	echo 2 >"$M/main/f"
	sync "$M/main/f"
	crash
	start
	[ "$(cat "$M/main/f")" = 2 ]
}

# has_in_git COMMIT:PATH TEXT
has_in_git() {
	[ "$(store_git show "$1")" = "$2" ]
}

@test "pushes arrive, deletions drop, new branches show" {
	start
	echo 1 >"$M/main/f"
	sync "$M/main/f"
	irminfs publish -C "$M/main"
	git clone -q "$STORE" "$T/clone"
	(
		cd "$T/clone" || exit
		echo 2 >g
		git add g
		git commit -qm "from a clone"
		git push -q origin main main:feature/new
	)
	wait_for 10 grep -qx 2 "$M/main/g"
	wait_for 10 grep -qx 2 "$M/feature/new/g"
	echo 3 >"$M/main/h"
	sync "$M/main/h"
	[ "$(store_git show main:h)" = 3 ]
	[ "$(store_git show main:g)" = 2 ]
	git -C "$T/clone" push -q origin :feature/new
	wait_for 10 test ! -e "$M/feature/new"
	irminfs restore -C "$M" feature/new
	[ "$(cat "$M/feature/new/g")" = 2 ]
}

@test "a push that conflicts becomes a branch with a report" {
	start
	echo base >"$M/main/f"
	sync "$M/main/f"
	irminfs publish -C "$M/main"
	git clone -q "$STORE" "$T/clone"
	echo mine >"$M/main/f"
	(
		cd "$T/clone" || exit
		echo theirs >f
		git commit -qam theirs
		git push -q origin main
	)
	wait_for 10 test -d "$M/main.outside-1"
	wait_for 10 grep -qx theirs "$M/main.outside-1/.irmin/conflicts/1/theirs"
	[ "$(cat "$M/main/f")" = mine ]
	wait_for 10 has_in_git main:f mine
	irminfs resolve -C "$M" main.outside-1 --theirs
	mv -T "$M/main.outside-1" "$M/main"
	[ "$(cat "$M/main/f")" = theirs ]
}

# push_after_crash FILE: main has "mine" in f, which Git does not know yet when the
# daemon dies; then a clone pushes "theirs" in FILE
push_after_crash() {
	start
	echo base >"$M/main/f"
	sync "$M/main/f"
	irminfs publish -C "$M/main"
	git clone -q "$STORE" "$T/clone"
	touch "$STORE/refs/heads/main.lock"
	echo mine >"$M/main/f"
	sync "$M/main/f"
	crash
	rm "$STORE/refs/heads/main.lock"
	(
		cd "$T/clone" || exit
		echo theirs >"$1"
		git add "$1"
		git commit -qm theirs
		git push -q origin main
	)
}

# what_happens COMMAND: while a branch has a commit in the journal and no daemon
what_happens() {
	start
	mkdir "$M/main/.irmin/fork/side"
	mkdir "$M/side/d"
	echo base >"$M/side/d/f"
	sync "$M/side/d/f"
	cat "$M/side/.irmin/head"
	echo mine >"$M/side/g"
	sync "$M/side/g"
	crash
	"$@"
	git --git-dir="$STORE" reflog expire --expire=now --all
	git --git-dir="$STORE" gc -q --prune=now
	start
	[ "$(cat "$M/side/d/f" "$M/side/g")" = $'base\nmine' ]
	[ "$(store_git show side:g)" = mine ]
	store_git fsck --strict --no-dangling
}

@test "deleting a branch and gc after a crash lose nothing of the journal" {
	what_happens git --git-dir="$STORE" update-ref -d refs/heads/side
}

@test "setting a branch back and gc after a crash lose nothing of the journal" {
	what_happens git --git-dir="$STORE" update-ref refs/heads/side main
}

@test "a push after a crash is merged with what was in the journal" {
	push_after_crash g
	# nor does it matter who looks first, and who dies
	start -o ro
	stop
	"$IRMINFS" branches --store "$STORE" >/dev/null
	start
	crash
	start
	wait_for 10 grep -qx theirs "$M/main/g"
	[ "$(cat "$M/main/f")" = mine ]
	[ "$(store_git show main:f)" = mine ]
	[ "$(store_git show main:g)" = theirs ]
	[ "$(store_git for-each-ref --format='%(refname)')" = refs/heads/main ]
	store_git fsck --strict --no-dangling
}

@test "a push after a crash that conflicts becomes a branch with a report" {
	push_after_crash f
	start
	crash
	start
	wait_for 10 grep -qx theirs "$M/main.outside-1/.irmin/conflicts/1/theirs"
	[ "$(cat "$M/main/f")" = mine ]
	wait_for 10 has_in_git main:f mine
	restart
	[ "$(ls "$M")" = "$(printf '%s\n' main main.outside-1)" ]
	irminfs resolve -C "$M" main.outside-1 --theirs
	mv -T "$M/main.outside-1" "$M/main"
	[ "$(cat "$M/main/f")" = theirs ]
}

@test "gc, repack, pack-refs and prune beside a busy mount lose nothing" {
	start
	for i in $(seq 40); do
		echo "$i" >"$M/main/f$i"
		sync "$M/main/f$i"
		case $((i % 8)) in
		1) git --git-dir="$STORE" gc -q --prune=now ;;
		3) git --git-dir="$STORE" repack -adfq ;;
		5) git --git-dir="$STORE" pack-refs --all --prune ;;
		7) git --git-dir="$STORE" worktree prune ;;
		esac
	done
	crash
	start
	for i in $(seq 40); do
		[ "$(cat "$M/main/f$i")" = "$i" ]
	done
	store_git fsck --strict --no-dangling
}

@test "large files outlive git prune --expire=now beside a busy mount" {
	start
	touch "$T/go"
	while [ -e "$T/go" ]; do
		git --git-dir="$STORE" prune --expire=now
	done 3>&- &
	local pruning=$! i
	for ((i = 0; i < 30; i++)); do
		head -c 1100000 /dev/urandom >"$T/new"
		cp "$T/new" "$M/main/f$((i % 5))"
		sync "$M/main/f$((i % 5))"
		sleep 0.1
	done
	rm "$T/go"
	wait "$pruning" || true
	cmp "$T/new" "$M/main/f4"
	stop
	git --git-dir="$STORE" fsck --strict --no-dangling
	git --git-dir="$STORE" show main:f4 | cmp - "$T/new"
}

@test "nothing private is cloned or mirrored" {
	start
	echo 1 >"$M/main/f"
	mkdir "$M/main/.irmin/fork/gone"
	echo secret >"$M/gone/s"
	sync "$M/gone/s"
	secret=$(store_git rev-parse gone:s)
	rmdir "$M/gone/.irmin"
	irminfs publish -C "$M/main"
	git clone -q --mirror "$STORE" "$T/mirror"
	[ "$(git -C "$T/mirror" for-each-ref --format='%(refname)')" = refs/heads/main ]
	git init -q --bare "$T/copy"
	store_git push -q --mirror "$T/copy"
	[ "$(git -C "$T/copy" for-each-ref --format='%(refname)')" = refs/heads/main ]
	run git -C "$T/copy" cat-file -e "$secret"
	[ "$status" -ne 0 ]
}
