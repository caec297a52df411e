#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""varta-ctl as a command: every verb with and without JSON against a real observer, bad input, terminals, completion."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import termios

from frames import frame
from json_schema import Schema
from rig import SOURCE, Failure, Suite, expect, expect_equal, slowness, wait_for
from session import Session

suite = Suite(Session)
case = suite.case
schema = Schema()

GOOD_FRAME = frame(pid=4660, nonce=3, timestamp=2, payload=4).hex()

# Verbs that read: title, arguments, heading of docs/json.md, exit codes that are right. PID: the worker's.
READING = [
    ("no verb", [], "status", {0}),
    ("status", ["status"], "status", {0}),
    ("status of a process", ["status", "PID"], "status UNIT or PID", {0}),
    ("list", ["list"], "list", {0}),
    ("list, chosen", ["list", "--state=alive", "--sort=beats", "-r"], "list", {0}),
    ("units", ["units"], "units", {0}),
    ("show", ["show", "worker@1", "other.socket"], "show", {0}),
    ("history", ["history"], "history", {0}),
    ("history, the other way round", ["history", "-r", "-n", "all"], "history", {0}),
    ("top", ["top", "-d", "100ms"], "top", {0}),
    ("top, sorted", ["top", "--delay=100ms", "--sort=beats"], "top", {0}),
    ("metrics", ["metrics"], "metrics", {0}),
    ("verify", ["verify", "CONFIG"], "verify", {0}),
    ("verify what is wrong", ["verify", "BAD"], "verify", {1}),
    ("cat-config", ["cat-config", "--root=ROOT"], "cat-config", {0}),
    ("decode", ["decode", "FRAME"], "decode", {0}),
    ("decode what is wrong", ["decode", "00" * 32], "decode", {1}),
]

# Those that only look at files or arguments refuse the bus's options.
NO_BUS = {"verify", "cat-config", "decode"}

# What makes no sense: exit code 2, a reason, no output.
USAGE = [
    (["frobnicate"], 'Unknown verb "frobnicate"'),
    (["histroy"], 'Did you mean "history"?'),
    (["tpo"], 'Did you mean "top"?'),
    (["--lenes=3", "history"], "did you mean --lines?"),
    (["list", "--sort=speed"], "allowed are id, pid, unit"),
    (["units", "--sort=pid"], "allowed are unit, mode, state"),
    (["top", "--sort=pid"], "allowed are unit, state, agents"),
    (["top", "--delay=1us"], "no span from 100ms to 1h"),
    (["top", "-d", "soon"], "no span from 100ms to 1h"),
    (["list", "--delay=1s"], "does not take --delay"),
    (["top", "--state=ok"], "does not take --state"),
    (["history", "--lines=-1"], "is not a number of lines"),
    (["history", "--stalled"], "does not take --stalled"),
    (["list", "--journal"], "does not take --journal"),
    (["show", "a/b"], "is no unit"),
    (["units", "--unit=" + "x" * 300], "is neither a unit"),
    (["list", *["--unit=a"] * 33], "32 times"),
    (["status", "--sort=pid"], "does not take --sort"),
    (["-M", "", "status"], "--machine= names nobody; allowed: [USER@]CONTAINER"),
    (["-M@", "status"], "--machine= names nobody"),
    (["--host=", "status"], "--host= names nobody; allowed: [USER@]HOST"),
    (["-H", "there", "status"], "do not go together"),
    (["-M.host", "history", "--journal"], "there: varta-ctl --user history --journal"),
    (["recover"], "needs an argument"),
    (["pause", "--for=never"], "no span of time"),
    (["--json=yes", "list"], "allowed: short, pretty, off"),
]


@contextlib.contextmanager
def cleared(path):
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    yield path


def prepare(here):
    """An observer, an agent, and some decisions to tell of."""
    # A threshold that a busy machine does not exceed: here nothing shall stall by itself.
    here.config.write_text("[Observer]\nStallThresholdSec=1min\n\n[Unit worker@*.service]\nMode=enforce\n")
    here.bad = here.dir / "bad.conf"
    here.bad.write_text("[Observer]\nStallThresholdSec=soon\nColour=red\n")
    here.root = here.dir / "root"
    (here.root / "etc/varta").mkdir(parents=True)
    (here.root / "etc/varta/varta.conf").write_text("# nothing\n")
    here.observer_process = here.observer()
    here.worker = here.start(["worker", f"--socket=unix:{here.socket}"])
    wait_for(lambda: here.property("Beats") >= 2, 10, "beats")
    here.run(["varta-ctl", "--user", "pause", "worker@*.service", "--for=1h", "--reason=a test"])


