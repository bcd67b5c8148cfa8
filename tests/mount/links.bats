#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Hard links: several names of one file in a branch.

load common

# links FOLDER: every name with its count of links and the first name of its file
links() {
	(cd "$1" && find . ! -type d -printf '%i %n %y %m %s %T@ %C@ %p\n' | sort -k8 |
		awk '{ if (!($1 in first)) first[$1] = $8; $1 = first[$1]; print }')
}

number() {
	stat -c %i "$1"
}

# together FILE FILE...: all are one file with as many names
together() {
	local file
	for file in "$@"; do
		[ "$(number "$file")" = "$(number "$1")" ] || return
		[ "$(stat -c %h "$file")" = $# ] || return
	done
}

fill() {
	mkdir -p "$1/a/b" "$1/c"
	echo one >"$1/a/b/file"
	ln "$1/a/b/file" "$1/a/second"
	ln "$1/a/second" "$1/c/third"
	ln -s target "$1/a/symlink"
	ln "$1/a/symlink" "$1/c/symlink"
	mkfifo "$1/a/fifo"
	ln "$1/a/fifo" "$1/c/fifo"
	echo alone >"$1/c/alone"
}

@test "names of a file are one file" {
	start
	fill "$M/main"
	cd "$M/main"
	together a/b/file a/second c/third
	together a/symlink c/symlink
	together a/fifo c/fifo
	echo two >>c/third
	[ "$(cat a/b/file)" = $'one\ntwo' ]
	[ "$(stat -c %s a/second)" = 8 ]
	chmod 600 a/second
	[ "$(stat -c %a c/third)" = 600 ]
	rm a/b/file
	together a/second c/third
	mv c/third a/b/moved
	together a/second a/b/moved
	[ "$(cat a/b/moved)" = $'one\ntwo' ]
	rm a/second
	together a/b/moved
	echo three >a/b/moved
	[ "$(cat a/b/moved)" = three ]
}

@test "links outlive a remount and a crash" {
	start -o commit=1000
	fill "$M/main"
	chmod 640 "$M/main/a/second"
	sync "$M/main/c/third"
	links "$M/main" >"$T/before"
	grep -q '^./a/b/file 3 f 640 4 .* ./c/third$' "$T/before"
	crash
	start -o commit=1000
	links "$M/main" >"$T/after"
	diff "$T/before" "$T/after"
	echo more >>"$M/main/a/second"
	rm "$M/main/a/symlink"
	sync "$M/main/a/second"
	links "$M/main" >"$T/before"
	crash
	start
	[ "$(cat "$M/main/c/third")" = $'one\nmore' ]
	links "$M/main" >"$T/after"
	diff "$T/before" "$T/after"
	restart
	links "$M/main" >"$T/after"
	diff "$T/before" "$T/after"
}

@test "what is written through one name is captured for all, of which none was looked at" {
	start
	fill "$M/main"
	restart
	echo written >"$M/main/a/second"
	sync "$M/main/a/second"
	[ "$(store_git show main:c/third)" = written ]
	[ "$(store_git show main:a/b/file)" = written ]
	restart
	together "$M/main/c/third" "$M/main/a/b/file" "$M/main/a/second"
	[ "$(cat "$M/main/a/b/file")" = written ]
	rm "$M/main/c/third"
	restart
	together "$M/main/a/b/file" "$M/main/a/second"
	store_git fsck --strict
}

@test "mappings of two names are coherent" {
	start
	fill "$M/main"
	truncate -s 8192 "$M/main/a/second"
	python3 - "$M/main/a/second" "$M/main/c/third" <<-'PYTHON'
		import mmap, os, sys
		maps = [mmap.mmap(os.open(p, os.O_RDWR), 8192) for p in sys.argv[1:]]
		maps[0][5000:5005] = b"hello"
		assert maps[1][5000:5005] == b"hello"
		maps[1].flush()
		assert open(sys.argv[1], "rb").read()[5000:5005] == b"hello"
	PYTHON
	restart
	[ "$(tail -c +5001 "$M/main/c/third" | head -c 5)" = hello ]
}

@test "a rename onto another name of the file does nothing, onto others it replaces" {
	start
	fill "$M/main"
	cd "$M/main"
	python3 -c 'import os; os.rename("a/second", "c/third")'
	together a/b/file a/second c/third
	mv c/alone a/second
	[ "$(cat a/second)" = alone ]
	together a/b/file c/third
	mv a/b/file c/alone
	together c/alone c/third
	python3 -c 'import os; os.link("a/second", "x"); os.rename("c/third", "x")'
	together c/alone x
	[ "$(stat -c %h a/second)" = 1 ]
	cd /
	links "$M/main" >"$T/before"
	restart
	links "$M/main" >"$T/after"
	diff "$T/before" "$T/after"
}

@test "what link refuses" {
	start
	fill "$M/main"
	"$IRMINFS" mkqueue "$M/main/q"
	echo element >"$M/main/q/element"
	mkdir "$M/other"
	python3 - "$M" <<-'PYTHON'
		import errno, os, sys
		os.chdir(sys.argv[1])
		def refused(error, *names):
		    try:
		        os.link(*names)
		    except OSError as e:
		        assert e.errno == error, (names, e)
		    else:
		        assert False, names
		refused(errno.EXDEV, "main/a/second", "other/second")
		refused(errno.EPERM, "main/a", "main/d")
		refused(errno.EEXIST, "main/a/second", "main/c/alone")
		refused(errno.ENOENT, "main/a/none", "main/none")
		refused(errno.EPERM, "main/a/second", "main/q/second")
		refused(errno.EPERM, "main/q/element", "main/element")
		refused(errno.EEXIST, "main/a/second", "main/.irmin")
		refused(errno.EPERM, "main/.irmin/head", "main/head")
		refused(errno.EPERM, "main/a/second", "main/.irmin/head2")
		refused(errno.EPERM, "main/a/second", "second")
		refused(errno.ENAMETOOLONG, "main/a/second", "main/" + 256 * "x")
		try:
		    os.rename("main/a/second", "main/q/second")
		except PermissionError:
		    pass
		else:
		    assert False
		# a file that is open and has no name any more (with a folder
		# named, the symlink in /proc is followed)
		root = os.open("/", os.O_RDONLY)
		f = os.open("main/c/alone", os.O_RDWR)
		os.unlink("main/c/alone")
		try:
		    os.link("/proc/self/fd/%d" % f, "main/again",
		            src_dir_fd=root)
		except FileNotFoundError:
		    pass
		else:
		    assert False
		# one that still has another
		f = os.open("main/a/second", os.O_RDWR)
		os.unlink("main/a/second")
		os.link("/proc/self/fd/%d" % f, "main/again", src_dir_fd=root)
		assert os.fstat(f).st_nlink == 3
	PYTHON
	together "$M/main/again" "$M/main/a/b/file" "$M/main/c/third"
	run "$IRMINFS" mkqueue "$M/main/c"
	[ "$status" -ne 0 ]
}

@test "a fork has links of its own" {
	start
	fill "$M/main"
	mkdir "$M/main/.irmin/fork/copy"
	together "$M/copy/a/b/file" "$M/copy/a/second" "$M/copy/c/third"
	[ "$(number "$M/copy/c/third")" != "$(number "$M/main/c/third")" ]
	echo copy >"$M/copy/a/second"
	[ "$(cat "$M/copy/c/third")" = copy ]
	[ "$(cat "$M/main/c/third")" = one ]
	rm "$M/main/c/third"
	together "$M/copy/a/b/file" "$M/copy/a/second" "$M/copy/c/third"
	mv "$M/copy/a" "$M/copy/moved"
	restart
	together "$M/copy/moved/b/file" "$M/copy/moved/second" "$M/copy/c/third"
	together "$M/main/a/b/file" "$M/main/a/second"
}

@test "a name that others change leaves the group" {
	start
	fill "$M/main"
	together "$M/main/a/b/file" "$M/main/a/second" "$M/main/c/third"
	sync "$M/main/a/second"
	store_git rev-parse main
	git clone -q "$STORE" "$T/clone"
	(cd "$T/clone" && echo other >c/third && git commit -qam x &&
		git push -q origin HEAD:main)
	wait_for 10 grep -q other "$M/main/c/third"
	together "$M/main/c/third"
	together "$M/main/a/b/file" "$M/main/a/second"
	echo rest >"$M/main/a/b/file"
	[ "$(cat "$M/main/a/second")" = rest ]
	[ "$(cat "$M/main/c/third")" = other ]
	restart
	together "$M/main/a/b/file" "$M/main/a/second"
	[ "$(cat "$M/main/c/third")" = other ]
	# also where nothing is mounted
	stop
	rm -rf "$T/clone"
	git clone -q "$STORE" "$T/clone"
	(cd "$T/clone" && echo outside >a/second && git commit -qam y &&
		git push -q origin HEAD:main)
	start
	together "$M/main/a/second"
	together "$M/main/a/b/file"
	[ "$(cat "$M/main/a/b/file")" = rest ]
}

@test "a merge does not replace a name of what is open for writing" {
	start
	fill "$M/main"
	mkdir "$M/main/.irmin/fork/side"
	echo changed >"$M/side/new"
	mv "$M/side/new" "$M/side/c/third"
	exec 7>>"$M/main/a/second"
	run mv -T "$M/side" "$M/main"
	[ "$status" -ne 0 ]
	exec 7>&-
	mv -T "$M/side" "$M/main"
	[ "$(cat "$M/main/c/third")" = changed ]
	[ "$(cat "$M/main/a/second")" = one ]
	together "$M/main/a/second" "$M/main/a/b/file"
}

@test "lock files and Maildir deliver by links" {
	start
	cd "$M/main"
	mkdir -p box/tmp box/new
	for i in 1 2 3 4 5 6 7 8; do
		(
			for j in 1 2 3 4 5; do
				echo "$i-$j" >"box/tmp/$i-$j"
				until ln "box/tmp/$i-$j" lock 2>/dev/null; do :; done
				[ "$(stat -c %h "box/tmp/$i-$j")" = 2 ] || echo "$i" >>bad
				echo "$i-$j" >>log
				rm lock
				ln "box/tmp/$i-$j" "box/new/$i-$j"
				rm "box/tmp/$i-$j"
			done
		) 3>&- &
		pids[i]=$!
	done
	for i in 1 2 3 4 5 6 7 8; do wait "${pids[i]}"; done
	[ ! -e bad ]
	[ "$(sort -u log | wc -l)" = 40 ]
	[ "$(find box/new -links 1 | wc -l)" = 40 ]
	[ -z "$(ls box/tmp)" ]
}

@test "cp -al, tar and rsync -H keep links" {
	start
	fill "$M/main"
	cp -al "$M/main/a" "$M/main/linked"
	[ "$(number "$M/main/linked/second")" = "$(number "$M/main/a/second")" ]
	[ "$(stat -c %h "$M/main/c/third")" = 5 ]
	mkdir "$M/fresh"
	# tar unpacks each fifo for itself
	tar -C "$M/main" --exclude fifo -cf "$T/tar" .
	tar -C "$M/fresh" -xf "$T/tar"
	diff <(links "$M/main" | awk '!/fifo/ { print $1, $2, $3, $4, $5, $NF }') \
		<(links "$M/fresh" | awk '{ print $1, $2, $3, $4, $5, $NF }')
	mkdir "$M/main/.irmin/fork/synced"
	rm -r "$M/synced/linked"
	if command -v rsync >/dev/null; then
		rsync -aH --delete "$M/main/" "$M/synced/"
		[ -z "$(rsync -aHi --delete "$M/main/" "$M/synced/")" ]
		[ "$(stat -c %h "$M/synced/c/third")" = 5 ]
	fi
	rm -r "$M/main/a"
	[ "$(stat -c %h "$M/main/c/third")" = 3 ]
	restart
	[ "$(stat -c %h "$M/main/c/third")" = 3 ]
	[ "$(stat -c %h "$M/synced/c/third")" = 5 ]
}

@test "a directory of links is emptied and removed, and moves" {
	start
	fill "$M/main"
	mkdir "$M/main/d"
	for i in 1 2 3 4 5 6 7 8 9; do
		ln "$M/main/a/second" "$M/main/d/$i"
	done
	mv "$M/main/d" "$M/main/a/b/d"
	[ "$(stat -c %h "$M/main/a/b/d/5")" = 12 ]
	restart
	[ "$(stat -c %h "$M/main/a/b/d/5")" = 12 ]
	rm -r "$M/main/a"
	together "$M/main/c/third"
	restart
	together "$M/main/c/third"
	[ "$(cat "$M/main/c/third")" = one ]
}

@test "attributes are of the file, whichever name has them set" {
	start
	fill "$M/main"
	restart
	python3 -c 'import os, sys
os.setxattr(sys.argv[1], "user.k", b"v")' "$M/main/a/second"
	touch -d 2001-02-03 "$M/main/c/third"
	sync "$M/main/a"
	for i in 1 2; do
		[ "$(stat -c %Y "$M/main/a/b/file")" = "$(date -d 2001-02-03 +%s)" ]
		python3 -c 'import os, sys
assert os.getxattr(sys.argv[1], "user.k") == b"v"' "$M/main/c/third"
		together "$M/main/a/second" "$M/main/a/b/file" "$M/main/c/third"
		restart
	done
}

@test "a merge brings a mode to all names" {
	start
	fill "$M/main"
	mkdir "$M/main/.irmin/fork/side"
	together "$M/main/a/second" "$M/main/a/b/file" "$M/main/c/third"
	chmod 600 "$M/side/a/second"
	echo x >"$M/side/new"
	mv -T "$M/side" "$M/main"
	[ -e "$M/main/new" ]
	for i in 1 2; do
		[ "$(stat -c %a "$M/main/a/b/file")" = 600 ]
		[ "$(stat -c %a "$M/main/c/third")" = 600 ]
		together "$M/main/a/second" "$M/main/a/b/file" "$M/main/c/third"
		restart
	done
}

@test "a folder that a merge brings has no links, neither now nor later" {
	start
	fill "$M/main"
	mkdir "$M/main/.irmin/fork/side"
	mkdir -p "$M/side/new/below"
	ln "$M/side/a/second" "$M/side/new/fourth"
	ln "$M/side/a/second" "$M/side/new/below/fifth"
	ln "$M/side/a/fifo" "$M/side/new/below/fifo"
	echo more >"$M/side/new/below/1"
	ln "$M/side/new/below/1" "$M/side/new/below/2"
	# main looks at its links before it has those of work
	together "$M/main/a/second" "$M/main/a/b/file" "$M/main/c/third"
	mv -T "$M/side" "$M/main"
	links "$M/main" >"$T/before"
	grep -q '^./new/below/1 1 ' "$T/before"
	crash
	start
	links "$M/main" >"$T/after"
	diff "$T/before" "$T/after"
	# new links in such a folder are the only ones
	echo x >"$M/main/new/below/x"
	ln "$M/main/new/below/x" "$M/main/new/below/y"
	mv "$M/main/new" "$M/main/c/new"
	links "$M/main" >"$T/before"
	together "$M/main/a/second" "$M/main/a/b/file" "$M/main/c/third"
	restart
	links "$M/main" >"$T/after"
	diff "$T/before" "$T/after"
	stop
	git -C "$STORE/irminfs/local" fsck --strict
	"$IRMINFS" fsck --store "$STORE"
}
