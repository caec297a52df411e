#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several observers on one host, varta@NAME.service: each has its own agents, configuration, state and name on the bus."""

import json
import re

from recovery import COMMON, section
from rig import BUS_NAME, BUS_PATH, Suite, expect, expect_equal, wait_for

# An agent of an instance, which is named as the agent's own. One of the names begins with a digit.
SHARD = """
[Service]
Type=exec
ExecStart=/usr/local/bin/varta-test-worker --interval=50 --socket=unix:/run/varta/varta@%i.sock
DynamicUser=yes
SupplementaryGroups=varta
TimeoutStopSec=5s
"""

INSTANCES = ("a", "7")

suite = Suite()
case = suite.case


def name_of(instance):
    return f"{BUS_NAME}._{instance}" if instance else BUS_NAME


def ctl(rig, instance, *arguments, check=True, user=None):
    option = [f"--instance={instance}"] if instance else []
    return rig.run(["varta-ctl", *option, *arguments], check=check, user=user)


def answer(rig, instance, *arguments):
    return json.loads(ctl(rig, instance, "--json=short", *arguments).stdout)


def prop(rig, instance, name):
    return rig.call("Get", "ss", BUS_NAME, name, interface="org.freedesktop.DBus.Properties", name=name_of(instance))[0]["data"]


def beats(rig, instance, unit):
    rows = answer(rig, instance, "list")
    return [row["pid"] for row in rows if row["unit"] == unit and row["beats"] >= 2 and not row["stalled"]]


def exposure(rig, unit):
    done = rig.run(["systemd-analyze", "security", "--no-pager", unit], check=False)
    match = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    expect(match, f"no exposure level in: {done.stdout}{done.stderr}")
    return float(match[1])


@case("systemd-analyze verify has nothing to say of the templates")
def _(rig):
    units = [f"/usr/lib/systemd/system/varta@.{suffix}" for suffix in ("socket", "service")]
    done = rig.run(["systemd-analyze", "verify", "--man=no", *units], check=False)
    expect_equal((done.returncode, done.stdout + done.stderr), (0, ""), "status and output")


@case("an instance is exposed as little as varta.service")
def _(rig):
    expect_equal(exposure(rig, "varta@a.service"), exposure(rig, "varta.service"), "the exposure")


@case("before its socket listens, an instance is out of reach, and status names the socket to enable")
def _(rig):
    done = ctl(rig, "7", "status", check=False)
    expect_equal(done.returncode, 5, "exit status")
    for word in ("/run/varta/varta@7.sock", "systemctl enable --now varta@7.socket"):
        expect(word in done.stderr, f"{word} is not in: {done.stderr}")
    done = ctl(rig, "7", "beat", check=False)
    expect_equal(done.returncode, 5, "exit status of beat")
    expect("varta@7.socket" in done.stderr, done.stderr)


@case("the first beat to an instance's socket starts that instance, and no other")
def _(rig):
    rig.systemctl("enable", "--now", "varta.socket", "varta@a.socket", "varta@7.socket")
    expect("varta@a - heartbeat observer" in ctl(rig, "a", "status").stdout, "status of an idle instance")
    ctl(rig, "a", "beat")
    wait_for(lambda: rig.state("varta@a.service") == "active", 10, "the instance")
    for unit in ("varta.service", "varta@7.service"):
        expect_equal(rig.state(unit), "inactive", unit)
    expect_equal(prop(rig, "a", "Beats"), 1, "Beats")
    expect_equal([(row[0], row[2]) for row in prop(rig, "a", "Listeners")], [("local", "/run/varta/varta@a.sock")], "Listeners")


@case("an instance's state is in a directory of its own, for user varta alone")
def _(rig):
    mode = rig.run(["stat", "--format=%U %a", "/var/lib/varta@a"]).stdout
    expect_equal(mode, "varta 700\n", "owner and mode")


@case("an instance named as the first observer does not take that one's socket away")
def _(rig):
    before = rig.path("/run/varta/varta.sock").stat().st_ino
    rig.systemctl("start", "varta@varta.socket")
    expect_equal(rig.path("/run/varta/varta.sock").stat().st_ino, before, "the socket's inode")
    rig.systemctl("stop", "varta@varta.socket")


