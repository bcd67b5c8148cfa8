# SPDX-License-Identifier: ISC
"""Mounts for the crash tests, in a temporary folder that is left clean."""
import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

IRMINFS = os.environ["IRMINFS"]


def run(*command, **options):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, **options)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)}: {result.returncode}: {result.stdout}")
    return result.stdout


def is_mounted(path):
    with open("/proc/self/mountinfo") as mounts:
        return any(line.split()[4] == path for line in mounts)


def users(path):
    """Yields the processes that have something below a path, and what it is."""
    for process in glob.glob("/proc/[0-9]*"):
        for link in [f"{process}/cwd", f"{process}/root", *glob.glob(f"{process}/fd/*")]:
            try:
                target = os.readlink(link)
                if f"{target}/".startswith(f"{path}/"):
                    with open(f"{process}/cmdline") as command:
                        words = command.read().replace("\0", " ")
                    yield f"{link} -> {target} ({words.strip()})"
            except OSError:
                continue


class Daemon:
    """irminfs in the foreground of a child process."""

    def __init__(self, store, mount, log, *options):
        self.mount = mount
        self.log = log
        with open(log, "a") as output:
            # no timer: it would cut between the writes of a step
            self.process = subprocess.Popen(
                [IRMINFS, "mount", "-f", store, mount, "-o", "commit=3600", *options],
                stdout=output, stderr=output)

    def wait_ready(self):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"irminfs ended with {self.process.returncode}: {self.text()}")
            # the old mount, without a daemon, may still be there
            if os.path.exists(f"{self.mount}/.irmin/version"):
                return
            time.sleep(0.005)
        raise RuntimeError("irminfs does not mount: " + self.text())

    def text(self):
        with open(self.log) as log:
            return log.read()[-5000:]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self):
        run("umount", self.mount)
        status = self.process.wait(timeout=120)
        if status:
            raise RuntimeError(f"irminfs ended with {status}: {self.text()}")

    def destroy(self):
        if self.process.poll() is None:
            self.kill()
        subprocess.run(["umount", "-l", self.mount], stderr=subprocess.DEVNULL)


def check_sanitizers(log):
    with open(log) as file:
        text = file.read()
    if "Sanitizer" in text or "runtime error" in text:
        raise RuntimeError(text[-5000:])


FSCK_OF_NOTHING = ("notice: HEAD points to an unborn branch (main)",
                   "notice: No default references")


def fsck(store, tries=5):
    """A git repack that a killed daemon has left may still be taking packs away
    under the hands of git fsck: what is wrong must stay so.  A store that is killed
    before it published anything has no branch yet, which git notices."""
    for left in range(tries - 1, -1, -1):
        try:
            output = run("git", f"--git-dir={store}", "fsck", "--strict", "--no-dangling",
                         "--no-progress")
            wrong = [line for line in output.splitlines()
                     if line and line not in FSCK_OF_NOTHING]
            if not wrong:
                return
            raise RuntimeError("git fsck: " + "\n".join(wrong))
        except RuntimeError:
            if not left:
                raise
        time.sleep(0.5)


def fsck_reachable(store, folder):
    """Of what refs lead to: a clone gets all of it, checked."""
    clone = os.path.join(folder.path, "clone.git")
    try:
        run("git", "-c", "transfer.fsckObjects=true", "clone", "-q", "--mirror", "--no-local",
            store, clone)
        fsck(clone)
    finally:
        shutil.rmtree(clone, ignore_errors=True)


def remove_store(path):
    """A git repack that a killed daemon has left may still be at work there."""
    for _ in range(600):
        shutil.rmtree(path, ignore_errors=True)
        if not os.path.exists(path):
            return
        time.sleep(0.1)
    raise RuntimeError(f"{path} cannot be removed")


class Folder:
    """A temporary folder; undone last to first, whatever happens."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="irminfs-crash-")
        self.undo = []
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        home = self.make("home")
        os.environ.update(HOME=home, GIT_CONFIG_NOSYSTEM="1")
        run("git", "config", "--global", "safe.directory", "*")
        run("git", "config", "--global", "init.defaultBranch", "main")
        return self

    def make(self, name):
        path = os.path.join(self.path, name)
        os.makedirs(path, exist_ok=True)
        return path

    def later(self, action, *arguments):
        """Done at the end; may have been done before."""
        self.undo.append((action, arguments))

    def __exit__(self, *_):
        while self.undo:
            action, arguments = self.undo.pop()
            try:
                action(*arguments)
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                print(f"# cleaning up: {error}")
        shutil.rmtree(self.path, ignore_errors=True)


def seed():
    return int(os.environ.get("IRMINFS_CRASH_SEED") or time.time_ns() % 1000000)


def can_mount():
    return os.path.exists("/dev/fuse") and os.geteuid() == 0


def tap(tests):
    """tests: (name, function); a function returns a comment or raises."""
    failed = 0
    print(f"1..{len(tests)}", flush=True)
    for number, (name, function) in enumerate(tests, 1):
        try:
            comment = function()
            print(f"ok {number} - {name}{': ' + comment if comment else ''}", flush=True)
        except Exception as error:      # any failure is one of the test
            failed = 1
            why = f"{type(error).__name__}: {error}".replace("\n", "\n# ")
            print(f"not ok {number} - {name}\n# {why}", flush=True)
    sys.exit(failed)


def run_test(name, make, why_not=""):
    """The only test of a program: make(folder, seed).main()."""
    number = seed()
    if not why_not and not can_mount():
        why_not = "needs root and /dev/fuse"
    if why_not:
        print(f"1..0 # SKIP {why_not}")
        return
    print(f"# IRMINFS_CRASH_SEED={number}")
    with Folder() as folder:
        tap([(name, make(folder, number).main)])
