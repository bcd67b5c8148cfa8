#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# What Git does not hold: times, owners, modes, empty directories.

load common

# facts FOLDER: what a backup would look at, of all below
facts() {
	(cd "$1" && find . -printf '%p %y %m %U %G %T@ %C@ %l\n' | sort)
}

# fill FOLDER: some of everything
fill() {
	mkdir -p "$1/d/e" "$1/empty/within" "$1/many"
	echo 1 >"$1/plain"
	echo 2 >"$1/d/secret"
	ln -s nowhere "$1/d/e/link"
	chmod 600 "$1/d/secret"
	chmod 4711 "$1/plain"
	chmod 2770 "$1/d/e"
	chmod 1777 "$1/empty"
	touch -d '2001-02-03 04:05:06.789' "$1/plain" "$1/d"
	touch -h -d '1965-01-01' "$1/d/e/link"
	local i
	for ((i = 0; i < 200; i++)); do
		echo "$i" >"$1/many/$i"
	done
	touch -d '2010-10-10' "$1"/many/1*
	if [ "$(id -u)" -eq 0 ]; then
		chown 12:34 "$1/plain" "$1/empty/within" "$1/many/7"
		chmod 4711 "$1/plain"
	fi
}

@test "times, owners, modes and empty directories outlive a remount" {
	start
	fill "$M/main"
	facts "$M/main" >"$T/before"
	restart
	facts "$M/main" >"$T/after"
	diff "$T/before" "$T/after"
	restart
	facts "$M/main" >"$T/after"
	diff "$T/before" "$T/after"
}

@test "they are durable with the fsync of the branch" {
	start -o commit=1000
	fill "$M/main"
	sync "$M/main/plain"
	touch -d 2002-02-02 "$M/main/many/3"
	chmod 640 "$M/main/many/4"
	mkdir "$M/main/new"
	sync "$M/main/many/3"
	facts "$M/main" >"$T/before"
	crash
	start
	facts "$M/main" >"$T/after"
	diff "$T/before" "$T/after"
}

@test "a chmod alone makes no commit" {
	start
	echo 1 >"$M/main/a"
	sync "$M/main/a"
	head=$(store_git rev-parse main)
	chmod 600 "$M/main/a"
	touch -d 2001-01-01 "$M/main/a"
	mkdir "$M/main/empty"
	sync "$M/main/a"
	[ "$(store_git rev-parse main)" = "$head" ]
	[ -z "$(cat "$M/main/.irmin/status")" ]
	restart
	[ "$(store_git rev-parse main)" = "$head" ]
	[ "$(stat -c %a "$M/main/a")" = 600 ]
	[ -d "$M/main/empty" ]
}

@test "an attribute that goes with a change is not in the message" {
	start
	echo 1 >"$M/main/a"
	echo 1 >"$M/main/b"
	sync "$M/main/a"
	store_git rev-parse main
	echo 2 >"$M/main/a"
	touch "$M/main/b"
	mkdir "$M/main/empty"
	sync "$M/main/a"
	store_git log -1 --format=%s main >"$T/subject"
	grep -q 'a$' "$T/subject"
	! grep -qE 'b|empty|paths' "$T/subject"
}

@test "a fork has them, and its own from then on" {
	start
	fill "$M/main"
	facts "$M/main" >"$T/before"
	mkdir "$M/main/.irmin/fork/f"
	facts "$M/f" >"$T/fork"
	diff "$T/before" "$T/fork"
	chmod 755 "$M/f/d/secret"
	rmdir "$M/f/empty/within"
	facts "$M/main" >"$T/after"
	diff "$T/before" "$T/after"
	restart
	facts "$M/main" >"$T/after"
	diff "$T/before" "$T/after"
	[ "$(stat -c %a "$M/f/d/secret")" = 755 ]
	[ ! -e "$M/f/empty/within" ]
	[ -d "$M/f/empty" ]
}

