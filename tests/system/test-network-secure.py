#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sealed beats of two other hosts: what is on the wire, and what forgers, recordings, and a change of keys do to them."""

import base64
import json
import pathlib
import random
import secrets
import signal
import struct
import subprocess

import envelope
from rig import Suite, expect, expect_equal, wait_for

HERE = pathlib.Path(__file__).parent
AGENT = "/usr/local/bin/varta-test-udp-agent"
NEAR, PORT = "10.86.74.1", "8674"
FAR, STRANGER, OTHER = "10.86.74.2", "10.86.74.3", "10.86.75.2"
OBSERVER_KEYS, OBSERVER_MASTER = "/etc/varta/keys/shared", "/etc/varta/keys/master"

# What tests/system/udp-agent.c puts into every beat.
PAYLOAD = struct.pack("<I", 0x5ec4e75a)

FORGERIES, FORGERIES_PER_SEC = 15000, 5000
# As src/ingress/secure.h has it.
FAILURES_PER_SEC = 1000

# Keys by name; all that ever existed here, for the last case.
keys = {name: secrets.token_hex(32) for name in ("one", "two", "master", "new", "stranger")}

suite = Suite()
case = suite.case


class Agent:
    """A running agent that does what it is told."""

    def __init__(self, rig, namespace, key, form="shared", own_pids=False):
        command = ["ip", "netns", "exec", namespace]
        if own_pids:
            # The shell is 1, and the agent 2.
            command += ["unshare", "--pid", "--fork", "--kill-child", "sh", "-c", '"$@"; exit $?', "sh"]
        self.process = rig.start([*command, AGENT, f"udp:{NEAR}:{PORT}", form, f"/root/keys/{key}"], stdin=subprocess.PIPE)
        self.answers = 0
        self.pid = int(self.answer("pid"))
        self.rig = rig

    def answer(self, word):
        line = wait_for(lambda: self.process.lines[self.answers:], 30, f"an answer: {word}")[0][1]
        self.answers += 1
        expect(line.startswith(word), f"{word} wanted, and the agent says: {self.process.text}")
        return line[len(word):].strip()

    def begin(self, command):
        self.process.stdin.write(command + "\n")

    def tell(self, command, word):
        self.begin(command)
        return self.answer(word)

    def beat(self, n, interval=20):
        return int(self.tell(f"beat {n} {interval}", "sent"))

    def halt(self):
        """Ends "run"; returns how many beats were sent by it."""
        self.process.stdin.write("beat 0 0\n")
        sent = int(self.answer("sent"))
        self.answer("sent")
        return sent

    def row(self):
        """What the observer knows of it; None when it knows nothing."""
        return next((row for row in self.rig.agents() if row["pid"] == self.pid), None)

    def accepted(self):
        return self.row()["beats"]

    def stop(self):
        self.process.stop()


def observer_keys(rig, *names, master=("master",)):
    """The files that the observer reads, the current key first."""
    for path, listed in ((OBSERVER_KEYS, names), (OBSERVER_MASTER, master)):
        rig.write(path, "".join(keys[name] + "\n" for name in listed), 0o600)
        rig.run(["chown", "varta:varta", path])


def configure(rig, extra=""):
    # Without a limit per pid: a machine that stands still for a moment reads two beats of an agent at once.
    rig.write("/etc/varta/varta.conf", f"""
[Observer]
StallThresholdSec=3s
PerPidRate=0
[Listener udp]
KeyFile={OBSERVER_KEYS}
MasterKeyFile={OBSERVER_MASTER}
{extra}
""")


def script(rig, name):
    rig.write(f"/root/{name}", (HERE / name).read_text(), 0o755)
    return ["/usr/bin/python3", f"/root/{name}"]


def far(*command):
    return ["ip", "netns", "exec", "far", *command]


