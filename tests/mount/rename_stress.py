#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""rename_stress.py MOUNT SOURCE TARGET MERGES: merges under eyes.

Makes branch TARGET with three files, then MERGES times forks it to SOURCE,
writes a new generation number into the files there, and renames SOURCE onto
TARGET; every fifth time a first attempt is refused by a conflict.  Reader
processes stand in TARGET meanwhile, by absolute and relative paths, by
descriptors, and with a shell.  A reader must never miss a name, see a
generation go back, or see one older than a merge that had returned.
getcwd alone may show the source's name for an instant.

Prints what went wrong and exits with 1, or prints a line of counts.
"""
import collections
import mmap
import os
import struct
import subprocess
import sys
import time

MOUNT, SOURCE, TARGET, MERGES = *sys.argv[1:4], int(sys.argv[4])
A, B = f"{MOUNT}/{SOURCE}", f"{MOUNT}/{TARGET}"
FILES = ("f0", "f1", "sub/g")
shared = mmap.mmap(-1, 4096)  # generation that is merged, and an end mark


def merged():
    return struct.unpack_from("q", shared, 0)[0]


def ended():
    return shared[8]


def put(path, value, **options):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644, **options)
    os.write(fd, f"{value}\n".encode())
    os.close(fd)


def get(path, **options):
    fd = os.open(path, os.O_RDONLY, **options)
    try:
        return int(os.read(fd, 64).split()[0])
    finally:
        os.close(fd)


def watch(wrong, names, **options):
    seen = collections.Counter()
    while not ended():
        wrong["rounds"] += 1
        time.sleep(0.0005)  # leaves the processors to the merges
        for name in names:
            floor = merged()
            try:
                value = get(name, **options)
            except OSError as error:
                wrong[f"{name}: {error.strerror}"] += 1
                continue
            if value < floor:
                wrong[f"{name}: stale"] += 1
            if value < seen[name]:
                wrong[f"{name}: went back"] += 1
            seen[name] = value


def absolute(wrong):
    watch(wrong, [f"{B}/{f}" for f in FILES])


def relative(wrong):
    os.chdir(B)
    watch(wrong, FILES)


def below(wrong):
    os.chdir(B + "/sub")
    watch(wrong, ["g", "../f0", "../f1"])


def descriptor(wrong):
    watch(wrong, FILES, dir_fd=os.open(B, os.O_DIRECTORY))


def path_descriptor(wrong):
    watch(wrong, FILES, dir_fd=os.open(B, os.O_PATH))


def identity(wrong):
    number = os.stat(B).st_ino
    while not ended():
        wrong["rounds"] += 1
        time.sleep(0.0005)  # leaves the processors to the merges
        try:
            if os.stat(B).st_ino != number:
                wrong["another inode"] += 1
        except OSError as error:
            wrong[error.strerror] += 1


def create(wrong):
    os.chdir(B)
    name = f"t{os.getpid()}"
    while not ended():
        wrong["rounds"] += 1
        time.sleep(0.0005)  # leaves the processors to the merges
        try:
            put(name, 1)
            if name not in os.listdir("."):
                wrong["listing misses a new file"] += 1
            os.unlink(name)
            os.mkdir(name)
            os.rmdir(name)
        except OSError as error:
            wrong[f"create: {error.strerror}"] += 1


def shell(wrong):
    os.chdir(B)
    while not ended():
        wrong["rounds"] += 1
        time.sleep(0.0005)  # leaves the processors to the merges
        done = subprocess.run(["sh", "-c", "cat f0 >/dev/null && (cd sub && cat ../f1 g >/dev/null)"],
                              stderr=subprocess.PIPE, check=False)
        if done.returncode:
            wrong[f"sh: {done.stderr.decode().strip()}"] += 1


READERS = (absolute, relative, below, descriptor, path_descriptor, identity, create, shell)


def start(reader):
    receive, send = os.pipe()
    pid = os.fork()
    if pid:
        os.close(send)
        return pid, receive
    wrong = collections.Counter()
    try:
        reader(wrong)
    except Exception as error:  # pylint: disable=broad-except
        wrong[f"died: {error!r}"] += 1
    os.write(send, repr(dict(wrong)).encode())
    os._exit(0)


def rename(i):
    if i % 20 == 1:
        return subprocess.run(["mv", "-T", A, B], stderr=subprocess.DEVNULL).returncode
    if i % 20 == 2:
        return subprocess.run(["busybox", "mv", "-T", A, B], stderr=subprocess.DEVNULL).returncode
    try:
        os.rename(A, B)
        return 0
    except OSError as error:
        return error.errno


def merge(i, wrong):
    escaped = SOURCE.replace("/", "%2F")
    os.mkdir(f"{B}/.irmin/fork/{escaped}")
    for name in FILES:
        put(f"{A}/{name}", i)
    if i % 5 == 0:
        put(f"{A}/clash", i)
        put(f"{B}/clash", -i)
        if rename(i) == 0:
            wrong["a conflict was merged"] += 1
        if get(f"{A}/f0") != i:
            wrong["a refusal changed the source"] += 1
        put(f"{A}/clash", get(f"{B}/clash"))
        for number in os.listdir(f"{A}/.irmin/conflicts"):
            subprocess.run(["rm", "-r", f"{A}/.irmin/conflicts/{number}"], check=True)
    status = rename(i)
    if status:
        wrong[f"rename failed with {status}"] += 1
        subprocess.run(["rm", "-rf", A], check=False)
        return
    struct.pack_into("q", shared, 0, i)
    for name in FILES:
        if get(f"{B}/{name}") != i:
            wrong["own read is stale"] += 1
    if os.path.exists(A):
        wrong["the source is still there"] += 1


def main():
    if not os.path.isdir(B):
        os.mkdir(f"{MOUNT}/{TARGET.replace('/', '%2F')}")
    os.mkdir(f"{B}/sub")
    for name in FILES:
        put(f"{B}/{name}", 0)
    readers = {reader.__name__: start(reader) for reader in READERS}
    wrong = collections.Counter()
    for i in range(1, MERGES + 1):
        merge(i, wrong)
    shared[8] = 1
    rounds = 0
    for name, (pid, receive) in readers.items():
        result = eval(os.read(receive, 65536).decode())
        os.waitpid(pid, 0)
        rounds += result.pop("rounds", 0)
        for what, count in result.items():
            wrong[f"{name}: {what}"] += count
    for what, count in sorted(wrong.items()):
        print(f"{count} x {what}")
    print(f"{MERGES} merges of {SOURCE} into {TARGET}, {rounds} rounds of readers")
    sys.exit(1 if wrong else 0)


main()
