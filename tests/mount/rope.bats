#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Files that are stored as ropes (irmin=rope).
bats_require_minimum_version 1.5.0
load common

irminfs() {
	"$IRMINFS" "$@"
}

# ropes: what ends in .rope is one, in the branch main
ropes() {
	start
	echo '*.rope irmin=rope' >"$M/main/.gitattributes"
}

# type_of REVISION:PATH in Git
type_of() {
	store_git cat-file -t "$1"
}

# bytes_of REVISION:PATH: of a rope, from plain Git
bytes_of() {
	local mode type id name
	store_git ls-tree "$1" | while read -r mode type id name; do
		case $type:$name in
		blob:.irmin-rope) ;;
		blob:*) store_git cat-file blob "$id" ;;
		tree:*) bytes_of "$id" ;;
		esac
	done
}

@test "a file with the attribute is a tree in Git and a file in the mount" {
	ropes
	seq 100000 >"$M/main/a.rope"
	seq 10 >"$M/main/b"
	sync "$M/main/a.rope"
	[ "$(type_of main:a.rope)" = tree ]
	[ "$(type_of main:b)" = blob ]
	[ "$(type_of main:.gitattributes)" = blob ]
	bytes_of main:a.rope | cmp - "$M/main/a.rope"
	store_git fsck --strict
	restart
	[ -f "$M/main/a.rope" ]
	[ "$(stat -c '%s %a' "$M/main/a.rope")" = "588895 644" ]
	seq 100000 | cmp - "$M/main/a.rope"
	[ "$(ls -F "$M/main")" = "$(printf 'a.rope\nb')" ]
	[ -z "$(find "$M/main" -mindepth 1 -type d)" ]
	[ "$(cat "$M/main/.irmin/status")" = "" ]
	irminfs publish -C "$M/main"
	git clone -q "$STORE" "$T/clone"
	[ -d "$T/clone/a.rope" ]
	[ -f "$T/clone/a.rope/.irmin-rope" ]
	[ -f "$M/main@~0/a.rope" ]
	seq 100000 | cmp - "$M/main@~0/a.rope"
}

@test "changes of a rope survive a remount and a crash" {
	ropes
	F=$M/main/a.rope
	seq 200000 | tee "$T/model" >"$F"
	sync "$F"
	restart
	irminfs splice "$F" 600000 --delete 10 --insert "spliced"
	printf written | dd of="$F" bs=1 seek=1000 conv=notrunc status=none
	echo appended >>"$F"
	python3 - "$T/model" <<'END'
import sys
d = bytearray(open(sys.argv[1], "rb").read())
d[600000:600010] = b"spliced"
d[1000:1007] = b"written"
open(sys.argv[1], "wb").write(d + b"appended\n")
END
	cmp "$F" "$T/model"
	sync "$F"
	crash
	start
	cmp "$F" "$T/model"
	bytes_of main:a.rope | cmp - "$T/model"
	truncate -s 12345 "$F"
	truncate -s 12345 "$T/model"
	sync "$F"
	restart
	cmp "$F" "$T/model"
	bytes_of main:a.rope | cmp - "$T/model"
	: >"$F"
	sync "$F"
	[ "$(type_of main:a.rope)" = tree ]
	restart
	[ -f "$F" ]
	[ ! -s "$F" ]
	store_git fsck --strict
}

@test "a small change of a large rope writes little" {
	ropes
	F=$M/main/a.rope
	head -c 50000000 /dev/urandom | tee "$T/model" >"$F"
	sync "$F"
	store_git gc -q --prune=now
	restart -o housekeeping=off
	local before after
	before=$(store_git count-objects -v | awk '/^size/ { n += $2 } END { print n }')
	irminfs splice "$F" 25000000 --insert x
	sync "$F"
	irminfs publish -C "$M/main"
	after=$(store_git count-objects -v | awk '/^size/ { n += $2 } END { print n }')
	[ $((after - before)) -lt 128 ]
	[ "$(type_of main:a.rope)" = tree ]
	(head -c 25000000 "$T/model"; printf x; tail -c 25000000 "$T/model") |
		cmp - "$F"
}

