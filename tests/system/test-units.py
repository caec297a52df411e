#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The units: what systemd-analyze says of them, what the sandbox really holds, and what user varta may ask of systemd."""

import re
import signal

from rig import SOCKET, Suite, expect, expect_equal, wait_for

# The bound of the project; a unit without a sandbox is at 9.6.
EXPOSURE_MAX = 0.6

suite = Suite()
case = suite.case


@case("systemd-analyze verify has nothing to say of the installed units")
def _(rig):
    # The manual pages are looked up as well, where they were built and there is a program to look.
    pages = [] if rig.run(["sh", "-c", "man --where vartad varta.conf varta"], check=False).returncode == 0 else ["--man=no"]
    units = [f"/usr/lib/systemd/system/{unit}" for unit in ("varta.socket", "varta-udp.socket", "varta-udp-plaintext.socket", "varta.service")]
    done = rig.run(["systemd-analyze", "verify", *pages, *units], check=False)
    expect_equal((done.returncode, done.stdout + done.stderr), (0, ""), "status and output")


@case(f"systemd-analyze security gives the service an exposure of {EXPOSURE_MAX} or better")
def _(rig):
    if rig.sanitized:
        return "the sanitizers' drop-in relaxes the sandbox"
    done = rig.run(["systemd-analyze", "security", "--no-pager", "varta.service"], check=False)
    match = re.search(r"Overall exposure level for varta\.service: ([0-9.]+)", done.stdout)
    expect(match, f"no exposure level in: {done.stdout}{done.stderr}")
    open_points = "\n".join(line for line in done.stdout.splitlines() if line.startswith("✗"))
    expect(float(match[1]) <= EXPOSURE_MAX, f"the exposure is {match[1]}:\n{open_points}")
    return None


@case("what would blind the observer is not in the unit")
def _(rig):
    values = rig.show("varta.service", "ProtectProc", "ProcSubset", "PrivateUsers")
    expect_equal(values, {"ProtectProc": "default", "ProcSubset": "all", "PrivateUsers": "no"}, "the settings")


@case("presets leave the observer disabled; enabling the service enables the socket as well")
def _(rig):
    rig.systemctl("preset", "varta.socket", "varta.service")
    expect_equal(enabled(rig, "varta.socket"), "disabled", "varta.socket after preset")
    rig.systemctl("enable", "varta.service")
    expect_equal((enabled(rig, "varta.socket"), enabled(rig, "varta.service")), ("enabled", "enabled"), "both")
    rig.systemctl("disable", "varta.service", "varta.socket")


def enabled(rig, unit):
    return rig.systemctl("is-enabled", unit, check=False).stdout.strip()


@case("starting the service starts its socket; it reports ready, with a status text")
def _(rig):
    rig.systemctl("start", "varta.service")
    expect_equal(rig.state("varta.socket"), "active", "varta.socket")
    shown = rig.show("varta.service", "ActiveState", "SubState", "StatusText", "WatchdogUSec")
    expect_equal((shown["ActiveState"], shown["SubState"]), ("active", "running"), "varta.service")
    expect(shown["StatusText"], "there is no status text")
    expect_equal(shown["WatchdogUSec"], "10s", "the watchdog")


@case("the process is user varta's, without a capability, and cannot gain one")
def _(rig):
    text = rig.run(["cat", f"/proc/{rig.main_pid('varta.service')}/status"]).stdout
    status = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    uid = rig.run(["id", "--user", "varta"]).stdout.strip()
    expect_equal(status["Uid"].split()[0], uid, "the uid")
    for field in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        expect_equal(int(status[field], 16), 0, field)
    expect_equal(status["NoNewPrivs"], "1", "NoNewPrivs")
    expect_equal(status["Seccomp"], "2", "Seccomp")


@case("it listens on the socket that systemd made, and on nothing else")
def _(rig):
    listeners = rig.property("Listeners")
    expect_equal([(row[0], row[2]) for row in listeners], [("local", SOCKET)], "Listeners")


@case("who is neither root nor in the group may not beat, and status says so with 5")
def _(rig):
    rig.run(["varta-ctl", "beat"])
    done = rig.run(["varta-ctl", "beat"], check=False, user="nobody")
    expect(done.returncode != 0, "a stranger's beat was sent")
    expect("may not write" in done.stderr and "group" in done.stderr, f"it does not say why, and what to do: {done.stderr}")
    expect_equal(rig.run(["varta-ctl", "status"], check=False, user="nobody").returncode, 0, "exit status of status, with an observer")
    rig.systemctl("stop", "varta.service")
    expect_equal(rig.run(["varta-ctl", "status"], check=False, user="nobody").returncode, 5, "exit status of status, without one")


