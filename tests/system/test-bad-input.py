#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bad input: each kind gets its counter or its one line, the observer stays, leaks nothing, and the good go on."""

import json
import subprocess

import frames
from rig import SOCKET, SOURCE, Failure, Suite, expect, expect_equal, wait_for

VECTORS = json.loads((SOURCE / "tests/vlp-vectors.json").read_text())
GOOD = "plain@1.service"

suite = Suite()


class Sender:
    """A process inside that sends whatever it is told, with a pid of its own."""

    def __init__(self, rig):
        rig.write("/usr/local/bin/varta-test-sender", "#!/usr/bin/python3\n" + (SOURCE / "tests/system/frames.py").read_text(), 0o755)
        self._process = rig.start(["/usr/local/bin/varta-test-sender", SOCKET], stdin=subprocess.PIPE)
        self.pid = self.send(hex="00")["pid"]

    def send(self, may_fail=False, **request):
        seen = len(self._process.lines)
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        wait_for(lambda: len(self._process.lines) > seen or not self._process.running(), 10, "the sender's answer")
        if len(self._process.lines) <= seen:
            raise Failure("the sender ended")
        answer = json.loads(self._process.lines[seen][1])
        if answer["error"] and not may_fail:
            raise Failure(f"the sender could not send: {answer['error']}")
        return answer


def flat(properties):
    """Counters as one level: DecodeErrors.BadCrc."""
    counters = {}
    for name, value in properties.items():
        if isinstance(value, dict):
            counters.update({f"{name}.{key}": number for key, number in value.items()})
        elif isinstance(value, int) and not isinstance(value, bool):
            counters[name] = value
    return counters


def descriptors(rig):
    return len(rig.run(["ls", f"/proc/{rig.main_pid('varta.service')}/fd"]).stdout.split())


def counts(rig, counter, send):
    """Whatever `send` does moves the counter by one, leaves no descriptor behind, and the good beat on."""
    counters, open_before = flat(rig.properties()), descriptors(rig)
    good = beats_of(rig, GOOD)
    send()
    wait_for(lambda: flat(rig.properties())[counter] == counters[counter] + 1, 5, f"{counter} to rise by one")
    wait_for(lambda: beats_of(rig, GOOD) > good, 5, "a beat of a good agent")
    wait_for(lambda: descriptors(rig) <= open_before, 5, "descriptors to be closed")


def beats_of(rig, unit):
    return next((agent["beats"] for agent in rig.agents() if agent["unit"] == unit), 0)


def begins(rig):
    rig.write("/etc/varta/varta.conf", "[Observer]\nPerPidRate=0\n")
    rig.systemctl("enable", "--now", "varta.socket")
    rig.systemctl("start", GOOD)
    wait_for(lambda: rig.state("varta.service") == "active", 10, "the observer")
    wait_for(lambda: beats_of(rig, GOOD) >= 2, 10, "the good agent")
    rig.sender = Sender(rig)
    # Its first word was of one byte; from now on every count is exact.
    wait_for(lambda: rig.property("MisSized") == 1, 5, "the sender's first word")
    rig.observer = rig.main_pid("varta.service")


suite.add("a good agent beats and a sender of anything is ready", begins)


def rejected(vector):
    def run(rig):
        counts(rig, f"DecodeErrors.{vector['error']}", lambda: rig.sender.send(hex=vector["wire_hex"]))
    return run


for _vector in VECTORS["rejects"]:
    suite.add(f"a frame with {_vector['name']} is counted as {_vector['error']}", rejected(_vector))


def mis_sized(length):
    def run(rig):
        data = (frames.frame(rig.sender.pid, 1) + bytes(length))[:length]
        counts(rig, "MisSized", lambda: rig.sender.send(hex=data.hex()))
    return run


for _length in (0, 31, 33, 65507):
    suite.add(f"a datagram of {_length} bytes is counted as mis-sized and never decoded", mis_sized(_length))


