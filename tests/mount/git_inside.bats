#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# git in the folder of a branch, without any set-up.
bats_require_minimum_version 1.5.0
load common

# In an hour the timer commits nothing: what is not committed stays so.
prepare() {
	export GIT_PAGER=cat
	SLOW="-o commit=3600"
}

# begin [ARGUMENT...]: mounted, in main, with the committed files f and g
begin() {
	start "$@"
	cd "$M/main"
	echo 1 >f
	echo 1 >g
	sync f
}

# agree: the branch's head is its ref, and the files are what it holds
agree() {
	[ "$(cat "$M/main/.irmin/head")" = "$(git rev-parse HEAD)" ] &&
		[ -z "$(git status --porcelain)" ]
}

subjects() {
	git log --format=%s
}

@test "status, log, diff and blame see the branch at once" {
	begin $SLOW
	[ "$(git status -sb)" = "## main" ]
	[ "$(git rev-parse HEAD)" = "$(cat .irmin/head)" ]
	echo 2 >>f
	[ "$(git status --porcelain)" = " M f" ]
	[[ $(git diff) == *"+2"* ]]
	[ "$(git blame -s f | wc -l)" -eq 2 ]
	mkdir d
	[ "$(git -C d rev-parse --show-toplevel)" = "$M/main" ]
	# a commit of fsync shows, and nothing is left to commit
	sync f
	[ -z "$(git status --porcelain)" ]
	[ "$(git show HEAD:f)" = "$(cat f)" ]
	mkdir .irmin/fork/x
	[ "$(git -C "$M/x" status -sb)" = "## x" ]
}

@test ".git is not listed, not changed and not committed" {
	begin
	[ "$(ls -A | tr '\n' ' ')" = "f g " ]
	run ! mv .git x
	run ! mkdir .git
	run ! mv f .git
	run ! sh -c 'echo x >.git'
	grep -q ^gitdir: .git
	[ ! -e "$M/.git" ]
	[ ! -e "$M/main@~0/.git" ]
	[ ! -e .irmin/.git ]
	[ -z "$(store_git ls-tree main .git)" ]
}

@test "git commit makes an ordinary commit of the branch" {
	begin $SLOW
	echo 2 >f
	git -c user.name=Me commit -qam "my words"
	[ "$(git log -1 --format='%an %s')" = "Me my words" ]
	agree
	[ "$(subjects | wc -l)" -eq 3 ]
	echo 3 >f
	git commit -qam more
	git commit -q --amend -m "other words"
	wait_for 5 agree
	[ "$(subjects | head -2)" = "$(printf 'other words\nmy words')" ]
	cd /
	restart
	cd "$M/main"
	[ "$(cat f)" = 3 ]
	agree
}

@test "part of the changes can be committed, the rest later" {
	begin $SLOW
	echo 2 >f
	echo 2 >g
	git commit -qm f f
	[ "$(git status --porcelain)" = " M g" ]
	git add g
	[ "$(git status --porcelain)" = "M  g" ]
	git commit -qm g
	[ "$(subjects | head -2 | tr '\n' ' ')" = "g f " ]
	wait_for 5 agree
}

@test "what git leaves out is committed on top with the next fsync" {
	begin $SLOW
	echo 2 >f
	echo 2 >g
	git commit -qm f f
	sync g
	wait_for 5 agree
	[ "$(subjects | head -2 | tr '\n' ' ')" = "Update g f " ]
	git rm -q --cached g
	git commit -qm "not g"
	[ -e g ]
	sync .
	echo 3 >f
	sync f
	wait_for 5 agree
	[ "$(git show HEAD:g)" = 2 ]
}

@test "automatic commits get words of one's own" {
	begin
	for i in 2 3 4; do
		echo $i >f
		cat .irmin/head >/dev/null
	done
	git reset -q --soft HEAD~1
	[ "$(git status --porcelain)" = "M  f" ]
	git commit -qm words
	wait_for 5 agree
	[ "$(subjects | head -1)" = words ]
	[ "$(cat f)" = 4 ]
	git reset -q --hard HEAD~1
	wait_for 5 agree
	[ "$(cat f)" -lt 4 ]
}

