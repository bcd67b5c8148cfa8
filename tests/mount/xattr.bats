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

# Lists: user::rw- user:13:rw- group::r-- mask::rw- other::---, and with other::r-x
readonly LIST=0x0200000001000600ffffffff020006000d00000004000400ffffffff10000600ffffffff20000000ffffffff
readonly OTHERS=${LIST/%20000000ffffffff/20000500ffffffff}

# as USER GROUP COMMAND...
as() {
	local user=$1 group=$2
	shift 2
	setpriv --reuid "$user" --regid "$group" --clear-groups "$@"
}

refute() {
	! "$@"
}

# acl_of FILE [default]
acl_of() {
	getfattr --absolute-names -n "system.posix_acl_${2:-access}" -e hex "$1" |
		sed -n 's/^system.*=//p'
}

has_no_acl() {
	run getfattr --absolute-names -n system.posix_acl_access "$1"
	[ "$status" -ne 0 ]
	[[ "$output" == *"No such attribute"* ]]
}

@test "access control lists are kept, and the kernel obeys them" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	start
	cd "$M/main"
	echo 1 >a
	chown 10:20 a
	chmod 640 a
	refute as 13 13 cat a
	setfattr -n system.posix_acl_access -v $LIST a
	[ "$(stat -c %a a)" = 660 ]
	as 13 13 sh -c 'echo 2 >>a'
	as 14 20 cat a
	refute as 14 20 sh -c 'echo 3 >>a'
	refute as 14 14 cat a
	# the group's bits are the mask, and follow chmod
	chmod 600 a
	refute as 13 13 cat a
	[ "$(acl_of a)" = ${LIST/10000600/10000000} ]
	chmod 660 a
	[ "$(acl_of a)" = $LIST ]
	[ "$(getfattr -m - a | grep -c posix_acl_access)" = 1 ]
	refute as 14 14 setfattr -n system.posix_acl_access -v $LIST a
	cp -a a b
	[ "$(acl_of b)" = $LIST ]
	setfattr -x system.posix_acl_access a
	refute as 13 13 cat a
	has_no_acl a
	setfattr -x system.posix_acl_access a
}

@test "what is made in a directory with a default list has it instead of the mask" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	start
	cd "$M/main"
	mkdir d
	setfattr -n system.posix_acl_default -v $OTHERS d
	umask 077
	touch d/f d/.hidden plain
	mkdir d/e
	mkfifo d/p
	ln -s f d/l
	install -m 600 d/f d/i
	[ "$(stat -c %a d/f d/e d/p d/i plain | xargs)" = "664 665 664 600 600" ]
	[ "$(acl_of d/f)" = ${OTHERS/20000500/20000400} ]
	[ "$(acl_of d/e default)" = $OTHERS ]
	as 13 13 sh -c 'echo 1 >d/f'
	refute as 13 13 cat d/i
	touch d/e/g
	[ "$(acl_of d/e/g)" = "$(acl_of d/f)" ]
	cp /bin/true d/t
	[ "$(stat -c %a d/t)" = 645 ]
	cp -p /bin/true d/t
	[ "$(stat -c %a d/t)" = 755 ]
	# the mask takes what Git has of a mode as well
	umask 0177
	python3 -c 'import os; os.close(os.open("x", os.O_CREAT | os.O_WRONLY, 0o777))'
	[ "$(stat -c %a x)" = 600 ]
	sync x
	[[ "$(store_git ls-tree main x)" == 100644* ]]
}

@test "access control lists outlive a remount and a kill, and a fork has them" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	start
	mkdir "$M/main/d"
	echo 1 >"$M/main/d/f"
	setfattr -n system.posix_acl_access -v $LIST "$M/main/d/f"
	setfattr -n system.posix_acl_default -v $LIST "$M/main/d"
	mkdir "$M/main/.irmin/fork/w"
	restart
	[ "$(acl_of "$M/main/d/f")" = $LIST ]
	[ "$(acl_of "$M/w/d/f")" = $LIST ]
	chmod 640 "$M/main/d/f"
	sync "$M/main/d/f"
	crash
	start
	[ "$(acl_of "$M/main/d/f")" = ${LIST/10000600/10000400} ]
	[ "$(acl_of "$M/main/d" default)" = $LIST ]
	[ "$(acl_of "$M/w/d/f")" = $LIST ]
}

@test "a merge takes mode and list together, and the kernel sees both" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	start
	chmod a+x "$BATS_RUN_TMPDIR" "$(dirname "$T")" "$T"
	cd "$M"
	echo 1 >main/a
	echo 1 >main/b
	chmod 640 main/a main/b
	mkdir main/.irmin/fork/w
	refute as 13 13 cat main/a
	setfattr -n system.posix_acl_access -v $LIST w/a
	setfattr -n system.posix_acl_access -v $LIST w/b
	chmod 600 main/b
	mv -T w main
	as 13 13 cat main/a
	[ "$(acl_of main/a)" = $LIST ]
	# both changed it: the target's mode, which without that list is right
	[ "$(stat -c %a main/b)" = 600 ]
	has_no_acl main/b
}

