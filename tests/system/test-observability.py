#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What ships in docs/observability, against a real Prometheus that scrapes the real exporter: a stall raises its alert, its recovery
ends it, and every query of the dashboard and the rules has an answer."""

import json
import re
import shutil
import signal
import urllib.parse

from rig import ENVIRONMENT, SOURCE, Failure, Rig, Suite, expect, expect_equal, wait_for

FOLDER = SOURCE / "docs/observability"
HTTP_CLIENT = "/usr/local/bin/varta-test-http"
PROMETHEUS_PORT = 9090
UNIT = "plain@1.service"
RELAPSING = "worker@1.service"

CONFIGURATION = """
[Unit plain@*.service]
Mode=warn
StallThresholdSec=500ms

[Unit worker@*.service]
Mode=enforce
StallThresholdSec=500ms
"""


class PrometheusRig(Rig):
    """A machine with a Prometheus, where there is one."""

    @staticmethod
    def why_not_here():
        if not shutil.which("prometheus", path=ENVIRONMENT["PATH"]):
            return "prometheus is missing (package prometheus)"
        return Rig.why_not_here()


suite = Suite(PrometheusRig)
case = suite.case


def ask(rig, path, **parameters):
    """What Prometheus's own interface answers, or None while it does not."""
    query = "?" + urllib.parse.urlencode(parameters) if parameters else ""
    request = json.dumps({"do": "get", "port": PROMETHEUS_PORT, "path": path + query})
    done = rig.run([HTTP_CLIENT, request], check=False)
    if done.returncode != 0:
        return None
    answer = json.loads(json.loads(done.stdout)["body"])
    if answer["status"] != "success":
        raise Failure(f"{parameters or path}: {answer['error']}")
    return answer["data"]


def query(rig, expression):
    data = ask(rig, "/api/v1/query", query=expression)
    return data["result"] if data else []


def value(rig, expression):
    result = query(rig, expression)
    return float(result[0]["value"][1]) if result else None


def alerts(rig, name):
    """States of the alerts of this name, by unit."""
    data = ask(rig, "/api/v1/alerts")
    return {a["labels"].get("unit", ""): a["state"] for a in data["alerts"] if a["labels"]["alertname"] == name}


def quickened(text):
    """The shipped rules at a hundred times the speed: what waits for minutes waits for seconds."""
    return re.sub(r"for: \w+", "for: 1s", text)


@case("Prometheus runs with the shipped configuration, only faster, and scrapes the exporter")
def _(rig):
    rig.write(HTTP_CLIENT, (SOURCE / "tests/system/http-client.py").read_text(), 0o755)
    rig.write("/etc/varta/varta.conf", CONFIGURATION)
    if rig.sanitized:
        rig.write("/etc/systemd/system/varta-exporter.service.d/sanitizer.conf",
                  rig.path("/etc/systemd/system/varta.service.d/sanitizer.conf").read_text() + "MemoryMax=infinity\nTasksMax=infinity\n")
        rig.systemctl("daemon-reload")
    rig.systemctl("enable", "--now", "varta.socket", "varta-exporter.socket")
    rig.systemctl("start", UNIT, RELAPSING)

    rig.write("/etc/prometheus/varta-rules.yml", quickened((FOLDER / "varta-rules.yml").read_text()))
    rig.write("/etc/prometheus/prometheus.yml", (FOLDER / "prometheus.yml").read_text().replace("15s", "500ms"))
    rig.prometheus = rig.start(["prometheus", "--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/tmp/prometheus",
                                f"--web.listen-address=127.0.0.1:{PROMETHEUS_PORT}", "--log.level=warn"])
    try:
        wait_for(lambda: value(rig, "varta_up") == 1, 60, "varta_up to be 1")
    except Failure as failure:
        raise Failure(f"{failure}; prometheus said:\n{rig.prometheus.text}") from None


@case("it takes what is served for OpenMetrics, and loses no sample of it")
def _(rig):
    target = ask(rig, "/api/v1/targets")["activeTargets"][0]
    expect_equal((target["health"], target["lastError"]), ("up", ""), "the target")
    metadata = ask(rig, "/api/v1/targets/metadata", metric="varta_start_time_seconds")
    expect_equal(metadata[0]["unit"], "seconds", "a unit, which only OpenMetrics has")
    wait_for(lambda: value(rig, "scrape_samples_post_metric_relabeling - scrape_samples_scraped") == 0, 10, "all samples to be kept")


