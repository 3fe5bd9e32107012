#!/usr/bin/env python3
"""The engine as a daemon, in a temporary home: from the appended line to the alert and to the request
on execd's socket, over rotation, reload, kill -9 and a second instance.

usage: engine_test.py SOURCE_DIR BIN_DIR
"""
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SOURCE, BIN = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
DEADLINE = 20.0
LINE = "Nov 14 18:09:12 TCP: SYN scan detected [ports 1,2,3,4,5,...] from 10.0.%d.%d [port 45000]\n"


def until(what, holds):
    """Waits for `holds`; a deadline, since real processes are awaited."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        result = holds()
        if result:
            return result
        time.sleep(0.002)
    raise AssertionError("did not happen: " + what)


class Home:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        for folder in ("etc", "decoders", "rules", "active-response/bin", "run", "logs"):
            (self.path / folder).mkdir(parents=True)
        shutil.copy(SOURCE / "decoders/iplog_decoders.xml", self.path / "decoders")
        shutil.copy(SOURCE / "rules/iplog_rules.xml", self.path / "rules")
        responder = self.path / "active-response/bin/firewall-drop"
        responder.write_text("#!/bin/sh\n")
        responder.chmod(0o755)
        self.log = self.path / "logs/iplog"
        self.log.touch()
        self.config = self.path / "etc/ossec.conf"
        self.config.write_text((SOURCE / "etc/ossec.conf").read_text().replace("/var/log/iplog", str(self.log)))
        self.engine = None
        self.count = 0

    def command(self, *arguments):
        return [str(BIN / "portcullis-engine"), "-D", str(self.path), "-u", "root", *arguments]

    def start(self, *arguments, **options):
        before = self.messages().count("INFO: Started")
        self.engine = subprocess.Popen(self.command("-f", *arguments), stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
        until("start", lambda: self.messages().count("INFO: Started") > before)

    def stop(self, how=signal.SIGTERM):
        self.engine.send_signal(how)
        status = self.engine.wait(DEADLINE)
        self.engine = None
        return status

    def messages(self):
        path = self.path / "logs/ossec.log"
        return path.read_text() if path.exists() else ""

    def write(self, count=1, path=None):
        """Appends lines, each from an address of its own; returns the addresses."""
        addresses = []
        with open(path or self.log, "a", encoding="ascii") as log:
            for _ in range(count):
                self.count += 1
                log.write(LINE % (self.count // 250, self.count % 250 + 1))
                addresses.append(f"10.0.{self.count // 250}.{self.count % 250 + 1}")
        return addresses

    def alerted(self):
        """Addresses of the alerts, in order."""
        path = self.path / "logs/alerts/alerts.json"
        text = path.read_text() if path.exists() else ""
        return [json.loads(line).get("srcip") for line in text[:text.rfind("\n") + 1].splitlines()]

    def last_alert(self):
        return json.loads((self.path / "logs/alerts/alerts.json").read_text().splitlines()[-1])

    def all_alerted(self, addresses):
        until(f"alerts for {addresses[:3]}…", lambda: set(addresses) <= set(self.alerted()))


def alert_and_request(home):
    """A line leads to a request on execd's socket and to an alert in both files."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.settimeout(DEADLINE)
    listener.bind(str(home.path / "run/execd.sock"))
    listener.listen()
    addresses = home.write()
    connection, _ = listener.accept()
    connection.settimeout(DEADLINE)
    request = json.loads(connection.recv(4096))
    assert request["command"] == "firewall-drop" and request["srcip"] == addresses[0], request
    assert request["rule_id"] == 99990 and request["timeout"] == 600, request
    home.all_alerted(addresses)
    text = (home.path / "logs/alerts/alerts.log").read_text()
    assert f"Rule: 99990 (level 6) -> 'iplog scan detect'\nSrc IP: {addresses[0]}\n" in text, text
    name = json.loads((home.path / "logs/alerts/alerts.json").read_text().splitlines()[-1])["id"]
    assert request["alert_id"] == name, (request, name)
    connection.close()
    listener.close()
    os.unlink(home.path / "run/execd.sock")


class Requests:
    """What the engine asks of execd, in execd's place."""

    def __init__(self, home):
        self.path = home.path / "run/execd.sock"
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.settimeout(DEADLINE)
        self.listener.bind(str(self.path))
        self.listener.listen()
        self.connection = None

    def next(self):
        if self.connection is None:
            self.connection, _ = self.listener.accept()
            self.connection.settimeout(DEADLINE)
        return json.loads(self.connection.recv(4096))

    def close(self):
        if self.connection is not None:
            self.connection.close()
        self.listener.close()
        self.path.unlink()


