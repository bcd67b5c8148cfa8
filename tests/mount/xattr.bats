#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Extended attributes, by the programs that use them.

load common

# tell FOLDER: all attributes of all below, as who asks may see them
tell() {
	(cd "$1" && find . | LC_ALL=C sort | xargs -d '\n' getfattr -hd -m - -e hex --)
}

# big FILE: an attribute that is stored apart from the others
big() {
	setfattr -n user.big -v "$(head -c 3000 /dev/zero | tr '\0' b)" "$1"
}

# fill FOLDER: some of everything
fill() {
	mkdir -p "$1/d/e"
	local i
	for i in a b d/c d/e/f; do
		echo "$i" >"$1/$i"
	done
	ln -s a "$1/d/link"
	setfattr -n user.text -v hello "$1/a"
	setfattr -n user.empty "$1/a"
	setfattr -n user.bytes -v 0x00ff0a "$1/d/c"
	setfattr -n user.folder -v 1 "$1/d"
	setfattr -n user.top -v 1 "$1"
	big "$1/b"
	big "$1/d/e"
	[ "$(id -u)" -eq 0 ] || return 0
	setfattr -h -n trusted.link -v 1 "$1/d/link"
	setfattr -n trusted.t -v 1 "$1/d/e/f"
	setfattr -n security.s -v 1 "$1/d/e/f"
}

@test "attributes are set, read, listed and removed" {
	start
	cd "$M/main"
	echo 1 >a
	setfattr -n user.x -v 1 a
	setfattr -n user.y -v 2 a
	[ "$(getfattr --only-values -n user.x a)" = 1 ]
	[ "$(getfattr a)" = "$(printf '# file: a\nuser.x\nuser.y')" ]
	setfattr -x user.x a
	run getfattr -n user.x a
	[ "$status" -ne 0 ]
	[[ "$output" == *"No such attribute"* ]]
	[ "$(getfattr a)" = "$(printf '# file: a\nuser.y')" ]
}

@test "they outlive a remount, a kill after fsync and a rename" {
	start -o commit=1000
	fill "$M/main"
	tell "$M/main" >"$T/before"
	grep -q user.bytes=0x00ff0a "$T/before"
	sync "$M/main/a"
	crash
	start -o commit=1000
	tell "$M/main" >"$T/after"
	diff "$T/before" "$T/after"
	# now they are read from where they are stored
	restart
	tell "$M/main" >"$T/after"
	diff "$T/before" "$T/after"
	setfattr -x user.text "$M/main/a"
	mv "$M/main/d/e" "$M/main/moved"
	tell "$M/main" >"$T/before"
	sync "$M/main/moved"
	crash
	start
	tell "$M/main" >"$T/after"
	diff "$T/before" "$T/after"
}

@test "a fork has them, and its own from then on" {
	start
	fill "$M/main"
	tell "$M/main" >"$T/before"
	mkdir "$M/main/.irmin/fork/f"
	tell "$M/f" >"$T/fork"
	diff "$T/before" "$T/fork"
	setfattr -n user.text -v other "$M/f/a"
	setfattr -x user.big "$M/f/b"
	restart
	tell "$M/main" >"$T/after"
	diff "$T/before" "$T/after"
	[ "$(getfattr --only-values -n user.text "$M/f/a")" = other ]
	run getfattr -n user.big "$M/f/b"
	[ "$status" -ne 0 ]
}

@test "Git sees nothing of them" {
	start
	echo 1 >"$M/main/a"
	sync "$M/main/a"
	head=$(store_git rev-parse main)
	big "$M/main/a"
	sync "$M/main/a"
	[ "$(store_git rev-parse main)" = "$head" ]
	[ -z "$(cat "$M/main/.irmin/status")" ]
	restart
	[ "$(store_git rev-parse main)" = "$head" ]
	getfattr -n user.big "$M/main/a" >/dev/null
	git clone -q "$STORE" "$T/clone"
	[ -z "$(getfattr -d "$T/clone/a")" ]
}

@test "cp -a copies them, within the mount and out of it" {
	start
	fill "$M/main/x"
	cp -a "$M/main/x" "$M/main/y"
	tell "$M/main/x" >"$T/before"
	tell "$M/main/y" >"$T/after"
	diff "$T/before" "$T/after"
	setfattr -n user.probe -v 1 "$T" 2>/dev/null || skip "no attributes in $T"
	cp -a "$M/main/x" "$T/out"
	tell "$T/out" >"$T/after"
	diff "$T/before" "$T/after"
}