def filled_in(here, arguments):
    values = {"PID": str(here.worker.pid), "CONFIG": str(here.config), "BAD": str(here.bad), "FRAME": GOOD_FRAME}
    return [values.get(a, a.replace("ROOT", str(here.root))) for a in arguments]


def ctl(here, *arguments, env=None, **more):
    user = [] if any(a in NO_BUS for a in arguments) else ["--user"]
    return here.run(["varta-ctl", *user, *filled_in(here, arguments)], check=False, env=env, **more)


@case("every verb that reads answers in words: exit code, output, and nothing on standard error")
def _(here):
    prepare(here)
    for title, arguments, _, codes in READING:
        done = ctl(here, *arguments)
        expect(done.returncode in codes, f"{title}: exit code {done.returncode}: {done.stderr}")
        if arguments[:1] == ["verify"] and codes == {1}:
            expect(done.stderr and not done.stdout, f"{title}: {done.stdout}{done.stderr}")
            continue
        expect(done.stdout.endswith("\n") and not done.stderr, f"{title}: {done.stdout!r} {done.stderr!r}")
        expect(not done.stdout.startswith(("{", "[")), f"{title}: JSON without being asked: {done.stdout}")
        expect("\033" not in done.stdout, f"{title}: colours into a pipe: {done.stdout!r}")


@case("the same as JSON, short and pretty, is as docs/json.md has it")
def _(here):
    for title, arguments, heading, codes in READING:
        for mode in ("--json=short", "-j", "--json=pretty"):
            done = ctl(here, mode, *arguments)
            expect(done.returncode in codes, f"{title} {mode}: exit code {done.returncode}: {done.stderr}")
            expect_equal(done.stderr, "", f"{title} {mode}: standard error")
            expect(done.stdout.count("\n") == 1 or mode == "--json=pretty", f"{title} {mode}: more than a line: {done.stdout}")
            complaints = list(schema.check(json.loads(done.stdout), schema.answers[heading]))
            expect(not complaints, f"{title} {mode}:\n" + "\n".join(complaints))
        done = ctl(here, "--json=off", *arguments)
        expect(not done.stdout.startswith(("{", "[")), f"{title} --json=off: {done.stdout}")


@case("JSON is UTF-8, whatever the files are")
def _(here):
    path = here.root / "etc/varta/varta.conf"
    path.write_bytes(b"[Observer]\n# \xff\xe4 and \xc3\xa4 \xf0\x9f\x92\x93 \x1b\n")
    done = subprocess.run([here.programs["varta-ctl"], "--json=short", f"--root={here.root}", "cat-config"], capture_output=True, check=True)
    expect_equal(json.loads(done.stdout.decode())[0]["contents"], "[Observer]\n# \ufffd\ufffd and ä 💓 \x1b\n", "contents")
    path.write_text("# nothing\n")


@case("docs/json.md leaves out no verb that takes --json")
def _(here):
    verbs = re.findall(r"^  ([a-z-]+) ", here.run(["varta-ctl", "--help"]).stdout.split("\nOptions:")[0], re.M)
    expect(len(verbs) > 10, f"verbs of the help: {verbs}")
    for verb in verbs:
        done = here.run(["varta-ctl", verb, "--json=short", *["x"] * 99], check=False)
        takes = "does not take --json" not in done.stderr
        expect_equal(takes, verb in schema.answers, f"whether {verb} takes --json, and docs/json.md has it")


