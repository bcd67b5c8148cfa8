#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Branches as directories: fork, rename, swap, drop, restore, name spaces,
# revisions.
load common

fork() {
	mkdir "$M/$1/.irmin/fork/$2"
}

@test "an existing repository shows its branches" {
	git init -q "$T/work"
	cd "$T/work"
	mkdir dir
	echo 1 >dir/file
	ln -s dir link
	git add -A
	git commit -qm first
	git branch feature/login
	git branch other
	git clone -q --bare . "$STORE"
	start
	[ "$(ls "$M" | xargs)" = "feature main other" ]
	[ "$(ls "$M/feature")" = login ]
	[ "$(cat "$M/feature/login/dir/file")" = 1 ]
	[ "$(readlink "$M/main/link")" = dir ]
	diff -r --exclude=.git "$T/work" "$M/main"
	[ "$(stat -c %Y "$M/main/dir/file")" = "$(git log -1 --format=%ct)" ]
}

@test "mkdir makes an empty branch, also below a name space" {
	start
	mkdir "$M/b"
	[ "$(store_git rev-parse 'b^{tree}')" = 4b825dc642cb6eb9a060e54bf8d69288fbee4904 ]
	mkdir "$M/space%2Fc"
	mkdir "$M/space/d"
	[ "$(ls "$M/space" | xargs)" = "c d" ]
	run mkdir "$M/space"
	[ "$status" -ne 0 ]
	run mkdir "$M/b%2Fx"
	[[ $output == *"File exists"* ]]
	store_git rev-parse space/c space/d
}

@test "a fork has the present state and stays apart" {
	start
	echo 1 >"$M/main/f"
	fork main copy
	[ "$(cat "$M/copy/f")" = 1 ]
	echo 2 >"$M/main/f"
	[ "$(cat "$M/copy/f")" = 1 ]
	echo 3 >"$M/copy/f"
	[ "$(cat "$M/main/f")" = 2 ]
	fork copy deep%2Fer
	[ "$(cat "$M/deep/er/f")" = 3 ]
	run mkdir "$M/main/.irmin/fork/copy"
	[[ $output == *"File exists"* ]]
	restart
	[ "$(cat "$M/main/f" "$M/copy/f" "$M/deep/er/f" | xargs)" = "2 3 3" ]
}

@test "a fork contains what a shared mapping holds" {
	start
	python3 - "$M" <<'END'
import mmap, os, sys
root = sys.argv[1]
fd = os.open(root + "/main/map", os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, 4096)
m = mmap.mmap(fd, 4096)
m[:5] = b"dirty"
os.mkdir(root + "/main/.irmin/fork/copy")
assert open(root + "/copy/map", "rb").read(5) == b"dirty"
END
}

@test "mv renames a branch, HEAD follows" {
	start
	echo 1 >"$M/main/f"
	mv "$M/main" "$M/trunk"
	[ "$(ls "$M")" = trunk ]
	[ "$(cat "$M/trunk/f")" = 1 ]
	echo 2 >"$M/trunk/f"
	sync "$M/trunk/f"
	[ "$(store_git symbolic-ref HEAD)" = refs/heads/trunk ]
	[ "$(store_git show trunk:f)" = 2 ]
	run store_git rev-parse -q --verify refs/heads/main
	[ "$status" -ne 0 ]
	mv "$M/trunk" "$M/a%2Fb"
	mv "$M/a/b" "$M/c"
	[ "$(ls "$M")" = c ]
	[ "$(cat "$M/c/f")" = 2 ]
}

@test "exchange swaps two branches" {
	start
	mkdir "$M/a" "$M/b"
	echo a >"$M/a/f"
	echo b >"$M/b/f"
	python3 - "$M/a" "$M/b" <<'END'
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
assert libc.renameat2(-100, sys.argv[1].encode(), -100, sys.argv[2].encode(), 2) == 0
END
	[ "$(cat "$M/a/f" "$M/b/f" | xargs)" = "b a" ]
	restart
	[ "$(cat "$M/a/f" "$M/b/f" | xargs)" = "b a" ]
	[ "$(store_git show a:f)" = b ]
}

@test "mv of a branch into another is refused and harms nothing" {
	start
	mkdir "$M/a"
	echo a >"$M/a/f"
	run mv "$M/a" "$M/main"
	[ "$status" -ne 0 ]
	[ "$(cat "$M/a/f")" = a ]
	[ ! -e "$M/main/a" ]
	mkdir "$M/main/d"
	run mv "$M/main/d" "$M/"
	[ "$status" -ne 0 ]
	[ -d "$M/main/d" ]
}

@test "files move across branches by copying" {
	start
	mkdir "$M/a" "$M/a/dir"
	echo 1 >"$M/a/f"
	echo 2 >"$M/a/dir/g"
	mv "$M/a/f" "$M/a/dir" "$M/main/"
	[ "$(cat "$M/main/f" "$M/main/dir/g" | xargs)" = "1 2" ]
	[ -z "$(ls "$M/a")" ]
}

