#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every rule of the observer, and every counter, has a test that is named after it.

A test's title is a scene's `.title = "RULE: ..."`, or the comment `/* RULE: ... */` right above a START_TEST that its
program runs. Rules without a test are complaints, and so are titles whose rule is none: a renamed rule must not leave its
tests behind.
"""

import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
COUNTERS = HERE.parent.parent.parent / "src/core/counters.h"

# The gates and the tracker's rules are numbered in the order in which they are applied.
RULES = {
    "receive control truncated": "cut ancillary data refuses the datagram before anybody looks at its size",
    "receive mis-sized": "a datagram of another size than a frame's is counted, and no event tells of it",
    "receive no credentials": "a local datagram without credentials is an I/O error",
    "receive error": "an error of a socket is announced and counted, the listener goes on",
    "receive secure": "what the secure envelope refuses is counted by its reason",
    "receive source": "an agent is a source and a pid",
    "receive batch": "a batch is judged in its order, each datagram as if it were alone",
    "admission 1": "time never goes back",
    "admission 2": "a frame must decode",
    "admission 3": "a local pid that nobody attests must not be above pid_max",
    "admission 4": "a frame must name the pid that the kernel attests",
    "admission 5": "an agent's beats keep a distance, but for a dying one's last word",
    "admission 6": "everybody else pays a global token",
    "admission 7": "another pid namespace must be allowed, and an unknown own one refuses",
    "admission 8": "the tracker judges what passed the gates",
    "tracker 1": "another start time, or a dead pidfd, is another process",
    "tracker 2": "another origin replaces a weaker one, or is dropped",
    "tracker 3": "an agent stays in the namespace it was seen in",
    "tracker 4": "last words are ordered by their timestamps and leave the nonce alone",
    "tracker 5": "regular frames are ordered by their nonces, which may wrap",
    "tracker new": "an unknown agent appears with its first frame",
    "eviction strict": "only an agent that stalled, was announced and stayed silent gives its slot",
    "eviction balanced": "else the longest silent one does",
    "eviction share": "a uid above its share gives its own slots only",
    "counter EvictionTruncated": "the search for a victim is bounded",
    "stall latch": "silence is one stall until a beat ends it",
    "stall event": "a stall tells all that is known of its agent",
    "stall order": "stalls are told by their deadlines, and before what came after them",
    "stall queue": "a slow consumer loses no stall",
    "stall doubt": "a verdict waits while beats may be unread or lost",
    "stall deferral": "and no longer than MaxDeferralSec",
    "stall never-beat": "a unit that never spoke is announced without an agent",
    "forget": "agents without a pidfd are forgotten some time after their stall",
    "by hand": "an operator may reset an agent, or forget it",
    "exit event": "an exit is told at once",
    "exit stall": "the exit of what nobody supervises is a stall, of which no latch knows",
    "exit last word": "an exit behind a last word is a crash that spoke",
    "exit ghost": "no queued beat brings a dead process back",
    "exit order": "an exit is told behind the stalls that were concluded before it",
    "identity first sight": "a process is looked at once",
    "identity gone": "one that is dead by then gets no slot",
    "identity confirmed": "a second beat while it lives makes its identity certain",
    "identity recycled": "looks are bounded, and a pid that returns is another agent",
    "identity budget": "without a pidfd silence and the start time must do",
    "container": "a container's agent names its innermost pid and is tracked under the outer one",
    "clock regression": "readings that fall back are clamped and counted",
    "clock jump": "waking late or suspended is a jump, being idle is none",
    "clock grace": "behind a jump everybody has one threshold",
    "clock end": "no sum of times overflows",
    "reload classes": "new rules hold for old agents at once",
    "reload limits": "new rates keep what was spent and earned",
    "reload order": "lists stay ordered by silence when classes merge",
    "reload agents": "no agent is lost",
    "reload refused": "bad settings change nothing",
    "reload fixed": "what memory depends on stays as it was",
    "units table": "names are interned",
    "units counts": "a unit knows its agents, its stalled ones and its beats",
    "units overflow": "beyond the table units share one entry",
    "units listener": "a listener's agents may belong to a unit",
    "units held": "a unit may be held without an agent",
    "uids": "agents are counted by uid",
    "bucket": "tokens are exact over any period",
    "table": "the index and the lists agree with an array",
    "ids": "ids are never given twice",
    "listing": "a walk through the pages sees each agent once",
    "settings": "ranges are checked",
    "names": "stable names have tests that spell them",
    "memory": "all memory is taken at the start",
    "flood": "floods hurt only those who make them",
    "counter zero": "all counters are there from the start, at zero",
    "counter DecodeErrors": "by the error's name",
    "counter RateLimited": "by the limit's name",
}

TITLE = re.compile(r'\.title = "([^"]*)"|/\* ([^/]*?) \*/\nSTART_TEST\((\w+)\)')


def counters():
    """The property names in the table of counters."""
    return re.findall(r'^ +X\(\w+, "(\w+)",', COUNTERS.read_text(encoding="utf-8"), re.M)


def titles(path, complaints):
    """Yields the titles of a file; a test function that no program runs is a complaint."""
    text = path.read_text(encoding="utf-8")
    for match in TITLE.finditer(text):
        if match[3] and len(re.findall(rf"\b{match[3]}\b", text)) < 2:
            complaints.append(f"{path.name}: {match[3]}() is never run")
        yield match[1] or match[2]
    for name in re.findall(r"(?<! \*/\n)START_TEST\((\w+)\)", text):
        complaints.append(f"{path.name}: {name}() has no title above it")


def main():
    complaints = []
    rules = {**RULES, **{f"counter {name}": "" for name in counters()}}
    tests = dict.fromkeys(rules, 0)
    for path in sorted(HERE.glob("test-*.c")):
        for title in titles(path, complaints):
            rule, colon, _ = title.partition(": ")
            if not colon:
                continue
            if rule in tests:
                tests[rule] += 1
            else:
                complaints.append(f"{path.name}: '{rule}' is no rule")
    complaints += [f"'{rule}' has no test" for rule, n in tests.items() if n == 0]

    for complaint in complaints:
        print(complaint)
    print(f"{len(tests)} rules and counters, {sum(tests.values())} tests named after them, {len(complaints)} complaints")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
