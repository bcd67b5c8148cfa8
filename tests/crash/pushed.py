#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""pushed.py: irminfs is killed, mostly with commits that Git does not have yet, another
program moves the branch on, and irminfs is killed again while it merges the two.  In
the end both are there: merged, or where they conflict beside each other, once, with
the report.  So are a file that Git does not have and one of its name that was pushed.

  IRMINFS               the program
  IRMINFS_CRASH_KILLS   how many pushes (20)
  IRMINFS_CRASH_SEED    moments; printed
"""
import os
import random
import time

from mounting import Daemon, check_sanitizers, fsck, run, run_test

PUSHES = int(os.environ.get("IRMINFS_CRASH_KILLS") or 20)


def write(path, text):
    with open(path, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except FileNotFoundError:
        return None


class Test:
    def __init__(self, folder, number):
        self.draw = random.Random(f"pushed {number}")
        self.folder = folder
        self.store = os.path.join(folder.path, "store.git")
        self.mount = folder.make("mnt")
        self.log = os.path.join(folder.path, "log")
        self.kills = self.conflicts = 0
        self.expected = {"main"}        # branches

    def start(self):
        daemon = Daemon(self.store, self.mount, self.log)
        self.folder.later(daemon.destroy)
        return daemon

    def git(self, *words, **variables):
        return run("git", f"--git-dir={self.store}", *words,
                   env={**os.environ, **variables}).strip()

    def path(self, branch, *names):
        return os.path.join(self.mount, branch, *names)

    def leave_behind(self, daemon, branch):
        """A killed mount mostly has a commit of the branch beyond its ref."""
        os.mkdir(self.path("main", ".irmin/fork", branch))
        write(self.path(branch, ".gitignore"), "/x\n")
        write(self.path(branch, "x"), "mine")
        write(self.path(branch, "f"), "base")
        base = read(self.path(branch, ".irmin/head")).strip()
        lock = os.path.join(self.store, "refs/heads", f"{branch}.lock")
        # in the journal only, in Git but for the ref, or all in Git
        if self.draw.randrange(2):
            write(lock, "")
        write(self.path(branch, "f"), "mine")
        if self.draw.randrange(2):
            read(self.path(branch, ".irmin/head"))
        daemon.kill()
        if os.path.exists(lock):
            os.unlink(lock)
        return base

    def push(self, branch, name):
        """Moves the ref on by a commit with that file; what it was before."""
        index = {"GIT_INDEX_FILE": os.path.join(self.folder.path, "index")}
        who = {f"GIT_{role}_{what}": "a@b" for role in ("AUTHOR", "COMMITTER")
               for what in ("NAME", "EMAIL")}
        ref = f"refs/heads/{branch}"
        before = self.git("rev-parse", ref)
        blob = os.path.join(self.folder.path, "blob")
        write(blob, "theirs")
        oid = self.git("hash-object", "-w", blob)
        self.git("read-tree", before, **index)
        self.git("update-index", "--add", "--cacheinfo", f"100644,{oid},{name}", **index)
        tree = self.git("write-tree", **index)
        commit = self.git("commit-tree", "-p", before, "-m", "pushed", tree, **who)
        self.git("update-ref", ref, commit, before)
        return before

    def disturb(self):
        for words in (("gc", "-q", "--prune=now"), ("pack-refs", "--all"),
                      ("worktree", "prune")):
            if self.draw.randrange(4) == 0:
                self.git(*words)

    def has_both(self, branch, name, conflict):
        if not conflict:
            return (read(self.path(branch, "f")) in ("mine", "theirs") and
                    "theirs" in (read(self.path(branch, "f")), read(self.path(branch, "g"))))
        outside = f"{branch}.outside-1"
        return (read(self.path(branch, name)) == "mine" and
                read(self.path(outside, name)) == "theirs" and
                (name == "x" or
                 read(self.path(outside, ".irmin/conflicts/1/ours")) == "mine"))

    def await_both(self, branch, name, conflict):
        end = time.monotonic() + 20
        while not self.has_both(branch, name, conflict):
            if time.monotonic() > end:
                raise RuntimeError(f"{branch}: {os.listdir(self.mount)}, f is "
                                   f"{read(self.path(branch, 'f'))}, {name} of what was "
                                   "pushed is missing")
            time.sleep(0.02)
        kept = {"g": "fx", "f": "x", "x": "fx"}[name]
        if any(read(self.path(branch, other)) != "mine" for other in kept):
            raise RuntimeError(f"{branch}: what was acknowledged is lost")

    def one_push(self, daemon, number):
        branch, name = f"b{number}", self.draw.choice("fgx")
        base = self.leave_behind(daemon, branch)
        before = self.push(branch, name)
        conflict = name == "x" or before == base and name == "f"
        for _ in range(self.draw.randrange(5)):
            self.disturb()
            daemon = self.start()
            time.sleep(self.draw.random() * 0.2)
            daemon.kill()
            self.kills += 1
        self.disturb()
        daemon = self.start()
        daemon.wait_ready()
        self.await_both(branch, name, conflict)
        self.expected.add(branch)
        if conflict:
            self.expected.add(f"{branch}.outside-1")
            self.conflicts += 1
        return daemon

    def check(self):
        if set(os.listdir(self.mount)) != self.expected:
            raise RuntimeError(f"{os.listdir(self.mount)} is not {self.expected}")
        fsck(self.store)
        check_sanitizers(self.log)

    def main(self):
        daemon = self.start()
        daemon.wait_ready()
        for number in range(PUSHES):
            daemon = self.one_push(daemon, number)
            self.check()
        daemon.end()
        daemon = self.start()
        daemon.wait_ready()
        self.check()
        refs = self.git("for-each-ref", "--format=%(refname:lstrip=2)").split()
        if set(refs) != self.expected:
            raise RuntimeError(f"refs {refs} are not {self.expected}")
        daemon.end()
        return f"{PUSHES} pushes, {self.conflicts} conflicts, {self.kills} kills more"


run_test("what is pushed after a kill is merged", Test)