@test "going back softly is undone where no commit follows" {
	begin -o commit=1
	echo 2 >f
	sync f
	git reset -q --soft HEAD~1
	[ "$(cat f)" = 2 ]
	wait_for 10 agree
	[ "$(git show HEAD:f)" = 2 ]
	# also by a crash
	git reset -q --soft HEAD~1
	cd /
	crash
	start
	cd "$M/main"
	[ "$(cat f)" = 2 ]
	wait_for 5 agree
}

@test "a commit survives that the daemon did not see any more" {
	begin $SLOW
	echo 2 >f
	git commit -qam mine
	cd /
	crash
	start
	cd "$M/main"
	[ "$(cat f)" = 2 ]
	[ "$(subjects | head -1)" = mine ]
	agree
}

# crash_and_mount: the daemon dies now, and is there again
crash_and_mount() {
	cd /
	crash
	rm -f "$STORE/hooks/reference-transaction"
	start $SLOW
	cd "$M/main"
}

# freeze_at_commit: the daemon does not see any more what the next git does to a ref
freeze_at_commit() {
	git config --global maintenance.auto false
	mkdir -p "$STORE/hooks"
	cat >"$STORE/hooks/reference-transaction" <<-EOF
		#!/bin/sh
		[ "\$1" = committed ] || exit 0
		kill -STOP $DAEMON
	EOF
	chmod +x "$STORE/hooks/reference-transaction"
}

# begin_merge: a merge that is not finished, while which nothing comes to the ref
begin_merge() {
	mkdir .irmin/fork/topic
	echo t >"$M/topic/t"
	sync "$M/topic/t"
	git merge -q --no-ff --no-commit "$(cat "$M/topic/.irmin/head")"
}

@test "what git commits after an fsync is there after a crash" {
	begin $SLOW
	begin_merge
	echo 2 >f
	sync f
	echo 3 >f
	echo 3 >g
	freeze_at_commit
	git commit -qam mine
	crash_and_mount
	[ "$(cat f g t | tr '\n' ' ')" = "3 3 t " ]
	[ "$(subjects | head -1)" = mine ]
	agree
}

@test "what is synced after git staged another state is there after a crash" {
	begin $SLOW
	begin_merge
	echo 2 >f
	echo 2 >g
	git add f g
	echo 3 >f
	sync f
	freeze_at_commit
	git commit -qm mine
	crash_and_mount
	[ "$(cat f g t | tr '\n' ' ')" = "3 2 t " ]
	[ "$(subjects | head -2 | tr '\n' ' ')" = "Update f mine " ]
	[ "$(git show HEAD~1:f)" = 2 ]
	agree
}

@test "what is set back and removed and synced after a commit stays so over a crash" {
	begin $SLOW
	mkdir d
	echo 1 >d/h
	sync d
	echo 2 >f
	echo 2 >g
	echo 2 >d/h
	git commit -qm mine f d/h
	echo 1 >f
	rm d/h
	sync f
	crash_and_mount
	[ "$(cat f g | tr '\n' ' ')" = "1 2 " ]
	[ ! -e d/h ]
	[ "$(git show HEAD~1:f)" = 2 ]
	agree
}

@test "what is removed and synced, and made again and committed, is there after a crash" {
	begin $SLOW
	begin_merge
	rm f
	sync .
	echo 2 >f
	freeze_at_commit
	git commit -qam mine
	crash_and_mount
	[ "$(cat f)" = 2 ]
	agree
}

