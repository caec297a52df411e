#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A shared library needs the libraries that are named here and no other: libvarta is promised to need libc alone.

Usage: check-needs.py READELF LIBRARY NAME...
"""

import re
import subprocess
import sys


def main():
    readelf, library, *expected = sys.argv[1:]
    listing = subprocess.run([readelf, "-dW", library], check=True, capture_output=True, text=True).stdout
    # Their numbers are not our business, and the loader is part of libc.
    needed = {re.sub(r"\.so[.\d]*$", "", name) for name in re.findall(r"\(NEEDED\).*\[(.*)\]", listing)
              if not name.startswith("ld-linux")}

    print(f"{library} needs {', '.join(sorted(needed))}")
    for name in sorted(needed ^ set(expected)):
        print(f"{name} is {'not expected' if name in needed else 'missing'}")
    sys.exit(0 if needed == set(expected) else 1)


if __name__ == "__main__":
    main()
