#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# O_TMPFILE: files that begin without a name.

bats_require_minimum_version 1.5.0

load common

# A kernel before 6.2 does not ask for them.
prepare() {
	cat >"$T/nameless.py" <<-'END'
		import ctypes, errno, os, sys

		AT_FDCWD, AT_SYMLINK_FOLLOW = -100, 0x400
		libc = ctypes.CDLL(None, use_errno=True)

		def make(folder, text, mode=0o640, flags=0):
		    try:
		        fd = os.open(folder, os.O_TMPFILE | os.O_RDWR | flags, mode)
		    except OSError as e:
		        if e.errno != errno.EOPNOTSUPP:
		            raise
		        sys.exit(77)
		    os.write(fd, text)
		    return fd

		def name(fd, path):
		    if libc.linkat(AT_FDCWD, b'/proc/self/fd/%d' % fd, AT_FDCWD,
		                   path.encode(), AT_SYMLINK_FOLLOW) < 0:
		        raise OSError(ctypes.get_errno(), path)
	END
}

# python LINE...: a program with what is above; skips where the kernel has none
python() {
	local status=0
	{
		cat "$T/nameless.py"
		printf '%s\n' "$@"
	} >"$T/program.py"
	python3 "$T/program.py" || status=$?
	[ "$status" -ne 77 ] || skip "this kernel has no O_TMPFILE for FUSE"
	return "$status"
}

@test "a file without a name is nowhere until it gets one" {
	start
	mkdir "$M/main/d"
	chmod 2775 "$M/main/d"
	chgrp 12 "$M/main/d"
	cd "$M/main"
	python "fd = make('d', b'text\n', 0o666)" \
		"assert os.listdir('d') == []" \
		"assert os.fstat(fd).st_nlink == 0" \
		"os.fsync(fd)" \
		"assert os.pread(fd, 10, 0) == b'text\n'" \
		"os.ftruncate(fd, 3)" \
		"os.setxattr(fd, 'user.k', b'v')" \
		"name(fd, 'd/named')" \
		"assert os.fstat(fd).st_nlink == 1" \
		"assert os.stat('d/named').st_ino == os.fstat(fd).st_ino" \
		"name(fd, 'again')" \
		"os.pwrite(fd, b'!', 3)" \
		"os.fsync(fd)"
	cd /
	[ "$(stat -c '%a %g %h' "$M/main/d/named")" = "644 12 2" ]
	crash
	start
	[ "$(cat "$M/main/d/named")" = "tex!" ]
	[ "$M/main/d/named" -ef "$M/main/again" ]
	[ "$(getfattr --only-values -n user.k "$M/main/again")" = v ]
	[ "$(store_git show main:d/named)" = "tex!" ]
}

@test "without a name it ends with its last descriptor; and O_EXCL keeps it so" {
	start
	cd "$M/main"
	python "fd = make('.', b'x' * (1 << 20))" \
		"os.close(fd)" \
		"fd = make('.', b'secret', flags=os.O_EXCL)" \
		"try:" \
		"    name(fd, 'named')" \
		"    sys.exit(1)" \
		"except FileNotFoundError:" \
		"    pass"
	[ -z "$(ls)" ]
	cd /
	[ -z "$(store_git ls-tree main)" ]
}

@test "names that are taken, other branches, and folders of the store itself" {
	start
	"$IRMINFS" fork main other --store "$STORE"
	cd "$M/main"
	echo old >taken
	python "fd = make('.', b'new')" \
		"def fails(error, path):" \
		"    try:" \
		"        name(fd, path)" \
		"    except OSError as e:" \
		"        assert e.errno == error, e" \
		"    else:" \
		"        sys.exit(1)" \
		"fails(errno.EEXIST, 'taken')" \
		"fails(errno.EXDEV, '../other/named')" \
		"name(fd, 'free')" \
		"for folder in '..', '.irmin':" \
		"    try:" \
		"        os.open(folder, os.O_TMPFILE | os.O_RDWR)" \
		"        sys.exit(1)" \
		"    except OSError as e:" \
		"        assert e.errno == errno.EOPNOTSUPP, e"
	[ "$(cat taken free)" = "old
new" ]
}

@test "rules of .gitignore and .gitattributes hold for the name that it gets" {
	start
	cd "$M/main"
	echo '*.o' >.gitignore
	python "fd = make('.', b'object')" \
		"name(fd, 'a.o')" \
		"fd = make('.', b'/jobs irmin=queue\n')" \
		"name(fd, '.gitattributes')"
	mkdir jobs
	echo one >jobs/one
	python "fd = make('jobs', b'two\n')" \
		"assert os.listdir('jobs') == ['one']" \
		"name(fd, 'jobs/two')"
	[ "$("$IRMINFS" pop jobs)" = one ]
	[ "$("$IRMINFS" pop jobs)" = two ]
	cd /
	[ "$(store_git ls-tree --name-only main | tr '\n' ' ')" = ".gitattributes .gitignore " ]
	restart
	[ "$(cat "$M/main/a.o")" = object ]
}
