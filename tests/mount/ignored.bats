#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# What is in a branch and never in Git: ignored files, repositories within.

load common
bats_require_minimum_version 1.5.0

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
	[ -z "$(tracked | grep -F .git/)" ]
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

# project: something that make builds
project() {
	mkdir -p "$M/main/src"
	printf '*.o\n/build/\n!/src/keep.o\n' >"$M/main/.gitignore"
	cat >"$M/main/Makefile" <<-'END'
		.RECIPEPREFIX = >
		OBJECTS = src/a.o src/b.o src/keep.o build/c.o
		all: build/all
		build/all: $(OBJECTS)
		> cat $(OBJECTS) >$@
		src/%.o: src/%.c
		> cp $< $@.new.o && mv $@.new.o $@
		build/%.o: src/%.c
		> mkdir -p build && cp $< $@
	END
	local name
	for name in a b c keep; do
		echo "$name" >"$M/main/src/$name.c"
	done
}

SOURCES=".gitignore
Makefile
src/a.c
src/b.c
src/c.c
src/keep.c
src/keep.o"

@test "what make builds is not committed, and is there after a crash" {
	start -o commit=1000
	project
	make -sC "$M/main"
	sync "$M/main/build/all"
	cat "$M/main/.irmin/head"
	[ "$(tracked)" = "$SOURCES" ]
	# nothing but the build changes: there is nothing to commit
	head=$(git -C "$STORE" rev-parse main)
	touch "$M/main/src/a.c"
	echo x >>"$M/main/src/b.o"
	make -sC "$M/main"
	sync "$M/main/build/all"
	[ "$(cat "$M/main/.irmin/head")" = "$head" ]
	crash
	start -o commit=1000
	[ "$(cat "$M/main/src/b.o")" = "$(printf 'b\nx')" ]
	[ "$(cat "$M/main/build/all")" = "$(printf 'a\nb\nx\nkeep\nc\n')" ]
	make -qC "$M/main"
	mkdir "$M/main/.irmin/fork/topic"
	make -qC "$M/topic"
	echo 2 >"$M/topic/src/a.c"
	make -sC "$M/topic"
	[ "$(head -n 1 "$M/topic/build/all")" = 2 ]
	[ "$(head -n 1 "$M/main/build/all")" = a ]
	cat "$M/topic/.irmin/head"
	[ "$(tracked topic)" = "$SOURCES" ]
	git clone -q "$STORE" "$T/clone"
	git clone -q --mirror "$STORE" "$T/mirror"
	[ ! -e "$T/clone/build" ]
	local file
	for file in src/b.o build/all; do
		run ! git -C "$T/mirror" cat-file -e \
			"$(git hash-object "$M/main/$file")"
		run ! git -C "$STORE" cat-file -e \
			"$(git hash-object "$M/main/$file")"
	done
	[ -z "$(find "$M/main@~0/" -name a.o)" ]
	stop
	git -C "$STORE" fsck --strict
}

@test "what Git tracks stays tracked, and names decide" {
	start -o commit=1000
	echo 1 >"$M/main/a.o"
	echo 1 >"$M/main/b"
	cat "$M/main/.irmin/head"
	echo '*.o' >"$M/main/.gitignore"
	echo 2 >"$M/main/a.o"
	echo 2 >"$M/main/a.o.new" && mv "$M/main/a.o.new" "$M/main/a.o"
	echo 2 >"$M/main/new.o"
	mv "$M/main/b" "$M/main/b.o"
	cat "$M/main/.irmin/head"
	[ "$(tracked)" = "$(printf '.gitignore\na.o')" ]
	[ "$(git -C "$STORE" show main:a.o)" = 2 ]
	[ "$(cat "$M/main/b.o" "$M/main/new.o")" = "$(printf '1\n2')" ]
	mv "$M/main/b.o" "$M/main/b"
	rm "$M/main/a.o"
	cat "$M/main/.irmin/head"
	echo 3 >"$M/main/a.o"
	cat "$M/main/.irmin/head"
	[ "$(tracked)" = "$(printf '.gitignore\nb')" ]
	[ "$(git -C "$STORE" show main:b)" = 1 ]
	restart
	[ "$(cat "$M/main/b" "$M/main/new.o" "$M/main/a.o")" = "$(printf '1\n2\n3')" ]
}