@test "what was synced while the editor was open is there after a crash" {
	begin $SLOW
	# so that the table has not been written since its last ref was
	echo 2 >g
	sync g
	echo 2 >f
	echo 3 >g
	printf '#!/bin/sh\necho 4 >%s\nsync %s\necho words >$1\n' \
		"$M/main/g" "$M/main/g" >"$T/editor"
	chmod +x "$T/editor"
	freeze_at_commit
	GIT_EDITOR=$T/editor git commit -qa
	crash_and_mount
	[ "$(cat f g | tr '\n' ' ')" = "2 4 " ]
	git log --format=%s | grep -qx words
	[ "$("$IRMINFS" branches --names | tr '\n' ' ')" = "main " ]
	agree
}

@test "an amended commit is there after a crash, and the one before is not" {
	begin $SLOW
	echo 2 >f
	git commit -qam first
	wait_for 5 agree
	echo 3 >f
	printf '#!/bin/sh\necho 3 >%s\nsync %s\necho second >$1\n' \
		"$M/main/g" "$M/main/g" >"$T/editor"
	chmod +x "$T/editor"
	freeze_at_commit
	GIT_EDITOR=$T/editor git commit -qa --amend
	crash_and_mount
	[ "$(cat f g | tr '\n' ' ')" = "3 3 " ]
	git log --format=%s >"$T/subjects"
	grep -qx second "$T/subjects"
	run ! grep -qx first "$T/subjects"
	agree
}

@test "a merge made while git was at work and its commit are there after a crash" {
	begin $SLOW
	mkdir .irmin/fork/x
	echo 2 >"$M/x/g"
	begin_merge
	echo 2 >f
	mv -T "$M/x" "$M/main"
	echo 3 >f
	freeze_at_commit
	git commit -qam mine
	crash_and_mount
	[ "$(cat f g t | tr '\n' ' ')" = "3 2 t " ]
	git log --format=%s >"$T/subjects"
	grep -qx mine "$T/subjects"
	grep -qx "Merge branch 'x' into main" "$T/subjects"
	agree
}

@test "removed files stay removed over a crash, untracked ones stay" {
	begin $SLOW
	echo x >secret
	echo x >gone
	sync .
	git rm -q --cached secret
	git rm -q gone
	echo secret >.gitignore
	git add .gitignore
	freeze_at_commit
	git commit -qm mine
	crash_and_mount
	[ "$(cat secret)" = x ]
	[ ! -e gone ]
	[ -z "$(git ls-files secret)" ]
	[ "$(subjects | head -1)" = mine ]
	agree
}

@test "an ignored file that git was made to take is there after a crash" {
	begin $SLOW
	echo x >.gitignore
	echo 1 >x
	sync x
	echo 2 >x
	git add -f x
	freeze_at_commit
	git commit -qm mine
	crash_and_mount
	[ "$(cat x)" = 2 ]
	[ "$(git show HEAD:x)" = 2 ]
	agree
}

@test "other branches cannot be checked out" {
	begin $SLOW
	mkdir .irmin/fork/other
	echo other >"$M/other/f"
	sync "$M/other/f"
	# opening .git publishes its own branch alone
	cat "$M/other/.irmin/head" >"$T/other"
	before=$(git rev-parse HEAD)
	for words in "checkout other" "switch other" "checkout -b new" \
		"switch -c new" "checkout --detach" "checkout HEAD~1" \
		"checkout other --" "-C . checkout -q other" "bisect start"; do
		run ! git $words
		[[ $output == *"always shows the same branch"* ]]
	done
	[ "$(cat f)" = 1 ]
	[ "$(git rev-parse HEAD)" = "$before" ]
	[ ! -e "$M/new" ]
	# files can
	git checkout -q other -- f
	[ "$(cat f)" = other ]
	git checkout -q HEAD -- f
	echo x >f
	git checkout -q f
	[ "$(cat f)" = 1 ]
	# what got by is put right: the folder is main's
	(exec -a other git checkout -q other)
	[ "$(cat f)" = other ]
	[ "$(git symbolic-ref HEAD)" = refs/heads/main ]
	[ "$(git rev-parse HEAD)" = "$before" ]
	git reset -q --hard
	[ "$(cat f)" = 1 ]
}