@case("monitor writes events as lines, and as JSON that docs/json.md describes")
def _(here):
    watch = here.start(["varta-ctl", "--user", "-q", "--json=short", "monitor"])
    words = here.start(["varta-ctl", "--user", "-q", "monitor"])

    def seen():
        here.run(["varta-ctl", "beat", f"--socket={here.socket}"])
        return all("AgentAppeared" in process.text or "AgentExited" in process.text for process in (watch, words))

    wait_for(seen, 20, "an event")
    events = [json.loads(line) for line in watch.text.splitlines()]
    for event in events:
        complaints = list(schema.check(event, schema.answers["monitor"]))
        expect(not complaints, "\n".join(complaints))
    expect(not words.text.startswith("{"), f"monitor in words: {words.text}")
    for process in (watch, words):
        process.send(signal.SIGINT)
        process.wait()


@case("what makes no sense is refused with exit code 2, a reason, and nothing on standard output")
def _(here):
    for arguments, reason in USAGE:
        done = ctl(here, *arguments)
        expect_equal((done.returncode, done.stdout), (2, ""), f"{arguments}: exit code and output ({done.stderr})")
        expect(reason in done.stderr, f"{arguments}: {done.stderr}")
        expect_equal(done.stderr.count("\n"), 1, f"{arguments}: lines of the reason")


@case("an unknown process and an unknown unit are errors of their own; status tells of the others in any case")
def _(here):
    done = ctl(here, "--json=short", "status", "PID", "nobody")
    expect_equal((done.returncode, [row["pid"] for row in json.loads(done.stdout)["agents"]]), (1, [here.worker.pid]), "exit code and answer")
    expect("nobody is not observed" in done.stderr, f"what is missing is not said: {done.stderr}")
    for arguments, code, reason in ((["status", "4194304"], 1, "is not observed"), (["status", "nobody"], 1, "is not observed"),
                                    (["forget", "pid:1"], 1, "Pid 1 is no agent"), (["forget", "999999"], 1, "999999"),
                                    (["recover", "nobody.service"], 1, "nobody.service")):
        for mode in ("--json=off", "--json=short"):
            if arguments[0] != "status" and mode == "--json=short":
                continue
            done = ctl(here, *([mode] if arguments[0] == "status" else []), *arguments)
            expect_equal((done.returncode, done.stdout), (code, ""), f"{arguments} {mode}: exit code and output ({done.stderr})")
            expect(reason in done.stderr, f"{arguments}: {done.stderr}")


@case("a reader that leaves in the middle, a full disk, and closed streams")
def _(here):
    program = here.programs["varta-ctl"]
    # Of what is longer than the pipe holds the reader takes one byte.
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    with subprocess.Popen([program, "--user", "metrics"], stdout=writer, stderr=subprocess.PIPE, env=here.env) as metrics:
        os.close(writer)
        os.read(reader, 1)
        expect_equal(metrics.poll(), None, "exit code before the reader has left")
        os.close(reader)
        expect_equal((metrics.wait(20), metrics.stderr.read()), (0, b""), "exit code and standard error when the reader has left")
    for line, code in ((f"{program} --user list | head -n 1; exit ${{PIPESTATUS[0]}}", 0),
                       (f"{program} --user status -j | true; exit ${{PIPESTATUS[0]}}", 0),
                       (f"{program} --user history >/dev/full", 1), (f"{program} --user -j list >/dev/full", 1)):
        done = here.run(["bash", "-c", line], check=False)
        expect_equal(done.returncode, code, f"{line}: exit code ({done.stderr})")
        expect_equal(done.stderr == "", code == 0, f"{line}: whether something is said: {done.stderr}")
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        done = here.run(["bash", "-c", f"{program} --user list {closed}"], check=False)
        expect(0 <= done.returncode <= 1, f"{closed}: exit code {done.returncode}")


@case("in a locale without UTF-8 everything is ASCII, and fractions in JSON are written with a point")
def _(here):
    for _, arguments, _, _ in READING:
        done = ctl(here, *arguments, env={"LC_ALL": "C"})
        expect((done.stdout + done.stderr).isascii(), f"{arguments}: {done.stdout}{done.stderr}")
    done = ctl(here, "--json=short", "top", "-d", "100ms", env={"LC_ALL": "de_DE.UTF-8"})
    json.loads(done.stdout)


