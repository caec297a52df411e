#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""No leak at exit and no wrong access on the way: the programs under valgrind, with a bit of everything."""

import shutil
import signal
import socket

import frames
from rig import Suite, expect, expect_equal, wait_for
from session import Session

# What a sanitized program links would not run here; what is reachable at exit belongs to libraries.
VALGRIND = ["valgrind", "--quiet", "--error-exitcode=77", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible",
            "--errors-for-leak-kinds=definite,indirect,possible", "--track-fds=no"]


class ValgrindSession(Session):
    @staticmethod
    def why_not_here():
        if not shutil.which("valgrind"):
            return "valgrind is missing (package valgrind)"
        session = Session()
        if session.sanitized:
            return "the build is sanitized, which finds the same and does not run under valgrind"
        return Session.why_not_here()


suite = Suite(ValgrindSession)


@suite.case("vartad: agents come, stall, resume and die, nonsense arrives, the configuration is reloaded; no error and no leak")
def _(here):
    vartad = here.observer(wrapper=VALGRIND, timeout=60)
    workers = [here.start(["worker", f"--socket=unix:{here.socket}", "--interval=20"]) for _ in range(3)]
    wait_for(lambda: here.property("AgentsTracked") == 3, 30, "three agents")
    workers[0].send(signal.SIGSTOP)
    wait_for(lambda: here.property("AgentsStalled") == 1, 30, "a stall")
    expect_equal(here.status(), 3, "exit status while stalled")
    workers[0].send(signal.SIGCONT)
    wait_for(lambda: here.property("AgentsStalled") == 0, 30, "the resume")
    # This valgrind may know no pidfds; then a death is a silence like any other.
    here.end(workers[1], signal.SIGKILL)
    wait_for(lambda: here.property("Exits") == 1 or here.property("AgentsStalled") == 1, 30, "the death to be noticed")

    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.connect(str(here.socket))
    frames.send(sender, b"nonsense", 0)
    frames.send(sender, frames.frame(1234567, 1), 30)
    frames.send(sender, bytes(32), 200)
    wait_for(lambda: here.property("MisSized") == 1, 30, "nonsense to be counted")

    for text in ("[Observer]\nStallThresholdSec=1s\n[Unit a@*.service]\nMode=enforce\n", "[Observer]\nStallThresholdSec=no\nWhat=ever\n"):
        here.config.write_text(text)
        vartad.send(signal.SIGHUP)
    wait_for(lambda: "What" in vartad.text, 30, "the complaint of a reload")
    here.run(["busctl", "--user", "introspect", "org.varta.Observer1", "/org/varta/Observer1"])
    here.run(["varta-ctl", "--user", "list"])
    for worker in workers:
        if worker.running():
            here.end(worker)
    expect_equal(here.end(vartad, timeout=60), 0, f"exit status; it said: {vartad.text}")


def clean(*arguments):
    def run(here):
        here.finish()
        here.config.write_text("")
        vartad = here.observer()
        done = here.run([*VALGRIND, here.programs["varta-ctl"], *arguments], check=False, timeout=60)
        expect(done.returncode in (0, 1, 3), f"exit status {done.returncode}: {done.stdout}{done.stderr}")
        here.end(vartad)
    return run


for _arguments in (["--user", "status"], ["--user", "list"], ["--user", "list", "--json=pretty"], ["decode", "00"],
                   ["decode", frames.frame(1234, 1).hex()]):
    suite.add(f"varta-ctl {' '.join(_arguments)[:40]}: no error and no leak", clean(*_arguments))


if __name__ == "__main__":
    suite.main()
