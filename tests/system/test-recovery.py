#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Recovery as an operator has to be able to trust it: who is restarted, who is left alone, and what is said of it."""

import signal

from recovery import (COMMON, GAVE_UP_ID, THRESHOLD, agents_of, configure, decisions, end, expect_left_alone,
                      expect_restarted_once, finished, history, invocation, journal_has, pass_time, refused, section,
                      start_beating, starts, stop_process, unit_row, units, wait_until_beating, wedge)
from rig import Suite, expect, expect_equal, wait_for

CONFIGURATION = COMMON + section("worker@*.service") + section("crew@*.service", Quorum="50%") \
    + section("crew@any.service", Quorum="1") \
    + section("stubborn@*.service") + section("limited@*.service") \
    + section("relapse@*.service", RestartBackoffSec="500ms..2s", RestartLimit="3/5min", OnGaveUp="varta-gave-up@%i.service") \
    + section("relapse@held.service", RestartBackoffSec="5s..5s") \
    + section("mute@*.service", RestartBackoffSec="1s..1s")

# What the restarted unit of this name runs does not beat.
MUTE = """
[Service]
Type=exec
ExecStart=/bin/sh -c 'if mkdir /run/mute-%i; then exec /usr/local/bin/varta-test-worker; else exec sleep infinity; fi'
"""

# Holds a process as a debugger does at a breakpoint, until it is ended itself.
TRACER = """
import ctypes, os, signal, sys
ptrace = ctypes.CDLL(None, use_errno=True).ptrace
ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
SEIZE, INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000
pid = int(sys.argv[1])
if ptrace(SEIZE, pid, None, None) != 0 or ptrace(INTERRUPT, pid, None, None) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
os.waitpid(pid, WALL)
print("attached", flush=True)
signal.pause()
"""

suite = Suite()
case = suite.case


@case("the machine of the test is set up")
def _(rig):
    rig.write("/etc/systemd/system/mute@.service", MUTE)
    rig.systemctl("daemon-reload")
    configure(rig, CONFIGURATION)


@case("a worker that wedges is restarted once, and called recovered after a beat of its new process")
def _(rig):
    unit = "worker@1.service"
    with units(rig, unit) as log:
        before, (old,) = invocation(rig, unit), wedge(rig, unit)
        entry = finished(rig, log, unit, "recovered")
        at = log.all("RecoveryFinished", unit=unit)[0]["at"]
        proof = [e for e in log.all("AgentAppeared", unit=unit) if e["pid"] != old]
        expect(proof and proof[0]["at"] <= at, f"recovered was said before a new process beat: {proof}")
        expect("a process of the new invocation beats" in entry["MESSAGE"], entry["MESSAGE"])
        pass_time(rig, 3 * THRESHOLD)
        expect_restarted_once(rig, log, unit, before)
        expect_equal(unit_row(rig, unit)["restarts"], 1, "restarts in ListUnits")


@case("a restarted worker that does not beat is reported as no-beat, never as recovered")
def _(rig):
    unit = "mute@1.service"
    with units(rig, unit) as log:
        wedge(rig, unit)
        entry = finished(rig, log, unit, "no-beat")
        expect("nobody beat within" in entry["MESSAGE"], entry["MESSAGE"])
        expect_equal(log.all("RecoveryFinished", unit=unit)[0]["args"][4], "no-beat", "the only outcome")
        expect("finished recovered" not in decisions(rig, unit), "it was called recovered")
        # The ladder goes on: of the unit, as there is no agent any more.
        wait_for(lambda: len(starts(log, unit)) == 2, 10, "the next attempt")
        expect_equal([e["args"][4:6] for e in starts(log, unit)], [["silent", 1], ["never-beat", 2]], "the attempts")


@case("ten of ten workers of one unit wedge: the unit is restarted once")
def _(rig):
    unit = "crew@any.service"
    with units(rig, unit, agents=10) as log:
        before = invocation(rig, unit)
        rig.run(["kill", "-USR1", *[agent["pid"] for agent in agents_of(rig, unit)]])
        finished(rig, log, unit, "recovered")
        wait_until_beating(rig, unit, agents=10)
        pass_time(rig, 3 * THRESHOLD)
        expect_restarted_once(rig, log, unit, before)


@case("with Quorum=50% four of ten stalled workers change nothing, and the fifth has the unit restarted once")
def _(rig):
    unit = "crew@1.service"
    with units(rig, unit, agents=10) as log:
        before = invocation(rig, unit)
        wedge(rig, unit, 4)
        wait_for(lambda: sum(agent["stalled"] for agent in agents_of(rig, unit)) == 4, 10, "four stalls")
        entry = refused(rig, log, unit, "quorum")
        expect("Quorum=50%" in entry["MESSAGE"] and "Judged again when another" in entry["MESSAGE"], entry["MESSAGE"])
        pass_time(rig, 3 * THRESHOLD)
        expect_left_alone(rig, log, unit, before)
        wedge(rig, unit, 1)
        finished(rig, log, unit, "recovered")
        wait_until_beating(rig, unit, agents=10)
        pass_time(rig, 2 * THRESHOLD)
        expect_restarted_once(rig, log, unit, before)


