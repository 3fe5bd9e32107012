#!/usr/bin/env python3
"""Daemon and logtest decide alike: the same lines through portcullis-engine, in a home of its own, and
through portcullis-logtest; alerts and decisions compared, times, numbers and locations aside.

What only the daemon does (repeated messages, firewall events, ignore) is compared with `logtest --live`;
a second run switches it off in the daemon and compares with plain logtest.

usage: one_path_test.py PROJECT BIN_DIR [CONFORMANCE_DIR]
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROJECT, BIN = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
CONFORMANCE = pathlib.Path(sys.argv[3]).resolve() / "ossec" if len(sys.argv) > 3 else None
DEADLINE = 60.0
# Longer lines are cut at different lengths, and logtest takes no events from shorter ones.
LENGTHS = range(2, 5000)
# Fields that the archive has; not action, which the daemon normalises for firewall events.
COMPARED = {"srcip", "srcport", "dstip", "dstport", "dstuser", "srcuser", "proto", "url", "status", "extra_data"}

CONFIGURATION = """<ossec_config>
  <global><jsonout_output>no</jsonout_output><logall_json>yes</logall_json>
    <drop_repeated_messages>{live}</drop_repeated_messages></global>
  <rules>{rules}</rules>
  <localfile><log_format>syslog</log_format><location>{log}</location></localfile>
