#!/usr/bin/env python3
"""What rules remember outlives a kill -9 and a clean stop: first-time-seen keys, ignored keys, the last
logs of check_diff. Logtest knows it and changes nothing of it.

usage: state_test.py SOURCE_DIR BIN_DIR
"""
import json
import signal
import subprocess

from engine_test import BIN, DEADLINE, Home, run_steps, until

DECODERS = r"""
<decoder name="gate"><program_name>^gate$</program_name></decoder>
<decoder name="gate-in"><parent>gate</parent>
  <regex>^(\w+) by (\w+)</regex><order>action, user</order><fts>name, user</fts></decoder>
"""
RULES = """
<group name="gate,">
  <rule id="100" level="5"><decoded_as>gate</decoded_as><match>^opened</match><description>in</description></rule>
  <rule id="101" level="7"><if_sid>100</if_sid><if_fts /><description>first time</description></rule>
  <rule id="102" level="4"><decoded_as>gate</decoded_as><match>^ports</match><description>ports</description></rule>
  <rule id="103" level="8"><if_sid>102</if_sid><check_diff /><description>other ports</description></rule>
  <rule id="104" level="4"><decoded_as>gate</decoded_as><match>^noise</match><ignore>user</ignore>
    <description>noise</description></rule>
  <rule id="105" level="4"><decoded_as>gate</decoded_as><match>^echo</match>
    <check_if_ignored>user</check_if_ignored><description>echo</description></rule>
  <rule id="199" level="3"><decoded_as>gate</decoded_as><match>^marker</match><description>m</description></rule>
</group>
"""


class GateHome(Home):
    """Decoders and rules that remember; each line is told apart by its process id."""

    def __init__(self, path):
        super().__init__(path)
        (self.path / "decoders/gate.xml").write_text(DECODERS)
        (self.path / "rules/gate.xml").write_text(RULES)
        text = self.config.read_text()
        text = text.replace("decoders/iplog_decoders.xml", "decoders/gate.xml")
        self.config.write_text(text.replace("rules/iplog_rules.xml", "rules/gate.xml")
                               .replace("iplog_rules.xml", "gate.xml"))
        self.lines = 0

    def analyse(self, *messages):
        """Appends the messages and returns the rule of each one's alert, None without one."""
        ids = []
        with open(self.log, "a", encoding="ascii") as log:
            for message in [*messages, "marker"]:
                self.lines += 1
                ids.append(f"gate[{self.lines}]")
                log.write(f"Nov 14 18:09:12 host {ids[-1]}: {message}\n")
        until("the marker's alert", lambda: any(ids[-1] in alert["full_log"] for alert in self.alerts()))
        # What was read twice after a kill counts as it was decided first.
        rule_of = {}
        for alert in self.alerts():
            rule_of.setdefault(alert["full_log"].split()[4].rstrip(":"), alert["rule"]["sidid"])
        return [rule_of.get(name) for name in ids[:-1]]

    def alerts(self):
        path = self.path / "logs/alerts/alerts.json"
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        return [json.loads(line) for line in lines]

    def is_saved(self, key):
        path = self.path / "queue/fts/fts-queue"
        return path.exists() and f"gate  {key}" in path.read_text()

    def files(self):
        return {str(path): path.read_bytes() for folder in ("fts", "diff")
                for path in (self.path / "queue" / folder).rglob("*") if path.is_file()}

    def logtest(self, text, *arguments):
        run = subprocess.run([str(BIN / "portcullis-logtest"), "-D", str(self.path), "--json", *arguments],
                             input=text, capture_output=True, text=True, timeout=DEADLINE, check=True)
        return [json.loads(line)["rule"] for line in run.stdout.splitlines()]


def remembers(home):
    """Within a run: the second time is no first time."""
    rules = home.analyse("opened by bob", "opened by bob", "ports 22", "ports 22", "ports 22,80",
                         "echo by eve", "noise by eve", "echo by eve")
    assert rules == [101, 100, 102, 102, 103, 105, 104, None], rules


def outlives_a_kill(home):
    """kill -9: all of it is known at the next start, and what comes next to a torn line counts."""
    assert home.analyse("opened by sue") == [101]
    until("the key is written", lambda: home.is_saved("sue"))
    home.stop(signal.SIGKILL)
    with open(home.path / "queue/fts/fts-queue", "a", encoding="ascii") as queue:
        queue.write("gate  to")  # as a kill could leave it
    home.start()
    rules = home.analyse("opened by sue", "opened by bob", "ports 22,80", "ports 22", "echo by eve",
                         "opened by tom")
    assert rules == [100, 100, 102, 103, None, 101], rules


def outlives_a_stop(home):
    """A clean stop writes what the last moment brought."""
    home.analyse("opened by ann", "ports 443")
    assert home.stop() == 0
    assert home.is_saved("tom") and home.is_saved("ann")
    assert (home.path / "queue/diff/host/103/last-entry").read_text() == "ports 443"
    home.start()
    rules = home.analyse("opened by ann", "opened by tom", "ports 443")
    assert rules == [100, 100, 102], rules


def logtest_only_reads(home):
    """Logtest knows what the engine remembers, and changes nothing of it."""
    before = home.files()
    lines = "".join(f"Nov 14 18:09:12 host gate[1]: {message}\n" for message in
                    ("opened by ann", "opened by new", "opened by new", "ports 1", "echo by eve"))
    assert home.logtest(lines) == [100, 101, 100, 103, 105], home.logtest(lines)
    assert home.logtest(lines, "--fresh") == [101, 101, 101, 102, 105], home.logtest(lines, "--fresh")
    assert home.files() == before


if __name__ == "__main__":
    run_steps(GateHome, (remembers, outlives_a_kill, outlives_a_stop, logtest_only_reads))