@case("a unit that is stopped by hand while its stall waits for the back-off is never restarted")
def _(rig):
    unit = "relapse@held.service"
    with units(rig, unit) as log:
        finished(rig, log, unit, "recovered")
        refused(rig, log, unit, "backoff")
        begun = len(starts(log, unit))
        rig.systemctl("stop", unit)
        pass_time(rig, 6)  # longer than the back-off
        expect_equal(len(starts(log, unit)), begun, "recoveries begun since the stop")
        expect_equal(rig.state(unit), "inactive", unit)


@case("a unit that is stopped by hand while its stall waits for room among too many recoveries is never restarted")
def _(rig):
    names = [f"stubborn@{n}.service" for n in range(1, 18)]
    with units(rig, *names) as log:
        rig.systemctl("kill", "--signal=USR1", *names)
        (last,) = [e["unit"] for e in wait_for(lambda: log.all("RecoveryRefused"), 10, "a recovery that does not fit")]
        refused(rig, log, last, "capacity")
        rig.systemctl("kill", "--signal=KILL", last)
        rig.systemctl("stop", last)
        for unit in names:
            if unit != last:
                finished(rig, log, unit, "recovered")
        pass_time(rig, 2 * THRESHOLD)
        expect_equal(starts(log, last), [], f"recoveries of {last}")
        expect(rig.state(last) in ("inactive", "failed"), f"{last} is {rig.state(last)}")
        for unit in names:
            expect_equal(len(starts(log, unit)), 0 if unit == last else 1, f"recoveries of {unit}")


@case("a unit under a debugger is not restarted; its wedged process is, once the debugger lets go")
def _(rig):
    unit = "worker@traced.service"
    with units(rig, unit) as log:
        before, pid = invocation(rig, unit), agents_of(rig, unit)[0]["pid"]
        tracer = rig.start(["python3", "-c", TRACER, pid])
        wait_for(lambda: "attached" in tracer.text or not tracer.running(), 10, "the debugger")
        expect("attached" in tracer.text, f"the debugger said: {tracer.text}")
        entry = refused(rig, log, unit, "traced")
        expect("debugger" in entry["MESSAGE"] and "Judged again in" in entry["MESSAGE"], entry["MESSAGE"])
        pass_time(rig, 3 * THRESHOLD)
        expect_left_alone(rig, log, unit, before)
        rig.kill(pid, signal.SIGUSR1)
        tracer.stop()
        finished(rig, log, unit, "recovered")
        expect_restarted_once(rig, log, unit, before)


@case("a unit that is frozen is not restarted, and beats on when it is thawed")
def _(rig):
    unit = "worker@frozen.service"
    with units(rig, unit) as log:
        before = invocation(rig, unit)
        rig.systemctl("freeze", unit)
        entry = refused(rig, log, unit, "frozen")
        expect("frozen" in entry["MESSAGE"] and "Judged again in" in entry["MESSAGE"], entry["MESSAGE"])
        pass_time(rig, 3 * THRESHOLD)
        expect_left_alone(rig, log, unit, before)
        rig.systemctl("thaw", unit)
        log.wait("Resumed", unit=unit)
        pass_time(rig, 2 * THRESHOLD)
        expect_left_alone(rig, log, unit, before)


@case("a unit that is paused is not restarted, status says so, and it is when somebody resumes it")
def _(rig):
    unit = "worker@paused.service"
    with units(rig, unit) as log:
        before = invocation(rig, unit)
        rig.run(["varta-ctl", "pause", unit, "--reason=looking at it"])
        expect_equal(unit_row(rig, unit)["state"], "paused", "the state in ListUnits")
        wedge(rig, unit)
        entry = refused(rig, log, unit, "paused")
        expect("paused by hand" in entry["MESSAGE"] and "when somebody resumes it" in entry["MESSAGE"], entry["MESSAGE"])
        pass_time(rig, 3 * THRESHOLD)
        expect_left_alone(rig, log, unit, before)
        rig.run(["varta-ctl", "resume", unit])
        finished(rig, log, unit, "recovered")
        expect_restarted_once(rig, log, unit, before)


@case("a pause that has an end is over by itself")
def _(rig):
    unit = "worker@2.service"
    with units(rig, unit) as log:
        before = invocation(rig, unit)
        rig.run(["varta-ctl", "pause", "worker@2*", "--for=2s"])
        wedge(rig, unit)
        refused(rig, log, unit, "paused")
        finished(rig, log, unit, "recovered")
        expect("resumed expired" in [f"{p['kind']} {p['reason']}" for p in history(rig)], "nothing says that the pause expired")
        expect_restarted_once(rig, log, unit, before)


