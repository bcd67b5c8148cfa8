#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""direct_aio.py FILE SECONDS: asynchronous direct writes to FILE while others read it
through the page cache.  A read that begins after a write is over must not get what
was there before: status 1, and how many did."""
import ctypes
import mmap
import os
import platform
import struct
import sys
import time

SIZE = 65536
SETUP, SUBMIT, EVENTS = {"x86_64": (206, 209, 208)}.get(platform.machine(), (0, 2, 1))
libc = ctypes.CDLL(None, use_errno=True)


def call(number, *arguments):
    done = libc.syscall(number, *arguments)
    if done < 0:
        raise OSError(ctypes.get_errno(), f"system call {number}")
    return done


def read_all_the_time(path):
    fd = os.open(path, os.O_RDONLY)
    while True:
        os.pread(fd, SIZE, 0)


def main():
    path, end = sys.argv[1], time.monotonic() + float(sys.argv[2])
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_DIRECT, 0o644)
    cached = os.open(path, os.O_RDONLY)
    pages = mmap.mmap(-1, SIZE)         # direct I/O wants whole pages
    where = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    os.pwritev(fd, [pages], 0)
    context = ctypes.c_ulong()
    call(SETUP, 8, ctypes.byref(context))
    readers = []
    for _ in range(4):
        reader = os.fork()
        if not reader:
            read_all_the_time(path)
        readers.append(reader)
    writes = stale = 0
    try:
        while time.monotonic() < end:
            pages[:] = bytes([writes % 251 + 1]) * SIZE
            request = ctypes.create_string_buffer(
                struct.pack("QIIHhIQQqQII", 0, 0, 0, 1, 0, fd, where, SIZE, 0, 0, 0, 0))
            call(SUBMIT, context, 1, ctypes.byref(ctypes.c_void_p(ctypes.addressof(request))))
            event = ctypes.create_string_buffer(32)
            call(EVENTS, context, 1, 1, event, None)
            if struct.unpack("QQqq", event.raw)[2] != SIZE:
                sys.exit("a write failed")
            stale += os.pread(cached, SIZE, 0) != pages[:]
            writes += 1
    finally:
        for reader in readers:
            os.kill(reader, 9)
            os.waitpid(reader, 0)
    print(f"{writes} writes, {stale} reads of what was before")
    sys.exit(stale > 0)


main()
