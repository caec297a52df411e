#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests/demo shows once everything is built: the main job, at a pace that can be read."""

import os
import signal
import sys
import time

from rig import Failure, Rig, RigError, expect, expect_equal, wait_for, why_not_here

WORKERS = [f"worker@{n}.service" for n in (1, 2, 3)]

CONFIGURATION = """\
[Unit worker@*.service]
Mode=enforce
StallThresholdSec=1s
"""

# Seconds between two steps, so that a reader keeps up; a test has no reader.
PACE = float(os.environ.get("VARTA_DEMO_PACE", "1.5"))

COLOURS = sys.stdout.isatty() and "NO_COLOR" not in os.environ


def coloured(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOURS else text


def tell(text):
    print(f"\n{coloured('1', text)}", flush=True)
    time.sleep(PACE)


def show(rig, command, status=0):
    """Runs a command inside, as an operator would type it, and shows what it says; its exit status must be as said."""
    print(coloured("36", f"  # {command}"), flush=True)
    done = rig.run(["sh", "-c", command], check=False)
    for line in (done.stdout + done.stderr).splitlines():
        print(f"  {line}")
    if done.returncode:
        print(f"  (exit status {done.returncode})")
    sys.stdout.flush()
    expect_equal(done.returncode, status, f"exit status of {command}")
    time.sleep(PACE)


def happened(entry, since):
    """One line for a signal, with the time since something was done."""
    args = entry["args"]
    detail = {"Stall": 4, "RecoveryStarted": 4, "RecoveryFinished": 4, "RecoveryRefused": 4}.get(entry["member"])
    text = f"{entry['member']:<17} {args[2]} pid {args[1]}" + (f"  {args[detail]}" if detail else "")
    print(f"  {(entry['at'] - since) / 1e9:7.3f} s  {coloured('33', text)}", flush=True)


def identity(rig, unit):
    return rig.main_pid(unit), rig.show(unit, "InvocationID")


def begin(rig):
    tell("A machine with systemd as pid 1 is up. Varta is installed; one command makes it work:")
    rig.write("/etc/varta/varta.conf.d/workers.conf", CONFIGURATION)
    show(rig, "systemctl enable --now varta.socket")
    tell("The observer itself does not run yet: the first beat will start it.")
    show(rig, "systemctl is-active varta.service", status=3)
    show(rig, "varta-ctl status")
    tell("Recovery is the operator's choice, unit by unit:")
    show(rig, "cat /etc/varta/varta.conf.d/workers.conf")


def beats(rig):
    tell("Three instances of a service start and beat, every 50 ms, through libvarta:")
    show(rig, f"systemctl start {' '.join(WORKERS)}")
    wait_for(lambda: len(rig.agents()) == 3 and all(agent["beats"] >= 2 for agent in rig.agents()), 10, "three agents")
    show(rig, "systemctl is-active varta.service")
    show(rig, "varta-ctl list")
    show(rig, "varta-ctl status")


def stall(rig):
    before = {unit: identity(rig, unit) for unit in WORKERS}
    victim = WORKERS[1]
    tell(f"Now {victim} wedges: its process is stopped, as a deadlock or a stuck disk would. systemd sees a running service.")
    with rig.signals() as log:
        since = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        show_kill(rig, before[victim][0])
        for member in ("Stall", "RecoveryStarted", "RecoveryFinished"):
            happened(log.wait(member, 20, unit=victim), since)
        finished = log.all("RecoveryFinished", unit=victim)[0]
        expect_equal(finished["args"][4], "recovered", "the outcome")
        expect_equal(len(log.all("Stall")), 1, "stalls announced")
    after = {unit: identity(rig, unit) for unit in WORKERS}
    tell("systemd restarted it at the observer's request: another process, another invocation. Its siblings were not touched:")
    for unit in WORKERS:
        same = after[unit] == before[unit]
        print(f"  {unit}: pid {before[unit][0]} -> {after[unit][0]}  {'untouched' if same else coloured('32', 'restarted')}")
        expect_equal(same, unit != victim, f"{unit} untouched")
    show(rig, f"journalctl --no-pager -o cat -u varta.service VARTA_UNIT={victim}")
    show(rig, "varta-ctl status")


def show_kill(rig, pid):
    print(coloured("36", f"  # kill -STOP {pid}"), flush=True)
    rig.kill(pid, signal.SIGSTOP)


def stopped(rig):
    unit = WORKERS[2]
    tell(f"An administrator stops {unit}. That is an exit, not a stall, and is never undone:")
    with rig.signals() as log:
        since = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        show(rig, f"systemctl stop {unit}")
        happened(log.wait("AgentExited", unit=unit), since)
        first = next(agent["beats"] for agent in rig.agents() if agent["unit"] == WORKERS[0])
        # Three thresholds by the count of a sibling's beats.
        wait_for(lambda: any(agent["unit"] == WORKERS[0] and agent["beats"] > first + 60 for agent in rig.agents()), 20,
                 "three thresholds to pass")
        expect_equal(log.all("RecoveryStarted"), [], "recoveries")
    print("  three thresholds later:")
    show(rig, f"systemctl is-active {unit}", status=3)


def announced(rig):
    unit = "plain@1.service"
    tell("Where the configuration does not say Mode=enforce, a stall is only announced. varta-ctl status has exit codes for scripts:")
    rig.write("/etc/varta/varta.conf.d/plain.conf", "[Unit plain@*.service]\nStallThresholdSec=1s\n")
    show(rig, "systemctl reload varta.service")
    rig.systemctl("start", unit)
    wait_for(lambda: any(agent["unit"] == unit and agent["beats"] >= 2 for agent in rig.agents()), 10, unit)
    pid = rig.main_pid(unit)
    with rig.signals() as log:
        since = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        show_kill(rig, pid)
        happened(log.wait("Stall", unit=unit), since)
        happened(log.wait("RecoveryRefused", unit=unit), since)
        show(rig, "varta-ctl status", status=3)
        print(coloured("36", f"  # kill -CONT {pid}"))
        rig.kill(pid, signal.SIGCONT)
        happened(log.wait("Resumed", unit=unit), since)
    show(rig, "varta-ctl status", status=0)
    expect_equal(rig.main_pid(unit), pid, "the announced unit's process")


def main():
    reason = why_not_here()
    if reason:
        sys.exit(f"the demonstration cannot run here: {reason}")
    try:
        with Rig() as rig:
            for step in (begin, beats, stall, stopped, announced):
                step(rig)
            expect(not rig.crashes(), "something crashed")
    except (Failure, RigError) as error:
        print(f"\n{coloured('1;31', 'VERDICT: it does not do its job')}: {error}")
        sys.exit(1)
    print(f"\n{coloured('1;32', 'VERDICT: it does its job')}: one stall, announced once, restarted once, recovered; nobody else touched.")


if __name__ == "__main__":
    main()
