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
	wait_for 60 few_packs
	facts "$M/main" >"$T/before"
	restart
	facts "$M/main" >"$T/after"
	diff "$T/before" "$T/after"
	git --git-dir="$STORE/irminfs/local" fsck --no-dangling
	git --git-dir="$STORE/irminfs/local" rev-parse refs/heads/faces
}
