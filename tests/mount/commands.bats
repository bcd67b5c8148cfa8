#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# The command line: daemon, places, replies and exit statuses.
bats_require_minimum_version 1.5.0
load common

irminfs() {
	"$IRMINFS" "$@"
}

# conflict: branches main and a, in which "f" was changed on both sides
conflict() {
	echo base >"$M/main/f"
	irminfs fork -C "$M" main a
	echo theirs >"$M/a/f"
	echo ours >"$M/main/f"
}

@test "the background starts when the mount is ready and ends with umount" {
	irminfs "$STORE" "$M"
	[ "$(ls "$M")" = main ]
	echo 1 >"$M/main/f"
	irminfs umount "$M"
	[ -z "$(ls "$M")" ]
	[ "$(store_git show main:f)" = 1 ]
}

@test "the background does not hold the terminal or a folder" {
	mkdir "$T/cwd"
	cd "$T/cwd"
	timeout 20 bash -c '"$IRMINFS" "$0" "$1" | cat' ../store.git ../mnt
	local pid
	pid=$(pgrep -f "$IRMINFS ../store.git ../mnt" | head -1)
	[ "$(readlink "/proc/$pid/cwd")" = / ]
	[ "$(ps -o tty= -p "$pid")" = "?" ]
	irminfs umount ../mnt
}

@test "the daemon may open as many files as it is allowed to" {
	# more packs than files, from each of which something is read
	git init -q --bare "$STORE"
	local i id
	for ((i = 0; i < 80; i++)); do
		id=$(echo "$i" | git -C "$STORE" hash-object -w --stdin)
		id=$(printf '100644 blob %s\tf\n' "$id" |
			git -C "$STORE" mktree)
		id=$(git -C "$STORE" commit-tree -m "$i" "$id")
		git -C "$STORE" update-ref "refs/heads/b$i" "$id"
		git -C "$STORE" repack -dq
	done
	for i in "$STORE"/objects/pack/*.pack; do
		touch "${i%.pack}.keep"
	done
	(ulimit -Sn 64 && "$IRMINFS" "$STORE" "$M")
	[ "$(cat "$M"/b*/f | sort -n | xargs)" = "$(seq 0 79 | xargs)" ]
	irminfs umount "$M"
}

@test "failures to mount reach the terminal with an exit status" {
	run -128 irminfs "$STORE" "$T/absent"
	[[ $output == *absent*mkdir* ]]
	[ ! -e "$STORE" ]
	run -128 irminfs "$T/no/such/store" "$M"
	[[ $output == *"$T/no/such/store"* ]]
	touch "$T/file"
	run -128 irminfs "$STORE" "$T/file"
	mkdir "$T/folder"
	touch "$T/folder/file"
	run -128 irminfs "$T/folder" "$M"
	[[ $output == *folder* ]]
	run -129 irminfs "$STORE"
	run -129 irminfs "$STORE" "$M" -o nonsense
	[[ $output == *nonsense* ]]
	run ! grep -q " $M " /proc/self/mountinfo
}

@test "a second mount is refused with pid and mount point" {
	start
	mkdir "$T/second"
	run -128 irminfs "$STORE" "$T/second"
	[[ $output == *"$DAEMON"* ]]
	[[ $output == *"$M"* ]]
}

@test "store and mount point may not lie in each other" {
	mkdir -p "$T/outer/inner"
	run -128 irminfs "$T/outer/store" "$T/outer"
	[[ $output == *inside* ]]
	run -128 irminfs "$T/outer" "$T/outer/inner"
	[[ $output == *inside* ]]
	[ -z "$(ls "$T/outer/inner")" ]
	run -128 irminfs "$T/outer/inner" "$T/outer/inner"
	[ -z "$(ls "$T/outer/inner")" ]
}

@test "SIGTERM, SIGINT and SIGHUP commit and end it" {
	for signal in TERM INT HUP; do
		start
		echo "$signal" >"$M/main/$signal"
		kill "-$signal" "$DAEMON"
		wait "$DAEMON"
		DAEMON=
		run ! grep -q " $M " /proc/self/mountinfo
		[ "$(store_git show "main:$signal")" = "$signal" ]
	done
}