class Capture:
    """What is on the wire between here and the network namespace "far", from now on."""

    def __init__(self, rig):
        self.process = rig.start([*script(rig, "capture.py"), "near0", PORT])
        wait_for(lambda: "ready" in self.process.text, 10, "the capture")

    def finish(self):
        """Returns (sender's address, datagram, whole packet) of each."""
        self.process.send(signal.SIGTERM)
        self.process.wait()
        *lines, last = [line for _, line in self.process.lines[1:]]
        expect_equal(last, "lost 0", "what the capture lost")
        packets = [(address, int(size), bytes.fromhex(text)) for address, _, size, text in map(str.split, lines)]
        return [(address, packet[size:], packet) for address, size, packet in packets]


def counters(rig):
    properties = rig.properties()
    names = ("Beats", "DecryptFailures", "AeadAttempts", "ReplaysRefused", "SenderTableFull", "KernelDrops")
    return {**{name: properties.get(name, 0) for name in names}, **properties["RateLimited"]}


def since(rig, before):
    return {name: value - before.get(name, 0) for name, value in counters(rig).items()}


def opened(datagram):
    """Opens a datagram with whichever key fits: (key's name, frame, prefix, counter)."""
    forms = {envelope.SHARED_SIZE: ("one", "two", "new"), envelope.MASTER_SIZE: ("master",)}
    for name in forms.get(len(datagram), ()):
        plain = envelope.open_envelope(datagram, bytes.fromhex(keys[name]))
        if plain:
            return name, *plain
    return None


@case("the envelope as the tests know it opens every vector of the protocol, and no changed one")
def _(rig):
    vectors = json.loads((HERE.parent / "vlp-vectors.json").read_text())
    for form, key in (("shared_key", "key_hex"), ("master_key", "master_key_hex")):
        for vector in vectors[form]:
            wire, secret = bytes.fromhex(vector["wire_hex"]), bytes.fromhex(vector[key])
            wanted = tuple(map(bytes.fromhex, (vector["plaintext_hex"], vector["iv_random_hex"]))) + (vector["iv_counter"],)
            expect_equal(envelope.open_envelope(wire, secret), wanted, "an opened vector")
            expect_equal(envelope.open_envelope(wire[:-1] + bytes([wire[-1] ^ 1]), secret), None, "a forged one")


@case("agents of two other hosts beat with the keys of files")
def _(rig):
    for command in ("ip netns add far", "ip link add near0 type veth peer name far0 netns far", f"ip addr add {NEAR}/24 dev near0",
                    "ip link set near0 up", "ip -n far link set lo up", f"ip -n far addr add {FAR}/24 dev far0",
                    f"ip -n far addr add {STRANGER}/24 dev far0", "ip -n far link set far0 up",
                    "ip netns add other", "ip link add near1 type veth peer name other0 netns other",
                    "ip addr add 10.86.75.1/24 dev near1", "ip link set near1 up", "ip -n other link set lo up",
                    f"ip -n other addr add {OTHER}/24 dev other0", "ip -n other link set other0 up",
                    "ip -n other route add default via 10.86.75.1"):
        rig.run(command.split())
    rig.run(["install", "-d", "-m", "0755", "/etc/varta/keys"])
    for name, key in keys.items():
        rig.write(f"/root/keys/{name}", key + "\n", 0o600)
    observer_keys(rig, "one", "two")
    configure(rig)
    rig.write("/etc/systemd/system/varta-udp.socket.d/near.conf", f"[Socket]\nListenDatagram={NEAR}:{PORT}\n")
    rig.systemctl("daemon-reload")
    rig.systemctl("enable", "varta-udp.socket")
    rig.systemctl("enable", "--now", "varta.socket")
    rig.systemctl("start", "varta-udp.socket", "varta.service")
    wait_for(rig.name_is_owned, 20, "the observer")
    expect((f"{NEAR}:{PORT}") in [row[2] for row in rig.property("Listeners")], f"it listens on {rig.property('Listeners')}")
    for namespace, key, form in (("far", "one", "shared"), ("other", "two", "shared"), ("far", "master", "master")):
        agent = Agent(rig, namespace, key, form)
        sent = agent.beat(5)
        wait_for(lambda: agent.row() and agent.accepted() == sent, 10, f"{sent} beats from {namespace}")
        expect_equal(agent.row()["origin"], "network-unverified", "the origin")
        agent.stop()