class Terminal:
    """varta-ctl, or another command, on a terminal of its own."""

    def __init__(self, here, *arguments, columns=80, rows=24, env=None, command=None):
        self._main, side = pty.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(side)
        self._side = side
        self.text = ""
        environment = {**here.env, "TERM": "xterm", "SYSTEMD_PAGER": "", "NO_COLOR": "", **(env or {})}
        self.process = subprocess.Popen(command or [here.programs["varta-ctl"], "--user", *arguments], stdin=side, stdout=side, stderr=side,
                                        env=environment, start_new_session=True)

    def resize(self, columns, rows):
        fcntl.ioctl(self._main, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if hasattr(self, "process"):
            self.process.send_signal(signal.SIGWINCH)

    def read(self, wait=0.02):
        while select.select([self._main], [], [], wait)[0]:
            self.text += os.read(self._main, 65536).decode()
        return self.text

    def press(self, keys):
        os.write(self._main, keys.encode())

    def frames(self):
        """What was drawn, picture by picture, without colours; each a list of lines."""
        pictures = self.read().split("\033[H")[1:]
        return [re.sub(r"\033\[[0-9;?]*[A-Za-z]", "", p).replace("\r", "").split("\n") for p in pictures if "\033[J" in p]

    def wait_for_frame(self, condition, what):
        return wait_for(lambda: next((f for f in reversed(self.frames()) if condition(f)), None), 20, what)

    def end(self):
        wait_for(lambda: self.read() is not None and self.process.poll() is not None, 20, "the end of the command")
        self.read()
        return self.process.returncode

    def restored(self):
        return termios.tcgetattr(self._side) == self.before and self.text.rstrip().endswith("\033[?25h\033[?1049l")

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._main)
        os.close(self._side)


@contextlib.contextmanager
def terminal(here, *arguments, **more):
    t = Terminal(here, *arguments, **more)
    try:
        yield t
    finally:
        t.close()


@case("top is live: it draws again, follows the size of the terminal, sorts, and leaves with q")
def _(here):
    with terminal(here, "top", "--delay=100ms") as t:
        picture = t.wait_for_frame(lambda f: any("BEATS/S" in line for line in f), "a picture with the table")
        expect(picture[0].startswith("varta "), f"the first line: {picture[0]}")
        t.wait_for_frame(lambda f: any(re.search(r"\(no unit\) .* [1-9]\d*\.\d", line) for line in f), "a rate that is not zero")
        seen = len(t.frames())
        wait_for(lambda: len(t.frames()) > seen + 3, 10, "more pictures")
        for columns, rows in ((20, 5), (1, 1), (132, 50), (7, 3), (80, 24)):
            t.read()
            t.text = ""
            t.resize(columns, rows)
            picture = t.wait_for_frame(lambda f, c=columns: max(map(len, f)) <= c, f"a picture of {columns} columns")
            expect(len(picture) <= rows, f"{len(picture)} lines on a screen of {rows}")
        t.press("uSabrsx")
        t.press("q")
        expect_equal(t.end(), 0, "exit code")
        expect(t.restored(), f"the terminal is not as it was: {t.text[-80:]!r}")


@case("top leaves the terminal clean on SIGINT, SIGTERM and SIGHUP, and gives it back on SIGTSTP")
def _(here):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with terminal(here, "top") as t:
            t.wait_for_frame(lambda f: True, "a picture")
            t.process.send_signal(number)
            expect_equal(t.end(), 0, f"exit code after {number.name}")
            expect(t.restored(), f"{number.name}: the terminal is not as it was: {t.text[-80:]!r}")
    with terminal(here, "top") as t:
        t.wait_for_frame(lambda f: True, "a picture")
        t.process.send_signal(signal.SIGTSTP)
        wait_for(lambda: f"\nState:\tT" in open(f"/proc/{t.process.pid}/status", encoding="utf-8").read(), 10, "it to stop")
        t.read()
        expect(t.restored(), f"stopped: the terminal is not as it was: {t.text[-80:]!r}")
        t.text = ""
        t.process.send_signal(signal.SIGCONT)
        t.wait_for_frame(lambda f: True, "a picture afterwards")
        t.press("q")
        expect_equal(t.end(), 0, "exit code")


