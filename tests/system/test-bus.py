#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The bus on a real machine: policy and pauses told, polkit asked, log levels switched, and a subscriber who stops reading."""

import signal

from rig import BUS_NAME, SOCKET, SOURCE, Suite, expect, expect_equal, wait_for

CONFIGURATION = """
[Observer]
StallThresholdSec=30s
PerPidRate=0

[Unit worker@*.service]
Mode=enforce
StallThresholdSec=500ms
RestartBackoffSec=1s..10s
"""

DROP_IN = """
[Unit worker@1.service]
StartupGraceSec=1s
"""

WORKER = "worker@1.service"

# Users that every Debian has, and nobody is. One may pause workers, and nothing else.
FRIEND, STRANGER = "games", "nobody"

RULE = """
polkit.addRule(function (action, subject) {
    if (action.id === "org.varta.observer1.manage" && subject.user === "games" &&
        (action.lookup("method") === "Pause" || action.lookup("method") === "Resume") &&
        /^worker@.*\\.service$/.test(action.lookup("what")))
        return polkit.Result.YES;
});
"""

# So that a test need not send the 127 MB that dbus-daemon would hold for a reader. Read by new connections.
LIMITS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
        "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><limit name="max_incoming_bytes">65536</limit></busconfig>
"""

# An agent that changes its mind with every beat: each is a signal.
FICKLE = """
sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sock.connect(sys.argv[1])
for nonce in range(1, int(sys.argv[2]) + 1):
    sock.send(frame(os.getpid(), nonce, status=nonce % 2))
