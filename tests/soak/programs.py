# SPDX-License-Identifier: ISC
"""The programs of the soak: what each does in a branch and in an ordinary folder."""
import glob
import hashlib
import json
import mailbox
import os
import shutil
import stat
import subprocess
import sys

NOBODY = 65534


def run(*command, timeout=300, **options):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            stdin=options.pop("stdin", subprocess.DEVNULL), text=True,
                            errors="replace", timeout=timeout, **options)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)}: {result.returncode}: {result.stdout[-2000:]}")
    return result.stdout


def configure_git(home):
    for key, value in (("user.name", "Soak"), ("user.email", "soak@example.org"),
                       ("init.defaultBranch", "main"), ("safe.directory", "*"),
                       ("gc.auto", "0")):
        run("git", "config", "--file", f"{home}/.gitconfig", "--add", key, value)


def same(one, other):
    if one != other:
        lines = sorted(set(one) ^ set(other)) if isinstance(one, list) else [one, other]
        raise RuntimeError("not the same: " + "\n".join(map(str, lines[:20])))


def tree(root, times=True):
    """What is in a folder: type, mode, owner, size, time, links and contents."""
    lines = []
    for folder, folders, files in os.walk(root):
        if folder == root and ".irmin" in folders:
            folders.remove(".irmin")
        for name in folders + files:
            path = os.path.join(folder, name)
            found = os.lstat(path)
            what = [os.path.relpath(path, root), oct(found.st_mode), found.st_uid, found.st_gid]
            if stat.S_ISREG(found.st_mode):
                with open(path, "rb") as file:
                    what += [found.st_nlink, found.st_size,
                             hashlib.sha1(file.read()).hexdigest()]
            if stat.S_ISLNK(found.st_mode):
                what.append(os.readlink(path))
            if times and not stat.S_ISDIR(found.st_mode):
                what.append(found.st_mtime_ns)
            lines.append(tuple(what))
    return sorted(lines)


class Place:
    """Where a program works: the branch, an ordinary folder for the same, and one for
    what is its own; and the tests' folder."""

    def __init__(self, mounted, plain, outside, tests, chooser):
        self.mounted, self.plain, self.outside = mounted, plain, outside
        self.tests, self.random = tests, chooser
        self.both = (plain, mounted)


class Program:
    needs = ()

    def __init__(self, place):
        self.place = place
        self.random = place.random
        self.steps = 0

    def name(self):
        return type(self).__name__.lower()

    def missing(self):
        for command in self.needs:
            if not shutil.which(command):
                return f"{command} is not installed"
        return ""

    def prepare(self):
        """Once."""

    def begin(self):
        """After a mount."""

    def step(self):
        raise NotImplementedError

    def end(self):
        """Before the mount goes."""

    def abandon(self):
        """Whatever state it is in."""

    def each(self, do):
        """Results of the same in both folders, which have to be the same."""
        results = [do(folder) for folder in self.place.both]
        same(*results)
        return results[0]


class Sqlite(Program):
    """Transactions in all journal modes, some rolled back; the dumps are the same."""
    needs = ("sqlite3",)
    modes = ("delete", "truncate", "persist", "memory", "wal")

    def step(self):
        mode = self.random.choice(self.modes)
        script = [f"pragma journal_mode={mode}; pragma synchronous={self.random.choice((1, 2))};",
                  "create table if not exists t(a integer primary key, b text);",
                  "create index if not exists i on t(b);"]
        for _ in range(self.random.randrange(1, 30)):
            first = self.random.randrange(5000)
            text = self.random.randbytes(self.random.randrange(1, 300)).hex()
            script.append(self.random.choice((
                f"insert or replace into t values({first}, '{text}');",
                f"begin; update t set b = '{text}' where a between {first} and {first + 50};"
                f"delete from t where a = {first}; {self.random.choice(('commit', 'rollback'))};",
                f"delete from t where a between {first} and {first + 20};")))
        script.append(self.random.choice(("", "", "vacuum;", "reindex;")))
        script.append("pragma integrity_check; select count(*), sum(length(b)), max(b) from t;")
        self.each(lambda folder: run("sqlite3", f"{folder}/{mode}.db", "".join(script)))