@case("everybody may read the observer's properties")
def _(rig):
    done = rig.run(["busctl", "get-property", "org.varta.Observer1", "/org/varta/Observer1", "org.varta.Observer1", "AgentsTracked"],
                   user="nobody")
    expect(done.stdout.startswith("u "), f"not a number: {done.stdout}")


@case("nobody else may take the observer's name, not even root")
def _(rig):
    rig.systemctl("stop", "varta.socket", "varta.service")
    for user in ("root", "nobody"):
        done = rig.run(["busctl", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                        "RequestName", "su", "org.varta.Observer1", "0"], check=False, user=user)
        expect("ccess denied" in done.stderr or "not allowed to own" in done.stderr, f"{user} was answered: {done.stdout}{done.stderr}")


@case("a call by name starts the observer through systemd")
def _(rig):
    expect_equal(rig.state("varta.service"), "inactive", "varta.service before")
    rig.run(["busctl", "call", "org.varta.Observer1", "/org/varta/Observer1", "org.freedesktop.DBus.Peer", "Ping"])
    expect_equal(rig.state("varta.service"), "active", "varta.service after")


@case("a socket that is restarted is listened to again, and one that is stopped takes the observer with it")
def _(rig):
    rig.systemctl("restart", "varta.socket")
    rig.run(["varta-ctl", "beat"])
    wait_for(lambda: rig.state("varta.service") == "active" and rig.name_is_owned() and rig.property("Beats") == 1, 10, "the beat")
    rig.systemctl("stop", "varta.socket")
    expect_equal(rig.state("varta.service"), "inactive", "the observer")
    expect_equal(rig.run(["varta-ctl", "status"], check=False).returncode, 5, "the exit status of status")
    rig.systemctl("start", "varta.socket")
    rig.run(["varta-ctl", "beat"])
    wait_for(lambda: rig.state("varta.service") == "active" and rig.name_is_owned(), 10, "the observer")


@case("an observer that fails at every start does not take the socket with it, and reads what waited when it is mended")
def _(rig):
    rig.systemctl("start", "varta.socket")
    rig.write("/etc/systemd/system/varta.service.d/fail.conf", "[Service]\nExecStart=\nExecStart=/bin/false\nNoExecPaths=\n")
    rig.systemctl("daemon-reload")
    rig.systemctl("stop", "varta.service")
    rig.run(["varta-ctl", "beat"])
    wait_for(lambda: int(rig.show("varta.service", "NRestarts")) >= 12, 30, "a dozen failed starts")
    expect_equal(rig.state("varta.socket"), "active", "varta.socket")
    rig.remove("/etc/systemd/system/varta.service.d/fail.conf")
    rig.systemctl("daemon-reload")
    wait_for(lambda: rig.state("varta.service") == "active" and rig.name_is_owned(), 10, "the mended observer")
    wait_for(lambda: rig.property("Beats") == 1, 10, "the beat that waited")


@case("an observer that hangs is ended by the watchdog and started afresh")
def _(rig):
    rig.write("/etc/systemd/system/varta.service.d/watchdog.conf", "[Service]\nWatchdogSec=1s\nWatchdogSignal=SIGKILL\n")
    rig.systemctl("daemon-reload")
    rig.systemctl("restart", "varta.service")
    old = rig.main_pid("varta.service")
    cursor = rig.journal_cursor()
    rig.kill(old, signal.SIGSTOP)
    wait_for(lambda: rig.main_pid("varta.service") not in (0, old) and rig.state("varta.service") == "active", 15, "another observer")
    expect(any("Watchdog timeout" in e["MESSAGE"] for e in rig.journal("UNIT=varta.service", since=cursor)), "no word of the watchdog")
    rig.remove("/etc/systemd/system/varta.service.d/watchdog.conf")
    rig.systemctl("daemon-reload")


