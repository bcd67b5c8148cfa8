# SPDX-License-Identifier: ISC
"""Clients for the crash tests: processes that change branches of a mount step by
step, and what their branches must be after any number of steps.

Each client has branches of its own, whose names begin with its name.  A step is
a list of operations that ends with one that makes them durable, all as one cut;
it is determined by the seed, the client and the number of the step.  So after a
crash a client's branches must be exactly as they were after one of its steps:
not an earlier one than was acknowledged, not a later one than was begun.

What was begun and acknowledged stands in a log of each client outside of the
store: lines of "begun|done STEP POSITION", the position being one in the record
of a disk (0 without one).
"""
import collections
import mmap
import os
import random
import signal
import sqlite3
import stat
import sys
import time
import traceback


class Fault(Exception):
    """The store lost or made up something."""


def fill(n, size):
    line = f"{n:012d} {size}\n".encode()
    return (line * (size // len(line) + 1))[:size]


FIFO = b"(a fifo)"


class State:
    """Branches and files (path -> bytes), or a mount that has them.  Names of one
    file (path -> which) are few, and not in what is forked or moved as a whole."""

    def __init__(self, branches=(), files=None, links=None):
        self.branches = set(branches)
        self.files = dict(files or {})
        self.links = dict(links or {})

    def __eq__(self, other):
        return self.branches == other.branches and \
            self.files == other.files and self.groups() == other.groups()

    def groups(self):
        """Sets of two and more names."""
        names = {}
        for path, which in self.links.items():
            names.setdefault(which, set()).add(path)
        return sorted(sorted(group) for group in names.values() if len(group) > 1)

    def copy(self):
        return State(self.branches, self.files, self.links)

    def below(self, branch):
        return [p for p in self.files if p.startswith(branch + "/")]

    def move(self, source, target):
        for path in self.below(source):
            self.files[target + path[len(source):]] = self.files.pop(path)

    # operations; Real has the same

    def write(self, path, offset, data):
        old = self.files.get(path, b"").ljust(offset, b"\0")
        new = old[:offset] + data + old[offset + len(data):]
        self.files[path] = new
        for other, which in self.links.items():
            if which == self.links.get(path):
                self.files[other] = new

    def link(self, source, target):
        self.links.setdefault(source, source)
        self.links[target] = self.links[source]
        self.files[target] = self.files[source]

    def fifo(self, path):
        self.files[path] = FIFO

    def truncate(self, path, size):
        self.files[path] = self.files[path][:size].ljust(size, b"\0")

    def unlink(self, path):
        del self.files[path]
        self.links.pop(path, None)

    def rename(self, source, target):
        if source in self.files:
            self.files[target] = self.files.pop(source)
            if source in self.links:
                self.links[target] = self.links.pop(source)
        else:
            self.move(source, target)

    def sync(self, path):
        pass

    def make(self, branch):
        self.branches.add(branch)

    def fork(self, branch, new):
        self.branches.add(new)
        for path in self.below(branch):
            self.files[new + path[len(branch):]] = self.files[path]

    def drop(self, branch):
        self.branches.remove(branch)
        for path in self.below(branch):
            del self.files[path]

    def merge(self, source, target):
        """Of branches whose changes of the target are in files named t*."""
        for path in self.below(source):
            name = path[len(source):]
            if not name.startswith("/t"):
                self.files[target + name] = self.files[path]
        self.drop(source)

    def rename_branch(self, branch, new):
        self.branches.remove(branch)
        self.branches.add(new)
        self.move(branch, new)


class Real:
    def __init__(self, mount):
        self.mount = mount

    def path(self, path):
        return os.path.join(self.mount, path)

    def write(self, path, offset, data):
        path = self.path(path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            while data:
                n = os.pwrite(fd, data, offset)
                data, offset = data[n:], offset + n
        finally:
            os.close(fd)

    def truncate(self, path, size):
        os.truncate(self.path(path), size)

    def link(self, source, target):
        os.link(self.path(source), self.path(target))

    def fifo(self, path):
        os.mkfifo(self.path(path))

    def unlink(self, path):
        os.unlink(self.path(path))

    def rename(self, source, target):
        os.rename(self.path(source), self.path(target))

    def sync(self, path):
        fd = os.open(self.path(path), os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def make(self, branch):
        # one that a crash left may be there
        os.mkdir(self.path(branch))

    def fork(self, branch, new):
        os.mkdir(self.path(f"{branch}/.irmin/fork/{new}"))

    def drop(self, branch):
        os.rmdir(self.path(f"{branch}/.irmin"))

    def merge(self, source, target):
        # the last close of a file may still be on its way
        for left in range(200, -1, -1):
            try:
                os.rename(self.path(source), self.path(target))
                return
            except OSError as error:
                if not left or os.strerror(error.errno) != "Device or resource busy":
                    raise
            time.sleep(0.005)

    def rename_branch(self, branch, new):
        os.rename(self.path(branch), self.path(new))

    def read(self, prefix):
        state = State(b for b in os.listdir(self.mount) if b.startswith(prefix))
        for branch in state.branches:
            for folder, _, names in os.walk(self.path(branch), onerror=self.fail):
                for name in names:
                    self.read_file(state, os.path.join(folder, name))
        for (number, links), names in collections.Counter(state.links.values()).items():
            if names != links:
                raise Fault(f"file {number} has {names} names and {links} links")
        return state

    def read_file(self, state, path):
        status = os.lstat(path)
        name = os.path.relpath(path, self.mount)
        if status.st_nlink > 1:
            state.links[name] = (status.st_ino, status.st_nlink)
        if stat.S_ISFIFO(status.st_mode):
            state.files[name] = FIFO
            return
        with open(path, "rb") as file:
            state.files[name] = file.read()

    @staticmethod
    def fail(error):
        raise error


# ---- clients ----

class Client:
    """One whose steps are lists of (operation, argument, ...)."""

    def __init__(self, name, seed):
        self.name = name
        self.seed = seed
        self.step = 0           # the last one that is known to be there
        self.state = State()    # after it

    def operations(self, n, draw):
        raise NotImplementedError

    def list(self, n):
        if n == 1:
            return [("make", self.name)]
        return self.operations(n, random.Random(f"{self.seed} {self.name} {n}"))

    def run(self, mount, n):
        real = Real(mount)
        for name, *arguments in self.list(n):
            getattr(real, name)(*arguments)

    def advance(self, state, n):
        for name, *arguments in self.list(n):
            getattr(state, name)(*arguments)

    def check(self, mount, done, begun):
        """The step that the mount shows; from now on the last known one."""
        found = Real(mount).read(self.name)
        state, step, known, last = self.state.copy(), self.step, None, None
        while True:
            if step >= done and state == found:
                known, last = step, state.copy()
            if step == done:
                wanted = state.copy()
            if step >= begun:
                break
            step += 1
            self.advance(state, step)
        if known is None:
            raise Fault(f"{self.name} is as after no step of {done} ... {begun}: "
                        + difference(wanted, found))
        self.step, self.state = known, last
        return known


def difference(wanted, found):
    lines = [f"branches {sorted(found.branches)}, not {sorted(wanted.branches)}"]
    if wanted.groups() != found.groups():
        lines.append(f"links {found.groups()}, not {wanted.groups()}")
    for path in sorted(set(wanted.files) | set(found.files)):
        a, b = wanted.files.get(path), found.files.get(path)
        if a != b:
            lines.append(f"{path}: {summary(b)}, not {summary(a)}")
    return "; ".join(lines)


def summary(data):
    return "absent" if data is None else f"{len(data)} bytes {data[:12]!r}"


class Overwrite(Client):
    """Two files, one of many blocks, that change in one cut."""

    def operations(self, n, draw):
        a, b = f"{self.name}/a", f"{self.name}/b"
        offset = draw.randrange(300000)
        result = [("write", a, 0, fill(n, 4096)),
                  ("write", b, offset, fill(n, draw.choice((10, 4096, 100000))))]
        if draw.randrange(8) == 0:
            result.append(("truncate", b, draw.randrange(offset + 1)))
        return result + [("sync", draw.choice((a, b, self.name)))]


class Create(Client):
    """New files, older ones renamed and removed."""

    def operations(self, n, draw):
        result = [("write", f"{self.name}/d{n % 3}/f{n}", 0, fill(n, draw.randrange(1, 2000)))]
        if n > 4:
            result.append(("rename", f"{self.name}/d{(n - 2) % 3}/f{n - 2}",
                           f"{self.name}/r{n - 2}"))
        if n > 12:
            result.append(("unlink", f"{self.name}/r{n - 10}"))
        return result + [("sync", f"{self.name}/d{n % 3}/f{n}")]


class Link(Client):
    """Names of a file that come, go and are written through; and fifos."""

    def operations(self, n, draw):
        folder = f"{self.name}/d{n % 3}"
        result = [("write", f"{folder}/f{n}", 0, fill(n, draw.randrange(1, 3000))),
                  ("link", f"{folder}/f{n}", f"{self.name}/l{n}"),
                  ("fifo", f"{self.name}/p{n}")]
        if n > 3:
            result += [("write", f"{self.name}/l{n - 2}", draw.randrange(2000), fill(n, 100)),
                       ("unlink", f"{self.name}/p{n - 2}")]
        if n > 4:
            result.append(("rename", f"{self.name}/d{(n - 3) % 3}/f{n - 3}",
                           f"{self.name}/m{n - 3}"))
        if n > 7:
            result.append(("unlink", f"{self.name}/l{n - 6}"))
        if n > 11:
            result.append(("unlink", f"{self.name}/m{n - 10}"))
        return result + [("sync", draw.choice((folder, f"{self.name}/l{n}")))]


class Replace(Client):
    """The way of editors and databases: a temporary file renamed over the old
    one; and folders that move."""

    def operations(self, n, draw):
        if n % 4 == 0:
            return [("write", f"{self.name}/in{n}/x/y", 0, fill(n, 3000)),
                    ("rename", f"{self.name}/in{n}", f"{self.name}/out{n}"),
                    ("sync", self.name)]
        result = [("write", f"{self.name}/new", 0, fill(n, draw.randrange(70000))),
                  ("rename", f"{self.name}/new", f"{self.name}/file")]
        if n % 4 == 3 and n > 8:
            result.append(("unlink", f"{self.name}/out{n - 7}/x/y"))
        return result + [("sync", f"{self.name}/file")]


class Fork(Client):
    """Forks are frozen; the older ones are dropped."""

    def operations(self, n, draw):
        kind, k = n % 4, n // 4
        if kind in (2, 0):
            return [("write", f"{self.name}/f", 0, fill(n, 5000)),
                    ("write", f"{self.name}/g{k % 5}", 0, fill(n, 100)),
                    ("sync", f"{self.name}/f")]
        if kind == 3:
            return [("fork", self.name, f"{self.name}-{k}")]
        return [("drop", f"{self.name}-{k - 3}")] if k > 3 else [("sync", self.name)]


class Merge(Client):
    """A fork, changes on both sides, mv -T back."""

    def operations(self, n, draw):
        kind, k = n % 4, n // 4
        if kind == 2:
            return [("fork", self.name, f"{self.name}-work")]
        if kind == 3:
            return [("write", f"{self.name}-work/w{k % 7}", 0, fill(n, 500)),
                    ("write", f"{self.name}-work/sub/v", 0, fill(n, 90000)),
                    ("sync", f"{self.name}-work")]
        if kind == 0:
            return [("write", f"{self.name}/t{k % 5}", 0, fill(n, 500)),
                    ("sync", self.name)]
        return [("merge", f"{self.name}-work", self.name)]


class Rename(Client):
    """A branch that changes its name."""

    def operations(self, n, draw):
        k = n // 2
        at = f"{self.name}-{k - 1}" if k > 1 else self.name
        if n % 2:
            return [("rename_branch", at, f"{self.name}-{k}")]
        return [("write", f"{at}/f", 0, fill(n, 200)), ("sync", at)]


class Database(Client):
    """SQLite: transactions, one a step."""

    def __init__(self, name, seed, mode):
        super().__init__(name, seed)
        self.mode = mode
        self.database = None

    def open(self, mount):
        path = os.path.join(mount, self.name, "db")
        database = sqlite3.connect(path, isolation_level=None, timeout=60)
        database.execute(f"pragma journal_mode={self.mode}")
        # with a rollback journal only EXTRA makes its removal durable
        full = "full" if self.mode == "wal" else "extra"
        database.execute(f"pragma synchronous={full}")
        return database

    def run(self, mount, n):
        if n == 1:
            os.mkdir(os.path.join(mount, self.name))
            return
        if n == 2 or not self.database:
            self.database = self.open(mount)
            self.database.execute("create table if not exists t"
                                  "(n integer primary key, v blob)")
        if n > 2:
            self.database.execute("insert into t values (?, ?)", (n, fill(n, 3000)))
        # SQLite takes a folder that it cannot open to be synced; a daemon that
        # was killed between its journal's removal and that must not be believed
        Real(mount).sync(self.name)

    def check(self, mount, done, begun):
        step = 1
        if not os.path.isdir(os.path.join(mount, self.name)):
            if done:
                raise Fault(f"{self.name} is gone")
            return 0
        database = self.open(mount)
        try:
            result = database.execute("pragma integrity_check").fetchall()
            if result != [("ok",)]:
                raise Fault(f"{self.name}: {result}")
            if database.execute("select count(*) from sqlite_master").fetchone()[0]:
                rows = database.execute("select n, v from t order by n").fetchall()
                step = rows[-1][0] if rows else 2
                if [r[0] for r in rows] != list(range(3, step + 1)) or \
                        any(v != fill(n, 3000) for n, v in rows):
                    raise Fault(f"{self.name} lost a row")
        except sqlite3.DatabaseError as error:
            raise Fault(f"{self.name}: {error}") from error
        finally:
            database.close()
        if not done <= step <= begun:
            raise Fault(f"{self.name} has {step} transactions of {done} ... {begun}")
        self.step = step
        return step


def all_clients(seed):
    return [Overwrite("overwrite", seed), Overwrite("again", seed), Create("create", seed),
            Link("link", seed), Replace("replace", seed), Fork("fork", seed), Merge("merge", seed),
            Rename("rename", seed), Database("wal", seed, "wal"),
            Database("delete", seed, "delete")]


# ---- processes ----

class Clients:
    def __init__(self, folder, seed):
        self.folder = folder
        self.clients = all_clients(seed)
        self.pids = {}
        self.flags = mmap.mmap(-1, 4096)   # [0]: end after the step, [1]: it crashed
        self.wrong = []
        for c in self.clients:
            open(self.log(c), "w").close()

    def log(self, client):
        return os.path.join(self.folder, client.name + ".log")

    def start(self, mount, position=lambda: 0):
        self.flags[0:2] = b"\0\0"
        for client in self.clients:
            pid = os.fork()
            if pid == 0:
                os._exit(self.work(client, mount, position))
            self.pids[pid] = client

    def work(self, client, mount, position):
        log = os.open(self.log(client), os.O_WRONLY | os.O_APPEND)
        n = client.step
        try:
            while not self.flags[0]:
                n += 1
                os.write(log, f"begun {n} {position()}\n".encode())
                client.run(mount, n)
                os.write(log, f"done {n} {position()}\n".encode())
        except (OSError, sqlite3.Error):
            if self.flags[1]:
                return 0
            print(f"# {client.name}, step {n}:", file=sys.stderr)
            traceback.print_exc()
            return 1
        return 0

    def crashing(self):
        """From now on a client may fail."""
        self.flags[1] = 1

    def end(self):
        """Waits for the clients to end after their present step."""
        self.flags[0] = 1
        for pid, client in self.pids.items():
            status = os.waitpid(pid, 0)[1]
            # a page of SQLite's shared memory that a dead mount cannot give
            is_bus = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGBUS
            if status and not (self.flags[1] and is_bus):
                self.wrong.append(f"{client.name} failed: {status}")
        self.pids = {}

    def progress(self, client, position=None):
        """Steps done and begun, up to a position."""
        done = begun = client.step
        with open(self.log(client)) as log:
            for line in log:
                what, n, at = line.split()
                if position is not None and int(at) > position:
                    break
                if what == "done":
                    done = max(done, int(n))
                else:
                    begun = int(n)
        return done, max(begun, done)

    def check(self, mount, position=None):
        """Raises Fault; returns how many steps are there in all."""
        total = 0
        faults = []
        for client in self.clients:
            done, begun = self.progress(client, position)
            try:
                total += client.check(mount, done, begun)
            except (Fault, OSError) as fault:
                faults.append(str(fault))
        if faults:
            raise Fault("\n# ".join(faults))
        return total

    def begin_again(self):
        """What was begun and is not there is forgotten: logs begin anew."""
        for client in self.clients:
            open(self.log(client), "w").close()
