# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/json.md as a schema: its tables say what members there are and of which type, and check() holds an answer to that."""

import re

from rig import SOURCE

BASIC = {
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "string": lambda v: isinstance(v, str) and v != "",
    "boolean": lambda v: isinstance(v, bool),
    "any": lambda v: True,
}

# The one string that may be empty: a key of the configuration set to nothing.
MAY_BE_EMPTY = {("Setting", "value"), ("File", "contents")}


class Schema:
    """`answers`: by the words after "## ", the type of the answer. `types`: by name, the members; or another type's name."""

    def __init__(self):
        self.answers, self.types = {}, {}
        verb = name = None
        for line in (SOURCE / "docs/json.md").read_text(encoding="utf-8").splitlines():
            if line.startswith("## "):
                verb, name = line[3:], None
            elif line.startswith("### "):
                name = line[4:]
                self.types[name] = {}
            elif line.startswith("Answer: "):
                self.answers[verb] = line[8:]
            elif line.startswith("Type: "):
                self.types[name] = line[6:]
            elif name and re.match(r"\| (\w+|\.\.\.) \|", line) and not line.startswith("| member |"):
                member, kind = (part.strip() for part in line.split("|")[1:3])
                self.types[name][member] = kind

    def check(self, value, kind, where="the answer"):
        """Yields a complaint for everything that is not as the page says."""
        if kind.endswith((", or null", " or null")):
            if value is not None:
                yield from self.check(value, re.sub(r",? or null$", "", kind), where)
        elif " or " in kind:
            if all(list(self.check(value, part, where)) for part in kind.split(" or ")):
                yield f"{where} is no {kind}: {value!r}"
        elif kind.startswith("array of "):
            if not isinstance(value, list):
                yield f"{where} is no array: {value!r}"
                return
            for number, element in enumerate(value):
                yield from self.check(element, kind[9:], f"{where}[{number}]")
        elif kind.startswith("map of "):
            if not isinstance(value, dict):
                yield f"{where} is no object: {value!r}"
                return
            for key, element in value.items():
                yield from self.check(element, kind[7:], f"{where}.{key}")
        elif kind in BASIC:
            if not BASIC[kind](value):
                yield f"{where} is no {kind}: {value!r}"
        elif isinstance(self.types[kind], str):
            yield from self.check(value, self.types[kind], where)
        else:
            yield from self._check_object(value, kind, where)

    def _check_object(self, value, name, where):
        members = self.types[name]
        if not isinstance(value, dict):
            yield f"{where} is no {name}: {value!r}"
            return
        for member, kind in members.items():
            if member == "...":
                continue
            if member in value:
                if value[member] == "" and (name, member) in MAY_BE_EMPTY:
                    continue
                yield from self.check(value[member], kind.removesuffix(", optional"), f"{where}.{member}")
            elif not kind.endswith(", optional"):
                yield f"{where} has no {member}, which a {name} has"
        if "..." not in members:
            for member in value.keys() - members.keys():
                yield f"{where}.{member} is not in docs/json.md: {value[member]!r}"