@test "changed rules are applied to what is there" {
	start -o commit=1
	mkdir -p "$M/main/d/deep"
	echo '*.x' >"$M/main/.gitignore"
	echo x >"$M/main/d/deep/f.x"
	echo x >"$M/main/d/deep/g.x"
	chmod 751 "$M/main/d/deep/g.x"
	cat "$M/main/.irmin/head"
	[ "$(tracked)" = .gitignore ]
	restart -o commit=1
	echo '!f.x' >"$M/main/d/.gitignore"
	got() {
		[ "$(tracked | tr '\n' ' ')" = "$1" ]
	}
	# by itself
	wait_for 20 got ".gitignore d/.gitignore d/deep/f.x "
	# new files that were there before the rule
	echo 1 >"$M/main/n.y"
	mkdir "$M/main/e"
	echo 1 >"$M/main/e/n.y"
	printf '*.x\n*.y\n' >"$M/main/.gitignore"
	cat "$M/main/.irmin/head"
	got ".gitignore d/.gitignore d/deep/f.x "
	rm "$M/main/.gitignore"
	cat "$M/main/.irmin/head"
	got "d/.gitignore d/deep/f.x d/deep/g.x e/n.y n.y "
	[ "$(git -C "$STORE" ls-tree main:d/deep g.x | cut -c 1-6)" = 100755 ]
	[ "$(stat -c %a "$M/main/d/deep/g.x")" = 751 ]
	stop
	git -C "$STORE" fsck --strict
}

@test "a renamed folder is ignored or tracked by its new name" {
	start -o commit=1000
	echo '/build' >"$M/main/.gitignore"
	mkdir -p "$M/main/tmp/d"
	echo 1 >"$M/main/tmp/d/new"
	mv "$M/main/tmp" "$M/main/build"
	sync "$M/main/build/d/new"
	cat "$M/main/.irmin/head"
	[ "$(tracked)" = .gitignore ]
	mv "$M/main/build" "$M/main/out"
	cat "$M/main/.irmin/head"
	[ "$(tracked)" = "$(printf '.gitignore\nout/d/new')" ]
	# what Git has stays in Git
	mv "$M/main/out" "$M/main/build"
	echo 2 >"$M/main/build/d/later"
	cat "$M/main/.irmin/head"
	[ "$(tracked)" = "$(printf '.gitignore\nbuild/d/new')" ]
	restart
	[ "$(cat "$M/main/build/d/later")" = 2 ]
}

@test "info/exclude counts, and ignored=track tracks all" {
	git init -q --bare "$STORE"
	echo '*.e' >"$STORE/info/exclude"
	start -o commit=1000
	mkdir "$M/main"
	echo '*.o' >"$M/main/.gitignore"
	echo 1 >"$M/main/a.e"
	echo 1 >"$M/main/a.o"
	mkdir -p "$M/main/d/.git"
	echo 1 >"$M/main/d/.git/f"
	cat "$M/main/.irmin/head"
	[ "$(tracked)" = .gitignore ]
	restart -o commit=1000,ignored=track
	echo 1 >"$M/main/b.o"
	cat "$M/main/.irmin/head"
	[ "$(tracked)" = "$(printf '.gitignore\na.e\na.o\nb.o')" ]
	[ "$(cat "$M/main/d/.git/f")" = 1 ]
}