def lead_a_life(rig, agent):
    """Everything that can happen to an agent's pairs."""
    agent.beat(10)
    agent.tell("fork 10 20", "sent")
    agent.tell("rotate", "rotated")
    agent.beat(8)
    agent.tell("rotate", "rotated")
    agent.tell("fork 10 20", "sent")
    agent.begin("run 20")
    # The socket first: a beat that comes between the two would start the service again.
    rig.systemctl("stop", "varta-udp.socket")
    rig.systemctl("stop", "varta.service")
    wait_for(lambda: not rig.run(["ss", "-Huln", f"sport = :{PORT}"], check=False).stdout.strip(), 10, "the port to be closed")
    rig.systemctl("start", "varta-udp.socket", "varta.service")
    wait_for(rig.name_is_owned, 20, "the observer")
    wait_for(agent.row, 20, "the agent after the restart")
    agent.halt()
    for _ in range(3):
        agent.tell(f"reopen /root/keys/{'master' if agent.form == 'master' else 'one'}", "opened")
        agent.beat(5)
        agent.tell("fork 5 20", "sent")


@case("a capture of agents that fork, rotate their prefix, lose their observer and open again shows no plaintext and no pair twice")
def _(rig):
    capture = Capture(rig)
    for form, key in (("shared", "one"), ("master", "master")):
        agent = Agent(rig, "far", key, form)
        agent.form = form
        lead_a_life(rig, agent)
        agent.stop()
    packets = capture.finish()
    pairs, prefixes, turns = set(), set(), 0
    for address, datagram, packet in packets:
        expect_equal(address, FAR, "who sent")
        key, frame, prefix, counter = opened(datagram) or (None,) * 4
        expect(key, f"no key opens what was captured: {datagram.hex()}")
        expect_equal(frame[:3] + frame[24:28], b"VA\2" + PAYLOAD, "the frame inside")
        visible = [frame[i:i + 8] for i in range(len(frame) - 7) if frame[i:i + 8] in datagram]
        expect(not visible and PAYLOAD not in packet, f"plaintext is on the wire: {packet.hex()}")
        expect((key, prefix, counter) not in pairs, f"a pair came twice: {key} {prefix.hex()} {counter}")
        pairs.add((key, prefix, counter))
        prefixes.add(prefix)
        turns += counter == 0xffffffff
    # Of each form: three children of the first handle, itself across two turns, and three handles with a child each.
    expect(len(prefixes) >= 2 * 10, f"only {len(prefixes)} prefixes were seen")
    expect(turns >= 2 * 2, f"only {turns} prefixes were used up")
    expect(len(packets) >= 2 * 100, f"only {len(packets)} datagrams were captured")


@case("the same capture does show the plaintext of a plain beat")
def _(rig):
    capture = Capture(rig)
    rig.run(far("varta-ctl", "beat", f"--udp={NEAR}:{PORT}", f"--payload={struct.unpack('<I', PAYLOAD)[0]}"))
    wait_for(lambda: len(capture.process.lines) > 1, 10, "the beat")
    (_, datagram, packet), = capture.finish()
    expect(datagram.startswith(b"VA\2") and PAYLOAD in packet, f"what was captured is {datagram.hex()}")


