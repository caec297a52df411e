#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The operator's tool on a real machine: the past and the journal, policies, another host, a container, users without rights."""

import contextlib
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess

from rig import ENVIRONMENT, Failure, Suite, expect, expect_equal, slowness, wait_for

CONFIGURATION = """
[Observer]
StallThresholdSec=30s
# A busy machine may put a verdict off, but not for a test's patience.
MaxDeferralSec=2s

[Unit worker@*.service]
Mode=enforce
StallThresholdSec=500ms
RestartBackoffSec=1s..10s

[Unit plain@*.service]
StallThresholdSec=500ms
"""

RESTARTED, LEFT = "worker@1.service", "plain@1.service"

SSH_CONFIG = """
Host here
    HostName 127.0.0.1
    User root
    IdentityFile /root/.ssh/varta-test
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
    BatchMode yes

Host nowhere
    HostName 127.0.0.1
    Port 1
    BatchMode yes
"""

suite = Suite()
case = suite.case


def ctl(rig, *arguments, check=True, **more):
    return rig.run(["varta-ctl", *arguments], check=check, **more)


def as_json(rig, *arguments, check=True, **more):
    return json.loads(ctl(rig, "--json=short", *arguments, check=check, **more).stdout)


def beats_of(rig, unit):
    # Not over the bus by hand: as long as the observer starts, it is an idle one that has no agents.
    return next((agent["beats"] for agent in as_json(rig, "list", unit)), 0)


def decided(rows):
    """The decisions, without those that a busy machine put off."""
    return [row for row in rows if row["reason"] not in ("host-starved", "grace")]


@case("a stalled unit is restarted, another is left alone, and history tells both with their reasons")
def _(rig):
    rig.write("/etc/varta/varta.conf", CONFIGURATION)
    rig.systemctl("enable", "--now", "varta.socket")
    rig.systemctl("start", RESTARTED, LEFT)
    wait_for(lambda: beats_of(rig, RESTARTED) >= 2 and beats_of(rig, LEFT) >= 2, 10, "beats")
    for unit in (RESTARTED, LEFT):
        rig.kill(rig.main_pid(unit), signal.SIGSTOP)
    wait_for(lambda: any(row["kind"] == "finished" for row in as_json(rig, "history", RESTARTED)), 20, "the end of the recovery")
    wait_for(lambda: decided(as_json(rig, "history", LEFT)), 10, "the refusal")
    rows = decided(as_json(rig, "history", RESTARTED))
    expect_equal([row["kind"] for row in rows], ["started", "finished"], "decisions about the restarted unit")
    expect_equal((rows[0]["reason"], rows[1]["reason"]), ("silent", "recovered"), "their reasons")
    expect(all(row["unit"] == RESTARTED and RESTARTED in row["sentence"] for row in rows), f"rows: {rows}")
    expect_equal({(row["kind"], row["reason"]) for row in decided(as_json(rig, "history", LEFT))}, {("refused", "mode-warn")}, "of the other")
    expect_equal(len(as_json(rig, "history", "-n", "1")), 1, "lines with -n 1")
    words = ctl(rig, "history", "-u", "worker@*").stdout.splitlines()
    expect(len(words) >= 2 and " started " in words[-2] and " finished " in words[-1], f"history in words: {words}")


@case("the journal has the same past, and still has it when the observer is gone")
def _(rig):
    def past():
        return [(row["kind"], row["unit"], row["reason"], row["pid"]) for row in as_json(rig, "history", "--journal", "-n", "all")]

    told = [(row["kind"], row["unit"], row["reason"], row["pid"]) for row in as_json(rig, "history", "-n", "all")]
    wait_for(lambda: past() == told, 10, "the journal to say what the observer says")
    # Nobody beats, so nobody starts it again.
    rig.systemctl("stop", RESTARTED, LEFT)
    rig.systemctl("stop", "varta.service")
    expect_equal(past(), told, "history --journal without an observer")
    expect_equal(as_json(rig, "history"), [], "history of an idle observer")
    expect_equal(rig.state("varta.service"), "inactive", "varta.service after asking")
    rig.systemctl("start", RESTARTED, LEFT)