@case("top goes on while the observer is away, and shows the new one")
def _(here):
    with terminal(here, "top", "--delay=100ms") as t:
        t.wait_for_frame(lambda f: any("BEATS/S" in line for line in f), "a picture")
        here.end(here.observer_process)
        t.wait_for_frame(lambda f: any("No observer" in line for line in f), "a picture that says so")
        here.observer_process = here.observer()
        wait_for(lambda: here.property("Beats") >= 2, 10, "beats")
        t.read()
        t.text = ""
        t.wait_for_frame(lambda f: not any("No observer" in line for line in f), "a picture without complaint")
        t.press("q")
        expect_equal(t.end(), 0, "exit code")


@case("top says when the observer does not answer, still takes a key then, and goes on when it does")
def _(here):
    with terminal(here, "top", "--delay=100ms") as t:
        t.wait_for_frame(lambda f: any("BEATS/S" in line for line in f), "a picture")
        here.observer_process.send(signal.SIGSTOP)
        t.wait_for_frame(lambda f: any("does not answer" in line for line in f), "a picture that says so")
        here.observer_process.send(signal.SIGCONT)
        t.read()
        t.text = ""
        t.wait_for_frame(lambda f: not any("does not answer" in line for line in f), "a picture without complaint")
        here.observer_process.send(signal.SIGSTOP)
        t.wait_for_frame(lambda f: any("does not answer" in line for line in f), "a picture that says so again")
        t.press("q")
        expect_equal(t.end(), 0, "exit code")
        expect(t.restored(), f"the terminal is not as it was: {t.text[-80:]!r}")
        here.observer_process.send(signal.SIGCONT)


@case("on a terminal of 20 columns list and units keep to them, and no verb fails")
def _(here):
    for _, arguments, _, codes in READING:
        if arguments[:1] == ["top"] or arguments[:1] and arguments[0] in NO_BUS:
            continue
        with terminal(here, *filled_in(here, arguments), columns=20, rows=10) as t:
            expect(t.end() in codes, f"{arguments}: exit code {t.process.returncode}: {t.text}")
            if arguments[:1] in (["list"], ["units"]):
                table = t.text.replace("\r", "").split("\n\n")[0]
                for line in re.sub(r"\033\[[0-9;]*m", "", table).splitlines():
                    expect(len(line) <= 20 or "listed" in line, f"{arguments}: too wide: {line!r}")


@case("colours and dots on a terminal; NO_COLOR is heard; a pager is used there, and killed by nobody")
def _(here):
    with terminal(here, "list") as t:
        t.end()
        expect("\033[0;1;39mUNIT" in t.text or "\033[0;1;39m" in t.text, f"no colours: {t.text!r}")
    with terminal(here, "list", env={"NO_COLOR": "1"}) as t:
        t.end()
        expect("\033" not in t.text, f"colours: {t.text!r}")
    with terminal(here, "list", env={"SYSTEMD_PAGER": "sed s/^/paged:/"}) as t:
        expect_equal(t.end(), 0, "exit code with a pager")
        expect("paged:" in t.text, f"no pager: {t.text!r}")
    with terminal(here, "--no-pager", "history", env={"SYSTEMD_PAGER": "sed s/^/paged:/"}) as t:
        t.end()
        expect("paged:" not in t.text, f"a pager: {t.text!r}")
    with terminal(here, "list", env={"SYSTEMD_PAGER": "/nonexistent/pager", "PATH": "/nonexistent"}) as t:
        expect_equal(t.end(), 0, "exit code without any pager")
        expect("listed" in t.text, f"nothing is shown: {t.text!r}")


def options_of(text, pattern):
    return set(re.findall(pattern, text))


