#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The main job from end to end: beats, a stall, a restart by systemd, and what an operator sees of it."""

import json
import signal

from rig import SOCKET, Suite, expect, expect_equal, slowness, wait_for

THRESHOLD = 0.5
# How late a verdict may be: the promise is 50 ms, on a machine that is not otherwise slow.
LATENESS = 0.05

CONFIGURATION = """
[Observer]
StallThresholdSec=30s

[Unit worker@*.service]
Mode=enforce
StallThresholdSec=500ms
RestartBackoffSec=1s..10s

[Unit stubborn@*.service]
Mode=enforce
StallThresholdSec=500ms

[Unit plain@*.service]
StallThresholdSec=500ms
"""

WORKERS = [f"worker@{n}.service" for n in (1, 2, 3)]

suite = Suite()
case = suite.case


def identities(rig, units):
    """What changes when a unit is restarted, by unit."""
    return {unit: (rig.main_pid(unit), rig.show(unit, "InvocationID")) for unit in units}


def tracked(rig):
    return {agent["unit"]: agent for agent in rig.agents()}


def start_beating(rig, *units):
    """Starts the units and waits until each has been seen twice, which makes its identity certain."""
    rig.systemctl("start", *units)
    wait_for(lambda: all(tracked(rig).get(unit, {}).get("beats", 0) >= 2 for unit in units), 10, f"beats of {units}")


def ends(rig, unit):
    """Stops a unit and waits until it is forgotten, so that the next case starts clean."""
    rig.systemctl("stop", unit)
    wait_for(lambda: unit not in tracked(rig), 10, f"{unit} to be forgotten")


@case("the installation makes user and group, updates the catalog, and tells systemd and the bus")
def _(rig):
    rig.write("/etc/varta/varta.conf", CONFIGURATION)
    for word in ("systemd-sysusers", "journalctl --update-catalog", "systemctl daemon-reload"):
        expect(word in rig.post_install, f"the installation did not run {word}:\n{rig.post_install}")
    rig.run(["getent", "passwd", "varta"])
    rig.run(["getent", "group", "varta"])


@case("systemctl enable --now varta.socket makes the socket listen and starts no observer")
def _(rig):
    rig.systemctl("enable", "--now", "varta.socket")
    expect_equal(rig.state("varta.socket"), "active", "varta.socket")
    expect_equal(rig.run(["stat", "--format=%U:%G %a", SOCKET]).stdout.strip(), "root:varta 660", "the socket's owner and mode")
    expect_equal(rig.state("varta.service"), "inactive", "varta.service before the first beat")


@case("status, list and busctl's no-auto-start calls do not start it; an idle socket is healthy")
def _(rig):
    done = rig.run(["varta-ctl", "status"], check=False)
    expect_equal(done.returncode, 0, f"exit status of status: {done.stdout}{done.stderr}")
    expect("idle" in done.stdout, f"status does not say idle: {done.stdout}")
    rig.run(["varta-ctl", "list"], check=False)
    expect_equal(rig.state("varta.service"), "inactive", "varta.service after asking")


@case("the first beat starts the observer, and that beat counts")
def _(rig):
    rig.run(["varta-ctl", "beat"])
    wait_for(lambda: rig.state("varta.service") == "active", 10, "varta.service")
    wait_for(lambda: rig.property("Beats") == 1, 10, "the first beat to be counted")
    # Its sender was gone before it could be looked at: it never was an agent.
    expect_equal((rig.property("AgentsTracked"), rig.property("Stalls")), (0, 0), "AgentsTracked and Stalls")
    complaints = [e["MESSAGE"] for e in rig.journal("_SYSTEMD_UNIT=varta.service", "PRIORITY=4", "PRIORITY=3")]
    expect_equal(complaints, [], "complaints at start")


@case("three instances of a unit beat through libvarta and appear with their units")
def _(rig):
    with rig.signals() as log:
        start_beating(rig, *WORKERS)
        for unit in WORKERS:
            log.wait("AgentAppeared", unit=unit)
    expect_equal(rig.property("AgentsTracked"), 3, "AgentsTracked")
    expect_equal(rig.property("AgentsStalled"), 0, "AgentsStalled")
    for unit, agent in tracked(rig).items():
        expect_equal(agent["pid"], rig.main_pid(unit), f"pid of {unit}")
        expect_equal(agent["origin"], "kernel-attested", f"origin of {unit}")
        expect_equal(agent["status"], "ok", f"status of {unit}")