@case("what others write into the journal is not taken for the observer's")
def _(rig):
    forged = "\n".join(["MESSAGE=worker@1.service has been forged.", "MESSAGE_ID=8a0b1e8a9d734e479b7ee1b09757973f",
                        f"VARTA_UNIT={RESTARTED}", "VARTA_REASON=silent", "SYSLOG_IDENTIFIER=vartad",
                        "_SYSTEMD_UNIT=varta.service", ""])
    before = as_json(rig, "history", "--journal", "-n", "all")
    rig.run(["systemd-run", "--wait", "--quiet", "--collect", "--pipe", "logger", "--journald"], input=forged)
    wait_for(lambda: any("forged" in str(e.get("MESSAGE")) for e in rig.journal(f"VARTA_UNIT={RESTARTED}")), 10, "the forged entry")
    expect_equal(as_json(rig, "history", "--journal", "-n", "all"), before, "history --journal")


@case("zsh finds the completion where it is installed, by itself")
def _(rig):
    if not shutil.which("zsh", path=ENVIRONMENT["PATH"]):
        return "zsh is missing (package zsh)"
    done = rig.run(["zsh", "-f", "-c", "autoload -U compinit; compinit -u -D; print -r - $_comps[varta-ctl]"])
    expect_equal(done.stdout.strip(), "_varta-ctl", "the completion of varta-ctl")
    return None


@case("show tells the policy with file and line, status the card with policy, processes and events")
def _(rig):
    # The observer was stopped: the beats that go on start it again.
    wait_for(lambda: beats_of(rig, RESTARTED) >= 1, 10, "the observer")
    policy = as_json(rig, "show", "worker@1")[0]["policy"]
    expect_equal(policy["Mode"], {"value": "enforce", "source": "/etc/varta/varta.conf:8"}, "Mode")
    expect_equal(policy["StallThresholdSec"]["value"], "500ms", "StallThresholdSec")
    expect(any(entry["source"] is None for entry in policy.values()), f"no default: {policy}")
    wait_for(lambda: beats_of(rig, RESTARTED) >= 2, 10, "beats")
    card = ctl(rig, "status", "worker@1").stdout
    for words in ("Policy: Mode=enforce", f"Processes: {rig.main_pid(RESTARTED)}, alive", " stall ", " finished "):
        expect(words in card, f"\"{words}\" is not on the card:\n{card}")
    silences = re.findall(r"stalled: no beat for ([\w ]+)", card)
    expect(silences and not any(re.search(r"\d[un]s", silence) for silence in silences), f"silences, to the nanosecond: {silences}")
    unit = as_json(rig, "status", RESTARTED)["units"][0]
    expect_equal([row["kind"] for row in decided(unit["events"])][:3], ["stall", "started", "finished"], "events of the unit")
    pid = next(row["pid"] for row in unit["events"])
    expect(str(pid) not in ctl(rig, "status", str(rig.main_pid(RESTARTED))).stdout, "another process's events are on the card")


@case("what is paused and how long is on the observer's card")
def _(rig):
    ctl(rig, "pause", "plain@*.service", "--for=2h", "--reason=disk swap")
    card = ctl(rig, "status", check=False).stdout
    expect("Paused: plain@*.service, ends in 1h 59min (disk swap)" in card, f"the card:\n{card}")
    expect("Latest: worker@1.service: recovered, " in card or "Latest" not in card, f"the card:\n{card}")
    ctl(rig, "resume", "plain@*.service")


@case("who is nobody may look, is told that the journal is not his, and may change nothing")
def _(rig):
    if not rig.path("/etc/passwd").read_text().count("\nnobody:"):
        return "there is no user nobody"
    for verb in (["list"], ["units"], ["history"], ["show", RESTARTED], ["status", RESTARTED]):
        done = ctl(rig, *verb, user="nobody", check=False)
        expect(done.returncode in (0, 3) and done.stdout and not done.stderr, f"{verb}: {done.returncode} {done.stderr}")
    done = ctl(rig, "history", "--journal", user="nobody")
    expect("systemd-journal" in done.stderr and not done.stdout, f"history --journal: {done.stdout}{done.stderr}")
    for verb in (["pause"], ["resume"], ["reload"], ["recover", LEFT], ["forget", "1"]):
        done = ctl(rig, "--no-ask-password", *verb, user="nobody", check=False)
        expect_equal((done.returncode, done.stdout), (1, ""), f"{verb}: exit status and output ({done.stderr})")
        expect(done.stderr.strip(), f"{verb} says nothing")


