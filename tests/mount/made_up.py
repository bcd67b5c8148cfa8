#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""made_up.py: ropes that no irminfs would make, as somebody might push them.

  made_up.py make STORE     a branch for each, with the file f.rope
  made_up.py change MOUNT [SHARE]
                            changes each of them in forks, in several ways (one of
                            SHARE of them), and tells how the forks' files ought to
                            read then
  made_up.py check MOUNT    compares what that told (standard input) with the files
"""
import ctypes
import errno
import hashlib
import json
import os
import subprocess
import sys
import zlib

XXH = ctypes.CDLL("libxxhash.so.0")
XXH.XXH3_64bits.restype = ctypes.c_uint64
XXH.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
MISSING = "12" * 20
SIZE = 700                      # of a chunk here


class Store:
    def __init__(self, path):
        self.path = path

    def write(self, kind, data):
        data = f"{kind} {len(data)}".encode() + b"\0" + data
        oid = hashlib.sha1(data).hexdigest()
        folder = f"{self.path}/objects/{oid[:2]}"
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/{oid[2:]}", "wb") as file:
            file.write(zlib.compress(data, 1))
        return oid

    def tree(self, entries):
        """entries: (mode, name, id), which stay in that order"""
        return self.write("tree", b"".join(
            f"{mode} {name}".encode() + b"\0" + bytes.fromhex(oid)
            for mode, name, oid in entries))

    def branch(self, name, entries):
        who = "Tester <tester@example.org> 1700000000 +0000"
        commit = self.write("commit", (
            f"tree {self.tree(entries)}\nauthor {who}\ncommitter {who}\n\n"
            "made up\n").encode())
        subprocess.run(["git", f"--git-dir={self.path}", "update-ref",
                        f"refs/heads/{name}", commit], check=True)

    # of a chunk or a node: (id, bytes, newlines)

    def chunk(self, number, size=SIZE):
        line = f"{number:08d} ".ljust(size - 1, "x")[:size - 1] + "\n"
        return self.write("blob", line.encode()), size, 1

    def node(self, level, children, mode="100644", names=None):
        names = names or [f"{i:02x}-{c[1]}-{c[2]}"
                          for i, c in enumerate(children)]
        entries = [("40000" if level else "100644", name, c[0])
                   for name, c in zip(names, children)]
        behind = b"".join(f"{m} {n}".encode() + b"\0" + bytes.fromhex(o)
                          for m, n, o in entries)
        size, newlines = (sum(c[i] for c in children) for i in (1, 2))
        header = (f"irmin rope 1\nlevel {level}\nsize {size}\n"
                  f"newlines {newlines}\nchecksum "
                  f"{XXH.XXH3_64bits(behind, len(behind)):016x}\n")
        header = self.write("blob", header.encode())
        return (self.tree([(mode, ".irmin-rope", header), *entries]), size,
                newlines)

    def nodes(self, count=20):
        return [self.node(0, [self.chunk(100 * k + i) for i in range(count)])
                for k in range(4)]

    def with_chunk(self, *chunk):
        """One of the chunks is that one."""
        nodes = self.nodes()
        nodes[1] = self.node(0, [chunk if i == 5 else self.chunk(100 + i)
                                 for i in range(20)])
        return self.node(1, nodes)

    def with_node(self, at, oid=None, size=0, newlines=0):
        """One of the nodes is another, or is said to have more than it has."""
        nodes = self.nodes()
        nodes[at] = (oid or nodes[at][0], nodes[at][1] + size,
                     nodes[at][2] + newlines)
        return self.node(1, nodes)

    def deep(self, bottom, levels):
        node = bottom
        for level in range(1, levels):
            node = self.node(level, [node])
        return self.node(levels, [node, node])

    def ropes(self):
        x, folder = self.chunk(999), self.nodes()[0][0]
        leaf = self.node(0, [self.chunk(i) for i in range(3)])
        yield "good", self.node(1, self.nodes())
        yield "chunk-size", self.with_chunk(x[0], SIZE + 100, 1)
        yield "chunk-lines", self.with_chunk(x[0], SIZE, 0)
        yield "chunk-more-lines", self.with_chunk(x[0], SIZE, 5)
        yield "chunk-missing", self.with_chunk(MISSING, SIZE, 1)
        yield "chunk-folder", self.with_chunk(folder, SIZE, 1)
        yield "node-size", self.with_node(1, size=SIZE)
        yield "node-lines", self.with_node(2, newlines=9)
        yield "node-missing", self.with_node(2, oid=MISSING)
        yield "node-blob", self.with_node(2, oid=x[0])
        yield "first-node", self.with_node(0, oid=MISSING)
        yield "last-node", self.with_node(3, oid=MISSING)
        yield "all-nodes", self.node(1, [(MISSING, SIZE, 0)] * 256)
        yield "level", self.node(2, [leaf, leaf])
        yield "x-bit", self.node(1, [self.node(0, [x], mode="100755"), leaf])
        yield "single", self.node(2, [self.node(1, [leaf]),
                                      self.node(1, [leaf])])
        yield "high", self.deep(leaf, 10)
        yield "too-high", self.deep(leaf, 11)
        yield "highest", self.deep(leaf, 15)
        yield "highest-bad", self.node(15, [(MISSING, SIZE, 0)] * 256)
        yield "higher", self.deep(leaf, 16)
        yield "higher-bad", self.node(10, [
            self.node(9, [("00000000" + MISSING[8:], 8, 0)] * 256)] * 256)
        yield "bytes", self.node(0, [self.chunk(i, 1) for i in range(200)])
        yield "gib", self.node(1, [(x[0], 1 << 33, 0)] * 2)
        yield "tib", self.node(1, [(x[0], 1 << 39, 0)] * 2)
        yield "size-63", self.node(1, [(x[0], 1 << 63, 0)] * 2)
        yield "size-64", self.node(1, [(x[0], 1 << 64, 0)] * 2)
        chunks = [self.chunk(i) for i in range(5)]
        for name, names in {"zero": "00-0700-1", "case": "0A-700-1",
                            "order": "01-700-1", "long": "00-700-1-"}.items():
            yield f"name-{name}", self.node(0, chunks, names=[
                names, *(f"{i:02x}-700-1" for i in range(1, 5))])


def make(store):
    store = Store(store)
    attributes = store.write("blob", b"*.rope irmin=rope\n")
    for name, rope in store.ropes():
        store.branch(name, [("100644", ".gitattributes", attributes),
                            ("40000", "f.rope", rope[0])])


# ---- changing ----

PIECE = 100                     # chunks begin and end between these
LARGE = 200 * SIZE              # of more nothing is read


def read(path):
    """A list of pieces, None: cannot be read.  Without the kernel's cache, in which
    a bad byte takes its whole page along"""
    pieces = []
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    for offset in range(0, min(os.fstat(fd).st_size, LARGE), PIECE):
        try:
            pieces.append(os.pread(fd, PIECE, offset).decode())
        except OSError as error:
            assert error.errno in (errno.EIO, errno.EUCLEAN, errno.EFBIG)
            pieces.append(None)
    os.close(fd)
    return pieces


def splice(path, offset, size, data):
    if size:
        words = ["--delete", str(size)]
    else:
        words = ["--insert", data.decode()]
    subprocess.run([os.environ["IRMINFS"], "splice", path, str(offset),
                    *words], check=True, stderr=subprocess.DEVNULL)


def change(path, how, size):
    """Changes it, and returns how its pieces change"""
    new = PIECE * b"n"
    fd = os.open(path, os.O_RDWR)
    half = size // PIECE // 2 * PIECE
    try:
        if how == "append":
            os.pwrite(fd, new, size)
            return lambda p: p + [new.decode()]
        if how == "cut":
            os.truncate(fd, half)
            return lambda p: p[:half // PIECE]
        if how == "zero":
            os.truncate(fd, 0)
            return lambda p: []
        if how == "delete":
            splice(path, PIECE, half, None)
            return lambda p: p[:1] + p[1 + half // PIECE:]
        at = {"front": 1, "chunk": 35 * 5 // 7 + 150, "half": half // PIECE}
        word, _, place = how.partition("-")
        at = min(at[place], max(0, size // PIECE - 1))
        if word == "write":
            os.pwrite(fd, new, at * PIECE)
            return lambda p: p[:at] + [new.decode()] + p[at + 1:]
        splice(path, at * PIECE, 0, new)
        return lambda p: p[:at] + [new.decode()] + p[at:]
    finally:
        os.close(fd)


HOWS = ["append", "cut", "zero", "delete", "write-front", "write-chunk",
        "write-half", "insert-front", "insert-chunk", "insert-half"]
REFUSED = (errno.EIO, errno.EUCLEAN, errno.EFBIG)


def change_all(mount, share="1"):
    for number, branch in enumerate(sorted(os.listdir(mount))):
        file = f"{mount}/{branch}/f.rope"
        if not os.path.isfile(file):
            print(json.dumps([branch, "is no file", None, None]))
            continue
        size, before = os.stat(file).st_size, read(file)
        for how in HOWS[number % int(share)::int(share)]:
            fork = f"{branch}.{how}"
            os.mkdir(f"{mount}/{branch}/.irmin/fork/{fork}")
            result, after = "done", list(before)
            try:
                after = change(f"{mount}/{fork}/f.rope", how, size)(after)
            except OSError as error:
                assert error.errno in REFUSED, (fork, error)
                result = errno.errorcode[error.errno]
            except subprocess.CalledProcessError:
                result = "refused"
            with open(f"{mount}/{fork}/other", "w") as other:
                other.write(fork)
            print(json.dumps([fork, result, size,
                              after if size < LARGE else []]))


def check_all(mount):
    for line in sys.stdin:
        fork, result, size, expected = json.loads(line)
        if size is None:
            assert os.path.isdir(f"{mount}/{fork}/f.rope"), fork
            continue
        with open(f"{mount}/{fork}/other") as other:
            assert other.read() == fork, fork
        if size >= LARGE:
            continue
        found = read(f"{mount}/{fork}/f.rope")
        assert len(found) == len(expected), (fork, result)
        for i, (a, b) in enumerate(zip(found, expected)):
            # a piece at a bad place may be read with another offset
            assert a == b or a is None or b is None, (fork, result, i, a, b)
        assert (None in expected) or None not in found, (fork, result)


if __name__ == "__main__":
    {"make": make, "change": change_all, "check": check_all}[sys.argv[1]](
        *sys.argv[2:])