@case("status shows the fleet and exits 0, list has a row per agent, also as JSON")
def _(rig):
    done = rig.run(["varta-ctl", "status"])
    expect("3 of 4096, 0 stalled" in done.stdout, f"status says nothing of three agents: {done.stdout}")
    done = rig.run(["varta-ctl", "list", "--no-legend"])
    for unit in WORKERS:
        expect(unit in done.stdout, f"list does not have {unit}: {done.stdout}")
    rows = json.loads(rig.run(["varta-ctl", "list", "--json=short"]).stdout)
    expect_equal(sorted(row["unit"] for row in rows), WORKERS, "units in the JSON list")


@case("busctl introspect lists the members with values")
def _(rig):
    lines = [line.split() for line in rig.run(["busctl", "introspect", "org.varta.Observer1", "/org/varta/Observer1"]).stdout.splitlines()]
    members = {line[0]: line for line in lines if line[0].startswith(".")}
    for name in ("Version", "AgentsTracked", "AgentsStalled", "Beats", "Stalls", "DecodeErrors", "AuthFailures"):
        expect_equal(members.get(f".{name}", ["", ""])[1], "property", name)
    expect_equal(members[".AgentsTracked"][3], "3", "the value of AgentsTracked")
    expect_equal(members.get(".ListAgents", ["", ""])[1], "method", "ListAgents")
    for name in ("AgentAppeared", "Stall", "Resumed", "AgentExited", "RecoveryStarted", "RecoveryFinished", "RecoveryRefused"):
        expect_equal(members.get(f".{name}", ["", ""])[1], "signal", name)


@case("a stopped process is announced within its threshold plus 50 ms, exactly once, and its unit is restarted")
def _(rig):
    before = identities(rig, WORKERS)
    victim = WORKERS[1]
    with rig.signals() as log:
        rig.kill(before[victim][0], signal.SIGSTOP)
        stall = log.wait("Stall", unit=victim)
        finished = log.wait("RecoveryFinished", unit=victim)

        _, pid, _, invocation, reason, last_beat, _, deadline, details = stall["args"]
        silence = stall["at"] / 1e9 - last_beat / 1e6
        expect(THRESHOLD <= silence <= THRESHOLD + LATENESS * slowness(), f"announced after {silence:.4f} s of silence")
        expect(abs(deadline - last_beat - THRESHOLD * 1e6) < 1000, "the deadline is not the last beat plus the threshold")
        expect_equal((pid, invocation, reason), (*before[victim], "silent"), "pid, invocation and reason of the stall")
        expect_equal(details["Origin"]["data"], "kernel-attested", "the stall's Origin")
        expect_equal(finished["args"][4], "recovered", "the outcome")
        started = log.all("RecoveryStarted", unit=victim)
        expect_equal([s["args"][4] for s in started], ["silent"], "RecoveryStarted")
        expect_equal(len(log.all("Stall")), 1, "stalls announced")
        expect_equal(len(log.all("RecoveryFinished")), 1, "recoveries finished")

        after = identities(rig, WORKERS)
        expect(after[victim][0] not in (0, before[victim][0]), "the pid is the old one")
        expect(after[victim][1] != before[victim][1], "the invocation is the old one")
        expect_equal(tracked(rig)[victim]["pid"], after[victim][0], "the pid that beats now")
        for sibling in (WORKERS[0], WORKERS[2]):
            expect_equal(after[sibling], before[sibling], f"the sibling {sibling}")
            expect_equal(log.all("AgentExited", unit=sibling), [], f"exits of {sibling}")
    expect_equal(rig.property("Stalls"), 1, "the counter Stalls")
    expect_equal(rig.property("RecoveryOutcomes")["recovered"], 1, "the counter of recoveries")


