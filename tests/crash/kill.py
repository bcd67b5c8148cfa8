#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""kill.py: irminfs is killed at random moments while clients work, and while it
recovers; mounted again it must have all that was acknowledged and no half cut
(clients.py), and Git must find the store in order.

  IRMINFS               the program
  IRMINFS_CRASH_KILLS   how many (20)
  IRMINFS_CRASH_SEED    steps and moments; printed
"""
import os
import random
import time

from clients import Clients, Fault
from mounting import Daemon, check_sanitizers, fsck, remove_store, run_test

KILLS = int(os.environ.get("IRMINFS_CRASH_KILLS") or 20)
A_STORE = 20    # kills after which a new one begins: fsck gets slow


class Test:
    def __init__(self, folder, number):
        self.number = number
        self.draw = random.Random(f"kill {number}")
        self.folder = folder
        self.mount = folder.make("mnt")
        self.log = os.path.join(folder.path, "log")
        self.recoveries = 0

    def start(self):
        daemon = Daemon(self.store, self.mount, self.log)
        self.folder.later(daemon.destroy)
        return daemon

    def recover(self):
        """Mounts again; every other time that is killed, too."""
        while self.draw.randrange(2):
            daemon = self.start()
            time.sleep(self.draw.random() * 0.05)
            daemon.kill()
            self.recoveries += 1
        daemon = self.start()
        daemon.wait_ready()
        return daemon

    def kill_once(self, daemon, clients):
        clients.start(self.mount)
        time.sleep(0.02 + self.draw.random() * 0.6)
        clients.crashing()
        daemon.kill()
        clients.end()
        fsck(self.store)
        daemon = self.recover()
        total = clients.check(self.mount)
        clients.begin_again()
        if clients.wrong:
            raise Fault(", ".join(clients.wrong))
        return daemon, total

    def one_store(self, kills, index):
        self.store = os.path.join(self.folder.path, f"store{index}.git")
        clients = Clients(self.folder.make("logs"), self.number + index)
        daemon = self.start()
        daemon.wait_ready()
        total = 0
        for i in range(kills):
            try:
                daemon, total = self.kill_once(daemon, clients)
            except (Fault, RuntimeError) as fault:
                raise Fault(f"kill {i + 1} of store {index}: {fault}") from fault
        daemon.end()
        fsck(self.store)
        # all is in Git: nothing but that is left to begin with
        daemon = self.start()
        daemon.wait_ready()
        clients.check(self.mount)
        daemon.end()
        check_sanitizers(self.log)
        remove_store(self.store)
        return total

    def main(self):
        total = 0
        for index, first in enumerate(range(0, KILLS, A_STORE)):
            total += self.one_store(min(A_STORE, KILLS - first), index)
        return f"{KILLS} kills, {self.recoveries} in recovery, {total} acknowledged steps"


run_test("what was acknowledged survives SIGKILL", Test)
