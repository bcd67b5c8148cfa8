#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# What POSIX promises of files, and ext4 keeps.
load common

needs_root() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
}

# a folder that everybody may change, and the working directory
open_folder() {
	start
	mkdir "$M/main/w"
	chmod 777 "$M/main/w"
	cd "$M/main/w" || return 1
}

# as_nobody COMMAND...: without any privileges
as_nobody() {
	setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
}

@test "setuid and setgid go when somebody else writes, truncates or allocates" {
	needs_root
	open_folder
	for change in 'os.pwrite(fd, b"x", 0)' 'os.ftruncate(fd, 1)' \
		'os.posix_fallocate(fd, 0, 9)' \
		'os.copy_file_range(fd, fd, 2, 0, 2)' \
		'os.open("f", os.O_WRONLY | os.O_TRUNC)'; do
		echo text >f
		chmod 6777 f
		[ "$(stat -c %a f)" = 6777 ]
		python3 -c "import os
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
fd = os.open('f', os.O_RDWR)
$change"
		# of the mode alone
		[ "$(stat -c %a f)" = 777 ]
	done
	# setgid without the right to execute stays where one of the group writes
	chmod 6767 f
	as_nobody sh -c 'echo more >>f'
	[ "$(stat -c %a f)" = 767 ]
	chgrp 65534 f
	chmod 6767 f
	as_nobody sh -c 'echo more >>f'
	[ "$(stat -c %a f)" = 2767 ]
	as_nobody truncate -s 3 f
	[ "$(stat -c %a f)" = 2767 ]
	chgrp 0 f
	as_nobody truncate -s 2 f
	[ "$(stat -c %a f)" = 767 ]
}

@test "setuid and setgid stay when root writes, and go with another owner" {
	needs_root
	open_folder
	echo text >f
	chmod 6755 f
	echo more >>f
	[ "$(stat -c %a f)" = 6755 ]
	cp /bin/true f
	[ "$(stat -c %a f)" = 6755 ]
	python3 -c "import os
os.copy_file_range(os.open('f', os.O_RDONLY), os.open('f', os.O_WRONLY), 9, 0, 9)"
	[ "$(stat -c %a f)" = 6755 ]
	chown 65534 f
	[ "$(stat -c '%a %u' f)" = '755 65534' ]
	mkdir d
	chmod 2755 d
	chown 65534:65534 d
	[ "$(stat -c %a d)" = 2755 ]
}

@test "what is in a sticky directory is its owner's to remove and rename" {
	needs_root
	open_folder
	mkdir s
	chmod 1777 s
	touch s/theirs
	as_nobody touch s/own
	! as_nobody rm -f s/theirs
	! as_nobody mv s/theirs s/taken
	! as_nobody mv s/own s/theirs
	as_nobody mv s/own s/other
	as_nobody rm s/other
	[ -e s/theirs ]
}

@test "what is made in a setgid directory has its group" {
	needs_root
	open_folder
	mkdir g
	chgrp 65534 g
	chmod 2777 g
	touch g/f
	mkdir g/d
	[ "$(stat -c '%g %a' g/f)" = '65534 644' ]
	[ "$(stat -c '%g %a' g/d)" = '65534 2755' ]
}

@test "permissions are checked by the kernel for everybody" {
	needs_root
	open_folder
	echo secret >f
	chmod 600 f
	mkdir -m 700 d
	! as_nobody cat f
	! as_nobody ls d
	! as_nobody touch f
	chmod 604 f
	[ "$(as_nobody cat f)" = secret ]
	! as_nobody chmod 777 f
	! as_nobody touch -d 2001-01-01 f
}

@test "links of a directory count the directories in it" {
	open_folder
	mkdir a b a/c
	touch a/f
	[ "$(stat -c %h a b)" = "$(printf '3\n2')" ]
	mv a/c b
	[ "$(stat -c %h a b)" = "$(printf '2\n3')" ]
	rmdir b/c
	[ "$(stat -c %h b)" = 2 ]
}