@test "the x bit, renaming, copying, linking and removing" {
	ropes
	F=$M/main/a.rope
	{ printf '#!/bin/sh\necho ran\nexit\n'; seq 20000; } >"$F"
	sync "$F"
	chmod +x "$F"
	sync "$F"
	restart
	[ "$("$F")" = ran ]
	[ "$(store_git ls-tree main:a.rope | head -c 6)" = 100755 ]
	chmod -x "$F"
	mkdir "$M/main/d"
	mv "$F" "$M/main/d/b.rope"
	cp "$M/main/d/b.rope" "$M/main/c.rope"
	cp "$M/main/d/b.rope" "$M/main/plain"
	ln -s d/b.rope "$M/main/link.rope"
	sync "$M/main/c.rope"
	[ "$(store_git ls-tree main:d/b.rope | head -c 6)" = 100644 ]
	[ "$(store_git rev-parse main:c.rope)" = \
		"$(store_git rev-parse main:d/b.rope)" ]
	[ "$(type_of main:plain)" = blob ]
	restart
	cmp "$M/main/c.rope" "$M/main/d/b.rope"
	cmp "$M/main/plain" "$M/main/link.rope"
	[ ! -x "$M/main/c.rope" ]
	mv "$M/main/c.rope" "$M/main/d/b.rope"
	rm "$M/main/plain"
	sync "$M/main/d"
	[ "$(store_git ls-tree -r --name-only main | grep -c rope/)" -gt 3 ]
	rm "$M/main/d/b.rope"
	rmdir "$M/main/d"
	sync "$M/main"
	[ "$(store_git ls-tree --name-only main)" = \
		"$(printf '.gitattributes\nlink.rope')" ]
	store_git fsck --strict
}

@test "the form changes when the file does" {
	start
	seq 50000 >"$M/main/a.rope"
	sync "$M/main/a.rope"
	[ "$(type_of main:a.rope)" = blob ]
	echo '*.rope irmin=rope' >"$M/main/.gitattributes"
	sync "$M/main/.gitattributes"
	[ "$(type_of main:a.rope)" = blob ]
	echo more >>"$M/main/a.rope"
	sync "$M/main/a.rope"
	[ "$(type_of main:a.rope)" = tree ]
	restart
	rm "$M/main/.gitattributes"
	sync "$M/main"
	[ "$(type_of main:a.rope)" = tree ]
	(seq 50000; echo more) | cmp - "$M/main/a.rope"
	echo again >>"$M/main/a.rope"
	sync "$M/main/a.rope"
	[ "$(type_of main:a.rope)" = blob ]
	(seq 50000; echo more; echo again) | cmp - "$M/main/a.rope"
	restart
	(seq 50000; echo more; echo again) | cmp - "$M/main/a.rope"
	mkdir "$M/main/sub"
	echo 'x irmin=rope' >"$M/main/sub/.gitattributes"
	echo nested >"$M/main/sub/x"
	sync "$M/main/sub/x"
	[ "$(type_of main:sub/x)" = tree ]
}

@test "a rope that gets a name of Git's is a blob" {
	start
	echo '*.r irmin=rope' >"$M/main/.gitattributes"
	mkdir "$M/main/d"
	seq 10 | tee "$M/main/a.r" >"$M/main/d/b.r"
	echo '*.o' >"$M/main/i.r"
	irminfs commit -C "$M/main"
	[ "$(type_of main:a.r)" = tree ]
	restart
	mv "$M/main/a.r" "$M/main/.gitattributes"
	mv "$M/main/d/b.r" "$M/main/d/.gitattributes"
	mv "$M/main/i.r" "$M/main/.gitignore"
	irminfs commit -C "$M/main"
	[ "$(type_of main:.gitattributes)" = blob ]
	[ "$(type_of main:d/.gitattributes)" = blob ]
	[ "$(type_of main:.gitignore)" = blob ]
	store_git fsck --strict
	restart
	seq 10 | cmp - "$M/main/.gitattributes"
	[ "$(ls "$M/main")" = d ]
	mkdir "$M/main/d/below"
	irminfs mkqueue "$M/main/d/jobs"
	touch "$M/main/x.o"
	: >"$M/main/x.c"
	irminfs commit -C "$M/main"
	[ "$(store_git ls-tree --name-only main | grep ^x)" = x.c ]
}

@test "an editor that writes beside and renames leaves a blob" {
	start
	echo '* irmin=rope' >"$M/main/.gitattributes"
	irminfs commit -C "$M/main"
	printf '* irmin=rope\nb -irmin\n' >"$M/main/tmp"
	irminfs commit -C "$M/main"
	[ "$(type_of main:tmp)" = tree ]
	mv "$M/main/tmp" "$M/main/.gitattributes"
	seq 10 | tee "$M/main/a" >"$M/main/b"
	irminfs commit -C "$M/main"
	[ "$(type_of main:.gitattributes)" = blob ]
	[ "$(type_of main:a)" = tree ]
	[ "$(type_of main:b)" = blob ]
	store_git fsck --strict
	crash
	start
	[ "$(ls "$M/main")" = "$(printf 'a\nb')" ]
}