@case("figures are those of the observer")
def _(rig):
    wait_for(lambda: value(rig, f'varta_unit_agents{{unit="{UNIT}"}}') == 1, 10, "the unit's agent")
    expect_equal(value(rig, "varta_agents"), float(rig.property("AgentsTracked")), "agents")
    wait_for(lambda: (value(rig, "instance:varta_beats:rate1m") or 0) > 0, 30, "the recorded rate of beats")


@case("nothing is wrong, and no alert says so")
def _(rig):
    data = ask(rig, "/api/v1/alerts")
    expect_equal([a["labels"]["alertname"] for a in data["alerts"] if a["state"] == "firing"], [], "alerts that fire")


@case("a stall that nobody recovers raises VartaUnitStalled; recovering it by hand ends the alert")
def _(rig):
    rig.kill(rig.main_pid(UNIT), signal.SIGSTOP)
    wait_for(lambda: alerts(rig, "VartaUnitStalled").get(UNIT) == "firing", 30, "the alert")
    rig.run(["varta-ctl", "recover", UNIT])
    wait_for(lambda: value(rig, 'varta_recoveries_total{outcome="recovered"}') >= 1, 30, "the recovery in the figures")
    wait_for(lambda: UNIT not in alerts(rig, "VartaUnitStalled"), 30, "the alert to end")


@case("a stall that is recovered by itself is counted, and leaves no alert behind")
def _(rig):
    recovered = value(rig, 'varta_recoveries_total{outcome="recovered"}')
    rig.kill(rig.main_pid(RELAPSING), signal.SIGSTOP)
    wait_for(lambda: value(rig, 'varta_recoveries_total{outcome="recovered"}') == recovered + 1, 30, "the recovery in the figures")
    wait_for(lambda: value(rig, f'varta_unit_restarts_total{{unit="{RELAPSING}"}}') == 1, 30, "the restart in the figures")
    wait_for(lambda: not alerts(rig, "VartaUnitStalled"), 30, "no alert of a stall")


@case("an observer that is stopped raises VartaDown, and its old figures raise nothing; it comes back, and the alert ends")
def _(rig):
    rig.systemctl("stop", "varta.socket", "varta.service")
    wait_for(lambda: alerts(rig, "VartaDown").get("") == "firing", 30, "the alert")
    expect_equal(alerts(rig, "VartaUnitStalled"), {}, "alerts from old figures")
    rig.systemctl("start", "varta.socket")
    rig.systemctl("restart", UNIT, RELAPSING)
    wait_for(lambda: not alerts(rig, "VartaDown"), 30, "the alert to end")


def fleshed_out(expression):
    """A query of the dashboard as Grafana would send it with everything selected."""
    for name, text in (("$instance", ".+"), ("$unit", ".+"), ("$__rate_interval", "1m")):
        expression = expression.replace(name, text)
    return expression


def panels():
    return json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))["panels"]


@case("every query of the dashboard has an answer")
def _(rig):
    empty = [f"{panel['title']}: {target['expr']}" for panel in panels() for target in panel["targets"]
             if not query(rig, fleshed_out(target["expr"]))]
    expect_equal(empty, [], "queries without an answer")


@case("the dashboard's variables and annotations find what there is")
def _(rig):
    units = {r["metric"]["unit"] for r in query(rig, "varta_unit_agents")}
    expect({UNIT, RELAPSING} <= units, f"units: {units}")
    dashboard = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
    for annotation in dashboard["annotations"]["list"]:
        query(rig, fleshed_out(annotation["expr"]))


@case("every rule is evaluated without an error")
def _(rig):
    rules = [rule for group in ask(rig, "/api/v1/rules")["groups"] for rule in group["rules"]]
    expect(len(rules) > 15, f"only {len(rules)} rules")
    expect_equal([(r["name"], r.get("lastError")) for r in rules if r["health"] != "ok"], [], "rules with an error")


if __name__ == "__main__":
    suite.main()
