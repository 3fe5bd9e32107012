#!/usr/bin/env python3
"""portcullis-execd and portcullis-control on a real kernel, in a network namespace of their own.

usage: execd_test.py SOURCE_DIR BIN_DIR
"""
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

if os.environ.get("PORTCULLIS_IN_NAMESPACE") != "1":
    probe = subprocess.run(["unshare", "--net", "true"], stderr=subprocess.DEVNULL)
    if probe.returncode != 0:
        print("SKIPPED: no network namespace can be made here (not root)")
        sys.exit(0)
    os.environ["PORTCULLIS_IN_NAMESPACE"] = "1"
    os.execvp("unshare", ["unshare", "--net", sys.executable, "-B", *sys.argv])

BIN = pathlib.Path(sys.argv[2])
CONFIG = """<ossec_config>
  <command><name>firewall-drop</name><executable>firewall-drop</executable><expect>srcip</expect>
    <timeout_allowed>yes</timeout_allowed><persistent>yes</persistent></command>
  <active-response><command>firewall-drop</command><location>local</location>
    <level>6</level><timeout>600</timeout></active-response>
</ossec_config>
"""


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


class Execd(unittest.TestCase):
    def setUp(self):
        subprocess.run(["nft", "flush", "ruleset"], check=True)
        folder = tempfile.TemporaryDirectory(prefix="pc-execd-")
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)
        for name in ("etc", "active-response/bin", "logs", "run"):
            (self.home / name).mkdir(parents=True)
        (self.home / "etc/ossec.conf").write_text(CONFIG)
        shutil.copy(BIN / "firewall-drop", self.home / "active-response/bin")
        self.process = None
        self.addCleanup(self.stop, signal.SIGKILL)

    def start(self):
        self.process = subprocess.Popen([BIN / "portcullis-execd", "-D", self.home, "-f"],
                                        stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while True:
            try:
                return self.connect()
            except OSError:
                self.assertIsNone(self.process.poll(), "execd ended")
                self.assertLess(time.monotonic(), deadline, "execd does not listen")
                time.sleep(0.005)

    def connect(self):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.settimeout(20)
        try:
            connection.connect(str(self.home / "run/execd.sock"))
        except OSError:
            connection.close()
            raise
        self.addCleanup(connection.close)
        return connection

    def stop(self, number):
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(20)
            self.process = None

    def control(self, *arguments):
        return subprocess.run([BIN / "portcullis-control", "-D", self.home, *arguments],
                              capture_output=True, text=True, timeout=60)

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
        self.assertIn("undone: never blocked any more: own address",
                      (self.home / "logs/active-responses.log").read_text())

    def test_a_bad_configuration_is_refused_at_start_and_ignored_at_reload(self):
        self.start()
        (self.home / "active-response/bin/firewall-drop").unlink()
        self.process.send_signal(signal.SIGHUP)
        log = self.home / "logs/ossec.log"
        deadline = time.monotonic() + 20
        while "the old one stays in force" not in log.read_text():
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
        self.assertEqual(self.control("flush").returncode, 0)
        self.assertEqual(blocked(), {})


if __name__ == "__main__":
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    unittest.main(argv=sys.argv[:1], verbosity=2)
