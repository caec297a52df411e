# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of recovery share: units whose agents wedge, and what was decided about them, as everybody sees it.

A decision shows in four places: a signal, an entry of the journal, a counter, and the observer's own history. refused()
and finished() look at all of them, so that no case has to.
"""

import contextlib
import signal

from rig import expect, expect_equal, wait_for

# Before and behind the sections of a test's own. No deferral: whether the machine below the rig is busy with something
# else is not the question here (test-recovery-brake.py asks it).
COMMON = """
[Observer]
StallThresholdSec=30s
MaxDeferralSec=0

[Recovery]
StormLimit=0
RecheckSec=300ms
"""

THRESHOLD = 0.5

REFUSED_ID = "a3ea80edaf934691903e55ba4ba3bb9f"
FINISHED_ID = "5f3e5b762fd44264b898e023f2038877"
GAVE_UP_ID = "62b2fc67d36c481f9088909d79d2f0f7"
BRAKE_ID = "da1e548fa4354fdf97d2f93bdab92cbf"


def section(glob, **keys):
    """A [Unit] section with recovery switched on, at a pace for tests."""
    settings = {"Mode": "enforce", "StallThresholdSec": f"{THRESHOLD}s", "RestartBackoffSec": "100ms..100ms", "RestartLimit": "0",
                **keys}
    return f"\n[Unit {glob}]\n" + "".join(f"{key}={value}\n" for key, value in settings.items())


def configure(rig, text):
    """Puts a configuration in force."""
    rig.write("/etc/varta/varta.conf", text)
    rig.systemctl("reload-or-restart", "varta.service")
    wait_for(rig.name_is_owned, 10, "the observer")


def agents_of(rig, unit):
    return [agent for agent in rig.agents() if agent["unit"] == unit]


def start_beating(rig, *units, agents=1):
    """Starts the units and waits until all of their agents were seen twice, which makes their identity certain."""
    rig.systemctl("start", *units)
    wait_until_beating(rig, *units, agents=agents)


def wait_until_beating(rig, *units, agents=1):
    def all_beat():
        beating = {}
        for agent in rig.agents():
            if agent["beats"] >= 2 and not agent["stalled"]:
                beating[agent["unit"]] = beating.get(agent["unit"], 0) + 1
        return all(beating.get(unit, 0) >= agents for unit in units)
    wait_for(all_beat, 20, f"beats of {units[:5]}")


def invocation(rig, unit):
    return rig.show(unit, "InvocationID")


def wedge(rig, unit, count=None):
    """Wedges agents of a unit: all of them, or so many."""
    pids = [agent["pid"] for agent in agents_of(rig, unit) if not agent["stalled"]]
    expect(pids and len(pids) >= (count or 1), f"{unit} has only {len(pids)} agents that beat")
    rig.run(["kill", "-USR1", *pids[:count]])
    return pids[:count]


def unit_row(rig, unit):
    """The unit's row of ListUnits as a dictionary; None when it has no agents."""
    names = ("unit", "mode", "state", "agents", "stalled", "restarts", "outcome", "backoff")
    return next((dict(zip(names, row)) for row in rig.call("ListUnits")[0] if row[0] == unit), None)


def history(rig, unit=""):
    """The observer's own record, the oldest first."""
    names = ("when", "kind", "unit", "pid", "reason", "attempt", "sentence")
    return [dict(zip(names, row)) for row in reversed(rig.call("History", "su", unit, 0)[0])]


def decisions(rig, unit):
    """The same in short: "refused frozen", "finished recovered"."""
    return [f"{past['kind']} {past['reason']}" for past in history(rig, unit)]


def counters(rig):
    values = rig.properties()
    return {**values["RecoveryRefusals"], **values["RecoveryOutcomes"]}


