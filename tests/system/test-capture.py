#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The capture before a restart: the stalled process is looked at while it exists, and nothing ever keeps it from its restart."""

import signal

from rig import Suite, expect, expect_equal, wait_for

CONFIGURATION = """
[Unit *.service]
Mode=enforce
StallThresholdSec=500ms
RestartBackoffSec=1s..10s

[Unit worker@*.service]
CaptureSec=30s
CaptureUnit=varta-capture@.service

[Unit plain@*.service]
CaptureSec=2s
CaptureUnit=varta-hang@.service

[Unit stubborn@*.service]
CaptureSec=30s
CaptureUnit=varta-missing@.service

[Observer]
# What a busy machine of tests has to do with it is not what is asked here.
MaxDeferralSec=0
"""

# Holds the process as a debugger does, for much longer than it may.
HANG = """
[Service]
Type=oneshot
ExecStart=gdb --batch --nx -iex "set debuginfod enabled off" -p %i -ex "shell sleep 60"
TimeoutStartSec=60s
"""

suite = Suite()
case = suite.case


def beating(rig, unit):
    """Starts the unit if need be and waits until its process is known for certain; returns its pid."""
    rig.systemctl("start", unit)
    pid = rig.main_pid(unit)
    wait_for(lambda: any(a["pid"] == pid and a["beats"] >= 2 for a in rig.agents()), 10, f"beats of {unit}")
    return pid


def wedged(rig, unit):
    """Wedges the unit's process and waits for the end of its recovery; returns the old pid and what the observer said."""
    pid = beating(rig, unit)
    cursor = rig.journal_cursor()
    with rig.signals() as log:
        rig.kill(pid, signal.SIGUSR1)
        finished = log.wait("RecoveryFinished", 40, unit=unit)
        expect_equal(len(log.all("RecoveryStarted", unit=unit)), 1, "recoveries")
    expect("recovered" in finished["args"], f"the outcome: {finished['args']}")
    expect(rig.main_pid(unit) not in (0, pid), "it was not restarted")
    return pid, [e["MESSAGE"] for e in rig.journal("_SYSTEMD_UNIT=varta.service", f"VARTA_UNIT={unit}", since=cursor)]


@case("the shipped unit is one that systemd-analyze has nothing to say of")
def _(rig):
    done = rig.run(["systemd-analyze", "verify", "--man=no", "/usr/lib/systemd/system/varta-capture@.service"], check=False)
    expect_equal((done.returncode, done.stdout + done.stderr), (0, ""), "status and output")


@case("a wedged worker is looked at while it still exists, then restarted once")
def _(rig):
    rig.write("/etc/varta/varta.conf", CONFIGURATION)
    rig.systemctl("enable", "--now", "varta.service")
    pid, said = wedged(rig, "worker@1.service")
    seen = "\n".join(e["MESSAGE"] for e in rig.journal(f"_SYSTEMD_UNIT=varta-capture@{pid}.service"))
    for words in ("State:\tS", f"task/{pid}/comm:varta-test-work", f"task/{pid}/wchan:", f"task/{pid}/stack:[<0>]"):
        expect(words in seen, f"no {words!r} in the capture: {seen}")
    if rig.run(["sh", "-c", "command -v gdb"], check=False).returncode == 0:
        expect("beat_for_ever (" in seen or " main (" in seen, f"no backtrace of the program: {seen}")
    expect(any("CaptureUnit= has run" in line for line in said), f"nothing says so: {said}")
    expect_equal(rig.show(f"varta-capture@{pid}.service", "Result"), "success", "its result")


@case("a process that is gone before its capture begins is no failure")
def _(rig):
    rig.systemctl("start", "varta-capture@4194303.service")
    expect_equal(rig.show("varta-capture@4194303.service", "ConditionResult", "Result"),
                 {"ConditionResult": "no", "Result": "success"}, "the unit")


@case("a capture that hangs, and holds the process like a debugger, is waited for until its cap and no longer")
def _(rig):
    if rig.run(["sh", "-c", "command -v gdb"], check=False).returncode != 0:
        return "gdb is not installed"
    rig.write("/etc/systemd/system/varta-hang@.service", HANG)
    rig.systemctl("daemon-reload")
    pid, said = wedged(rig, "plain@1.service")
    expect(any("has not ended within 2s (CaptureSec=)" in line for line in said), f"nothing says so: {said}")
    rig.systemctl("stop", f"varta-hang@{pid}.service")
    return None


@case("a capture that does not exist is told, and the restart happens")
def _(rig):
    pid, said = wedged(rig, "stubborn@1.service")
    expect(any(f"varta-missing@{pid}.service of CaptureUnit= was not started" in line for line in said), f"nothing says so: {said}")


@case("so is one that is masked")
def _(rig):
    rig.systemctl("mask", "varta-missing@.service")
    _, said = wedged(rig, "stubborn@1.service")
    expect(any("masked" in line for line in said), f"nothing says so: {said}")


@case("so is one that fails")
def _(rig):
    rig.systemctl("unmask", "varta-missing@.service")
    rig.write("/etc/systemd/system/varta-missing@.service", "[Service]\nType=oneshot\nExecStart=false\n")
    rig.systemctl("daemon-reload")
    _, said = wedged(rig, "stubborn@1.service")
    expect(any("ended with \"failed\"" in line for line in said), f"nothing says so: {said}")


@case("so is one that polkit does not permit")
def _(rig):
    rig.systemctl("stop", "polkit.service", check=False)
    rig.systemctl("mask", "--runtime", "polkit.service")
    pid = beating(rig, "worker@1.service")
    with rig.signals() as log:
        rig.kill(pid, signal.SIGUSR1)
        finished = log.wait("RecoveryFinished", 40, unit="worker@1.service")
    expect("access-denied" in finished["args"], f"the outcome: {finished['args']}")
    said = [e["MESSAGE"] for e in rig.journal("_SYSTEMD_UNIT=varta.service", "VARTA_UNIT=worker@1.service")]
    expect(any("was not started" in line and "polkit" in line for line in said), f"nothing says so: {said}")
    rig.systemctl("unmask", "--runtime", "polkit.service")
    rig.systemctl("stop", "worker@1.service")


@case("with RestartKillSignal=SIGABRT the restart has a core written, and is a recovery all the same")
def _(rig):
    rig.write("/etc/systemd/system/worker@.service.d/core.conf", "[Service]\nRestartKillSignal=SIGABRT\nLimitCORE=0\n")
    rig.systemctl("daemon-reload")
    cursor = rig.journal_cursor()
    wedged(rig, "worker@2.service")
    ends = [e["MESSAGE"] for e in rig.journal("UNIT=worker@2.service", since=cursor)]
    expect(any("status=6/ABRT" in line for line in ends), f"it was not ended by SIGABRT: {ends}")


if __name__ == "__main__":
    suite.main()