@case("help, manual and both completions have the same options, the short ones, too, and the same verbs")
def _(here):
    page, completion = (SOURCE / "docs/man/varta-ctl.1.scd").read_text(), SOURCE / "src/ctl/completion"
    bash, zsh = (completion / "varta-ctl.bash").read_text(), (completion / "varta-ctl.zsh").read_text()
    text = here.run(["varta-ctl", "--help"]).stdout
    verbs, options = text.split("\nOptions:")
    lists = re.search(r"local alone='(.*?)'\s+local valued='(.*?)'", bash, re.S)
    offered = {
        "the help": options_of(options, r"(?m)^ +(?:(-[A-Za-z])(?: |$))") | options_of(options, r"(--[a-z-]+)"),
        "the manual": options_of(page.split("# OPTIONS")[1].split("\n# ")[0].replace("\\", ""), r"\*(--?[A-Za-z-]+)=?\*"),
        "bash": set((lists[1] + " " + lists[2]).split()),
        "zsh": options_of(zsh.split("_arguments -C")[1].split("1:verb")[0], r"(?<![\w-])(--?[A-Za-z][a-z-]*)(?=[+=\[,}])"),
    }
    for name, found in offered.items():
        expect_equal(sorted(found), sorted(offered["the help"]), f"options of {name}")
    named = {
        "the help": options_of(verbs, r"(?m)^  ([a-z-]+) "),
        "the manual": options_of(page.split("# VERBS")[1].split("\n# ")[0], r"(?m)^\*([a-z-]+)\*"),
        "bash": set(re.search(r"local verbs='(.*?)'", bash)[1].split()),
        "zsh": options_of(zsh, r'(?m)^ +([a-z-]+)\\:"'),
    }
    for name, found in named.items():
        expect_equal(sorted(found), sorted(named["the help"]), f"verbs of {name}")


@case("the manual pages are set without a warning")
def _(here):
    pages = sorted(path for path in (here.build / "docs").glob("*.[1-8]") if path.is_file())
    if not pages or not shutil.which("man") or not shutil.which("groff"):
        return "no manual pages were built (package scdoc), or man is missing (packages man-db, groff)"
    for page in pages:
        done = here.run(["man", "--warnings", "--local-file", page], env={"MANWIDTH": "80", "MANPAGER": "cat", "MANROFFOPT": "-ww"})
        expect(done.stdout.strip() and not done.stderr, f"{page.name}: {done.stderr or 'nothing is shown'}")
    return None


def completes(here, shell, setup, prompt, keys, wanted):
    """Types into an interactive shell and waits for what it offers."""
    binaries = here.dir / "bin"
    binaries.mkdir(exist_ok=True)
    with contextlib.suppress(FileExistsError):
        (binaries / "varta-ctl").symlink_to(here.programs["varta-ctl"])
    env = {"PATH": f"{binaries}:{here.env['PATH']}", "PS1": "ready> ", "TERM": "dumb", "HOME": str(here.dir)}
    with terminal(here, command=shell, columns=200, env=env) as t:
        t.press(setup + "\n")
        wait_for(lambda: prompt in t.read(), 20, f"the prompt of {shell[0]}; it said {t.text!r}")
        for typed, answer in zip(keys, wanted):
            t.text = ""
            t.press(typed)
            try:
                wait_for(lambda a=answer: a in t.read().replace("\a", ""), 20, f"{answer} after {typed!r}")
            except Failure as failure:
                raise Failure(f"{failure}; it said {t.text!r}") from None
            t.press("\x15")


@case("bash completes verbs, options, values and what the observer knows, in a real shell")
def _(here):
    source = SOURCE / "src/ctl/completion/varta-ctl.bash"
    completes(here, ["bash", "--norc", "--noprofile", "-i"],
              f"PS1='ready''> '; bind 'set enable-bracketed-paste off'; source {source} && echo sour''ced", "sourced",
              ["varta-ctl hist\t", "varta-ctl --no-le\t", "varta-ctl list --sort=last\t", "varta-ctl units --state=gave\t",
               "varta-ctl top --sort rest\t", "varta-ctl --user forget pid:\t", "varta-ctl decode --js\t", "varta-ctl -u wor unit\t",
               "varta-ctl --user pause pid:\t", "varta-ctl --user resume pid:\t"],
              ["history", "--no-legend", "last-beat", "gave-up", "restarts", f"pid:{here.worker.pid}", "--json", "units",
               f"pid:{here.worker.pid}", f"pid:{here.worker.pid}"])
    # Units that there are none of here: a function stands for the program.
    completes(here, ["bash", "--norc", "--noprofile", "-i"],
              f"PS1='ready''> '; bind 'set enable-bracketed-paste off'; source {source}; "
              "varta-ctl() { echo worker@17.service x; echo a:b.service x; }; echo sour''ced", "sourced",
              ["varta-ctl show wor\t", "varta-ctl show worker@\t", "varta-ctl show worker@1\t", "varta-ctl list -u work\t",
               "varta-ctl list --unit=worker@\t", "varta-ctl history a:\t", "varta-ctl resume br\t"],
              ["worker@17.service", "worker@17.service", "worker@17.service", "worker@17.service", "=worker@17.service", "a:b.service",
               "brake"])