@test "rmdir .irmin drops a branch, restore brings it back" {
	start
	mkdir "$M/b"
	echo unsaved >"$M/b/f"
	rmdir "$M/b/.irmin"
	[ ! -e "$M/b" ]
	run store_git rev-parse -q --verify refs/heads/b
	[ "$status" -ne 0 ]
	store_git gc -q --prune=now
	"$IRMINFS" restore -C "$M" b
	[ "$(cat "$M/b/f")" = unsaved ]
	rmdir "$M/b/.irmin"
	restart
	"$IRMINFS" restore -C "$M" b
	[ "$(store_git show b:f)" = unsaved ]
}

@test "rm -r of a branch ends in a drop" {
	start
	mkdir "$M/b"
	mkdir "$M/b/d"
	echo 1 >"$M/b/d/f"
	sync "$M/b/d/f"
	rm -r "$M/b"
	[ ! -e "$M/b" ]
	[ "$(ls "$M")" = main ]
}

@test "revisions, tags and commits are read-only views" {
	start
	for i in 1 2 3; do
		echo $i >"$M/main/f"
		echo "change $i" >"$M/main/.irmin/commit"
	done
	[ "$(cat "$M/main@~1/f")" = 2 ]
	[ "$(cat "$M/main@^/f")" = 2 ]
	mkdir "$M/main@~2/.irmin/tag/v1" || touch "$M/main@~2/.irmin/tag/v1"
	[ "$(cat "$M/@v1/f")" = 1 ]
	id=$(store_git rev-parse main~1)
	[ "$(cat "$M/@$id/f")" = 2 ]
	[ "$(cat "$M/@${id:0:8}/f")" = 2 ]
	run touch "$M/main@~1/new"
	[[ $output == *"Read-only"* ]]
	[ ! -e "$M/main@~99" ]
	echo 4 >"$M/main/f"
	echo "change 4" >"$M/main/.irmin/commit"
	[ "$(cat "$M/main@~1/f")" = 3 ]
	mkdir "$M/main@~3/.irmin/fork/old"
	[ "$(cat "$M/old/f")" = 1 ]
	echo new >"$M/old/f"
	[ "$(ls "$M" | xargs)" = "main old" ]
}

@test "a branch that git has just made is there at once" {
	start
	echo 1 >"$M/main/f"
	cat "$M/main/.irmin/head"
	for n in $(seq 20); do
		# no answer may be kept that there is none
		[ ! -e "$M/new$n" ]
		[ ! -e "$M/in$n" ]
		[ ! -e "$M/deep$n" ]
		git -C "$STORE" branch "new$n" main
		[ "$(cat "$M/new$n/f")" = 1 ]
		git -C "$M/main" branch "in$n"
		[ "$(ls "$M/in$n")" = f ]
		git -C "$STORE" branch "deep$n/x/y" main
		[ "$(cat "$M/deep$n/x/y/f")" = 1 ]
	done
	git -C "$STORE" branch packed main
	git -C "$STORE" pack-refs --all
	[ "$(ls "$M/packed")" = f ]
}

@test "the timer commits by itself" {
	start -o commit=1
	echo timer >"$M/main/f"
	wait_for 10 store_git cat-file -e main:f
	store_git log -1 --format=%B main | grep -q 'Irmin-Operation: timer'
}

@test "nothing changed, no commit" {
	start
	echo 1 >"$M/main/f"
	sync "$M/main/f"
	before=$(cat "$M/main/.irmin/head")
	sync "$M/main/f"
	touch "$M/main/f"
	sync "$M/main"
	[ "$(cat "$M/main/.irmin/head")" = "$before" ]
}

@test "commits tell what, who and by which program" {
	start
	echo 1 >"$M/main/f"
	sync "$M/main/f"
	store_git log -1 --format='%an <%ae>%n%B' main >"$T/message"
	cat "$T/message"
	grep -q '^Tester <tester@example.org>' "$T/message"
	grep -q '^Update .*f' "$T/message"
	grep -q '^Irmin-Operation: fsync' "$T/message"
	grep -q '^Irmin-Program: sync' "$T/message"
	echo 'My own words' >"$M/main/.irmin/message"
	echo 2 >"$M/main/f"
	sync "$M/main/f"
	[ "$(store_git log -1 --format=%s main)" = 'My own words' ]
}

@test "the control directory is there and not listed" {
	start
	mkdir -p "$M/main/d"
	[ -z "$(ls -A "$M/main/d")" ]
	[ "$(ls "$M/main/.irmin" | xargs)" = "commit conflicts fork head log merge message status tag type" ]
	[ "$(cat "$M/main/d/.irmin/type")" = directory ]
	echo 1 >"$M/main/f"
	grep -qx "A f" "$M/main/.irmin/status"
	head=$(cat "$M/main/.irmin/head")
	[ "$head" = "$(store_git rev-parse main)" ]
	[ -z "$(cat "$M/main/.irmin/status")" ]
	grep -q "$head" "$M/main/.irmin/log"
	[ -n "$(cat "$M/.irmin/version")" ]
	[ -n "$(cat "$M/.irmin/stats")" ]
}

@test "unmounting commits what is there" {
	start
	echo last >"$M/main/f"
	stop
	[ "$(store_git show main:f)" = last ]
}