@case("-H asks over ssh, and says what is wrong when there is no such host")
def _(rig):
    for program, package in (("dropbear", "dropbear-bin"), ("ssh", "openssh-client"), ("systemd-stdio-bridge", "systemd")):
        if not shutil.which(program, path=ENVIRONMENT["PATH"]):
            return f"{program} is missing (package {package})"
    rig.run(["mkdir", "-p", "/root/.ssh"])
    rig.run(["dropbearkey", "-t", "ed25519", "-f", "/root/varta-test-host"])
    rig.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/root/.ssh/varta-test"])
    rig.write("/root/.ssh/authorized_keys", rig.run(["cat", "/root/.ssh/varta-test.pub"]).stdout, mode=0o600)
    rig.write("/root/.ssh/config", SSH_CONFIG, mode=0o600)
    server = rig.start(["dropbear", "-F", "-E", "-s", "-r", "/root/varta-test-host", "-p", "127.0.0.1:22"])
    try:
        wait_for(lambda: rig.run(["ssh", "here", "true"], check=False).returncode == 0 or not server.running(), 20, "dropbear")
        expect(server.running(), f"dropbear ended: {server.text}")
        here, there = as_json(rig, "list"), as_json(rig, "-H", "here", "list")
        expect_equal([row["id"] for row in there], [row["id"] for row in here], "agents")
        expect("Agents: 2 of 4096" in ctl(rig, "-H", "root@here", "status", check=False).stdout, "the card does not come")
        expect_equal(ctl(rig, "--host=here", "reload").stdout, "", "reload")
        done = ctl(rig, "-H", "nowhere", "status", check=False)
        expect_equal((done.returncode, done.stdout), (5, ""), "exit status and output without a host")
        expect("nowhere" in done.stderr, f"what is wrong is not said: {done.stderr}")
    finally:
        server.stop()


@contextlib.contextmanager
def registered(rig):
    """The machine, as systemd-machined would have it on record."""
    directory = pathlib.Path("/run/systemd/machines")
    directory.mkdir(parents=True, exist_ok=True)
    record = directory / rig.name
    record.write_text(f"NAME={rig.name}\nCLASS=container\nLEADER={rig.leader}\n")
    try:
        yield
    finally:
        record.unlink()


def outside(rig, *arguments):
    return subprocess.run([os.path.join(rig.build, "src/ctl/varta-ctl"), *arguments], stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, check=False, env=ENVIRONMENT, timeout=30 * slowness())


@case("-M asks a container from outside, and says what is wrong when there is none")
def _(rig):
    with registered(rig):
        done = outside(rig, "-M", rig.name, "list", "--json=short")
        expect_equal(done.returncode, 0, f"exit status of list: {done.stderr}")
        expect_equal([row["id"] for row in json.loads(done.stdout)], [row["id"] for row in as_json(rig, "list")], "agents")
        expect("Agents: 2 of 4096" in outside(rig, "-M", rig.name, "status").stdout, "the card does not come")
    done = outside(rig, "-M", "no-such-machine", "status")
    expect_equal((done.returncode, done.stdout), (5, ""), "exit status and output without a container")
    expect("no-such-machine" in done.stderr, f"what is wrong is not said: {done.stderr}")