@test "rsync -aHAX finds nothing to do the second time" {
	start
	fill "$M/main/x"
	mkdir "$M/main/x/q"
	setfattr -n user.irmin.type -v queue "$M/main/x/q"
	mkdir "$M/main/.irmin/fork/f"
	rsync -aHAX "$M/main/x/" "$M/f/y/"
	rsync -aHAXi "$M/main/x/" "$M/f/y/" >"$T/todo"
	cat "$T/todo"
	[ ! -s "$T/todo" ]
	tell "$M/main/x" >"$T/before"
	tell "$M/f/y" >"$T/after"
	diff "$T/before" "$T/after"
	restart
	rsync -aHAXi "$M/main/x/" "$M/f/y/" >"$T/todo"
	[ ! -s "$T/todo" ]
	# what a queue is does not travel
	[ "$(getfattr --only-values -n user.irmin.type "$M/main/x/q")" = queue ]
	run getfattr -n user.irmin.type "$M/f/y/q"
	[ "$status" -ne 0 ]
	# nor does it go away
	mkdir "$T/plain"
	rsync -aX --delete "$T/plain/" "$M/main/x/q/"
	[ "$(getfattr --only-values -n user.irmin.type "$M/main/x/q")" = queue ]
}

@test "tar brings them back" {
	start
	fill "$M/main/x"
	tar -C "$M/main" --xattrs --xattrs-include='*' --acls -cf "$T/x.tar" x
	mkdir "$M/main/back"
	tar -C "$M/main/back" --xattrs --xattrs-include='*' --acls -xf "$T/x.tar" 2>"$T/said"
	[ ! -s "$T/said" ]
	tell "$M/main/x" >"$T/before"
	tell "$M/main/back/x" >"$T/after"
	diff "$T/before" "$T/after"
}

@test "a capability goes when the file changes" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	start
	cd "$M/main"
	local how
	for how in 'echo 1 >>t' 'echo 1 >t' ': >t' \
		'"$IRMINFS" splice t 3 --insert x' 'truncate -s 3 t' 'chown 12 t' \
		'fallocate -l 9000000 t' 'cp --reflink=never /bin/false t' \
		'dd if=/dev/zero of=t bs=4k count=1 conv=notrunc status=none'; do
		cp /bin/true t
		setfattr -n user.stays -v 1 t
		setcap cap_net_raw=ep t
		[ "$(getcap t)" = "t cap_net_raw=ep" ]
		eval "$how"
		[ -z "$(getcap t)" ]
		[ "$(getfattr --only-values -n user.stays t)" = 1 ]
	done
	# among attributes that are stored apart, too, and again
	big t
	setcap cap_net_raw=ep t
	cd /
	restart
	[ "$(getcap "$M/main/t")" = "$M/main/t cap_net_raw=ep" ]
	chmod 700 "$M/main/t"
	[ -n "$(getcap "$M/main/t")" ]
	echo 1 >>"$M/main/t"
	[ -z "$(getcap "$M/main/t")" ]
	setcap cap_net_raw=ep "$M/main/t"
	# the kernel does not even ask
	restart -o xattr=off
	echo 1 >>"$M/main/t"
	restart
	[ -z "$(getcap "$M/main/t")" ]
	getfattr -n user.big "$M/main/t" >/dev/null
}

@test "namespaces are for whom the kernel says" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	start -o allow_other
	cd "$M/main"
	echo 1 >a
	chown 12 a
	ln -s a l
	setfattr -n trusted.t -v 1 a
	setfattr -n user.u -v 1 a
	as="setpriv --reuid 12 --clear-groups"
	[ "$($as getfattr -m - a)" = "$(printf '# file: a\nuser.u')" ]
	[ "$(getfattr -m - a)" = "$(printf '# file: a\ntrusted.t\nuser.u')" ]
	$as setfattr -n user.u -v 2 a
	run $as setfattr -n trusted.t -v 2 a
	[ "$status" -ne 0 ]
	run $as setfattr -n security.s -v 2 a
	[ "$status" -ne 0 ]
	run setpriv --reuid 13 --clear-groups setfattr -n user.u -v 3 a
	[ "$status" -ne 0 ]
	chmod 600 a
	run setpriv --reuid 13 --clear-groups getfattr --absolute-names -n user.u a
	[ "$status" -ne 0 ]
	run setfattr -h -n user.u -v 1 l
	[ "$status" -ne 0 ]
	run setfattr -n other.x -v 1 a
	[ "$status" -ne 0 ]
}

