#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""ignored.py: random files, folders and .gitignore files in a mount and, the same,
in a plain work tree; what a commit of the mount has must be what `git add -A` and
`git commit` make of the other, with kills and remounts between.

  IRMINFS               the program
  IRMINFS_CRASH_KILLS   how many commits are compared in a round (20)
  IRMINFS_CRASH_SEED    printed
"""
import os
import random
import shutil

from mounting import Daemon, check_sanitizers, fsck, run, run_test

COMMITS = int(os.environ.get("IRMINFS_CRASH_KILLS") or 20)
ROUNDS = 6
NAMES = ["a.o", "b.o", "a.c", "build", "lib", "x", "keep.o", "y.log"]
RULES = ["*.o", "build", "/build", "build/", "lib/*.o", "!keep.o", "*.log", "*", "!*.c", "!*/",
         "**/x", "lib/**", "!lib/a.c", "/*", "!/lib", "a.?", "# none", "", "[ab].o", "x/"]


class Both:
    """The same operations on a branch and on a plain work tree."""

    def __init__(self, mount, plain, draw):
        self.trees = [mount, plain]
        self.mount, self.plain, self.draw = mount, plain, draw
        self.ignored = 0

    def folder(self):
        """One that is there, below the root by up to two levels."""
        path = ""
        while self.draw.randrange(3):
            down = os.path.join(path, self.draw.choice(NAMES))
            if not os.path.isdir(os.path.join(self.plain, down)):
                break
            path = down
        return path

    def each(self, action, *paths):
        for tree in self.trees:
            action(*(os.path.join(tree, path) for path in paths))

    def write(self, path, text):
        def put(path):
            with open(path, "w") as file:
                file.write(text)
        self.each(put, path)

    def step(self):
        path = os.path.join(self.folder(), self.draw.choice(NAMES))
        at = os.path.join(self.plain, path)
        kind = self.draw.randrange(10)
        if kind == 0:
            rules = "\n".join(self.draw.choices(RULES, k=self.draw.randrange(4))) + "\n"
            self.write(os.path.join(self.folder(), ".gitignore"), rules)
        elif kind == 1 and os.path.isfile(os.path.join(os.path.dirname(at), ".gitignore")):
            self.each(os.unlink, os.path.join(os.path.dirname(path), ".gitignore"))
        elif kind == 2 and not os.path.lexists(at):
            self.each(os.mkdir, path)
        elif kind == 3 and os.path.isfile(at):
            self.each(os.unlink, path)
        elif kind == 4 and os.path.isdir(at):
            self.each(shutil.rmtree, path)
        elif kind in (5, 6) and os.path.isfile(at):
            to = os.path.join(self.folder(), self.draw.choice(NAMES))
            if not os.path.isdir(os.path.join(self.plain, to)):
                self.each(os.rename, path, to)
        elif not os.path.isdir(at):
            self.write(path, f"{self.draw.randrange(1000)}\n")

    def check(self, store, when):
        with open(os.path.join(self.mount, ".irmin/head")) as head:
            commit = head.read().strip()
        run("git", "-C", self.plain, "add", "-A")
        ours = run("git", "-C", store, "ls-tree", "-r", commit)
        theirs = run("git", "-C", self.plain, "ls-tree", "-r",
                     run("git", "-C", self.plain, "write-tree").strip())
        if ours != theirs:
            raise RuntimeError(f"{when}:\n{ours}is not\n{theirs}")
        self.ignored += len(run("git", "-C", self.plain, "ls-files", "--others").splitlines())
        self.compare(when)

    def compare(self, when):
        """All files are there, whether Git has them or not."""
        run("diff", "-r", "-x", ".git", self.mount, self.plain)


class Test:
    def __init__(self, folder, number):
        self.folder, self.number = folder, number
        self.draw = random.Random(f"ignored {number}")
        self.mount = folder.make("mnt")
        self.log = os.path.join(folder.path, "log")
        self.ignored = 0

    def start(self):
        daemon = Daemon(self.store, self.mount, self.log)
        self.folder.later(daemon.destroy)
        daemon.wait_ready()
        return daemon

    def again(self, daemon, both):
        """Killed after all is durable, or unmounted."""
        if self.draw.randrange(2):
            fd = os.open(os.path.join(self.mount, "main"), os.O_RDONLY)
            os.fsync(fd)
            os.close(fd)
            daemon.kill()
        else:
            daemon.end()
        daemon = self.start()
        both.compare("mounted again")
        return daemon

    def one_round(self, index):
        self.store = os.path.join(self.folder.path, f"store{index}.git")
        plain = self.folder.make(f"plain{index}")
        run("git", "init", "-q", plain)
        daemon = self.start()
        both = Both(os.path.join(self.mount, "main"), plain, self.draw)
        for commit in range(COMMITS):
            for _ in range(self.draw.randrange(1, 25)):
                both.step()
            both.check(self.store, f"round {index}, commit {commit}")
            if self.draw.randrange(4) == 0:
                daemon = self.again(daemon, both)
        self.ignored += both.ignored
        daemon.end()
        fsck(self.store)
        check_sanitizers(self.log)

    def main(self):
        for index in range(ROUNDS):
            self.one_round(index)
        if not self.ignored:
            raise RuntimeError("nothing was ever ignored")
        return f"{ROUNDS * COMMITS} commits, with {self.ignored} ignored files"


run_test("commits have what git add -A would take", Test)
