#!/usr/bin/env python3
"""Bans survive what may happen to a host: programs that are killed, rulesets that others change, a torn journal, a reboot.

The sensor, the engine and execd run with a responder. In each round some bans begin and end while something happens: some are
asked for at execd's socket, others follow a scan that the sensor sees. At the end of a round the kernel, execd's table and its
journal agree: no ban is lost, none is permanent, none lasts longer than it was to, and no hold has no end. A new scan is still
blocked after any of the programs was killed. The clock of the programs is set by a preloaded library. PORTCULLIS_ROUNDS sets the
number of rounds, PORTCULLIS_SEED the seed.

usage: disturbance_test.py SOURCE_DIR BIN_DIR
"""
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

import execd_home
from execd_home import BIN, COMMAND, SOURCE, ExecdCase

sys.path.insert(0, str(SOURCE / "tests/captures"))
import packets  # noqa: E402

ROUNDS = int(os.environ.get("PORTCULLIS_ROUNDS", "25"))
SEED = int(os.environ.get("PORTCULLIS_SEED", "1"))
CONFIG = f"""<ossec_config>
  <global><hold>yes</hold><max_bans_per_minute>1000000</max_bans_per_minute></global>
  <rules><decoder>decoders/iplog_decoders.xml</decoder><include>iplog_rules.xml</include></rules>
  <localfile><log_format>syslog</log_format><location>logs/iplog</location></localfile>
  {COMMAND}
  <active-response><command>firewall-drop</command><location>local</location><rules_id>99990,99991</rules_id>
    <timeout>600</timeout><block>auto</block><forgeable_timeout>120</forgeable_timeout></active-response>
  <active-response><command>firewall-drop</command><location>local</location><level>16</level>
    <timeout>6</timeout><block>auto</block><forgeable_timeout>3</forgeable_timeout></active-response>
</ossec_config>
"""
# Scans come over this link, whose other end is in the same namespace, from behind a gateway.
LINK, SCANNER = "pcdist0", "pcdist1"
TARGET, GATEWAY = "10.77.0.1", "10.77.0.2"
SCANNED_PORTS = 15
SCAN_BAN_SECONDS = 120
HOLD_SECONDS = 2
TIMEOUTS = {(600, 120): "long", (6, 3): "short"}
# A ban may last this much longer than it was to, in seconds.
TOLERANCE = 1.0
# The kernel and the programs agree within this time after a disturbance, in seconds.
AGREED_WITHIN = 15


def nft(script):
    return subprocess.run(["nft", "-f", "-"], input=script, text=True, capture_output=True).returncode == 0


def items_of(table):
    done = subprocess.run(["nft", "-j", "list", "table", "inet", table], capture_output=True, text=True)
    return json.loads(done.stdout or '{"nftables":[]}')["nftables"]


def elements(items):
    """Of each element of the sets: the name of its set, its value, seconds left (None = no end)."""
    for item in items:
        for element in item.get("set", {}).get("elem", []):
            element = element["elem"] if isinstance(element, dict) and "elem" in element else {"val": element}
            yield item["set"]["name"], element["val"], element.get("expires")


def kernel():
    """(address, kind) -> seconds left, None = no end."""
    return {(address, "soft" if "soft" in name else "hard"): left
            for name, address, left in elements(items_of("portcullis"))}


def holds():
    """address -> seconds left, None = no end. Without a table of holds that has rules: None."""
    items = items_of("portcullis_hold")
    if not any("rule" in item for item in items):
        return None
    return {address: left for name, address, left in elements(items) if name.startswith("held")}


