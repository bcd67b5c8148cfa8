#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# Inserting and deleting in the middle of files.
load common

irminfs() {
	"$IRMINFS" "$@"
}

number() {
	awk -v name="$1" '$1 == name { print $2 }' "$M/.irmin/stats"
}

# model OFFSET DELETE INSERT: does to $T/model what splice does to a file
model() {
	python3 - "$T/model" "$@" <<'END'
import sys
path, offset, delete, insert = sys.argv[1:]
offset, delete = int(offset), int(delete)
data = open(path, "rb").read()
data = data[:offset] + insert.encode() + data[offset + delete:]
open(path, "wb").write(data)
END
}

# both OFFSET DELETE INSERT: and compares
both() {
	irminfs splice "$F" "$1" --delete "$2" --insert "$3"
	model "$@"
	cmp "$F" "$T/model"
}

@test "splice inserts and deletes at the begin, in the middle and at the end" {
	start
	F=$M/main/f
	seq 10000 | tee "$T/model" >"$F"
	both 0 0 "first "
	both 0 3 ""
	both 20000 0 "in the middle"
	both 20005 100 "instead"
	both "$(stat -c %s "$F")" 0 "last"
	both "$(($(stat -c %s "$F") - 4))" 100 ""
	both 100 0 ""
	[ "$(sha1sum <"$F")" = "$(sha1sum <"$T/model")" ]
	sync "$F"
	store_git show main:f | cmp - "$T/model"
	store_git fsck --strict
	restart
	cmp "$F" "$T/model"
}

@test "standard input of any size goes in" {
	start
	F=$M/main/f
	printf 'head\ntail\n' >"$F"
	seq 300000 | irminfs splice "$F" 5 --insert -
	(echo head; seq 300000; echo tail) | cmp - "$F"
	irminfs splice "$F" 5 --delete 1968895 --insert - </dev/null
	(echo head; seq 300000; echo tail) | head -c 5 | cmp -n 5 - "$F"
	sync "$F"
	store_git cat-file blob main:f | cmp - "$F"
}

@test "what cannot be spliced is told" {
	start
	echo text >"$M/main/f"
	echo text >"$T/outside"
	run irminfs splice "$T/outside" 0 --insert x
	[ "$status" -eq 128 ]
	[[ $output == *"$T/outside is not a file in an irminfs mount"* ]]
	[ "$(cat "$T/outside")" = text ]
	run irminfs splice "$M/main/f" 6 --insert x
	[ "$status" -eq 128 ]
	[[ $output == *"offset 6 is behind the end of $M/main/f"* ]]
	run irminfs splice "$M/main/absent" 0 --insert x
	[[ $output == *"No such file"* ]]
	run irminfs splice "$M/main" 0 --insert x
	[ "$status" -eq 128 ]
	run irminfs splice "$M/main/f" x --insert x
	[ "$status" -eq 129 ]
	run irminfs splice "$M/main/f" 0 --delete -1
	[ "$status" -eq 129 ]
	run irminfs splice "$M/main/f" 0
	[ "$status" -eq 129 ]
	run timeout 20 "$IRMINFS" splice "$M/main/f" 1 --insert - <"$M/main/f"
	[ "$status" -eq 128 ]
	[[ $output == *"$M/main/f is the input itself" ]]
	sync "$M/main/f"
	run irminfs splice "$M/main@~0/f" 0 --insert x
	[[ $output == *"Read-only"* ]]
	[ "$(cat "$M/main/f")" = text ]
}

@test "the ioctl needs a descriptor that is open for writing" {
	start
	echo 12345 >"$M/main/f"
	python3 - "$M/main/f" <<'END'
import errno, fcntl, os, struct, sys
path = sys.argv[1]
def request(size):
    return 1 << 30 | (16 + size) << 16 | 0xb7 << 8 | 2
def splice(fd, offset, delete, data):
    fcntl.ioctl(fd, request(len(data)),
                bytearray(struct.pack("QQ", offset, delete) + data))
def fails(want, *arguments):
    try:
        splice(*arguments)
    except OSError as e:
        assert e.errno == want, e
    else:
        assert False
reading = os.open(path, os.O_RDONLY)
fails(errno.EBADF, reading, 0, 0, b"x")
folder = os.open(os.path.dirname(path), os.O_RDONLY)
fails(errno.ENOTTY, folder, 0, 0, b"x")
fd = os.open(path, os.O_RDWR)
fails(errno.EINVAL, fd, 7, 0, b"x")
fails(errno.EINVAL, fd, 2**64 - 1, 2**64 - 1, b"x")
splice(fd, 2, 2**64 - 1, b"abc")
assert os.pread(fd, 100, 0) == b"12abc"
assert os.pread(reading, 100, 0) == b"12abc"
assert os.fstat(fd).st_size == 5
splice(fd, 1, 0, b"z" * 16352)
assert os.fstat(reading).st_size == 5 + 16352
assert os.pread(reading, 3, 0) == b"1zz"
END
}