def reload_with(home, text):
    reloads = home.messages().count("was reloaded")
    home.config.write_text(text)
    home.engine.send_signal(signal.SIGHUP)
    until("reload", lambda: home.messages().count("was reloaded") > reloads)


def grade_and_source(home):
    """A request has the grade and the time of its evidence; a line of another file gives an alert and no request."""
    good = home.config.read_text()
    other = home.path / "logs/feed"
    reload_with(home, good.replace("</ossec_config>", "<localfile><log_format>syslog</log_format>"
                                   f"<location>{other}</location></localfile></ossec_config>"))
    requests = Requests(home)
    line = "Nov 14 18:09:12 TCP: SYN scan detected [ports 1,2] from 10.9.0.%d [port 45000]%s\n"
    other.write_text(line % (1, " (proven)"))
    home.all_alerted(["10.9.0.1"])
    begun = int(time.time())
    for number, (notes, grade) in enumerate([
            (" (proven)", "proven"), (" (again, forgeable)", "forgeable"), ("", "forgeable"),
            (" (doubtful, asymmetric route)", "doubtful"), (" (asymmetric route)", "doubtful")], 2):
        with open(home.log, "a", encoding="ascii") as log:
            log.write(line % (number, notes))
        request = requests.next()  # the first one is not of 10.9.0.1
        assert request["srcip"] == f"10.9.0.{number}" and request["evidence"] == grade, request
        assert request["block"] == "auto" and request["forgeable_timeout"] == 120, request
        assert begun <= request["evidence_time"] <= time.time(), request
        assert request["alert_id"].startswith(f"{request['evidence_time']}."), request
        home.all_alerted([request["srcip"]])
        alert = json.loads((home.path / "logs/alerts/alerts.json").read_text().splitlines()[-1])
        assert alert["evidence"] == grade, alert
    requests.close()
    reload_with(home, good)


def queued_requests(home):
    """Requests that wait for execd keep the time of their evidence."""
    addresses = home.write(3)
    home.all_alerted(addresses)
    until("a second has passed since", lambda: int(time.time()) > int(home.last_alert()["id"].split(".")[0]))
    requests = Requests(home)
    home.write()
    times = [request["evidence_time"] for request in (requests.next() for _ in range(4))]
    assert max(times[:3]) < times[3], times
    requests.close()


def alert_limit(home):
    """Alerts with forgeable evidence are bounded, the others are not, and a summary counts what was left out."""
    good = home.config.read_text()
    home.stop()
    home.start()  # the minute begins anew
    reload_with(home, good.replace(">1000</forgeable_alerts_per_minute>", ">5</forgeable_alerts_per_minute>"))
    before = len(home.alerted())
    addresses = home.write(12)
    with open(home.log, "a", encoding="ascii") as log:
        for number in range(8):
            log.write(f"Nov 14 18:09:12 TCP: SYN scan detected [ports 1,2] from 10.9.1.{number} (proven)\n")
    home.all_alerted(["10.9.1.7"])
    assert home.alerted()[before:] == addresses[:5] + [f"10.9.1.{number}" for number in range(8)], home.alerted()
    home.config.write_text(good)
    assert home.stop() == 0
    summary = home.last_alert()
    assert summary["rule"]["sidid"] == 99998, summary
    assert summary["full_log"] == "7 alerts were not written, more than 5 of a rule in a minute: 7 of rule 99990.", summary
    status = json.loads((home.path / "queue/engine-status.json").read_text())
    assert status["alerts_left_out"] == 7, status
    home.start()


def limited_calls(home):
    """The running engine is limited by seccomp, unless it is told not to be."""
    if b"__asan_init" in (BIN / "portcullis-engine").read_bytes():
        return  # sanitizers need further calls

    def mode():
        status = pathlib.Path(f"/proc/{home.engine.pid}/status").read_text()
        return dict(line.split(":\t", 1) for line in status.splitlines())["Seccomp"]

    assert mode() == "2", mode()
    home.stop()
    home.start("--no-seccomp")
    assert mode() == "0", mode()
    home.stop()
    home.start()