class Disturbances(ExecdCase):
    config = CONFIG

    def setUp(self):
        super().setUp()
        self.assertTrue((BIN / "clock_shim.so").exists())
        self.clock_file = self.home / "clock"
        self.clock = 0
        self.set_the_clock_to(0)
        self.environment = dict(os.environ, LD_PRELOAD=str(BIN / "clock_shim.so"),
                                PORTCULLIS_CLOCK_FILE=str(self.clock_file))
        self.connection = None
        self.daemons = {}
        self.addCleanup(self.stop_daemons)
        for name in ("decoders", "rules"):
            shutil.copytree(SOURCE / name, self.home / name)
        (self.home / "logs/iplog").touch()
        self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.wire.bind((SCANNER, 0))
        self.addCleanup(self.wire.close)
        self.chance = random.Random(SEED)
        self.last = 0
        self.until = {}  # address -> latest unix time at which it may still be blocked
        self.longest = {}  # address -> longest time of its hard ban, in seconds
        self.due = {}  # address -> time until which it must be blocked

    def start(self):
        self.connection = super().start()

    def kill_execd(self):
        self.connection.close()
        self.stop(signal.SIGKILL)

    # The sensor and the engine

    def start_daemon(self, name, program, *options, said):
        """Starts the program and waits until its log says that it works."""
        log, sentence = said
        before = log.read_text().count(sentence) if log.exists() else 0
        self.daemons[name] = subprocess.Popen([BIN / program, *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                              stderr=subprocess.DEVNULL, env=self.environment)
        self.wait_for(f"{name} starts", lambda: log.exists() and log.read_text().count(sentence) > before)

    def start_engine(self):
        self.start_daemon("engine", "portcullis-engine", "-D", self.home, "-f", "-u", "root",
                          said=(self.home / "logs/ossec.log", "portcullis-engine: INFO: Started"))

    def start_sensor(self):
        self.start_daemon("sensor", "portcullis-sensor", "-o", "-i", LINK, "-u", "root", "--config", "/dev/null", "-l",
                          self.home / "logs/iplog", "--pid-file", self.home / "run/sensor.pid", "--hosts", "/dev/null",
                          "--resolv-conf", "/dev/null", said=(self.home / "logs/iplog", "iplog started."))

    def kill_daemon(self, name):
        process = self.daemons.pop(name)
        process.kill()
        process.wait(20)

    def stop_daemons(self):
        for name in list(self.daemons):
            self.kill_daemon(name)

    def scan(self):
        """A scan over the link; returns its source."""
        self.last += 1
        source = f"203.0.{self.last // 250}.{self.last % 250 + 1}"
        head = mac_of(LINK) + mac_of(SCANNER) + b"\x08\x00"
        for port in range(1, SCANNED_PORTS + 1):
            self.wire.send(head + packets.tcp(source, 40000, TARGET, port, packets.SYN))
        self.until[source] = time.time() + SCAN_BAN_SECONDS + AGREED_WITHIN  # it begins when the engine has read the line
        return source

    def assert_a_scan_is_blocked(self):
        """A detection may be lost with the program that was killed; after its start none is."""
        source = self.scan()
        self.wait_for(f"the scan of {source} is blocked", lambda: (source, "soft") in self.table())
        self.due[source] = time.time() + SCAN_BAN_SECONDS - 1
        self.until[source] = time.time() + SCAN_BAN_SECONDS

    def ask(self, message):
        self.connection.send(json.dumps(message).encode())
        return json.loads(self.connection.recv(65536))

    def table(self):
        rows, after = {}, {}
        while True:
            page = self.ask({"op": "list", **after})
            rows.update({(row["address"], row["block"]): row["until"] for row in page.get("bans", [])})
            if not page.get("next"):
                return rows
            after = {"after": page["next"]}

    # Bans

    def new_address(self):
        self.last += 1
        number = self.last
        return f"2001:db8::{number:x}" if number % 5 == 0 else f"198.51.{number // 250}.{number % 250 + 1}"

    def ban(self):
        timeout, forgeable = self.chance.choice(list(TIMEOUTS))
        grade = self.chance.choice(["proven", "forgeable"])
        address = self.new_address() if not self.due or self.chance.random() < 0.8 else self.chance.choice(list(self.due))
        self.connection.send(json.dumps({
            "op": "respond", "command": "firewall-drop", "timeout": timeout, "user": "-", "srcip": address,
            "filename": "-", "alert_id": "1700000000.12", "rule_id": 99990, "location": "host->/var/log/iplog",
            "evidence": grade, "evidence_time": int(time.time() + self.clock), "block": "auto",
            "forgeable_timeout": forgeable}).encode())
        # The answer to another question comes when this request was taken in.
        self.ask({"op": "list"})
        length = forgeable
        if grade == "proven":
            # A hard ban is prolonged by its longest time so far.
            is_banned = self.until.get(address, 0) > time.time()
            length = self.longest[address] = max(timeout, self.longest.get(address, 0) if is_banned else 0)
        self.due[address] = max(self.due.get(address, 0), time.time() + length - 1)
        self.until[address] = max(self.until.get(address, 0), time.time() + length)

    def unban(self):
        if self.due:
            address = self.chance.choice(list(self.due))
            if self.ask({"op": "unban", "address": address})["ok"]:
                del self.due[address]
                self.longest.pop(address, None)
                self.until[address] = time.time()

    def hold(self):
        """As the kernel holds a source."""
        nft(f"add element inet portcullis_hold held4 {{ 203.0.113.{self.chance.randint(1, 254)} }}")

    # What happens

    def set_the_clock_to(self, offset):
        with open(self.clock_file, "r+b" if self.clock_file.exists() else "wb") as out:
            out.write(struct.pack("=q", offset))
        self.clock = offset

    def set_the_clock(self):
        self.set_the_clock_to(self.clock + self.chance.choice([-86400, -3600, -7, 7, 3600, 86400]))

    def kill_9_of_execd(self):
        self.kill_execd()
        self.start()

    def kill_9_of_the_responder(self):
        if pid := self.responder():
            os.kill(pid, signal.SIGKILL)

    def kill_9_of_the_engine(self):
        self.scan()
        self.kill_daemon("engine")
        self.start_engine()
        self.assert_a_scan_is_blocked()

    def kill_9_of_the_sensor(self):
        self.scan()
        self.kill_daemon("sensor")
        self.start_sensor()
        self.assert_a_scan_is_blocked()

    def kill_9_of_all(self):
        self.scan()
        self.stop_daemons()
        self.kill_execd()
        self.start()
        self.start_engine()
        self.start_sensor()
        self.assert_a_scan_is_blocked()

    def flush_ruleset(self):
        nft("flush ruleset")

    def delete_the_table(self):
        nft("delete table inet portcullis")

    def delete_the_table_of_holds(self):
        nft("delete table inet portcullis_hold")

    def flush_the_sets(self):
        for name in self.sets():
            nft(f"flush set inet portcullis {name}")

    @staticmethod
    def sets():
        done = subprocess.run(["nft", "-j", "list", "sets", "inet"], capture_output=True, text=True)
        return [item["set"]["name"] for item in json.loads(done.stdout or '{"nftables":[]}')["nftables"]
                if item.get("set", {}).get("table") == "portcullis"]

    def chains(self):
        items = items_of("portcullis")
        return ([item["chain"]["name"] for item in items if "chain" in item],
                [(item["rule"]["chain"], item["rule"]["handle"]) for item in items if "rule" in item])

    def accept_in_front(self):
        chains, _ = self.chains()
        if chains:
            nft(f"insert rule inet portcullis {self.chance.choice(chains)} accept")

    def swap_a_rule(self):
        _, rules = self.chains()
        if rules:
            chain, handle = self.chance.choice(rules)
            nft(f"replace rule inet portcullis {chain} handle {handle} ip saddr 192.0.2.1 drop")

    def delete_a_rule(self):
        _, rules = self.chains()
        if rules:
            chain, handle = self.chance.choice(rules)
            nft(f"delete rule inet portcullis {chain} handle {handle}")

    def make_it_dormant(self):
        nft("add table inet portcullis { flags dormant; }")

    def tear_the_journal(self):
        """The power failed within a write: the last record is not whole. It was not acknowledged."""
        self.kill_execd()
        journal = self.home / "var/execd/bans.journal"
        with open(journal, "ab") as out:
            out.write(b'deadbeef {"address":"203.0.113.1","comm')
        self.start()

    def reboot(self):
        self.stop_daemons()
        self.kill_execd()
        nft("flush ruleset")
        time.sleep(self.chance.uniform(0, 1))
        self.start()
        self.start_engine()
        self.start_sensor()

    def delete_an_element(self):
        held = list(kernel())
        if held:
            address, kind = self.chance.choice(held)
            for name in self.sets():
                nft(f"delete element inet portcullis {name} {{ {address} }}")

    def nothing(self):
        time.sleep(self.chance.uniform(0, 1))

    # What must be so

    def disagreement(self):
        """What is wrong at this moment; '' = the kernel and the table agree, and both with what was asked for."""
        # What ends within these reads may be in one and not in the other.
        before = time.time()
        blocked, rows = kernel(), self.table()
        after = time.time()
        unsure = {address for address, until in self.until.items() if before - 1.5 < until < after + 1.5}
        for (address, kind), left in blocked.items():
            if left is None:
                return f"{address} is blocked without an end"
            if address not in unsure and after + left > self.until.get(address, 0) + TOLERANCE:
                return f"{address} is blocked until {after + left}, and was to be until {self.until.get(address)}"
            if (address, kind) not in rows and address not in unsure:
                return f"{address} is blocked ({kind}), and no ban explains it"
        for address, kind in rows:
            if (address, kind) not in blocked and address not in unsure:
                return f"{address} has a ban ({kind}), and is not blocked"
        kept = {address for address, _ in rows}
        for address, until in self.due.items():
            if until > after + 1 and address not in kept:
                return f"the ban of {address} is lost"
        held = holds()
        if held is None:
            return "there is no table of holds"
        for address, left in held.items():
            if left is None or left > HOLD_SECONDS:
                return f"{address} is held for {left} s"
        return self.rules_are_wrong()

    @staticmethod
    def rules_are_wrong():
        listed = subprocess.run(["nft", "-s", "list", "table", "inet", "portcullis"], capture_output=True, text=True).stdout
        for sign in ("dormant", "192.0.2.1", "\taccept\n"):
            if sign in listed:
                return f"the table of the responder holds {sign.strip()}"
        return "" if "drop" in listed else "the table of the responder has no rules"

    def assert_agreed(self, what):
        deadline = time.monotonic() + AGREED_WITHIN
        while problem := self.disagreement():
            self.assertLess(time.monotonic(), deadline, f"{what}: {problem}\n{self.log()}")
            time.sleep(0.05)

    def test_no_ban_is_lost_permanent_or_too_long(self):
        disturbances = [self.kill_9_of_execd, self.kill_9_of_the_responder, self.kill_9_of_the_engine,
                        self.kill_9_of_the_sensor, self.kill_9_of_all, self.flush_ruleset, self.delete_the_table,
                        self.delete_the_table_of_holds, self.flush_the_sets, self.accept_in_front, self.swap_a_rule,
                        self.delete_a_rule, self.make_it_dormant, self.tear_the_journal, self.reboot,
                        self.delete_an_element, self.set_the_clock, self.nothing]
        self.start()
        self.start_engine()
        self.start_sensor()
        for number in range(ROUNDS):
            disturbance = disturbances[number] if number < len(disturbances) else self.chance.choice(disturbances)
            for _ in range(self.chance.randint(1, 6)):
                self.ban()
            if self.chance.random() < 0.3:
                self.unban()
            if self.chance.random() < 0.3:
                self.hold()
            if self.chance.random() < 0.3:
                self.scan()
            disturbance()
            for _ in range(self.chance.randint(0, 2)):
                self.ban()
            self.assert_agreed(f"round {number}, seed {SEED}, {disturbance.__name__}")
            # The journal alone says the same.
            rows = self.table()
            self.kill_execd()
            self.start()
            self.assert_agreed(f"round {number}, seed {SEED}, {disturbance.__name__}, read back from the journal")
            again = self.table()
            now = time.time()
            ends = now + self.clock
            # A hard ban may have ended meanwhile, and a soft one followed.
            self.assertLessEqual({address for (address, _), until in rows.items() if until > ends + 2},
                                 {address for address, _ in again})
            self.assertLessEqual({address for address, _ in again}, {address for address, _ in rows})
            self.due = {address: until for address, until in self.due.items() if until > now}
        if ROUNDS >= len(disturbances):
            self.assertIn("the clock was set by", (self.home / "logs/ossec.log").read_text())
        self.assertTrue(self.ask({"op": "flush"})["ok"])
        self.assertEqual({}, kernel())
        self.assertEqual({}, self.table())
        self.assertEqual({}, holds())


def setUpModule():
    for command in (f"ip link add {LINK} type veth peer name {SCANNER}", f"ip addr add {TARGET}/24 dev {LINK}",
                    f"ip link set {LINK} up", f"ip link set {SCANNER} up"):
        subprocess.run(command.split(), check=True)
    mac = mac_of(SCANNER).hex(":")
    for command in (f"ip neigh add {GATEWAY} lladdr {mac} dev {LINK}", f"ip route add default via {GATEWAY}"):
        subprocess.run(command.split(), check=True)


def mac_of(interface):
    done = subprocess.run(["ip", "-j", "link", "show", interface], check=True, capture_output=True, text=True)
    return bytes.fromhex(json.loads(done.stdout)[0]["address"].replace(":", ""))


if __name__ == "__main__":
    execd_home.main()
