#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""varta-exporter on a real systemd: scrapes, both forms, an observer that goes and comes, a token, and clients that misbehave."""

import json
import re
import signal

from rig import SOURCE, Failure, Suite, expect, expect_equal, slowness, wait_for

EXPOSURE_MAX = 0.8
WORKER = "plain@1.service"
OPENMETRICS = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75," \
              "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
HTTP_CLIENT = "/usr/local/bin/varta-test-http"
TOKEN = "aGVhcnRiZWF0cyBhcmUgY291bnRlZA=="

suite = Suite()
case = suite.case


def http(rig, do="get", timeout=60, **request):
    return json.loads(rig.run([HTTP_CLIENT, json.dumps({"do": do, **request})], timeout=timeout).stdout)


def scrape(rig, **request):
    answer = http(rig, **request)
    expect_equal(answer["status"], 200, f"the status of {request or 'a scrape'}")
    return answer["body"]


def samples(text):
    """Lines of samples as a dictionary: what stands before the last blank, and the number."""
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def figures(rig):
    return samples(scrape(rig))


def prepare(rig):
    rig.write(HTTP_CLIENT, (SOURCE / "tests/system/http-client.py").read_text(), 0o755)
    rig.write("/etc/varta/varta.conf", "[Unit plain@*.service]\nStallThresholdSec=500ms\n")
    if rig.sanitized:
        rig.write("/etc/systemd/system/varta-exporter.service.d/sanitizer.conf",
                  rig.path("/etc/systemd/system/varta.service.d/sanitizer.conf").read_text() + "MemoryMax=infinity\nTasksMax=infinity\n")
        rig.systemctl("daemon-reload")


@case("systemd-analyze verify has nothing to say of the exporter's units, and its sandbox is tight")
def _(rig):
    prepare(rig)
    units = [f"/usr/lib/systemd/system/{unit}" for unit in ("varta-exporter.socket", "varta-exporter.service")]
    done = rig.run(["systemd-analyze", "verify", "--man=no", *units], check=False)
    expect_equal((done.returncode, done.stdout + done.stderr), (0, ""), "status and output")
    if rig.sanitized:
        return
    done = rig.run(["systemd-analyze", "security", "--no-pager", "varta-exporter.service"], check=False)
    match = re.search(r"Overall exposure level for varta-exporter\.service: ([0-9.]+)", done.stdout)
    expect(match, f"no exposure level in: {done.stdout}{done.stderr}")
    open_points = "\n".join(line for line in done.stdout.splitlines() if line.startswith("✗"))
    expect(float(match[1]) <= EXPOSURE_MAX, f"the exposure is {match[1]}:\n{open_points}")


@case("a scrape starts the exporter, and not the observer: varta_up is 0")
def _(rig):
    rig.systemctl("enable", "--now", "varta.socket", "varta-exporter.socket")
    expect_equal(rig.state("varta-exporter.service"), "inactive", "the exporter before")
    now = figures(rig)
    expect_equal(now["varta_up"], 0, "varta_up")
    expect("varta_beats_total" not in now, "figures of an observer that never was")
    expect_equal(rig.state("varta-exporter.service"), "active", "the exporter")
    expect_equal(rig.state("varta.service"), "inactive", "the observer")


@case("with the first beat there are figures, of the unit as well, and they move")
def _(rig):
    rig.systemctl("start", WORKER)
    wait_for(lambda: figures(rig)["varta_up"] == 1, 10, "varta_up to be 1")
    label = f'{{unit="{WORKER}"}}'
    wait_for(lambda: figures(rig).get(f"varta_unit_agents{label}") == 1, 10, "the unit's agent")
    before = figures(rig)["varta_beats_total"]
    wait_for(lambda: figures(rig)["varta_beats_total"] > before, 10, "more beats")
    now = figures(rig)
    expect_equal(now[f'varta_unit_state{{unit="{WORKER}",state="ok"}}'], 1, "the unit's state")
    expect_equal(now['varta_datagrams_refused_total{reason="decode-error"}'], 0, "a closed set at zero")
    expect(now[f"varta_unit_beats_total{label}"] > 0, "no beats of the unit")
    expect(abs(now["varta_start_time_seconds"] - float(rig.run(["date", "+%s"]).stdout)) < 60 * slowness(), "the start time")