@test "mounting over a dead mount recovers" {
	start
	echo 1 >"$M/main/f"
	sync "$M/main/f"
	crash
	run -128 irminfs branches -C "$M"
	irminfs "$STORE" "$M"
	[ "$(cat "$M/main/f")" = 1 ]
	irminfs umount "$M"
	run ! grep -q " $M " /proc/self/mountinfo
}

@test "umount clears a dead mount" {
	start
	crash
	irminfs umount "$M"
	run ! grep -q " $M " /proc/self/mountinfo
}

@test "umount of a busy mount names who uses it" {
	start
	(cd "$M/main" && exec sleep 60) &
	local pid=$!
	wait_for 10 grep -qx sleep "/proc/$pid/comm"
	run -128 irminfs umount "$M"
	kill "$pid"
	[[ $output == *"sleep ($pid)"* ]]
	wait "$pid" || true
	irminfs umount "$M"
	wait "$DAEMON"
	DAEMON=
	run -128 irminfs umount "$M"
	run -128 irminfs umount /proc
	[[ $output == *"/proc is not"* ]]
}

@test "umount leaves what cannot be committed mounted" {
	mkdir "$T/small"
	mount -t tmpfs -o size=16m none "$T/small"
	irminfs -o commit=3600 "$T/small/store.git" "$M"
	head -c 4M /dev/urandom >"$M/main/big"
	# what was written in time meets a disk that others filled
	head -c 14M /dev/zero >"$T/small/fill"
	run -128 irminfs umount "$M"
	[[ $output == *"stays mounted"*"No space left"* ]]
	irminfs status -C "$M/main" | grep -qx "## main"
	rm "$M/main/big" "$T/small/fill"
	irminfs umount "$M"
	umount "$T/small"
}

@test "mount(8) mounts it, with the options of fstab" {
	needs mount.fuse3
	# mount.fuse3 looks in the system's own folders for the program, unless
	# it is named
	mount -t fuse "$IRMINFS#$STORE" "$M" \
		-o noauto,nofail,_netdev,x-systemd.automount,nosuid,commit=7
	grep " $M " /proc/self/mountinfo | grep nosuid |
		grep -q "fuse.irminfs $STORE"
	irminfs umount "$M"
	run ! mount -t fuse "$IRMINFS#$STORE" "$M" -o nonsense
	[[ $output == *nonsense* ]]
}

@test "branches are listed as text, names and JSON" {
	start
	irminfs fork -C "$M" main feature/login
	cd "$M/feature/login"
	echo 1 >f
	run -0 irminfs branches
	[[ ${lines[0]} == "* feature/login "*changed ]]
	[[ ${lines[1]} == "  main "* ]]
	[ "$(irminfs branches --names | tr '\n' ' ')" = "feature/login main " ]
	irminfs branches --json | python3 -c '
import json, sys
b = json.load(sys.stdin)["branches"]
assert [x["name"] for x in b] == ["feature/login", "main"], b
assert len(b[0]["head"]) == 40'
	cd /
}

@test "make, rename, swap, drop and restore" {
	start
	cd "$M"
	irminfs make b
	echo b >b/f
	irminfs rename b c/d
	[ "$(cat c/d/f)" = b ]
	irminfs swap c/d/ main
	[ "$(cat main/f)" = b ]
	irminfs drop main
	[ ! -e main ]
	[ "$(irminfs branches --dropped --names)" = main ]
	irminfs restore main again
	[ "$(cat again/f)" = b ]
	run -128 irminfs drop absent
	[[ $output == *absent* ]]
	run -128 irminfs make again
	run -128 irminfs restore absent
	run -128 irminfs make 'bad..name'
	cd /
}

@test "merge keeps the source unless told to consume it" {
	start
	cd "$M"
	irminfs fork main a
	echo 1 >a/f
	irminfs merge a into main
	[ "$(cat main/f) $(cat a/f)" = "1 1" ]
	echo 2 >a/f
	cd main
	irminfs merge --consume a
	[ "$(cat f)" = 2 ]
	[ ! -e ../a ]
	run -128 irminfs merge absent
	cd /
}

@test "a merge with conflicts exits 1, lists them and says what to do" {
	start
	conflict
	run -1 irminfs merge -C "$M" a main
	[[ $output == *"irminfs resolve a"* ]]
	[[ $output == *" f "* ]]
	run -0 irminfs conflicts -C "$M" a
	[ "${#lines[@]}" -eq 1 ]
	[ "$(irminfs conflicts -C "$M" main)" = "" ]
	run -1 irminfs merge --json -C "$M" a main
	[[ $output == *'"error":"ENOTEMPTY"'* ]]
}

