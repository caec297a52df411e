#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/observability holds together: promtool has nothing to say of the rules, their tests pass, every alert is tested and has a
runbook, and rules and dashboard ask for metrics that there are. Usage: check-observability.py METRICS-DOC FOLDER"""

import json
import pathlib
import re
import shutil
import subprocess
import sys

GENERATOR, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
RULES = (FOLDER / "varta-rules.yml").read_text(encoding="utf-8")
ALERTS = re.findall(r"- alert: (\w+)", RULES)
NAME = re.compile(r"(?<![\w:])varta_\w+")


def promtool(*arguments):
    if not shutil.which("promtool"):
        return "SKIP promtool is missing (package prometheus)"
    done = subprocess.run(["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else done.stdout + done.stderr


def check_known_names():
    """Every name in a query is one of a sample."""
    known = set(re.findall(r"^\| `(varta_\w+)`", subprocess.run([GENERATOR], capture_output=True, text=True, check=True).stdout, re.M))
    queries = re.findall(r"expr: (.*)", RULES)
    dashboard = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
    queries += [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    queries += [variable["definition"] for variable in dashboard["templating"]["list"] if "definition" in variable]
    unknown = {name for query in queries for name in NAME.findall(query)} - known
    return f"not in docs/metrics.md: {sorted(unknown)}" if unknown else None


def check_runbooks():
    headings = re.findall(r"^## (\w+)$", (FOLDER / "runbooks.md").read_text(encoding="utf-8"), re.M)
    linked = re.findall(r'runbook: "docs/observability/runbooks\.md#(\w+)"', RULES)
    if headings != ALERTS:
        return f"alerts and runbooks differ: {sorted(set(headings) ^ set(ALERTS)) or 'in their order'}"
    return None if linked == [alert.lower() for alert in ALERTS] else "an alert's link is not to its runbook"


def check_tested():
    tested = set(re.findall(r"alertname: (\w+)", (FOLDER / "varta-rules-test.yml").read_text(encoding="utf-8")))
    return f"not tested: {sorted(set(ALERTS) - tested)}" if set(ALERTS) - tested else None


CASES = [
    ("promtool accepts the rules", lambda: promtool("check", "rules", "--lint-fatal", "varta-rules.yml")),
    ("promtool accepts the scrape configuration", lambda: promtool("check", "config", "--syntax-only", "prometheus.yml")),
    ("the tests of the rules pass", lambda: promtool("test", "rules", "varta-rules-test.yml")),
    ("every alert is tested", check_tested),
    ("every alert has a runbook, and every runbook an alert", check_runbooks),
    ("rules and dashboard ask for metrics that there are", check_known_names),
]

print(f"1..{len(CASES)}")
for number, (sentence, case) in enumerate(CASES, 1):
    complaint = case()
    if complaint and complaint.startswith("SKIP"):
        print(f"ok {number} - {sentence} # {complaint}")
        continue
    print(f"{'not ok' if complaint else 'ok'} {number} - {sentence}")
    for line in (complaint or "").splitlines():
        print(f"# {line}")