class Postgres(Program):
    """pgbench; what a transaction changes in four tables is there, or nothing of it."""

    def missing(self):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
        self.programs = os.path.dirname(found[-1]) if found else ""
        return "" if found else "postgresql is not installed"

    def call(self, program, *arguments):
        place = self.place
        return run("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups",
                   f"{self.programs}/{program}", *arguments, cwd=place.outside,
                   env={**os.environ, "HOME": place.outside, "PGHOST": place.outside,
                        "PGDATABASE": "postgres"})

    def prepare(self):
        self.data = f"{self.place.mounted}/data"
        self.count = 0
        os.mkdir(self.data)
        for path in (self.data, self.place.outside):
            os.chown(path, NOBODY, NOBODY)
        self.call("initdb", "-D", self.data, "-A", "trust", "--no-locale", "-E", "UTF8")
        self.begin()
        self.call("pgbench", "-iq", "-s", "3")
        self.end()

    def begin(self):
        # its output would be waited for as long as the server runs
        self.call("pg_ctl", "-D", self.data, "-w", "-l", f"{self.place.outside}/log", "-o",
                  f"-k {self.place.outside} -c listen_addresses= -c shared_buffers=16MB",
                  "start")

    def query(self, text):
        return self.call("psql", "-XAtc", text).strip()

    def step(self):
        said = self.call("pgbench", "-n", "-c", "4", "-T", "10")
        done = [line for line in said.splitlines() if "actually processed" in line]
        self.count += int(done[0].split(":")[1].split("/")[0])
        same(self.query("select count(*) from pgbench_history"), str(self.count))
        same(self.query(
            "select (select sum(abalance) from pgbench_accounts) = sum(delta) and"
            " (select sum(tbalance) from pgbench_tellers) = sum(delta) and"
            " (select sum(bbalance) from pgbench_branches) = sum(delta) from pgbench_history"),
            "t")

    def end(self):
        self.call("pg_ctl", "-D", self.data, "-w", "stop", "-m",
                  self.random.choice(("fast", "smart")))

    def abandon(self):
        try:
            with open(f"{self.data}/postmaster.pid") as file:
                os.kill(int(file.readline()), 3)
        except (OSError, ValueError, AttributeError):
            pass


class Make(Program):
    """Builds of Lua: what is rebuilt, and what comes of it, is the same."""
    needs = ("make", "gcc")

    def missing(self):
        try:
            said = run(f"{self.place.tests}/source", "lua5.4", self.place.outside)
            self.archive = said.splitlines()[-1]
        except RuntimeError as error:
            return str(error)
        return super().missing()

    def prepare(self):
        for folder in self.place.both:
            run("tar", "-C", folder, "-xf", self.archive)

    def step(self):
        change = self.random.choice(("clean", "touch", "touch", "touch", "nothing"))
        sources = sorted(os.path.basename(path) for path in
                         glob.glob(f"{self.place.plain}/lua-*/src/*.[ch]"))
        touched = self.random.sample(sources, 3)

        def build(folder):
            source = glob.glob(f"{folder}/lua-*/src")[0]
            if change == "clean":
                run("make", "-C", source, "clean")
            elif change == "touch":
                for name in touched:
                    os.utime(f"{source}/{name}")
            rebuilt = run("make", "-C", source, "-j2", "all", "CFLAGS=-O0 -std=gnu99",
                          "MYLIBS=-ldl")
            run("make", "-C", source, "-q", "all")
            return (sum(" -c " in line for line in rebuilt.splitlines()),
                    [line[:7] for line in tree(source, times=False)])
        self.each(build)


