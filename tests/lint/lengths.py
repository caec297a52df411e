#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Functions up to 60 lines, files up to 600. No exceptions: what does not fit is two things.

A function is what clang-format makes it: it begins on a line that starts in the first column and ends with the first
brace that stands there alone.
"""

import re

import sources

FUNCTION_MAX = 60
FILE_MAX = 600

NOT_A_FUNCTION = re.compile(r"^(#|/|\*|\}|\{|typedef\b|enum\b|extern \"C\"|DEFINE_)")


def functions(lines):
    """Yields (first line's number, name, number of lines) of each function definition."""
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("}") and start:
            first, name = start
            yield first, name, number - first + 1
            start = None
        elif start is None and line[:1].strip() and not NOT_A_FUNCTION.match(line):
            head = head_of(lines, number)
            # A definition: parentheses, then a brace, and no assignment or semicolon between them.
            if head and head.endswith("{") and ")" in head and "=" not in head.split("(")[0]:
                start = number, re.search(r"(\w+)\s*\(", head)[1]
    return


def head_of(lines, number):
    """A declaration's text up to its opening brace or semicolon."""
    text = ""
    for line in lines[number - 1:number + 15]:
        text += " " + line.strip()
        if line.rstrip().endswith(("{", ";", "}")):
            return text.strip()
    return None


def check_file(path):
    where = path.relative_to(sources.ROOT)
    lines = path.read_text(encoding="utf-8").splitlines()
    if len(lines) > FILE_MAX:
        yield f"{where}: {len(lines)} lines, {FILE_MAX} are allowed"
    for first, name, count in functions(lines):
        if count > FUNCTION_MAX:
            yield f"{where}:{first}: {name}() has {count} lines, {FUNCTION_MAX} are allowed"


def main():
    files = sources.c_files("src", "tests")
    sources.report([complaint for path in files for complaint in check_file(path)], len(files), "lengths")


if __name__ == "__main__":
    main()