@test "rename, swap, drop and restore keep them" {
	start
	fill "$M/main"
	facts "$M/main" >"$T/before"
	mkdir "$M/main/.irmin/fork/f"
	chmod 400 "$M/f/many/5"
	"$IRMINFS" swap --store "$STORE" main f
	[ "$(stat -c %a "$M/main/many/5")" = 400 ]
	mv "$M/f" "$M/g"
	rmdir "$M/g/.irmin"
	restart
	"$IRMINFS" restore --store "$STORE" g
	facts "$M/g" >"$T/after"
	diff "$T/before" "$T/after"
}

@test "moved folders take them along" {
	start
	fill "$M/main"
	restart
	mv "$M/main/many" "$M/main/d/many"
	mv "$M/main/empty" "$M/main/d/e/empty"
	facts "$M/main/d" >"$T/before"
	restart
	facts "$M/main/d" >"$T/after"
	diff "$T/before" "$T/after"
}

@test "a merge drops times of what it changes, and nothing else" {
	start
	fill "$M/main"
	mkdir "$M/main/.irmin/fork/f"
	echo 3 >"$M/f/d/secret"
	echo 4 >"$M/f/fresh"
	rm "$M/f/many/9"
	facts "$M/main" | grep -vE '^\. |d/secret|many/9 |^./many |^./d ' >"$T/before"
	mv -T "$M/f" "$M/main"
	facts "$M/main" >"$T/merged"
	restart
	facts "$M/main" >"$T/after"
	diff "$T/merged" "$T/after"
	grep -vE '^\. |d/secret|fresh|^./many |^./d ' "$T/after" >"$T/rest"
	diff "$T/before" "$T/rest"
	[ "$(stat -c %a "$M/main/d/secret")" = 600 ]
	[ "$(stat -c %Y "$M/main/d/secret")" -gt 1600000000 ]
}

# same_facts A B PATH...: mode, owner and time of modification
same_facts() {
	local a=$1 b=$2 path
	shift 2
	for path; do
		diff <(cd "$a" && stat -c '%n %A %u %g %.9Y' "$path") \
			<(cd "$b" && stat -c '%n %A %u %g %.9Y' "$path")
	done
}

@test "what is new in a merge comes with its facts" {
	start
	echo 1 >"$M/main/old"
	mkdir "$M/main/.irmin/fork/f"
	echo 2 >"$M/main/meanwhile"
	fill "$M/f"
	mkdir -p "$M/f/d/none/at/all"
	touch -d 2004-04-04 "$M/f/d/none/at"
	cp -a "$M/f" "$T/copy"
	mv -T "$M/f" "$M/main"
	same_facts "$T/copy" "$M/main" plain d d/e d/secret d/e/link empty \
		empty/within many/7 many/150 d/none/at d/none/at/all
	[ "$(stat -c %a "$M/main/d/secret")" = 600 ]
	facts "$M/main" >"$T/before"
	restart
	facts "$M/main" >"$T/after"
	diff "$T/before" "$T/after"
	echo 3 >"$M/main/d/another"
	rm "$M/main/many/9"
	restart
	same_facts "$T/copy" "$M/main" plain d/e d/secret d/e/link empty \
		empty/within many/7 many/150 d/none/at d/none/at/all
}

@test "a fork without new files brings its facts, too" {
	start
	fill "$M/main"
	mkdir "$M/main/.irmin/fork/f"
	chmod 700 "$M/f/plain"
	chmod 400 "$M/f/many/5"
	chmod 700 "$M/f/d"
	touch -d 2005-05-05 "$M/f/many/6"
	mkdir "$M/f/d/hollow"
	rmdir "$M/f/empty/within"
	[ "$(stat -c %a "$M/main/many/5")" = 644 ]
	exec {fd}<"$M/main/many/5"
	head=$(store_git rev-parse main)
	mv -T "$M/f" "$M/main"
	[ "$(stat -L -c %a "/dev/fd/$fd")" = 400 ]
	exec {fd}<&-
	for again in 1 2; do
		[ "$(stat -c %a "$M/main/plain")" = 700 ]
		[ "$(stat -c %a "$M/main/many/5")" = 400 ]
		[ "$(stat -c %a "$M/main/d")" = 700 ]
		[ "$(date -r "$M/main/many/6" +%F)" = 2005-05-05 ]
		[ "$(date -r "$M/main/many/10" +%F)" = 2010-10-10 ]
		[ -d "$M/main/d/hollow" ]
		[ ! -e "$M/main/empty/within" ]
		[ -d "$M/main/empty" ]
		restart
	done
	[ "$(store_git rev-parse main)" = "$head" ]
}

