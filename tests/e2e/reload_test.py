#!/usr/bin/env python3
"""100 reloads while lines are written, half of them with something that is broken: no line is lost or
analysed twice, what is broken changes nothing, and what rules remember survives.

usage: reload_test.py SOURCE_DIR BIN_DIR
"""
import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading

from engine_test import BIN, DEADLINE, until
from state_test import GateHome

RELOADS = 100
BATCH = 20
MORE_RULES = """
<group name="number,">
  <rule id="200" level="3"><match>VERSION</match><description>version</description></rule>
  <rule id="201" level="6"><match>listed</match>
    <list field="program_name" lookup="match_key">rules/programs</list><description>listed</description></rule>
  <rule id="300" level="4"><match>^knock</match><description>knock</description></rule>
  <rule id="301" level="9" frequency="1" timeframe="600"><if_matched_sid>300</if_matched_sid>
    <description>third knock</description></rule>
</group>
"""


class Writer(threading.Thread):
    """Appends numbered lines until it is told to stop; the log is rotated under it."""

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.is_over = threading.Event()
        self.count = 0
        self.lock = threading.Lock()

    def run(self):
        while not self.is_over.wait(0.001):
            self.write(BATCH)

    def write(self, count):
        with self.lock, open(self.path, "a", encoding="ascii") as log:
            for _ in range(count):
                self.count += 1
                log.write(f"Nov 14 18:09:12 host number: n {self.count}\n")

    def rotate(self, number):
        with self.lock:
            pathlib.Path(self.path).rename(f"{self.path}.{number}")
            pathlib.Path(self.path).touch()


class ReloadHome(GateHome):
    def __init__(self, path):
        super().__init__(path)
        self.numbers = self.path / "logs/numbers"
        self.numbers.touch()
        self.rules = self.path / "rules/more.xml"
        self.list = self.path / "rules/programs"
        self.list.write_text("one:\n")
        self.rules.write_text(MORE_RULES)
        (self.path / "rules/damaged.cdb").write_bytes(b"\0" * 100)
        text = self.config.read_text().replace("</global>", "<logall>yes</logall></global>", 1)
        text = text.replace("<include>gate.xml</include>",
                            "<include>gate.xml</include><include>more.xml</include><list>programs</list>")
        self.good = text.replace("</ossec_config>", f"<localfile><log_format>FORMAT</log_format>"
                                 f"<location>{self.numbers}</location></localfile></ossec_config>")
        self.config.write_text(self.good.replace("FORMAT", "syslog"))

    def archived(self):
        text = (self.path / "logs/archives/archives.log").read_text()
        return [int(number) for number in re.findall(r" number: n (\d+)\n", text)]

    def listed(self, program):
        """The rule that looks the program up in the list matches."""
        with open(self.log, "a", encoding="ascii") as log:
            log.write(f"Nov 14 18:09:12 host {program}: listed\n")
        self.analyse()
        return any(alert["rule"]["sidid"] == 201 and f" {program}: " in alert["full_log"]
                   for alert in self.alerts())

    def reloads(self):
        text = self.messages()
        return text.count("the configuration was reloaded"), text.count("the old one stays active")

    def counters(self):
        return json.loads((self.path / "queue/engine-status.json").read_text())


# What is broken, as a change of one file: (name, text) → text.
DEFECTS = [
    ("etc/ossec.conf", lambda text: text.replace("<logall>yes", "<logall>perhaps")),
    ("etc/ossec.conf", lambda text: text[:len(text) // 2]),
    ("etc/ossec.conf", lambda text: text.replace("more.xml", "missing.xml")),
    ("etc/ossec.conf", lambda text: text.replace("<list>programs", "<list>damaged")),
    ("decoders/gate.xml", lambda text: text.replace("<regex>", "<regex>(")),
    ("decoders/gate.xml", lambda text: ""),
    ("rules/gate.xml", lambda text: text.replace("</rule>", "", 1)),
    ("rules/gate.xml", lambda text: text.replace("<if_sid>100<", "<if_sid>999<")),
    ("rules/more.xml", lambda text: text.replace("<description>", "<descripton>", 1)),
]


def good_reload(home, number):
    """Another format of the followed file, another rule, another list: all in force afterwards."""
    home.config.write_text(home.good.replace("FORMAT", ("syslog", "apache", "snort-fast")[number % 3]))
    home.rules.write_text(MORE_RULES.replace("VERSION", f"version{number} "))
    home.list.write_text(f"program{number}:\n")


def reload(home, is_good, by_control):
    before = home.reloads()
    if by_control:
        told = subprocess.run([str(BIN / "portcullis-control"), "-D", str(home.path), "reload"],
                              capture_output=True, text=True, timeout=DEADLINE, check=False)
        assert (told.returncode == 0) == is_good, told
        if not is_good:
            return
    else:
        home.engine.send_signal(signal.SIGHUP)
    expected = (before[0] + 1, before[1]) if is_good else (before[0], before[1] + 1)
    until("reload", lambda: home.reloads() == expected)


def reload_often(home, writer):
    for number in range(RELOADS):
        if number % 2 == 0:
            good_reload(home, number)
            reload(home, True, by_control=number % 10 == 0)
            if number % 20 == 0:
                rules = home.analyse(f"version{number} ", "version998 ")
                assert rules == [200, None], rules
                assert home.listed(f"program{number}") and not home.listed(f"program{number - 2}")
        else:
            name, damage = DEFECTS[number // 2 % len(DEFECTS)]
            path = home.path / name
            good = path.read_text()
            path.write_text(damage(good))
            reload(home, False, by_control=number % 10 == 5)
            path.write_text(good)
            if number % 20 == 1:
                rules = home.analyse(f"version{number - 1} ")
                assert rules == [200], rules
        if number % 25 == 12:
            writer.rotate(number)


def main():
    with tempfile.TemporaryDirectory(prefix="portcullis-reload.") as folder:
        home = ReloadHome(folder)
        home.start()
        writer = Writer(home.numbers)
        try:
            assert home.analyse("opened by bob", "knock 1", "knock 2") == [101, 300, 300]
            fired_before = home.counters()["alerts"]
            writer.start()
            reload_often(home, writer)
            writer.is_over.set()
            writer.join()
            writer.write(1)
            until("the last line", lambda: writer.count in home.archived())
            seen = home.archived()
            assert sorted(seen) == list(range(1, writer.count + 1)), (
                f"{writer.count} written, {len(seen)} archived, {len(seen) - len(set(seen))} of them twice")
            print(f"ok: {writer.count} lines over {RELOADS} reloads, each analysed once")
            assert home.analyse("opened by bob", "knock 3") == [100, 301]
            print("ok: first-time-seen keys and counted events survive")
            assert home.stop() == 0
            counters = home.counters()
            good, bad = home.reloads()
            assert (counters["reloads"], counters["failed_reloads"]) == (good, bad), counters
            assert counters["alerts"] > fired_before and counters["lines"] > writer.count, counters
            print("ok: counters survive")
        except AssertionError:
            print(home.messages()[-4000:], file=sys.stderr)
            raise
        finally:
            writer.is_over.set()
            if home.engine is not None:
                home.engine.kill()
                home.engine.wait()


if __name__ == "__main__":
    main()