@test "a rope that was pushed as .gitattributes has no lines" {
	ropes
	mkdir "$M/main/d"
	printf '*.rope irmin=rope\n' | tee "$M/main/a.rope" >"$M/main/d/f"
	irminfs commit -C "$M/main"
	irminfs fork -C "$M" main side
	echo side >"$M/side/side"
	irminfs commit -C "$M/side"
	git clone -q "$STORE" "$T/clone"
	cd "$T/clone"
	rm .gitattributes
	cp -r a.rope .gitattributes
	cp -r a.rope .gitignore
	cp -r a.rope d/.gitattributes
	git add -f .
	git commit -qm "trees at names of Git's"
	git push -q
	wait_for 20 test -e "$M/main/.gitignore"
	restart
	[ "$(ls "$M/main")" = "$(printf 'a.rope\nd')" ]
	grep -q '.gitattributes is stored as a tree' "$T/log"
	run -1 irminfs fsck --store "$STORE"
	[[ $output == *".gitattributes is a tree"* ]]
	echo main >"$M/main/d/new"
	mkdir "$M/main/d/below"
	run -128 irminfs mkqueue "$M/main/d/jobs"
	irminfs fork -C "$M" main other
	echo other >"$M/other/other"
	irminfs commit -C "$M/other"
	irminfs merge -C "$M" other into main
	[ "$(cat "$M/main/other")" = other ]
	irminfs merge -C "$M" side into main
	[ "$(cat "$M/main/side")" = side ]
	# a new file is a blob again, and counts
	echo '*.rope irmin=rope' >"$T/attributes"
	cp "$T/attributes" "$M/main/.gitattributes"
	rm "$M/main/.gitignore"
	mv "$T/attributes" "$M/main/d/.gitattributes"
	echo text >"$M/main/b.rope"
	irminfs mkqueue "$M/main/d/jobs"
	irminfs commit -C "$M/main"
	[ "$(type_of main:.gitattributes)" = blob ]
	[ "$(type_of main:d/.gitattributes)" = blob ]
	[ "$(type_of main:b.rope)" = tree ]
	run -1 irminfs fsck --store "$STORE"
	[[ $output == *"Branch other: its .gitattributes is a tree"* ]]
	[[ $output != *"Branch main"* ]]
}

@test "what is no valid rope is a folder" {
	ropes
	seq 50000 >"$M/main/a.rope"
	sync "$M/main/a.rope"
	irminfs publish -C "$M/main"
	git clone -q "$STORE" "$T/clone"
	cd "$T/clone"
	echo 00-5-1 >a.rope/zz
	git add .
	git commit -qm "not a rope any more"
	git push -q
	wait_for 20 test -d "$M/main/a.rope"
	[ "$(cat "$M/main/a.rope/zz")" = "00-5-1" ]
	rm a.rope/zz
	git add .
	git commit -qm "a rope again"
	git push -q
	wait_for 20 test -f "$M/main/a.rope"
	seq 50000 | cmp - "$M/main/a.rope"
}

@test "fsck tells of a rope whose chunks are not what its tree says" {
	ropes
	seq 50000 >"$M/main/good.rope"
	sync "$M/main/good.rope"
	irminfs publish -C "$M/main"
	irminfs fsck -C "$M"
	git clone -q "$STORE" "$T/clone"
	cd "$T/clone"
	mkdir bad.rope
	echo evil >bad.rope/00-5-3
	printf '%s\n' "irmin rope 1" "level 0" "size 5" "newlines 3" \
		"checksum d4ae6d2cc291c7bf" >bad.rope/.irmin-rope
	git add .
	git commit -qm "says three newlines where one is"
	git push -q
	wait_for 20 test -f "$M/main/bad.rope"
	run -1 cat "$M/main/bad.rope"
	grep -q '"bad.rope" of branch main cannot be read' "$T/log"
	run -1 irminfs fsck -C "$M"
	[[ $output == *" at bad.rope is damaged"* ]]
	[[ $output != *good.rope* ]]
}

@test "two branches' changes of one rope are merged" {
	ropes
	seq 100000 >"$M/main/a.rope"
	sync "$M/main/a.rope"
	mkdir "$M/main/.irmin/fork/side"
	sed -i 's/^500$/five hundred/' "$M/side/a.rope"
	sed -i 's/^99000$/ninety-nine thousand/' "$M/main/a.rope"
	mv -T "$M/side" "$M/main"
	[ -f "$M/main/a.rope" ]
	seq 100000 | sed 's/^500$/five hundred/; s/^99000$/ninety-nine thousand/' |
		cmp - "$M/main/a.rope"
	[ "$(type_of main:a.rope)" = tree ]
	store_git fsck --strict
}