@test "of what both changed the target's stays" {
	start
	fill "$M/main"
	mkdir "$M/main/gone" "$M/main/kept"
	mkdir "$M/main/.irmin/fork/f"
	chmod 611 "$M/f/many/1" "$M/f/many/2" "$M/f/many/4"
	chmod 622 "$M/main/many/2" "$M/main/many/3"
	echo theirs >"$M/f/many/1"
	echo theirs >"$M/f/many/2"
	echo ours >"$M/main/many/4"
	chmod 600 "$M/main/many/5"
	echo theirs >"$M/f/many/5"
	rmdir "$M/main/gone"
	chmod 711 "$M/f/gone" "$M/f/kept"
	mv -T "$M/f" "$M/main"
	for again in 1 2; do
		[ "$(stat -c %a "$M/main/many/1")" = 611 ]
		[ "$(stat -c %a "$M/main/many/2")" = 622 ]
		[ "$(stat -c %a "$M/main/many/3")" = 622 ]
		[ "$(stat -c %a "$M/main/many/4")" = 611 ]
		[ "$(stat -c %a "$M/main/many/5")" = 600 ]
		[ "$(cat "$M/main/many/5" "$M/main/many/4")" = "theirs
ours" ]
		[ "$(stat -c %a "$M/main/kept")" = 711 ]
		[ ! -e "$M/main/gone" ]
		restart
	done
}

@test "branches that merge again and again carry what is new each time" {
	start
	fill "$M/main"
	mkdir "$M/main/.irmin/fork/f"
	echo 1 >"$M/f/one"
	chmod 600 "$M/f/one" "$M/f/plain"
	echo f >"$M/main/.irmin/merge"
	[ "$(stat -c %a "$M/main/one" "$M/main/plain")" = "600
600" ]
	# ours takes it back: it stays so, although theirs has it still
	chmod 644 "$M/main/plain"
	echo 2 >"$M/f/two"
	chmod 755 "$M/f/one"
	echo f >"$M/main/.irmin/merge"
	[ "$(stat -c %a "$M/main/one" "$M/main/plain")" = "755
644" ]
	echo 3 >"$M/main/three"
	chmod 400 "$M/main/three"
	echo main >"$M/f/.irmin/merge"
	[ "$(stat -c %a "$M/f/three" "$M/f/plain" "$M/f/one")" = "400
644
755" ]
	restart
	chmod 640 "$M/f/three"
	mv -T "$M/f" "$M/main"
	[ "$(stat -c %a "$M/main/three")" = 640 ]
}

@test "a folder that the target made and removed does not come back" {
	start
	mkdir "$M/main/.irmin/fork/a"
	echo 1 >"$M/a/1"
	chmod 600 "$M/a/1"
	mv -T "$M/a" "$M/main"
	# now main remembers a at the commit that it is at itself
	mkdir "$M/main/x"
	mkdir "$M/main/.irmin/fork/b"
	rmdir "$M/main/x"
	echo 2 >"$M/b/2"
	mv -T "$M/b" "$M/main"
	[ -e "$M/main/2" ]
	[ ! -e "$M/main/x" ]
	restart
	[ ! -e "$M/main/x" ]
}

@test "a folder that stays though the other branch removed it stays closed" {
	start
	mkdir -m 2770 "$M/main/plain" "$M/main/jobs"
	setfattr -n user.irmin.type -v queue "$M/main/jobs"
	touch "$M/main/plain/one" "$M/main/jobs/one"
	mkdir "$M/main/.irmin/fork/other"
	touch "$M/main/plain/two" "$M/main/jobs/two"
	rm -r "$M/other/plain" "$M/other/jobs"
	mv -T "$M/other" "$M/main"
	[ "$(ls "$M/main/plain" "$M/main/jobs" | grep -c two)" = 2 ]
	[ "$(stat -c %a "$M/main/plain" "$M/main/jobs")" = $'2770\n2770' ]
	restart
	[ "$(stat -c %a "$M/main/plain" "$M/main/jobs")" = $'2770\n2770' ]
}

@test "a folder that a branch empties is empty after the merge, or gone" {
	start
	mkdir -p "$M/main/a/x" "$M/main/b/x" "$M/main/c"
	echo 1 | tee "$M/main/a/1" "$M/main/b/1" "$M/main/c/1" >/dev/null
	mkdir "$M/main/.irmin/fork/f"
	rm "$M/f/a/1" "$M/f/c/1"
	rm -r "$M/f/b"
	echo 2 >"$M/main/2"
	mv -T "$M/f" "$M/main"
	for again in 1 2; do
		(cd "$M/main" && find . | sort | tr '\n' ' ') >"$T/names"
		[ "$(cat "$T/names")" = ". ./2 ./a ./a/x ./c " ]
		restart
	done
	rmdir "$M/main/a/x" "$M/main/c"
	restart
	[ ! -e "$M/main/c" ]
}

@test "a merge's facts are there after a crash, all or none" {
	start -o commit=1000
	fill "$M/main"
	mkdir "$M/main/.irmin/fork/f"
	chmod 400 "$M/f/many/5"
	echo 1 >"$M/f/new"
	chmod 600 "$M/f/new"
	echo 2 >"$M/main/meanwhile"
	mv -T "$M/f" "$M/main"
	facts "$M/main" >"$T/before"
	crash
	start
	facts "$M/main" >"$T/after"
	diff "$T/before" "$T/after"
	[ "$(stat -c %a "$M/main/new")" = 600 ]
}

@test "what others push loses its times and keeps its mode" {
	start
	fill "$M/main"
	stop
	git clone -q "$STORE" "$T/clone"
	echo 5 >"$T/clone/d/secret"
	mkdir "$T/clone/lib"
	echo 6 >"$T/clone/lib/x"
	git -C "$T/clone" add -A
	git -C "$T/clone" commit -qm outside
	git -C "$T/clone" push -q
	start
	[ "$(cat "$M/main/d/secret")" = 5 ]
	[ "$(stat -c %a "$M/main/d/secret")" = 600 ]
	[ $(($(date +%s) - $(stat -c %Y "$M/main/d/secret"))) -lt 600 ]
	[ $(($(date +%s) - $(stat -c %Y "$M/main/lib/x"))) -lt 600 ]
	[ "$(stat -c %Y "$M/main/many/10")" = "$(date -d 2010-10-10 +%s)" ]
	[ -d "$M/main/empty/within" ]
}

@test "rsync, tar and make find nothing to do after a remount" {
	start
	mkdir "$T/source"
	fill "$T/source"
	rsync -a "$T/source/" "$M/main/r/"
	cp -a "$T/source" "$M/main/c"
	printf 'b: a\n\tcp a b\n' >"$M/main/Makefile"
	echo 1 >"$M/main/a"
	make -C "$M/main"
	tar -C "$M/main" -cf "$T/tar" r
	echo changed >"$M/main/other"
	sync "$M/main/other"
	restart
	echo changed again >"$M/main/other"
	restart
	run rsync -ai "$T/source/" "$M/main/r/"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	run rsync -ai "$T/source/" "$M/main/c/"
	[ -z "$output" ]
	tar -C "$M/main" -df "$T/tar"
	make -q -C "$M/main"
}

@test "nothing of them is in what Git clones, pushes or checks" {
	start
	fill "$M/main"
	mkdir "$M/main/.irmin/fork/f"
	stop
	git --git-dir="$STORE" fsck --strict --no-dangling
	git --git-dir="$STORE/irminfs/local" fsck --no-dangling
	git init -q --bare "$T/mirror"
	git --git-dir="$STORE" push -q --mirror "$T/mirror"
	git clone -q --mirror "$STORE" "$T/clone"
	for copy in "$T/mirror" "$T/clone"; do
		[ ! -e "$copy/irminfs" ]
		git --git-dir="$copy" for-each-ref --format='%(refname)' |
			sort >"$T/refs"
		printf 'refs/heads/f\nrefs/heads/main\n' | diff - "$T/refs"
		git --git-dir="$copy" cat-file --batch-all-objects \
			--batch-check='%(objectname)' | while read -r oid; do
			! git --git-dir="$STORE/irminfs/local" cat-file -e \
				"$oid" 2>/dev/null ||
				[ "$oid" = 4b825dc642cb6eb9a060e54bf8d69288fbee4904 ]
		done
	done
	! grep -rqs 'ilt1' "$T/mirror" "$T/clone"
}

@test "a face that is lost costs no file" {
	start
	fill "$M/main"
	stop
	rm -rf "$STORE/irminfs/local"
	start
	[ "$(cat "$M/main/plain")" = 1 ]
	[ "$(cat "$M/main/many/77")" = 77 ]
	chmod 600 "$M/main/plain"
	restart
	[ "$(stat -c %a "$M/main/plain")" = 600 ]
}

# few_packs: beside those that are kept for a moment
few_packs() {
	[ "$(find "$STORE/irminfs/local/objects/pack" -name '*.idx' | wc -l)" \
		-lt 30 ]
}

@test "packs of the face are merged, and nothing of it is lost" {
	start
	fill "$M/main"
	local i
	for ((i = 0; i < 60; i++)); do
		chmod $((600 + i % 7)) "$M/main/many/$i"
		cat "$M/main/.irmin/head" >/dev/null
	done
	wait_for 150 few_packs
	facts "$M/main" >"$T/before"
	restart
	facts "$M/main" >"$T/after"
	diff "$T/before" "$T/after"
	git --git-dir="$STORE/irminfs/local" fsck --no-dangling
	git --git-dir="$STORE/irminfs/local" rev-parse refs/heads/faces
}

# stays_over_remount PATH...: times of modification and change
stays_over_remount() {
	stat -c '%n %.9Y %.9Z' "$@" >"$T/before"
	restart
	stat -c '%n %.9Y %.9Z' "$@" >"$T/after"
	diff "$T/before" "$T/after"
}

@test "what comes into an empty folder keeps the time when it came" {
	start -o commit=1000
	mkdir -p "$M/main/d/e" "$M/main/c"
	echo 1 >"$M/main/c/p"
	mkdir "$M/main/.irmin/fork/f"
	store_git rev-parse main
	# times as of a commit have whole seconds, and are of before
	git clone -q "$STORE" "$T/clone"
	mkdir -p "$T/clone/d/e"
	echo 2 | tee "$T/clone/d/x" >"$T/clone/d/e/y"
	git -C "$T/clone" add .
	git -C "$T/clone" commit -qm x
	git -C "$T/clone" push -q origin HEAD:main
	wait_for 10 test -s "$M/main/d/e/y"
	rm "$M/f/c/p"
	echo 2 >"$M/main/c/p"
	run mv -T "$M/f" "$M/main"
	[ "$status" -ne 0 ]
	"$IRMINFS" resolve --store "$STORE" f --ours
	[ "$(cat "$M/f/c/p")" = 2 ]
	stays_over_remount "$M/main/d/x" "$M/main/d/e/y" "$M/f/c/p"
	chmod 700 "$M/main/d" "$M/main/d/e" "$M/f/c"
	stays_over_remount "$M/main/d/x" "$M/main/d/e/y" "$M/f/c/p"
}
