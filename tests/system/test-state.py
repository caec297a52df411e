#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The observer dies at the worst of moments and comes back: every recovery ends once, and what was in force still is."""

import signal

from rig import Suite, expect, expect_equal, wait_for

STATE = "/var/lib/varta/recovery"
MESSAGE_STATE = "6264c6ccf11f473e8a6ffb605c754e07"
MESSAGE_STARTED = "8a0b1e8a9d734e479b7ee1b09757973f"
MESSAGE_FINISHED = "5f3e5b762fd44264b898e023f2038877"
MESSAGE_GAVE_UP = "62b2fc67d36c481f9088909d79d2f0f7"

CONFIGURATION = """
[Observer]
StallThresholdSec=1s
# What a busy machine of tests has to do with it is not what is asked here.
MaxDeferralSec=0

[Unit worker@*.service]
Mode=enforce
RestartBackoffSec=1s..2s
RestartLimit=1/1h
OnGaveUp=varta-gave-up@%i.service

[Unit stubborn@*.service]
Mode=enforce

[Unit patient@*.service]
Mode=enforce
RestartBackoffSec=6s..10s
"""

# Leaves a line in the journal each time it is started.
GAVE_UP = """
[Service]
Type=oneshot
ExecStart=/bin/echo the alarm for %i
"""

suite = Suite()
case = suite.case


def decisions(rig, message, unit):
    return rig.journal(f"MESSAGE_ID={message}", f"VARTA_UNIT={unit}")


def history(rig):
    """Rows of the observer's own history, the newest first, without what is measured anew in each."""
    return rig.call("History", "su", "", 1024)[0]


def start_beating(rig, unit):
    rig.systemctl("start", unit)
    wait_for(lambda: any(a["unit"] == unit and a["beats"] >= 2 for a in rig.agents()), 10, f"beats of {unit}")


def dies(rig):
    """The observer is killed, and systemd starts another one."""
    before = rig.main_pid("varta.service")
    rig.kill(before, signal.SIGKILL)
    wait_for(lambda: rig.main_pid("varta.service") not in (0, before) and rig.name_is_owned(), 20, "another observer")


@case("the state directory is the observer's alone, and the file is there")
def _(rig):
    rig.write("/etc/varta/varta.conf", CONFIGURATION)
    rig.write("/etc/systemd/system/varta-gave-up@.service", GAVE_UP)
    rig.write("/etc/systemd/system/patient@.service", rig.path("/etc/systemd/system/worker@.service").read_text())
    rig.systemctl("daemon-reload")
    rig.systemctl("enable", "--now", "varta.service")
    wait_for(rig.name_is_owned, 20, "the observer")
    stat = rig.run(["stat", "--format=%U:%G %a", "/var/lib/varta", STATE]).stdout.split("\n")
    expect_equal(stat[:2], ["varta:varta 700", "varta:varta 600"], "owners and modes")
    expect_equal(rig.journal(f"MESSAGE_ID={MESSAGE_STATE}"), [], "complaints")


@case("killed while systemd still stops the unit: the recovery ends once, as recovered, by the next observer")
def _(rig):
    unit = "stubborn@1.service"
    start_beating(rig, unit)
    before = rig.show(unit, "InvocationID")
    rig.kill(rig.main_pid(unit), signal.SIGSTOP)
    wait_for(lambda: rig.state(unit) == "deactivating", 20, f"the stop of {unit}")
    dies(rig)
    expect_equal(rig.state(unit), "deactivating", f"{unit} after the observer's death")
    wait_for(lambda: decisions(rig, MESSAGE_FINISHED, unit), 30, "the outcome")
    expect(rig.show(unit, "InvocationID") != before, "it was not restarted")
    # Killed once more: it is over for this one, too.
    dies(rig)
    outcomes = [entry["VARTA_OUTCOME"] for entry in decisions(rig, MESSAGE_FINISHED, unit)]
    expect_equal(outcomes, ["recovered"], "outcomes")
    expect_equal(len(decisions(rig, MESSAGE_STARTED, unit)), 1, "beginnings")
    expect_equal(rig.show(unit, "NRestarts"), "0", "restarts by systemd itself")


@case("killed while the unit is stopped by hand in its place: it stays stopped")
def _(rig):
    unit = "stubborn@2.service"
    start_beating(rig, unit)
    rig.kill(rig.main_pid(unit), signal.SIGSTOP)
    wait_for(lambda: rig.state(unit) == "deactivating", 20, f"the stop of {unit}")
    observer = rig.main_pid("varta.service")
    # Held still, so that it cannot hear of it; then killed.
    rig.kill(observer, signal.SIGSTOP)
    rig.systemctl("stop", unit)
    dies(rig)
    wait_for(lambda: decisions(rig, MESSAGE_FINISHED, unit), 30, "the outcome")
    outcomes = [entry["VARTA_OUTCOME"] for entry in decisions(rig, MESSAGE_FINISHED, unit)]
    expect_equal(outcomes, ["stopped-meanwhile"], "outcomes")
    # Failed, because it had to be killed in the end; but not started again.
    expect(rig.state(unit) in ("inactive", "failed"), f"{unit} is {rig.state(unit)}")


