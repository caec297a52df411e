#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Beats over the network: units, credentials, another network namespace behind a bad link, and restarts of the observer."""

import pathlib
import re
import secrets
import signal
import subprocess

from rig import Suite, expect, expect_equal, wait_for

WORKER = "/usr/local/bin/varta-test-udp-worker"
KEY = "/etc/credstore/varta.shared-key"
NEAR, FAR = "10.86.74.1", "10.86.74.2"

suite = Suite()
case = suite.case


def beats(rig):
    return sum(agent["beats"] for agent in rig.agents())


def more_beats(rig, n=20):
    """Waits until so many more beats were accepted."""
    before = beats(rig)
    wait_for(lambda: beats(rig) >= before + n, 15, f"{n} more beats")


@case("starting the observer starts no socket of the network that nobody enabled")
def _(rig):
    rig.systemctl("enable", "--now", "varta.socket")
    rig.systemctl("start", "varta.service")
    wait_for(rig.name_is_owned, 20, "the observer")
    for unit in ("varta-udp.socket", "varta-udp-plaintext.socket"):
        expect_equal(rig.state(unit), "inactive", unit)
    expect_equal([row[0] for row in rig.property("Listeners")], ["local"], "the listeners")


@case("enabling the secure socket and one restart make the observer listen there, with the credential's key")
def _(rig):
    key = secrets.token_hex(32)
    rig.run(["install", "-d", "-m", "0700", "/etc/credstore"])
    rig.write(KEY, key + "\n", 0o600)
    rig.systemctl("enable", "varta-udp.socket")
    hint = "Not read: varta-udp.socket; begin with: systemctl restart varta.service"
    expect(hint in rig.run(["varta-ctl", "status"]).stdout, "status does not say that nobody reads the socket")
    rig.systemctl("restart", "varta.service")
    wait_for(rig.name_is_owned, 20, "the observer")
    expect("Not read" not in rig.run(["varta-ctl", "status"]).stdout, "status says that nobody reads the socket")
    listeners = {(row[1], row[2]) for row in rig.property("Listeners")}
    expect(("udp-secure", "127.0.0.1:8674") in listeners, f"it listens on {listeners}")
    expect(not any(row[1] == "udp" for row in rig.property("Listeners")), "it listens in plain text")
    for address in ("127.0.0.1", "::1"):
        worker = rig.start([WORKER, KEY, address, "8674"])
        more_beats(rig)
        worker.stop()
    text = "\n".join(str(entry.get("MESSAGE")) for entry in rig.journal())
    expect(key not in text, "the key is in the journal")


@case("an agent that falls silent stalls, and nothing is restarted for a stranger's word")
def _(rig):
    with rig.signals() as log:
        rig.write("/etc/varta/varta.conf", "[Observer]\nStallThresholdSec=1s\n")
        rig.systemctl("reload", "varta.service")
        worker = rig.start([WORKER, KEY, "127.0.0.1", "8674"])
        pid = log.wait("AgentAppeared")["pid"]
        more_beats(rig)
        worker.stop()
        log.wait("Stall", pid=pid)
        log.wait("RecoveryRefused", pid=pid)


def refusals(rig, reason, since):
    return [entry for entry in rig.journal("VARTA_REASON=" + reason, since=since)]


def refused_as(rig, reason, address, since):
    """Waits for the journal's word on a refused datagram: the sender's address and port in text and field."""
    entry = wait_for(lambda: refusals(rig, reason, since), 10, f"the journal's entry on {reason}")[0]
    peer = str(entry.get("VARTA_PEER"))
    expect(re.fullmatch(re.escape(address) + r":[0-9]{1,5}", peer), f"VARTA_PEER={peer}")
    expect(f"Refused a datagram of {peer}: " in entry["MESSAGE"], entry["MESSAGE"])
    expect("PID 0" not in entry["MESSAGE"] and "VARTA_PID" not in entry, f"a pid: {entry}")


@case("another key opens nothing, and the journal and the bus name the address and port of who tried")
def _(rig):
    mark = rig.journal_cursor()
    rig.write("/root/other-key", secrets.token_hex(32) + "\n", 0o600)
    before = beats(rig)
    with rig.signals() as log:
        worker = rig.start([WORKER, "/root/other-key", "127.0.0.1", "8674"])
        args = log.wait("Rejected")["args"]
        expect_equal(args[0], "decrypt-failed", "the signal's class")
        expect(args[3]["Peer"]["data"].startswith("127.0.0.1:"), f"the signal's details: {args[3]}")
        wait_for(lambda: "not decrypted" in rig.run(["varta-ctl", "status"], check=False).stdout, 10, "the counter")
        refused_as(rig, "decrypt-failed", "127.0.0.1", mark)
        worker.stop()
    expect_equal(beats(rig), before, "accepted beats")