def names_under_the_limit(home):
    """Names are asked for under the limit, too: here of a host whose name server refuses every question."""
    good = home.config.read_text()
    web = home.path / "logs/web"
    web.touch()
    resolver = home.path / "etc/resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\n")
    (home.path / "etc/web.xml").write_text(
        '<decoder name="crawl"><prematch>^crawl </prematch><regex offset="after_prematch">^(\\S+)</regex>'
        "<order>srcip</order></decoder>")
    (home.path / "rules/web.xml").write_text(
        '<group name="web,"><rule id="100200" level="3"><decoded_as>crawl</decoded_as></rule>'
        '<rule id="100201" level="0"><if_sid>100200</if_sid><compiled_rule>is_valid_crawler</compiled_rule>'
        "<description>a crawler</description></rule></group>")
    home.config.write_text(good.replace(
        "</ossec_config>", "<global><verify_crawlers>yes</verify_crawlers></global><rules>"
        "<decoder>etc/web.xml</decoder><include>web.xml</include></rules><localfile><log_format>syslog</log_format>"
        f"<location>{web}</location></localfile></ossec_config>"))
    home.stop()
    script = 'ip link set lo up && mount --bind "$0" /etc/resolv.conf && exec "$@"'
    home.command = lambda *arguments: ["unshare", "--net", "--mount", "sh", "-c", script, str(resolver),
                                       *Home.command(home, *arguments)]
    home.start()
    with open(web, "a", encoding="ascii") as log:
        log.write("crawl 192.0.2.80\n")

    def failed():
        status = json.loads((home.path / "queue/engine-status.json").read_text())
        return status["crawlers_asked"] == 1 and status["crawlers_failed"] == 1
    until("the question has failed", failed)
    assert home.engine.poll() is None, home.messages()
    home.stop()
    del home.command
    home.config.write_text(good)
    home.start()


def rotation(home):
    """Renaming the log while lines are written loses none of them."""
    addresses = home.write(3)
    home.log.rename(home.path / "logs/iplog.1")
    addresses += home.write(2, home.path / "logs/iplog.1")
    addresses += home.write(3)
    home.all_alerted(addresses)
    seen = [address for address in home.alerted() if address in addresses]
    assert sorted(seen) == sorted(addresses), seen


def odd_input(home):
    """Hostile bytes are no obstacle: the next line is analysed all the same."""
    with open(home.log, "ab") as log:
        log.write(b"\0" * 100 + b"\xff\xfe\x80 \x1b[2J\r\n" + b"x" * 65536 + b"\n\n")
    home.all_alerted(home.write())


def reload(home):
    """A bad configuration changes nothing and is reported with all its mistakes; a good one counts."""
    good = home.config.read_text()
    home.config.write_text(good.replace("<command>firewall-drop</command>", "<command>nosuch</command>")
                           .replace("<jsonout_output>yes", "<jsonout_output>perhaps"))
    home.engine.send_signal(signal.SIGHUP)
    until("refused reload", lambda: "the old one stays active" in home.messages())
    assert "nosuch" in home.messages() and "perhaps" in home.messages(), home.messages()
    home.all_alerted(home.write())
    other = home.path / "logs/other"
    home.config.write_text(good.replace("</ossec_config>", f"<localfile><log_format>syslog</log_format>"
                                        f"<location>{other}</location></localfile></ossec_config>"))
    home.engine.send_signal(signal.SIGHUP)
    until("reload", lambda: "was reloaded; 2 files" in home.messages())
    home.all_alerted(home.write())
    home.all_alerted(home.write(1, other))
    home.config.write_text(good)


def kill_and_restart(home):
    """Lines written around a kill -9, and while nothing runs, are all analysed."""
    addresses = home.write(200)
    home.stop(signal.SIGKILL)
    addresses += home.write(20)
    home.start()
    home.all_alerted(addresses)


def clean_restart(home):
    """After a clean stop nothing is analysed twice."""
    addresses = home.write(5)
    home.all_alerted(addresses)
    assert home.stop() == 0
    addresses += home.write(5)
    home.start()
    home.all_alerted(addresses)
    seen = [address for address in home.alerted() if address in addresses]
    assert sorted(seen) == sorted(addresses), seen


def second_instance(home):
    """One home, one engine."""
    second = subprocess.run(home.command("-f"), capture_output=True, text=True, timeout=DEADLINE)
    assert second.returncode == 1 and "another instance runs" in second.stderr, second
    assert str(home.engine.pid) in second.stderr, second
    home.all_alerted(home.write())


def bad_start(home):
    """With a bad configuration nothing starts: every mistake on standard error, exit code 1."""
    home.stop()
    good = home.config.read_text()
    home.config.write_text(good.replace("<command>firewall-drop</command>", "<command>nosuch</command>")
                           .replace("iplog_rules.xml", "no_rules.xml"))
    for arguments in ([], ["-f"], ["-t"]):
        bad = subprocess.run(home.command(*arguments), capture_output=True, text=True, timeout=DEADLINE)
        assert bad.returncode == 1, bad
        assert "nosuch" in bad.stderr and "no_rules.xml" in bad.stderr, bad.stderr
        assert f"{home.config}:" in bad.stderr and "^" in bad.stderr, bad.stderr
    assert (home.path / "run/engine.pid").read_text() == ""
    home.config.write_text(good)
    home.start()