@test "merge, rebase, cherry-pick, revert and stash work" {
	begin $SLOW
	mkdir .irmin/fork/topic
	cd "$M/topic"
	echo t >t
	git add t
	git commit -qm t1
	echo t >>t
	git commit -qam t2
	cd "$M/main"
	echo 2 >f
	git commit -qam m1
	git -C "$M/topic" rebase -q main
	[ "$(git -C "$M/topic" log --format=%s -3 | tr '\n' ' ')" = "t2 t1 m1 " ]
	[ "$(cat "$M/topic/f")" = 2 ]
	git cherry-pick topic >/dev/null 2>&1 || git cherry-pick --abort
	git merge -q topic
	[ -e t ]
	git revert --no-edit HEAD >/dev/null
	echo 3 >f
	git stash -q
	[ "$(cat f)" = 2 ]
	git stash pop -q
	[ "$(cat f)" = 3 ]
	git commit -qam last
	wait_for 5 agree
	git fsck
}

@test "what is changed right after a commit is left to the next one" {
	begin $SLOW
	# again while the commit is under way: same size, other bytes
	mkdir -p "$STORE/hooks"
	cat >"$STORE/hooks/reference-transaction" <<-EOF
		#!/bin/sh
		[ "\$1" = committed ] || exit 0
		[ -e "$T/again" ] || exit 0
		cat "$T/again" >"$M/main/f"
		rm "$T/again"
	EOF
	chmod +x "$STORE/hooks/reference-transaction"
	echo 3 >"$T/again"
	echo 2 >f
	git commit -qam two
	[ "$(cat f)" = 3 ]
	sleep 1
	git commit -qam three
	[ "$(subjects | head -2 | tr '\n' ' ')" = "three two " ]
	[ "$(git show HEAD^:f)" = 2 ]
	# by a longer one; a mode alone
	printf '5\n5\n' >"$T/again"
	echo 4 >f
	git commit -qam four
	sleep 1
	chmod +x f
	git commit -qam five
	[ "$(git show HEAD:f | wc -l)" -eq 2 ]
	[ "$(subjects | head -2 | tr '\n' ' ')" = "five four " ]
	wait_for 5 agree
}

@test "a merge that waits for its user is not disturbed by fsync and timer" {
	begin -o commit=1
	mkdir .irmin/fork/topic
	echo theirs >"$M/topic/f"
	sync "$M/topic/f"
	echo ours >f
	sync f
	run ! git merge topic
	sync f
	sleep 3
	[ "$(git status --porcelain)" = "UU f" ]
	echo both >f
	git add f
	git commit -qm "my merge"
	wait_for 5 agree
	[ "$(git log -1 --format=%s)" = "my merge" ]
	[ "$(git log -1 --format=%P | wc -w)" -eq 2 ]
	[ "$(subjects | grep -c Update)" -eq 3 ]
}

@test "an editor may take longer than the timer" {
	begin -o commit=1
	echo 2 >f
	GIT_EDITOR='sh -c "sleep 3; echo slow >\$0"' git commit -qa
	[ "$(git log -1 --format=%s)" = slow ]
	wait_for 5 agree
	[ "$(subjects | wc -l)" -eq 3 ]
}

@test "what is staged stays when the branch moves by itself" {
	begin $SLOW
	echo 2 >f
	git add f
	git update-index --add --cacheinfo "100644,$(git rev-parse HEAD:f),new"
	echo 2 >g
	sync g
	[ "$(git status --porcelain)" = "AD new" ]
	[ "$(git show HEAD:f)" = 2 ]
}

@test "nothing is lost between commits of git and of fsync" {
	begin
	(
		i=0
		while [ ! -e "$T/end" ]; do
			i=$((i + 1))
			echo "$i" >g || break
			sync g || break
		done
	) 3>&- &
	local pid=$!
	local tries=0
	for i in $(seq 15); do
		echo "$i" >f
		# git refuses, having done nothing, when g changes while it reads
		# it, or the ref before it writes that
		until git commit -q --allow-empty -am "user $i"; do
			tries=$((tries + 1))
			[ "$tries" -lt 100 ] || break
		done
	done
	touch "$T/end"
	wait "$pid"
	wait_for 10 agree
	[ "$(subjects | grep -c ^user)" -eq 15 ]
	[ "$(git show HEAD:f)" = 15 ]
	[ "$(git show HEAD:g)" = "$(cat g)" ]
	[ -z "$(git log --merges --format=%s)" ]
	[ "$(ls "$M")" = main ]
}