@case("zsh completes verbs, options and what a verb takes, and nothing that it refuses, in a real shell")
def _(here):
    if not shutil.which("zsh"):
        return "zsh is missing (package zsh)"
    functions, pid = here.dir / "functions", str(here.worker.pid)
    functions.mkdir()
    (functions / "_varta-ctl").write_text((SOURCE / "src/ctl/completion/varta-ctl.zsh").read_text())
    completes(here, ["zsh", "-f", "-i"],
              f"unsetopt zle_bracketed_paste; fpath=({functions} $fpath); autoload -U compinit; compinit -u -D && print load''ed", "loaded",
              ["varta-ctl hist\t", "varta-ctl --no-le\t", "varta-ctl list --sort=last-b\t", f"varta-ctl --user status {pid[:-1]}\t",
               f"varta-ctl --user pause pid:{pid[:-1]}\t", f"varta-ctl --user forget pid:{pid[:-1]}\t", "varta-ctl resume bra\t",
               "varta-ctl units --state=gave\t", "varta-ctl top --sort=rest\t",
               # Nothing to add: what is typed next stands beside it.
               f"varta-ctl --user pause {pid[:-1]}\tZ", "varta-ctl list --state=gave\tZ", "varta-ctl list --sort=rest\tZ"],
              ["history", "--no-legend", "last-beat", pid, f"pid:{pid}", f"pid:{pid}", "brake", "gave-up", "restarts",
               f"pause {pid[:-1]}Z", "state=gaveZ", "sort=restZ"])


@case("no observer, a bus that is not there: exit code 5, a reason, no output")
def _(here):
    here.end(here.observer_process)
    for _, arguments, heading, _ in READING:
        if arguments[:1] and arguments[0] in NO_BUS:
            continue
        for mode in ("--json=off", "--json=short"):
            done = ctl(here, mode, *arguments)
            expect_equal((done.returncode, done.stdout), (5, ""), f"{arguments} {mode} without an observer ({done.stderr})")
            expect("vartad --user" in done.stderr, f"{arguments}: what to do is not said: {done.stderr}")
        for address in ("unix:path=/nonexistent/bus", "nonsense"):
            done = ctl(here, *arguments, env={"DBUS_SESSION_BUS_ADDRESS": address})
            expect_equal((done.returncode, done.stdout), (5, ""), f"{arguments} without a bus ({done.stderr})")
            expect("bus" in done.stderr, f"{arguments}: {done.stderr}")
    for verb in (["pause"], ["resume"], ["recover", "a"], ["reload"], ["forget", "1"], ["monitor"]):
        done = ctl(here, *verb)
        expect_equal((done.returncode, done.stdout), (5, ""), f"{verb} without an observer ({done.stderr})")


@case("a socket that waits for the first beat is idle: no error, and JSON as it is described")
def _(here):
    path = here.dir / "idle.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as waiting:
        waiting.bind(str(path))
        for verb, heading in (("status", "status"), ("list", "list"), ("units", "units"), ("history", "history"), ("top", "top"),
                              ("metrics", "metrics")):
            done = ctl(here, f"--socket={path}", verb)
            expect_equal((done.returncode, done.stderr), (0, ""), f"{verb}: exit code and standard error")
            expect(verb == "metrics" or "idle" in done.stdout, f"{verb}: {done.stdout}")
            done = ctl(here, f"--socket={path}", "--json=short", verb)
            expect_equal((done.returncode, done.stderr), (0, ""), f"{verb} as JSON: exit code and standard error")
            complaints = list(schema.check(json.loads(done.stdout), schema.answers[heading]))
            expect(not complaints, f"{verb}:\n" + "\n".join(complaints))
        # What only an observer knows: nobody says that nothing listens.
        done = ctl(here, f"--socket={path}", "show", "a.service")
        expect_equal((done.returncode, done.stdout), (5, ""), f"show: exit code and output ({done.stderr})")
        expect("idle" in done.stderr and "nothing listens" not in done.stderr, f"show: {done.stderr}")


if __name__ == "__main__":
    suite.main()