@case("a paused process is not restarted, and its pause ends with it")
def _(rig):
    unit = "worker@3.service"
    with units(rig, unit) as log:
        before, pid = invocation(rig, unit), agents_of(rig, unit)[0]["pid"]
        rig.run(["varta-ctl", "pause", f"pid:{pid}"])
        wedge(rig, unit)
        refused(rig, log, unit, "paused")
        pass_time(rig, 2 * THRESHOLD)
        expect_left_alone(rig, log, unit, before)
        rig.systemctl("restart", unit)
        wait_for(lambda: "resumed exited" in [f"{p['kind']} {p['reason']}" for p in history(rig)], 10, "the end of the pause")
        expect(rig.run(["varta-ctl", "resume", f"pid:{pid}"], check=False).returncode != 0, "there was still a pause to end")
        wait_until_beating(rig, unit)
        wedge(rig, unit)
        finished(rig, log, unit, "recovered")


@case("a worker that wedges again after each restart is backed off from, ever longer, and then given up")
def _(rig):
    unit = "relapse@1.service"
    with units(rig, unit) as log:
        entry = refused(rig, log, unit, "backoff", 20)
        expect("RestartBackoffSec=" in entry["MESSAGE"] and "Judged again in" in entry["MESSAGE"], entry["MESSAGE"])
        entry = refused(rig, log, unit, "gave-up", 60)
        expect("3 times" in entry["MESSAGE"] and f"varta-ctl resume {unit}" in entry["MESSAGE"], entry["MESSAGE"])
        begun, over = starts(log, unit), log.all("RecoveryFinished", unit=unit)
        expect_equal([e["args"][4] for e in over], ["recovered"] * 3, "the outcomes")
        expect_equal([e["args"][5] for e in begun], [1, 2, 3], "the attempts")
        for n, least in ((0, 0.5), (1, 1.0)):
            waited = (begun[n + 1]["at"] - over[n]["at"]) / 1e9
            expect(waited >= least - 0.05, f"the back-off after attempt {n + 1} was {waited:.2f} s")

        # Given up: visible, told once, and what was to be started was started once.
        expect_equal(unit_row(rig, unit)["state"], "gave-up", "the state in ListUnits")
        expect_equal(rig.run(["varta-ctl", "status"], check=False).returncode, 3, "exit status of status")
        wait_for(lambda: rig.path("/run/gave-up").exists(), 10, "the unit of OnGaveUp=")
        pass_time(rig, 4 * THRESHOLD)
        expect_equal(rig.path("/run/gave-up").read_text().split(), [unit], "starts of OnGaveUp=")
        expect_equal([e["args"][:2] for e in log.all("GaveUp")], [[unit, 3]], "GaveUp")
        expect_equal(len([d for d in decisions(rig, unit) if d.startswith("gave-up ")]), 1, "how often it was given up")
        journal_has(rig, GAVE_UP_ID, unit)
        expect_equal(len(starts(log, unit)), 3, "recoveries")

        # A restart by hand begins anew.
        rig.systemctl("restart", unit)
        wait_for(lambda: "left-gave-up restarted" in decisions(rig, unit), 10, "the state to be left")
        begun = wait_for(lambda: starts(log, unit)[3:], 10, "a recovery after the restart by hand")
        expect_equal(begun[0]["args"][5], 1, "the attempt after the restart by hand")


@case("a unit with a limit on its own starts is reported as start-limit-hit, and not fought")
def _(rig):
    unit = "limited@1.service"
    with units(rig, unit) as log:
        finished(rig, log, unit, "recovered")
        entry = finished(rig, log, unit, "start-limit-hit")
        expect("StartLimitBurst=" in entry["MESSAGE"] and "reset-failed" in entry["MESSAGE"], entry["MESSAGE"])
        pass_time(rig, 4 * THRESHOLD)
        expect_equal([e["args"][4] for e in log.all("RecoveryFinished", unit=unit)], ["recovered", "start-limit-hit"], "the outcomes")
        expect_equal(len(starts(log, unit)), 2, "recoveries")
        expect_equal(rig.show(unit, "Result"), "start-limit-hit", "what systemd says of it")


@case("every record of it all has a unit, a reason and a sentence, and the counters agree with the history")
def _(rig):
    past = history(rig)
    for entry in past:
        expect(entry["sentence"].endswith(".") or entry["sentence"].endswith(".\"."), f"not a sentence: {entry}")
        expect(entry["reason"], f"no reason: {entry}")
    values = rig.properties()
    for kind, property_name in (("finished", "RecoveryOutcomes"), ("refused", "RecoveryRefusals")):
        for reason, count in values[property_name].items():
            told = sum(entry["kind"] == kind and entry["reason"] == reason for entry in past)
            expect_equal(told, count, f"{kind} {reason} in the history")


if __name__ == "__main__":
    suite.main()
