#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Recovery while something it needs is taken away: systemd, the bus, the journal, a listener, permission, the unit itself.

One subscriber of the bus is stopped all the while, and reads nothing.
"""

import re
import signal

from recovery import (COMMON, THRESHOLD, configure, counters, decisions, end, expect_restarted_once, finished, history, invocation,
                      pass_time, section, start_beating, starts, units, wait_until_beating, wedge)
from rig import Suite, expect, expect_equal, wait_for

SLOW = {"RestartBackoffSec": "1s..2s"}
CONFIGURATION = COMMON + section("worker@*.service", **SLOW) + section("stubborn@*.service", **SLOW) \
    + section("worker@verb.service", Action="restart", **SLOW) \
    + section("worker@oneshot.service", Action="start:varta-mend@%i.service", **SLOW) \
    + section("worker@late.service", Action="start:varta-late.service", **SLOW) \
    + section("worker@nobody.service", Action="start:varta-nobody@%i.service", **SLOW) \
    + section("worker@masked.service", Action="start:varta-masked@%i.service", **SLOW) \
    + section("relapse@*.service", RestartLimit="1/5min", OnGaveUp="varta-nobody@%i.service")

POLKIT_ACTIVATION = "/usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service"

# What an operator may want in place of a restart.
MEND = """
[Service]
Type=oneshot
ExecStart=systemctl restart %I
"""

# The same, and it fails when it is told to.
LATE = """
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'touch /run/late; while [ -e /run/late ]; do sleep 0.05; done; false'
"""

suite = Suite()
case = suite.case


@case("the machine of the test is set up, and one subscriber of the bus stops reading")
def _(rig):
    rig.write("/etc/systemd/system/varta-mend@.service", MEND)
    rig.write("/etc/systemd/system/varta-late.service", LATE)
    rig.path("/etc/systemd/system/varta-masked@.service").symlink_to("/dev/null")
    rig.systemctl("daemon-reload")
    configure(rig, CONFIGURATION)
    stop_a_subscriber(rig)


def stop_a_subscriber(rig):
    """A client that asked for all signals of the observer, and does not take them any more."""
    rig.subscriber = rig.start(["gdbus", "monitor", "--system", "--dest", "org.varta.Observer1"])
    unit = "worker@seen.service"

    def listens():
        rig.systemctl("restart", unit)
        return unit in rig.subscriber.text
    wait_for(listens, 20, "the subscriber's first line", interval=0.3)
    rig.subscriber.send(signal.SIGSTOP)
    rig.systemctl("stop", unit)


@case("a recovery succeeds while a subscriber of the bus reads nothing")
def _(rig):
    unit = "worker@1.service"
    with units(rig, unit) as log:
        before = invocation(rig, unit)
        wedge(rig, unit)
        finished(rig, log, unit, "recovered")
        expect_restarted_once(rig, log, unit, before)


@case("a re-execution of systemd in the middle of a recovery: its outcome is reported all the same")
def _(rig):
    unit = "stubborn@1.service"
    with units(rig, unit) as log:
        before = invocation(rig, unit)
        wedge(rig, unit)
        log.wait("RecoveryStarted", unit=unit)
        wait_for(lambda: rig.state(unit) == "deactivating", 10, "systemd's job")
        rig.systemctl("daemon-reexec")
        expect_equal(log.all("RecoveryFinished"), [], "what was over before systemd was")
        finished(rig, log, unit, "recovered")
        wait_until_beating(rig, unit)
        expect_restarted_once(rig, log, unit, before)


@case("a re-execution between two recoveries: the next one is heard of as before")
def _(rig):
    unit = "worker@2.service"
    with units(rig, unit) as log:
        before = invocation(rig, unit)
        rig.systemctl("daemon-reexec")
        wedge(rig, unit)
        finished(rig, log, unit, "recovered")
        expect_restarted_once(rig, log, unit, before)


@case("a journal that is stopped during a recovery does not stop it, and is told everything afterwards")
def _(rig):
    unit, journald = "worker@3.service", rig.main_pid("systemd-journald.service")
    with units(rig, unit) as log:
        before = invocation(rig, unit)
        rig.kill(journald, signal.SIGSTOP)
        try:
            wedge(rig, unit)
            expect_equal(log.wait("RecoveryFinished", 20, unit=unit)["args"][4], "recovered", "the outcome")
            expect_restarted_once(rig, log, unit, before)
            expect_equal(rig.property("JournalDropped"), 0, "entries that were lost")
        finally:
            rig.kill(journald, signal.SIGCONT)
        finished(rig, log, unit, "recovered")


@case("a unit that somebody stops in the middle of its recovery stays stopped, and is reported as such")
def _(rig):
    unit = "stubborn@2.service"
    with units(rig, unit) as log:
        wedge(rig, unit)
        wait_for(lambda: rig.state(unit) == "deactivating", 10, "systemd's job")
        rig.systemctl("stop", unit)
        over = log.wait("RecoveryFinished", 20, unit=unit)
        expect(over["args"][4] in ("stopped-meanwhile", "job-canceled"), f"the outcome is {over['args'][4]}")
        pass_time(rig, 3)
        expect_equal(len(starts(log, unit)), 1, "recoveries")
        expect(rig.state(unit) in ("inactive", "failed"), f"{unit} is {rig.state(unit)}")


@case("Action=start: has the operator's own unit mend it, and a beat is the proof as well")
def _(rig):
    unit = "worker@oneshot.service"
    with units(rig, unit) as log:
        before = invocation(rig, unit)
        wedge(rig, unit)
        finished(rig, log, unit, "recovered")
        expect_restarted_once(rig, log, unit, before)


def expect_unit_gone(unit):
    def run(rig):
        with units(rig, unit) as log:
            wedge(rig, unit)
            entry = finished(rig, log, unit, "unit-gone")
            expect("no such unit any more, or it is masked" in entry["MESSAGE"], entry["MESSAGE"])
            pass_time(rig, 2 * THRESHOLD)
            expect_equal(len(starts(log, unit)), 1, "recoveries")
    return run


suite.add("a unit of Action= that does not exist is reported as unit-gone, once", expect_unit_gone("worker@nobody.service"))
suite.add("a unit of Action= that is masked is reported as unit-gone, once", expect_unit_gone("worker@masked.service"))


@case("a unit that is masked while it runs is reported as unit-gone, once")
def _(rig):
    unit = "worker@4.service"
    with units(rig, unit) as log:
        rig.systemctl("mask", "--runtime", unit)
        rig.systemctl("daemon-reload")
        try:
            wedge(rig, unit)
            finished(rig, log, unit, "unit-gone")
            pass_time(rig, 2 * THRESHOLD)
            expect_equal(len(starts(log, unit)), 1, "recoveries")
        finally:
            rig.systemctl("unmask", "--runtime", unit)
            rig.systemctl("daemon-reload")


@case("a unit that requires a masked one is reported as job-failed, in systemd's words, and recovered when that is unmasked")
def _(rig):
    unit, need = "worker@need.service", "needed.service"
    rig.write(f"/usr/local/lib/systemd/system/{need}", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=true\n")
    rig.write(f"/etc/systemd/system/{unit}.d/need.conf", f"[Unit]\nRequires={need}\nAfter={need}\n")
    rig.systemctl("daemon-reload")
    with units(rig, unit) as log:
        rig.systemctl("mask", "--runtime", need)
        wedge(rig, unit)
        entry = finished(rig, log, unit, "job-failed")
        expect(f"Unit {need} is masked." in entry["MESSAGE"], entry["MESSAGE"])
        rig.systemctl("unmask", "--runtime", need)
        finished(rig, log, unit, "recovered")


@case("a unit of OnGaveUp= that does not exist is told, as an alarm must not stay silent")
def _(rig):
    unit = "relapse@1.service"
    with units(rig, unit):
        wait_for(lambda: "helper-failed not-started" in decisions(rig, unit), 20, "word of the unit that is missing")
        (told,) = [past for past in history(rig, unit) if past["kind"] == "helper-failed"]
        expect("varta-nobody@" in told["sentence"] and "OnGaveUp=" in told["sentence"], told["sentence"])


@case("for a verb that the rule does not give the outcome is access-denied, and the sentence says what to write")
def _(rig):
    unit = "worker@verb.service"
    with units(rig, unit) as log:
        before = invocation(rig, unit)
        wedge(rig, unit)
        entry = finished(rig, log, unit, "access-denied")
        expect("Action=try-restart" in entry["MESSAGE"] and "commented examples" in entry["MESSAGE"], entry["MESSAGE"])
        expect("Judged again in" in entry["MESSAGE"], entry["MESSAGE"])
        expect_equal(invocation(rig, unit), before, "the invocation")
        # What it says: the example, with the unit's name, where polkit reads it.
        rule = examples(rig)[0].replace("report.service", unit)
        expect('"restart"' in rule and unit in rule, f"not the rule for restarts: {rule}")
        rig.write("/usr/share/polkit-1/rules.d/40-varta.rules", rule)
        rig.systemctl("restart", "polkit.service")
        finished(rig, log, unit, "recovered")
        rig.remove("/usr/share/polkit-1/rules.d/40-varta.rules")


def examples(rig):
    """The example rules as they are installed, without what makes them comments."""
    text = rig.path("/usr/share/doc/varta/polkit-examples.rules").read_text()
    return re.findall(r"^/\*\n(.*?)^\*/$", text, re.MULTILINE | re.DOTALL)


@case("none of the example rules has an error, and each is a comment as it is installed")
def _(rig):
    cursor = rig.journal_cursor()
    rig.write("/usr/share/polkit-1/rules.d/40-varta.rules", "".join(examples(rig)))
    rig.systemctl("restart", "polkit.service")
    said = [str(e["MESSAGE"]) for e in rig.journal("_SYSTEMD_UNIT=polkit.service", since=cursor)]
    expect_equal([line for line in said if "rror" in line], [], "errors of polkit")
    rig.remove("/usr/share/polkit-1/rules.d/40-varta.rules")
    text = rig.path("/usr/share/doc/varta/polkit-examples.rules").read_text()
    expect_equal(len(examples(rig)), 3, "examples")
    left = re.sub(r"^/\*\n(.*?)^\*/$", "", text, flags=re.MULTILINE | re.DOTALL)
    expect_equal([line for line in left.splitlines() if line and not line.startswith("//")], [], "lines that are no comments")


def expect_denied_without_polkit(rig, unit, put_back):
    """Polkit is not there: a recovery ends with the remedy, and succeeds once there is polkit again."""
    with units(rig, unit) as log:
        wedge(rig, unit)
        entry = finished(rig, log, unit, "access-denied")
        expect("install polkit and varta's rule" in entry["MESSAGE"], entry["MESSAGE"])
        put_back()
        finished(rig, log, unit, "recovered")


@case("without polkit the outcome is access-denied, and the sentence says what to install; with it, all is well again")
def _(rig):
    activation = rig.path(POLKIT_ACTIVATION).read_text()

    def put_back():
        rig.write(POLKIT_ACTIVATION, activation)
        reload_bus(rig)

    rig.systemctl("stop", "polkit.service")
    rig.remove(POLKIT_ACTIVATION)
    reload_bus(rig)
    try:
        expect_denied_without_polkit(rig, "worker@5.service", put_back)
    finally:
        put_back()


def reload_bus(rig):
    rig.call("ReloadConfig", path="/org/freedesktop/DBus", interface="org.freedesktop.DBus", name="org.freedesktop.DBus")


@case("where polkit is masked it is the same, and nobody takes the unit for the one that is masked")
def _(rig):
    def put_back():
        rig.systemctl("unmask", "--runtime", "polkit.service")

    rig.systemctl("mask", "--runtime", "--now", "polkit.service")
    try:
        expect_denied_without_polkit(rig, "worker@6.service", put_back)
    finally:
        put_back()


@case("a restart of the bus in the middle of a recovery: its outcome is reported all the same")
def _(rig):
    unit = "stubborn@3.service"
    start_beating(rig, unit)
    before, recovered = invocation(rig, unit), counters(rig)["recovered"]
    wedge(rig, unit)
    wait_for(lambda: rig.state(unit) == "deactivating", 10, "systemd's job")
    rig.systemctl("restart", "dbus.service")
    wait_for(rig.name_is_owned, 20, "the name on the new bus")
    wait_for(lambda: "finished recovered" in decisions(rig, unit), 20, "the outcome")
    expect_equal(counters(rig)["recovered"], recovered + 1, "the counter of recovered")
    wait_until_beating(rig, unit)
    expect(invocation(rig, unit) != before, "the invocation is the old one")
    expect_equal([d for d in decisions(rig, unit) if d.startswith("started")], ["started silent"], "recoveries")
    end(rig, unit)


@case("a bus that is away while a worker wedges: it is recovered once the bus is back")
def _(rig):
    unit = "worker@7.service"
    start_beating(rig, unit)
    (pid,) = wedge(rig, unit)
    rig.systemctl("stop", "dbus.socket", "dbus.service")
    rig.run(["sleep", str(3 * THRESHOLD)])
    rig.systemctl("start", "dbus.socket", "dbus.service")
    wait_for(rig.name_is_owned, 20, "the name on the new bus")
    wait_for(lambda: "finished recovered" in decisions(rig, unit), 30, f"the outcome, after {decisions(rig, unit)}")
    wait_until_beating(rig, unit)
    expect(rig.main_pid(unit) not in (0, pid), "the process is the old one")
    end(rig, unit)


@case("a unit of Action= that fails while the bus is away is reported as job-failed, once")
def _(rig):
    unit, late = "worker@late.service", "varta-late.service"
    start_beating(rig, unit)
    wedge(rig, unit)
    wait_for(lambda: rig.state(late) == "activating", 10, "the operator's unit")
    rig.systemctl("stop", "dbus.socket", "dbus.service")
    rig.remove("/run/late")
    wait_for(lambda: rig.state(late) == "failed", 10, "its failure")
    rig.systemctl("start", "dbus.socket", "dbus.service")
    wait_for(rig.name_is_owned, 20, "the name on the new bus")
    wait_for(lambda: "finished job-failed" in decisions(rig, unit), 20, f"the outcome, after {decisions(rig, unit)}")
    expect_equal(decisions(rig, unit)[:2], ["started silent", "finished job-failed"], "the decisions")
    end(rig, unit)
    rig.remove("/run/late")


if __name__ == "__main__":
    suite.main()