@test "limits are told by their errors" {
	start
	cd "$M/main"
	python3 - <<-'END'
		import errno, os
		open("a", "w").close()
		def fails(error, call, *arguments):
		    try:
		        call(*arguments)
		    except OSError as e:
		        assert e.errno == error, (e, arguments)
		    else:
		        raise AssertionError(arguments)
		most = os.XATTR_SIZE_MAX
		os.setxattr("a", "user.big", b"x" * most)
		assert os.getxattr("a", "user.big") == b"x" * most
		fails(errno.E2BIG, os.setxattr, "a", "user.big", b"x" * (most + 1))
		os.setxattr("a", "user." + "n" * 250, b"1")
		fails(errno.ERANGE, os.setxattr, "a", "user." + "n" * 251, b"1")
		fails(errno.EINVAL, os.setxattr, "a", "user.", b"1")
		fails(errno.ENODATA, os.getxattr, "a", "user.none")
		fails(errno.ENODATA, os.removexattr, "a", "user.none")
		fails(errno.EEXIST, os.setxattr, "a", "user.big", b"", os.XATTR_CREATE)
		fails(errno.ENODATA, os.setxattr, "a", "user.none", b"", os.XATTR_REPLACE)
		def fill():
		    for i in range(100):
		        os.setxattr("a", f"user.{i}", b"x" * most)
		fails(errno.ENOSPC, fill)
		assert len(os.listxattr("a")) == 16
		os.setxattr("a", "user.0", b"")
		os.unlink("a")
	END
}

@test "revisions and spaces cannot be given any" {
	start
	echo 1 >"$M/main/a"
	sync "$M/main/a"
	store_git rev-parse main
	run setfattr -n user.x -v 1 "$M/main@~0/a"
	[ "$status" -ne 0 ]
	[[ "$output" == *"Read-only"* ]]
	[ -z "$(getfattr -d "$M/main@~0/a")" ]
	run setfattr -n user.x -v 1 "$M"
	[ "$status" -ne 0 ]
	[ -z "$(getfattr -d -m - "$M" "$M/main/.irmin")" ]
	ls -lZ "$M" "$M/main/.irmin" "$M/main@~0" >/dev/null
}

@test "what a directory is can be asked for and stays" {
	start
	mkdir "$M/main/q" "$M/main/d"
	run getfattr -n user.irmin.type "$M/main/q"
	[ "$status" -ne 0 ]
	setfattr -n user.irmin.type -v queue "$M/main/q"
	[ "$(getfattr --only-values -n user.irmin.type "$M/main/q")" = queue ]
	[ -z "$(getfattr -d -m - "$M/main/q")" ]
	run setfattr -x user.irmin.type "$M/main/q"
	[[ "$output" == *"not permitted"* ]]
	run setfattr -x user.irmin.type "$M/main/d"
	[[ "$output" == *"No such attribute"* ]]
	# elements have attributes, wherever they go
	echo 1 >"$M/main/q/e"
	setfattr -n user.x -v 1 "$M/main/q/e"
	setfattr -n user.q -v 2 "$M/main/q"
	restart
	[ "$(getfattr --only-values -n user.x "$M/main/q/e")" = 1 ]
	[ "$(getfattr --only-values -n user.q "$M/main/q")" = 2 ]
	mv "$M/main/q/e" "$M/main/d/"
	[ "$(getfattr --only-values -n user.x "$M/main/d/e")" = 1 ]
}

@test "a merge keeps those of what it changes" {
	start
	echo 1 >"$M/main/a"
	setfattr -n user.x -v 1 "$M/main/a"
	big "$M/main/a"
	mkdir "$M/main/.irmin/fork/f"
	echo 2 >"$M/f/a"
	mv -T "$M/f" "$M/main"
	[ "$(cat "$M/main/a")" = 2 ]
	[ "$(getfattr --only-values -n user.x "$M/main/a")" = 1 ]
	getfattr -n user.big "$M/main/a" >/dev/null
	restart
	[ "$(getfattr --only-values -n user.x "$M/main/a")" = 1 ]
	getfattr -n user.big "$M/main/a" >/dev/null
}

@test "-o xattr=off refuses them, and keeps what is there" {
	start
	echo 1 >"$M/main/a"
	setfattr -n user.x -v 1 "$M/main/a"
	restart -o xattr=off
	run getfattr -n user.x "$M/main/a"
	[ "$status" -ne 0 ]
	[[ "$output" == *"not supported"* ]]
	run setfattr -n user.y -v 1 "$M/main/a"
	[ "$status" -ne 0 ]
	mkdir "$M/main/q"
	setfattr -n user.irmin.type -v queue "$M/main/q"
	echo 2 >>"$M/main/a"
	restart
	[ "$(getfattr --only-values -n user.x "$M/main/a")" = 1 ]
}