@test "times are set to the nanosecond, omitted, and follow changes" {
	open_folder
	python3 - <<'END'
import os, time

def times(path):
    st = os.stat(path)
    return st.st_atime_ns, st.st_mtime_ns, st.st_ctime_ns

def changed(path, action):
    before = times(path)
    time.sleep(0.02)
    action()
    return tuple(a != b for a, b in zip(before, times(path)))

with open("f", "w") as f:
    f.write("x")
os.mkdir("d")
os.utime("f", ns=(1000000000123456789, 1000000001987654321))
assert times("f")[:2] == (1000000000123456789, 1000000001987654321)
for far in (0, -5000000000, 4102444800 * 10**9 + 7):
    os.utime("f", ns=(far, far))
    assert times("f")[:2] == (far, far), far
fd = os.open("f", os.O_RDWR)
assert changed("f", lambda: os.chmod("f", 0o600)) == (False, False, True)
assert changed("f", lambda: os.write(fd, b"y")) == (False, True, True)
assert changed("f", lambda: os.ftruncate(fd, 5)) == (False, True, True)
assert changed(fd, lambda: os.rename("f", "d/f")) == (False, False, True)
assert changed("d", lambda: os.rename("d/f", "f")) == (False, True, True)
assert changed("d", lambda: open("d/g", "w").close()) == (False, True, True)
assert changed("d", lambda: os.unlink("d/g")) == (False, True, True)
assert changed("d", lambda: os.open("d", os.O_RDONLY)) == (False, False, False)
os.symlink("f", "l")
os.utime("l", ns=(1, 2), follow_symlinks=False)
assert os.lstat("l").st_mtime_ns == 2
END
}

@test "a removed file is a file, and a removed directory stays empty" {
	open_folder
	python3 - <<'END'
import errno, os

fd = os.open("f", os.O_RDWR | os.O_CREAT)
os.write(fd, b"before")
os.unlink("f")
st = os.fstat(fd)
assert (st.st_nlink, st.st_size) == (0, 6)
os.pwrite(fd, b"after", 100000)
os.fchmod(fd, 0o640)
assert os.fstat(fd).st_size == 100005 and os.fstat(fd).st_mode & 0o777 == 0o640
assert os.pread(fd, 9, 99998) == b"\0\0after"
open("f", "w").write("another")
assert os.pread(fd, 6, 0) == b"before"
os.fsync(fd)
os.rename("f", "g")

os.mkdir("d")
os.chdir("d")
here = os.open(".", os.O_RDONLY)
os.rmdir("../d")
assert os.listdir(here) == [] and os.fstat(here).st_nlink == 0
for action in (lambda: open("x", "w"), lambda: os.mkdir("x"), lambda: os.symlink("a", "x"),
               lambda: os.rename("../g", "x")):
    try:
        action()
        raise SystemExit("made something in a removed directory")
    except OSError as e:
        assert e.errno == errno.ENOENT, e
END
}

@test "who reads a name that is replaced finds the old file or the new one" {
	open_folder
	python3 - <<'END'
import os, sys, time

def write(name, number):
    with open(name, "w") as f:
        f.write(f"{number}\n" * 3000)

write("f", 0)
readers = []
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        end = time.time() + 3
        last = 0
        while time.time() < end:
            lines = open("f").read().split()
            assert len(lines) == 3000 and len(set(lines)) == 1, len(lines)
            assert int(lines[0]) >= last
            last = int(lines[0])
        os._exit(0)
    readers.append(pid)
number, end = 0, time.time() + 3
while time.time() < end:
    number += 1
    write("new", number)
    os.rename("new", "f")
assert all(os.waitpid(pid, 0)[1] == 0 for pid in readers)
assert number > 20
END
}

@test "appends of many processes are all there, whole" {
	open_folder
	for i in 1 2 3 4 5 6; do
		python3 -c "
for n in range(200):
    with open('log', 'a') as f:
        f.write(f'$i {n} ' + 'x' * ((n * 37) % 5000) + '\n')" &
		pids+=($!)
	done
	wait "${pids[@]}"
	[ "$(wc -l <log)" = 1200 ]
	[ "$(cut -d' ' -f1,2 log | sort -u | wc -l)" = 1200 ]
}