@test "merges bring ignored files where there are none" {
	start -o commit=1000
	echo '*.o' >"$M/main/.gitignore"
	echo 1 >"$M/main/both.o"
	mkdir "$M/main/d"
	echo 1 >"$M/main/d/gone.o"
	mkdir "$M/main/.irmin/fork/topic"
	echo 2 >"$M/topic/both.o"
	echo 2 >"$M/topic/new.o"
	chmod 751 "$M/topic/new.o"
	mkdir -p "$M/topic/build/deep"
	echo 2 >"$M/topic/build/deep/b.o"
	echo 2 >"$M/topic/d/d.o"
	echo 2 >"$M/topic/tracked"
	rm "$M/main/d/gone.o"
	echo 3 >"$M/main/mine.o"
	mv -T "$M/topic" "$M/main"
	check() {
		[ "$(cat "$M/main/both.o" "$M/main/new.o" "$M/main/build/deep/b.o" \
			"$M/main/d/d.o" "$M/main/mine.o")" = "$(printf '1\n2\n2\n2\n3')" ]
		[ ! -e "$M/main/d/gone.o" ]
		[ "$(stat -c %a "$M/main/new.o")" = 751 ]
	}
	check
	cat "$M/main/.irmin/head"
	[ "$(tracked)" = "$(printf '.gitignore\ntracked')" ]
	restart
	check
	stop
	git -C "$STORE" fsck --strict
}

@test "a file that Git has does not replace an ignored one" {
	start -o commit=1000
	echo 1 >"$M/main/a"
	mkdir "$M/main/.irmin/fork/topic"
	echo x >"$M/topic/x"
	echo '/x' >"$M/main/.gitignore"
	echo mine >"$M/main/x"
	run ! mv -T "$M/topic" "$M/main"
	[ "$(cat "$M/main/x")" = mine ]
	[ "$(cat "$M/topic/x")" = x ]
	# nor does one that is pushed
	cat "$M/main/.irmin/head"
	git clone -q "$STORE" "$T/clone"
	echo pushed >"$T/clone/x"
	git -C "$T/clone" add -f x
	git -C "$T/clone" commit -qm pushed
	git -C "$T/clone" push -q
	wait_for 20 [ -d "$M/main.outside-1" ]
	[ "$(cat "$M/main/x")" = mine ]
	[ "$(cat "$M/main.outside-1/x")" = pushed ]
	rm "$M/main/x"
	mv -T "$M/main.outside-1" "$M/main"
	[ "$(cat "$M/main/x")" = pushed ]
}

# unmounted_with_own: main has an ignored file and a fifo, and is not mounted; a clone
# is there
unmounted_with_own() {
	start -o commit=1000
	echo '/x' >"$M/main/.gitignore"
	echo mine >"$M/main/x"
	mkfifo "$M/main/p"
	sync "$M/main/x"
	stop
	git clone -q "$STORE" "$T/clone"
	cd "$T/clone"
}

@test "nor does one that is pushed before the mount" {
	unmounted_with_own
	echo pushed | tee x >p
	git add -f x p
	git commit -qm pushed
	git push -q
	cd "$T"
	# nor does it matter who looks first
	start -o ro
	[ "$(cat "$M/main/x")" = mine ]
	[ -p "$M/main/p" ]
	grep -q "main was moved.*mount it writable" "$T/log"
	stop
	"$IRMINFS" branches --store "$STORE" >/dev/null
	start
	wait_for 20 [ -d "$M/main.outside-1" ]
	[ "$(cat "$M/main/x")" = mine ]
	[ -p "$M/main/p" ]
	[ "$(cat "$M/main.outside-1/x" "$M/main.outside-1/p")" = "$(printf 'pushed\npushed')" ]
	wait_for 10 grep -q 'main.outside-1 now.* at "p"' "$T/log"
	restart
	[ "$(ls "$M")" = "$(printf '%s\n' main main.outside-1)" ]
	[ "$(cat "$M/main/x")" = mine ]
	[ "$(tracked)" = .gitignore ]
	rm "$M/main/x" "$M/main/p"
	mv -T "$M/main.outside-1" "$M/main"
	[ "$(cat "$M/main/x" "$M/main/p")" = "$(printf 'pushed\npushed')" ]
}

# push_by_force: a main that has x and p, and nothing of what the ref was before
push_by_force() {
	git -C "$T/clone" checkout -q --orphan forced
	echo pushed | tee "$T/clone/x" >"$T/clone/p"
	git -C "$T/clone" add -f x p
	git -C "$T/clone" commit -qm forced
	git -C "$T/clone" push -qf origin HEAD:main
}

collect_garbage() {
	rm -rf "$STORE/logs"
	git --git-dir="$STORE" gc -q --prune=now
}