@case("the journal has the decision with its fields, and the catalog explains it")
def _(rig):
    entries = [e for e in rig.journal("_SYSTEMD_UNIT=varta.service", f"VARTA_UNIT={WORKERS[1]}") if e.get("MESSAGE_ID")]
    finished = [e for e in entries if e.get("VARTA_OUTCOME") == "recovered"]
    expect_equal(len(finished), 1, "entries with VARTA_OUTCOME=recovered")
    for field in ("VARTA_PID", "VARTA_INVOCATION_ID", "VARTA_ORIGIN", "VARTA_ATTEMPT", "VARTA_SILENCE_USEC"):
        expect(field in finished[0], f"{field} is not in the entry: {finished[0]}")
    ids = {e["MESSAGE_ID"] for e in entries}
    catalog = rig.run(["journalctl", "--list-catalog"]).stdout
    for message_id in ids:
        expect(message_id in catalog, f"the catalog does not know {message_id}")


@case("with the default mode a stall is announced, status exits 3 while it lasts and 0 after, and nothing is restarted")
def _(rig):
    unit = "plain@1.service"
    start_beating(rig, unit)
    before = identities(rig, [unit])
    with rig.signals() as log:
        rig.kill(before[unit][0], signal.SIGSTOP)
        log.wait("Stall", unit=unit)
        refused = log.wait("RecoveryRefused", unit=unit)
        expect_equal(refused["args"][4], "mode-warn", "the reason")
        expect_equal(rig.property("AgentsStalled"), 1, "AgentsStalled")
        done = rig.run(["varta-ctl", "status"], check=False)
        expect_equal(done.returncode, 3, "exit status while stalled")
        expect(unit in done.stdout, f"status does not name the stalled unit: {done.stdout}")
        rig.kill(before[unit][0], signal.SIGCONT)
        log.wait("Resumed", unit=unit)
        expect_equal(rig.run(["varta-ctl", "status"], check=False).returncode, 0, "exit status after")
        expect_equal(log.all("RecoveryStarted"), [], "recoveries")
    expect_equal(identities(rig, [unit]), before, "the process")
    ends(rig, unit)


@case("varta-ctl monitor follows a stall and its end, a JSON object a line")
def _(rig):
    unit = "plain@2.service"
    start_beating(rig, unit)
    monitor = rig.start(["sh", "-c", "exec varta-ctl monitor --json=short 2>/dev/null"])
    # It says nothing before something happens: an agent that appears tells that it listens.
    probe = "plain@3.service"

    def listens():
        rig.systemctl("restart", probe)
        return probe in monitor.text
    wait_for(listens, 20, "the monitor's first line", interval=0.3)
    pid = rig.main_pid(unit)
    rig.kill(pid, signal.SIGSTOP)
    wait_for(lambda: '"Stall"' in monitor.text, 10, "the stall in the monitor")
    rig.kill(pid, signal.SIGCONT)
    wait_for(lambda: '"Resumed"' in monitor.text, 10, "the resume in the monitor")
    monitor.send(signal.SIGINT)
    monitor.wait()
    for _, line in monitor.lines:
        json.loads(line)
    ends(rig, unit)
    ends(rig, probe)


@case("a worker that is stopped with systemctl exits, and is never restarted")
def _(rig):
    unit = WORKERS[2]
    with rig.signals() as log:
        rig.systemctl("stop", unit)
        log.wait("AgentExited", unit=unit)
        # The rest of the fleet shows that time passed: several thresholds of it.
        _pass_time(rig, 3 * THRESHOLD)
        expect_equal(log.all("RecoveryStarted"), [], "recoveries")
        expect_equal(log.all("Stall"), [], "stalls")
    expect_equal(rig.state(unit), "inactive", unit)


@case("a worker that stalls and is then stopped stays stopped")
def _(rig):
    unit = "plain@4.service"
    start_beating(rig, unit)
    with rig.signals() as log:
        rig.kill(rig.main_pid(unit), signal.SIGSTOP)
        log.wait("Stall", unit=unit)
        rig.systemctl("stop", unit)
        log.wait("AgentExited", unit=unit)
        _pass_time(rig, 3 * THRESHOLD)
        expect_equal(log.all("RecoveryStarted"), [], "recoveries")
    expect_equal(rig.state(unit), "inactive", unit)