@suite.case("a frame that names another process's pid is an authentication failure, and says whose")
def _(rig):
    victim = rig.main_pid(GOOD)
    with rig.signals() as log:
        counts(rig, "AuthFailures", lambda: rig.sender.send(beat={"pid": victim, "nonce": 1 << 40}))
        args = log.wait("Rejected")["args"]
        expect_equal(args[:2], ["auth-failure", victim], "the signal's class and claimed pid")
    good = next(agent for agent in rig.agents() if agent["unit"] == GOOD)
    expect(good["last_nonce"] < 1 << 40, "the forged nonce reached the victim's slot")


@suite.case("a good frame without descriptors makes its sender an agent")
def _(rig):
    rig.sender.send(beat={})
    rig.sender.send(beat={})
    wait_for(lambda: any(agent["pid"] == rig.sender.pid and agent["beats"] == 2 for agent in rig.agents()), 5, "the sender as an agent")


def with_descriptors(number):
    def run(rig):
        before, open_before = flat(rig.properties()), descriptors(rig)
        beats = next(agent["beats"] for agent in rig.agents() if agent["pid"] == rig.sender.pid)
        refused = rig.sender.send(beat={}, descriptors=number, may_fail=True)["error"]
        if refused:
            # A kernel that lets receivers refuse descriptors tells the sender at once.
            expect_equal(refused, "Operation not permitted", "the sender's error")
            return

        def judged():
            now = flat(rig.properties())
            row = next(agent for agent in rig.agents() if agent["pid"] == rig.sender.pid)
            return row["beats"] - beats + now["ControlTruncated"] - before["ControlTruncated"] == 1
        wait_for(judged, 5, "the datagram to be counted once, as a beat or as truncated")
        wait_for(lambda: descriptors(rig) <= open_before, 5, "the descriptors to be closed")
    return run


for _number in (1, 50, 200):
    suite.add(f"a beat with {_number} attached descriptors is refused, or counts once and leaves none open", with_descriptors(_number))


@suite.case("where the kernel knows no refusal of descriptors, they arrive")
def _(rig):
    rig.write("/etc/systemd/system/varta.service.d/kernel.conf", "[Service]\nEnvironment=VARTA_DISABLE_FEATURES=passrights\n")
    rig.systemctl("daemon-reload")
    # The refusal is a property of the socket, which outlives the observer.
    rig.systemctl("stop", "varta.socket", "varta.service")
    rig.systemctl("start", "varta.socket")
    wait_for(rig.name_is_owned, 10, "the observer")
    wait_for(lambda: beats_of(rig, GOOD) >= 2, 10, "the good agent")
    rig.sender = Sender(rig)
    rig.sender.send(beat={})
    rig.observer = rig.main_pid("varta.service")
    wait_for(lambda: any(agent["pid"] == rig.sender.pid for agent in rig.agents()), 10, "the sender as an agent")


for _number in (1, 50, 200):
    suite.add(f"then a beat with {_number} attached descriptors counts once as well, and leaves none open", with_descriptors(_number))


@suite.case("the observer went through all of this in one life")
def _(rig):
    expect_equal(rig.main_pid("varta.service"), rig.observer, "the observer's pid")
    rig.remove("/etc/systemd/system/varta.service.d/kernel.conf")
    rig.systemctl("daemon-reload")


def reload_says(rig, text, *words, name="/etc/varta/varta.conf.d/50-bad.conf"):
    """Restarts the observer with a configuration file; the journal then has one line with all the words."""
    rig.write(name, text)
    cursor = rig.journal_cursor()
    rig.systemctl("restart", "varta.service")
    try:
        wait_for(rig.name_is_owned, 10, "the observer")
        lines = [e["MESSAGE"] for e in rig.journal("_SYSTEMD_UNIT=varta.service", since=cursor)]
        wanted = [line for line in lines if all(word in line for word in words)]
        expect_equal(len(wanted), 1, f"lines with {words} among {lines}")
        expect_equal(rig.state("varta.service"), "active", "varta.service")
        return rig.property("State")
    finally:
        rig.remove(name)


@suite.case("an unknown key is one warning with file and line, and everything else is in force")
def _(rig):
    state = reload_says(rig, "[Observer]\nStallTresholdSec=1s\nStallThresholdSec=7s\n", "50-bad.conf:2", "StallTresholdSec")
    expect_equal(state, "running", "State")