@test "O_DIRECT sees what is cached, and is seen through the cache" {
	open_folder
	python3 - <<'END'
import mmap, os

page = mmap.mmap(-1, 65536)
fd = os.open("f", os.O_RDWR | os.O_CREAT)
direct = os.open("f", os.O_RDWR | os.O_DIRECT)
os.write(fd, b"a" * 65536)
shared = mmap.mmap(fd, 65536)
shared[4096] = ord("m")
assert os.preadv(direct, [page], 0) == 65536
assert page[0] == ord("a") and page[4096] == ord("m")
page[:] = b"d" * 65536
assert os.pwritev(direct, [page], 0) == 65536
assert os.pread(fd, 65536, 0) == b"d" * 65536
assert shared[4096] == ord("d")
END
}

@test "holes take no room, and tools find and keep them" {
	open_folder
	truncate -s 1G f
	printf x | dd of=f bs=1 seek=500M conv=notrunc status=none
	[ "$(stat -c %b f)" = 8 ]
	[ "$(du -k f)" = "$(printf '4\tf')" ]
	cp f copy
	[ "$(stat -c '%s %b' copy)" = '1073741824 8' ]
	head -c 1M /dev/urandom >g
	fallocate -p -o 256K -l 512K g
	truncate -s 2M g
	[ "$(stat -c %b g)" = 1024 ]
	tar -cSf t.tar f copy g
	[ "$(stat -c %s t.tar)" -lt 700000 ]
	mkdir x
	tar -xf t.tar -C x
	cmp g x/g
	[ "$(stat -c '%s %b' x/f x/g)" = "$(printf '1073741824 8\n2097152 1024')" ]
}

@test "blocks are counted as by ext4" {
	open_folder
	printf x >f
	head -c 4097 /dev/zero >g
	touch empty
	ln -s f short
	ln -s "$(printf '%060d' 0)" long
	mkfifo p
	[ "$(stat -c '%n %b' -- *)" = "$(printf '%s\n' 'empty 0' 'f 8' 'g 16' \
		'long 8' 'p 0' 'short 0')" ]
}

@test "what is written through a mapping is no hole for whoever looks" {
	open_folder
	truncate -s 1M f
	python3 - <<'END'
import mmap, os, subprocess
fd = os.open("f", os.O_RDWR)
m = mmap.mmap(fd, 1 << 20)
m[500000] = 7
assert os.stat("f").st_blocks > 0
reader = os.open("f", os.O_RDONLY)
data = os.lseek(reader, 0, os.SEEK_DATA)
assert data <= 500000 < os.lseek(reader, data, os.SEEK_HOLE), data
m[900000] = 8
for command in (["cp", "f", "copy"], ["sh", "-c", "tar -cSf - f | tar -xO >copy"]):
    m[100000] += 1
    subprocess.run(command, check=True)
    with open("copy", "rb") as f:
        assert f.read() == m[:], command
END
}

@test "two processes share a mapping, and see what the others write" {
	open_folder
	python3 - <<'END'
import mmap, os, time

fd = os.open("f", os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, 8192)

def wait_for(memory, at, value):
    end = time.time() + 10
    while memory[at] != value:
        assert time.time() < end, (at, value)

pid = os.fork()
m = mmap.mmap(os.open("f", os.O_RDWR), 8192)
if pid == 0:
    wait_for(m, 0, 1)
    m[5000] = 2
    wait_for(m, 1, 3)
    os.pwrite(fd, b"\4", 5001)
    os._exit(0)
m[0] = 1
wait_for(m, 5000, 2)
os.pwrite(fd, b"\3", 1)
wait_for(m, 5001, 4)
assert os.waitpid(pid, 0)[1] == 0
assert os.pread(fd, 2, 0) == b"\1\3" and os.pread(fd, 2, 5000) == b"\2\4"
END
}

@test "random access by all means agrees with a model" {
	start -o memory=1M
	for seed in 1 2 3; do
		"$BATS_TEST_DIRNAME/random_io.py" "$M/main/f" "$seed" 500
	done
	restart
	[ -s "$M/main/f" ]
}