@case("everybody may ask an instance, nobody but user varta may be one")
def _(rig):
    ctl(rig, "a", "status", user="nobody")
    for user in ("root", "nobody"):
        done = rig.run(["busctl", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName",
                        "su", name_of("7"), "0"], check=False, user=user)
        expect("ccess denied" in done.stderr or "not allowed to own" in done.stderr, f"{user}: {done.stdout}{done.stderr}")
    done = ctl(rig, "a", "pause", "--no-ask-password", check=False, user="nobody")
    expect(done.returncode != 0, "nobody may pause an instance")


@case("each of three observers sees the beats of its own agents")
def _(rig):
    rig.write("/etc/systemd/system/shard@.service", SHARD)
    rig.write("/etc/varta/varta.conf", COMMON + section("*"))
    for instance in INSTANCES:
        rig.write(f"/etc/varta/varta@{instance}.conf", COMMON + section("shard@*.service"))
    rig.systemctl("daemon-reload")
    rig.systemctl("start", "varta.service", "varta@7.service")
    rig.systemctl("restart", "varta@a.service")
    rig.systemctl("start", "worker@1.service", "shard@a.service", "shard@7.service")
    for instance, unit in (("", "worker@1.service"), ("a", "shard@a.service"), ("7", "shard@7.service")):
        wait_for(lambda i=instance, u=unit: beats(rig, i, u), 20, f"beats of {unit}")
        expect_equal({row["unit"] for row in answer(rig, instance, "list")}, {unit}, f"what instance {instance!r} sees")


@case("a stall in one instance restarts its unit, and no other observer sees it")
def _(rig):
    old = beats(rig, "a", "shard@a.service")
    others = {unit: rig.show(unit, "InvocationID") for unit in ("worker@1.service", "shard@7.service")}
    rig.run(["kill", "-USR1", *map(str, old)])
    wait_for(lambda: any((e["kind"], e["reason"]) == ("finished", "recovered") for e in answer(rig, "a", "history")), 20, "the recovery")
    expect(set(beats(rig, "a", "shard@a.service")).isdisjoint(old), "the process is the old one")
    card = ctl(rig, "a", "status", "shard@a.service", check=False).stdout
    expect("stalled: no beat" in card, f"the card does not have what the instance wrote in the journal: {card}")
    expect(ctl(rig, "a", "top").stdout.startswith("varta@a "), "top does not say whose picture it is")
    for instance in ("", "7"):
        expect_equal((prop(rig, instance, "Stalls"), answer(rig, instance, "history")), (0, []), f"stalls and history of {instance!r}")
    expect_equal({unit: rig.show(unit, "InvocationID") for unit in others}, others, "invocations of the others")


@case("history --journal shows what that instance wrote, and nothing else")
def _(rig):
    expect(any(e["unit"] == "shard@a.service" for e in answer(rig, "a", "history", "--journal")), "nothing of shard@a.service")
    for instance in ("", "7"):
        expect_equal(answer(rig, instance, "history", "--journal"), [], f"the journal of {instance!r}")


@case("a pause is the instance's own, and outlives its restart")
def _(rig):
    ctl(rig, "a", "pause", "shard@a.service", "--reason=a look at it")
    rig.systemctl("restart", "varta@a.service")
    expect_equal([(row[0], row[2]) for row in prop(rig, "a", "Pauses")], [("shard@a.service", "a look at it")], "Pauses of a")
    for instance in ("", "7"):
        expect_equal(prop(rig, instance, "Pauses"), [], f"Pauses of {instance!r}")
    ctl(rig, "a", "resume", "shard@a.service")


@case("reload reads the instance's own file, and the refusal of a bad one names it")
def _(rig):
    before = prop(rig, "7", "ThresholdUSec")
    rig.write("/etc/varta/varta@a.conf", "[Observer]\nStallThresholdSec=7s\n")
    rig.systemctl("reload", "varta@a.service")
    expect_equal((prop(rig, "a", "ThresholdUSec"), prop(rig, "7", "ThresholdUSec")), (7000000, before), "ThresholdUSec of a and 7")
    rig.write("/etc/varta/varta@a.conf", "[Observer]\nStallThresholdSec=never mind\n")
    done = ctl(rig, "a", "reload", check=False)
    expect(done.returncode == 1 and "varta@a.conf:2" in done.stderr, f"{done.returncode}: {done.stderr}")
    done = ctl(rig, "a", "verify", check=False)
    expect(done.returncode == 1 and "varta@a.conf:2" in done.stderr, f"{done.returncode}: {done.stderr}")
    ctl(rig, "7", "verify")
    rig.write("/etc/varta/varta@a.conf", COMMON + section("shard@*.service"))
    ctl(rig, "a", "reload")


