#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Units that never beat: told, restarted once and proven; who beats in time is left alone; and nothing is polled."""

import time

from rig import Suite, expect, expect_equal, slowness, wait_for

FIRST_BEAT = 2.0

CONFIGURATION = """
[Unit *.service]
StallThresholdSec=30s
RestartBackoffSec=1s..10s

[Unit mute@*.service]
Mode=enforce
FirstBeatSec=2s

[Unit idle@*.service]
FirstBeatSec=2s

[Observer]
# What a busy machine of tests has to do with it is not what is asked here.
MaxDeferralSec=0
"""

# Hangs before its first beat, until somebody mends it.
MUTE = """
[Service]
ExecStart=/bin/sh -c 'test -e /run/mended && exec /usr/local/bin/varta-test-worker; exec sleep infinity'
"""

# Never beats, and nobody minds but for a word.
IDLE = """
[Service]
ExecStart=sleep infinity
"""

suite = Suite()
case = suite.case


def never_beats(log, unit):
    return [e for e in log.all("Stall", unit=unit) if "never-beat" in e["args"]]


def hangs(rig, unit):
    """Waits until the unit's process has looked whether it was mended, and hangs: mended afterwards, only its next one beats."""
    wait_for(lambda: rig.path(f"/proc/{rig.main_pid(unit)}/comm").read_text() == "sleep\n", 10, f"{unit} to hang")


def a_time_passes(rig, log, number):
    """Waits until the time of a unit that starts now is over: then that of all that ran before is."""
    unit = f"idle@{number}.service"
    rig.systemctl("start", unit)
    wait_for(lambda: never_beats(log, unit), 15, f"the stall of {unit}")


@case("verify says what FirstBeatSec= needs, until it is so")
def _(rig):
    rig.write("/etc/varta/varta.conf", CONFIGURATION)
    done = rig.run(["varta-ctl", "verify"])
    expect("varta.conf:8" in done.stderr and "systemctl enable varta.service" in done.stderr, f"it says: {done.stderr}")
    rig.write("/etc/systemd/system/mute@.service", MUTE)
    rig.write("/etc/systemd/system/idle@.service", IDLE)
    rig.systemctl("daemon-reload")
    rig.systemctl("enable", "--now", "varta.service")
    done = rig.run(["varta-ctl", "verify"])
    expect_equal(done.stderr, "", "what verify says")


@case("a unit that starts and never beats is told, restarted once, and proven when it beats then")
def _(rig):
    with rig.signals() as log:
        before = time.clock_gettime(time.CLOCK_MONOTONIC)
        rig.systemctl("start", "mute@1.service")
        hangs(rig, "mute@1.service")
        rig.write("/run/mended", "")
        stall = log.wait("Stall", 15, unit="mute@1.service")
        late = stall["at"] / 1e9 - before
        expect(FIRST_BEAT <= late <= FIRST_BEAT + 1 * slowness(), f"it was told after {late} s")
        expect("never-beat" in stall["args"], f"the reason: {stall['args']}")
        expect_equal(stall["args"][:2], [0, 0], "agent and pid")
        finished = log.wait("RecoveryFinished", 15, unit="mute@1.service")
        expect("recovered" in finished["args"], f"the outcome: {finished['args']}")
        a_time_passes(rig, log, 1)
        a_time_passes(rig, log, 2)
        expect_equal(len(log.all("RecoveryStarted", unit="mute@1.service")), 1, "recoveries")
        expect_equal(len(never_beats(log, "mute@1.service")), 1, "stalls")
    entries = rig.journal("_SYSTEMD_UNIT=varta.service", "VARTA_UNIT=mute@1.service", "VARTA_REASON=never-beat")
    expect(any("is active and never beat" in e["MESSAGE"] for e in entries), f"the journal: {[e['MESSAGE'] for e in entries]}")
    expect(all("VARTA_PID" not in e for e in entries), "a process is named where there is none")
    past = rig.run(["varta-ctl", "history", "mute@1.service"]).stdout
    expect("runs and does not beat" in past and "Recovered" in past, f"the history: {past}")


