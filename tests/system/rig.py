# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real systemd for tests: booted in a throwaway container, in a fraction of a second, on any machine.

The container's root is an overlay over the machine's own root: it sees the machine's programs and writes to memory only.
Everything is mounted in a mount namespace of the test's own, so that whatever happens to the test, the kernel takes the
mounts away with its last process. Nothing is ever ended by name: what is signalled is the very systemd-nspawn that was started,
and that one is asked to end when its parent dies. Each machine has a control group of its own, below the test's: without
it, two machines would take each other's services for their own. So any number of rigs may run side by side.

    with Rig() as rig:                     boots, installs the build as `meson install` would
        rig.systemctl("enable", "--now", "varta.socket")
        rig.run(["varta-ctl", "status"])   a command inside; a CompletedProcess comes back

Only the Python standard library is used: a machine that can build Varta can run this.
"""

import atexit
import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
BUS_NAME = "org.varta.Observer1"
BUS_PATH = "/org/varta/Observer1"
SOCKET = "/run/varta/varta.sock"

PR_SET_PDEATHSIG = 1
CLONE_NEWNS = 0x00020000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18

# What the container does not take from the machine: its enabled units, its journal, an installed Varta's state and configuration.
HIDDEN = ["etc/systemd/system", "etc/varta", "var/log/journal", "var/lib/varta", "var/lib/private/varta"]

# Units that a throwaway machine has no use for; each would only add noise to the journal.
MASKED = ["systemd-timesyncd.service", "systemd-networkd.service", "systemd-resolved.service", "systemd-update-utmp.service",
          "systemd-initctl.socket", "apt-daily.timer", "apt-daily-upgrade.timer", "man-db.timer", "e2scrub_all.timer",
          "dpkg-db-backup.timer", "fstrim.timer", "logrotate.timer", "systemd-tmpfiles-clean.timer",
          "systemd-journal-flush.service", "proc-sys-fs-binfmt_misc.automount", "console-getty.service", "getty.target",
          "systemd-hwdb-update.service", "ldconfig.service", "systemd-firstboot.service"]

# Exit status of a process that a sanitizer stopped: none that varta-ctl uses.
SANITIZER_STATUS = 99

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
    "HOME": "/root",
    "SYSTEMD_PAGER": "",
    "SYSTEMD_COLORS": "0",
    "NO_COLOR": "1",
    "ASAN_OPTIONS": f"exitcode={SANITIZER_STATUS}",
    "UBSAN_OPTIONS": f"print_stacktrace=1:halt_on_error=1:exitcode={SANITIZER_STATUS}",
}

_libc = ctypes.CDLL(None, use_errno=True)
_rigs_made = 0
_namespace_made = False


class RigError(Exception):
    """The rig itself failed: nothing is said about the program under test."""


class Failure(Exception):
    """An expectation of a test did not hold."""


def why_not_here():
    """Returns why no rig can be booted on this machine, or None when it can."""
    if os.geteuid() != 0:
        return "needs root"
    for program, package in (("systemd-nspawn", "systemd-container"), ("nsenter", "util-linux"), ("mount", "mount"),
                             ("dbus-daemon", "dbus"), ("busctl", "systemd")):
        if not shutil.which(program, path=ENVIRONMENT["PATH"]):
            return f"{program} is missing (package {package})"
    return None


def slowness():
    """How many times longer than usual things may take here (VARTA_TEST_SLOWNESS, default 1)."""
    return float(os.environ.get("VARTA_TEST_SLOWNESS", "1"))


def wait_for(condition, timeout=10.0, what=None, interval=0.02):
    """Calls `condition` until it returns something true, and returns that; raises Failure after `timeout` seconds."""
    deadline = time.monotonic() + timeout * slowness()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise Failure(f"waited {timeout * slowness():g} s in vain for: {what or condition.__name__}")
        time.sleep(interval)


def is_crash(line):
    """Whether a line of a log tells of a sanitizer's report, a failed assertion or a core dump."""
    return any(word in line for word in ("AddressSanitizer", "LeakSanitizer", "runtime error:", "Assertion '", "Assertion `",
                                         "dumped core", "code=dumped", f"status={SANITIZER_STATUS}"))


def build_option(build, name):
    """The value of a built-in or project option of a meson build directory, or None."""
    introspection = pathlib.Path(build) / "meson-info" / "intro-buildoptions.json"
    if not introspection.exists():
        sys.exit(f"{build} is no build directory: name one in VARTA_BUILD, or run the tests through meson test")
    with open(introspection, encoding="utf-8") as options:
        return next((o["value"] for o in json.load(options) if o["name"] == name), None)


