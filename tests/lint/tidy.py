#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""clang-tidy with the curated checks of .clang-tidy over every C file that the build compiles.

Usage: tidy.py BUILD-DIRECTORY [FILE...]
"""

import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys

import sources

# The build may be gcc's: its warning options are not all clang's, and are not what is asked here.
EXTRA = ["--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-Wno-ignored-optimization-argument"]


def compiled(build, only):
    with open(build / "compile_commands.json", encoding="utf-8") as commands:
        files = {(build / entry["file"]).resolve() for entry in json.load(commands)}
    inside = sorted(f for f in files if f.suffix == ".c" and f.is_relative_to(sources.ROOT) and not f.is_relative_to(build))
    return [f for f in inside if not only or f in only]


def tidy(build, path):
    done = subprocess.run(["clang-tidy", "--quiet", "-p", build, *EXTRA, path], capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if ": error:" in line or ": warning:" in line]
    if done.returncode != 0 and not lines:
        lines = [f"{path}: clang-tidy failed: {done.stderr.strip()}"]
    return [from_root(build, line) for line in lines]


def from_root(build, line):
    """The line with its path as seen from the source's root, however clang-tidy spelled it."""
    path, colon, rest = line.partition(":")
    path = (build / path).resolve()
    return f"{path.relative_to(sources.ROOT) if path.is_relative_to(sources.ROOT) else path}{colon}{rest}"


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    if not shutil.which("clang-tidy"):
        print("SKIP: clang-tidy is missing (package clang-tidy)")
        sys.exit(77)
    files = compiled(build, {pathlib.Path(name).resolve() for name in sys.argv[2:]})
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda path: tidy(build, path), files)
        # A header's complaint comes once for every file that includes it.
        complaints = list(dict.fromkeys(line for lines in found for line in lines))
    sources.report(complaints, len(files), "clang-tidy")


if __name__ == "__main__":
    main()
