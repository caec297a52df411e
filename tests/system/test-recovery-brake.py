#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What must never become a mass restart: a herd that wedges at once, a machine that was asleep, a machine without CPU."""

import os
import signal

from recovery import (BRAKE_ID, COMMON, configure, counters, decisions, end, expect_left_alone, expect_restarted_once, finished,
                      history, invocation, journal_has, pass_time, refused, section, start_beating, starts, units,
                      wait_until_beating, wedge)
from rig import SignalLog, Suite, expect, expect_equal, wait_for

HERD = [f"herd@{n}.service" for n in range(1, 201)]
LIMIT = 10

WORKERS = [f"worker@{n}.service" for n in range(1, 9)]

# How long the busy loops run; the limit on their CPU time ends them even if nobody else does.
STARVED_SEC = 5

POLICY = section("herd@*.service", StallThresholdSec="2s") + section("worker@*.service")
CONFIGURATION = COMMON.replace("StormLimit=0", f"StormLimit={LIMIT}/1h") + POLICY
UNBRAKED = COMMON + POLICY
PATIENT = UNBRAKED.replace("MaxDeferralSec=0", "MaxDeferralSec=40s")

suite = Suite()
case = suite.case


def invocations(rig, names):
    """The invocations of many units by one call."""
    blocks = rig.systemctl("show", "--property=Id,InvocationID", *names).stdout.split("\n\n")
    shown = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in blocks]
    return {block["Id"]: block["InvocationID"] for block in shown if block}


@case("two hundred units wedge at once: the brake holds after its limit, and the others are announced")
def _(rig):
    configure(rig, CONFIGURATION)
    start_beating(rig, *HERD)
    rig.before = invocations(rig, HERD)
    rig.log = SignalLog(rig)  # over several cases; it ends with the rig
    rig.systemctl("kill", "--signal=USR1", *HERD)
    wait_for(lambda: len(rig.log.all("RecoveryFinished")) >= LIMIT, 30, "the recoveries that the brake lets through")
    wait_for(lambda: len({e["unit"] for e in rig.log.all("RecoveryRefused") if e["args"][4] == "storm"}) == len(HERD) - LIMIT,
             30, "the others to be announced")
    expect_equal(len(rig.log.all("Stall")), len(HERD), "stalls announced")
    expect_equal(len(rig.log.all("RecoveryStarted")), LIMIT, "recoveries begun")
    expect_equal(counters(rig)["storm"], len(HERD) - LIMIT, "the counter of storm")
    rig.held = sorted({e["unit"] for e in rig.log.all("RecoveryRefused")})
    entry = refused(rig, rig.log, rig.held[0], "storm")
    expect("StormLimit=" in entry["MESSAGE"] and "Judged again in" in entry["MESSAGE"], entry["MESSAGE"])
    entry = journal_has(rig, BRAKE_ID, "", VARTA_REASON="held")
    expect("varta-ctl resume brake" in entry["MESSAGE"], entry["MESSAGE"])
    done = rig.run(["varta-ctl", "status"], check=False)
    expect_equal(done.returncode, 3, "exit status of status")
    expect("Storm brake: holds, ends in " in done.stdout and "varta-ctl resume brake" in done.stdout, f"the card:\n{done.stdout}")


@case("while the brake holds, time and further stalls begin no recovery, and the brake is told once")
def _(rig):
    configure(rig, CONFIGURATION)  # a reload judges everything again
    pass_time(rig, 1)
    expect_equal(len(rig.log.all("RecoveryStarted")), LIMIT, "recoveries begun")
    expect_equal(len([past for past in history(rig) if past["kind"] == "brake"]), 1, "how often the brake was told")


@case("varta-ctl resume brake lets as many go on as the limit allows, and a unit that was stopped meanwhile stays stopped")
def _(rig):
    rig.stopped, rig.held = rig.held[0], rig.held[1:]
    rig.systemctl("stop", rig.stopped)
    rig.run(["varta-ctl", "resume", "brake"])
    wait_for(lambda: len(rig.log.all("RecoveryFinished")) >= 2 * LIMIT, 30, "the next recoveries")
    pass_time(rig, 1)
    expect_equal(len(rig.log.all("RecoveryStarted")), 2 * LIMIT, "recoveries begun")
    expect("brake released" in [f"{p['kind']} {p['reason']}" for p in history(rig)], "nothing says that the brake was released")