@test "resolve refuses untouched files and takes edited ones" {
	start
	conflict
	run -1 irminfs merge -C "$M" a main
	cd "$M/a"
	run -128 irminfs resolve
	[[ $output == *f* ]]
	echo both >f
	irminfs resolve
	irminfs merge a main
	[ "$(cat "$M/main/f")" = both ]
	cd /
}

@test "resolve takes paths from where the user is" {
	start
	cd "$M/main"
	mkdir -p d/e
	touch d/e/f d/g h
	irminfs fork a
	for side in a main; do
		for file in d/e/f d/g h; do
			echo "$side" >"$M/$side/$file"
		done
	done
	run -1 irminfs merge a main
	cd "$M/a/d"
	run -1 irminfs resolve --as-is e
	[[ $output == *"1 resolved, 2 left"* ]]
	run -1 irminfs resolve a --ours d/g
	run -128 irminfs resolve --ours nonsense
	[[ $output == *nonsense* ]]
	irminfs resolve --theirs ../h
	irminfs merge a main
	cd "$M/main"
	[ "$(cat d/e/f d/g h | tr '\n' ' ')" = "a main a " ]
	cd /
}

@test "status, commit and log" {
	start
	cd "$M/main"
	[ "$(irminfs status)" = "## main" ]
	mkdir d
	echo 1 >d/f
	run -0 irminfs status
	[ "${lines[1]}" = "A d/f" ]
	irminfs commit -m 'first of all

More about it.'
	[ "$(irminfs status)" = "## main" ]
	echo 2 >d/f
	run -0 irminfs status
	[ "${lines[1]}" = "M d/f" ]
	irminfs commit --message=second main
	[ "$(store_git log -1 --format=%s)" = second ]
	store_git log -1 --format=%B | grep -qx 'Irmin-Operation: commit'
	irminfs log --oneline -n 2 >"$T/oneline"
	store_git log -2 --abbrev=7 --format='%h %s' | cmp - "$T/oneline"
	TZ=UTC irminfs log -n 2 >"$T/log.ours"
	TZ=UTC store_git log -2 --date=local >"$T/log.git"
	[ "$(grep -v ^Date: "$T/log.ours")" = "$(grep -v ^Date: "$T/log.git")" ]
	[ "$(irminfs log -n 1 --oneline main~1)" = \
		"$(store_git log -1 --abbrev=7 --format='%h %s' main~1)" ]
	cd "$M/main@~1"
	[ "$(irminfs log -n 1 --oneline)" = \
		"$(store_git log -1 --abbrev=7 --format='%h %s' main~1)" ]
	run -128 irminfs log nonsense
	run -129 irminfs log -n x
	cd /
}

@test "commands find the mount from a store, a bind mount and outside" {
	start
	irminfs fork --store "$STORE" main a
	[ -d "$M/a" ]
	cd /
	run -128 irminfs branches
	[[ $output == *"not inside a mount"* ]]
	mkdir "$T/bind"
	mount --bind "$M/a" "$T/bind"
	echo 1 >"$T/bind/f"
	irminfs -C "$T/bind" commit -m bound
	umount "$T/bind"
	[ "$(store_git log -1 --format=%s a)" = bound ]
}

@test "a read-only mount answers, shows ro and refuses changes" {
	start
	echo 1 >"$M/main/f"
	restart -o ro
	grep " $M ro,.*fuse.irminfs $STORE ro," /proc/self/mountinfo
	cd "$M/main"
	[ "$(cat f)" = 1 ]
	[ "$(irminfs branches --names)" = main ]
	[[ $(irminfs log --oneline -n 1) == *"Update f" ]]
	run touch new
	[[ $output == *"Read-only"* ]]
	run -128 irminfs fork a
	[[ $output == *read-only* ]]
	cd /
	irminfs umount "$M"
	wait "$DAEMON"
	DAEMON=
}