@case("systemctl reload is answered by the observer")
def _(rig):
    rig.systemctl("restart", "varta.service")
    rig.write("/etc/varta/varta.conf", "[Observer]\nStallThresholdSec=7s\n")
    rig.systemctl("reload", "varta.service")
    expect_equal(rig.property("ThresholdUSec"), 7000000, "ThresholdUSec after a good reload")
    rig.write("/etc/varta/varta.conf", "[Observer]\nStallThresholdSec=never mind\n")
    cursor = rig.journal_cursor()
    expect(rig.systemctl("reload", "varta.service", check=False).returncode != 0, "a bad configuration was taken")
    said = [e["MESSAGE"] for e in rig.journal("_SYSTEMD_UNIT=varta.service", since=cursor)]
    expect(any("varta.conf:2" in line and "never mind" in line for line in said), f"nothing names the place: {said}")
    expect_equal(rig.property("ThresholdUSec"), 7000000, "ThresholdUSec after a bad reload")
    expect_equal(rig.state("varta.service"), "active", "varta.service")
    rig.remove("/etc/varta/varta.conf")


# What polkit lets user varta ask of systemd: the method's name says the verb.
POLKIT = [
    ("TryRestartUnit", "plain@1.service", True),
    ("TryRestartUnit", "sleeper.service", True),
    ("TryRestartUnit", "varta-sleeper@1.service", True),
    ("TryRestartUnit", "varta.service", False),
    ("TryRestartUnit", "varta-exporter.service", False),
    ("TryRestartUnit", "dbus.service", False),
    ("TryRestartUnit", "polkit.service", False),
    ("TryRestartUnit", "systemd-journald.service", False),
    ("TryRestartUnit", "user@0.service", False),
    ("TryRestartUnit", "user-runtime-dir@0.service", False),
    ("TryRestartUnit", "getty@tty1.service", False),
    ("TryRestartUnit", "emergency.service", False),
    ("TryRestartUnit", "rescue.service", False),
    ("TryRestartUnit", "debug-shell.service", False),
    ("TryRestartUnit", "varta.socket", False),
    ("TryRestartUnit", "basic.target", False),
    ("StartUnit", "varta-sleeper@1.service", True),
    ("StartUnit", "sleeper.service", False),
    ("StartUnit", "varta.service", False),
    ("StartUnit", "varta-exporter.service", False),
    ("StartUnit", "debug-shell.service", False),
    ("RestartUnit", "sleeper.service", False),
    ("RestartUnit", "varta-sleeper@1.service", False),
    ("StopUnit", "sleeper.service", False),
    ("StopUnit", "varta-sleeper@1.service", False),
    ("ReloadUnit", "sleeper.service", False),
    ("ReloadOrTryRestartUnit", "sleeper.service", False),
]


def asks(method, unit, allowed):
    def run(rig):
        done = rig.run(["busctl", "--timeout=10", "call", "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                        "org.freedesktop.systemd1.Manager", method, "ss", unit, "fail"], check=False, user="varta")
        granted = done.returncode == 0
        expect(granted or "nteractive authentication required" in done.stderr or "ccess denied" in done.stderr
               or "ermission denied" in done.stderr, f"neither granted nor denied: {done.stderr}")
        expect_equal(granted, allowed, f"granted: {done.stdout}{done.stderr}")
    return run


@case("polkit has read the rule, and knows the user")
def _(rig):
    sleeper = "[Service]\nExecStart=/bin/sleep infinity\n"
    for unit in ("sleeper.service", "varta-sleeper@.service", "varta-exporter.service"):
        rig.write(f"/etc/systemd/system/{unit}", sleeper)
    rig.systemctl("daemon-reload")
    rig.systemctl("start", "sleeper.service", "polkit.service")
    errors = [e["MESSAGE"] for e in rig.journal("_SYSTEMD_UNIT=polkit.service") if "rror" in str(e["MESSAGE"])]
    expect_equal(errors, [], "errors of polkit")


for _method, _unit, _allowed in POLKIT:
    suite.add(f"user varta {'may' if _allowed else 'may not'} ask for {_method} of {_unit}", asks(_method, _unit, _allowed))


@case("no other user gains anything by the rule")
def _(rig):
    done = rig.run(["busctl", "call", "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                    "org.freedesktop.systemd1.Manager", "TryRestartUnit", "ss", "sleeper.service", "fail"], check=False, user="nobody")
    expect(done.returncode != 0, "nobody was granted a restart")


if __name__ == "__main__":
    suite.main()