@case("monitor and the log level of an instance are reached by its name")
def _(rig):
    monitor = rig.start(["varta-ctl", "--instance=a", "monitor"])
    wait_for(lambda: f"Watching {name_of('a')}" in monitor.text, 10, "the monitor")
    ctl(rig, "7", "beat")
    ctl(rig, "a", "beat", "--status=critical")
    wait_for(lambda: "critical" in monitor.text or "exited" in monitor.text.lower(), 10, "an event of the instance")
    monitor.stop()
    rig.systemctl("service-log-level", "varta@a.service", "debug")
    expect_equal(rig.systemctl("service-log-level", "varta@a.service").stdout, "debug\n", "the log level")
    expect_equal(rig.systemctl("service-log-level", "varta@7.service").stdout, "info\n", "the other's")


@case("varta-exporter --instance= shows that instance's figures")
def _(rig):
    if not rig.path("/usr/bin/varta-exporter").exists():
        return "built without the exporter"
    rig.run(["sh", "-c", "ip link set lo up 2>/dev/null || true"])
    rig.start(["varta-exporter", "--instance=7", "--listen=127.0.0.1:9674"])
    fetch = ["python3", "-c", "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9674/metrics').read().decode())"]
    text = wait_for(lambda: rig.run(fetch, check=False).stdout, 10, "an answer")
    expect("varta_up 1" in text and "shard@7.service" in text, text)
    expect("shard@a.service" not in text, "figures of another instance")
    return None


@case("a socket of the network can be given to an instance")
def _(rig):
    rig.write("/etc/systemd/system/varta-udp-plaintext.socket.d/instance.conf", "[Socket]\nService=varta@7.service\n")
    rig.systemctl("daemon-reload")
    rig.systemctl("enable", "varta-udp-plaintext.socket")
    hint = "Not read: varta-udp-plaintext.socket; begin with: systemctl restart varta@7.service"
    expect(hint in ctl(rig, "7", "status").stdout, "status of the instance does not point out the socket")
    expect("Not read" not in ctl(rig, "", "status").stdout, "status of varta.service points it out")
    rig.systemctl("disable", "varta-udp-plaintext.socket")
    # With its own socket, else the next beat starts it first, and a socket cannot be added to what runs.
    rig.systemctl("stop", "varta@7.socket", "varta@7.service")
    rig.systemctl("start", "varta-udp-plaintext.socket")
    rig.systemctl("start", "varta@7.service")
    expect("udp-plaintext" in {row[0] for row in prop(rig, "7", "Listeners")}, "the instance does not listen on it")
    expect("udp-plaintext" not in {row[0] for row in prop(rig, "", "Listeners")}, "varta.service listens on it")
    expect_equal(rig.state("varta@7.socket"), "active", "varta@7.socket")
    rig.systemctl("stop", "varta-udp-plaintext.socket")


@case("restarting an instance's socket restarts the instance with it, and what beats goes on")
def _(rig):
    old = rig.main_pid("varta@a.service")
    rig.systemctl("restart", "varta@a.socket")
    wait_for(lambda: rig.main_pid("varta@a.service") not in (0, old), 10, "another process")
    wait_for(lambda: beats(rig, "a", "shard@a.service"), 20, "beats")


@case("a name that cannot be one is refused at once, and the socket of the others stays")
def _(rig):
    rig.systemctl("start", "varta@a.b.service", check=False)
    wait_for(lambda: any("not a name" in str(e["MESSAGE"]) for e in rig.journal("_SYSTEMD_UNIT=varta@a.b.service")), 10, "the refusal")
    rig.systemctl("stop", "varta@a.b.socket", "varta@a.b.service", check=False)
    expect_equal(rig.state("varta@a.socket"), "active", "varta@a.socket")


if __name__ == "__main__":
    suite.main()