@case("a worker that falls silent while it is being stopped is left to its administrator")
def _(rig):
    unit = "stubborn@1.service"
    start_beating(rig, unit)
    with rig.signals() as log:
        rig.kill(rig.main_pid(unit), signal.SIGUSR1)
        rig.systemctl("stop", "--no-block", unit)
        log.wait("Stall", unit=unit)
        expect_equal(log.wait("RecoveryRefused", unit=unit)["args"][4], "unit-not-active", "the reason")
        log.wait("AgentExited", unit=unit)
        _pass_time(rig, 2 * THRESHOLD)
        expect_equal(log.all("RecoveryStarted"), [], "recoveries")
    expect(rig.state(unit) in ("inactive", "failed"), f"{unit} is {rig.state(unit)}")
    rig.systemctl("reset-failed", unit, check=False)


@case("a worker that wedges without stopping is restarted as well")
def _(rig):
    unit = WORKERS[0]
    before = identities(rig, [unit])
    with rig.signals() as log:
        rig.kill(before[unit][0], signal.SIGUSR1)
        expect_equal(log.wait("RecoveryFinished", unit=unit)["args"][4], "recovered", "the outcome")
    after = identities(rig, [unit])
    expect(after[unit][1] != before[unit][1], "the invocation is the old one")


@case("a restart of the observer loses no beat and no agent, and restarts nobody")
def _(rig):
    units = WORKERS[:2]
    before = identities(rig, units)
    with rig.signals() as log:
        rig.systemctl("restart", "varta.service")
        wait_for(lambda: set(units) <= set(tracked(rig)), 10, "the agents to be back")
        _pass_time(rig, 3 * THRESHOLD)
        expect_equal(log.all("Stall"), [], "stalls")
        expect_equal(log.all("RecoveryStarted"), [], "recoveries")
    expect_equal(identities(rig, units), before, "the processes")


@case("a killed observer is back at once, on the same socket")
def _(rig):
    units = WORKERS[:2]
    before, socket = identities(rig, units), rig.run(["stat", "--format=%i", SOCKET]).stdout
    old = rig.main_pid("varta.service")
    rig.kill(old, signal.SIGKILL)
    wait_for(lambda: rig.main_pid("varta.service") not in (0, old) and rig.name_is_owned(), 10, "another observer")
    wait_for(lambda: set(units) <= set(tracked(rig)), 10, "the agents to be back")
    expect_equal(rig.run(["stat", "--format=%i", SOCKET]).stdout, socket, "the socket's inode")
    expect_equal(identities(rig, units), before, "the processes")


@case("the bus may restart: the observer is not, keeps watching, and is back under its name")
def _(rig):
    unit, observer = WORKERS[0], rig.main_pid("varta.service")
    rig.systemctl("restart", "dbus.service")
    wait_for(rig.name_is_owned, 20, "the name on the new bus")
    expect_equal(rig.main_pid("varta.service"), observer, "the observer's pid")
    before = identities(rig, [unit])
    # The back-off of its earlier restart has to be over.
    with rig.signals() as log:
        rig.kill(before[unit][0], signal.SIGSTOP)
        expect_equal(log.wait("RecoveryFinished", 30, unit=unit)["args"][4], "recovered", "the outcome")


@case("systemctl stop of socket and service ends it cleanly, and status then exits 5")
def _(rig):
    rig.systemctl("stop", "varta.socket", "varta.service")
    expect_equal(rig.show("varta.service", "Result"), "success", "Result of varta.service")
    expect_equal(rig.run(["varta-ctl", "status"], check=False).returncode, 5, "exit status")


def _pass_time(rig, seconds):
    """Lets so much time pass, as the beats of a healthy agent tell it (they come every 50 ms)."""
    unit = WORKERS[0]
    beats = int(seconds / 0.05)
    first = tracked(rig)[unit]["beats"]
    wait_for(lambda: tracked(rig)[unit]["beats"] >= first + beats, seconds * 10, f"{beats} beats of {unit}")


if __name__ == "__main__":
    suite.main()
