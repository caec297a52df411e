# SPDX-License-Identifier: LGPL-2.1-or-later
"""The other machine of the tests: a private session bus and the built programs as they lie in the build directory.

No systemd, no root, no installation: how Varta runs on a laptop, in a plain container, or on a developer's desk. It has
the same shape as rig.Rig where a Suite needs it.
"""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from rig import BUS_NAME, BUS_PATH, SANITIZER_STATUS, Background, Failure, RigError, build_option, is_crash, slowness, wait_for


class Session:
    """A directory, a bus, and whatever is started here; all of it ends with the `with` block."""

    def __init__(self, build=None):
        self.build = pathlib.Path(build or os.environ.get("VARTA_BUILD") or "build").resolve()
        self.sanitized = build_option(self.build, "b_sanitize") not in (None, "none")
        self.programs = {
            "vartad": self.build / "src/daemon/vartad",
            "varta-ctl": self.build / "src/ctl/varta-ctl",
            "worker": self.build / "tests/system/varta-test-worker",
        }
        self._started = []

    @staticmethod
    def why_not_here():
        for program, package in (("dbus-daemon", "dbus"), ("busctl", "systemd")):
            if not shutil.which(program):
                return f"{program} is missing (package {package})"
        return None

    def __enter__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="varta-session-"))
        self.socket = self.dir / "v.sock"
        self.config = self.dir / "varta.conf"
        # No limit on the rate: a test beats as fast as it can.
        self.config.write_text("[Observer]\nStallThresholdSec=300ms\nPerPidRate=0\n")
        self.env = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(self.dir),
            "XDG_RUNTIME_DIR": str(self.dir),
            "SYSTEMD_PAGER": "",
            "NO_COLOR": "1",
            "ASAN_OPTIONS": f"exitcode={SANITIZER_STATUS}",
            "UBSAN_OPTIONS": f"print_stacktrace=1:halt_on_error=1:exitcode={SANITIZER_STATUS}",
        }
        try:
            self.start_bus()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for process in self._started:
            process.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def start_bus(self):
        """Starts the session bus, the first time or again, at the same address."""
        address = f"unix:path={self.dir}/bus"
        with contextlib.suppress(FileNotFoundError):
            (self.dir / "bus").unlink()
        self.bus = self.start(["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address={address}"])
        self.env["DBUS_SESSION_BUS_ADDRESS"] = address
        wait_for(lambda: (self.dir / "bus").exists() or not self.bus.running(), 10, "the session bus")
        if not self.bus.running():
            raise RigError(f"dbus-daemon ended: {self.bus.text}")

    def _argv(self, command):
        return [str(self.programs.get(command[0], command[0])), *map(str, command[1:])]

    def start(self, command, stdin=None, env=None):
        process = Background(self._argv(command), {**self.env, **(env or {})}, stdin)
        self._started.append(process)
        return process

    def run(self, command, check=True, input=None, timeout=30, env=None):
        argv = self._argv(command)
        try:
            done = subprocess.run(argv, input=input, timeout=timeout * slowness(), text=True, capture_output=True, check=False,
                                  stdin=subprocess.DEVNULL if input is None else None, env={**self.env, **(env or {})})
        except subprocess.TimeoutExpired as expired:
            raise Failure(f"{' '.join(argv)}: no end after {expired.timeout:g} s") from None
        if done.returncode == SANITIZER_STATUS or (check and done.returncode != 0):
            raise Failure(f"{' '.join(argv)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def observer(self, *arguments, wrapper=(), timeout=15):
        """Starts vartad as one would by hand, and waits until it listens and has its name."""
        command = [*wrapper, self.programs["vartad"], "--user", f"--listen=unix:{self.socket}", f"--config={self.config}", *arguments]
        process = self.start(command)
        wait_for(lambda: not process.running() or (self.socket.exists() and self.name_is_owned()), timeout, "the observer's name")
        if not process.running():
            raise Failure(f"vartad ended with {process.wait()}: {process.text}")
        return process

    def end(self, process, number=signal.SIGTERM, timeout=20):
        """Ends a process by a signal and returns its exit status."""
        process.send(number)
        return process.wait(timeout)

    def name_is_owned(self):
        done = self.run(["busctl", "--user", "--json=short", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus",
                         "org.freedesktop.DBus", "NameHasOwner", "s", BUS_NAME], check=False)
        return done.returncode == 0 and json.loads(done.stdout)["data"][0]

    def property(self, name):
        done = self.run(["busctl", "--user", "--json=short", "get-property", BUS_NAME, BUS_PATH, BUS_NAME, name])
        return json.loads(done.stdout)["data"]

    def status(self):
        """The exit status of varta-ctl status."""
        return self.run(["varta-ctl", "--user", "status"], check=False).returncode

    # What a Suite asks of a machine

    def mark(self):
        return [len(process.lines) for process in self._started]

    def report(self, mark):
        lines = []
        for number, process in enumerate(self._started):
            lines += [f"| {line}" for _, line in process.lines[mark[number] if number < len(mark) else 0:]]
        return lines[-40:]

    def finish(self):
        for process in self._started:
            if process is not self.bus and process.running():
                process.send(signal.SIGCONT)
                process.send(signal.SIGTERM)
                process.wait(20)

    def crashes(self):
        return [line for process in self._started for _, line in process.lines if is_crash(line)]