"""

suite = Suite()
case = suite.case


def ctl(rig, *arguments, user=None, check=False):
    return rig.run(["varta-ctl", "--no-ask-password", *arguments], check=check, user=user)


@case("an observer and a worker that beats")
def _(rig):
    rig.write("/etc/varta/varta.conf", CONFIGURATION)
    rig.write("/etc/varta/varta.conf.d/50-grace.conf", DROP_IN)
    rig.systemctl("start", "varta.socket", "varta.service", WORKER)
    wait_for(lambda: [a for a in rig.agents() if a["unit"] == WORKER and a["beats"] > 20], 20, "the worker's beats")


@case("ShowPolicy tells every key, and the line that set it")
def _(rig):
    rows = {key: (value, source) for key, value, source in rig.call("ShowPolicy", "s", WORKER)[0]}
    expect_equal(rows["Mode"], ("enforce", "/etc/varta/varta.conf:7"), "Mode")
    expect_equal(rows["StartupGraceSec"], ("1s", "/etc/varta/varta.conf.d/50-grace.conf:3"), "StartupGraceSec")
    expect_equal(rows["RestartLimit"], ("5/10min", ""), "RestartLimit, a default")
    others = {key: (value, source) for key, value, source in rig.call("ShowPolicy", "s", "other.service")[0]}
    expect_equal(others["StallThresholdSec"], ("30s", "/etc/varta/varta.conf:3"), "a threshold from [Observer]")
    expect_equal(sorted(rows), sorted(others), "the keys of both")


@case("a pause of everything is State paused, and can be read until it ends")
def _(rig):
    expect_equal((rig.property("State"), rig.property("Pauses")), ("running", []), "before")
    ctl(rig, "pause", "--reason=moving", check=True)
    expect_equal((rig.property("State"), rig.property("Pauses")), ("paused", [["", 0, "moving"]]), "State and Pauses")
    ctl(rig, "resume", check=True)
    expect_equal((rig.property("State"), rig.property("Pauses")), ("running", []), "after")
    rig.call("Pause", "sts", WORKER, 300000, "")
    (what, until, _), = rig.property("Pauses")
    expect(what == WORKER and until > 0, f"{what} until {until}")
    wait_for(lambda: rig.property("Pauses") == [], 10, "the pause's end")
    expect_equal(rig.property("State"), "running", "State: only one unit was paused")


@case("an agent that says degraded is counted, and status finds it")
def _(rig):
    expect_equal((rig.property("AgentsDegraded"), rig.property("AgentsCritical")), (0, 0), "before")
    rig.kill(rig.main_pid(WORKER), signal.SIGUSR2)
    wait_for(lambda: rig.property("AgentsDegraded") == 1, 10, "the count")
    expect_equal(rig.call("ListAilingUnits")[0], [[WORKER, 1, 0]], "ailing units")
    expect_equal(ctl(rig, "status").returncode, 4, "exit status")
    rig.systemctl("restart", WORKER)
    wait_for(lambda: rig.property("AgentsDegraded") == 0, 10, "the count to fall")


@case("polkit has read our action, with its owner")
def _(rig):
    if not rig.path("/usr/bin/pkaction").exists():
        return "pkaction is missing (package polkitd)"
    rig.systemctl("start", "polkit.service")
    out = rig.run(["pkaction", "--verbose", "--action-id=org.varta.observer1.manage"]).stdout
    expect("unix-user:varta" in out and "auth_admin" in out, out)
    return None


@case("a user whom no rule lets is refused, and told what to do")
def _(rig):
    for arguments in (["pause", WORKER], ["resume"], ["reload"], ["forget", "1"]):
        done = ctl(rig, *arguments, user=STRANGER)
        expect(done.returncode != 0, f"{arguments}: {STRANGER} may")
        expect("sudo" in done.stderr and "polkit rule" in done.stderr, f"{arguments}: {done.stderr}")
    expect_equal(rig.property("Pauses"), [], "Pauses")


@case("a rule lets a user pause workers, and nothing else, and nobody else")
def _(rig):
    rig.write("/etc/polkit-1/rules.d/40-friend.rules", RULE)
    # polkitd reads as its own user, and the directory may be root's.
    rig.path("/etc/polkit-1/rules.d").chmod(0o755)
    rig.systemctl("restart", "polkit.service")
    expect_equal(ctl(rig, "pause", WORKER, user=FRIEND).returncode, 0, "pause of a worker")
    expect_equal([row[0] for row in rig.property("Pauses")], [WORKER], "Pauses")
    expect_equal(ctl(rig, "resume", WORKER, user=FRIEND).returncode, 0, "resume of a worker")
    expect_equal(rig.property("Pauses"), [], "Pauses")
    for user, arguments in ((FRIEND, ["pause"]), (FRIEND, ["pause", "other.service"]), (FRIEND, ["reload"]), (STRANGER, ["pause", WORKER])):
        expect(ctl(rig, *arguments, user=user).returncode != 0, f"{user} may {arguments}")


@case("without polkit that leaves root")
def _(rig):
    rig.systemctl("mask", "--now", "--runtime", "polkit.service")
    done = ctl(rig, "pause", WORKER, user=FRIEND)
    expect(done.returncode != 0 and "sudo" in done.stderr, f"{done.returncode}: {done.stderr}")
    ctl(rig, "pause", WORKER, check=True)
    ctl(rig, "resume", WORKER, check=True)
    rig.systemctl("unmask", "--runtime", "polkit.service")
    rig.systemctl("start", "polkit.service")


@case("systemctl service-log-level and service-log-target reach the observer; not everybody may write")
def _(rig):
    expect_equal(rig.systemctl("service-log-level", "varta.service").stdout.strip(), "info", "the level")
    rig.systemctl("service-log-level", "varta.service", "debug")
    expect_equal(rig.systemctl("service-log-level", "varta.service").stdout.strip(), "debug", "the level")
    mark = rig.journal_cursor()
    rig.systemctl("restart", WORKER)
    wait_for(lambda: [e for e in rig.journal("_SYSTEMD_UNIT=varta.service", since=mark) if "appeared" in e["MESSAGE"]], 10,
             "a record of level debug")
    rig.systemctl("service-log-level", "varta.service", "info")
    expect_equal(rig.systemctl("service-log-target", "varta.service").stdout.strip(), "auto", "the target")
    for target in ("journal", "console", "null", "auto"):
        rig.systemctl("service-log-target", "varta.service", target)
        expect_equal(rig.systemctl("service-log-target", "varta.service").stdout.strip(), target, "the target")
    done = rig.systemctl("service-log-target", "varta.service", "kmsg", check=False)
    expect(done.returncode != 0 and "allowed are" in done.stderr, f"{done.returncode}: {done.stderr}")
    done = rig.run(["busctl", "set-property", BUS_NAME, "/org/freedesktop/LogControl1", "org.freedesktop.LogControl1", "LogLevel",
                    "s", "debug"], check=False, user=STRANGER)
    expect(done.returncode != 0, "anybody may set the level")
    expect_equal(rig.systemctl("service-log-level", "varta.service").stdout.strip(), "info", "the level")


@case("wrong types and absurd values are errors or find nothing, and change nothing")
def _(rig):
    calls = [("ListAgents", "s", "all"), ("ShowPolicy", "s", "x" * 5000),
             ("ShowPolicy", "s", "../../etc/passwd"), ("Pause", "sts", "pid:0", 0, ""), ("Pause", "sts", "pid:99999999999", 0, ""),
             ("Pause", "sts", "*", 0, "r" * 1000), ("Pause", "s", "x"), ("Recover", "s", ""), ("Recover", "s", "*"),
             ("Resume", "s", "x" * 100000), ("Forget", "t", 18446744073709551615), ("ResetAgent", "t", 0), ("History", "su", "[", 1),
             ("GetAgentByPID", "u", 0), ("FindAgents", "uu", 0, 0), ("Undo",)]
    nobody = [("ListAgents", "uu", 4294967295, 4294967295), ("FindAgents", "suuu", "x" * 5000, 4294967295, 4294967295, 4294967295),
              ("FindAgents", "suuu", "../*", 0, 1, 0)]
    for member, *rest in calls:
        got = rig.call(member, *rest, check=False)
        expect(not isinstance(got, list) and got.stderr.startswith("Call failed: "), f"{member} {rest!r:.80}: {got!r:.400}")
    # Pages of agents that there are none of.
    for member, *rest in nobody:
        expect_equal(rig.call(member, *rest), [[], 0], f"{member} {rest!r:.80}")
    expect_equal(rig.property("Pauses"), [], "Pauses")
    rig.call("Pause", "sts", WORKER, 18446744073709551615, "")
    expect_equal([row[0] for row in rig.property("Pauses")], [WORKER], "Pauses")
    rig.call("Resume", "s", WORKER)
    expect_equal(rig.state("varta.service"), "active", "varta.service")


@case("a subscriber who stops reading costs signals, counted, and nothing else: a recovery goes on, and the connection comes back")
def _(rig):
    rig.write("/etc/dbus-1/system.d/limits.conf", LIMITS)
    rig.run(["busctl", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "ReloadConfig"])
    rig.systemctl("restart", "varta.service")
    wait_for(lambda: [a for a in rig.agents() if a["unit"] == WORKER and a["beats"] > 20], 20, "the worker's beats")

    mark = rig.journal_cursor()
    with rig.signals() as log:
        log._monitor.send(signal.SIGSTOP)
        script = (SOURCE / "tests/system/frames.py").read_text().split("def main")[0] + FICKLE
        rig.run(["python3", "-c", script, SOCKET, "3000"], timeout=60)
        # Nobody is answered any more.
        done = rig.run(["busctl", "--timeout=2", "get-property", BUS_NAME, "/org/varta/Observer1", BUS_NAME, "State"], check=False)
        expect(done.returncode != 0, "the bus still takes our answers: nothing was tested")

        # The worker is wedged, and restarted, over the other connection.
        old = rig.main_pid(WORKER)
        rig.kill(old, signal.SIGUSR1)
        # A busy host puts a restart off, for a minute at most.
        wait_for(lambda: rig.main_pid(WORKER) not in (0, old), 75, "the worker's restart")
        entries = wait_for(lambda: [e for e in rig.journal("_SYSTEMD_UNIT=varta.service", since=mark) if e.get("VARTA_OUTCOME")], 75,
                           "the record of the recovery")
        expect_equal(entries[0]["VARTA_OUTCOME"], "recovered", "the outcome")

        wait_for(lambda: [e for e in rig.journal("_SYSTEMD_UNIT=varta.service", since=mark) if "connecting to it anew" in e["MESSAGE"]], 50,
                 "the connection to be given up")
        # The name is the old connection's until the new one takes it over.
        wait_for(lambda: isinstance(rig.call("ListUnits", check=False), list), 20, "an answer over the new connection")
        expect(rig.property("SignalsSuppressed") > 500, f"SignalsSuppressed is {rig.property('SignalsSuppressed')}")
        expect_equal(rig.state("varta.service"), "active", "varta.service")
        log._monitor.send(signal.SIGCONT)

    # Whoever reads is served as before.
    with rig.signals() as log:
        rig.kill(rig.main_pid(WORKER), signal.SIGUSR1)
        log.wait("RecoveryFinished", 75, unit=WORKER)
    rig.remove("/etc/dbus-1/system.d/limits.conf")


if __name__ == "__main__":
    suite.main()