@suite.case("an unknown section is one warning with file and line")
def _(rig):
    state = reload_says(rig, "[Obsever]\nStallThresholdSec=1s\n", "50-bad.conf:1", "Obsever")
    expect_equal(state, "running", "State")


@suite.case("a bad span at start is one line with file, line, value and what is allowed; the default holds")
def _(rig):
    state = reload_says(rig, "[Observer]\nStallThresholdSec=fast\n", "50-bad.conf:2", "fast", "10ms", "1d")
    expect_equal(state, "degraded-config", "State")


@suite.case("a span out of range likewise")
def _(rig):
    state = reload_says(rig, "[Observer]\nStallThresholdSec=2d\n", "50-bad.conf:2", "2d", "10ms", "1d")
    expect_equal(state, "degraded-config", "State")


@suite.case("a bad value in a unit's section makes that unit's mode warn")
def _(rig):
    state = reload_says(rig, f"[Unit {GOOD}]\nMode=enforce\nRestartBackoffSec=soon\n", "50-bad.conf:3", "soon")
    expect_equal(state, "degraded-config", "State")


# What recovery cannot be told to do: the section, the line that is wrong, and words of what would be allowed.
BAD_POLICIES = [
    ("a unit of an unknown type", "Unit plain.timer", None, ".service or .scope"),
    ("Mode=enforce on a protected unit that is named exactly", "Unit systemd-logind.service", "Mode=enforce", "off, warn"),
    ("an action that is no varta-*.service", f"Unit {GOOD}", "Action=start:mend.service", "varta-NAME"),
    ("an action that is no service", f"Unit {GOOD}", "Action=start:varta-mend.timer", "varta-NAME"),
    ("an OnGaveUp= that is no varta-*.service", f"Unit {GOOD}", "OnGaveUp=mail.service", "varta-NAME"),
    ("a negative span", f"Unit {GOOD}", "StallThresholdSec=-2s", "10ms to 1d"),
    ("a span beyond all numbers", f"Unit {GOOD}", "RestartBackoffSec=5s..99999999999999999999s", "100ms"),
    ("a quorum of 0", f"Unit {GOOD}", "Quorum=0", "100%"),
    ("a quorum of 101 %", f"Unit {GOOD}", "Quorum=101%", "100%"),
    ("a limit without a span", f"Unit {GOOD}", "RestartLimit=5", "/"),
]
GOOD_POLICY = "[Unit *]\nMode=enforce\nRestartLimit=7/7min\n"


def mode_of(rig, unit):
    return next(value for key, value, _ in rig.call("ShowPolicy", "s", unit)[0] if key == "Mode")


def is_refused_at_load(section, line, allowed):
    text = f"[{section}]\n" + (f"{line}\n" if line else "Mode=off\n")
    place = f"50-bad.conf:{2 if line else 1}"
    unit = section.removeprefix("Unit ")

    def run(rig):
        rig.write("/etc/varta/varta.conf.d/10-good.conf", GOOD_POLICY)
        rig.systemctl("restart", "varta.service")
        wait_for(rig.name_is_owned, 10, "the observer")
        rig.write("/etc/varta/varta.conf.d/50-bad.conf", text)
        try:
            # A reload is refused as a whole, and says where and why; the old policy stays.
            cursor = rig.journal_cursor()
            expect(rig.systemctl("reload", "varta.service", check=False).returncode != 0, "the reload was not refused")
            says_what_is_allowed(rig, cursor, place, line or f"[{section}]", allowed)
            expect_equal((mode_of(rig, GOOD), rig.property("State")), ("enforce", "running"), "mode and State after the reload")

            # At a start there is no old one: the defaults, and nothing is enforced where the section may have meant otherwise.
            cursor = rig.journal_cursor()
            rig.systemctl("restart", "varta.service")
            wait_for(rig.name_is_owned, 10, "the observer")
            says_what_is_allowed(rig, cursor, place, line or f"[{section}]", allowed)
            expect_equal(rig.property("State"), "degraded-config", "State after a start")
            expect("50-bad.conf" in rig.property("ConfigurationError"), f"ConfigurationError: {rig.property('ConfigurationError')}")
            expect_equal(mode_of(rig, unit if line else GOOD), "warn", "the mode after a start")
            if line:
                expect_equal(mode_of(rig, "another.service"), "enforce", "the mode of a unit that it was not about")
        finally:
            rig.remove("/etc/varta/varta.conf.d/50-bad.conf")
            rig.remove("/etc/varta/varta.conf.d/10-good.conf")
    return run