@test "pushes into the branch stay allowed, and clones have nothing of it" {
	begin
	git status >/dev/null
	git clone -q "$STORE" "$T/clone"
	[ "$(git -C "$T/clone" for-each-ref --format='%(refname)' | sort |
		tr '\n' ' ')" = "refs/heads/main refs/remotes/origin/HEAD refs/remotes/origin/main " ]
	echo 2 >"$T/clone/f"
	git -C "$T/clone" commit -qam pushed
	git -C "$T/clone" push -q origin HEAD:main
	wait_for 5 grep -qx 2 f
	wait_for 5 agree
	[ "$(git log -1 --format=%s)" = pushed ]
	store_git worktree list >"$T/list"
	run ! grep -q "$M" "$T/list"
	echo 3 >g
	git add g
	store_git gc -q
	[ "$(git status --porcelain)" = "M  g" ]
	git commit -qm after
	git fsck
}

@test "renamed, swapped and dropped branches keep it right" {
	begin
	mkdir .irmin/fork/a .irmin/fork/b
	echo a >"$M/a/f"
	sync "$M/a/f"
	[ "$(git -C "$M/a" status -sb)" = "## a" ]
	[ "$(git -C "$M/b" status -sb)" = "## b" ]
	mv "$M/a" "$M/c"
	[ "$(git -C "$M/c" status -sb)" = "## c" ]
	"$IRMINFS" swap -C "$M" b c
	[ "$(git -C "$M/b" status -sb)" = "## b" ]
	[ "$(git -C "$M/b" show HEAD:f)" = a ]
	[ "$(git -C "$M/c" status -sb)" = "## c" ]
	rmdir "$M/c/.irmin"
	mv -T "$M/b" "$M/main"
	cd "$M/main"
	[ "$(cat f)" = a ]
	wait_for 5 agree
	cd /
	restart
	[ "$(ls "$STORE/irminfs/git" | wc -l)" -eq 1 ]
	cd "$M/main"
	agree
}

@test "a store that cannot be written has none" {
	begin
	cd /
	stop
	start -o ro
	[ ! -e "$M/main/.git" ]
	[ "$(cat "$M/main/f")" = 1 ]
}

@test "a fork has what git has just committed, in the same commits" {
	start -o commit=1000
	for i in 1 2 3; do
		cd "$M/main"
		mkdir -p "d$i"
		seq 10 >"d$i/a"
		git add .
		git commit -qm "$i"
		[ "$i" -lt 2 ] || echo "$i" >untracked
		mkdir .irmin/fork/fork
		sed -i 's/^3$/three/' "$M/fork/d$i/a"
		git -C "$M/main" log --format=%s | grep -x "$i"
		cd "$T"
		[ "$(git -C "$STORE" merge-base main fork)" = \
			"$(git -C "$STORE" rev-parse main)" ]
		mv -T "$M/fork" "$M/main"
		grep -x three "$M/main/d$i/a"
	done
	[ "$(cat "$M/main/untracked")" = 3 ]
}

@test "a merge takes what git has just committed in both branches" {
	start -o commit=1000
	cd "$M/main"
	seq 10 >a
	git add .
	git commit -qm first
	mkdir .irmin/fork/fork
	cd "$M/fork"
	sed -i 's/^3$/three/' a
	git commit -qam three
	cd "$M/main"
	sed -i 's/^5$/five/' a
	git commit -qam five
	cd "$T"
	mv -T "$M/fork" "$M/main"
	[ "$(tr '\n' ' ' <"$M/main/a")" = "1 2 three 4 five 6 7 8 9 10 " ]
	cat "$M/main/.irmin/head"
	[ "$(git -C "$STORE" log --no-merges --format=%s main | sort |
		tr '\n' ' ')" = "Make an empty branch first five three " ] ||
		{ git -C "$STORE" log --graph --format=%s main; false; }
}