@test "a list that changes below a mode that stays is seen at once" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	start
	chmod a+x "$BATS_RUN_TMPDIR" "$(dirname "$T")" "$T"
	cd "$M"
	local list=${LIST/04000400/04000000}
	echo 1 >main/a
	mkdir main/d
	chgrp 20 main/a
	setfattr -n system.posix_acl_access -v $LIST main/a
	setfattr -n system.posix_acl_default -v $LIST main/d
	mkdir main/.irmin/fork/w
	# the kernel has them now
	as 14 20 cat main/a
	[ "$(acl_of main/d default)" = $LIST ]
	setfattr -n system.posix_acl_access -v "$list" w/a
	setfattr -n system.posix_acl_default -v "$list" w/d
	mv -T w main
	refute as 14 20 cat main/a
	[ "$(acl_of main/a)" = "$list" ]
	[ "$(acl_of main/d default)" = "$list" ]
}

@test "a file that is pushed keeps its list, and its revisions are for the owner" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	start
	chmod a+x "$BATS_RUN_TMPDIR" "$(dirname "$T")" "$T"
	cd "$M"
	local list=${LIST/04000400/04000000} number
	echo 1 >main/a
	chgrp 20 main/a
	setfattr -n system.posix_acl_access -v "$list" main/a
	sync main/a
	store_git clone -q "$STORE" "$T/clone"
	for number in 2 3; do
		echo $number >"$T/clone/a"
		git -C "$T/clone" commit -qam change
		# the second while there is no daemon
		[ $number = 2 ] || { cd / && stop; }
		git -C "$T/clone" push -q
		[ $number = 2 ] || start
		cd "$M"
		wait_for 20 grep -q $number main/a
		[ "$(acl_of main/a)" = "$list" ]
		[ "$(as 13 13 cat main/a)" = $number ]
		refute as 14 20 cat main/a
	done
	refute as 14 20 cat main@~1/a
	refute as 13 13 cat main@~1/a
}

@test "control files and queues obey the list of their directory" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	start
	chmod a+x "$BATS_RUN_TMPDIR" "$(dirname "$T")" "$T"
	cd "$M"
	queue
	echo 1 >main/jobs/a
	chgrp 20 main main/jobs
	# user:13:rwx group::r-x mask::rwx
	local list=${LIST/020006000d/020007000d}
	list=${list/04000400/04000500}
	list=${list/10000600/10000700}
	setfattr -n system.posix_acl_access -v "$list" main/jobs
	setfattr -n system.posix_acl_access -v "$list" main
	[ "$(stat -c %a main main/jobs | xargs)" = "670 670" ]
	refute as 14 20 mkdir main/.irmin/fork/no
	as 13 13 mkdir main/.irmin/fork/yes
	refute as 14 20 "$IRMINFS" pop main/jobs
	setfattr -n system.posix_acl_default -v "$list" main/jobs
	umask 0
	echo 2 >main/jobs/b
	umask 022
	[ "$(acl_of main/jobs/b)" = "${list/10000700/10000600}" ]
	[ "$(as 13 13 "$IRMINFS" pop main/jobs)" = 1 ]
}

@test "files of conflicts are for who may read the file" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	start
	chmod a+x "$BATS_RUN_TMPDIR" "$(dirname "$T")" "$T"
	cd "$M"
	local name merged
	for name in a b; do
		echo 1 >main/$name
		chgrp 20 main/$name
		chmod 640 main/$name
	done
	mkdir main/.irmin/fork/w
	# the folder's list allows what a does not; that of b denies its group
	setfattr -n system.posix_acl_access \
		-v "${LIST/020006000d/020007000d}" w
	chmod 775 w
	setfattr -n system.posix_acl_access -v "${LIST/04000400/04000000}" w/b
	for name in a b; do
		echo 2 >main/$name
		echo 3 >w/$name
	done
	refute mv -T w main
	for name in 1 2; do
		merged=w/.irmin/conflicts/$name/merged
		grep -q 3 "$merged"
		refute as 13 13 cat "$merged"
	done
	as 14 20 cat w/.irmin/conflicts/1/merged
	refute as 14 20 cat w/b
	refute as 14 20 cat w/.irmin/conflicts/2/merged
}

@test "a list that says what a mode says is the mode" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	start
	cd "$M/main"
	touch a
	chown 13 a
	chmod 2640 a
	# user::rwx group::r-- other::--x
	local list=0x0200000001000700ffffffff04000400ffffffff20000100ffffffff
	refute as 14 14 setfattr -n system.posix_acl_access -v $list a
	[ "$(stat -c %a a)" = 2640 ]
	setfattr -n system.posix_acl_access -v $list a
	[ "$(stat -c %a a)" = 2741 ]
	as 13 13 setfattr -n system.posix_acl_access -v $list a
	[ "$(stat -c %a a)" = 741 ]
	[ -z "$(getfattr -m - a)" ]
	cd /
	restart
	[ "$(stat -c %a "$M/main/a")" = 741 ]
}

@test "setgid stays for who is in the group as one of several" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	start
	cd "$M/main"
	mkdir d
	chown 13:20 d
	chmod 2770 d
	setpriv --reuid 13 --regid 13 --groups 20,21 setfattr -n system.posix_acl_access -v $LIST d
	[ "$(stat -c %a d)" = 2660 ]
	setpriv --reuid 13 --regid 13 --groups 21 setfattr -n system.posix_acl_access -v $LIST d
	[ "$(stat -c %a d)" = 660 ]
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
