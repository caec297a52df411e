#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every C file is as .clang-format says. `format.py --fix` makes it so."""

import shutil
import subprocess
import sys

import sources


def main():
    if not shutil.which("clang-format"):
        print("SKIP: clang-format is missing (package clang-format)")
        sys.exit(77)
    files = sources.c_files("src", "tests")
    mode = ["-i"] if "--fix" in sys.argv[1:] else ["--dry-run", "--Werror"]
    done = subprocess.run(["clang-format", *mode, *files], cwd=sources.ROOT, stderr=subprocess.PIPE, text=True, check=False)
    found = [line.split(":")[0].removeprefix(f"{sources.ROOT}/") for line in done.stderr.splitlines() if "clang-format-violations" in line]
    complaints = [f"{name}: {found.count(name)} places are not as .clang-format says; clang-format -i {name}" for name in dict.fromkeys(found)]
    if done.returncode != 0 and not complaints:
        complaints = done.stderr.splitlines()
    sources.report(complaints, len(files), "clang-format")


if __name__ == "__main__":
    main()
