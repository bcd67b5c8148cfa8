#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Fifos, sockets and device nodes: Git has none of them, the local face does.

load common

# specials FOLDER: what they are, in order
specials() {
	(cd "$1" && find . ! -type f ! -type d -printf '%p %y %m %U %G %T@ %C@ %n\n' \
		-exec stat -c '%t %T' {} \; | sort)
}

# bind_socket PATH
bind_socket() {
	python3 -c 'import os, socket, sys
os.chdir(os.path.dirname(sys.argv[1]))
socket.socket(socket.AF_UNIX).bind(os.path.basename(sys.argv[1]))' "$1"
}

fill() {
	mkdir -p "$1/only/deep" "$1/both"
	echo text >"$1/both/file"
	mkfifo -m 640 "$1/only/deep/fifo" "$1/both/fifo"
	bind_socket "$1/both/socket"
	touch -d 2001-02-03 "$1/both/fifo"
	[ "$(id -u)" -ne 0 ] || mknod "$1/both/null" c 1 3
	[ "$(id -u)" -ne 0 ] || mknod "$1/both/block" b 259 70000
}

@test "special files outlive a remount" {
	start
	fill "$M/main"
	[ -p "$M/main/only/deep/fifo" ]
	[ -S "$M/main/both/socket" ]
	specials "$M/main" >"$T/before"
	restart
	specials "$M/main" >"$T/after"
	diff "$T/before" "$T/after"
	if [ "$(id -u)" -eq 0 ]; then
		[ "$(stat -c '%F %t:%T' "$M/main/both/null")" = "character special file 1:3" ]
		[ "$(stat -c '%F %t:%T' "$M/main/both/block")" = "block special file 103:11170" ]
	fi
}

@test "they are durable with the fsync of their directory" {
	start -o commit=1000
	fill "$M/main"
	sync "$M/main/both"
	chmod 600 "$M/main/both/fifo"
	mv "$M/main/both/socket" "$M/main/only/"
	sync "$M/main/only"
	specials "$M/main" >"$T/before"
	crash
	start
	specials "$M/main" >"$T/after"
	diff "$T/before" "$T/after"
	rm "$M/main/both/fifo"
	sync "$M/main/both"
	crash
	start
	[ ! -e "$M/main/both/fifo" ]
}

@test "a fifo connects and a socket is reached" {
	start
	fill "$M/main"
	(echo through >"$M/main/both/fifo") &
	[ "$(timeout 10 cat "$M/main/both/fifo")" = through ]
	rm "$M/main/both/socket"
	timeout 20 python3 -c 'import os, socket, sys
os.chdir(sys.argv[1])
server = socket.socket(socket.AF_UNIX)
server.bind("socket")
server.listen()
client = socket.socket(socket.AF_UNIX)
client.connect("socket")
client.send(b"x")
assert server.accept()[0].recv(1) == b"x"' "$M/main/both"
}

@test "Git has nothing of them, also in place of a file" {
	start
	fill "$M/main"
	echo a >"$M/main/both/was"
	sync "$M/main/both/was"
	[ "$(store_git ls-tree -r --name-only main)" = $'both/file\nboth/was' ]
	rm "$M/main/both/was"
	mkfifo "$M/main/both/was"
	[ "$(cat "$M/main/.irmin/status")" = "D both/was" ]
	sync "$M/main/both"
	[ "$(store_git ls-tree -r --name-only main)" = both/file ]
	store_git fsck --strict
	rm "$M/main/both/was"
	echo b >"$M/main/both/was"
	[ "$(cat "$M/main/.irmin/status")" = "A both/was" ]
	restart
	[ "$(cat "$M/main/both/was")" = b ]
	# one that comes alone makes no commit
	head=$(cat "$M/main/.irmin/head")
	mkfifo "$M/main/alone"
	[ "$(cat "$M/main/.irmin/head")" = "$head" ]
	[ ! -e "$M/@$head/alone" ]
	[ ! -e "$M/@$head/both/fifo" ]
	[ -e "$M/@$head/both/was" ]
}

@test "a fork has them, and a directory that moves takes them along" {
	start
	fill "$M/main"
	mkdir "$M/main/.irmin/fork/copy"
	[ -p "$M/copy/only/deep/fifo" ]
	rm "$M/main/only/deep/fifo"
	mv "$M/copy/only" "$M/copy/both/only"
	restart
	[ -p "$M/copy/both/only/deep/fifo" ]
	[ ! -e "$M/main/only/deep/fifo" ]
	[ -d "$M/main/only/deep" ]
	rm -r "$M/copy/both"
	restart
	[ -z "$(ls -A "$M/copy")" ]
}

@test "they stay where others change the branch, and are not written over" {
	start
	fill "$M/main"
	echo x >"$M/main/only/tracked"
	mkfifo "$M/main/taken"
	sync "$M/main/both"
	store_git rev-parse main
	git clone -q "$STORE" "$T/clone"
	(cd "$T/clone" && git rm -qr only && git commit -qm x &&
		git push -q origin HEAD:main)
	wait_for 10 test ! -e "$M/main/only/tracked"
	[ -p "$M/main/only/deep/fifo" ]
	(cd "$T/clone" && echo file >taken && git add taken &&
		git commit -qm y && git push -q origin HEAD:main)
	wait_for 10 test -f "$M/main.outside-1/taken"
	[ -p "$M/main/taken" ]
	restart
	[ -p "$M/main/only/deep/fifo" ]
	[ -p "$M/main/taken" ]
}

@test "a merge brings them where there is nothing" {
	start
	echo 1 >"$M/main/f"
	sync "$M/main/f"
	mkdir "$M/main/.irmin/fork/side"
	mkfifo -m 640 "$M/side/new"
	mkdir "$M/side/d"
	mkfifo "$M/side/d/deep"
	echo 2 >"$M/side/g"
	mkfifo "$M/main/mine"
	mv -T "$M/side" "$M/main"
	[ -p "$M/main/new" ]
	[ "$(stat -c %a "$M/main/new")" = 640 ]
	[ -p "$M/main/d/deep" ]
	[ -p "$M/main/mine" ]
	[ "$(cat "$M/main/g")" = 2 ]
	touch "$M/main/h"
	sync "$M/main/h"
	restart
	[ -p "$M/main/new" ]
	[ "$(stat -c %a "$M/main/new")" = 640 ]
	[ -p "$M/main/d/deep" ]
	[ -p "$M/main/mine" ]
}

@test "a queue has none" {
	start
	"$IRMINFS" mkqueue "$M/main/q"
	run mkfifo "$M/main/q/fifo"
	[ "$status" -ne 0 ]
	mkfifo "$M/main/fifo"
	run mv "$M/main/fifo" "$M/main/q/"
	[ "$status" -ne 0 ]
	[ -p "$M/main/fifo" ]
	mkdir "$M/main/d"
	mkfifo "$M/main/d/fifo"
	run "$IRMINFS" mkqueue "$M/main/d"
	[ "$status" -ne 0 ]
	[ -p "$M/main/d/fifo" ]
}

@test "a change of the owner takes setuid and setgid from them" {
	[ "$(id -u)" -eq 0 ] || skip "only root may change owners"
	start
	mkfifo "$M/main/fifo"
	chmod 6755 "$M/main/fifo"
	chown 12:34 "$M/main/fifo"
	[ "$(stat -c '%a %u %g' "$M/main/fifo")" = "755 12 34" ]
}
