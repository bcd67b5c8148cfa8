#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""random_calls.py SEED STEPS FOLDER OTHER: the same random system calls, by several
users, in two folders whose trees are alike, the second one on a filesystem under
test.  Results, errors, events and trees have to be the same; a difference ends it
with status 1 and the calls before it.

random_calls.py --tree FOLDER: what there is, with times of modification.

What differs and may is left out: holes, times of access, which error of several a
call gets that is wrong twice, sizes and links of directories, and pages of mappings
behind the end of a file.
"""
import ctypes
import errno
import fcntl
import hashlib
import mmap
import os
import pickle
import random
import stat
import struct
import sys

NAMES = ["a", "b", "c", "d", "e", ".h", "\u00e9", "f.o"]
USERS = [(0, 0, []), (0, 0, []), (0, 0, []), (65534, 65534, []), (1000, 1000, [65534])]
MODES = [0o777, 0o777, 0o777, 0o755, 0o666, 0o600, 0, 0o4755, 0o2755, 0o1777, 0o2775]
PLACES = [0, 1, 511, 4095, 4096, 65535, 65536, 65537, 131072, 200000]
PUNCH, ZERO, KEEP = 2, 16, 1
LOCK = "hhqqi4x"
AT_FDCWD, AT_SYMLINK_FOLLOW = -100, 0x400
libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate64.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


def call(name, *arguments):
    done = getattr(libc, name)(*arguments)
    if done < 0:
        raise OSError(ctypes.get_errno(), name)
    return done


def digest(data):
    return len(data), hashlib.md5(data).hexdigest()[:8]


def facts(st):
    return (oct(st.st_mode), st.st_uid, st.st_gid, st.st_rdev,
            *(() if stat.S_ISDIR(st.st_mode) else (st.st_nlink, st.st_size)))


def tree(root, times):
    lines, groups = [], {}

    def visit(path):
        st = os.lstat(path)
        line = [path[len(root):], facts(st),
                sorted((name, os.getxattr(path, name, follow_symlinks=False))
                       for name in os.listxattr(path, follow_symlinks=False))]
        if st.st_nlink > 1 and not stat.S_ISDIR(st.st_mode):
            line.append(groups.setdefault(st.st_ino, len(groups)))
        if times:
            line.append(st.st_mtime_ns)
        if stat.S_ISREG(st.st_mode):
            with open(path, "rb") as f:
                line.append(digest(f.read()))
        if stat.S_ISLNK(st.st_mode):
            line.append(os.readlink(path))
        lines.append(str(line))
        if stat.S_ISDIR(st.st_mode):
            for name in sorted(os.listdir(path)):
                visit(path + "/" + name)

    visit(root)
    return lines


class Run:
    def __init__(self, root, seed):
        self.root, self.chooser = root, random.Random(seed)
        self.known = NAMES[:4]      # relative paths that may be there
        self.fds, self.folders, self.maps = [], [], []
        os.chdir(root)
        self.inotify = call("inotify_init1", os.O_NONBLOCK)
        self.do_watch(".")

    # ---- choosing

    def often(self, share):
        return self.chooser.random() < share

    def pick(self, *choices):
        return self.chooser.choice(choices)

    def name(self):
        return self.chooser.choice(NAMES)

    def path(self):
        if self.often(0.65):
            self.last = self.chooser.choice(self.known)
            if self.often(0.4):
                self.last += "/" + self.name()
            return self.root + "/" + self.last
        self.last = "/".join(self.name() for _ in range(self.pick(1, 1, 2, 3)))
        return self.last + self.pick(*[""] * 20, "/", "/.")

    def at(self):
        return {"dir_fd": self.pick(*self.folders)} if self.folders and self.often(0.2) else {}

    def place(self):
        return self.pick(*PLACES) + self.pick(0, 0, 0, 1, 7)

    def data(self):
        size = self.pick(1, 3, 100, 4096, 5000, 65536, 70000)
        text = self.pick(b"line\n", b"\0", b"xyz", self.chooser.randbytes(13))
        return (text * (size // len(text) + 1))[:size]

    def fd(self):
        return self.pick(*self.fds) if self.fds else -1

    # ---- files

    def do_open(self):
        flags = self.pick(os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR) | os.O_NONBLOCK
        for flag, share in ((os.O_CREAT, .7), (os.O_EXCL, .15), (os.O_TRUNC, .2), (os.O_APPEND, .2),
                            (os.O_NOFOLLOW, .1), (os.O_DIRECTORY, .05), (os.O_DSYNC, .03),
                            (os.O_NOATIME, .05)):
            if self.often(share):
                flags |= flag
        fd = os.open(self.path(), flags, self.pick(*MODES), **self.at())
        st = os.fstat(fd)
        if not stat.S_ISREG(st.st_mode):
            os.close(fd)
        else:
            self.fds.append(fd)
        return facts(st)

    def do_tmpfile(self):
        flags = self.pick(os.O_WRONLY, os.O_RDWR) | self.pick(0, 0, 0, os.O_EXCL)
        self.fds.append(os.open(self.path(), os.O_TMPFILE | flags, self.pick(*MODES)))
        return facts(os.fstat(self.fds[-1]))

    def do_linkat(self):
        fd = self.fd()
        # it looks at setgid as it is known, which FUSE may have lost meanwhile
        os.fstat(fd)
        call("linkat", AT_FDCWD, b"/proc/self/fd/%d" % fd, AT_FDCWD,
             self.path().encode(), AT_SYMLINK_FOLLOW)

    def do_pwrite(self):
        return os.pwritev(self.fd(), [self.data(), self.data()], self.place(),
                          self.pick(0, 0, os.RWF_DSYNC, os.RWF_APPEND))

    def do_copy(self):
        source, target, size = self.fd(), self.fd(), self.pick(1, 4096, 150000)
        at, to, done = self.place(), self.place(), 0
        while done < size:
            step = os.copy_file_range(source, target, size - done, at + done, to + done)
            if step == 0:
                break
            done += step
        return done

    def do_map(self):
        fd = self.fd()
        if os.fstat(fd).st_size:
            access = self.pick(mmap.ACCESS_WRITE, mmap.ACCESS_WRITE, mmap.ACCESS_READ)
            self.maps.append((mmap.mmap(fd, 0, access=access), os.dup(fd), access))

    def do_mapped(self):
        if not self.maps:
            return None
        pages, fd, access = self.pick(*self.maps)
        size = min(len(pages), os.fstat(fd).st_size)
        if not size:
            return None
        at = self.chooser.randrange(size)
        end = min(size, at + self.pick(1, 10, 5000))
        found = digest(pages[at:end])
        if access == mmap.ACCESS_WRITE and self.often(0.7):
            pages[at:end] = self.chooser.randbytes(1) * (end - at)
            if self.often(0.3):
                pages.flush()
        return found

    def do_lock(self):
        if self.often(0.4):
            return fcntl.flock(self.fd(), fcntl.LOCK_NB |
                               self.pick(fcntl.LOCK_SH, fcntl.LOCK_EX, fcntl.LOCK_UN))
        command = self.pick(fcntl.F_SETLK, fcntl.F_GETLK, fcntl.F_OFD_SETLK, fcntl.F_OFD_GETLK)
        found = fcntl.fcntl(self.fd(), command, struct.pack(
            LOCK, self.pick(0, 1, 2), 0, self.pick(0, 10, 4096), self.pick(0, 1, 100), 0))
        return struct.unpack(LOCK, found)[:4]

    # ---- names and attributes

    def do_opendir(self):
        if len(self.folders) > 5:
            os.close(self.folders.pop(0))
        self.folders.append(os.open(self.path(), os.O_RDONLY | os.O_DIRECTORY, **self.at()))

    def do_rename(self):
        if self.often(0.6):
            return os.rename(self.path(), self.path())
        return call("renameat2", -100, self.path().encode(), -100, self.path().encode(),
                    self.pick(1, 2, 3))

    def do_mknod(self):
        kind = self.pick(stat.S_IFIFO, stat.S_IFREG, stat.S_IFSOCK, stat.S_IFCHR, stat.S_IFDIR)
        return os.mknod(self.path(), kind | self.pick(*MODES), os.makedev(1, 3))

    def do_chown(self):
        owner, group = self.pick((0, -1), (1000, -1), (-1, 1000), (65534, 65534))
        return os.chown(self.path(), owner, group, follow_symlinks=self.often(0.5))

    def do_times(self):
        now, omit = (1 << 30) - 1, (1 << 30) - 2
        parts = [self.pick(now, omit, self.chooser.randrange(10**9)) for _ in range(2)]
        call("utimensat", -100, self.path().encode(), b"".join(
            struct.pack("qq", self.pick(0, 1, 10**9, -5, 2**33), part) for part in parts), 0)

    def do_attribute(self):
        path, follow = self.path(), self.often(0.6)
        name = self.pick("user.a", "user.b", "trusted.t", "security.s", "system.x", "user.")
        return self.pick(
            lambda: os.setxattr(path, name, self.pick(b"", b"v", b"w" * 300), self.pick(0, 0, 1, 2),
                                follow_symlinks=follow),
            lambda: os.getxattr(path, name, follow_symlinks=follow),
            lambda: sorted(os.listxattr(path, follow_symlinks=follow)),
            lambda: os.removexattr(path, name, follow_symlinks=follow))()

    def do_acl(self):
        path = self.path()
        name = "system.posix_acl_" + self.pick("access", "access", "default")
        def entry(tag, who=2**32 - 1):
            return struct.pack("<HHI", tag, self.chooser.randrange(8), who)
        named = entry(2, self.pick(1000, 65534)) if self.often(0.7) else b""
        group = entry(8, self.pick(1000, 65534)) if self.often(0.4) else b""
        mask = entry(16) if named or group or self.often(0.2) else b""
        value = struct.pack("<I", 2) + entry(1) + named + entry(4) + group + mask + entry(32)
        return self.pick(
            lambda: os.setxattr(path, name, value),
            lambda: os.setxattr(path, name, value),
            lambda: os.getxattr(path, name),
            lambda: os.removexattr(path, name))()

    def do_watch(self, path=None):
        wanted = 0x3fa      # all but reading and attributes
        return call("inotify_add_watch", self.inotify, (path or self.path()).encode(),
                    wanted | 0x01000000)

    def events(self):
        found, at = [], 0
        try:
            data = os.read(self.inotify, 65536)
        except BlockingIOError:
            return found
        while at < len(data):
            watch, mask, _, size = struct.unpack_from("iIII", data, at)
            name = data[at + 16:at + 16 + size].rstrip(b"\0")
            # a file without one: ext4 tells "#NUMBER", FUSE "/"
            if name.startswith(b"#"):
                name = b"/"
            # whether setuid goes is told together with what it goes with
            found.append((watch, hex(mask & ~4), name))
            at += 16 + size
        return found

    # ---- all of them

    def simple(self):
        p, fd, pick, often = self.path, self.fd, self.pick, self.often
        return {
            "close": lambda: self.fds and os.close(self.fds.pop()),
            "write": lambda: os.write(fd(), self.data()),
            "read": lambda: digest(os.read(fd(), pick(1, 4096, 100000))),
            "pread": lambda: digest(os.pread(fd(), pick(1, 4096, 100000), self.place())),
            "lseek": lambda: os.lseek(fd(), self.place() * pick(1, 1, -1), pick(0, 1, 2)),
            "ftruncate": lambda: os.ftruncate(fd(), self.place()),
            "truncate": lambda: os.truncate(p(), self.place()),
            "fallocate": lambda: call(
                "fallocate64", fd(), pick(0, PUNCH | KEEP, ZERO, ZERO | KEEP, PUNCH),
                self.place(), pick(0, 1, 4096, 65536, 100000)),
            "fsync": lambda: pick(os.fsync, os.fdatasync)(pick(*self.fds, *self.folders, -1)),
            "fstat": lambda: facts(os.fstat(fd())),
            "stat": lambda: facts(os.stat(p(), follow_symlinks=often(0.5), **self.at())),
            "access": lambda: os.access(p(), pick(0, 1, 2, 4, 7), effective_ids=often(0.7)),
            "mkdir": lambda: os.mkdir(p(), pick(*MODES), **self.at()),
            "rmdir": lambda: os.rmdir(p(), **self.at()),
            "unlink": lambda: os.unlink(p(), **self.at()),
            "link": lambda: os.link(p(), p(), follow_symlinks=often(0.2)),
            "symlink": lambda: os.symlink(
                pick(self.name(), self.name() + "/" + self.name(), ".", "x" * 150), p()),
            "readlink": lambda: os.readlink(p(), **self.at()),
            "chmod": lambda: os.chmod(p(), pick(*MODES)),
            "fchmod": lambda: os.fchmod(fd(), pick(*MODES)),
            "chdir": lambda: os.chdir(self.root) if often(0.6) else
                os.fchdir(pick(*self.folders, -1)),
            "list": lambda: sorted((e.name, e.is_dir(follow_symlinks=False))
                                   for e in os.scandir(p())),
        }

    def step(self, name, operation):
        user, group, groups = self.pick(*USERS)
        os.umask(self.pick(0o22, 0, 0o77))
        os.setgroups(groups)
        os.setegid(group)
        os.seteuid(user)
        try:
            result = operation()
            if name in ("open", "mkdir", "rename", "link", "linkat", "mknod", "symlink"):
                self.known = (self.known + [self.last])[-60:]
        except OSError as e:
            result = errno.errorcode.get(e.errno, str(e))
        except ValueError as e:     # fd -1
            result = str(e)
        finally:
            os.seteuid(0)
            os.setegid(0)
            os.setgroups([])
        while len(self.fds) > 12:
            os.close(self.fds.pop(0))
        while len(self.maps) > 4:
            pages, fd, _ = self.maps.pop(0)
            pages.close()
            os.close(fd)
        return user, name, self.last, result, self.events()

    def run(self, steps):
        operations = self.simple() | {name[3:]: getattr(self, name) for name in dir(self)
                                      if name.startswith("do_")}
        common = ("open", "mkdir", "pwrite", "write", "mapped", "rename", "chmod")
        weights = [4 if name in common else 1 for name in operations]
        self.last = ""
        for i in range(steps):
            name = self.chooser.choices(list(operations), weights)[0]
            yield str(self.step(name, operations[name]))
            if i % 200 == 199 or i == steps - 1:
                yield from tree(self.root, False)


def lines_of(root, seed, steps):
    """In a process of its own, as it changes folders."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        with os.fdopen(writing, "wb") as f:
            try:
                lines = []
                for line in Run(root, seed).run(steps):
                    lines.append(line)
            finally:
                pickle.dump(lines, f)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as f:
        lines = pickle.load(f)
    if os.wait()[1] != 0:
        sys.exit(f"it failed in {root}")
    return lines


def main():
    if sys.argv[1] == "--tree":
        print("\n".join(tree(sys.argv[2], True)))
        return
    seed, steps = int(sys.argv[1]), int(sys.argv[2])
    sides = [lines_of(root, seed, steps) for root in sys.argv[3:5]]
    for i, (one, other) in enumerate(zip(*sides)):
        if one != other:
            print(f"seed {seed}, line {i}", *sides[0][max(0, i - 12):i], "wanted:", one,
                  "found:", other, sep="\n")
            sys.exit(1)
    if len(sides[0]) != len(sides[1]):
        sys.exit(f"seed {seed}: {len(sides[0])} and {len(sides[1])} lines")


main()