</ossec_config>
"""


def golden_lines(folder):
    """The lines of golden files, which are what the shipped rules are for."""
    return [line[2:] for path in sorted((PROJECT / "tests/golden" / folder).glob("*.logtest"))
            for line in path.read_bytes().split(b"\n") if line.startswith(b"> ")]


class Home:
    def __init__(self, path, rules, is_live):
        self.path = path
        for folder in ("etc", "decoders", "rules", "run", "logs", "active-response/bin"):
            (path / folder).mkdir(parents=True, exist_ok=True)
        self.log = path / "input.log"
        self.log.touch()
        (path / "etc/ossec.conf").write_text(CONFIGURATION.format(
            rules=rules, log=self.log, live="yes" if is_live else "no"))
        if not is_live:
            (path / "etc/internal_options.conf").write_text("analysisd.log_fw=0\n")

    def status(self):
        try:
            return json.loads((self.path / "queue/engine-status.json").read_text())
        except (OSError, ValueError):
            return {}

    def run_engine(self, lines):
        """The records of alerts.log and of archives.json that the daemon writes for `lines`."""
        user = ["-u", "root"] if os.geteuid() == 0 else []
        engine = subprocess.Popen([BIN / "portcullis-engine", "-D", self.path, "-f", *user], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            self.until(engine, lambda: self.status().get("files") == 1)
            with open(self.log, "ab") as log:
                log.write(b"".join(line + b"\n" for line in lines))
            self.until(engine, lambda: self.status().get("lines", 0) >= len(lines))
        finally:
            engine.send_signal(signal.SIGTERM)
            engine.communicate(timeout=DEADLINE)
        assert self.status()["lines"] == len(lines), self.status()
        return records(self.path / "logs/alerts/alerts.log"), decisions(self.path / "logs/archives/archives.json")

    def until(self, engine, holds):
        deadline = time.monotonic() + DEADLINE
        while not holds():
            if engine.poll() is not None:
                raise AssertionError("the engine ended: " + engine.stderr.read().decode())
            if time.monotonic() > deadline:
                raise AssertionError(f"not in time: {self.status()}")
            time.sleep(0.02)

    def run_logtest(self, lines, *options):
        run = subprocess.run([BIN / "portcullis-logtest", "-D", self.path, *options],
                             input=b"".join(line + b"\n" for line in lines), capture_output=True, timeout=DEADLINE * 5)
        assert run.returncode == 0, run.stderr
        return run.stdout


def records(path):
    """The records of alerts.log without what differs: time, number, location."""
    return normal(path.read_bytes() if path.exists() else b"")


def normal(text):
    text = re.sub(rb"(?m)^\*\* Alert \d+\.\d+:", b"** Alert T.N:", text)
    text = re.sub(rb"(?m)^\d{4} \w{3} \d\d \d\d:\d\d:\d\d (.*)->\S+$", rb"TIME \1->LOCATION", text)
    return [record for record in text.split(b"\n\n") if record.strip()]


def decisions(path):
    return [json.loads(line) for line in path.read_text(errors="replace").splitlines()] if path.exists() else []


class OnePath(unittest.TestCase):
    maxDiff = 2000

    def compare(self, prepare, rules, lines):
        lines = [line for line in lines if len(line) in LENGTHS and b"\n" not in line]
        self.assertGreater(len(lines), 10)
        for is_live in (True, False):
            with self.subTest(live=is_live), tempfile.TemporaryDirectory(prefix="portcullis-one-path.") as folder:
                home = Home(pathlib.Path(folder), rules, is_live)
                prepare(home.path)
                options = ["--live"] if is_live else []
                # Before the daemon has written what it remembers, which logtest would read.
                alerts = normal(home.run_logtest(lines, "-a", *options))
                outcomes = [json.loads(line) for line in home.run_logtest(lines, "--json", *options).splitlines()]
                daemon_alerts, daemon_events = home.run_engine(lines)
                self.assertEqual(len(outcomes), len(lines))
                self.assertEqual(daemon_alerts, alerts)
                self.assertGreater(len(alerts), 5)
                self.compare_events(daemon_events, outcomes, is_live)
                self.assertGreater(self.compared_fields, 20)

    compared_fields = 0

    def compare_events(self, events, outcomes, is_live):
        """Each event of the archive has the decoder and fields that logtest says it has."""
        kept = iter(outcomes)
        dropped = 0
        for event in events:
            log = event.get("full_log", "")
            for outcome in kept:
                if outcome["full_event_fields"]["full_event"] == log:
                    break
                dropped += 1  # archived is what was not dropped
            else:
                self.fail(f"logtest has no {log!r}")
            self.assertEqual(event.get("decoder", {}).get("name"), outcome["decoder"], log)
            header = outcome["full_event_fields"]
            self.assertEqual((event.get("program_name"), event.get("log")), (header["program_name"], header["log"] or None))
            for label in COMPARED & set(outcome["fields"]):
                key = {"proto": "protocol", "extra_data": "data"}.get(label, label)
                if outcome["fields"][label]:
                    self.assertEqual(event.get(key), outcome["fields"][label], (label, log))
                    self.compared_fields += 1
            if outcome["alert"]:
                self.assertEqual(event["rule"]["sidid"], outcome["rule"], log)
                self.assertEqual(event["rule"]["level"], outcome["level"], log)
        if not is_live:
            self.assertEqual((len(events), dropped), (len(outcomes), 0))

    def test_our_own_decoders_and_rules(self):
        def prepare(home):
            for file in ("decoders/iplog_decoders.xml", "rules/iplog_rules.xml"):
                shutil.copy(PROJECT / file, home / file)
        lines = golden_lines("iplog") * 2 + golden_lines("iplog")[:5] * 3
        self.compare(prepare, "<include>iplog_rules.xml</include>", lines)

    def test_composite_rules_ignore_and_responses(self):
        def prepare(home):
            shutil.copy(PROJECT / "tests/golden/rules/home/etc/decoder.xml", home / "etc")
            shutil.copy(PROJECT / "tests/golden/rules/home/rules/gate_rules.xml", home / "rules")
        denied = [b"Nov 14 18:09:%02d host gate[1]: denied bob from 192.0.2.%d" % (n, n % 3) for n in range(40)]
        burnt = [b"door %d burnt" % (n % 2) for n in range(6)]
        self.compare(prepare, "<include>gate_rules.xml</include>", denied + burnt + golden_lines("rules"))

    def test_stock_rules_on_recorded_lines(self):
        if CONFORMANCE is None or not CONFORMANCE.is_dir():
            self.skipTest("SKIPPED: no conformance data")

        def prepare(home):
            shutil.copy(CONFORMANCE / "ruleset/decoder.xml", home / "etc")
            for file in (CONFORMANCE / "ruleset/rules").iterdir():
                shutil.copy(file, home / "rules")
        rules = "".join(f"<include>{name}</include>" for name in (CONFORMANCE / "include-stock.txt").read_text().split())
        with open(CONFORMANCE / "cases/stock.stream.jsonl", encoding="utf-8") as cases:
            lines = [json.loads(case)["log"].encode() for case in cases]
        self.compare(prepare, rules, lines)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