@case("over a link that loses, repeats and reorders, an agent in another network does not stall")
def _(rig):
    rig.write("/etc/systemd/system/varta-udp.socket.d/near.conf", f"[Socket]\nListenDatagram={NEAR}:8674\n")
    for command in ("ip netns add far", "ip link add near0 type veth peer name far0 netns far", f"ip addr add {NEAR}/24 dev near0",
                    "ip link set near0 up", "ip -n far link set lo up", f"ip -n far addr add {FAR}/24 dev far0",
                    "ip -n far addr add 10.86.74.3/24 dev far0", "ip -n far link set far0 up"):
        rig.run(command.split())
    rig.systemctl("daemon-reload")
    # The socket first: a beat that comes between the two would start the service again.
    rig.systemctl("stop", "varta-udp.socket")
    rig.systemctl("stop", "varta.service")
    rig.systemctl("start", "varta.service")
    wait_for(rig.name_is_owned, 20, "the observer")
    rig.write("/root/relay.py", (pathlib.Path(__file__).parent / "relay.py").read_text(), 0o755)
    relay = rig.start(["ip", "netns", "exec", "far", "/usr/bin/python3", "/root/relay.py", "9000", NEAR, "8674", FAR])
    wait_for(lambda: "ready" in relay.text, 10, "the relay")
    with rig.signals() as log:
        rig.start(["ip", "netns", "exec", "far", WORKER, KEY, "127.0.0.1", "9000", "20"])
        wait_for(rig.agents, 10, "the agent")
        more_beats(rig, 150)
        expect_equal(len(rig.agents()), 1, "agents")
        expect_equal(log.all("Stall"), [], "stalls")
    status = rig.run(["varta-ctl", "status"], check=False).stdout
    expect("replay" in status, f"nothing was refused as a replay: {status}")
    rig.relay = relay


@case("an agent whose address changes stays the agent it was")
def _(rig):
    before = [agent["id"] for agent in rig.agents()]
    with rig.signals() as log:
        rig.relay.send(signal.SIGUSR1)
        more_beats(rig, 100)
        expect_equal(log.all("Stall"), [], "stalls")
    expect_equal([agent["id"] for agent in rig.agents()], before, "the agents")


@case("an observer that restarts hears its agents again")
def _(rig):
    rig.systemctl("restart", "varta.service")
    wait_for(rig.name_is_owned, 20, "the observer")
    wait_for(rig.agents, 10, "the agent")
    more_beats(rig, 50)


def beat_by_hand(rig, payload, *options):
    """A line for a coprocess of varta-ctl; returns the agent that the observer then knows, and the coprocess."""
    process = rig.start(["varta-ctl", "beat", "--stdin", f"--payload={payload}", *options], stdin=subprocess.PIPE)
    process.stdin.write("\n")
    agent = wait_for(lambda: next((row for row in rig.agents() if row["payload"] == payload), None), 10,
                     f"the beat with {options}: {process.text}")
    return agent, process


@case("varta-ctl sends sealed beats that the observer opens")
def _(rig):
    for payload, address in ((101, "127.0.0.1:8674"), (102, "[::1]:8674"), (103, "localhost:8674")):
        agent, process = beat_by_hand(rig, payload, f"--udp={address}", f"--key-file={KEY}")
        expect_equal((agent["origin"], agent["unit"]), ("network-unverified", ""), "origin and unit")
        process.stop()


@case("the plaintext socket warns at each start, and its agents are of the unit that the configuration names")
def _(rig):
    rig.write("/etc/varta/varta.conf.d/plaintext.conf", "[Listener udp-plaintext]\nUnit=elsewhere.service\n")
    rig.systemctl("enable", "varta-udp-plaintext.socket")
    for n in range(2):
        mark = rig.journal_cursor()
        rig.systemctl("restart", "varta.service")
        wait_for(rig.name_is_owned, 20, "the observer")
        warnings = [entry for entry in rig.journal(since=mark) if "without encryption" in str(entry.get("MESSAGE"))]
        expect_equal([entry["PRIORITY"] for entry in warnings], ["4", "4"], "warnings, one for each address")
        agent, process = beat_by_hand(rig, 201 + n, "--udp=127.0.0.1:8675")
        expect_equal((agent["origin"], agent["unit"]), ("network-unverified", "elsewhere.service"), "origin and unit")
        process.stop()


@case("a datagram that is no frame is told of with the address and port it came from, and of a flood no more than 20 in 10 s")
def _(rig):
    mark = rig.journal_cursor()
    rig.run(["python3", "-c", "import socket\ns = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n"
             "for _ in range(200): s.sendto(bytes(32), ('::1', 8675))"])
    wait_for(lambda: sum(rig.property("DecodeErrors").values()) >= 200, 10, "the counter")
    refused_as(rig, "decode", "[::1]", mark)
    expect(len(refusals(rig, "decode", mark)) <= 20, "more entries than the limit allows")


suite.main()