@case("--user asks a user's own observer: his, with -M USER@.host root his, with -M USER@CONTAINER from outside")
def _(rig):
    if not pathlib.Path("/usr/lib/systemd/user/dbus.socket").exists():
        return "users have no bus here (package dbus-user-session)"
    user, socket, beats = "tester", "/run/user/4711/varta.sock", "(echo; sleep 600) | varta-ctl beat --stdin --socket="
    rig.run(["useradd", "--create-home", "--uid=4711", "--groups=systemd-journal", user])
    rig.write(f"/home/{user}/varta.conf", "[Observer]\nStallThresholdSec=500ms\n")
    rig.write(f"/home/{user}/.config/systemd/user/varta.service",
              f"[Service]\nType=notify\nExecStart=vartad --user --listen=unix:{socket} --config=/home/{user}/varta.conf\n")
    rig.systemctl("start", "user@4711.service")
    his = {"user": user, "env": {"XDG_RUNTIME_DIR": "/run/user/4711", "HOME": f"/home/{user}"}}
    done = ctl(rig, "--user", "-M", f"{user}@.host", "status", check=False)
    expect_equal((done.returncode, done.stdout), (5, ""), "exit status and output without an observer")
    expect(f"on the user bus of {user}@.host" in done.stderr, f"what is wrong is not said: {done.stderr}")
    try:
        rig.run(["systemctl", "--user", "start", "varta.service"], **his)
        rig.start(["sh", "-c", beats + socket], user=user)
        wait_for(lambda: as_json(rig, "--user", "history", **his), 10, "a decision of the user's observer")
        told = [(row["kind"], row["reason"], row["pid"]) for row in as_json(rig, "--user", "history", **his)]
        agents = [row["id"] for row in as_json(rig, "--user", "list", **his)]
        for where in (f"{user}@.host", f"{user}@"):
            expect_equal([row["id"] for row in as_json(rig, "--user", "-M", where, "list")], agents, f"agents with -M {where}")
        with registered(rig):
            done = outside(rig, "--user", "-M", f"{user}@{rig.name}", "list", "--json=short")
            expect_equal(done.returncode, 0, f"exit status from outside: {done.stderr}")
            expect_equal([row["id"] for row in json.loads(done.stdout)], agents, "agents from outside")

        def past(**more):
            return [(row["kind"], row["reason"], row["pid"]) for row in as_json(rig, "--user", "history", "--journal", **more)]

        wait_for(lambda: past(**his)[:len(told)] == told, 10, "the journal to say what the user's observer says")
        expect_equal(past(), [], "of root's own observer, which there is not")
        done = ctl(rig, "--user", "-M", f"{user}@.host", "history", "--journal", check=False)
        expect_equal((done.returncode, done.stdout), (2, ""), "exit status and output of another's journal")
        expect("Allowed: --machine= without --journal" in done.stderr, f"what is allowed is not said: {done.stderr}")
    finally:
        rig.systemctl("stop", "user@4711.service")


def log_in(rig, user, dialogue):
    """A login on a terminal, with a session as polkit wants it: whenever the first of a pair was read, the second is typed."""
    main, side = pty.openpty()
    text, unread = "", ""
    shell = subprocess.Popen(rig.argv(["setsid", "--ctty", "--wait", "su", "-", user]), stdin=side, stdout=side, stderr=side,
                             env=ENVIRONMENT, start_new_session=True)

    def read():
        nonlocal text, unread
        while select.select([main], [], [], 0)[0]:
            read = os.read(main, 65536).decode()
            text, unread = text + read, unread + read
        return unread

    try:
        for awaited, typed in dialogue:
            try:
                wait_for(lambda a=awaited: a in read(), 30, awaited)
            except Failure as failure:
                raise Failure(f"{failure}; the terminal has: {text}") from None
            unread = ""
            os.write(main, typed.encode() + b"\n")
        wait_for(lambda: read() is not None and shell.poll() is not None, 30, "the end of the session")
        read()
        return text
    finally:
        shell.kill()
        shell.wait()
        os.close(main)
        os.close(side)


@case("on a terminal polkit's agent asks for a password; not with --no-ask-password, nor without a terminal, nor where there is none")
def _(rig):
    if not shutil.which("pkttyagent", path=ENVIRONMENT["PATH"]):
        return "pkttyagent is missing (package polkitd)"
    user, password, program = "admin", "correct horse", rig.run(["sh", "-c", "command -v varta-ctl"]).stdout.strip()
    rig.run(["useradd", "--create-home", "--groups=sudo", "--shell=/bin/sh", user])
    rig.run(["chpasswd"], input=f"{user}:{password}\n")

    def paused():
        return [row["what"] for row in as_json(rig, "status", check=False)["pauses"]]

    refused = "nobody could be asked for it"
    text = log_in(rig, user, [
        ("$ ", "varta-ctl pause a.service; echo first=$?"),
        ("Password: ", password),
        ("first=0", "varta-ctl --no-ask-password pause b.service; echo second=$?"),
        ("second=1", "varta-ctl pause c.service </dev/null; echo third=$?"),
        ("third=1", f"PATH=/nonexistent {program} pause d.service; echo fourth=$?"),
        ("fourth=1", "stty -a; exit"),
    ])
    expect_equal((text.count("AUTHENTICATING FOR org.varta.observer1.manage"), text.count(refused)), (1, 3), f"dialogues and refusals in: {text}")
    expect(" echo " in text.rsplit("fourth=1", 1)[1], f"the terminal has lost its echo: {text}")
    expect_equal(paused(), ["a.service"], "pauses")
    expect(rig.run(["pgrep", "pkttyagent"], check=False).returncode == 1, "an agent is left")
    ctl(rig, "resume", "a.service")


if __name__ == "__main__":
    suite.main()