@test "large writes of every kind are what was written" {
	start -o memory=4M
	cd "$M/main"
	head -c 20M /dev/urandom >"$T/data"
	local size
	for size in 4K 128K 192K 256K 512K 1M 3M; do
		dd if="$T/data" of="f$size" bs="$size" status=none
		cmp "$T/data" "f$size"
	done
	# over others, side by side with one that is read and many small requests
	dd if="$T/data" of=f1M bs=1M skip=3 seek=2 conv=notrunc status=none &
	local one=$!
	dd if="$T/data" of=f3M bs=512K oflag=append conv=notrunc status=none &
	local two=$!
	dd if="$T/data" of=direct bs=1M oflag=direct status=none &
	local three=$!
	touch s{1..300}
	cmp "$T/data" f512K
	wait "$one" "$two" "$three"
	cat "$T/data" "$T/data" | cmp - f3M
	cmp "$T/data" direct
	{
		head -c 2M "$T/data"
		tail -c +3145729 "$T/data"
		tail -c 1M "$T/data"
	} | cmp - f1M
	# not at the borders of blocks or pages
	dd if="$T/data" of=odd bs=1M seek=777 oflag=seek_bytes status=none
	tail -c +778 odd | cmp "$T/data" -
	sync f1M
	crash
	cd "$T"
	start
	cmp "$T/data" "$M/main/f256K"
	tail -c +778 "$M/main/odd" | cmp "$T/data" -
	cat "$T/data" "$T/data" | cmp - "$M/main/f3M"
}

# RANDOM_CALLS=N in the environment: so many rounds
@test "random system calls do what they do on ext4, and it lasts" {
	needs_root
	[ "$(stat -f -c %T "$T")" = ext2/ext3 ] || skip "there is no ext4 to compare with"
	local calls=$BATS_TEST_DIRNAME/random_calls.py seed
	chmod a+x "$BATS_RUN_TMPDIR" "$(dirname "$T")" "$T"
	start -o suid,dev
	mkdir -m 777 "$T/w" "$M/main/w"
	for ((seed = 1; seed <= ${RANDOM_CALLS:-4}; seed++)); do
		"$calls" "$seed" 1500 "$T/w" "$M/main/w"
		"$calls" --tree "$M/main/w" >"$T/before"
		mkdir "$M/main/.irmin/fork/b$seed"
		"$calls" --tree "$M/b$seed/w" | diff "$T/before" -
		sync "$M/main"
		if ((seed % 2)); then
			crash
		else
			stop
		fi
		start -o suid,dev
		"$calls" --tree "$M/main/w" | diff "$T/before" -
	done
}

@test "a listing can be left and taken up again at any entry" {
	open_folder
	python3 - <<'END'
import ctypes, os

class Dirent(ctypes.Structure):
    _fields_ = [("ino", ctypes.c_uint64), ("off", ctypes.c_int64), ("len", ctypes.c_uint16),
                ("type", ctypes.c_uint8), ("name", ctypes.c_char * 256)]

libc = ctypes.CDLL(None)
libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p
libc.telldir.restype = ctypes.c_long
for name, types in {"telldir": [ctypes.c_void_p], "readdir": [ctypes.c_void_p],
                    "rewinddir": [ctypes.c_void_p], "closedir": [ctypes.c_void_p],
                    "seekdir": [ctypes.c_void_p, ctypes.c_long]}.items():
    getattr(libc, name).argtypes = types

def read(d):
    entry = libc.readdir(d)
    return entry and ctypes.cast(entry, ctypes.POINTER(Dirent)).contents.name.decode()

def check(path, least):
    d = libc.opendir(path.encode())
    places = []
    while True:
        place = libc.telldir(d)
        name = read(d)
        if not name:
            break
        places.append((place, name))
    assert len(places) >= least and len({n for _, n in places}) == len(places)
    for place, name in places[::-7] + places[::5]:
        libc.seekdir(d, place)
        assert read(d) == name, name
    libc.rewinddir(d)
    assert read(d) == places[0][1]
    return d, {name for _, name in places}

for i in range(3000):
    open(f"f{i}", "w").close()
d, names = check(".", 3002)
os.unlink("f7")
open("new", "w").close()
libc.rewinddir(d)
found = set()
while (name := read(d)):
    found.add(name)
assert found == names - {"f7"} | {"new"}
check("../.irmin", 10)
check("../..", 3)
END
}