@test "bash completes commands, flags and branches" {
	start
	irminfs fork -C "$M" main feature
	[ "$(irminfs --directory="$M" branches --names | wc -l)" = 2 ]
	mkdir "$T/bin"
	ln -s "$IRMINFS" "$T/bin/irminfs"
	PATH=$T/bin:$PATH
	unset -f irminfs
	# shellcheck disable=SC1091
	source "$BATS_TEST_DIRNAME/../../mount/completion/irminfs"
	compopt() { :; }
	complete_line() {
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1))
		COMPREPLY=()
		_irminfs
		echo "${COMPREPLY[*]}"
	}
	[ "$(complete_line irminfs me)" = "merge merge-file" ]
	[ "$(complete_line irminfs -C "$M" lo)" = log ]
	[ "$(complete_line irminfs -C "$M" merge f)" = feature ]
	[ "$(complete_line irminfs log --store "$STORE" '')" = "feature main" ]
	[[ " $(complete_line irminfs merge --) " == *" --store --json "* ]]
	[ -z "$(complete_line irminfs pop q -o '')" ]
}

# list NAME...: one a line, sorted
list() {
	printf '%s\n' "$@" | sort
}

@test "help, manual and completion have the same options and commands" {
	local top=$BATS_TEST_DIRNAME/../.. help manual words name flag
	manual=$top/mount/irminfs.1.scd
	mapfile -t help < <(irminfs --help | grep -oP '^  .*-o \K[a-z_]+')
	[ "${#help[@]}" -gt 9 ]
	mapfile -t words < <(sed -n '/^\*-o\* /,/^\*-h\*/p' "$manual" |
		grep -oP '^\t\*\K[a-z_]+' | grep -vxE 'allow_other|noexec')
	[ "$(list "${help[@]}")" = "$(list "${words[@]}")" ]
	mapfile -t words < <(grep -oP "_irminfs_words .'\Kcommit=[^']*" \
		"$top/mount/completion/irminfs" | sed 's/\\n/\n/g' |
		grep -oP '^[a-z_]+' | grep -v allow_other)
	[ "$(list "${help[@]}")" = "$(list "${words[@]}")" ]
	mapfile -t help < <(irminfs --help | sed '1,/^Commands/d' |
		grep -oP '^  \K[a-z-]+')
	mapfile -t words < <(sed -n '/^# SYNOPSIS/,/^# DESC/p' "$manual" |
		grep -oP '^\*irminfs \K[a-z-]+')
	[ "$(list "${help[@]}")" = "$(list "${words[@]}")" ]
	# shellcheck disable=SC1091
	source "$top/mount/completion/irminfs"
	compopt() { :; }
	COMP_WORDS=(irminfs '') COMP_CWORD=1
	_irminfs
	[ "$(list "${help[@]}")" = "$(list "${COMPREPLY[@]}")" ]
	for name in "${help[@]}"; do
		for flag in $(irminfs "$name" --help |
			grep -oP '^ +(-., )?\K--[a-z-]+'); do
			grep -qF -- "*$flag" "$manual" || {
				echo "$name $flag"
				return 1
			}
		done
	done
}

@test "commands work on a store that is not mounted" {
	start
	echo 1 >"$M/main/f"
	stop
	irminfs fork --store "$STORE" main a
	[ "$(irminfs --store "$STORE" branches --names | tr '\n' ' ')" = "a main " ]
	[ "$(store_git show a:f)" = 1 ]
	irminfs fsck --store "$STORE"
	run -128 irminfs branches --store "$T/absent"
	[[ $output == *absent* ]]
	[ ! -e "$T/absent" ]
}

@test "fsck tells what is damaged and exits 1" {
	start
	echo 1 >"$M/main/f"
	stop
	irminfs fsck --store "$STORE"
	local id
	id=$(store_git rev-parse main:f)
	unpack_store
	rm -f "$STORE/objects/${id:0:2}/${id:2}"
	run -1 irminfs fsck --store "$STORE"
	[[ $output == *"$id at f "* ]]
}

@test "help is there for every command, and wrong usage is 129" {
	irminfs --help | grep -q '^usage:'
	irminfs --version | grep -qE '^irminfs [0-9]'
	local name
	for name in umount branches make fork rename swap drop restore merge \
		merge-file drivers conflicts resolve status commit log fsck; do
		irminfs "$name" --help | grep -q "^usage: irminfs $name"
		run -129 irminfs "$name" --nonsense
		irminfs --help | grep -qE "^  $name( |\$)"
	done
	irminfs mount --help | grep -q '^usage:'
	run -128 bash -c '"$IRMINFS" --help >/dev/full'
}
