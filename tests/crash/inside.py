#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""inside.py: git commits, amends, resets, rebases and merges in the folder of a branch,
with and without fsync before, while it has its editor open, and after; irminfs is
killed right after git's answer, and while it recovers.  Mounted again each file must
be at least what was synced and what git has committed, and what git has committed must
be in the branch's history.

  IRMINFS               the program
  IRMINFS_CRASH_KILLS   how many (20)
  IRMINFS_CRASH_SEED    steps and moments; printed
"""
import os
import random
import subprocess
import time

from mounting import Daemon, check_sanitizers, fsck, run, run_test

KILLS = int(os.environ.get("IRMINFS_CRASH_KILLS") or 20)
FILES = ["a", "b", "d/c"]
EDITOR = """#!/bin/sh
%s
echo words >"$1"
"""


class Test:
    """Versions of files are numbers, which they hold, and only grow."""

    def __init__(self, folder, number):
        self.draw = random.Random(f"inside {number}")
        self.folder = folder
        self.store = os.path.join(folder.path, "store.git")
        self.mount = folder.make("mnt")
        self.log = os.path.join(folder.path, "log")
        self.branch = os.path.join(self.mount, "main")
        self.editor = os.path.join(folder.path, "editor")
        self.version = 0
        self.files = {}         # file -> version
        self.floor = {}         # file -> the least that may be there after a crash
        self.done = []          # since the last kill
        self.recoveries = 0
        for key, value in (("user.name", "Tester"), ("user.email", "a@b")):
            run("git", "config", "--global", key, value)

    def start(self):
        # with the timer, too, which cuts between the writes of a step
        options = self.draw.choice([[], ["-o", "commit=1"]])
        daemon = Daemon(self.store, self.mount, self.log, *options)
        self.folder.later(daemon.destroy)
        return daemon

    # ---- steps ----

    def write(self, *names):
        for name in names or self.draw.choices(FILES, k=self.draw.randrange(1, 3)):
            self.version += 1
            self.files[name] = self.version
            with open(os.path.join(self.branch, name), "w") as file:
                file.write(f"{self.version}\n")
            self.done.append(f"write {name} {self.version}")

    def sync(self):
        fd = os.open(os.path.join(self.branch, "a"), os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
        self.floor = dict(self.files)
        self.done.append("sync")

    def edit(self):
        """What people and programs do before, between and after."""
        for _ in range(self.draw.randrange(1, 4)):
            self.write()
            if self.draw.randrange(3) == 0:
                self.sync()

    def git(self, *words, **variables):
        """It may refuse, having done nothing, when a commit of the branch is put
        into Git under its hands."""
        self.done.append("git " + " ".join(words))
        for left in range(19, -1, -1):
            try:
                return run("git", "-C", self.branch, *words,
                           env={**os.environ, **variables}).strip()
            except RuntimeError:
                if not left:
                    raise
                time.sleep(0.1)

    def store_git(self, *words):
        return run("git", f"--git-dir={self.store}", *words).strip()

    # ---- what git does ----

    def commit(self):
        self.git("commit", "-q", "--allow-empty", "-am", "mine")

    def commit_staged(self):
        """What is staged may be older than what is synced."""
        self.git("add", "-A")
        self.edit()
        self.git("commit", "-q", "--allow-empty", "-m", "staged")

    def commit_one(self):
        self.write("a")
        self.git("commit", "-qm", "one", "--", "a")

    def commit_slowly(self):
        """While the editor is open a file is changed and synced."""
        self.write("a", "b")
        self.version += 1
        path = os.path.join(self.branch, "b")
        with open(self.editor, "w") as file:
            file.write(EDITOR % f"echo {self.version} >{path}; sync {path}")
        os.chmod(self.editor, 0o755)
        self.git("commit", "-qa", GIT_EDITOR=self.editor)
        self.files["b"] = self.version
        self.floor = dict(self.files)
        self.done.append(f"with b {self.version} synced meanwhile")

    def amend(self):
        self.git("commit", "-q", "--allow-empty", "--amend", "-am", "amended")

    def squash(self):
        self.git("reset", "-q", "--soft", "HEAD~1")
        self.git("commit", "-q", "--allow-empty", "-am", "squashed")

    def topic(self):
        """A commit of another branch."""
        folder = os.path.join(self.mount, "topic")
        if not os.path.isdir(folder):
            os.mkdir(os.path.join(self.branch, ".irmin/fork/topic"))
        self.version += 1
        with open(os.path.join(folder, "t"), "w") as file:
            file.write(f"{self.version}\n")
        with open(os.path.join(folder, ".irmin/head")) as file:
            return file.read().strip()

    def merge(self):
        self.git("commit", "-q", "--allow-empty", "-am", "before a merge")
        self.git("merge", "-q", "--no-edit", "-X", "theirs", self.topic())

    def merge_slowly(self):
        """Until a merge is finished nothing comes to the ref."""
        self.git("commit", "-q", "--allow-empty", "-am", "before a merge")
        self.git("merge", "-q", "--no-ff", "--no-commit", "-X", "theirs", self.topic())
        self.edit()
        self.git("commit", "-q", "--allow-empty", "-am", "merged")

    def rebase(self):
        self.git("commit", "-q", "--allow-empty", "-am", "before a rebase")
        self.done.append("git rebase")
        result = subprocess.run(["git", "-C", self.branch, "rebase", "-q", self.topic()],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if result.returncode:
            subprocess.run(["git", "-C", self.branch, "rebase", "--abort"],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    # ---- checking ----

    def read(self, name):
        try:
            with open(os.path.join(self.branch, name)) as file:
                return int(file.read() or 0)
        except FileNotFoundError:
            return 0

    def committed(self, commit):
        """What refs/heads/main has is at least what must be there."""
        for name in [*FILES, "t"]:
            try:
                version = int(self.store_git("show", f"{commit}:{name}"))
            except RuntimeError:
                continue
            self.floor[name] = max(self.floor.get(name, 0), version)

    def has_all(self, when, commit):
        for name, least in self.floor.items():
            if self.read(name) < least:
                raise RuntimeError(f"{when} {name} is {self.read(name)} and was {least}: "
                                   f"{self.done}, {commit}")

    def has_commit(self, commit):
        with open(os.path.join(self.branch, ".irmin/head")) as file:
            head = file.read().strip()
        return subprocess.run(["git", f"--git-dir={self.store}", "merge-base",
                               "--is-ancestor", commit, head]).returncode == 0

    def check(self, commit):
        self.has_all("at once", commit)
        end = time.monotonic() + 10
        while not self.has_commit(commit):
            if time.monotonic() > end:
                raise RuntimeError(f"{commit} is lost: {self.done}")
            time.sleep(0.02)
        self.has_all("later", commit)
        if set(os.listdir(self.mount)) - {"main", "topic"}:
            raise RuntimeError(f"branches {os.listdir(self.mount)}: {self.done}")

    def recover(self):
        while self.draw.randrange(3) == 0:
            daemon = self.start()
            time.sleep(self.draw.random() * 0.2)
            daemon.kill()
            self.recoveries += 1
        daemon = self.start()
        daemon.wait_ready()
        return daemon

    def kill_once(self, daemon):
        self.done = []
        self.edit()
        self.draw.choice([self.commit, self.commit_staged, self.commit_one,
                          self.commit_slowly, self.amend, self.squash, self.merge,
                          self.merge_slowly, self.rebase])()
        pause = self.draw.choice([0, 0, 0, 0.005, 0.02, 0.1, 0.5])
        time.sleep(pause)
        self.done.append(f"after {pause} s")
        if self.draw.randrange(4) == 0:
            self.edit()
        daemon.kill()
        commit = self.store_git("rev-parse", "refs/heads/main")
        self.committed(commit)
        daemon = self.recover()
        self.check(commit)
        self.files = {name: self.read(name) for name in FILES}
        self.floor = {}
        return daemon

    def main(self):
        daemon = self.start()
        daemon.wait_ready()
        os.mkdir(os.path.join(self.branch, "d"))
        self.write(*FILES)
        self.sync()
        self.git("status")
        for _ in range(KILLS):
            daemon = self.kill_once(daemon)
        daemon.end()
        fsck(self.store)
        daemon = self.start()
        daemon.wait_ready()
        for name, version in self.files.items():
            if self.read(name) != version:
                raise RuntimeError(f"{name} is {self.read(name)}, not {version}")
        daemon.end()
        check_sanitizers(self.log)
        return f"{KILLS} kills, {self.recoveries} in recovery"


run_test("what git committed in a branch's folder survives SIGKILL", Test)