@test "nor does one that is pushed by force, with the old commits collected" {
	unmounted_with_own
	before=$(git --git-dir="$STORE" rev-parse main)
	push_by_force
	collect_garbage
	cd "$T"
	start
	wait_for 20 [ -d "$M/main.outside-1" ]
	[ "$(cat "$M/main/x")" = mine ]
	[ -p "$M/main/p" ]
	[ "$(cat "$M/main/.irmin/head")" = "$before" ]
	[ "$(cat "$M/main.outside-1/x" "$M/main.outside-1/p")" = "$(printf 'pushed\npushed')" ]
	"$IRMINFS" fsck -C "$M"
}

@test "nor does one that is pushed by force in the last moment of a mount" {
	unmounted_with_own
	cd "$T"
	start
	kill -STOP "$DAEMON"
	push_by_force
	local pid=$DAEMON
	DAEMON=
	kill -TERM "$pid"
	kill -CONT "$pid"
	wait "$pid"
	collect_garbage
	start
	wait_for 20 [ -d "$M/main.outside-1" ]
	[ "$(cat "$M/main/x")" = mine ]
	[ -p "$M/main/p" ]
	[ "$(cat "$M/main.outside-1/x")" = pushed ]
	"$IRMINFS" fsck -C "$M"
}

@test "a store without such files is closed without a trace of the mount" {
	start
	echo 1 >"$M/main/f"
	stop
	[ ! -e "$STORE/worktrees" ]
}

@test "what is pushed before the mount beside ignored files is there at once" {
	unmounted_with_own
	mkdir d
	echo pushed | tee d/x >f
	git add d f
	git commit -qm pushed
	git push -q
	cd "$T"
	for options in "-o ro" ""; do
		start $options
		[ "$(cat "$M/main/f" "$M/main/d/x")" = "$(printf 'pushed\npushed')" ]
		[ "$(cat "$M/main/x")" = mine ]
		[ -p "$M/main/p" ]
		[ "$(ls "$M")" = main ]
		stop
	done
}

@test "git add -f commits an ignored file" {
	start -o commit=1000
	printf '*.o\n/build/\n' >"$M/main/.gitignore"
	mkdir -p "$M/main/build/d"
	echo 1 >"$M/main/a.o"
	echo 1 >"$M/main/build/d/b"
	echo 1 >"$M/main/build/d/c"
	sync "$M/main/a.o"
	cd "$M/main"
	[ -z "$(git status --short)" ]
	git add -f a.o build/d/b
	git commit -qm forced
	[ -z "$(git status --short)" ]
	cd "$T"
	sleep 1
	echo 2 >"$M/main/a.o"
	echo 2 >"$M/main/build/d/c"
	cat "$M/main/.irmin/head"
	[ "$(tracked)" = "$(printf '.gitignore\na.o\nbuild/d/b')" ]
	[ "$(git -C "$STORE" show main:a.o)" = 2 ]
	git -C "$STORE" log --format=%s main | grep -x forced
	restart
	[ "$(cat "$M/main/build/d/b" "$M/main/build/d/c")" = "$(printf '1\n2')" ]
}

@test "what git has just committed stays, though rules ignore it at once" {
	start -o commit=1000
	echo 1 >"$M/main/a"
	cd "$M/main"
	git add a
	git commit -qm first
	for i in 1 2 3 4 5 6 7 8; do
		echo "$i" >"$i.log"
		git add "$i.log"
		git commit -qm "$i"
		echo "$i.log" >>.gitignore
		git add .gitignore
		git commit -qm "ignore $i"
	done
	sleep 1
	[ -z "$(git status --short)" ]
	[ "$(git ls-files "*.log" | wc -l)" -eq 8 ]
	[ -z "$(git log --format=%s --diff-filter=D)" ]
	cd "$T"
	[ "$(tracked | grep -c log)" -eq 8 ]
}

# untrack: a.o and all of build were in Git, and are not any more
untrack() {
	cd "$M/main"
	mkdir -p build/d src
	for file in a.o build/x build/d/y src/b.o keep.c; do
		echo 1 >"$file"
	done
	git add .
	git commit -qm first
	printf '*.o\n/build\n' >.gitignore
	git add .gitignore
	git rm -qr --cached a.o build src/b.o keep.c
	git commit -qm untracked
	cd "$T"
}