@test "a commit whose editor is open while the branch is merged into is kept" {
	start -o commit=1000
	cd "$M/main"
	echo 1 >a
	echo 1 >b
	git add .
	git commit -qm first
	mkdir .irmin/fork/fork
	echo 2 >"$M/fork/b"
	echo 2 >>a
	printf '#!/bin/sh\necho 3 >>%s\nmv -T %s %s\necho words >$1\n' \
		"$M/main/a" "$M/fork" "$M/main" >"$T/editor"
	chmod +x "$T/editor"
	GIT_EDITOR=$T/editor git commit -qa
	wait_for 5 eval 'git log --format=%s | grep -qx words'
	wait_for 10 agree
	[ "$(cat a b)" = "$(printf '1\n2\n3\n2')" ]
	[ "$("$IRMINFS" branches --names)" = main ]
	git log --format=%s | grep -x "Merge branch 'fork' into main"
	cat .irmin/head
	[ "$(git show HEAD:a)" = "$(printf '1\n2\n3')" ]
}

@test "fsck finds nothing wrong where a commit left files for the next one" {
	start -o commit=1000
	cd "$M/main"
	echo 1 >a
	git add a
	git commit -qm first
	sleep 1
	echo 2 >a
	echo new >untracked
	git commit -qam second
	sleep 0.5
	"$IRMINFS" fsck
	[ "$(git status --short)" = "?? untracked" ]
}

# begin_typed: in main with t, a rope, one of several levels of folders, and a
# queue, all committed and older than this second
begin_typed() {
	start -o commit=3600
	cd "$M/main"
	echo '*.r irmin=rope' >.gitattributes
	seq 10 >a.r
	mkdir d
	seq 100000 >d/big.r
	echo 1 >t
	queue
	for i in 1 2 3; do echo "$i" >"jobs/j$i"; done
	"$IRMINFS" commit
	wait_for 5 is_older "$(stat -c %Y t)"
}

is_older() {
	[ "$(date +%s)" -gt "$1" ]
}

# at_head: git has what the branch has committed
at_head() {
	[ "$(cat .irmin/head)" = "$(git rev-parse HEAD)" ]
}

# commit_all: by irminfs, and git has it
commit_all() {
	"$IRMINFS" commit
	wait_for 10 at_head
}

# tracked: what git sees of them, in the form of status --porcelain
tracked() {
	git status --porcelain --untracked-files=no
}

# typed_are_there: the ropes and elements, here and in Git
typed_are_there() {
	[ "$(tr '\n' ' ' <a.r)" = "1 2 3 4 5 6 7 8 9 10 " ]
	seq 100000 | cmp - d/big.r
	[ "$(ls -U jobs | tr '\n' ' ')" = "j1 j2 j3 " ]
	[ "$(cat jobs/* | tr '\n' ' ')" = "1 2 3 " ]
	[ "$(git ls-tree -r HEAD | grep -v -e '\st$' -e '\sx$')" = "$(cat "$T/typed")" ]
	git fsck --strict
}

note_typed() {
	git ls-tree -r HEAD | grep -v '\st$' >"$T/typed"
	grep -q 'a\.r/\.irmin-rope$' "$T/typed"
	[ "$(grep -c jobs/ "$T/typed")" -eq 3 ]
}

