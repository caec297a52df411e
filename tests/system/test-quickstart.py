#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/quickstart.md, followed word by word on a machine that has never seen Varta but for its installation.

Every block of commands is run as it stands. Where the page's source says what to expect, the block's last line, which only
looks, is repeated until that is there: a newcomer with a busy machine would do the same.
"""

import os
import re
import shutil
import sys

from rig import SOURCE, Suite, build_option, expect, wait_for

BLOCK = re.compile(r"(<!-- install -->\n)?```sh\n(.*?)```\n(?:<!-- expect: (.*?) -->)?", re.S)

suite = Suite()


def squeezed(text):
    """Words, whatever the columns."""
    return " ".join(text.split())


failed = []


def follow(rig, commands, wanted):
    # Who is stuck at one block does not go on to the next.
    expect(not failed, f"block {failed[:1]} failed before")
    failed.append(commands.splitlines()[0])
    try_block(rig, commands, wanted)
    failed.clear()


def try_block(rig, commands, wanted):
    done = rig.run(["bash", "-c", "cd /root\n" + commands], check=False, timeout=60)
    said = done.stdout + done.stderr
    if not wanted:
        expect(done.returncode == 0, f"exit status {done.returncode}:\n{said}")
        return
    last = commands.strip().splitlines()[-1]
    expect(last.startswith("varta-ctl "), f"what is repeated must only look: {last}")

    def there():
        nonlocal said
        if wanted in squeezed(said):
            return True
        again = rig.run(["bash", "-c", last], check=False)
        said = again.stdout + again.stderr
        return False

    # Longer than a busy host may put a verdict off (MaxDeferralSec=).
    wait_for(there, 150, f'"{wanted}" from {last}', interval=0.5)


def add(commands, wanted):
    first = next((line for line in commands.splitlines() if line and not line.startswith("mkdir")), "")
    number = len(suite._cases) + 1
    suite.add(f"block {number}: {first}" + (f" ... {wanted}" if wanted else ""), lambda rig: follow(rig, commands, wanted))


def check_tools(rig):
    for program, package in (("gcc", "gcc"), ("pkg-config", "pkg-config")):
        if not shutil.which(program):
            return f"{program} is missing (package {package})"
    for unit in ("hello.service", "chores.service"):
        expect(not rig.path(f"/etc/systemd/system/{unit}").exists(), f"{unit} is there already")
    return None


suite.add("the machine is as new", check_tools)
for install, block, expected in BLOCK.findall((SOURCE / "docs/quickstart.md").read_text(encoding="utf-8")):
    # The rig has installed the build as `meson install` would; it has no network for packages.
    if not install:
        add(block, expected)

if __name__ == "__main__":
    if build_option(os.environ.get("VARTA_BUILD", "build"), "b_sanitize") not in (None, "none"):
        # Its library cannot be linked by a newcomer's plain compiler.
        print("1..0 # SKIP the page is about a build without sanitizers")
        sys.exit(0)
    suite.main()