# untracked: rules ignore them, but for keep.c, which the branch has again
untracked() {
	cat "$M/main/.irmin/head" >"$T/head"
	[ "$(tracked)" = "$(printf '.gitignore\nkeep.c')" ] &&
		[ -z "$(git -C "$M/main" status --short)" ]
}

@test "git rm --cached takes ignored files out of Git and keeps them" {
	start -o commit=1000
	untrack
	wait_for 10 untracked || { git -C "$STORE" log --stat main; false; }
	mkdir "$M/main/.irmin/fork/x"
	[ "$(cd "$M/x" && cat a.o build/x build/d/y src/b.o)" = "$(yes 1 | head -4)" ]
	[ -z "$(git -C "$M/x" status --short)" ]
	echo 2 >"$M/main/a.o"
	echo 2 >"$M/main/build/d/y"
	rm "$M/main/src/b.o"
	echo 2 >"$M/main/src/b.o"
	untracked
	restart -o commit=1000
	untracked
	[ "$(cd "$M/main" && cat a.o build/x build/d/y src/b.o | xargs)" = "2 1 2 2" ]
	git -C "$M/main" add -f a.o build/x
	git -C "$M/main" commit -qm "here again"
	wait_for 10 eval \
		'[ "$(cat "$M/main/.irmin/head")" = "$(git -C "$STORE" rev-parse main)" ]'
	echo 3 >"$M/main/a.o"
	cat "$M/main/.irmin/head"
	[ "$(tracked)" = "$(printf '.gitignore\na.o\nbuild/x\nkeep.c')" ]
	[ "$(git -C "$STORE" show main:a.o)" = 3 ]
	"$IRMINFS" fsck -C "$M"
}

@test "what git rm --cached has taken out of Git stays so after a crash" {
	start -o commit=1
	untrack
	for i in 1 2 3; do
		wait_for 10 untracked ||
			{ git -C "$STORE" log --stat main; false; }
		crash
		start -o commit=1
		[ "$(cd "$M/main" && cat a.o build/x build/d/y src/b.o | xargs)" = \
			"1 1 1 1" ]
		echo "$i" >"$M/main/keep.c"
		wait_for 10 eval '[ "$(git -C "$STORE" show main:keep.c)" = "$i" ]'
	done
	untracked
}

@test "the repository of local faces has what ignored files need" {
	start -o commit=1000
	echo '*.o' >"$M/main/.gitignore"
	echo 1 >"$M/main/small.o"
	ln -s target "$M/main/link.o"
	head -c 3000000 /dev/urandom >"$M/main/large.o"
	stop
	local face
	face=$(sed -n 's/.*"local": "\([0-9a-f]*\)".*/\1/p' "$STORE/irminfs/table")
	git -C "$STORE/irminfs/local" rev-list --objects "$face" >"$T/objects"
	start -o commit=1000
	for file in small.o large.o; do
		grep -q "^$(git hash-object "$M/main/$file") " "$T/objects"
	done
	[ "$(readlink "$M/main/link.o")" = target ]
	"$IRMINFS" fsck --store "$STORE"
}

@test "names of one file are all ignored or none is" {
	start -o commit=1000
	echo '*.o' >"$M/main/.gitignore"
	echo 1 >"$M/main/a.o"
	ln "$M/main/a.o" "$M/main/b.o"
	run ! ln "$M/main/a.o" "$M/main/a"
	mv "$M/main/b.o" "$M/main/c"
	echo 1 >"$M/main/t"
	run ! ln "$M/main/t" "$M/main/t.o"
	ln "$M/main/a.o" "$M/main/d.o"
	mkfifo "$M/main/fifo.o"
	restart
	[ "$(stat -c %h "$M/main/a.o")" -eq 2 ]
	[ -p "$M/main/fifo.o" ]
	[ "$(cat "$M/main/c" "$M/main/d.o")" = "$(printf '1\n1')" ]
	cat "$M/main/.irmin/head"
	[ "$(tracked)" = "$(printf '.gitignore\nc\nt')" ]
}