def _end_with_parent(number):
    """Between fork and exec: the child gets a session of its own, and this signal when its parent dies."""
    os.setsid()
    _libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def _cgroup_mounts(kind):
    """Where hierarchies of this kind ("cgroup", "cgroup2") are mounted."""
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        # ID PARENT MAJ:MIN ROOT MOUNTPOINT OPTIONS ... - TYPE SOURCE OPTIONS
        return [pathlib.Path(line.split()[4]) for line in mounts if line.split(" - ")[1].startswith(kind + " ")]


def _own_cgroup():
    """The directory of this process's control group in the unified hierarchy, and that hierarchy's mount point."""
    points = _cgroup_mounts("cgroup2")
    if not points:
        raise RigError("the unified control group hierarchy is not mounted")
    lines = pathlib.Path("/proc/self/cgroup").read_text().splitlines()
    own = next(line for line in lines if line.startswith("0::")).removeprefix("0::").lstrip("/")
    # Where this process was moved to a group outside its namespace, its path says nothing here.
    return points[-1] / ("" if own.startswith("..") else own), points[-1]


def _cgroup_twins(group):
    """The group, and those of the same path in other hierarchies: on a hybrid machine systemd-nspawn makes one of them."""
    _, point = _own_cgroup()
    return [group, *(other / group.relative_to(point) for other in _cgroup_mounts("cgroup"))]


def _sweep_cgroups(parent):
    """Removes the empty control groups that tests which were killed left behind; what is not empty stays."""
    for twin in _cgroup_twins(parent):
        for stale in twin.glob("varta-rig-*"):
            if not pathlib.Path("/proc", stale.name.split("-")[2]).exists():
                _remove_cgroup(stale)


def _populated(group):
    return "populated 1" in (group / "cgroup.events").read_text()


def _remove_cgroup(group):
    for directory, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(directory)


def _make_namespace():
    """Gives this process, and what it starts, mounts of its own. Once; threads started later share them."""
    global _namespace_made
    if _namespace_made:
        return
    if _libc.unshare(CLONE_NEWNS) != 0:
        raise RigError(f"unshare: {os.strerror(ctypes.get_errno())}")
    if _libc.mount(b"none", b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None) != 0:
        raise RigError(f"making / private: {os.strerror(ctypes.get_errno())}")
    _namespace_made = True