@case("Prometheus's linter has nothing to say, of the exporter's text and of varta-ctl's")
def _(rig):
    for text in (scrape(rig), rig.run(["varta-ctl", "metrics"]).stdout):
        done = rig.run(["promtool", "check", "metrics"], input=text, check=False)
        expect_equal((done.returncode, done.stdout + done.stderr), (0, ""), "promtool's status and output")


@case("OpenMetrics for who names it, text 0.0.4 for everybody else")
def _(rig):
    for accept, wanted in ((OPENMETRICS, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
                           ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
                           ("text/html, */*;q=0.8", "text/plain; version=0.0.4; charset=utf-8"),
                           ("application/openmetrics-text;q=0.2, text/plain", "text/plain; version=0.0.4; charset=utf-8")):
        answer = http(rig, headers={"Accept": accept})
        expect_equal(answer["headers"]["content-type"], wanted, f"the type for {accept}")
        expect_equal(answer["body"].endswith("# EOF\n"), "openmetrics" in wanted, "whether the text has an end")
    modern = http(rig, headers={"Accept": OPENMETRICS})["body"]
    expect("# UNIT varta_start_time_seconds seconds\n" in modern, "no unit")
    expect("# TYPE varta_build info\n" in modern, "no info")


@case("HEAD, /, and what is not there")
def _(rig):
    head = http(rig, method="HEAD")
    expect_equal((head["status"], head["body"]), (200, ""), "HEAD")
    expect(int(head["headers"]["content-length"]) > 1000, "HEAD does not tell the length")
    expect('href="/metrics"' in scrape(rig, path="/"), "no link at /")
    for path in ("/metric", "/metrics/", "/../etc/passwd", "/%2e%2e/etc/passwd", "//metrics", "/favicon.ico"):
        expect_equal(http(rig, path=path)["status"], 404, path)
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        answer = http(rig, method=method)
        expect_equal((answer["status"], answer["headers"].get("allow")), (405, "GET, HEAD"), method)
    expect_equal(scrape(rig, path="/metrics?x=1")[:6], "# HELP", "a query is no other page")


@case("a stall and its end are seen")
def _(rig):
    pid = rig.main_pid(WORKER)
    rig.kill(pid, signal.SIGSTOP)
    wait_for(lambda: figures(rig)["varta_agents_stalled"] == 1, 10, "a stalled agent")
    wait_for(lambda: figures(rig)[f'varta_unit_state{{unit="{WORKER}",state="stalled"}}'] == 1, 10, "the unit's state")
    rig.kill(pid, signal.SIGCONT)
    wait_for(lambda: figures(rig)["varta_agents_stalled"] == 0, 10, "nothing stalled")
    expect(figures(rig)["varta_resumes_total"] >= 1, "no resume")


@case("an observer that goes leaves its last figures, with their age; the exporter stays, and nobody starts the observer")
def _(rig):
    exporter = rig.main_pid("varta-exporter.service")
    rig.systemctl("stop", WORKER)
    rig.systemctl("stop", "varta.socket", "varta.service")
    wait_for(lambda: figures(rig)["varta_up"] == 0, 10, "varta_up to be 0")
    beats = figures(rig)["varta_beats_total"]
    expect(beats > 0, "the last figures are gone")
    wait_for(lambda: figures(rig)["varta_snapshot_age_seconds"] > 1, 10, "the age to grow")
    expect_equal(figures(rig)["varta_beats_total"], beats, "the last figures")
    expect_equal(rig.state("varta.service"), "inactive", "the observer")
    rig.systemctl("start", "varta.socket")
    rig.systemctl("start", WORKER)
    wait_for(lambda: figures(rig)["varta_up"] == 1, 10, "varta_up to be 1 again")
    expect_equal(rig.main_pid("varta-exporter.service"), exporter, "the exporter's pid")


@case("an observer that hangs costs a scrape a second at most")
def _(rig):
    observer = rig.main_pid("varta.service")
    rig.kill(observer, signal.SIGSTOP)
    try:
        wait_for(lambda: figures(rig)["varta_up"] == 0, 10, "varta_up to be 0")
        expect(figures(rig)["varta_beats_total"] > 0, "the last figures are gone")
    finally:
        rig.kill(observer, signal.SIGCONT)
    wait_for(lambda: figures(rig)["varta_up"] == 1, 10, "varta_up to be 1 again")


@case("units come and go with their series")
def _(rig):
    rig.systemctl("start", "plain@2.service")
    wait_for(lambda: 'unit="plain@2.service"' in scrape(rig), 10, "the unit's series")
    rig.systemctl("stop", "plain@2.service")
    wait_for(lambda: 'unit="plain@2.service"' not in scrape(rig), 10, "the unit's series to go")
    expect("pid=" not in scrape(rig), "a pid is a label")


def garbage(sentence, first_line, hex_data, **more):
    def run(rig):
        exporter = rig.main_pid("varta-exporter.service")
        answer = http(rig, "raw", hex=hex_data, **more)["answer"]
        expect(re.match(first_line, answer), f"the answer: {answer[:200]!r}")
        expect_equal(figures(rig)["varta_up"], 1, "varta_up after it")
        expect_equal(rig.main_pid("varta-exporter.service"), exporter, "the exporter's pid")
    suite.add(sentence, run)


REFUSED = r"HTTP/1\.[01] 4\d\d |$"
garbage("bytes that are no HTTP are refused", REFUSED, bytes(range(256)).hex(), close=True)
garbage("a TLS hello is refused", REFUSED, "160301020001000001fc0303" + "aa" * 500, close=True)
garbage("HTTP/1.1 without a host is refused", r"HTTP/1\.1 400 ", b"GET /metrics HTTP/1.1\r\n\r\n".hex())
garbage("HTTP/1.0 is answered", r"HTTP/1\.[01] 200 ", b"GET /metrics HTTP/1.0\r\n\r\n".hex())
garbage("a request that ends in its middle is let go", REFUSED, b"GET /metrics HTTP/1.1\r\nHos".hex(), close=True)
garbage("10 MB of headers are refused", REFUSED, (b"X: " + b"a" * 16380 + b"\r\n").hex(), repeat=640)
garbage("a header of 10 MB is refused", REFUSED, (b"GET / HTTP/1.1\r\nX: " + b"a" * 10_000_000).hex()[:120_000], repeat=170)
garbage("a path of 100 KB is refused", REFUSED, (b"GET /" + b"a" * 60_000).hex(), repeat=2)
garbage("a body is not waited for", r"HTTP/1\.1 405 ", b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nabc".hex())
garbage("a negative length is refused", REFUSED, b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n".hex(), close=True)


@case("who sends a byte now and then is ended, and keeps nobody from scraping")
def _(rig):
    request = json.dumps({"do": "slow", "connections": 200, "hex": (b"GET /metrics HTTP/1.1\r\nX: " + b"a" * 500).hex()})
    attack = rig.start([HTTP_CLIENT, request])
    wait_for(lambda: int(figures(rig)["varta_exporter_connections_ended_total"]) > 10, 20, "connections to be ended")
    expect_equal(figures(rig)["varta_up"], 1, "varta_up meanwhile")
    expect_equal(attack.wait(60), 0, "the slow client")
    result = json.loads(attack.text)
    expect_equal((len(result["ended"]), result["left"]), (200, 0), "connections ended and left")
    expect(max(result["ended"]) < 15 * slowness(), f"the last one was ended after {max(result['ended']):.1f} s")


@case("a storm of a hundred connections is answered, each in its turn")
def _(rig):
    result = http(rig, "storm", connections=100, seconds=3, timeout=120)
    expect_equal(list(result["statuses"]), ["200"], f"the statuses: {result}")
    after = figures(rig)
    expect_equal(after["varta_up"], 1, "varta_up after it")
    expect(after["varta_exporter_scrapes_delayed_total"] > 0, "nobody had to wait")


@case("with a token only who shows it is answered")
def _(rig):
    rig.write("/etc/credstore/varta.exporter-token", TOKEN + "\n", 0o600)
    rig.systemctl("restart", "varta-exporter.service")
    for header, status in ((None, 401), (f"Bearer {TOKEN}", 200), (f"bearer  {TOKEN} ", 200), (f"Bearer {TOKEN}x", 401),
                           (f"Bearer {TOKEN[:-1]}", 401), ("Bearer ", 401), (f"Basic {TOKEN}", 401), (TOKEN, 401)):
        answer = http(rig, headers={"Authorization": header} if header is not None else {})
        expect_equal(answer["status"], status, f"the status for {header}")
        if status == 401:
            expect_equal(answer["headers"]["www-authenticate"], 'Bearer realm="varta"', "the challenge")
            expect("varta_" not in answer["body"], "figures without a token")
    expect_equal(http(rig, path="/")["status"], 200, "the status of /")
    text = scrape(rig, headers={"Authorization": f"Bearer {TOKEN}"})
    expect_equal(samples(text)['varta_exporter_requests_refused_total{reason="unauthorized"}'], 6, "refusals counted")


@case("a token that is none keeps the exporter from starting, and it says why")
def _(rig):
    cursor = rig.journal_cursor()
    rig.write("/etc/credstore/varta.exporter-token", "secret\n", 0o600)
    rig.systemctl("restart", "varta-exporter.service", check=False)
    wait_for(lambda: any("is no token" in str(e["MESSAGE"]) for e in rig.journal("_COMM=varta-exporter", since=cursor)), 10, "the reason")
    rig.remove("/etc/credstore/varta.exporter-token")
    wait_for(lambda: rig.state("varta-exporter.service") == "active", 10, "the exporter without a token")
    expect_equal(http(rig)["status"], 200, "the status without a token")


@case("the exporter is nobody's, without a right, and ends at once when told to")
def _(rig):
    text = rig.run(["cat", f"/proc/{rig.main_pid('varta-exporter.service')}/status"]).stdout
    status = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    uid = rig.run(["id", "--user", "varta-exporter"]).stdout.strip()
    expect_equal(status["Uid"].split()[0], uid, "the uid")
    for field in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        expect_equal(int(status[field], 16), 0, field)
    rig.systemctl("stop", "varta-exporter.socket", "varta-exporter.service")
    expect_equal(rig.show("varta-exporter.service", "Result"), "success", "how it ended")


@case("by hand: options that make no sense exit 2, no socket and a taken one exit 1, each with a reason")
def _(rig):
    for arguments, status, reason in ((["--bogus"], 2, 'varta-exporter: unknown option "--bogus"; see --help\n'),
                                      (["--lisen=[::1]:80"], 2, 'unknown option "--lisen=[::1]:80" (did you mean --listen?)'),
                                      (["-x"], 2, 'unknown option "-x"'), (["--user=me"], 2, "--user takes no value"),
                                      (["--help=me"], 2, "--help takes no value"), (["--listen"], 2, "--listen= needs a value"),
                                      (["x"], 2, "no argument"), (["--listen=x"], 2, "not an address"),
                                      ([], 1, "no socket"), (["--listen=::1:80"], 2, "not an address"),
                                      (["--listen=127.0.0.1:"], 2, "not an address"), (["--listen=192.0.2.1:9674"], 1, "Cannot listen"),
                                      (["--help"], 0, ""), (["--version"], 0, "")):
        done = rig.run(["varta-exporter", *arguments], check=False)
        expect_equal(done.returncode, status, f"the exit status of {arguments}")
        expect(reason in done.stderr, f"{arguments}: {done.stderr}")
    process = rig.start(["varta-exporter", "--listen=127.0.0.1:9674", "--listen=[::1]:9674"])

    def answers():
        try:
            return figures(rig)["varta_up"] == 1
        except (Failure, KeyError):
            return False
    wait_for(answers, 10, "an exporter by hand")
    process.send(signal.SIGTERM)
    expect_equal(process.wait(), 0, "how it ended")


if __name__ == "__main__":
    suite.main()
