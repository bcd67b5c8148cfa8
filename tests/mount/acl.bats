#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Access control lists, which the kernel checks.

load common

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

@test "nobody reads one list with the mask of another" {
	start
	cd "$M/main"
	echo 1 >a
	python3 - a <<'END'
import os, struct, sys, threading, time

def entry(tag, permissions, who=2**32 - 1):
    return struct.pack("<HHI", tag, permissions, who)

def made(user, mask):
    return (struct.pack("<I", 2) + entry(1, 6) + entry(2, user, 13) + entry(4, 0) +
            entry(16, mask) + entry(32, 0))

NAME = "system.posix_acl_access"
lists = [made(7, 0), made(0, 7)]
mixed = []

def read():
    while not ended.is_set():
        found = os.getxattr(sys.argv[1], NAME)
        if found not in lists:
            mixed.append(found)

ended = threading.Event()
os.setxattr(sys.argv[1], NAME, lists[0])
readers = [threading.Thread(target=read) for _ in range(3)]
for thread in readers:
    thread.start()
end = time.monotonic() + 2
while time.monotonic() < end:
    for value in reversed(lists):
        os.setxattr(sys.argv[1], NAME, value)
ended.set()
for thread in readers:
    thread.join()
sys.exit(bool(mixed))
END
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
