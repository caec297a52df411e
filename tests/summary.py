#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Adds up the logs of several `meson test` runs to one line: N passed, N failed, N skipped. Exits 1 when anything failed or
nothing ran.

Cases are counted where a test says how many it has: the lines of the Test Anything Protocol, or the closing line of `check`. Any
other test is one case.

Usage: summary.py [--failed-steps N] TESTLOG.JSON...
"""

import argparse
import json
import re
import sys

TAP = re.compile(r"^(not )?ok\b\s*\d*\s*-?\s*(.*?)(?:\s+#\s*(SKIP|TODO)\b\s*(.*))?$", re.M | re.I)
TAP_PLAN = re.compile(r"^1\.\.(\d+)(?:\s*#\s*SKIP\s*(.*))?$", re.M | re.I)
CHECK = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)$", re.M)
CHECK_CASE = re.compile(r"^[^:\n]+:\d+:[FE]:.*$", re.M)

FINE = ("OK", "EXPECTEDFAIL")


class Count:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []

    def add(self, test):
        """One line of testlog.json: one test program."""
        name, result, stdout = test["name"], test["result"], test.get("stdout") or ""
        before = len(self.failed)
        if not (self.add_tap(name, stdout) or self.add_check(name, stdout)):
            if result in FINE:
                self.passed += 1
            elif result == "SKIP":
                self.skipped.append(f"{name}: {stdout.strip().splitlines()[-1] if stdout.strip() else 'no reason given'}")
        # Also what a test's own lines do not tell: a crash, a time limit, a case too few.
        if result not in (*FINE, "SKIP") and len(self.failed) == before:
            self.failed.append(f"{name}: {result}, exit status {test.get('returncode')}")

    def add_tap(self, name, stdout):
        plan = TAP_PLAN.search(stdout)
        if not plan:
            return False
        if plan[1] == "0":
            self.skipped.append(f"{name}: {plan[2] or 'no reason given'}")
        for negative, sentence, directive, reason in TAP.findall(stdout):
            if directive.upper() == "SKIP":
                self.skipped.append(f"{name}: {sentence} ({reason})")
            elif negative:
                self.failed.append(f"{name}: {sentence}")
            else:
                self.passed += 1
        return True

    def add_check(self, name, stdout):
        sums = CHECK.findall(stdout)
        for checks, failures, errors in sums:
            self.passed += int(checks) - int(failures) - int(errors)
        if any(int(f) or int(e) for _, f, e in sums):
            bad = sum(int(f) + int(e) for _, f, e in sums)
            cases = CHECK_CASE.findall(stdout)
            self.failed += [f"{name}: {case}" for case in cases] if len(cases) == bad else [name] * bad
        return bool(sums)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--failed-steps", type=int, default=0, help="steps that failed outside any test")
    parser.add_argument("logs", nargs="*")
    arguments = parser.parse_args()

    count = Count()
    for log in arguments.logs:
        with open(log, encoding="utf-8") as lines:
            for line in lines:
                count.add(json.loads(line))
    for name in count.failed:
        print(f"FAILED   {name}")
    for name in count.skipped:
        print(f"skipped  {name}")
    failures = len(count.failed) + arguments.failed_steps
    print(f"{count.passed} passed, {failures} failed, {len(count.skipped)} skipped")
    sys.exit(1 if failures or not count.passed else 0)


if __name__ == "__main__":
    main()