class Rsync(Program):
    """A tree that changes; the second pass finds nothing, there and back."""
    needs = ("rsync", "setfattr")

    def change(self, root):
        pick = self.random
        below = [path for path in glob.glob(f"{root}/**", recursive=True)
                 if not os.path.islink(path)]
        folders = [path for path in below if os.path.isdir(path)]
        files = [path for path in below if os.path.isfile(path)]
        path = f"{pick.choice(folders)}/{pick.randrange(100)}"
        what = pick.choice(("write", "write", "write", "folder", "link", "symlink", "remove",
                            "mode", "attribute", "append", "rename", "pipe"))
        if what == "remove":
            victim = pick.choice(folders)
            if victim != folders[0] and len(folders) > 20:
                shutil.rmtree(victim)
            return
        if os.path.lexists(path):
            return
        if what == "folder":
            os.mkdir(path)
        elif what == "symlink":
            os.symlink("../somewhere", path)
        elif what == "pipe":
            os.mkfifo(path)
        elif what == "write" or not files:
            with open(path, "wb") as file:
                file.write(pick.randbytes(pick.choice((0, 10, 5000, 300000))))
        else:
            self.change_file(what, pick.choice(files), path)

    def change_file(self, what, file, path):
        if what == "link":
            os.link(file, path)
        elif what == "mode":
            os.chmod(file, self.random.choice((0o644, 0o755, 0o600, 0o4711)))
        elif what == "attribute":
            os.setxattr(file, "user.colour", self.random.randbytes(10))
        elif what == "append":
            with open(file, "ab") as opened:
                opened.write(b"more")
        else:
            os.rename(file, path)

    def step(self):
        source, target = (f"{folder}/tree/" for folder in self.place.both)
        os.makedirs(source, exist_ok=True)
        for _ in range(30):
            self.change(source)
        options = ["-aHAX", "--delete"]
        # it writes to all names of a file, also to those that are to be other files
        linked = any(os.lstat(path).st_nlink > 1 for path in
                     glob.glob(f"{target}/**", recursive=True) if os.path.isfile(path))
        if self.random.random() < 0.3 and not linked:
            options.append("--inplace")
        run("rsync", *options, source, target)
        same(run("rsync", "-aHAXin", "--delete", source, target), "")
        same(run("rsync", "-aHAXinc", "--delete", target, source), "")
        # rsync leaves the times of links and pipes alone
        same(tree(source, times=False), tree(target, times=False))


class Vim(Program):
    """Edits with backup, undo and swap files."""
    needs = ("vim", "script")

    def step(self):
        copy = self.random.choice(("yes", "no", "auto"))
        key = self.random.choice(("yyp", "ddp", "Onew line", "Gyyp", "xp", "Anext"))
        file = f"f{self.random.randrange(5)}"

        def edit(folder):
            if not os.path.exists(f"{folder}/{file}"):
                with open(f"{folder}/{file}", "w") as text:
                    text.write("one\ntwo\nthree\n")
            run("script", "-qec",
                f"vim -N -u NONE -i NONE -c 'set backup backupskip= undofile backupcopy={copy}'"
                f" -c 'normal {key}' -c wq {file}", "/dev/null", cwd=folder)
            return [line[:7] for line in tree(folder, times=False) if "un~" not in line[0]]
        self.each(edit)


DELIVER = """
import mailbox, os, sys
box = mailbox.Maildir(sys.argv[1], create=True)
for i in range(20):
    box.add(f"Subject: {sys.argv[2]}.{i}\\n\\n" + "body\\n" * 30)
"""


class Mail(Program):
    """Three deliver while one reads, moves and deletes; each mail is read once."""

    def step(self):
        path = f"{self.place.mounted}/box"
        box = mailbox.Maildir(path, create=True)
        senders = [subprocess.Popen([sys.executable, "-c", DELIVER, path, str(i)])
                   for i in range(3)]
        read = []
        while True:
            running = any(sender.poll() is None for sender in senders)
            for key in list(box.iterkeys()):
                message = box[key]
                if message.get_subdir() == "new":
                    read.append(message["subject"])
                    message.set_subdir("cur")
                    message.add_flag("S")
                    box[key] = message
                elif self.random.random() < 0.9:
                    box.discard(key)
            if not running:
                break
        for sender in senders:
            same(sender.wait(), 0)
        read += [m["subject"] for m in box if m.get_subdir() == "new"]
        same(sorted(read), sorted(f"{i}.{j}" for i in range(3) for j in range(20)))
        box.clear()


