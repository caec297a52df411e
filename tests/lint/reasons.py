#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The names of reasons, outcomes and states are the same wherever an operator meets them, and all of them are there.

The program's own tables come first. Every other place (the interface's XML, the catalog, the manual, the metrics) has to
list exactly their names: one that is missing is a reason nobody can look up, one too many is a promise nobody keeps.
"""

import re

import sources

XML = "dbus/org.varta.Observer1.xml"
CATALOG = "docs/catalog/varta.catalog"
INTERFACE = "docs/man/org.varta.Observer1.5.scd"
OVERVIEW = "docs/man/varta.7.scd"
CTL = "docs/man/varta-ctl.1.scd"
METRICS = "src/metrics/table.c"
METRICS_TEXT = "docs/metrics.md"

# How a name is written in a place.
PLAIN = r"(?<![\w-])([a-z]+(?:-[a-z]+)*)(?![\w-])"
QUOTED = r'"([a-z-]+)"'
UNDERLINED = r"_([a-z-]+)_"
CODE = r"`([a-z-]+)`"
HEAD = r"^\*([a-z-]+)\*$"

# For each kind of name: where the program has it, then each place with the text around the names, and how they are written.
# The group "list" of the text is what is looked at.
KINDS = {
    "refusals": [
        ("src/recovery/names.c", r"refusal_table\[\w+\] = \{(?P<list>.*?)\};", QUOTED),
        (XML, r"reasons of RecoveryRefused:(?P<list>.*?)-->", PLAIN),
        (CATALOG, r"Subject: A stalled unit was not recovered\n(?P<list>.*?)\n-- ", r'^  "([a-z-]+)"'),
        (INTERFACE, r"\*RecoveryRefusals\* \((?P<list>.*?)\)", UNDERLINED),
        (OVERVIEW, r"\n## Why nothing is done\n(?P<list>.*?)\n##? ", HEAD),
        (METRICS, r" refusals\[\] = \{(?P<list>.*?)\};", QUOTED),
        (METRICS_TEXT, r"`varta_recovery_refusals_total`[^:]*:(?P<list>.*?)\|", CODE),
    ],
    "outcomes": [
        ("src/recovery/names.c", r"outcome_table\[\w+\] = \{(?P<list>.*?)\};", QUOTED),
        (XML, r"outcomes of RecoveryFinished:(?P<list>.*?)-->", PLAIN),
        (CATALOG, r"Subject: The recovery of a unit ended\n(?P<list>.*?)\n-- ", r'^  "([a-z-]+)"'),
        (INTERFACE, r"\*RecoveryOutcomes\* \((?P<list>.*?)\)", UNDERLINED),
        (OVERVIEW, r"\n## How a recovery ends\n(?P<list>.*?)\n##? ", HEAD),
        (METRICS, r" outcomes\[\] = \{(?P<list>.*?)\};", QUOTED),
        (METRICS_TEXT, r"`varta_recoveries_total`[^:]*:(?P<list>.*?)\|", CODE),
    ],
    "reasons of stalls": [
        ("src/core/names.c", r"stall_reason_names\[\w+\] = \{(?P<list>.*?)\};", QUOTED),
        (XML, r"<!-- Reasons:(?P<list>.*?)-->", PLAIN),
        (CATALOG, r"Subject: A process stopped beating\n(?P<list>.*?)\n-- ", QUOTED),
        (INTERFACE, r"\*Stall\*\(.*?\n(?P<list>.*?)\. Once", UNDERLINED),
    ],
    "states of units": [
        ("src/bus/bus-names.h", r"(?P<list>#define BUS_UNIT_OK.*?)\n\n", QUOTED),
        (XML, r"<!-- States:(?P<list>.*?)-->", PLAIN),
        (INTERFACE, r"\*ListUnits\*.*?state \((?P<list>.*?)\)", UNDERLINED),
        (CTL, r"recovery mode, state \((?P<list>.*?)\)", UNDERLINED),
        (METRICS, r" unit_states\[\] = \{(?P<list>.*?)\};", QUOTED),
        (METRICS_TEXT, r"`varta_unit_state`.*?`state`:(?P<list>.*?)\|", CODE),
    ],
    "reasons of notices": [
        ("src/recovery/*.c", r"(?P<list>.*)", r'(?:RECORD_\w+,\s*(?:[^",;]|"")*,|hand_leave_gave_up\(r, u,)\s*"([a-z-]+)"'),
        (INTERFACE, r"for the other kinds it is what happened:(?P<list>.*?)\n\n", UNDERLINED),
    ],
    "kinds of decisions": [
        ("src/recovery/names.c", r"record_kind_table\[\w+\] = \{(?P<list>.*?)\};", QUOTED),
        (INTERFACE, r"\*History\*.*?, kind \((?P<list>.*?)\)", UNDERLINED),
    ],
}


def names(place, around, written):
    """The names that a place (a file, or several by a pattern) lists, or None when it has no such list."""
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(sources.ROOT.glob(place)))
    found = re.search(around, text, re.DOTALL)
    return set(re.findall(written, found["list"], re.MULTILINE)) if found else None


def complaints_of(kind, places):
    known = names(*places[0])
    if not known:
        return [f"{places[0][0]}: no table of {kind} is found: has its shape changed?"]
    complaints = []
    for place in places[1:]:
        listed = names(*place)
        if listed is None:
            complaints.append(f"{place[0]}: has no list of the {kind}")
            continue
        complaints += [f"{place[0]}: the {kind} lack \"{name}\"" for name in sorted(known - listed)]
        complaints += [f"{place[0]}: \"{name}\" is none of the {kind}" for name in sorted(listed - known)]
    return complaints


if __name__ == "__main__":
    sources.report([text for kind, places in KINDS.items() for text in complaints_of(kind, places)],
                   len({place[0] for places in KINDS.values() for place in places}), "reasons")