@case("one that beats in time is left alone")
def _(rig):
    with rig.signals() as log:
        rig.systemctl("start", "mute@2.service")
        a_time_passes(rig, log, 3)
        expect_equal(log.all(unit="mute@2.service")[0]["member"], "AgentAppeared", "the first signal")
        expect_equal(never_beats(log, "mute@2.service"), [], "stalls")


@case("with Mode=warn it is told and left alone")
def _(rig):
    with rig.signals() as log:
        a_time_passes(rig, log, 4)
        refused = log.wait("RecoveryRefused", 10, unit="idle@4.service")
        expect("mode-warn" in refused["args"], f"the reason: {refused['args']}")
    expect_equal(rig.show("idle@4.service", "ActiveState", "NRestarts"), {"ActiveState": "active", "NRestarts": "0"}, "the unit")


@case("one that is stopped before its time is over is not told")
def _(rig):
    rig.remove("/run/mended")
    with rig.signals() as log:
        rig.systemctl("start", "mute@3.service")
        rig.systemctl("stop", "mute@3.service")
        a_time_passes(rig, log, 5)
        expect_equal(log.all(unit="mute@3.service"), [], "signals")


@case("a new observer gives everybody a whole time: who beats is not taken for one that never did")
def _(rig):
    with rig.signals() as log:
        rig.systemctl("restart", "varta.service")
        a_time_passes(rig, log, 6)
        for unit in ("mute@1.service", "mute@2.service"):
            expect_equal(never_beats(log, unit), [], f"stalls of {unit}")


@case("systemd reads its units anew and executes itself anew: who was waited for is told, who had been told is not told again")
def _(rig):
    with rig.signals() as log:
        rig.systemctl("start", "mute@4.service")
        rig.systemctl("daemon-reload")
        rig.systemctl("daemon-reexec")
        log.wait("RecoveryStarted", 20, unit="mute@4.service")
        rig.systemctl("stop", "mute@4.service")
        a_time_passes(rig, log, 7)
        expect_equal(len(never_beats(log, "mute@4.service")), 1, "stalls")
        for unit in ("idle@5.service", "idle@6.service"):
            expect_equal(never_beats(log, unit), [], f"stalls of {unit}")
    expect_equal(rig.state("mute@4.service"), "inactive", "what was stopped by hand")


@case("the bus dies and comes back: units that start afterwards are watched")
def _(rig):
    rig.systemctl("restart", "dbus.service")
    wait_for(rig.name_is_owned, 30, "the name on the new bus")
    with rig.signals() as log:
        a_time_passes(rig, log, 8)


@case("a reload adds a unit, which has a whole time from then on, and takes it away again")
def _(rig):
    rig.write("/etc/systemd/system/other@.service", IDLE)
    rig.systemctl("daemon-reload")
    rig.systemctl("start", "other@1.service")
    with rig.signals() as log:
        a_time_passes(rig, log, 9)
        expect_equal(never_beats(log, "other@1.service"), [], "stalls")
        rig.write("/etc/varta/varta.conf.d/other.conf", "[Unit other@*.service]\nFirstBeatSec=500ms\n")
        rig.systemctl("reload", "varta.service")
        wait_for(lambda: never_beats(log, "other@1.service"), 10, "the stall of other@1.service")
        rig.remove("/etc/varta/varta.conf.d/other.conf")
        rig.systemctl("reload", "varta.service")
        rig.systemctl("start", "other@2.service")
        a_time_passes(rig, log, 10)
        expect_equal(never_beats(log, "other@2.service"), [], "stalls")


@case("nothing is polled: with nobody to hear of, the observer sleeps between two words to its watchdog")
def _(rig):
    rig.systemctl("stop", "mute@1.service", "mute@2.service")
    wait_for(lambda: rig.property("AgentsTracked") == 0, 10, "the agents to be forgotten")
    pid = rig.main_pid("varta.service")

    def wakeups():
        lines = rig.path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("voluntary_ctxt_switches")))

    def sleeps():
        # The one thing that cannot be waited for: nothing. What was left to do may end first.
        before = wakeups()
        time.sleep(6)
        return wakeups() - before <= 2

    wait_for(sleeps, 30, "six seconds with two wake-ups at most")


if __name__ == "__main__":
    suite.main()