class Rig:
    """One booted machine. Use as a context manager; `root` is its root directory as seen from outside."""

    why_not_here = staticmethod(why_not_here)

    def __init__(self, build=None, install=True):
        global _rigs_made
        _rigs_made += 1
        self.build = pathlib.Path(build or os.environ.get("VARTA_BUILD") or "build").resolve()
        self.name = f"varta-{os.getpid()}-{_rigs_made}"
        self.sanitized = install and build_option(self.build, "b_sanitize") not in (None, "none")
        self._install = install
        self._dir = self._nspawn = self._cgroup = None
        self._background = []
        self.leader = None

    def __enter__(self):
        try:
            self._mount()
            self._boot()
            if self._install:
                self.install()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    # Booting and ending

    def _mount(self):
        _make_namespace()
        self._dir = pathlib.Path(tempfile.mkdtemp(prefix="varta-rig-"))
        # Registered as well as called, so that even a test that ends through sys.exit() leaves nothing.
        atexit.register(self.close)
        _command(["mount", "-t", "tmpfs", "-o", "mode=0755", "varta-rig", self._dir])
        upper, work, self.root = (self._dir / part for part in ("upper", "work", "root"))
        for directory in (upper, work, self.root):
            directory.mkdir()
        for hidden in HIDDEN:
            (upper / hidden).mkdir(parents=True)
            os.setxattr(upper / hidden, "trusted.overlay.opaque", b"y")
        _command(["mount", "-t", "overlay", "-o", f"lowerdir=/,upperdir={upper},workdir={work}", "overlay", self.root])
        # A machine of its own, not a twin of the one below.
        (self.root / "etc/machine-id").write_text(uuid.uuid4().hex + "\n")
        for unit in MASKED:
            (self.root / "etc/systemd/system" / unit).symlink_to("/dev/null")
        self.write("/etc/systemd/journald.conf.d/rig.conf", "[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\n")

    def _boot(self):
        self._console = open(self._dir / "console", "w+b")
        parent, _ = _own_cgroup()
        _sweep_cgroups(parent)
        self._cgroup = parent / f"varta-rig-{os.getpid()}-{self.name}"
        self._cgroup.mkdir()
        procs = self._cgroup / "cgroup.procs"

        def prepare():
            # Asked to end, not killed: killed, it would leave the machine behind.
            _end_with_parent(signal.SIGTERM)
            procs.write_text(str(os.getpid()))

        self._nspawn = subprocess.Popen(
            ["systemd-nspawn", "--quiet", f"--directory={self.root}", f"--machine={self.name}", "--register=no",
             "--keep-unit", "--private-network", "--link-journal=no", "--resolv-conf=off", "--timezone=off", "--settings=no",
             "--console=pipe", "--boot", "systemd.unit=basic.target"],
            stdin=subprocess.DEVNULL, stdout=self._console, stderr=subprocess.STDOUT, preexec_fn=prepare,
            env={**ENVIRONMENT, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"})
        self.leader = wait_for(self._find_leader, 20, "the container's first process")
        private = pathlib.Path(f"/proc/{self.leader}/root/run/systemd/private")
        wait_for(lambda: self._alive() and private.exists(), 20, "the service manager of the container")
        state = self.run(["systemctl", "is-system-running", "--wait"], check=False, timeout=60).stdout.strip()
        if state != "running":
            raise RigError(f"the container is {state}, not running:\n" + self.run(["systemctl", "--failed"]).stdout)
        # As on any machine that somebody installs something on.
        self.systemctl("start", "dbus.service")

    def _alive(self):
        if self._nspawn.poll() is not None:
            self._console.seek(0)
            raise RigError(f"systemd-nspawn ended with {self._nspawn.returncode}:\n{self._console.read().decode()}")
        return True

    def _find_leader(self):
        self._alive()
        for pid in _children(self._nspawn.pid):
            with contextlib.suppress(OSError):
                if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "systemd":
                    return pid
        return None

    def close(self):
        """Ends the machine. Safe to call twice, and at any stage of a boot that failed."""
        for process in self._background:
            process.stop()
        self._background = []
        if self._nspawn:
            # The second SIGTERM is nspawn's "now": an orderly shutdown of a machine of memory saves nothing.
            for _ in range(2):
                if self._nspawn.poll() is None:
                    self._nspawn.terminate()
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        self._nspawn.wait(0.2)
            try:
                self._nspawn.wait(20)
            except subprocess.TimeoutExpired:
                (self._cgroup / "cgroup.kill").write_text("1")
                self._nspawn.wait()
            self._nspawn = None
            self._console.close()
        if self._cgroup:
            with contextlib.suppress(Failure):
                wait_for(lambda: not self._cgroup.exists() or not _populated(self._cgroup), 10, "the machine's processes to end")
            for twin in _cgroup_twins(self._cgroup):
                _remove_cgroup(twin)
            self._cgroup = None
        if self._dir:
            for mount in (self._dir / "root", self._dir):
                subprocess.run(["umount", "--lazy", mount], stderr=subprocess.DEVNULL, check=False)
            with contextlib.suppress(OSError):
                self._dir.rmdir()
            self._dir = None
            atexit.unregister(self.close)

    # Installing

    def install(self):
        """What `meson install` does on a running machine: copies the files, then runs the script that follows."""
        log = _command(["meson", "install", "--no-rebuild", "--quiet", "-C", self.build, "--destdir", self.root], env=None)
        self.installed = [line for line in log.splitlines() if line]
        script = (SOURCE / "units" / "post-install").read_text()
        self.post_install = self.run(["sh", "-s"], input=script).stdout
        for name in ("varta-test-worker", "varta-test-udp-worker", "varta-test-udp-agent"):
            if (self.build / "tests/system" / name).exists():
                target = self.root / "usr/local/bin" / name
                shutil.copy2(self.build / "tests/system" / name, target)
                target.chmod(0o755)
        if (self.build / "tests/system/varta-test-worker").exists():
            for unit in SOURCE.glob("tests/system/units/*"):
                self.write(f"/etc/systemd/system/{unit.name}", unit.read_text())
        if self.sanitized:
            self._relax_for_sanitizers()
        self.systemctl("daemon-reload")

    def _relax_for_sanitizers(self):
        # A sanitizer's runtime maps memory its own way, starts a tracer at exit to look for leaks, and writes to stderr.
        # systemd sends SIGCONT after SIGTERM, which takes back the stop that the tracer waits for, if it comes in between:
        # the process would hang on its way out. So it is asked to go by a command that waits until it has gone.
        for unit in ("varta.service", "varta@.service"):
            self.write(f"/etc/systemd/system/{unit}.d/sanitizer.conf", f"""
[Service]
MemoryDenyWriteExecute=no
SystemCallFilter=
NoExecPaths=
ExecPaths=
TimeoutStopSec=60s
ExecStop=/bin/sh -c 'kill "$$1"; while kill -0 "$$1" 2>/dev/null; do sleep 0.05; done' sh $MAINPID
Environment=ASAN_OPTIONS=exitcode={SANITIZER_STATUS}
Environment=UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:exitcode={SANITIZER_STATUS}
""")

    # Files and commands inside

    def path(self, inside):
        """The path, as seen from outside, of a file inside (its /run and /tmp are not the overlay's)."""
        return pathlib.Path(f"/proc/{self.leader}/root") / str(inside).lstrip("/") if self.leader \
            else self.root / str(inside).lstrip("/")

    def write(self, inside, text, mode=0o644):
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def remove(self, inside):
        self.path(inside).unlink(missing_ok=True)

    def argv(self, command, user=None):
        """The command line, outside, that runs `command` inside."""
        entered = ["nsenter", "--target", str(self.leader), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup",
                   "--root", "--wd"]
        dropped = ["setpriv", "--pdeathsig", "KILL"]
        if user:
            passwd = dict((line.split(":")[0], line.split(":")) for line in self.path("/etc/passwd").read_text().splitlines())
            dropped += ["--reuid", user, "--regid", passwd[user][3], "--init-groups"]
        return [*entered, "--", *dropped, "--", *map(str, command)]

    def run(self, command, check=True, input=None, user=None, timeout=30, env=None):
        """Runs a command inside and waits for it. With `check`, any exit status but 0 is a Failure with the output."""
        try:
            done = subprocess.run(self.argv(command, user), input=input, timeout=timeout * slowness(), text=True,
                                  stdin=subprocess.DEVNULL if input is None else None, capture_output=True,
                                  env={**ENVIRONMENT, **(env or {})}, check=False)
        except subprocess.TimeoutExpired as expired:
            raise Failure(f"{_shown(command)}: no end after {expired.timeout:g} s") from None
        if done.returncode == SANITIZER_STATUS or (check and done.returncode != 0):
            raise Failure(f"{_shown(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def start(self, command, user=None, env=None, stdin=None):
        """Starts a command inside and returns it as Background; it ends with the rig at the latest."""
        process = Background(self.argv(command, user), {**ENVIRONMENT, **(env or {})}, stdin)
        self._background.append(process)
        return process

    def systemctl(self, *arguments, check=True, timeout=60):
        return self.run(["systemctl", "--no-ask-password", *arguments], check=check, timeout=timeout)

    def show(self, unit, *properties):
        """A unit's properties as a dictionary of strings, or a single string when one was asked for."""
        lines = self.systemctl("show", f"--property={','.join(properties)}", unit).stdout.splitlines()
        values = dict(line.split("=", 1) for line in lines if "=" in line)
        return values if len(properties) != 1 else values.get(properties[0], "")

    def state(self, unit):
        return self.show(unit, "ActiveState")

    def main_pid(self, unit):
        return int(self.show(unit, "MainPID") or 0)

    def kill(self, pid, number):
        """Signals a process by its pid inside."""
        self.run(["sh", "-c", f"kill -{int(number)} {int(pid)}"])

    # The bus

    def call(self, member, signature="", *arguments, check=True, user=None, path=BUS_PATH, interface=BUS_NAME, name=BUS_NAME):
        """Calls a method, the observer's if not told otherwise, never starting it; returns the reply's values."""
        command = ["busctl", "--system", "--json=short", "--auto-start=no", "call", name, path, interface, member]
        done = self.run(command + ([signature, *map(str, arguments)] if signature else []), check=check, user=user)
        if done.returncode != 0:
            return done
        return json.loads(done.stdout)["data"] if done.stdout.strip() else []

    def properties(self):
        """Every property of the observer's main interface."""
        command = ["busctl", "--system", "--json=short", "--auto-start=no", "call", BUS_NAME, BUS_PATH,
                   "org.freedesktop.DBus.Properties", "GetAll", "s", BUS_NAME]
        return {k: v["data"] for k, v in json.loads(self.run(command).stdout)["data"][0].items()}

    def property(self, name):
        return self.properties()[name]

    def agents(self):
        """All rows of ListAgents, as dictionaries."""
        names = ("id", "pid", "unit", "status", "origin", "stalled", "last_beat", "last_nonce", "payload", "beats", "uid",
                 "class")
        rows, cursor = [], 0
        while True:
            page, cursor = self.call("ListAgents", "uu", cursor, 1024)
            rows += [dict(zip(names, row)) for row in page]
            if not cursor:
                return rows

    def name_is_owned(self):
        done = self.run(["busctl", "--system", "--json=short", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus",
                         "org.freedesktop.DBus", "NameHasOwner", "s", BUS_NAME])
        return json.loads(done.stdout)["data"][0]

    @contextlib.contextmanager
    def signals(self):
        """Records the observer's signals while the block runs; yields a SignalLog."""
        log = SignalLog(self)
        try:
            yield log
        finally:
            log.stop()

    # The journal

    def journal_cursor(self):
        """Marks the journal's present end, for journal(since=...)."""
        out = self.run(["journalctl", "--quiet", "--lines=0", "--show-cursor"]).stdout
        return out.split("cursor: ", 1)[1].strip() if "cursor: " in out else None

    def journal(self, *matches, since=None):
        """Journal entries as dictionaries, in order, after the cursor `since` if given."""
        # Not --after-cursor: together with a match it skips one entry too many.
        after = [f"--cursor={since}"] if since else []
        out = self.run(["journalctl", "--quiet", "--all", "--output=json", *after, *matches]).stdout
        return [entry for entry in map(json.loads, out.splitlines()) if entry["__CURSOR"] != since]

    def mark(self):
        """A place in the machine's log, for report()."""
        return self.journal_cursor()

    def report(self, mark):
        """The last lines of the machine's log since the mark, for people."""
        with contextlib.suppress(Exception):
            return [f"| {e.get('SYSLOG_IDENTIFIER', '?')}: {e.get('MESSAGE')}" for e in self.journal(since=mark)[-40:]]
        return ["| the journal cannot be read"]

    def finish(self):
        self.systemctl("stop", "varta.socket", "varta.service", "varta@*.socket", "varta@*.service", check=False)

    def crashes(self):
        """What the journal says of sanitizers, failed assertions and core dumps: empty when all went well."""
        return [e["MESSAGE"] for e in self.journal() if is_crash(str(e.get("MESSAGE")))]


class Background:
    """A command that runs beside the test (inside, when the rig starts it). Its lines are collected with the time of their arrival."""

    def __init__(self, argv, env, stdin=None):
        self.lines = []
        self._entered = argv[0] == "nsenter"
        self._process = subprocess.Popen(argv, env=env, stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE,
                                         stderr=subprocess.STDOUT, text=True, bufsize=1, preexec_fn=lambda: _end_with_parent(signal.SIGKILL))
        self.stdin = self._process.stdin
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            self.lines.append((time.clock_gettime_ns(time.CLOCK_MONOTONIC), line.rstrip("\n")))

    @property
    def text(self):
        return "\n".join(line for _, line in self.lines)

    def wait(self, timeout=10):
        try:
            status = self._process.wait(timeout * slowness())
        except subprocess.TimeoutExpired:
            raise Failure(f"still running after {timeout * slowness():g} s; so far it said:\n{self.text}") from None
        self._reader.join(5)
        return status

    def running(self):
        return self._process.poll() is None

    @property
    def pid(self):
        return self._process.pid

    def send(self, number):
        """Signals the command itself; where it was started through nsenter, that is its parent and only waits."""
        inside = _children(self._process.pid) if self._entered else [self._process.pid]
        for pid in inside:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def stop(self):
        self.send(signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._reader.join(5)


class SignalLog:
    """The observer's signals as a monitor of the bus sees them: each with member, arguments, and time of arrival (ns)."""

    # One signal that we send ourselves, to know that the monitor listens.
    PROBE = ("/org/varta/TestRig", "org.varta.TestRig", "Ready")

    def __init__(self, rig):
        self._rig = rig
        self._monitor = rig.start(["busctl", "--system", "--json=short", "monitor",
                                   f"--match=type='signal',interface='{BUS_NAME}'",
                                   f"--match=type='signal',interface='{self.PROBE[1]}'"])
        wait_for(self._listens, 10, "the bus monitor")

    def _listens(self):
        self._rig.run(["busctl", "--system", "emit", *self.PROBE])
        return any(self.PROBE[2] in line for _, line in self._monitor.lines)

    def all(self, member=None, **fields):
        """Signals so far, in order; `member` and `pid=`, `unit=` narrow them down."""
        found = []
        for at, line in list(self._monitor.lines):
            if not line.startswith("{"):
                continue
            message = json.loads(line)
            if message.get("interface") != BUS_NAME or (member and message["member"] != member):
                continue
            entry = {"member": message["member"], "at": at, "args": message["payload"]["data"]}
            # All signals about an agent begin with id, pid, unit.
            if len(entry["args"]) >= 3:
                entry["pid"], entry["unit"] = entry["args"][1], entry["args"][2]
            if all(entry.get(k) == v for k, v in fields.items()):
                found.append(entry)
        return found

    def wait(self, member, timeout=10, **fields):
        """Waits for the first such signal and returns it."""
        what = f"signal {member} {fields or ''}"
        try:
            return wait_for(lambda: self.all(member, **fields), timeout, what)[0]
        except Failure as failure:
            seen = ", ".join(f"{e['member']}{tuple(e['args'][1:4])}" for e in self.all()[-12:])
            raise Failure(f"{failure}; seen: {seen or 'none'}") from None

    def stop(self):
        self._monitor.stop()


class Suite:
    """Test cases that share one machine, reported in the Test Anything Protocol: one prose sentence per case.

    `machine` is Rig, or another class with the same why_not_here(), context manager, finish(), crashes() and report().
    A case that returns a string is skipped for that reason.
    """

    def __init__(self, machine=Rig):
        self._cases = []
        self._machine = machine

    def case(self, sentence):
        def add(function):
            self._cases.append((sentence, function))
            return function
        return add

    def add(self, sentence, function):
        """The same without a decorator, for tables."""
        self._cases.append((sentence, function))

    def main(self):
        """Runs all cases and exits: 0 when none failed."""
        reason = self._machine.why_not_here()
        if reason:
            print(f"1..0 # SKIP {reason}")
            sys.exit(0)
        print(f"1..{len(self._cases) + 1}", flush=True)
        try:
            with self._machine() as machine:
                failed = self._run(machine)
        except (RigError, Failure) as error:
            for line in str(error).splitlines():
                print(f"# {line}")
            print("Bail out! the machine of the test did not come up")
            sys.exit(1)
        sys.exit(1 if failed else 0)

    def _run(self, machine):
        cases = [*self._cases, ("nothing crashed on the way and nothing leaked", _nothing_crashed)]
        return sum(not _passes(number, *case, machine) for number, case in enumerate(cases, 1))


def _nothing_crashed(machine):
    # Ended first: what leaks is only said at exit.
    machine.finish()
    crashes = machine.crashes()
    if crashes:
        raise Failure("\n".join(crashes))


def _passes(number, sentence, function, machine):
    mark = machine.mark()
    try:
        reason = function(machine)
    except Exception as error:  # a broken case must not hide the ones after it
        print(f"not ok {number} - {sentence}")
        text = str(error) if isinstance(error, Failure) else f"{type(error).__name__}: {error}"
        for line in [f"at {_places(error)}", *text.splitlines(), *machine.report(mark)]:
            print(f"# {line}")
        sys.stdout.flush()
        return False
    print(f"ok {number} - {sentence}" + (f" # SKIP {reason}" if isinstance(reason, str) else ""), flush=True)
    return True


def _places(error):
    """Where in the test file it happened, outermost first."""
    frames, trace = [], error.__traceback__
    while trace:
        name = trace.tb_frame.f_code.co_filename
        if name != __file__:
            frames.append(f"{os.path.basename(name)}:{trace.tb_lineno}")
        trace = trace.tb_next
    return ", ".join(frames)


def expect(condition, text):
    """Raises Failure with `text` unless the condition holds."""
    if not condition:
        raise Failure(text)


def expect_equal(got, wanted, what):
    if got != wanted:
        raise Failure(f"{what}: got {got!r}, wanted {wanted!r}")


def _children(pid):
    with contextlib.suppress(OSError):
        return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _shown(command):
    return " ".join(map(str, command))


def _command(command, env=ENVIRONMENT):
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env, check=False)
    if done.returncode != 0:
        raise RigError(f"{_shown(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
