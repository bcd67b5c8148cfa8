#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""summary.py FAILED FOLDER...: counts the tests that meson ran in FOLDERs.

Lists what failed and what was skipped, closes with "N passed, N failed, N
skipped", and exits nonzero when anything failed, when FAILED is not 0 (a build
or a run went wrong before its tests could say so), when no test ran, or, with
CI set, when tests that need a mount were skipped.
"""
import collections
import json
import os
import sys
import xml.etree.ElementTree as ElementTree


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
    """Yields (name, result) for each test program."""
    with open(f"{folder}/meson-logs/testlog.json") as log:
        for line in log:
            test = json.loads(line)
            yield test["name"], test["result"]


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
            crashed = [f"{name}: {result}" for name, result in programs(folder)
                       if result not in ("OK", "SKIP", "EXPECTEDFAIL")]
        except (OSError, ElementTree.ParseError, ValueError) as error:
            print(f"failed  {folder}: no report: {error}")
            counts["failed"] += 1
            continue
        if crashed and counts["failed"] == before:
            counts["failed"] += len(crashed)
        for line in crashed:
            print(f"failed  {folder}: {line}")
    if mount_skipped and os.environ.get("CI"):
        print("tests that need a mount were skipped: is there a /dev/fuse?")
        broken = True
    if (broken or not counts["passed"]) and not counts["failed"]:
        counts["failed"] = 1
    print("{} passed, {} failed, {} skipped".format(
        counts["passed"], counts["failed"], counts["skipped"]))
    sys.exit(1 if counts["failed"] else 0)


main()