def journal_has(rig, message_id, unit, **fields):
    """Waits for such an entry of the observer's (unit "": whatever its unit), and returns the last."""
    matches = ["_SYSTEMD_UNIT=varta.service", f"MESSAGE_ID={message_id}", *([f"VARTA_UNIT={unit}"] if unit else []),
               *(f"{name}={value}" for name, value in fields.items())]
    return wait_for(lambda: rig.journal(*matches), 10, f"a journal entry with {matches[1:]}")[-1]


def refused(rig, log, unit, reason, timeout=10):
    """Waits for the refusal and looks for it everywhere; returns the journal's entry."""
    def said():
        return [e for e in log.all("RecoveryRefused", unit=unit) if e["args"][4] == reason]
    wait_for(said, timeout, f"RecoveryRefused {reason} of {unit}, got {decisions(rig, unit)}")
    expect(counters(rig)[reason] > 0, f"the counter of {reason} is 0")
    expect(f"refused {reason}" in decisions(rig, unit), f"the history of {unit} knows nothing of {reason}: {decisions(rig, unit)}")
    entry = journal_has(rig, REFUSED_ID, unit, VARTA_REASON=reason)
    expect("Nothing" in entry["MESSAGE"], f"not a sentence that says what is done: {entry['MESSAGE']}")
    return entry


def finished(rig, log, unit, outcome, timeout=20):
    """Waits for the end of a recovery and looks for it everywhere; returns the journal's entry."""
    def said():
        return [e for e in log.all("RecoveryFinished", unit=unit) if e["args"][4] == outcome]
    wait_for(said, timeout, f"RecoveryFinished {outcome} of {unit}, got {decisions(rig, unit)}")
    expect(counters(rig)[outcome] > 0, f"the counter of {outcome} is 0")
    expect(f"finished {outcome}" in decisions(rig, unit), f"the history of {unit} knows nothing of {outcome}: {decisions(rig, unit)}")
    return journal_has(rig, FINISHED_ID, unit, VARTA_OUTCOME=outcome)


def starts(log, unit):
    return log.all("RecoveryStarted", unit=unit)


def pass_time(rig, seconds):
    """Lets so much time pass, as the beats of a healthy agent tell it: the observer has had that time, too."""
    unit = "worker@clock.service"
    if not agents_of(rig, unit):
        start_beating(rig, unit)
    beats = max(int(seconds / 0.05), 1)
    first = agents_of(rig, unit)[0]["beats"]
    wait_for(lambda: agents_of(rig, unit)[0]["beats"] >= first + beats, seconds * 10 + 5, f"{beats} beats of {unit}")


@contextlib.contextmanager
def units(rig, *names, agents=1):
    """Units that run and beat within the block, and are gone behind it; yields the log of signals."""
    start_beating(rig, *names, agents=agents)
    with rig.signals() as log:
        try:
            yield log
        finally:
            end(rig, *names)


def end(rig, *names):
    """Ends units whatever they do, and waits until nobody remembers their agents."""
    rig.systemctl("thaw", *names, check=False)
    rig.systemctl("kill", "--signal=KILL", *names, check=False)
    rig.systemctl("stop", *names, check=False)
    rig.systemctl("reset-failed", *names, check=False)
    gone = set(names)
    wait_for(lambda: not gone & {agent["unit"] for agent in rig.agents()}, 20, f"{names[:3]} to be forgotten")


def stop_process(rig, pid):
    rig.kill(pid, signal.SIGSTOP)


def expect_restarted_once(rig, log, unit, before):
    """One recovery, proven, and a new invocation."""
    expect_equal(len(starts(log, unit)), 1, f"recoveries of {unit}")
    after = invocation(rig, unit)
    expect(after and after != before, f"{unit} is still of the invocation {before}")


def expect_left_alone(rig, log, unit, before):
    """No recovery, and the same invocation still runs."""
    expect_equal(starts(log, unit), [], f"recoveries of {unit}")
    expect_equal(invocation(rig, unit), before, f"the invocation of {unit}")