@test "rules that changed before a crash count after it" {
	start -o commit=1000
	echo '*.o' >"$M/main/.gitignore"
	mkdir -p "$M/main/src" "$M/main/deps.o"
	echo 1 >"$M/main/src/a.o"
	echo 1 >"$M/main/src/a.c"
	echo 1 >"$M/main/deps.o/x"
	"$IRMINFS" commit --store "$STORE" main
	[ -z "$(store_git ls-tree -r --name-only main | grep '\.o')" ]
	echo 'deps.o' >"$M/main/.gitignore"
	sync "$M/main/src/a.c"
	crash
	start -o commit=1000
	echo 2 >>"$M/main/src/a.c"
	"$IRMINFS" commit --store "$STORE" main
	[ "$(store_git show main:src/a.o)" = 1 ]
	[ -z "$(store_git ls-tree -r --name-only main deps.o)" ]
	[ "$(cat "$M/main/deps.o/x")" = 1 ]
}

@test "an ignored file with several names is committed when none is ignored" {
	start -o commit=1000
	printf '*.o\nbuild\n' >"$M/main/.gitignore"
	mkdir "$M/main/build"
	echo 1 >"$M/main/a.o"
	ln "$M/main/a.o" "$M/main/build/b"
	ln "$M/main/a.o" "$M/main/c.o"
	echo 2 >"$M/main/d.o"
	ln "$M/main/d.o" "$M/main/build/e"
	"$IRMINFS" commit --store "$STORE" main
	echo build >"$M/main/.gitignore"
	"$IRMINFS" commit --store "$STORE" main
	[ -z "$(store_git ls-tree -r --name-only main | grep '\.o')" ]
	# one is left of d.o, and is not ignored
	rm "$M/main/build/e"
	"$IRMINFS" commit --store "$STORE" main
	[ "$(store_git show main:d.o)" = 2 ]
	: >"$M/main/.gitignore"
	"$IRMINFS" commit --store "$STORE" main
	[ "$(store_git show main:build/b)" = 1 ]
	[ "$(store_git show main:c.o)" = 1 ]
	[ "$(stat -c %h "$M/main/a.o")" = 3 ]
	restart
	[ "$(stat -c %h "$M/main/a.o")" = 3 ]
	echo more >>"$M/main/c.o"
	"$IRMINFS" commit --store "$STORE" main
	[ "$(store_git show main:build/b)" = $'1\nmore' ]
}

@test "a file of Git in a new folder that gets an ignored name" {
	start -o commit=1000
	echo '*.o' >"$M/main/.gitignore"
	echo 1 >"$M/main/a"
	ln -s target "$M/main/s"
	"$IRMINFS" commit --store "$STORE" main
	restart -o commit=1000
	mkdir "$M/main/d"
	mv "$M/main/a" "$M/main/s" "$M/main/d"
	mv "$M/main/d" "$M/main/d.o"
	mkdir "$M/main/.irmin/fork/f"
	[ "$(cat "$M/f/d.o/a")" = 1 ]
	[ "$(readlink "$M/f/d.o/s")" = target ]
	restart
	[ "$(cat "$M/main/d.o/a")" = 1 ]
	[ "$(readlink "$M/main/d.o/s")" = target ]
	stop
	"$IRMINFS" fsck --store "$STORE"
}

@test "what a merge brings is committed where no rule ignores it" {
	start -o commit=1000
	echo 1 >"$M/main/a"
	echo 1 >"$M/main/.gitignore"
	mkdir "$M/main/.irmin/fork/g"
	echo '*.o' >"$M/g/.gitignore"
	echo 1 >"$M/g/1.o"
	"$IRMINFS" commit --store "$STORE" g
	cp "$M/main/.gitignore" "$M/g/.gitignore"
	sync "$M/g/a"
	echo g >"$M/main/.irmin/merge"
	[ "$(cat "$M/main/1.o")" = 1 ]
	echo 2 >"$M/main/a"
	"$IRMINFS" commit --store "$STORE" main
	store_git ls-tree -r --name-only main
	[ "$(store_git show main:1.o)" = 1 ]
}