@test "mapped pages are those of the file, before and after" {
	start
	python3 - "$M/main/f" "$IRMINFS" <<'END'
import mmap, os, subprocess, sys
path, irminfs = sys.argv[1:]
fd = os.open(path, os.O_RDWR | os.O_CREAT)
os.write(fd, b"a" * 20000)
m = mmap.mmap(fd, 20000)
m[10000:10005] = b"dirty"
subprocess.run([irminfs, "splice", path, "0", "--insert", "123"], check=True)
assert os.pread(fd, 5, 10003) == b"dirty"
assert m[10003:10008] == b"dirty" and m[0:4] == b"123a"
m[0:1] = b"x"
m.flush()
assert os.pread(fd, 4, 0) == b"x23a"
assert os.fstat(fd).st_size == 20003
END
}

@test "an insertion journals what it inserts, and kill -9 loses nothing" {
	start
	F=$M/main/f
	head -c 30000000 /dev/urandom | tee "$T/model" >"$F"
	sync "$F"
	irminfs publish -C "$M/main"
	local before after
	both 10000000 0 "one"
	sync "$F"
	before=$(number journal_bytes)
	both 20000000 5 "two"
	both 0 10 "three"
	sync "$F"
	after=$(number journal_bytes)
	[ $((after - before)) -lt 20000 ]
	crash
	start
	cmp "$F" "$T/model"
	both 5 5 "after"
	sync "$F"
	crash
	start
	cmp "$F" "$T/model"
	store_git cat-file blob main:f | cmp - "$T/model"
}

@test "a fork has the file as it was, and shares it" {
	start
	F=$M/main/f
	seq 200000 | tee "$T/model" >"$F"
	both 500000 0 "before the fork"
	mkdir "$M/main/.irmin/fork/side"
	cp "$T/model" "$T/forked"
	both 100 50 "after the fork"
	cmp "$M/side/f" "$T/forked"
	irminfs splice "$M/side/f" 0 --insert "in the fork"
	cmp "$F" "$T/model"
	restart
	cmp "$F" "$T/model"
	(printf "in the fork"; cat "$T/forked") | cmp - "$M/side/f"
}

@test "who reads, writes and splices at once gets whole bytes" {
	start
	python3 - "$M/main/f" <<'END'
import fcntl, os, struct, sys, threading
path = sys.argv[1]
fd = os.open(path, os.O_RDWR | os.O_CREAT)
os.write(fd, b"a" * 100000)
def splice(offset, delete, data):
    fcntl.ioctl(fd, 1 << 30 | (16 + len(data)) << 16 | 0xb7 << 8 | 2,
                struct.pack("QQ", offset, delete) + data)
def insert():
    for i in range(300):
        splice(i * 7, 0, b"b" * 10)
def write():
    for i in range(300):
        os.pwrite(fd, b"c" * 100, i * 311)
        if i % 50 == 0:
            os.fsync(fd)
def read():
    for i in range(300):
        assert not set(os.pread(fd, 5000, i * 97)) - set(b"abc")
threads = [threading.Thread(target=t) for t in (insert, write, read, read)]
for t in threads: t.start()
for t in threads: t.join()
data = open(path, "rb").read()
assert len(data) == 103000, len(data)
assert not set(data) - set(b"abc")
END
	sync "$M/main/f"
	store_git cat-file blob main:f | cmp - "$M/main/f"
}

@test "thousands of changes at once are journaled as what they are" {
	# those of a quadratic time would not end
	local splices=20000
	grep -q __asan_init "$IRMINFS-whole" && splices=5000
	start
	F=$M/main/f
	head -c 20000000 /dev/urandom | tee "$T/model" >"$F"
	sync "$F"
	irminfs publish -C "$M/main"
	local before after
	before=$(number journal_bytes)
	python3 - "$F" "$T/model" $splices <<'END'
import fcntl, os, struct, sys
path, model, splices = sys.argv[1], sys.argv[2], int(sys.argv[3])
fd = os.open(path, os.O_RDWR)
data = open(model, "rb").read()
pieces = []
end = len(data)
for i in range(splices, 0, -1):
    at = i * (19950000 // splices)
    fcntl.ioctl(fd, 1 << 30 | 18 << 16 | 0xb7 << 8 | 2,
                struct.pack("QQ", at, 1) + b"ab")
    pieces += [data[at + 1:end], b"ab"]
    end = at
open(model, "wb").write(data[:end] + b"".join(reversed(pieces)))
os.fsync(fd)
END
	after=$(number journal_bytes)
	echo "$((after - before)) bytes"
	[ $((after - before)) -lt $((splices * 100)) ]
	crash
	start
	cmp "$F" "$T/model"
}

@test "small changes of long texts are as durable as any, published or not" {
	start
	F=$M/main/f
	seq 300000 | tee "$T/model" >"$F"
	local at
	for at in 5 1000000 70000 2000000 131072; do
		sync "$F"
		irminfs publish -C "$M/main"
		printf changed | tee >(dd of="$T/model" bs=1 seek="$at" \
			conv=notrunc status=none) |
			dd of="$F" bs=1M seek="$at" oflag=seek_bytes \
				conv=notrunc,fsync status=none
		cmp "$F" "$T/model"
		crash
		start
		cmp "$F" "$T/model"
		echo more | tee -a "$T/model" >>"$F"
	done
	sync "$F"
	irminfs publish -C "$M/main"
	store_git cat-file blob main:f | cmp - "$T/model"
}
