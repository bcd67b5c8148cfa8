#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""power.py: what irminfs leaves on a disk that loses its power.

A store lies on an ext4 on a loop device over a file that `recorder` serves, which
records each write and each flush.  Clients (clients.py) work in a mount of it and
note how far the record had come when something was acknowledged.  From the
record images of the disk are made as a power cut would leave it: all that was
written before a flush, and of the writes behind it any, some of them torn at
sectors of 512 bytes.  In each image ext4 and irminfs are mounted, which must have
all that was acknowledged by then and no half cut, and Git must find the store in
order.

  IRMINFS, RECORDER      the programs
  IRMINFS_POWER_IMAGES   how many images (8)
  IRMINFS_POWER_STRICT   if set, objects that nothing leads to must be whole, too
  IRMINFS_POWER_KEEP     where to leave a copy of the last image
  IRMINFS_CRASH_SEED     steps and images; printed
"""
import bisect
import os
import random
import shutil
import struct
import subprocess
import sys
import time

from clients import Clients, Fault
from mounting import (Daemon, can_mount, check_sanitizers, fsck, fsck_reachable,
                      is_mounted, run, run_test, users)

IMAGES = int(os.environ.get("IRMINFS_POWER_IMAGES") or 8)
STRICT = "IRMINFS_POWER_STRICT" in os.environ
KEEP = os.environ.get("IRMINFS_POWER_KEEP")
SECONDS = 3     # of load
SIZE = 512 << 20
FLUSH = 2**64 - 1
SECTOR = 512


class Loop:
    """A loop device over a file, with the ext4 on it."""

    def __init__(self, folder, file, mount):
        self.mount = mount
        self.device = None
        folder.later(self.destroy)
        self.device = run("losetup", "--find", "--show", file).strip()

    def format(self):
        run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard",
            "-J", "size=8", self.device)

    def begin(self):
        run("mount", "-t", "ext4", "-o", "nodiscard", self.device, self.mount)

    def end(self):
        """Nobody may use it any more."""
        try:
            if self.device and is_mounted(self.mount):
                run("umount", self.mount)
        except RuntimeError as error:
            raise RuntimeError(f"{error}{', '.join(users(self.mount))}") from error
        self.detach()

    def detach(self):
        if self.device:
            run("losetup", "--detach", self.device)
        self.device = None

    def destroy(self):
        """A git that a killed daemon has left may still use it."""
        if self.device and is_mounted(self.mount):
            run("umount", "-l", self.mount)
        self.detach()


class Record:
    """Entries of the log: where each begins and ends, its offset and length."""

    def __init__(self, path):
        self.file = open(path, "rb")
        self.entries = []
        at, size = 0, os.path.getsize(path)
        while at + 12 <= size:
            self.file.seek(at)
            offset, length = struct.unpack("<QI", self.file.read(12))
            if at + 12 + length > size:
                break
            self.entries.append((at + 12 + length, offset, length))
            at += 12 + length
        self.ends = [entry[0] for entry in self.entries]

    def data(self, i):
        end, _, length = self.entries[i]
        self.file.seek(end - length)
        return self.file.read(length)

    def is_flush(self, i):
        return self.entries[i][1] == FLUSH

    def count_at(self, position):
        """Of entries that were complete at a position."""
        return bisect.bisect_right(self.ends, position)


class Image:
    """A disk with all that was flushed; moves on along the record."""

    def __init__(self, record, path):
        self.record = record
        self.path = path
        self.at = 0
        with open(path, "wb") as file:
            file.truncate(SIZE)

    def advance(self, to):
        with open(self.path, "r+b") as file:
            for i in range(self.at, to):
                if not self.record.is_flush(i):
                    os.pwrite(file.fileno(), self.record.data(i), self.record.entries[i][1])
        self.at = to

    def cut(self, cut, path, draw):
        """A copy as a power cut after `cut` entries leaves it."""
        flush = max((i + 1 for i in range(self.at, cut) if self.record.is_flush(i)),
                    default=self.at)
        self.advance(flush)
        run("cp", "--sparse=always", self.path, path)
        kept = draw.choice((0, 0.2, 0.5, 0.9, 1))
        with open(path, "r+b") as file:
            for i in range(flush, cut):
                if draw.random() < kept:
                    self.put(file.fileno(), i, draw)
        return cut - flush

    def put(self, fd, i, draw):
        data, offset = self.record.data(i), self.record.entries[i][1]
        if draw.randrange(4):
            os.pwrite(fd, data, offset)
            return
        for at in range(0, len(data), SECTOR):
            if draw.randrange(2):
                os.pwrite(fd, data[at:at + SECTOR], offset + at)


class Test:
    def __init__(self, folder, number):
        self.folder = folder
        self.number = number
        self.disk = folder.make("disk")
        self.mount = folder.make("mnt")
        self.log = os.path.join(folder.path, "log")
        self.rubbish = []
        self.record_path = os.path.join(folder.path, "record")

    def start(self):
        daemon = Daemon(f"{self.disk}/store.git", self.mount, self.log)
        self.folder.later(daemon.destroy)
        daemon.wait_ready()
        return daemon

    def serve(self):
        base, served = os.path.join(self.folder.path, "base"), self.folder.make("served")
        with open(base, "wb") as file:
            file.truncate(SIZE)
        process = subprocess.Popen([os.environ["RECORDER"], base, self.record_path, served])

        def end():
            if is_mounted(served):
                run("umount", served)
            process.wait()
        self.folder.later(end)
        for _ in range(200):
            if is_mounted(served):
                return f"{served}/disk"
            time.sleep(0.02)
        raise RuntimeError("the recorder does not mount")

    def position(self):
        return os.stat(self.record_path).st_size

    def load(self):
        """Records some seconds of work; where it began and ended."""
        loop = Loop(self.folder, self.serve(), self.disk)
        loop.format()
        loop.begin()
        daemon = self.start()
        run("sync", "-f", self.disk)
        self.clients = Clients(self.folder.make("logs"), self.number)
        begin = self.position()
        self.clients.start(self.mount, self.position)
        time.sleep(SECONDS)
        end = self.position()
        self.clients.end()
        daemon.end()
        loop.end()
        if self.clients.wrong:
            raise Fault(", ".join(self.clients.wrong))
        return begin, end

    def check(self, path, position):
        loop = Loop(self.folder, path, self.disk)
        loop.begin()
        fsck_reachable(f"{self.disk}/store.git", self.folder)
        daemon = self.start()
        before = [(c.step, c.state) for c in self.clients.clients]
        total = self.clients.check(self.mount, position)
        self.go_on()
        for client, state in zip(self.clients.clients, before):
            client.step, client.state = state
        daemon.end()
        fsck_reachable(f"{self.disk}/store.git", self.folder)
        self.look_for_rubbish()
        loop.end()
        return total

    def look_for_rubbish(self):
        try:
            fsck(f"{self.disk}/store.git")
        except RuntimeError as error:
            if STRICT:
                raise
            self.rubbish.append(str(error))

    def go_on(self):
        """The steps that were lost are done again: what a cut left half written
        must not be taken for what they write."""
        clients = Clients(self.folder.make("more"), self.number)
        for new, old in zip(clients.clients, self.clients.clients):
            new.step, new.state = old.step, old.state
        clients.start(self.mount)
        time.sleep(0.3)
        clients.end()
        if clients.wrong:
            raise Fault(", ".join(clients.wrong))
        clients.check(self.mount)

    def main(self):
        begin, end = self.load()
        record = Record(self.record_path)
        first, last = record.count_at(begin), record.count_at(end)
        draw = random.Random(f"power {self.number}")
        image = Image(record, os.path.join(self.folder.path, "image"))
        path = os.path.join(self.folder.path, "cut")
        total = undone = 0
        for n, cut in enumerate(sorted(draw.randint(first, last) for _ in range(IMAGES))):
            undone += image.cut(cut, path, draw)
            if KEEP:
                run("cp", "--sparse=always", path, KEEP)
            try:
                total = self.check(path, record.ends[cut - 1])
            except (Fault, RuntimeError) as fault:
                raise Fault(f"image {n + 1}, cut after {cut} of {first} ... {last}: "
                            f"{fault}") from fault
            os.unlink(path)
        check_sanitizers(self.log)
        flushes = sum(record.is_flush(i) for i in range(first, last))
        return (f"{IMAGES} images, {last - first} writes and flushes ({flushes}), "
                f"{undone} writes at risk, {total} acknowledged steps at the last, "
                f"{len(self.rubbish)} with rubbish among unreachable objects")


def missing():
    if not can_mount():
        return "needs root and /dev/fuse"
    for program in ("losetup", "mkfs.ext4"):
        if not shutil.which(program):
            return f"needs {program}"
    if subprocess.run(["losetup", "--find"], capture_output=True).returncode:
        return "there are no loop devices"
    return None


def main():
    why = missing()
    if why:
        print(f"power.py is skipped: {why}", file=sys.stderr)
    run_test("what was acknowledged survives a power cut", Test, why)


main()
