#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Elements of queues that are synced while they are still open.

bats_require_minimum_version 1.5.0

load common

prepare() {
	Q=$M/main/jobs
}

# names [DIR]: of the elements, in order
names() {
	ls -U "${1:-$Q}" | tr '\n' ' '
}

# writer PATH COMMAND...: a program of its own that makes an element, syncs it and
# then waits, with it open, for a line; COMMANDs are Python, f is the file
writer() {
	local path=$1
	shift
	mkfifo "$T/go" 2>/dev/null || true
	rm -f "$T/synced"
	python3 - "$path" "$T/synced" "$T/go" "$*" <<-'END' 3>&- &
	import os, sys
	path, synced, go, more = sys.argv[1:]
	f = open(path, 'w')
	f.write('written and synced\n')
	f.flush()
	os.fsync(f.fileno())
	exec(more)
	open(synced, 'w').close()
	open(go).read()
	f.close()
	END
	WRITER=$!
	wait_for 20 [ -e "$T/synced" ]
}

# let_go: the writer closes what it wrote
let_go() {
	echo >"$T/go"
	wait "$WRITER"
}

# shelf: what Git and users see of the place where they are
shelf() {
	find "$M/main" -path "$M/main/.irmin" -prune -o -print | grep -c irmin || true
}

@test "what was synced while it was open survives a kill, and nobody saw it" {
	start -o commit=1000
	queue
	echo other >"$Q/other"
	before=$(stat -c '%Y %h' "$M/main")
	writer "$Q/x"
	[ "$(stat -c '%Y %h' "$M/main")" = "$before" ]
	[ "$(names)" = "other " ]
	run ! test -e "$Q/x"
	[ "$(cat "$Q/.irmin/first")" = other ]
	[ "$(shelf)" = 0 ]
	# rules say nothing of it
	printf '*.o\n!*\n' >"$M/main/.gitignore"
	# others are pushed, popped and synced meanwhile
	echo third >"$Q/third"
	mv "$Q/other" "$M/main/mine"
	echo rules >"$M/main/.irmin/commit"
	sync "$Q"
	[ "$(names)" = "third " ]
	run "$IRMINFS" pop "$Q"
	[ "$output" = third ]
	run -1 rmdir "$Q"
	[ -z "$(git -C "$M/main" status --short)" ]
	(cd "$M/main" && "$IRMINFS" fsck)
	[ "$(store_git ls-tree -r --name-only main | grep -c -e irmin/ -e x)" = 0 ]
	store_git log --format=%B -p main | run ! grep -F 'written and synced'
	crash
	kill "$WRITER" 2>/dev/null || true
	start -o commit=1000
	[ "$(names)" = "x " ]
	[ "$(cat "$Q/x")" = "written and synced" ]
	[ "$(cat "$M/main/mine")" = other ]
	[ "$(shelf)" = 0 ]
	# and it stays one
	sync "$Q"
	crash
	start -o commit=1000
	[ "$(names)" = "x " ]
	[ "$(cat "$Q/x")" = "written and synced" ]
	run "$IRMINFS" pop "$Q"
	[ "$output" = "written and synced" ]
	restart
	[ "$(names)" = "" ]
	store_git fsck --strict
}

@test "what was synced and closed before a kill is an element, once" {
	start -o commit=1000
	queue
	writer "$Q/x" "f.write('more\n'); f.flush()"
	let_go
	[ "$(names)" = "x " ]
	[ "$(cat "$Q/x")" = $'written and synced\nmore' ]
	crash
	start -o commit=1000
	[ "$(names)" = "x " ]
	[ "$(head -n 1 "$Q/x")" = "written and synced" ]
	# the push is in one cut with the end of what was kept
	writer "$Q/y"
	let_go
	sync "$Q"
	crash
	start -o commit=1000
	[ "$(names)" = "x y " ]
	mv "$Q/x" "$Q/y" "$M/main"
	sync "$M/main"
	crash
	start
	[ "$(names)" = "" ]
	[ "$(cat "$M/main/y")" = "written and synced" ]
	store_git fsck --strict
}