def says_what_is_allowed(rig, cursor, place, what, allowed):
    said = [e["MESSAGE"] for e in rig.journal("_SYSTEMD_UNIT=varta.service", since=cursor)]
    expect(any(place in text and what in text and allowed in text.partition("allowed: ")[2] for text in said),
           f"no line with {place}, {what} and {allowed!r} as allowed: {said}")


for _title, *_policy in BAD_POLICIES:
    suite.add(f"{_title} is refused at load with its place and what is allowed; the old policy stays, or nothing is enforced",
              is_refused_at_load(*_policy))


@suite.case("no configuration at all is no error")
def _(rig):
    rig.remove("/etc/varta/varta.conf")
    rig.systemctl("restart", "varta.service")
    wait_for(rig.name_is_owned, 10, "the observer")
    expect_equal(rig.property("State"), "running", "State")
    expect_equal(rig.property("ThresholdUSec"), 5000000, "ThresholdUSec")


@suite.case("a configuration file that is named and missing is one line, not the end")
def _(rig):
    done = by_hand(rig, "--config=/nonexistent.conf", "--listen=unix:/run/varta-by-hand.sock")
    expect("/nonexistent.conf" in done, f"it does not name the file: {done}")


@suite.case("a second observer on the same name is refused in one line")
def _(rig):
    done = rig.run(["timeout", "10", "vartad", "--listen=unix:/tmp/second.sock"], check=False, user="varta")
    expect(done.returncode not in (0, 124), f"exit status {done.returncode}")
    complains_once(done.stdout + done.stderr, "org.varta.Observer1")
    expect(rig.name_is_owned(), "the first observer lost its name")


@suite.case("a second observer on the same socket path is refused in one line, and the first keeps its socket")
def _(rig):
    inode = rig.run(["stat", "--format=%i", SOCKET]).stdout
    done = rig.run(["timeout", "10", "vartad", f"--listen=unix:{SOCKET}"], check=False)
    expect(done.returncode not in (0, 124), f"exit status {done.returncode}")
    complains_once(done.stdout + done.stderr, SOCKET)
    expect_equal(rig.run(["stat", "--format=%i", SOCKET]).stdout, inode, "the socket's inode")


@suite.case("the observer was never ended by any of it")
def _(rig):
    expect_equal(rig.journal("_SYSTEMD_UNIT=init.scope", "UNIT=varta.service", "CODE_FUNC=service_sigchld_event", "PRIORITY=4"), [],
                 "unclean ends")
    before = beats_of(rig, GOOD)
    wait_for(lambda: beats_of(rig, GOOD) > before + 5, 5, "beats of the good agent")


def complains_once(text, word):
    lines = [line for line in text.splitlines() if line.strip()]
    expect(len(lines) == 1 and word in lines[0], f"not one line that names {word}: {text}")


def by_hand(rig, *arguments):
    """Starts vartad on the user bus of a session of its own, ends it by SIGTERM once it listens; returns what it said."""
    script = """
        vartad --user "$@" & pid=$!
        for _ in $(seq 100); do [ -S /run/varta-by-hand.sock ] && break; sleep 0.1; done
        [ -S /run/varta-by-hand.sock ] || echo "it does not listen"
        kill $pid; wait $pid; echo "exit status $?"
    """
    done = rig.run(["dbus-run-session", "--", "sh", "-c", script, "sh", *arguments], check=False)
    expect("exit status 0" in done.stdout, f"not a clean end: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


if __name__ == "__main__":
    suite.main()
