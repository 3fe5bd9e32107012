#!/usr/bin/env python3
"""portcullis-control: start, stop, restart, reload and status of a home, with real daemons and a real
scan; exit codes, bad configurations, kill -9 and process ids that are used again."""
import os
import pwd
import re
import signal
import subprocess
import unittest

import lab
from lab import VICTIM, kernel_bans, wait_until

DAEMONS = ("execd", "engine", "sensor")
LINE = "Nov 14 18:09:12 TCP: SYN scan detected [ports 1,2,3,4,5,...] from {} [port 45000]\n"


class Control(unittest.TestCase):
    def setUp(self):
        self.scanner = lab.Scanner()
        self.addCleanup(self.scanner.close)
        self.host = lab.Installation(ban_seconds=600)
        self.addCleanup(self.host.close)
        self.addCleanup(self.flush)
        self.host.fill_rest()
        self.config = self.host.home / "etc/ossec.conf"

    def flush(self):
        self.host.control("stop")
        self.host.control("flush")

    def control(self, *arguments, status=0):
        done = self.host.control(*arguments, check=False)
        self.assertEqual(status, done.returncode, f"{arguments}: {done.stdout}{done.stderr}")
        return done

    def running(self):
        """Name and process of each daemon, as status has it."""
        shown = self.host.control("status", check=False).stdout
        return {name: int(pid) for name, pid in re.findall(r"^(\w+) +runs \(process (\d+)\)", shown, re.M)}

    def counter(self, name):
        found = re.search(rf"^  {name} +(\d+)$", self.host.control("status", check=False).stdout, re.M)
        self.assertIsNotNone(found, name)
        return int(found[1])

    def scan(self):
        """A real scan from a fresh address, and its alert."""
        address, _ = self.scanner.new_address()
        self.scanner.run(f"nmap -n -Pn -sS --max-retries 0 -p1-60 {VICTIM}")
        wait_until(f"the alert against {address}", lambda: any(
            alert.get("srcip") == address and alert["rule"]["sidid"] == 99990
            for alert in self.host.alerts()))
        return address

    def messages(self):
        return (self.host.home / "logs/ossec.log").read_text()

    def edit(self, *replacements):
        text = self.config.read_text()
        for old, new in replacements:
            self.assertIn(old, text)
            text = text.replace(old, new)
        self.config.write_text(text)

    def make_three_mistakes(self):
        """Returns the good configuration."""
        good = self.config.read_text()
        self.edit(("<command>firewall-drop</command>", "<command>firewall-dorp</command>"),
                  ("<jsonout_output>yes", "<jsonout_output>maybe"),
                  ("iplog_rules.xml", "no_such_rules.xml"))
        return good

    def assert_names_three_mistakes(self, text):
        for mistake in ("firewall-dorp", "maybe", "no_such_rules.xml"):
            self.assertRegex(text, rf"ossec\.conf:\d+:\d+: error: .*{mistake}")
        self.assertEqual(3, len(re.findall(r"^ +\| +\^", text, re.M)), text)

    def test_start_protects_and_stop_ends_all_but_the_blocks(self):
        shown = self.control("start").stdout
        for name in DAEMONS:
            self.assertIn(f"{name}: started", shown)
        daemons = self.running()
        self.assertEqual(set(DAEMONS), set(daemons))
        self.assertEqual({"execd": 0, "engine": pwd.getpwnam("portcullis").pw_uid,
                          "sensor": pwd.getpwnam("portcullis-sensor").pw_uid},
                         {name: self.uid_of(pid) for name, pid in daemons.items()})

        address = self.scan()
        wait_until(f"{address} is blocked", lambda: address in kernel_bans())
        self.assertFalse(self.scanner.reaches_victim())
        wait_until("the alert is counted", lambda: self.counter("alerts") >= 1)
        wait_until("the packets are counted", lambda: self.counter("packets_to_us") >= 10)
        self.assertIn(address, self.control("bans").stdout)
        self.assertRegex(self.control("status").stdout, r"(?m)^blocks +1 ban active$")

        self.assertIn("runs already", self.control("start").stdout)
        self.assertEqual(daemons, self.running(), "a second start starts nothing")

        shown = self.control("stop").stdout
        for name in DAEMONS:
            self.assertIn(f"{name}: stopped", shown)
        for pid in daemons.values():
            self.assertTrue(self.has_ended(pid))
        self.assertEqual({}, self.running())
        self.assertIn("does not run", self.control("status", status=3).stdout)
        self.assertIn(address, kernel_bans(), "stop lets a block last its time")
        self.control("stop")

        self.control("start")
        self.assertIn(address, self.control("bans").stdout, "the block is still known")
        self.control("stop")
        self.control("flush")
        self.assertEqual(set(), kernel_bans())
        self.assertTrue(self.scanner.reaches_victim())

    def uid_of(self, pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return int(re.search(r"^Uid:\s+(\d+)", status.read(), re.M)[1])

    def has_ended(self, pid):
        """Also a process that nobody has waited for (we are the init process of this namespace)."""
        try:
            with open(f"/proc/{pid}/status", encoding="ascii") as status:
                return "\nState:\tZ" in status.read()
        except FileNotFoundError:
            return True

    def test_a_bad_configuration_starts_nothing_and_all_mistakes_are_shown(self):
        self.make_three_mistakes()
        done = self.control("start", status=1)
        self.assert_names_three_mistakes(done.stderr)
        self.assertIn("nothing was started", done.stderr)
        self.assertEqual({}, self.running())
        self.assertEqual([], list((self.host.home / "run").glob("*.pid")))

    def test_a_bad_edit_is_refused_and_a_good_one_counts(self):
        self.control("reload", status=1)  # nothing runs
        self.control("start")
        daemons = self.running()
        good = self.make_three_mistakes()
        for command, consequence in (("reload", "the daemons keep the old one"),
                                     ("restart", "nothing was stopped")):
            done = self.control(command, status=1)
            self.assert_names_three_mistakes(done.stderr)
            self.assertIn(consequence, done.stderr)
            self.assertEqual(daemons, self.running())
        address = self.scan()
        wait_until(f"{address} is blocked", lambda: address in kernel_bans())

        self.config.write_text(good)
        spared = f"10.10.150.{10 + self.scanner.last + 1}"
        other = self.host.home / "logs/other"
        other.touch()
        self.edit(("<global>", f"<global>\n<white_list>{spared}</white_list>"),
                  ("<from_file>", f"<from_file>{other}</from_file>\n<from_file>"),
                  ("</ossec_config>", f"<localfile><log_format>syslog</log_format><location>{other}"
                                      "</location></localfile></ossec_config>"))
        shown = self.control("reload").stdout
        for name in DAEMONS:
            self.assertIn(f"{name}: reloads", shown)
        wait_until("both have reloaded", lambda: "the configuration was reloaded" in self.messages()
                   and "configuration reloaded" in self.messages())
        self.assertEqual(daemons, self.running())
        self.assertEqual(spared, self.scan())
        record = wait_until("the spared address is recorded", lambda: next(
            (r for r in self.host.responses() if r["address"] == spared), None))
        self.assertNotEqual("done", record["outcome"])
        self.assertNotIn(spared, kernel_bans())
        with open(other, "a", encoding="ascii") as log:
            log.write(LINE.format("192.0.2.77"))
        wait_until("a line of the new file is an alert", lambda: any(
            alert.get("srcip") == "192.0.2.77" for alert in self.host.alerts()))

        wait_until("it is blocked", lambda: "192.0.2.77" in kernel_bans())

        self.control("restart")
        self.assertEqual(set(DAEMONS), set(self.running()))
        self.assertFalse(set(daemons.values()) & set(self.running().values()))

    def test_faults_of_iplog_conf_are_shown_by_reload_and_the_rest_is_used(self):
        self.control("start")
        conf = self.host.home / "etc/iplog.conf"
        with open(conf, "a", encoding="ascii") as file:
            file.write("frobnicate\n")
        done = self.control("reload")
        self.assertIn(f"{conf}: these rules are left out:\n", done.stderr)
        self.assertIn("Invalid rule: frobnicate", done.stderr)
        self.assertIn("sensor: reloads", done.stdout)

    def test_after_kill_9_of_everything_start_works(self):
        self.control("start")
        address = self.scan()
        wait_until(f"{address} is blocked", lambda: address in kernel_bans())
        for pid in self.running().values():
            os.kill(pid, signal.SIGKILL)
        wait_until("all are dead", lambda: not self.running())
        self.control("status", status=3)
        self.control("start")
        self.assertEqual(set(DAEMONS), set(self.running()))
        self.assertIn(address, kernel_bans())
        self.assertIn(address, self.control("bans").stdout)
        second = self.scan()
        wait_until(f"{second} is blocked", lambda: second in kernel_bans())

    def test_a_process_with_the_id_of_a_dead_daemon_is_left_alone(self):
        self.control("start")
        for name, pid in self.running().items():
            # What it started is in its session, and keeps the id in use until it is gone too.
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as listed:
                family = [pid, *map(int, listed.read().split())]
            os.kill(pid, signal.SIGKILL)
            for member in family:
                os.waitpid(member, 0)
            (self.host.home / f"run/{name}.pid").write_text(f"{pid}\n")
            bystander = self.process_with_id(pid)
            self.addCleanup(bystander.kill)
            self.assertNotIn(name, self.running())
            self.control("reload", status=1 if name == "sensor" else 0)
            self.control("status", status=3)
            self.assertIsNone(bystander.poll(), f"{name}: HUP went to a bystander")
        self.assertNotIn("stopped", self.control("stop").stdout)
        self.control("start")
        self.control("stop")
        self.assertEqual(3, len([p for p in self.bystanders if p.poll() is None]))

    bystanders = []

    def process_with_id(self, pid):
        """The kernel is told to give out this id next."""
        def try_once():
            with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as last:
                last.write(str(pid - 1))
            process = subprocess.Popen(["sleep", "600"])
            if process.pid == pid:
                return process
            process.kill()
            process.wait()
            return None
        self.bystanders.append(wait_until(f"a process with the id {pid}", try_once))
        return self.bystanders[-1]

    def test_without_iplog_conf_there_is_no_sensor(self):
        (self.host.home / "etc/iplog.conf").unlink()
        self.control("start")
        self.assertEqual({"execd", "engine"}, set(self.running()))
        self.assertRegex(self.control("status").stdout, r"sensor +not configured")

    def test_a_sensor_that_cannot_start_stops_the_others_again(self):
        (self.host.home / "logs/iplog").mkdir()
        done = self.control("start", status=1)
        self.assertIn("sensor: could not be started", done.stderr)
        self.assertEqual({}, self.running())

    def test_wrong_usage_is_2(self):
        for arguments in ([], ["no-such-command"], ["start", "now"], ["ban"], ["ban", "192.0.2.1", "x"]):
            self.control(*arguments, status=2)


if __name__ == "__main__":
    lab.main()
