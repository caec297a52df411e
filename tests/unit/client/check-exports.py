#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a shared library shows is what its headers declare: no function is missing, and nothing of the inside leaks out. What
it shows to the project's own libraries is under a private version, and declared in a header that is not installed.

Usage: check-exports.py NM LIBRARY VERSION=HEADER...
"""

import re
import subprocess
import sys


def declared_in(header):
    with open(header, encoding="utf-8") as f:
        text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.DOTALL)
    text = re.sub(r"__attribute__\(\(.*?\)\)\)\s*", "", text)
    return set(re.findall(r"^[\w ]+?[ *](varta_\w+)\([^;{]*\);", text, flags=re.MULTILINE))


def shown_by(nm, library):
    listing = subprocess.run([nm, "-D", "--defined-only", "--with-symbol-versions", library],
                             check=True, capture_output=True, text=True).stdout
    shown = {}
    for line in listing.splitlines():
        name, _, version = line.split()[-1].partition("@@")
        if line.split()[-2] != "A":  # the version nodes themselves
            shown[name] = version
    return shown


def main():
    nm, library, *versions = sys.argv[1:]
    shown = shown_by(nm, library)
    complaints, count = [], 0

    for prefix, _, header in (version.partition("=") for version in versions):
        declared = declared_in(header)
        here = {name for name, version in shown.items() if re.fullmatch(prefix + r"\d+", version)}
        complaints += [f"{name} is declared but not exported" for name in sorted(declared - here)]
        complaints += [f"{name} is exported but not declared" for name in sorted(here - declared)]
        if not declared:
            complaints.append(f"no declarations found in {header}: this check does not see the header")
        for name in here:
            del shown[name]
        count += len(here)

    complaints += [f"{name} has version '{version}', which is none of ours" for name, version in sorted(shown.items())]
    for complaint in complaints:
        print(complaint)
    print(f"{count} functions exported")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
