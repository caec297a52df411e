#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What libvarta.so shows is what varta.h declares: no function is missing, and nothing of the inside leaks out.

Usage: check-exports.py LIBRARY HEADER NM
"""

import re
import subprocess
import sys


def main():
    library, header, nm = sys.argv[1:]

    with open(header, encoding="utf-8") as f:
        text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.DOTALL)
    declared = set(re.findall(r"^[\w ]+?[ *](varta_\w+)\([^;{]*\);", text, flags=re.MULTILINE))

    listing = subprocess.run([nm, "-D", "--defined-only", "--with-symbol-versions", library],
                             check=True, capture_output=True, text=True).stdout
    shown = {}
    for line in listing.splitlines():
        name, _, version = line.split()[-1].partition("@@")
        if line.split()[-2] != "A":  # the version nodes themselves
            shown[name] = version

    complaints = [f"{name} is declared but not exported" for name in sorted(declared - set(shown))]
    complaints += [f"{name} is exported but not declared" for name in sorted(set(shown) - declared)]
    complaints += [f"{name} has no version" for name, version in sorted(shown.items())
                   if not version.startswith("LIBVARTA_")]
    if len(declared) < 5:
        complaints.append(f"only {len(declared)} declarations found in {header}: this check does not see the header")

    for complaint in complaints:
        print(complaint)
    print(f"{len(declared)} functions declared, {len(shown)} exported")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