@test "a conflict in a rope is told and resolved like one in a file" {
	ropes
	seq 20000 >"$M/main/a.rope"
	sync "$M/main/a.rope"
	mkdir "$M/main/.irmin/fork/side"
	sed -i 's/^500$/side/' "$M/side/a.rope"
	sed -i 's/^500$/main/' "$M/main/a.rope"
	run mv -T "$M/side" "$M/main"
	[ "$status" -ne 0 ]
	C=$(echo "$M"/side/.irmin/conflicts/*)
	seq 20000 | cmp - "$C/base"
	seq 20000 | sed 's/^500$/main/' | cmp - "$C/ours"
	seq 20000 | sed 's/^500$/side/' | cmp - "$C/theirs"
	grep -q '^<<<<<<<' "$C/merged"
	store_git gc -q --prune=now
	store_git fsck --strict
	restart
	C=$(echo "$M"/side/.irmin/conflicts/*)
	seq 20000 | sed 's/^500$/main/' | cmp - "$C/ours"
	run rm -r "$C"
	[ "$status" -ne 0 ]
	sed -i 's/^side$/both/' "$M/side/a.rope"
	rm -r "$C"
	mv -T "$M/side" "$M/main"
	seq 20000 | sed 's/^500$/both/' | cmp - "$M/main/a.rope"
	[ "$(type_of main:a.rope)" = tree ]
}

@test "what is suggested for a conflict in a rope can be taken" {
	ropes
	{
		seq 20000
		echo say the quick brown fox jumps over the lazy dog now
	} >"$M/main/a.rope"
	sync "$M/main/a.rope"
	mkdir "$M/main/.irmin/fork/side"
	sed -i 's/brown/red/' "$M/side/a.rope"
	sed -i 's/dog/cat/' "$M/main/a.rope"
	run mv -T "$M/side" "$M/main"
	[ "$status" -ne 0 ]
	sed 's/brown/red/' "$M/main/a.rope" >"$T/wanted"
	restart
	cmp "$T/wanted" "$M"/side/.irmin/conflicts/*/suggested
	store_git gc -q --prune=now
	"$IRMINFS" resolve --store "$STORE" side --suggested
	cmp "$T/wanted" "$M/side/a.rope"
	mv -T "$M/side" "$M/main"
	cmp "$T/wanted" "$M/main/a.rope"
	[ "$(type_of main:a.rope)" = tree ]
	store_git fsck --strict
}

@test "a rope and a blob of one file are merged" {
	start
	seq 20000 >"$M/main/a.rope"
	sync "$M/main/a.rope"
	mkdir "$M/main/.irmin/fork/side"
	echo '*.rope irmin=rope' >"$M/side/.gitattributes"
	sed -i 's/^500$/side/' "$M/side/a.rope"
	sed -i 's/^9000$/main/' "$M/main/a.rope"
	mv -T "$M/side" "$M/main"
	[ -f "$M/main/a.rope" ]
	seq 20000 | sed 's/^500$/side/; s/^9000$/main/' |
		cmp - "$M/main/a.rope"
	echo end >>"$M/main/a.rope"
	sync "$M/main/a.rope"
	[ "$(type_of main:a.rope)" = tree ]
}

@test "a rope is one file in a queue, too" {
	ropes
	mkdir "$M/main/q" "$M/main/d"
	seq 20000 >"$M/main/a.rope"
	seq 30000 >"$M/main/d/b.rope"
	seq 7 >"$M/main/q/c"
	sync "$M/main"
	printf '/q irmin=queue\n/d irmin=queue\n' >>"$M/main/.gitattributes"
	sync "$M/main"
	restart
	[ "$(ls "$M/main/d")" = b.rope ]
	seq 30000 | cmp - "$M/main/d/b.rope"
	mv "$M/main/a.rope" "$M/main/q/"
	sync "$M/main"
	restart
	[ "$(ls "$M/main/q")" = "$(printf 'a.rope\nc')" ]
	seq 20000 | cmp - "$M/main/q/a.rope"
	seq 30000 | cmp - "$M/main/d/b.rope"
	[ "$(store_git ls-tree -r --name-only main:q | grep -c a.rope/)" -eq 0 ]
	mv "$M/main/q/a.rope" "$M/main/"
	echo more >>"$M/main/a.rope"
	sync "$M/main"
	[ "$(type_of main:a.rope)" = tree ]
	store_git fsck --strict
}
