# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which C files the checks look at, and how they report: shared by all of tests/lint."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def c_files(*folders):
    """All .c and .h files below the folders: what git knows or would take; without git, what is there."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *folders],
        capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        names = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        names = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    return sorted(path for path in names if path.suffix in (".c", ".h") and path.is_file())


def report(complaints, checked, what):
    """Prints one line per complaint, then how much was looked at; exits 1 when there was any."""
    for complaint in complaints:
        print(complaint)
    print(f"{what}: {checked} files, {len(complaints)} complaints")
    sys.exit(1 if complaints else 0)
