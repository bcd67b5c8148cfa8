#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# What is in a branch and never in Git: ignored files, repositories within.

load common

# origin: a repository to clone, with a few commits
origin() {
	git init -q -b main "$T/origin"
	local i
	for i in 1 2 3 4 5; do
		echo "$i" >>"$T/origin/log"
		mkdir -p "$T/origin/d$i"
		seq "$i" 2000 >"$T/origin/d$i/numbers"
		git -C "$T/origin" add -A
		git -C "$T/origin" commit -qm "commit $i"
	done
}

# tracked [BRANCH]: the paths that Git has
tracked() {
	git -C "$STORE" ls-tree -r --name-only "${1:-main}"
}

@test "git clone, fsck, gc and rebase work inside a branch" {
	origin
	start
	git clone -q "$T/origin" "$M/main/sub"
	cd "$M/main/sub"
	git fsck --strict
	git checkout -q -b topic HEAD~2
	echo topic >topic
	git add topic
	git commit -qm topic
	git rebase -q main
	git gc -q --prune=now
	git fsck --strict
	[ "$(git log --format=%s | head -n 2)" = "$(printf 'topic\ncommit 5')" ]
	[ -z "$(git status --short)" ]
	cd "$T"
	sync "$M/main/sub/topic"
	cat "$M/main/.irmin/head"
	tracked | grep -x sub/topic
	! tracked | grep -F .git
	git -C "$STORE" fsck --strict
	git clone -q "$STORE" "$T/clone"
	[ "$(cat "$T/clone/sub/topic")" = topic ]
	[ ! -e "$T/clone/sub/.git" ]
	restart
	git -C "$M/main/sub" fsck --strict
	[ -z "$(git -C "$M/main/sub" status --short)" ]
}

@test "a repository within outlives a crash, and a fork has it" {
	origin
	start -o commit=1000
	git clone -q "$T/origin" "$M/main/sub"
	head -c 9000000 /dev/urandom >"$M/main/sub/.git/large"
	sha1sum <"$M/main/sub/.git/large" >"$T/sum"
	sync "$M/main/sub/.git/large"
	crash
	start -o commit=1000
	git -C "$M/main/sub" fsck --strict
	[ -z "$(git -C "$M/main/sub" status --short)" ]
	sha1sum <"$M/main/sub/.git/large" | diff - "$T/sum"
	mkdir "$M/main/.irmin/fork/other"
	echo x >"$M/main/sub/.git/x"
	git -C "$M/other/sub" fsck --strict
	[ ! -e "$M/other/sub/.git/x" ]
	sha1sum <"$M/other/sub/.git/large" | diff - "$T/sum"
	restart
	[ "$(cat "$M/main/sub/.git/x")" = x ]
	git -C "$M/other/sub" fsck --strict
}

@test "a branch can be a repository of its own" {
	origin
	start
	mkdir "$M/new"
	git clone -q "$T/origin" "$M/new"
	[ -z "$(git -C "$M/new" status --short)" ]
	git -C "$M/new" fsck --strict
	echo 1 >"$M/main/f"
	grep -q ^gitdir: "$M/main/.git"
	rm "$M/main/.git"
	git init -q "$M/main"
	git -C "$M/main" add f
	git -C "$M/main" commit -qm mine
	[ "$(git -C "$M/main" log --format=%s)" = mine ]
	[ -d "$M/main/.git" ]
	sync "$M/main/f"
	restart
	[ "$(git -C "$M/main" log --format=%s)" = mine ]
	[ -z "$(git -C "$M/new" status --short)" ]
	[ "$(tracked)" = f ]
	[ "$(tracked new | wc -l)" -eq 6 ]
	mv "$M/main/.git" "$M/main/.git-old"
	rm -r "$M/main/.git-old"
	wait_for 5 grep -q ^gitdir: "$M/main/.git"
	stop
	git -C "$STORE" fsck --strict
}

@test "a folder with files becomes a .git by being copied" {
	start
	mkdir "$M/main/d"
	echo 1 >"$M/main/d/f"
	mv "$M/main/d" "$M/main/sub.git"
	mkdir "$M/main/sub"
	mv "$M/main/sub.git" "$M/main/sub/.git"
	cat "$M/main/.irmin/head"
	[ -z "$(tracked)" ]
	[ "$(cat "$M/main/sub/.git/f")" = 1 ]
	restart
	[ "$(cat "$M/main/sub/.git/f")" = 1 ]
	git -C "$STORE" fsck --strict
}
