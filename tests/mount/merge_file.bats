#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# irminfs merge-file: one file, no store, no mount.
bats_require_minimum_version 1.5.0

setup() {
	T=$BATS_TEST_TMPDIR
	cd "$T" || return 1
	export HOME=$T GIT_CONFIG_NOSYSTEM=1
	seq 5 >base
	seq 5 | sed 's/^1$/one/' >ours
	seq 5 | sed 's/^5$/five/' >theirs
	seq 5 | sed 's/^1$/ONE/' >clash
}

@test "a clean merge goes to standard output and exits 0" {
	"$IRMINFS" merge-file base ours theirs >result
	git merge-file -p ours base theirs >expected
	cmp result expected
}

@test "a conflict has labelled markers and exits 1" {
	run -1 "$IRMINFS" merge-file -L b -L us -L them -m 9 base ours clash
	[ "${lines[0]}" = "<<<<<<<<< us" ]
	[[ $output == *">>>>>>>>> them"* ]]
	[ "$(cat ours)" = "$(seq 5 | sed 's/^1$/one/')" ]
}

@test "in place the result replaces ours and keeps its mode" {
	chmod 755 ours
	"$IRMINFS" merge-file --in-place base ours theirs
	[ "$(head -1 ours) $(tail -1 ours)" = "one five" ]
	[ "$(stat -c %a ours)" = 755 ]
	[ -z "$(find . -name '.irminfs-merge*')" ]
}

@test "pipes are read to their end, and none is replaced" {
	"$IRMINFS" merge-file <(cat base) <(cat ours) <(cat theirs) >result
	git merge-file -p ours base theirs >expected
	cmp result expected
	run -2 "$IRMINFS" merge-file -i base <(cat ours) theirs
	[[ $output == *"cannot write the result"* ]]
}

@test "types are chosen by name" {
	"$IRMINFS" merge-file --type ours base ours clash | cmp - ours
	"$IRMINFS" merge-file -t theirs base ours clash | cmp - clash
	"$IRMINFS" merge-file -t union base ours clash >result
	grep -qx one result
	grep -qx ONE result
	run -1 "$IRMINFS" merge-file -t binary base ours theirs
	run -129 "$IRMINFS" merge-file -t nonsense base ours theirs
	[[ $output == *nonsense* ]]
}

@test "files that are not text merge as binary" {
	printf 'a\0b' >base
	printf 'a\0c' >ours
	printf 'a\0d' >theirs
	run -1 "$IRMINFS" merge-file -i base ours theirs
	[ "$(od -c <ours)" = "$(printf 'a\0c' | od -c)" ]
	cp base same
	"$IRMINFS" merge-file base same theirs | cmp - theirs
}

@test "no type merges lines of what is not text" {
	printf 'a\0\n' >base
	printf 'a\0\nours\n' >ours
	printf 'a\0\ntheirs\n' >theirs
	local type
	for type in text union token counter set log "token --suggest"; do
		# shellcheck disable=SC2086
		"$IRMINFS" merge-file -t $type base ours theirs >result &&
			return 1
		cmp result ours
		# shellcheck disable=SC2086
		"$IRMINFS" merge-file -t $type base base theirs | cmp - theirs
	done
}

@test "errors exit 2 and more, in words, and leave ours alone" {
	run -2 "$IRMINFS" merge-file -i base ours absent
	[[ $output == *absent* ]]
	[ "$(head -1 ours)" = one ]
	run -129 "$IRMINFS" merge-file base ours
	run -129 "$IRMINFS" merge-file -m x base ours theirs
	run -2 bash -c '"$IRMINFS" merge-file base ours theirs >/dev/full'
}

@test "a file that cannot be written whole stays as it was" {
	[ "$(id -u)" -eq 0 ] || skip "needs root to mount"
	mkdir small
	mount -t tmpfs -o size=64k none small
	head -c 40000 /dev/zero | tr '\0' x | fold >small/ours
	cp small/ours base
	cp base theirs
	echo more >>theirs
	run "$IRMINFS" merge-file -i base small/ours theirs
	cmp base small/ours
	[ -z "$(find small -name '.irminfs-merge*')" ]
	umount small
	[ "$status" -eq 2 ]
}

@test "plain Git uses a type as its merge driver" {
	git init -q -b main work
	cd work
	git config user.name t
	git config user.email t@example.org
	git config merge.lines.driver \
		"$IRMINFS merge-file --in-place --type union -m %L -p %P %O %A %B"
	echo "list merge=lines" >.gitattributes
	echo base >list
	git add -A
	git commit -qm base
	git checkout -qb other
	echo theirs >>list
	git commit -qam theirs
	git checkout -q main
	echo ours >>list
	git commit -qam ours
	git merge -q -m merged other
	[ "$(sort list | tr '\n' ' ')" = "base ours theirs " ]
}