@test "ropes and queues are left alone by stash, commit -a, checkout and reset" {
	begin_typed
	note_typed
	[ -z "$(tracked)" ]
	echo 2 >>t
	[ "$(tracked)" = " M t" ]
	git stash -q
	[ -z "$(tracked)" ]
	typed_are_there
	git stash pop -q
	[ "$(tracked)" = " M t" ]
	git commit -qam mine
	[ "$(git show --format= --name-only HEAD)" = t ]
	typed_are_there
	for words in "checkout -- ." "restore ." "reset -q --hard" "reset -q"; do
		echo 3 >>t
		git $words
		typed_are_there
	done
	git checkout -q -- .
	git reset -q --hard HEAD~1
	[ "$(cat t)" = 1 ]
	[ -z "$(tracked)" ]
	typed_are_there
	commit_all
	[ -z "$(tracked)" ]
	typed_are_there
	cd /
	restart
	cd "$M/main"
	[ -z "$(tracked)" ]
	typed_are_there
}

@test "ropes and queues are left alone by merge and rebase of other files" {
	begin_typed
	note_typed
	mkdir .irmin/fork/topic
	cd "$M/topic"
	echo x >x
	git add x
	git commit -qm x
	cd "$M/main"
	echo 2 >t
	git commit -qam t
	git -C "$M/topic" rebase -q main
	cd "$M/topic"
	[ -z "$(tracked)" ]
	typed_are_there
	cd "$M/main"
	git merge -q --no-ff -m merged topic
	[ "$(git log -1 --format=%P | wc -w)" -eq 2 ]
	[ -z "$(tracked)" ]
	typed_are_there
	git revert --no-edit -m 1 HEAD >/dev/null
	[ ! -e x ]
	[ -z "$(tracked)" ]
	typed_are_there
}

@test "a merge that changes ropes or adds elements is refused by git, not by irminfs" {
	begin_typed
	mkdir .irmin/fork/rope .irmin/fork/push
	echo 11 >>"$M/rope/a.r"
	"$IRMINFS" commit -C "$M" rope
	echo 4 >"$M/push/jobs/j4"
	"$IRMINFS" commit -C "$M" push
	note_typed
	run ! git merge -q rope
	run ! git merge -q push
	[ -z "$(tracked)" ]
	typed_are_there
	"$IRMINFS" merge -C "$M" rope main
	"$IRMINFS" merge -C "$M" push main
	[ "$(tail -1 a.r)" = 11 ]
	[ "$(cat jobs/j4)" = 4 ]
	wait_for 10 at_head
	[ -z "$(tracked)" ]
}

@test "removed ropes and queues are deletions for git" {
	begin_typed
	[ -z "$(tracked)" ]
	rm a.r d/big.r
	[ "$(tracked | cut -c 1-6 | sort -u)" = " D a.r
 D d/b" ]
	rm -r jobs
	[ "$(tracked | grep -c '^ D jobs/')" -eq 3 ]
	git commit -qam removed
	[ "$(git ls-tree -r --name-only HEAD | tr '\n' ' ')" = ".gitattributes t " ]
	[ ! -e a.r ]
	[ -z "$(tracked)" ]
	# a folder that became a file is no rope
	mkdir e
	echo 1 >e/f
	commit_all
	seq 5 >b.r
	commit_all
	[ -z "$(tracked)" ]
	rm -r e
	echo 1 >e
	[ "$(tracked)" = " D e/f" ]
}

@test "ropes and queues that come later, and change, are unchanged for git" {
	begin $SLOW
	[ "$(git status -sb)" = "## main" ]
	echo '*.r irmin=rope' >.gitattributes
	seq 10 >a.r
	queue
	echo 1 >jobs/j1
	commit_all
	[ -z "$(tracked)" ]
	echo 11 >>a.r
	rm jobs/j1
	echo 2 >jobs/j2
	[ -z "$(tracked)" ]
	echo 2 >>f
	git commit -qam mine
	[ "$(git show --format= --name-only HEAD)" = f ]
	commit_all
	[ -z "$(tracked)" ]
	[ "$(git show HEAD --format= --name-only | cut -d / -f 1 | sort -u |
		tr '\n' ' ')" = "a.r jobs " ]
	[ "$(tail -1 a.r)" = 11 ]
	[ "$(ls jobs)" = j2 ]
}