def daemon(home):
    """Without -f the command returns 0 when the daemon is ready, and the pid file names it."""
    home.stop()
    started = subprocess.run(home.command(), timeout=DEADLINE)
    assert started.returncode == 0
    pid = int((home.path / "run/engine.pid").read_text())
    try:
        home.all_alerted(home.write())
    finally:
        os.kill(pid, signal.SIGTERM)
    until("stop", lambda: not os.path.exists(f"/proc/{pid}/exe"))
    assert (home.path / "run/engine.pid").read_text() == ""
    home.start()


def outputs(home):
    """Firewall events, a log of several lines an event, alerts of another form and finer settings."""
    good = home.config.read_text()
    events = home.path / "logs/events"
    firewall = home.path / "logs/firewall/firewall.log"
    (home.path / "etc/more.xml").write_text(
        '<decoder name="wall"><type>firewall</type><prematch>^wall </prematch>'
        '<regex offset="after_prematch">^(\\S+) (\\S+) (\\S+) (\\S+) (\\S+)</regex>'
        "<order>action, protocol, srcip, dstip, dstport</order></decoder>")
    home.config.write_text(good.replace(
        "</ossec_config>",
        "<global><custom_alert_output>$RULEID from $SRCIP: $DSTUSER</custom_alert_output></global>"
        "<rules><decoder>etc/more.xml</decoder></rules>"
        f"<localfile><location>{events}</location><log_format>multi-line: 2</log_format></localfile>"
        "</ossec_config>"))
    reloads = home.messages().count("was reloaded")
    home.engine.send_signal(signal.SIGHUP)
    until("reload", lambda: home.messages().count("was reloaded") > reloads)
    events.write_text("wall deny tcp 192.0.2.1\n198.51.100.1 22\nwall deny tcp 192.0.2.1\n")
    until("the firewall event", lambda: firewall.exists() and firewall.read_text())
    with open(events, "a", encoding="ascii") as log:
        log.write("198.51.100.1 23\n")
    until("its other half", lambda: firewall.read_text().count("\n") == 2)
    for line, port in zip(firewall.read_text().splitlines(), ("22", "23")):
        assert line.endswith(f"->{events} DROP tcp 192.0.2.1:0->198.51.100.1:{port}"), line
    addresses = home.write()
    home.all_alerted(addresses)
    last = (home.path / "logs/alerts/alerts.log").read_text().splitlines()[-1]
    assert last == f"99990 from {addresses[0]}: None", last

    (home.path / "etc/local_internal_options.conf").write_text("analysisd.log_fw=2\n")
    home.engine.send_signal(signal.SIGHUP)
    until("refused option", lambda: "local_internal_options.conf:1:18: error" in home.messages())
    (home.path / "etc/local_internal_options.conf").unlink()
    home.config.write_text(good)
    assert home.stop() == 0
    assert (home.path / "stats/current-hour").read_text().split()[3] == "2"  # firewall events
    home.start()


def full_disk(home):
    """What could not be written before a stop is written after the next start, once."""
    home.stop()
    home.start(restore_signals=False)  # SIGXFSZ stays ignored, as Python has it
    home.all_alerted(home.write(200))
    room = (home.path / "logs/alerts/alerts.json").stat().st_size + 100  # for less than a record
    resource.prlimit(home.engine.pid, resource.RLIMIT_FSIZE, (room, room))
    complaints = home.messages().count("held back")
    addresses = home.write(20)
    until("records are held back", lambda: home.messages().count("held back") > complaints)
    assert not set(addresses) & set(home.alerted())
    status = home.stop()
    assert status == 0, status
    assert "are read again at the next start" in home.messages()
    home.start()
    home.all_alerted(addresses)
    assert all(home.alerted().count(address) == 1 for address in addresses)


STEPS = [alert_and_request, grade_and_source, queued_requests, alert_limit, limited_calls, names_under_the_limit,
         rotation, odd_input, reload, kill_and_restart, clean_restart, full_disk, second_instance, bad_start, outputs, daemon]


def run_steps(make_home, steps):
    """Each step in its turn, in one home with an engine that runs."""
    with tempfile.TemporaryDirectory(prefix="portcullis-engine.") as folder:
        home = make_home(folder)
        home.start()
        try:
            for step in steps:
                step(home)
                print("ok:", step.__doc__)
            assert home.stop() == 0
        except AssertionError:
            print(home.messages()[-4000:], file=sys.stderr)
            raise
        finally:
            if home.engine is not None:
                home.engine.kill()
                home.engine.wait()


if __name__ == "__main__":
    run_steps(Home, STEPS)
