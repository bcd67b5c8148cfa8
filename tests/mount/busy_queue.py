#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""busy_queue.py BRANCH NAME END [claim]: until the file END is there, pushes to
BRANCH/jobs and, with claim, claims from there, each step synced, file and
folders.  Prints "push ELEMENT" and "claim ELEMENT" as they are acknowledged."""

import os
import sys
import time

branch, name, end = sys.argv[1:4]
jobs, done = branch + "/jobs", branch + "/done"


def sync(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def push(element):
    fd = os.open(f"{jobs}/{element}", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    os.write(fd, element.encode())
    os.fsync(fd)
    os.close(fd)
    sync(jobs)
    print("push", element, flush=True)


def claim(place):
    try:
        os.rename(jobs + "/.irmin/first", place)
    except FileNotFoundError:
        return
    with open(place) as f:
        element = f.read()
    sync(done)
    sync(jobs)
    print("claim", element, flush=True)
    os.unlink(place)


i = 0
while not os.path.exists(end):
    push(f"{name}-{i}")
    if "claim" not in sys.argv[4:]:
        time.sleep(0.005)       # or the queue gets long
    elif i > 20:
        claim(f"{done}/{name}")
    i += 1
