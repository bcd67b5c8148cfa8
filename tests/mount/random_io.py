#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""random_io.py FILE SEED STEPS: random reads, writes, appends, truncations, holes
and mapped accesses to FILE, by two descriptors and a mapping at once and now and
then by another process, compared with the same done to an array of bytes.

A difference ends it with status 1 and the seed, step and place of it.
"""
import ctypes
import mmap
import os
import random
import sys

MOST = 1 << 19
BLOCK = 1 << 16
PUNCH, ZERO, KEEP = 2, 16, 1
libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate64.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


class Run:
    def __init__(self, path, seed):
        self.path, self.seed, self.step = path, seed, 0
        self.chooser = random.Random(seed)
        self.model = bytearray()
        self.log = []
        self.fds = [os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644),
                    os.open(path, os.O_RDWR)]
        self.appender = os.open(path, os.O_WRONLY | os.O_APPEND)

    def fail(self, what):
        print(f"{what}: seed {self.seed}, step {self.step}")
        print("\n".join(self.log[-12:]))
        sys.exit(1)

    def fd(self):
        return self.chooser.choice(self.fds)

    def size(self):
        """Mostly small, at times many blocks, also whole ones."""
        if self.chooser.random() < 0.1:
            return BLOCK * self.chooser.randrange(2, 5)
        return self.chooser.randrange(1, self.chooser.choice((16, 5000, 70000, 200000)))

    def place(self, size):
        """Often at borders of pages and blocks."""
        offset = self.chooser.randrange(0, max(1, MOST - size))
        if size % BLOCK == 0:
            offset &= -BLOCK
        elif self.chooser.random() < 0.5:
            offset = max(0, (offset & ~4095) + self.chooser.choice((-1, 0, 0, 1)))
        return offset

    def data(self, size):
        return self.chooser.randbytes(min(size, 997)) * (size // 997 + 1)

    def compare(self, got, offset, what):
        wanted = self.model[offset:offset + len(got)]
        if got != wanted:
            at = next((i for i, (a, b) in enumerate(zip(got, wanted)) if a != b),
                      min(len(got), len(wanted)))
            self.fail(f"{what} differs at {offset + at}")

    def put(self, offset, data):
        if offset > len(self.model):
            self.model.extend(bytes(offset - len(self.model)))
        self.model[offset:offset + len(data)] = data

    # ---- operations ----

    def read(self):
        size = self.size()
        offset = self.place(size)
        got = os.pread(self.fd(), size, offset)
        if len(got) != max(0, min(size, len(self.model) - offset)):
            self.fail("length read")
        self.compare(got, offset, "read")

    def write(self):
        size = self.size()
        offset = self.place(size)
        data = self.data(size)[:size]
        self.log.append(f"write {offset} {size}")
        os.pwrite(self.fd(), data, offset)
        self.put(offset, data)

    def append(self):
        if len(self.model) > MOST:
            return
        data = self.data(3000)[:self.chooser.randrange(1, 3000)]
        self.log.append(f"append {len(data)}")
        os.write(self.appender, data)
        self.put(len(self.model), data)

    def truncate(self):
        size = self.place(1)
        self.log.append(f"truncate {size}")
        os.ftruncate(self.fd(), size)
        del self.model[size:]
        self.model.extend(bytes(size - len(self.model)))

    def hole(self):
        size = self.size()
        offset = self.place(size)
        mode = self.chooser.choice((PUNCH | KEEP, ZERO | KEEP, ZERO, 0))
        self.log.append(f"fallocate {mode} {offset} {size}")
        if libc.fallocate64(self.fd(), mode, offset, size) < 0:
            self.fail(f"fallocate: errno {ctypes.get_errno()}")
        end = min(offset + size, len(self.model))
        if mode & (PUNCH | ZERO) and offset < end:
            self.model[offset:end] = bytes(end - offset)
        if not mode & KEEP and offset + size > len(self.model):
            self.put(offset + size, b"")

    def mapped(self):
        if not self.model:
            return
        with mmap.mmap(self.fd(), len(self.model)) as m:
            size = min(self.size(), len(self.model))
            offset = self.chooser.randrange(0, len(self.model) - size + 1)
            self.compare(m[offset:offset + size], offset, "mapped read")
            if self.chooser.random() < 0.7:
                data = self.data(size)[:size]
                self.log.append(f"mapped write {offset} {size}")
                m[offset:offset + size] = data
                self.put(offset, data)
                if self.chooser.random() < 0.3:
                    m.flush()
                # seen by read(2) and taken over by write(2) at once
                self.compare(os.pread(self.fd(), size, offset), offset, "read of mapped")
                if self.chooser.random() < 0.3:
                    self.write()
                    at = min(offset, len(self.model))
                    self.compare(m[at:at + size], at, "mapping after write")

    def holes(self):
        """Between data and holes nothing but zeros is left out."""
        at, end = 0, len(self.model)
        while at < end:
            try:
                data = os.lseek(self.fds[0], at, os.SEEK_DATA)
            except OSError:
                data = end
            if any(self.model[at:data]):
                self.fail(f"hole at {at} has data")
            if data >= end:
                break
            at = os.lseek(self.fds[0], data, os.SEEK_HOLE)
            if not data < at <= end:
                self.fail(f"hole behind {data} at {at}")

    def copy(self):
        size = self.size()
        source, target = self.place(size), self.place(size)
        if abs(source - target) < size or source >= len(self.model):
            return
        size = min(size, len(self.model) - source)
        self.log.append(f"copy {source} {target} {size}")
        done = 0
        while done < size:
            done += os.copy_file_range(self.fds[0], self.fds[1], size - done,
                                       source + done, target + done)
        self.put(target, self.model[source:source + size])

    def reopen(self):
        os.close(self.fds[1])
        self.fds[1] = os.open(self.path, os.O_RDWR)

    def sync(self):
        os.fsync(self.fd())

    def child(self):
        """Another process finds and changes the same."""
        pid = os.fork()
        size = self.size()
        offset = self.place(size)
        data = self.data(size)[:size]
        self.log.append(f"child writes {offset} {size}")
        if pid == 0:
            try:
                fd = os.open(self.path, os.O_RDWR)
                self.compare(os.pread(fd, len(self.model) + 1, 0), 0, "read by child")
                os.pwrite(fd, data, offset)
                os._exit(0)
            finally:
                os._exit(1)
        if os.waitpid(pid, 0)[1] != 0:
            self.fail("child")
        self.put(offset, data)

    def run(self, steps):
        operations = ([self.read] * 6 + [self.write] * 6 + [self.mapped] * 6 +
                      [self.append, self.truncate] * 2 + [self.hole] * 3 +
                      [self.holes, self.copy, self.reopen] + [self.sync])
        for self.step in range(steps):
            self.chooser.choice(operations)()
            if self.step % 100 == 99:
                self.child()
            if os.fstat(self.fd()).st_size != len(self.model):
                self.fail(f"size {os.fstat(self.fd()).st_size}, not {len(self.model)}")
        self.compare(os.pread(self.fd(), len(self.model) + 1, 0), 0, "all")


run = Run(sys.argv[1], int(sys.argv[2]))
run.run(int(sys.argv[3]))