@case("a recording is refused in the same order, in others, from other ports, from another address, and after a rotation")
def _(rig):
    agent, capture = Agent(rig, "far", "one"), Capture(rig)
    sent = agent.beat(20)
    for _ in range(2):
        agent.tell("rotate", "rotated")
        sent += agent.beat(10)
    recording = [datagram for _, datagram, _ in capture.finish()]
    expect_equal(len(recording), sent, "the recording")
    agent.begin("run 50")
    before = counters(rig)
    orders = [recording, recording[::-1], random.Random(3).sample(recording, len(recording))]
    for n, order in enumerate(orders):
        done = rig.run(far(*script(rig, "flood.py"), STRANGER if n == 2 else FAR, NEAR, PORT, "replay"),
                       input="".join(datagram.hex() + "\n" for datagram in order))
        expect_equal(done.stdout.split(), ["sent", str(sent)], "the replay")
    wait_for(lambda: since(rig, before)["ReplaysRefused"] >= 3 * sent, 10, "the counter")
    sent += agent.halt()
    wait_for(lambda: agent.accepted() >= sent, 10, "its own beats")
    expect_equal(agent.accepted(), sent, "accepted beats")
    expect_equal(since(rig, before)["ReplaysRefused"], 3 * len(recording), "refused replays")
    expect_equal(since(rig, before)["DecryptFailures"], 0, "what did not open")
    agent.stop()


@case("an agent's own host, with one pid, is not taken for another's")
def _(rig):
    pair = [Agent(rig, "far", "one", own_pids=True), Agent(rig, "other", "two", own_pids=True)]
    expect_equal([agent.pid for agent in pair], [2, 2], "their pids")
    before = counters(rig)
    for agent in pair:
        agent.begin("run 30")
    wait_for(lambda: sum(row["pid"] == 2 and row["beats"] >= 20 for row in rig.agents()) == 2, 20, "two agents with one pid")
    with rig.signals() as log:
        sent = sorted(agent.halt() for agent in pair)
        wait_for(lambda: sorted(row["beats"] for row in rig.agents() if row["pid"] == 2) == sent, 10, f"{sent} accepted beats")
        expect_equal(since(rig, before)["ReplaysRefused"], 0, "refused replays")
        pair[0].begin("run 30")
        silent = log.wait("Stall", pid=2)["args"][0]
        wait_for(lambda: len([row for row in rig.agents() if row["stalled"] and row["id"] == silent]) == 1, 5, "the stall")
        expect_equal(len(log.all("Stall", pid=2)), 1, "stalls")
    for agent in pair:
        agent.stop()


def start_fleet(rig):
    fleet = [Agent(rig, "far", "one"), Agent(rig, "far", "master", "master"), Agent(rig, "other", "two")]
    for agent in fleet:
        agent.begin("run 40")
    for agent in fleet:
        wait_for(lambda: agent.row() and agent.accepted() >= 3, 10, "the agents")
    return fleet


def end_fleet(fleet, lost, log):
    """Checks that of each agent's beats no more were lost, and that none of them stalled."""
    expect_equal([entry for agent in fleet for entry in log.all("Stall", pid=agent.pid)], [], "stalls")
    for agent in fleet:
        sent = agent.halt()
        wait_for(lambda: agent.accepted() >= sent - lost, 10, f"{sent} beats, of which {agent.accepted()} were accepted: {counters(agent.rig)}")
        expect(agent.accepted() <= sent, f"{agent.accepted()} beats of {sent} were accepted")
        agent.stop()


