#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/metrics.md is what the table of metrics says. Usage: check-doc.py GENERATOR FILE"""

import difflib
import pathlib
import subprocess
import sys

generator, file = sys.argv[1:]
wanted = subprocess.run([generator], capture_output=True, text=True, check=True).stdout
shipped = pathlib.Path(file).read_text(encoding="utf-8") if pathlib.Path(file).exists() else ""
if wanted != shipped:
    sys.stdout.writelines(difflib.unified_diff(shipped.splitlines(True), wanted.splitlines(True), file, "the table of metrics"))
    print(f"\nTo make it anew: {generator} >{file}")
    sys.exit(1)