@test "branches that come and go leave others in the listing once" {
	start
	for i in $(seq 200); do
		mkdir "$M/b$i"
	done
	python3 - "$M" <<'END'
import os, sys
mount = sys.argv[1]
stay = {f"b{i}" for i in range(1, 201) if i % 4}
pid = os.fork()
if pid == 0:
    for i in range(4, 201, 4):
        os.rmdir(f"{mount}/b{i}")
        os.mkdir(f"{mount}/new{i}")
    os._exit(0)
done = False
while not done:
    done = os.waitpid(pid, os.WNOHANG)[0] != 0
    names = os.listdir(mount)
    assert len(names) == len(set(names))
    assert stay <= set(names), stay - set(names)
assert set(os.listdir(mount)) == stay | {f"new{i}" for i in range(4, 201, 4)} | {"main"}
END
}

@test "a directory of many entries is listed whole while it changes" {
	open_folder
	python3 - <<'END'
import os
for i in range(20000):
    os.close(os.open(f"entry-{i:05}", os.O_CREAT | os.O_WRONLY))
pid = os.fork()
if pid == 0:
    for i in range(0, 20000, 5):
        os.unlink(f"entry-{i:05}")
        os.close(os.open(f"other-{i:05}", os.O_CREAT | os.O_WRONLY))
    os._exit(0)
stay = {f"entry-{i:05}" for i in range(20000) if i % 5}
done = False
while not done:
    done = os.waitpid(pid, os.WNOHANG)[0] != 0
    names = os.listdir(".")
    assert len(names) == len(set(names)), "twice"
    assert stay <= set(names), "lost"
assert len(os.listdir(".")) == 20000
END
	rm -r "$M/main/w"
}

@test "bad names and places have the errors of ext4" {
	open_folder
	python3 - <<'END'
import errno, os

def fails(error, action, *arguments):
    try:
        action(*arguments)
    except OSError as e:
        assert e.errno == error, (e, error)
        return
    raise SystemExit(f"{action.__name__}{arguments} did not fail")

open("f", "w").close()
os.mkdir("d")
os.mkdir("d/e")
os.symlink("loop", "loop")
for action in (os.mkdir, os.rmdir, os.unlink, os.listdir, os.stat):
    fails(errno.ENAMETOOLONG, action, "x" * 256)
    fails(errno.ENOTDIR, action, "f/x")
    fails(errno.ELOOP, action, "loop/x")
    fails(errno.ENOENT, action, "none/x")
    fails(errno.ENAMETOOLONG, action, "/".join(["d"] * 3000))
open("y" * 255, "w").close()
fails(errno.ENAMETOOLONG, os.rename, "f", "x" * 256)
fails(errno.EISDIR, os.open, "d", os.O_WRONLY)
fails(errno.EISDIR, os.rename, "f", "d")
fails(errno.ENOTDIR, os.rename, "d", "f")
fails(errno.ENOTEMPTY, os.rmdir, "d")
fails(errno.EINVAL, os.rename, "d", "d/e/g")
fails(errno.EINVAL, os.rmdir, "d/e/.")
fails(errno.EEXIST, os.mkdir, "f")
fails(errno.EEXIST, os.open, "f", os.O_CREAT | os.O_EXCL)
fails(errno.ELOOP, os.open, "loop", os.O_RDONLY | os.O_NOFOLLOW)
fails(errno.EISDIR, os.unlink, "d")
fails(errno.ENOTDIR, os.rmdir, "f")
fails(errno.EINVAL, os.truncate, "f", -1)
fails(errno.EINVAL, os.readlink, "f")
for byte in set(range(1, 256)) - {ord("/")}:
    name = bytes([byte, 120 if byte == ord(".") else byte])
    with open(name, "w") as f:
        f.write(str(byte))
    assert open(name).read() == str(byte)
assert len(os.listdir(b".")) == 254 + 4
END
}