@case("given up stays given up after the observer's death, and OnGaveUp= is not started again")
def _(rig):
    unit = "worker@1.service"

    def alarms():
        return rig.journal("SYSLOG_IDENTIFIER=echo")

    start_beating(rig, unit)
    rig.kill(rig.main_pid(unit), signal.SIGSTOP)
    wait_for(lambda: decisions(rig, MESSAGE_FINISHED, unit), 30, "the first recovery")
    start_beating(rig, unit)
    rig.kill(rig.main_pid(unit), signal.SIGSTOP)
    wait_for(lambda: decisions(rig, MESSAGE_GAVE_UP, unit), 30, "giving up")
    wait_for(alarms, 20, "the alarm")
    before = rig.show(unit, "InvocationID")
    dies(rig)
    # Visible, though nobody of it beats.
    expect_equal(rig.run(["varta-ctl", "status"], check=False).returncode, 3, "exit status of status")
    # It moves again, and wedges again, under the new observer.
    rig.kill(rig.main_pid(unit), signal.SIGCONT)
    start_beating(rig, unit)
    rig.kill(rig.main_pid(unit), signal.SIGSTOP)
    wait_for(lambda: (history(rig)[0][1], history(rig)[0][4]) == ("refused", "gave-up"), 20, "the refusal")
    expect_equal(rig.show(unit, "InvocationID"), before, "its invocation")
    expect_equal(len(decisions(rig, MESSAGE_GAVE_UP, unit)), 1, "times that it was given up")
    expect_equal(len(alarms()), 1, "alarms")


@case("a unit that waits for the end of its back-off is restarted by the next observer, though it cannot beat")
def _(rig):
    unit = "patient@1.service"
    start_beating(rig, unit)
    rig.kill(rig.main_pid(unit), signal.SIGSTOP)
    wait_for(lambda: decisions(rig, MESSAGE_FINISHED, unit), 30, "the first recovery")
    start_beating(rig, unit)
    rig.kill(rig.main_pid(unit), signal.SIGSTOP)
    wait_for(lambda: history(rig)[0][1:5:3] == ["refused", "backoff"], 20, "the refusal")
    before = rig.show(unit, "InvocationID")
    dies(rig)
    wait_for(lambda: len(decisions(rig, MESSAGE_FINISHED, unit)) == 2, 30, "the second recovery")
    expect(rig.show(unit, "InvocationID") != before, "it was not restarted")
    expect_equal([e["VARTA_OUTCOME"] for e in decisions(rig, MESSAGE_FINISHED, unit)], ["recovered", "recovered"], "outcomes")


@case("a restart by hand, while there is no observer, clears it")
def _(rig):
    unit = "worker@1.service"
    rig.systemctl("stop", "varta.service", "varta.socket")
    rig.systemctl("restart", unit)
    rig.systemctl("start", "varta.socket", "varta.service")
    wait_for(lambda: rig.name_is_owned() and rig.run(["varta-ctl", "status"], check=False).returncode == 0, 20, "a healthy fleet")


@case("a pause survives systemctl restart, and a resume does")
def _(rig):
    rig.run(["varta-ctl", "pause", "worker@*.service", "--reason=maintenance"])
    rig.systemctl("restart", "varta.service")
    wait_for(rig.name_is_owned, 20, "the observer")
    unit = "worker@1.service"
    wait_for(lambda: any(a["unit"] == unit and a["beats"] >= 2 for a in rig.agents()), 10, f"beats of {unit}")
    before = rig.show(unit, "InvocationID")
    rig.kill(rig.main_pid(unit), signal.SIGSTOP)
    wait_for(lambda: any("paused by hand" in row[6] for row in history(rig)[:3]), 20, "the refusal")
    expect_equal(rig.show(unit, "InvocationID"), before, "its invocation")
    rig.kill(rig.main_pid(unit), signal.SIGCONT)
    rig.run(["varta-ctl", "resume", "worker@*.service"])
    dies(rig)
    expect_equal(rig.run(["varta-ctl", "resume", "worker@*.service"], check=False).returncode != 0, True, "a second resume fails")


@case("history survives")
def _(rig):
    before = history(rig)
    expect(len(before) > 5, f"only {len(before)} decisions")
    dies(rig)
    after = history(rig)
    expect_equal(after[-len(before):], before, "the decisions")


@case("a damaged file is set aside, announced once, and the observer runs")
def _(rig):
    rig.systemctl("stop", "varta.service", "varta.socket")
    since = rig.journal_cursor()
    rig.run(["sh", "-c", f"printf 'x' | dd of={STATE} bs=1 seek=200 conv=notrunc status=none"])
    rig.systemctl("start", "varta.socket", "varta.service")
    wait_for(rig.name_is_owned, 20, "the observer")
    entries = wait_for(lambda: rig.journal(f"MESSAGE_ID={MESSAGE_STATE}", since=since), 10, "the announcement")
    expect_equal(len(entries), 1, "announcements")
    expect("damaged" in entries[0]["MESSAGE"] and "recovery.bad" in entries[0]["MESSAGE"], entries[0]["MESSAGE"])
    rig.run(["test", "-s", STATE + ".bad"])
    expect_equal(rig.state("varta.service"), "active", "varta.service")
    expect_equal(len(history(rig)), 1, "decisions")
    done = rig.run(["journalctl", "--quiet", "--catalog", f"MESSAGE_ID={MESSAGE_STATE}"])
    expect("durable state" in done.stdout, f"no catalog text: {done.stdout}")


if __name__ == "__main__":
    suite.main()
