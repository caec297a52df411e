#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same program started by hand: a socket of its own, the session bus, no systemd, no root, no installation."""

import os
import signal
import subprocess

from rig import Failure, Suite, expect, expect_equal, wait_for
from session import Session

suite = Suite(Session)
case = suite.case


@case("--help and --version answer and exit 0")
def _(here):
    expect("--listen" in here.run(["vartad", "--help"]).stdout, "--help does not know --listen")
    expect("varta" in here.run(["vartad", "--version"]).stdout, "--version does not name the program")
    here.run(["varta-ctl", "--help"])
    here.run(["varta-ctl", "--version"])


@case("an unknown option and a bad address are one line each, and exit 1 or 2")
def _(here):
    for arguments, word in ((["--lisen=unix:/x"], "lisen"), (["--listen=carrier-pigeon:coop"], "carrier-pigeon"),
                            (["--user", "--listen=unix:relative/path"], "relative/path")):
        done = here.run(["vartad", *arguments], check=False, timeout=10)
        expect(done.returncode in (1, 2), f"{arguments}: exit status {done.returncode}")
        expect(word in done.stderr, f"{arguments}: {done.stderr}")
        expect(len(done.stderr.strip().splitlines()) <= 2, f"{arguments}: more than a line and a hint: {done.stderr}")


@case("status says that nothing is there, with 5")
def _(here):
    expect_equal(here.status(), 5, "exit status")


@case("vartad --user --listen=unix:PATH makes its socket and takes its name; status exits 0")
def _(here):
    here.vartad = here.observer()
    expect_equal(here.status(), 0, "exit status")
    expect_equal(here.property("State"), "running", "State")
    expect_equal([row[2] for row in here.property("Listeners")], [str(here.socket)], "addresses of Listeners")


@case("an agent beats, stalls when it is stopped, and resumes; status exits 0, 3, 0")
def _(here):
    here.worker = here.start(["worker", f"--socket=unix:{here.socket}"])
    wait_for(lambda: here.property("AgentsTracked") == 1, 10, "the agent")
    here.worker.send(signal.SIGSTOP)
    wait_for(lambda: here.property("AgentsStalled") == 1, 10, "the stall")
    expect_equal(here.status(), 3, "exit status while stalled")
    here.worker.send(signal.SIGCONT)
    wait_for(lambda: here.property("AgentsStalled") == 0, 10, "the resume")
    expect_equal(here.status(), 0, "exit status after")
    expect(here.worker.running(), "somebody ended the agent")


@case("an agent that says degraded makes status exit 4")
def _(here):
    here.worker.send(signal.SIGUSR2)
    wait_for(lambda: here.status() == 4, 10, "exit status 4")


@case("the death of an agent that nobody supervises is announced, and it is forgotten")
def _(here):
    stalls = here.property("Stalls")
    here.worker.send(signal.SIGKILL)
    wait_for(lambda: here.property("AgentsTracked") == 0, 10, "the agent to be forgotten")
    expect_equal(here.property("Exits"), 1, "Exits")
    expect(here.property("Stalls") >= stalls, "Stalls went back")
    expect_equal(here.status(), 0, "exit status")


@case("a shell can beat: once, and through a coprocess that ends with its input")
def _(here):
    before = here.property("Beats")
    here.run(["varta-ctl", "beat", f"--socket={here.socket}"])
    coprocess = here.start(["varta-ctl", "beat", "--stdin", f"--socket={here.socket}"], stdin=subprocess.PIPE)
    for number in range(2, 5):
        coprocess.stdin.write("ok\n")
        coprocess.stdin.flush()
        wait_for(lambda: here.property("Beats") >= before + number, 10, f"beat {number}")
    coprocess.stdin.close()
    expect_equal(coprocess.wait(), 0, "exit status of the coprocess")


@case("a second observer is refused the path, and the first goes on listening")
def _(here):
    done = here.run(["vartad", "--user", f"--listen=unix:{here.socket}"], check=False, timeout=10)
    expect(done.returncode not in (0, None), f"exit status {done.returncode}")
    expect(str(here.socket) in done.stderr, f"it does not name the path: {done.stderr}")
    expect(here.vartad.running() and here.socket.exists(), "the first observer lost its socket")


@case("a second observer is refused the name, and takes its own socket away again")
def _(here):
    other = here.dir / "other.sock"
    done = here.run(["vartad", "--user", f"--listen=unix:{other}"], check=False, timeout=10)
    expect(done.returncode not in (0, None), f"exit status {done.returncode}")
    expect("org.varta.Observer1" in done.stderr, f"it does not name the name: {done.stderr}")
    expect(not other.exists(), "its socket is still there")


@case("SIGHUP reads the configuration anew, and a bad one leaves the old in force")
def _(here):
    here.config.write_text("[Observer]\nStallThresholdSec=900ms\n")
    here.vartad.send(signal.SIGHUP)
    wait_for(lambda: here.property("ThresholdUSec") == 900000, 10, "the new threshold")
    here.config.write_text("[Observer]\nStallThresholdSec=soon\n")
    here.vartad.send(signal.SIGHUP)
    wait_for(lambda: "soon" in here.vartad.text, 10, "a complaint")
    expect_equal(here.property("ThresholdUSec"), 900000, "the threshold after a bad reload")
    here.config.write_text("[Observer]\nStallThresholdSec=300ms\n")


@case("the bus may go and come back: the observer goes on, and takes its name again")
def _(here):
    worker = here.start(["worker", f"--socket=unix:{here.socket}"])
    wait_for(lambda: here.property("AgentsTracked") == 1, 10, "the agent")
    here.bus.stop()
    here.start_bus()
    wait_for(here.name_is_owned, 30, "the name on the new bus")
    expect_equal(here.property("AgentsTracked"), 1, "AgentsTracked")
    here.end(worker)


@case("SIGTERM ends it with 0, and the socket is gone")
def _(here):
    expect_equal(here.end(here.vartad), 0, "exit status")
    expect(not here.socket.exists(), "the socket is still there")
    expect_equal(here.status(), 5, "exit status of status")


@case("SIGINT likewise")
def _(here):
    expect_equal(here.end(here.observer(), signal.SIGINT), 0, "exit status")
    expect(not here.socket.exists(), "the socket is still there")


@case("the socket that a killed observer left behind is replaced")
def _(here):
    first = here.observer()
    here.end(first, signal.SIGKILL)
    expect(here.socket.exists(), "the kernel does not remove sockets")
    wait_for(lambda: not here.name_is_owned(), 10, "the name to be free")
    second = here.observer()
    worker = here.start(["worker", f"--socket=unix:{here.socket}"])
    wait_for(lambda: here.property("AgentsTracked") == 1, 10, "the agent")
    here.end(worker)
    expect_equal(here.end(second), 0, "exit status")


@case("without any bus it observes all the same, and ends cleanly")
def _(here):
    process = here.start(["vartad", "--user", f"--listen=unix:{here.socket}", f"--config={here.config}"],
                         env={"DBUS_SESSION_BUS_ADDRESS": f"unix:path={here.dir}/nowhere"})
    wait_for(lambda: here.socket.exists() or not process.running(), 10, "the socket")
    worker = here.start(["worker", f"--socket=unix:{here.socket}"])
    wait_for(lambda: os.path.exists(f"/proc/{worker.pid}"), 5, "the agent")
    if not process.running():
        raise Failure(f"vartad ended: {process.text}")
    here.end(worker)
    expect_equal(here.end(process), 0, "exit status")


if __name__ == "__main__":
    suite.main()
