#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Merges by type, suggestions, and our types in plain Git.
bats_require_minimum_version 1.5.0
load common

# attributes LINE...: a store whose main has them, and what write_base writes
prepare_store() {
	git init -q "$T/work"
	cd "$T/work" || return 1
	printf '%s\n' "$@" >.gitattributes
	printf '%s\n' "# The plan" "" \
		"We shall go to the market on Monday morning," \
		"and buy bread, milk and eggs for the week." "" "End." >plan.md
	echo 5 >hits
	printf 'b\nm\n' >names
	printf '1 start\n' >events
	git add -A
	git commit -qm base
	git clone -q --bare . "$STORE"
	cd /
	start
}

fork() {
	mkdir "$M/main/.irmin/fork/$1"
}

# edit_both: vim and sed change the same paragraph on two branches
edit_both() {
	needs vim
	fork a
	vim -es -u NONE -i NONE -c '%s/Monday/Tuesday/' -c wq "$M/a/plan.md"
	sed -i 's/milk/butter/' "$M/main/plan.md"
	grep -q Tuesday "$M/a/plan.md"
}

@test "vim and sed in one paragraph: merge=token merges by mv -T" {
	prepare_store '*.md merge=token'
	edit_both
	mv -T "$M/a" "$M/main"
	grep -q 'market on Tuesday morning' "$M/main/plan.md"
	grep -q 'bread, butter and eggs' "$M/main/plan.md"
	store_git log -1 --format=%B main >"$T/message"
	grep -q 'plan.md: 1 conflict settled by words: line 3 (lines)' \
		"$T/message"
	store_git fsck --strict
}

@test "without it there is a suggestion to look at and to take" {
	prepare_store '*.txt text'
	edit_both
	run ! mv -T "$M/a" "$M/main"
	"$IRMINFS" conflicts -C "$M" a | grep -q 'there is a suggestion'
	[ "$(cat "$M/a/.irmin/conflicts/1/path")" = plan.md ]
	grep -q 'market on Tuesday' "$M/a/.irmin/conflicts/1/suggested"
	grep -q 'bread, butter' "$M/a/.irmin/conflicts/1/suggested"
	run ! grep '<<<<' "$M/a/.irmin/conflicts/1/suggested"
	restart
	grep -q 'bread, butter' "$M/a/.irmin/conflicts/1/suggested"
	"$IRMINFS" resolve -C "$M" a --suggested
	mv -T "$M/a" "$M/main"
	grep -q 'market on Tuesday morning' "$M/main/plan.md"
	grep -q 'bread, butter and eggs' "$M/main/plan.md"
	run ! grep '<<<<' "$M/main/plan.md"
	store_git fsck --strict
}

@test "where nothing is likely to be right nothing is suggested" {
	prepare_store '*.txt text'
	fork a
	echo 7 >"$M/a/hits"
	echo 8 >"$M/main/hits"
	run ! mv -T "$M/a" "$M/main"
	[ ! -e "$M/a/.irmin/conflicts/1/suggested" ]
	run ! "$IRMINFS" resolve -C "$M" a --suggested
	[[ $output == *"Nothing is suggested"* ]]
}

@test "counters on three branches add up, equal steps too" {
	prepare_store 'hits merge=counter'
	fork a
	fork b
	fork c
	echo 6 >"$M/a/hits"
	echo 6 >"$M/b/hits"
	echo 3 >"$M/c/hits"
	mv -T "$M/a" "$M/main"
	mv -T "$M/b" "$M/main"
	mv -T "$M/c" "$M/main"
	[ "$(cat "$M/main/hits")" = 5 ]
	fork d
	echo not a number >"$M/d/hits"
	echo 6 >"$M/main/hits"
	run ! mv -T "$M/d" "$M/main"
	[ "$(cat "$M/main/hits")" = 6 ]
}

