#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""summary.py FAILED FOLDER...: counts the tests that meson ran in FOLDERs.

Lists what failed, with what it said, and what was skipped, closes with "N passed, N failed, N
skipped", and exits nonzero when anything failed, when FAILED is not 0 (a build
or a run went wrong before its tests could say so), when no test ran, or, with
CI set, when tests that need a mount were skipped.
"""
import collections
import json
import os
import sys
import xml.etree.ElementTree as ElementTree

DIAGNOSTICS_MAX = 100       # lines of one failed case


def cases(folder):
    """Yields (suite, program, case, outcome) for each subtest."""
    report = ElementTree.parse(f"{folder}/meson-logs/testlog.junit.xml")
    for suite in report.getroot().iter("testsuite"):
        name = suite.get("name")
        for case in suite.iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                outcome = "failed"
            elif case.find("skipped") is not None:
                outcome = "skipped"
            else:
                outcome = "passed"
            yield name, case.get("name"), outcome


def programs(folder):
    """Yields (name, result, output) for each test program."""
    with open(f"{folder}/meson-logs/testlog.json") as log:
        for line in log:
            test = json.loads(line)
            yield test["name"], test["result"], test.get("stdout", "")


def diagnostics(output):
    """Yields the lines of failed cases in TAP: "not ok" and the comments that
    follow it, of which meson shows none."""
    left = 0
    for line in output.splitlines():
        if line.startswith("not ok"):
            left = DIAGNOSTICS_MAX
        elif not line.startswith("#"):
            left = 0
        if left > 0:
            yield line
            left -= 1
            if left == 0:
                yield "# ... the rest is in meson-logs/testlog.txt"


def main():
    broken = sys.argv[1] != "0"
    counts = collections.Counter()
    mount_skipped = False
    for folder in sys.argv[2:]:
        before = counts["failed"]
        try:
            for suite, case, outcome in cases(folder):
                counts[outcome] += 1
                if outcome != "passed":
                    print(f"{outcome:7} {folder}: {suite}: {case}")
                mount_skipped |= outcome == "skipped" and "mount" in suite
            crashed = [test for test in programs(folder)
                       if test[1] not in ("OK", "SKIP", "EXPECTEDFAIL")]
        except (OSError, ElementTree.ParseError, ValueError) as error:
            print(f"failed  {folder}: no report: {error}")
            counts["failed"] += 1
            continue
        if crashed and counts["failed"] == before:
            counts["failed"] += len(crashed)
        for name, result, output in crashed:
            print(f"failed  {folder}: {name}: {result}")
            for line in diagnostics(output):
                print(f"        {line}")
    if mount_skipped and os.environ.get("CI"):
        print("tests that need a mount were skipped: is there a /dev/fuse?")
        broken = True
    if (broken or not counts["passed"]) and not counts["failed"]:
        counts["failed"] = 1
    print("{} passed, {} failed, {} skipped".format(
        counts["passed"], counts["failed"], counts["skipped"]))
    sys.exit(1 if counts["failed"] else 0)


main()