class Npm(Program):
    """Packages come, go, and are there once."""
    needs = ("npm", "node")

    def prepare(self):
        self.archives = []
        for i in range(6):
            source = f"{self.place.outside}/p{i}"
            os.makedirs(f"{source}/lib/deep")
            with open(f"{source}/package.json", "w") as file:
                json.dump({"name": f"p{i}", "version": f"1.0.{i}", "bin": {f"p{i}": "run.js"},
                           "main": "lib/deep/index.js"}, file)
            for name in ("lib/deep/index.js", "run.js", *(f"lib/f{j}.js" for j in range(30))):
                with open(f"{source}/{name}", "w") as file:
                    file.write(f"module.exports = {i}\n")
            run("npm", "pack", "--silent", "--pack-destination", self.place.outside, cwd=source)
            self.archives.append(f"{self.place.outside}/p{i}-1.0.{i}.tgz")
        for folder in self.place.both:
            with open(f"{folder}/package.json", "w") as file:
                file.write('{"name":"app","version":"1.0.0"}')

    def step(self):
        some = self.random.sample(self.archives, 3)
        what = self.random.choice(("install", "uninstall", "ci"))
        names = [os.path.basename(path).split("-")[0] for path in some]

        def change(folder):
            words = {"install": some, "uninstall": names, "ci": []}[what]
            if what == "ci" and not os.path.exists(f"{folder}/package-lock.json"):
                return []
            run("npm", what, "--offline", "--silent", "--no-audit", "--no-fund", "--cache",
                f"{folder}/.cache", *words, cwd=folder)
            return [line for line in tree(f"{folder}/node_modules", times=False)
                    if not line[0].startswith(".package-lock")]
        self.each(change)


class Git(Program):
    """The same history twice, with rebases, merges and garbage collection."""

    def git(self, folder, *arguments):
        date = f"{1500000000 + self.steps} +0000"
        return run("git", "-C", f"{folder}/w", *arguments,
                   env={**os.environ, "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date})

    def prepare(self):
        for folder in self.place.both:
            run("git", "init", "-q", f"{folder}/w")
            self.commit(folder, "first", "begin\n")

    def commit(self, folder, name, text):
        with open(f"{folder}/w/{name}", "a") as file:
            file.write(text)
        self.git(folder, "add", "-A")
        self.git(folder, "commit", "-qm", name)

    def step(self):
        topic = self.random.choice(("merge", "rebase"))
        packing = self.random.choice(("", "", "gc", "repack"))
        text = self.random.randbytes(2000).hex()

        def work(folder):
            self.git(folder, "checkout", "-qb", "topic")
            for i in range(3):
                self.commit(folder, f"t{i}", text)
            self.git(folder, "checkout", "-q", "main")
            self.commit(folder, "m", text)
            if topic == "merge":
                self.git(folder, "merge", "-q", "--no-edit", "topic")
            else:
                self.git(folder, "rebase", "-q", "main", "topic")
                self.git(folder, "checkout", "-q", "main")
                self.git(folder, "merge", "-q", "--ff-only", "topic")
            self.git(folder, "branch", "-D", "topic")
            if packing == "gc":
                self.git(folder, "gc", "-q", "--prune=now")
            elif packing == "repack":
                self.git(folder, "repack", "-qad")
            self.git(folder, "fsck", "--strict", "--no-progress")
            return self.git(folder, "rev-parse", "HEAD") + self.git(folder, "status", "-s")
        self.each(work)


class Calls(Program):
    """Random system calls of several users, as on the ordinary folder."""

    def step(self):
        for folder in self.place.both:
            shutil.rmtree(f"{folder}/calls", ignore_errors=True)
            os.mkdir(f"{folder}/calls")
            os.chmod(f"{folder}/calls", 0o777)
        run(sys.executable, f"{self.place.tests}/mount/random_calls.py",
            str(self.random.randrange(1 << 30)), "1500",
            *(f"{folder}/calls" for folder in self.place.both))


class Io(Program):
    """Random reads and writes of one file, also mapped."""

    def step(self):
        run(sys.executable, f"{self.place.tests}/mount/random_io.py", f"{self.place.mounted}/file",
            str(self.random.randrange(1 << 30)), "1500")


ALL = (Sqlite, Postgres, Make, Rsync, Vim, Mail, Npm, Git, Calls, Io)