@test "criss-cross merges of a counter count each step once" {
	prepare_store 'hits merge=counter'
	fork a
	fork b
	echo 15 >"$M/a/hits"
	echo 105 >"$M/b/hits"
	"$IRMINFS" fork -C "$M" a a1
	"$IRMINFS" fork -C "$M" b b1
	echo b1 >"$M/a/.irmin/merge"
	echo a1 >"$M/b/.irmin/merge"
	[ "$(cat "$M/a/hits") $(cat "$M/b/hits")" = "115 115" ]
	echo 116 >"$M/a/hits"
	echo 116 >"$M/b/hits"
	echo a >"$M/b/.irmin/merge"
	[ "$(cat "$M/b/hits")" = 117 ]
}

@test "sets and logs take what both sides added" {
	prepare_store 'names merge=set' 'events merge=log'
	fork a
	printf 'b\nc\n' >"$M/a/names"
	printf 'b\nm\nz\n' >"$M/main/names"
	echo '3 from a' >>"$M/a/events"
	printf '2 from main\n4 from main\n' >>"$M/main/events"
	mv -T "$M/a" "$M/main"
	[ "$(tr '\n' ' ' <"$M/main/names")" = "b c z " ]
	[ "$(cut -c1 <"$M/main/events" | tr -d '\n')" = 1234 ]
}

@test "lww takes the side that changed the file last, whatever came after" {
	prepare_store 'plan.md merge=lww'
	fork a
	echo later >"$M/a/unrelated"
	echo first >"$M/main/plan.md"
	"$IRMINFS" commit -C "$M" main
	sleep 1.1
	echo second >"$M/a/plan.md"
	"$IRMINFS" commit -C "$M" a
	sleep 1.1
	echo more >"$M/main/other"
	"$IRMINFS" commit -C "$M" main
	mv -T "$M/a" "$M/main"
	[ "$(cat "$M/main/plan.md")" = second ]
	fork b
	echo third >"$M/b/plan.md"
	"$IRMINFS" commit -C "$M" b
	sleep 1.1
	echo fourth >"$M/main/plan.md"
	mv -T "$M/b" "$M/main"
	[ "$(cat "$M/main/plan.md")" = fourth ]
}

@test "irminfs drivers: plain Git merges with our types" {
	mkdir "$T/bin"
	ln -s "$IRMINFS" "$T/bin/irminfs"
	PATH=$T/bin:$PATH
	git init -q "$T/work"
	cd "$T/work"
	irminfs drivers >>.git/config
	irminfs drivers | sed -n 's/^#\t//p' | grep -q '^\*.md merge=token$'
	printf '%s\n' '*.md merge=token' 'hits merge=counter' \
		'names merge=set' 'events merge=log' >.gitattributes
	printf 'long text of one line\nand of another line\n' >a.md
	echo 5 >hits
	echo m >names
	echo 1 >events
	git add -A
	git commit -qm base
	git checkout -qb other
	printf 'long text of one line\nand of some other line\n' >a.md
	echo 7 >hits
	printf 'a\nm\n' >names
	echo 3 >>events
	git commit -qam other
	git checkout -q main
	printf 'short text of one line\nand of another line\n' >a.md
	echo 8 >hits
	printf 'm\nz\n' >names
	echo 2 >>events
	git commit -qam main
	git merge -q -m merged other
	[ "$(cat a.md)" = $'short text of one line\nand of some other line' ]
	[ "$(cat hits)" = 10 ]
	[ "$(tr '\n' ' ' <names)" = "a m z " ]
	[ "$(tr '\n' ' ' <events)" = "1 2 3 " ]
}

@test "merge-file knows the types, and suggestions" {
	cd "$T"
	printf 'say the quick brown fox jumps over the lazy dog now\n' >base
	sed 's/brown/red/' base >ours
	sed 's/dog/cat/' base >theirs
	run -1 "$IRMINFS" merge-file --type token base ours theirs
	"$IRMINFS" merge-file --type token --suggest base ours theirs >result
	grep -q 'red fox jumps over the lazy cat' result
	"$IRMINFS" merge-file --suggest base ours theirs | cmp - result
	echo 1 >base
	echo 2 >ours
	echo 2 >theirs
	[ "$("$IRMINFS" merge-file -t counter base ours theirs)" = 3 ]
	run -129 "$IRMINFS" merge-file -t counter --suggest base ours theirs
	run -129 "$IRMINFS" merge-file -t lww base ours theirs
	[[ $output == *commits* ]]
}