@case("a flood of forgeries is counted, costs no more than it may, and takes at most one beat from each agent")
def _(rig):
    fleet = start_fleet(rig)
    with rig.signals() as log:
        before = counters(rig)
        flood = rig.run(far(*script(rig, "flood.py"), STRANGER, NEAR, PORT, "forge", FORGERIES, FORGERIES_PER_SEC), timeout=60)
        expect_equal(flood.stdout.split(), ["sent", str(FORGERIES)], "the flood")
        wait_for(lambda: (d := since(rig, before))["DecryptFailures"] + d["unopened"] + d["KernelDrops"] >= FORGERIES, 20,
                 f"all forgeries to be counted: {since(rig, before)}")
        end_fleet(fleet, 1, log)
        done = since(rig, before)
    expect_equal(done["DecryptFailures"] + done["unopened"] + done["KernelDrops"], FORGERIES, f"counted forgeries in {done}")
    # What was saved up, what each second earns, and a second for the slowness of this machine.
    allowed = FAILURES_PER_SEC * (2 + FORGERIES // FORGERIES_PER_SEC)
    expect(FAILURES_PER_SEC <= done["DecryptFailures"] <= 2 * allowed, f"opened in vain: {done['DecryptFailures']}")
    expect(done["unopened"] >= FORGERIES // 4, f"dropped unopened: {done['unopened']}")
    expect_equal(done["ReplaysRefused"], 0, "refused replays")


@case("keys are changed by reloads, and no agent and no beat is lost")
def _(rig):
    fleet = start_fleet(rig)
    ids = {agent.row()["id"] for agent in fleet}
    with rig.signals() as log:
        before = counters(rig)
        for names in (("one", "two", "new"), ("new", "one", "two"), ("two", "new", "one")):
            observer_keys(rig, *names)
            rig.systemctl("reload", "varta.service")
            newcomer = Agent(rig, "far", "new")
            sent = newcomer.beat(10)
            wait_for(lambda: newcomer.row() and newcomer.accepted() == sent, 10, "the new key's agent")
            newcomer.stop()
            rig.call("Forget", "t", newcomer.row()["id"])
        expect_equal({agent.row()["id"] for agent in fleet}, ids, "the agents")
        expect_equal(since(rig, before)["DecryptFailures"], 0, "what did not open")
        end_fleet(fleet, 0, log)


@case("where agents are told apart by address, one that opens again with the new key stays the agent it was")
def _(rig):
    configure(rig, "Source=address")
    observer_keys(rig, "new", "one", "two")
    rig.systemctl("reload", "varta.service")
    agent = Agent(rig, "far", "one")
    sent = agent.beat(5)
    wait_for(lambda: agent.row() and agent.accepted() == sent, 10, "the agent")
    before = agent.row()["id"]
    agent.tell("reopen /root/keys/new", "opened")
    sent += agent.beat(5)
    wait_for(lambda: agent.accepted() == sent, 10, "its beats under the new key")
    expect_equal(agent.row()["id"], before, "the agent")
    agent.stop()


@case("when the old key is gone it opens nothing, and whoever was forgotten is counted")
def _(rig):
    configure(rig)
    forgotten, other = Agent(rig, "far", "one"), Agent(rig, "other", "two")
    observer_keys(rig, "new", "two")
    rig.systemctl("reload", "varta.service")
    before = counters(rig)
    sent, kept = forgotten.beat(10), other.beat(10)
    wait_for(lambda: since(rig, before)["DecryptFailures"] == sent, 10, "the counter")
    # Two shared keys are tried on each frame, whichever fits.
    wait_for(lambda: since(rig, before)["AeadAttempts"] == 2 * (sent + kept), 10, f"two attempts a frame: {since(rig, before)}")
    expect_equal(forgotten.row(), None, "the forgotten agent")
    expect_equal(other.accepted(), kept, "accepted beats of the other")
    forgotten.stop()
    other.stop()


def bad_key_files():
    good = keys["new"] + "\n"
    return (("a link", None, 0o600), ("open to others", good, 0o644), ("empty", "", 0o600), ("short", good[:40] + "\n", 0o600),
            ("not hexadecimal", good[:30] + "xy" + good[32:], 0o600), ("of 1,000 keys", good * 1000, 0o600))


@case("a reload with a bad file of keys is refused with a reason, and the old keys stay in force")
def _(rig):
    agent = Agent(rig, "other", "two")
    sent = agent.beat(3)
    for what, text, mode in bad_key_files():
        rig.remove(OBSERVER_KEYS)
        if text is None:
            rig.run(["ln", "-s", "/root/keys/new", OBSERVER_KEYS])
        else:
            rig.write(OBSERVER_KEYS, text, mode)
            rig.run(["chown", "varta:varta", OBSERVER_KEYS])
        done = rig.run(["varta-ctl", "reload"], check=False)
        expect(done.returncode == 1 and OBSERVER_KEYS in done.stderr, f"a file that is {what}: {done.returncode} {done.stderr}")
        expect(keys["new"][:16] not in done.stdout + done.stderr, f"a file that is {what}: its digits are shown")
        sent += agent.beat(3)
        wait_for(lambda: agent.accepted() == sent, 10, f"beats under the old keys, with a file that is {what}")
    rig.remove(OBSERVER_KEYS)
    observer_keys(rig, "new", "two")
    rig.systemctl("reload", "varta.service")
    agent.stop()


@case("a full table of senders refuses the newcomer with its counter, and replays of the others as replays")
def _(rig):
    rig.write("/etc/varta/varta.conf.d/few.conf", "[Observer]\nSecureSenders=2\n")
    rig.systemctl("restart", "varta.service")
    wait_for(rig.name_is_owned, 20, "the observer")
    capture = Capture(rig)
    known = [Agent(rig, "far", "new"), Agent(rig, "far", "master", "master")]
    sent = [agent.beat(5) for agent in known]
    recording = [datagram for _, datagram, _ in capture.finish()]
    before, newcomer = counters(rig), Agent(rig, "other", "two")
    refused = newcomer.beat(5)
    wait_for(lambda: since(rig, before)["SenderTableFull"] == refused, 10, "the counter")
    rig.run(far(*script(rig, "flood.py"), STRANGER, NEAR, PORT, "replay"), input="".join(d.hex() + "\n" for d in recording))
    wait_for(lambda: since(rig, before)["ReplaysRefused"] == sum(sent), 10, "refused replays")
    sent = [n + agent.beat(5) for n, agent in zip(sent, known)]
    for n, agent in zip(sent, known):
        wait_for(lambda: agent.accepted() == n, 10, "beats of the known")
    expect_equal(newcomer.row(), None, "the newcomer")
    rig.remove("/etc/varta/varta.conf.d/few.conf")


@case("no key, nor a part of one, is in the journal, on the bus, in what varta-ctl shows, or in the environment")
def _(rig):
    pid = rig.main_pid("varta.service")
    commands = [["journalctl", "--quiet", "--all", "--output=export"], ["systemctl", "status", "--full", "varta.service"],
                ["systemctl", "show", "varta.service"], ["busctl", "--json=short", "call", "org.varta.Observer1", "/org/varta/Observer1",
                                                         "org.freedesktop.DBus.Properties", "GetAll", "s", "org.varta.Observer1"],
                ["busctl", "introspect", "org.varta.Observer1", "/org/varta/Observer1"]]
    commands += [["varta-ctl", *words] for words in (["status"], ["status", "--json=pretty"], ["list", "--json=pretty"],
                                                     ["units", "--json=pretty"], ["cat-config"], ["verify"])]
    texts = {" ".join(command): rig.run(command, check=False).stdout for command in commands}
    for name in ("environ", "cmdline"):
        texts[name] = rig.run(["cat", f"/proc/{pid}/{name}"]).stdout
    texts["the state directory"] = rig.run(["sh", "-c", "cat $(find /var/lib/varta/ -type f) | od -An -v -tx1 | tr -d ' \\n'"]).stdout
    for where, text in texts.items():
        for name, key in keys.items():
            parts = [key[i:i + 16] for i in range(0, 64, 8) if i + 16 <= 64] + [base64.b64encode(bytes.fromhex(key)).decode()[:20]]
            expect(not any(part in text.lower() or part in text for part in parts), f"part of the key {name} is in {where}")


suite.main()