@case("without the brake all of them are restarted, each once and proven, but for the one that was stopped")
def _(rig):
    configure(rig, UNBRAKED)
    herd = [unit for unit in HERD if unit != rig.stopped]
    wait_for(lambda: len(rig.log.all("RecoveryFinished")) >= len(herd), 60, "all recoveries")
    wait_until_beating(rig, *herd)
    expect_equal({e["args"][4] for e in rig.log.all("RecoveryFinished")}, {"recovered"}, "the outcomes")
    begun = [e["unit"] for e in rig.log.all("RecoveryStarted")]
    expect_equal(sorted(begun), sorted(herd), "recoveries begun, once each")
    after = invocations(rig, HERD)
    expect_equal([unit for unit in herd if after[unit] in ("", rig.before[unit])], [], "units that are as they were")
    expect_equal(rig.state(rig.stopped), "inactive", f"the stopped {rig.stopped}")
    rig.log.stop()
    end(rig, *HERD)


@case("a machine that was suspended restarts nobody that beats on, and finds who was wedged before")
def _(rig):
    # As all of it stops at once, and the observer is the first to go on.
    wedged, healthy = WORKERS[0], WORKERS[1:]
    with units(rig, *WORKERS) as log:
        before, jumps = invocations(rig, WORKERS), rig.property("ClockJumps")
        observer = rig.main_pid("varta.service")
        wedge(rig, wedged)
        rig.systemctl("freeze", *healthy)
        rig.kill(observer, signal.SIGSTOP)
        rig.run(["sleep", "3"])
        rig.kill(observer, signal.SIGCONT)
        rig.systemctl("thaw", *healthy)
        finished(rig, log, wedged, "recovered")
        pass_time(rig, 1.5)
        expect(rig.property("ClockJumps") > jumps, "the jump was not noticed")
        expect(log.all("ClockJumped"), "the jump was not told")
        resumed = log.all("ClockJumped")[0]["at"]
        for stall in log.all("Stall"):
            expect(stall["unit"] == wedged, f"{stall['unit']} was called stalled")
            expect((stall["at"] - resumed) / 1e9 >= 0.45, "the stall was announced within the grace")
        expect_restarted_once(rig, log, wedged, before[wedged])
        for unit in healthy:
            expect_left_alone(rig, log, unit, before[unit])


@case("on a host without CPU nobody is restarted, and once there is some, only who was really wedged")
def _(rig):
    configure(rig, PATIENT)
    wedged, healthy = WORKERS[0], WORKERS[1:]
    with units(rig, *WORKERS) as log:
        before, refusals = invocations(rig, WORKERS), counters(rig)["host-starved"]
        loops = starve(rig)
        if not loops:
            return "the busy loops may not outrank anybody here"
        wedge(rig, wedged)
        for loop in loops:
            loop.wait(STARVED_SEC * 10)
        ended = max(at for loop in loops for at, line in loop.lines if "ended" in line)
        finished(rig, log, wedged, "recovered", 90)
        during = [e["unit"] for e in log.all("RecoveryStarted") if e["at"] < ended]
        expect_equal(during, [], "recoveries while there was no CPU")
        expect(counters(rig)["host-starved"] > refusals, f"nothing was put off: {decisions(rig, wedged)}")
        entry = refused(rig, log, wedged, "host-starved")
        expect("whole host is starved" in entry["MESSAGE"] and "Judged again in" in entry["MESSAGE"], entry["MESSAGE"])
        wait_until_beating(rig, *WORKERS)
        pass_time(rig, 1)
        expect_restarted_once(rig, log, wedged, before[wedged])
        for unit in healthy:
            expect_left_alone(rig, log, unit, before[unit])


def starve(rig):
    """Starts real-time busy loops, one per CPU, that end by themselves; returns None where that is not allowed."""
    if rig.run(["chrt", "--rr", "1", "true"], check=False).returncode != 0:
        return None
    script = f"ulimit -t {2 * STARVED_SEC}; timeout {STARVED_SEC} chrt --rr 1 sh -c 'while :; do :; done'; echo ended"
    return [rig.start(["sh", "-c", script]) for _ in range(len(os.sched_getaffinity(0)))]


if __name__ == "__main__":
    suite.main()