@test "what was cancelled after it was synced does not come back" {
	start -o commit=1000
	queue
	writer "$Q/x" "os.unlink(path)"
	let_go
	[ "$(names)" = "" ]
	writer "$Q/a" "os.rename(path, path + '2'); os.fsync(f.fileno())"
	writer_a=$WRITER
	sync "$Q"
	crash
	kill "$writer_a" 2>/dev/null || true
	start
	[ "$(names)" = "a2 " ]
	[ "$(cat "$Q/a2")" = "written and synced" ]
}

@test "what was synced leaves its queue before it is closed" {
	start
	queue
	writer "$Q/x" "os.rename(path, os.path.dirname(path) + '/../out')"
	[ "$(names)" = "" ]
	[ "$(cat "$M/main/out")" = "written and synced" ]
	let_go
	[ "$(names)" = "" ]
	sync "$M/main"
	crash
	start
	[ "$(names)" = "" ]
	[ "$(cat "$M/main/out")" = "written and synced" ]
}

@test "an unmount keeps what was synced and is still open" {
	start
	queue deep/er/jobs
	writer "$M/main/deep/er/jobs/x" "os.fchmod(f.fileno(), 0o640)"
	kill "$DAEMON"
	wait "$DAEMON" || true
	DAEMON=
	kill "$WRITER" 2>/dev/null || true
	start
	[ "$(names "$M/main/deep/er/jobs")" = "x " ]
	[ "$(stat -c %a "$M/main/deep/er/jobs/x")" = 640 ]
	[ "$(cat "$M/main/deep/er/jobs/x")" = "written and synced" ]
}

@test "forks and merges leave alone what is open on another branch" {
	start -o commit=1000
	queue
	echo base >"$M/main/base"
	sync "$M/main"
	writer "$Q/x"
	mkdir "$M/main/.irmin/fork/topic"
	[ "$(names "$M/topic/jobs")" = "" ]
	echo pushed >"$M/topic/jobs/pushed"
	echo changed >"$M/topic/base"
	mv -T "$M/topic" "$M/main"
	[ "$(cat "$M/main/base")" = changed ]
	[ "$(names)" = "pushed " ]
	mkdir "$M/main/.irmin/fork/later"
	sync "$M/main"
	crash
	kill "$WRITER" 2>/dev/null || true
	start
	[ "$(names)" = "pushed x " ]
	[ "$(cat "$Q/x")" = "written and synced" ]
	[ "$(names "$M/later/jobs")" = "pushed " ]
}

@test "an element whose queue was renamed before the kill is a file of the branch" {
	start -o commit=1000
	queue
	echo mine >"$M/main/x"
	writer "$Q/x"
	mv "$Q" "$M/main/moved"
	sync "$M/main"
	crash
	kill "$WRITER" 2>/dev/null || true
	start
	[ "$(names "$M/main/moved")" = "" ]
	[ "$(cat "$M/main/x")" = mine ]
	[ "$(cat "$M/main/x~2")" = "written and synced" ]
	sync "$M/main"
	[ "$(store_git show main:x~2)" = "written and synced" ]
}

# Its close would push into nothing.
@test "a merge takes away no queue in which an element is open" {
	start -o commit=1000
	queue sub/jobs
	Q=$M/main/sub/jobs
	echo first >"$Q/first"
	sync "$M/main"
	mkdir "$M/main/.irmin/fork/topic"
	mkdir "$M/main/.irmin/fork/third"
	mv "$M/topic/sub/jobs" "$M/topic/moved"
	rm -r "$M/third/sub"
	sync "$M/third"
	writer "$Q/x"
	exec 7>"$Q/y"
	echo unsynced >&7
	run -1 mv -T "$M/topic" "$M/main"
	[[ "$output" = *"Device or resource busy" ]]
	run -128 "$IRMINFS" merge -C "$M" third main
	[[ "$output" = *'"sub/jobs/'?'" of branch main is open for writing'* ]]
	store_git update-ref refs/heads/main third
	wait_for 10 grep -q 'main does not follow yet' "$T/log"
	let_go
	exec 7>&-
	wait_for 10 test ! -e "$Q/first"
	[ "$(names)" = "x y " ]
	mv -T "$M/topic" "$M/main"
	[ "$(names)" = "x y " ]
	[ "$(cat "$Q/x" "$Q/y")" = $'written and synced\nunsynced' ]
	[ "$(cat "$M/main/moved/.irmin/type")" = queue ]
	restart
	[ "$(names)" = "x y " ]
	store_git fsck --strict
}
