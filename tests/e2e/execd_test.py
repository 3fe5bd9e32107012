#!/usr/bin/env python3
"""portcullis-execd and portcullis-control on a real kernel, in a network namespace of their own.

usage: execd_test.py SOURCE_DIR BIN_DIR
"""
import json
import os
import random
import shutil
import signal
import subprocess
import time

import execd_home
from execd_home import BIN, CONFIG, ExecdCase


def blocked():
    """Address -> seconds left, by the kernel."""
    result = {}
    for name in ("v4", "v6"):
        done = subprocess.run(["nft", "-j", "list", "set", "inet", "portcullis", name],
                              capture_output=True, text=True)
        for item in json.loads(done.stdout or '{"nftables":[]}')["nftables"]:
            for element in item.get("set", {}).get("elem", []):
                element = element["elem"] if isinstance(element, dict) else {"val": element}
                result[element["val"]] = element.get("expires")
    return result


class Execd(ExecdCase):
    def wait_for_blocked(self, addresses):
        deadline = time.monotonic() + 20
        while set(blocked()) != set(addresses):
            self.assertLess(time.monotonic(), deadline, blocked())
            time.sleep(0.02)

    def test_control_bans_lists_unbans_and_flushes(self):
        self.start()
        self.assertEqual(self.control("ban", "198.51.100.1").stdout,
                         "198.51.100.1: executed: banned by hand for 600 s\n")
        self.assertEqual(self.control("ban", "2001:db8::1", "30").returncode, 0)
        self.assertIn("198.51.100.1 ", self.control("bans").stdout)
        self.assertEqual(set(blocked()), {"198.51.100.1", "2001:db8::1"})
        refused = self.control("ban", "127.0.0.1")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("never blocked: loopback address", refused.stderr)
        self.assertEqual(self.control("unban", "198.51.100.1").stdout, "1 ban undone\n")
        self.assertEqual(self.control("flush").stdout, "1 ban undone\n")
        self.assertEqual(blocked(), {})

    def fill_sets(self):
        """What a restored ruleset, a lost journal or another home leaves."""
        subprocess.run(["nft", "-f", "-"], check=True, text=True, input="""
add table inet portcullis
add set inet portcullis v4 { type ipv4_addr; flags timeout; size 131072; }
add set inet portcullis v6 { type ipv6_addr; flags timeout; size 131072; }
add set inet portcullis v6_56 { type ipv6_addr; flags timeout; size 131072; }
add element inet portcullis v4 { 203.0.113.77 timeout 1h, 203.0.113.78 }
add element inet portcullis v6 { 2001:db8::77 }
add element inet portcullis v6_56 { 2001:db8:1:200:: timeout 1h }
""")

    def test_what_no_ban_explains_is_shown_and_released(self):
        for is_running in (True, False):
            with self.subTest(is_running=is_running):
                subprocess.run(["nft", "flush", "ruleset"], check=True)
                self.fill_sets()
                if is_running:
                    self.start()
                    self.wait_for("it says what it found", lambda: (
                        "4 addresses are blocked that no ban of this home explains: "
                        "2001:db8:1:200::/56 (3600 s left), 2001:db8::77 (no end), 203.0.113.77 "
                        "(3600 s left), 203.0.113.78 (no end)."
                        in (self.home / "logs/ossec.log").read_text()))
                    self.control("ban", "198.51.100.1")
                shown = self.control("bans")
                self.assertEqual(0, shown.returncode, shown.stderr)
                lines = shown.stdout.split("blocked without a ban of this home")[1].splitlines()
                rows = {line.split()[0]: line.split(None, 2)[2] for line in lines[2:]}
                self.assertEqual({"203.0.113.77", "203.0.113.78", "2001:db8::77",
                                  "2001:db8:1:200::/56"}, set(rows))
                self.assertEqual("no end", rows["203.0.113.78"])
                self.assertTrue(3500 < int(rows["203.0.113.77"]) <= 3600, rows)
                self.assertEqual("1 address released that no ban explained\n",
                                 self.control("unban", "203.0.113.78").stdout)
                self.assertIn("there is no ban of this address",
                              self.control("unban", "203.0.113.78").stdout)
                self.assertEqual(0, self.control("unban", "2001:db8:1:2ff::1/56").returncode)
                self.assertEqual(("1 ban undone, " if is_running else "") +
                                 "2 addresses released that no ban explained\n",
                                 self.control("flush").stdout)
                self.assertEqual({}, blocked())
                self.assertEqual("there are no bans\n", self.control("bans").stdout)
                self.stop(signal.SIGTERM)
                # A lost journal.
                shutil.rmtree(self.home / "var", ignore_errors=True)

    def test_networks_are_banned_shown_and_released(self):
        self.start()
        self.assertEqual(0, self.control("ban", "198.51.100.77/24", "600").returncode)
        self.assertEqual(0, self.control("ban", "198.51.100.0/25", "600").returncode)
        shown = self.control("bans").stdout
        self.assertIn("198.51.100.0/24 ", shown)
        self.assertIn("198.51.100.0/25 ", shown)
        self.assertNotIn("without a ban", shown)
        self.assertEqual(1, self.control("ban", "127.0.0.0/8").returncode)
        self.assertEqual(1, self.control("ban", "10.0.0.0/7").returncode)
        self.assertEqual("1 ban undone\n", self.control("unban", "198.51.100.0/24").stdout)
        subprocess.run(["nft", "add set inet portcullis soft4_20 { type ipv4_addr; flags timeout; size 131072; };"
                        "add element inet portcullis soft4_20 { 203.0.112.0 timeout 1h }"], check=True)
        self.assertIn("203.0.112.0/20 ", self.control("bans").stdout.split("without a ban of this home")[1])
        self.assertEqual("1 ban undone, 1 address released that no ban explained\n", self.control("flush").stdout)
        listed = subprocess.run(["nft", "list", "table", "inet", "portcullis"], capture_output=True, text=True, check=True)
        self.assertNotIn("elements", listed.stdout)

    def test_what_disturbs_the_firewall_is_logged_once(self):
        self.start()
        self.control("ban", "198.51.100.1")
        subprocess.run(["nft", "insert rule inet portcullis gate accept"], check=True)

        def lines():
            return [line for line in (self.home / "logs/ossec.log").read_text().splitlines() if "put back" in line]
        self.wait_for("it is logged", lines)
        self.assertIn("removed or changed the table inet portcullis (the rules of the chain gate): put back",
                      lines()[0])
        self.control("ban", "198.51.100.2")
        self.assertEqual(1, len(lines()))

    def test_looking_makes_no_table(self):
        self.assertEqual("there are no bans\n", self.control("bans").stdout)
        self.assertNotIn("portcullis", subprocess.run(
            ["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout)

    def test_folders_that_control_makes_can_be_entered_by_others(self):
        for name in ("logs", "run"):
            shutil.rmtree(self.home / name)
        subprocess.run([BIN / "portcullis-control", "-D", self.home, "bans"], umask=0o077,
                       check=True, capture_output=True, timeout=60)
        for name in ("logs", "run", "var"):
            self.assertEqual(0o755, (self.home / name).stat().st_mode & 0o777, name)

    def test_a_hundred_thousand_of_them_delay_no_ban(self):
        subprocess.run(["nft", "-f", "-"], check=True, text=True, input=(
            "add table inet portcullis\n"
            "add set inet portcullis v4 { type ipv4_addr; flags timeout; size 131072; }\n"
            "add element inet portcullis v4 { " + ", ".join(
                f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(100_000)) + " }\n"))
        connection = self.start()
        connection.send(b'{"op":"unexplained"}')
        slowest = 0.0
        for number in range(1, 21):
            begin = time.monotonic()
            other = self.connect()
            other.send(json.dumps({"op": "ban", "address": f"198.51.100.{number}",
                                   "timeout": 600}).encode())
            self.assertTrue(json.loads(other.recv(4096))["ok"])
            slowest = max(slowest, time.monotonic() - begin)
            other.close()
        self.assertLess(slowest, 3)
        self.assertTrue(json.loads(connection.recv(4096))["ok"])
        shown = self.control("bans")
        self.assertEqual(0, shown.returncode, shown.stderr)
        self.assertTrue(shown.stdout.endswith("\nand 99000 more\n"), shown.stdout[-200:])
        self.assertEqual("20 bans undone, 100000 addresses released that no ban explained\n",
                         self.control("flush").stdout)
        self.assertEqual({}, blocked())

    def test_a_second_execd_of_the_home_is_refused(self):
        self.start()
        second = subprocess.run([BIN / "portcullis-execd", "-D", self.home, "-f"],
                                capture_output=True, text=True, timeout=60)
        self.assertEqual(second.returncode, 1)
        self.assertIn("another instance runs in this home", second.stderr)
        self.connect()  # the first one still listens

    def test_a_stop_leaves_blocks_and_control_undoes_them_with_everything_down(self):
        self.start()
        for address in ("198.51.100.1", "198.51.100.2"):
            self.control("ban", address)
        self.stop(signal.SIGTERM)
        self.assertEqual(set(blocked()), {"198.51.100.1", "198.51.100.2"})
        (self.home / "etc/ossec.conf").write_text("<broken")  # must not matter
        self.assertIn("198.51.100.2", self.control("bans").stdout)
        self.assertEqual(self.control("unban", "198.51.100.1").stdout, "1 ban undone\n")
        self.assertEqual(set(blocked()), {"198.51.100.2"})
        self.assertEqual(self.control("flush").stdout, "1 ban undone\n")
        self.assertEqual(blocked(), {})
        self.assertEqual(self.control("ban", "198.51.100.1").returncode, 1)

    def test_beyond_the_limit_it_only_alerts_and_says_so_once(self):
        (self.home / "etc/ossec.conf").write_text(CONFIG.replace(
            "<ossec_config>", "<ossec_config><global><max_bans_per_minute>3</max_bans_per_minute>"
            "</global>"))
        connection = self.start()
        addresses = [f"198.51.100.{number}" for number in range(1, 7)]
        for address in addresses:
            connection.send(json.dumps({
                "op": "respond", "command": "firewall-drop", "timeout": 600, "user": "-",
                "srcip": address, "filename": "-", "alert_id": "1700000000.12", "rule_id": 99990,
                "location": "host->/var/log/iplog"}).encode())
        self.wait_for("every request has its record", lambda: len(self.records()) == 7)
        self.assertEqual(set(addresses[:3]), set(blocked()))
        outcomes = {record["address"]: record["outcome"] for record in self.records()}
        self.assertEqual(["executed"] * 3 + ["deferred"] * 3, [outcomes[a] for a in addresses])
        alarms = [record for record in self.records() if record["outcome"] == "alarm"]
        self.assertEqual(["max_bans_per_minute (3) is reached"], [a["reason"] for a in alarms])
        loud = [line for line in (self.home / "logs/ossec.log").read_text().splitlines()
                if "CRITICAL" in line]
        self.assertEqual(1, len(loud), loud)
        self.assertIn("max_bans_per_minute (3)", loud[0])
        # By hand there is no such limit.
        self.assertEqual(0, self.control("ban", "198.51.100.9").returncode)
        self.assertEqual({"time", "action", "command", "address", "user", "rule", "alert",
                          "location", "filename", "timeout", "outcome", "reason", "evidence",
                          "block", "steps"},
                         set(self.records()[0]))

    def test_status_says_how_much_is_blocked_whether_execd_runs_or_not(self):
        self.start()
        self.control("ban", "198.51.100.1")
        self.control("ban", "198.51.100.2")
        self.assertIn("2 bans active", self.control("status").stdout)
        self.stop(signal.SIGTERM)
        self.assertIn("2 bans active", self.control("status").stdout)

    def test_a_dry_run_has_an_outcome_of_its_own(self):
        (self.home / "etc/ossec.conf").write_text(CONFIG.replace(
            "<ossec_config>", "<ossec_config><global><dry_run>yes</dry_run></global>"))
        self.start()
        self.assertEqual(0, self.control("ban", "198.51.100.1").returncode)
        self.control("unban", "198.51.100.1")
        self.assertEqual([("add", "dry-run"), ("delete", "dry-run")],
                         [(record["action"], record["outcome"]) for record in self.records()])
        self.assertEqual({}, blocked())

    def test_a_killed_responder_costs_no_ban_and_doubles_none(self):
        connection = self.start()
        for address in ("198.51.100.1", "198.51.100.2"):
            self.control("ban", address)
        first = self.responder()
        os.kill(first, signal.SIGSTOP)
        connection.send(json.dumps(
            {"op": "ban", "address": "198.51.100.3", "timeout": 600}).encode())
        connection.send(json.dumps({"op": "unban", "address": "198.51.100.1"}).encode())
        # Both are under way: the requests are in the pipe of a responder that does not read.
        self.wait_for("execd has taken the messages", lambda: b"198.51.100.3" in
                      (self.home / "var/execd/bans.journal").read_bytes())
        self.assertEqual({"198.51.100.1", "198.51.100.2"}, set(blocked()))
        os.kill(first, signal.SIGKILL)
        replies = [json.loads(connection.recv(4096)) for _ in range(2)]
        self.assertTrue(all(reply["ok"] for reply in replies), replies)
        self.assertNotEqual(first, self.responder())
        expected = {"198.51.100.2", "198.51.100.3"}
        self.assertEqual(expected, set(blocked()))
        connection.send(b'{"op":"list"}')
        listed = [ban["address"] for ban in json.loads(connection.recv(4096))["bans"]]
        self.assertEqual(sorted(expected), sorted(listed))
        self.assertEqual(
            [("198.51.100.1", "executed"), ("198.51.100.1", "undone"),
             ("198.51.100.2", "executed"), ("198.51.100.3", "executed")],
            sorted((record["address"], record["outcome"]) for record in self.records()))
        # The new one knows what the old one did.
        second = self.responder()
        os.kill(second, signal.SIGKILL)
        self.wait_for("there is a third", lambda: self.responder() not in (None, second))
        self.control("ban", "198.51.100.4")  # it answers
        subprocess.run(["nft", "flush", "ruleset"], check=True)
        self.wait_for_blocked(expected | {"198.51.100.4"})

    def test_a_request_that_waited_does_not_block_for_longer(self):
        connection = self.start()
        self.control("ban", "198.51.100.1")
        os.kill(self.responder(), signal.SIGSTOP)
        connection.send(json.dumps(
            {"op": "ban", "address": "198.51.100.2", "timeout": 600}).encode())
        time.sleep(2.5)  # what is tested
        os.kill(self.responder(), signal.SIGCONT)
        self.assertTrue(json.loads(connection.recv(4096))["ok"])
        self.assertLessEqual(blocked()["198.51.100.2"], 598)

    def test_a_flushed_ruleset_is_put_back(self):
        self.start()
        self.control("ban", "198.51.100.1")
        subprocess.run(["nft", "flush", "ruleset"], check=True)
        self.wait_for_blocked(["198.51.100.1"])

    def test_a_new_own_address_lifts_its_ban(self):
        self.start()
        self.control("ban", "198.51.100.1")
        subprocess.run(["ip", "addr", "add", "198.51.100.1/32", "dev", "lo"], check=True)
        self.addCleanup(subprocess.run, ["ip", "addr", "del", "198.51.100.1/32", "dev", "lo"])
        self.wait_for_blocked([])
        self.assertIn("undone: protected from now on: released (own address)",
                      (self.home / "logs/active-responses.log").read_text())

    def test_a_bad_configuration_is_refused_at_start_and_ignored_at_reload(self):
        self.start()
        (self.home / "active-response/bin/firewall-drop").unlink()
        self.process.send_signal(signal.SIGHUP)
        log = self.home / "logs/ossec.log"
        deadline = time.monotonic() + 20
        while "execd keeps the old one" not in log.read_text():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        self.stop(signal.SIGTERM)
        again = subprocess.run([BIN / "portcullis-execd", "-D", self.home, "-f"],
                               capture_output=True, text=True, timeout=60)
        self.assertEqual(again.returncode, 1)
        self.assertRegex(again.stderr, r"ossec\.conf:2:\d+: error: .*\[missing-executable\]")

    def test_kill_9_at_any_instant_loses_no_ban_that_was_acknowledged(self):
        seed = int(time.time())
        chance = random.Random(seed)
        acknowledged = set()
        number = 0
        for life in range(12):
            connection = self.start()
            killed_after = chance.uniform(0.0, 0.03)
            end = time.monotonic() + killed_after
            sent = {}
            try:
                while time.monotonic() < end:
                    number += 1
                    address = f"198.51.{number // 250}.{number % 250 + 1}"
                    connection.send(json.dumps(
                        {"op": "ban", "address": address, "timeout": 600}).encode())
                    if json.loads(connection.recv(4096))["ok"]:
                        acknowledged.add(address)
            except OSError:
                pass
            self.stop(signal.SIGKILL)
            self.assertLessEqual(acknowledged, set(blocked()), f"seed {seed}, life {life}")
        self.start()
        rows = {line.split()[0] for line in self.control("bans").stdout.splitlines()[1:]}
        self.assertLessEqual(acknowledged, rows, f"seed {seed}")
        left = blocked()
        self.assertEqual(set(left), rows, f"seed {seed}")
        # None is permanent, none lasts longer than it was to.
        self.assertTrue(all(0 < seconds <= 600 for seconds in left.values()), left)
        done = self.control("flush")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(blocked(), {})


if __name__ == "__main__":
    execd_home.main()
