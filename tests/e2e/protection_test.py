#!/usr/bin/env python3
"""What execd spares, how little it may, and what portcullis-control says of it, on a real kernel, in network
namespaces of their own.

usage: protection_test.py SOURCE_DIR BIN_DIR
"""
import json
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import sys
import time

import execd_home
from execd_home import BIN, SOURCE, ExecdCase

SCRIPT = """<ossec_config>
  <command><name>script</name><executable>script.sh</executable><expect>srcip</expect>
    <timeout_allowed>yes</timeout_allowed></command>
  <active-response><command>script</command><location>local</location>
    <level>6</level><timeout>600</timeout></active-response>
</ossec_config>
"""
OURS, DATABASE, PEER_NAMESPACE = "198.51.100.1", "198.51.100.2", f"pcdb{os.getpid() % 1000000}"
CAPABILITIES = {"CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_DAC_READ_SEARCH": 2, "CAP_FOWNER": 3, "CAP_FSETID": 4,
                "CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7, "CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13,
                "CAP_SYS_PTRACE": 19, "CAP_SYS_NICE": 23, "CAP_AUDIT_WRITE": 29}
# A database: accepts one connection, says the port, and answers each byte.
SERVER = """
import socket, sys, threading
listener = socket.create_server((sys.argv[1], 5432))
print("listens", flush=True)
connections = []
while True:
    connection, _ = listener.accept()
    connections.append(connection)
    def serve(c=connection):
        while data := c.recv(1): c.sendall(data)
    threading.Thread(target=serve, daemon=True).start()
"""


def as_nobody(path):
    """Connects, again and again, of a user who may not talk to execd."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.setblocking(False)
        client.connect(path)
        client.send(b'{"op":"flush"}')


def as_root(path, silent=[]):
    """Half messages, messages that are none, and connections that say nothing more."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    silent.append(client)
    if len(silent) > 8:
        silent.pop(0).close()
    client.setblocking(False)
    client.connect(path)
    for _ in range(200):
        client.send(b'{"op":"list",')
        client.send(b"x" * 5000)


def start_flood(source, uid, path):
    """A process of `uid` that does nothing else than `source`, until it is killed."""
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        while True:
            try:
                source(path)
            except OSError:
                pass
    return child


def mask_of(*names):
    return sum(1 << CAPABILITIES[name] for name in names)


def status_of(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(re.findall(r"^(\w+):\t(.*)$", text, re.M))


class Protection(ExecdCase):
    @staticmethod
    def respond(connection, address, command="firewall-drop", alert="1700000000.12"):
        connection.send(json.dumps({
            "op": "respond", "command": command, "timeout": 600, "user": "-", "srcip": address, "filename": "-",
            "alert_id": alert, "rule_id": 99990, "location": "host->/var/log/iplog"}).encode())

    # Peers of our own connections

    def make_database(self):
        subprocess.run(["ip", "netns", "add", PEER_NAMESPACE], check=True)
        self.addCleanup(subprocess.run, ["ip", "netns", "del", PEER_NAMESPACE])
        for command in (f"ip link add pcp0 type veth peer name pcp1 netns {PEER_NAMESPACE}",
                        f"ip addr add {OURS}/24 dev pcp0", "ip link set pcp0 up", "ip link set lo up",
                        f"ip -n {PEER_NAMESPACE} addr add {DATABASE}/24 dev pcp1",
                        f"ip -n {PEER_NAMESPACE} link set pcp1 up"):
            subprocess.run(command.split(), check=True)
        self.addCleanup(subprocess.run, ["ip", "link", "del", "pcp0"])
        server = subprocess.Popen(["ip", "netns", "exec", PEER_NAMESPACE, sys.executable, "-c", SERVER, DATABASE],
                                  stdout=subprocess.PIPE)
        self.addCleanup(server.wait)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.kill)
        self.assertEqual(b"listens\n", server.stdout.readline())

    def test_a_forged_scan_does_not_cut_us_off_a_database(self):
        self.make_database()
        session = socket.create_connection((DATABASE, 5432), timeout=20)
        self.addCleanup(session.close)
        local_port = session.getsockname()[1]
        connection = self.start()
        self.respond(connection, DATABASE)
        (record,) = self.wait_for("a record", lambda: self.records(DATABASE))
        self.assertEqual("spared", record["outcome"])
        self.assertEqual("never blocked: peer of a connection that this host opened "
                         f"(local port {local_port}, remote port 5432, open since before execd started)",
                         record["reason"])
        session.sendall(b"x")
        self.assertEqual(b"x", session.recv(1))
        shown = self.control("protected", DATABASE)
        self.assertIn(f"{DATABASE}: protected: peer of a connection that this host opened", shown.stdout)
        everything = self.control("protected").stdout
        for expected in (rf"^{DATABASE} +peer of a connection that this host opened", rf"^{OURS} +own address$",
                         r"^127\.0\.0\.0/8 +loopback address$"):
            self.assertRegex(everything, re.compile(expected, re.M))
        why = self.control("why", DATABASE)
        self.assertEqual(0, why.returncode, why.stderr)
        self.assertIn(f"{DATABASE}: not blocked\nnever-block list: never blocked: peer of a connection", why.stdout)
        self.assertIn("spared: never blocked: peer of a connection", why.stdout)

        # Somebody who connected to us is not spared, nor is our peer once the connection has ended.
        session.close()
        self.wait_for("it may be blocked", lambda: "not protected" in self.control("protected", DATABASE).stdout)
        self.respond(connection, DATABASE)
        self.wait_for("a second record", lambda: len(self.records(DATABASE)) == 2)
        self.assertEqual("executed", self.records(DATABASE)[1]["outcome"])

    def test_a_connection_that_was_just_opened_spares_nobody(self):
        self.make_database()
        connection = self.start()
        session = socket.create_connection((DATABASE, 5432), timeout=20)
        self.addCleanup(session.close)
        self.respond(connection, DATABASE)
        (record,) = self.wait_for("a record", lambda: self.records(DATABASE))
        self.assertEqual("executed", record["outcome"])

    # Capabilities

    def test_execd_and_its_responder_keep_only_the_capabilities_they_need(self):
        self.start()
        responder = self.wait_for("the responder runs", lambda: subprocess.run(
            ["pgrep", "-P", str(self.process.pid), "-x", "firewall-drop"], capture_output=True, text=True).stdout)
        allowed = int(status_of("self")["CapPrm"], 16)
        for pid, names in ((self.process.pid, ("CAP_NET_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH",
                                               "CAP_SYS_NICE")),
                           (int(responder), ("CAP_NET_ADMIN", "CAP_SYS_NICE"))):
            expected = mask_of(*names) & allowed
            for task in os.listdir(f"/proc/{pid}/task"):
                with self.subTest(names=names, task=task):
                    status = self.wait_for("it has given up the others", lambda path=f"{pid}/task/{task}": (
                        lambda now: now if int(now["CapPrm"], 16) == expected else None)(status_of(path)))
                    self.assertEqual(expected, int(status["CapEff"], 16))
                    self.assertEqual(0, int(status["CapInh"], 16))
                    self.assertEqual(0, int(status["CapAmb"], 16))
                    self.assertEqual("1", status["NoNewPrivs"])
        # With these it blocks, and releases.
        self.assertEqual(0, self.control("ban", "203.0.113.1").returncode)
        self.assertEqual("1 ban undone\n", self.control("unban", "203.0.113.1").stdout)

    def test_scripts_have_what_scripts_of_administrators_need(self):
        (self.home / "etc/ossec.conf").write_text(SCRIPT)
        victim = self.home / "hosts.deny"
        victim.write_text("")
        os.chown(victim, 65534, 65534)
        victim.chmod(0o600)
        script = self.home / "active-response/bin/script.sh"
        script.write_text(f"#!/bin/sh\nset -e\ngrep CapEff /proc/self/status >{self.home}/capabilities\n"
                          f"echo \"ALL: $3\" >>{victim}\nchown root {victim}\n")
        script.chmod(0o700)
        self.respond(self.start(), "203.0.113.1", command="script")
        (record,) = self.wait_for("a record", lambda: self.records("203.0.113.1"))
        self.assertEqual("executed", record["outcome"], record)
        self.assertEqual("ALL: 203.0.113.1\n", victim.read_text())
        self.assertEqual(0, victim.stat().st_uid)
        got = int((self.home / "capabilities").read_text().split()[1], 16)
        self.assertEqual(mask_of(*CAPABILITIES) & int(status_of("self")["CapPrm"], 16), got)

    # What is shown

    def test_why_shows_the_chain_also_of_one_that_was_not_blocked(self):
        line = "Nov 14 18:09:12 TCP: SYN scan detected [ports 21,23] from 203.0.113.9 [port 40000] \x1b[31m"
        alerts = [{"rule": {"level": 8, "comment": "iplog: scan", "sidid": 99990}, "id": f"1700000000.{number}",
                   "TimeStamp": 1700000000000, "srcip": address, "location": "host->/var/log/iplog", "full_log": line}
                  for number, address in ((1, "203.0.113.9"), (2, "203.0.113.8"))]
        (self.home / "logs/alerts/alerts.json").write_text("".join(json.dumps(each) + "\n" for each in alerts))
        # An old record with steps, in a rotated file.
        (self.home / "logs/active-responses.json.1").write_text(json.dumps({
            "time": 1700000000.5, "action": "add", "command": "firewall-drop", "address": "203.0.113.9",
            "alert": "1700000000.0", "rule": 99990, "location": "host->/var/log/iplog", "outcome": "deferred",
            "reason": "max_bans_per_minute", "evidence": "forgeable", "block": "soft",
            "steps": ["evidence is forgeable: soft", "max_bans_per_minute (3) is reached"]}) + "\n" + "x" * 3_000_000
            + "\n{\"half\": ")
        self.respond(self.start(), "203.0.113.9", alert="1700000000.1")
        self.wait_for("a record", lambda: self.records("203.0.113.9"))
        for is_running in (True, False):
            with self.subTest(is_running=is_running):
                why = self.control("why", "203.0.113.9")
                self.assertEqual(0, why.returncode, why.stderr)
                for expected in (r"^203\.0\.113\.9: blocked \(hard\) since .* left\), by firewall-drop, rule 99990",
                                 r"^never-block list: not listed$", r"firewall-drop add 203\.0\.113\.9: executed: ",
                                 r"^    alert 1700000000\.1,", r"^    rule 99990 \(level 8\): iplog: scan$",
                                 r"^    line Nov 14 18:09:12 TCP: SYN scan detected .*\?\[31m$",
                                 r"deferred: max_bans_per_minute$", r"^    forgeable evidence, soft block$",
                                 r"^    step: evidence is forgeable: soft$",
                                 r"^    decided: max_bans_per_minute \(3\) is reached$"):
                    self.assertRegex(why.stdout, re.compile(expected, re.M))
                self.assertNotIn("\x1b", why.stdout)
                other = self.control("why", "203.0.113.8").stdout
                self.assertIn("203.0.113.8: not blocked\n", other)
                self.assertIn("responses: none for 203.0.113.8\nalerts without a record of a response", other)
                nobody = self.control("why", "203.0.113.80").stdout
                self.assertIn("alerts: none about 203.0.113.80\n", nobody)
            self.stop()
        self.assertEqual(1, self.control("why", "nobody").returncode)

    def test_why_reads_alerts_in_ossecs_form_and_big_files_from_their_end(self):
        (self.home / "logs/alerts/alerts.log").write_text(
            "** Alert 1700000000.1: - iplog,\n2023 Nov 14 18:09:12 host->/var/log/iplog\n"
            "Rule: 99990 (level 8) -> 'iplog: scan'\nSrc IP: 203.0.113.9\nthe line of the sensor\n\n"
            + "** Alert 1700000000.2: - iplog,\n2023 Nov 14 18:09:12 host->/var/log/iplog\n"
              "Rule: 99990 (level 8) -> 'iplog: scan'\nSrc IP: 203.0.113.99\nanother line\n\n" * 1000)
        with open(self.home / "logs/active-responses.json", "wb") as big:
            big.truncate(300 << 20)  # a hole: far more than is read
        began = time.monotonic()
        why = subprocess.run(["/usr/bin/time", "-f", "%M", BIN / "portcullis-control", "-D", self.home, "why",
                              "203.0.113.9"], capture_output=True, text=True, timeout=60)
        self.assertLess(time.monotonic() - began, 30)
        self.assertIn("    rule 99990 (level 8) -> 'iplog: scan'\n    line the line of the sensor\n", why.stdout)
        self.assertIn("incomplete: only the last 128 MB of ", why.stdout)
        if why.stderr.splitlines()[-1].isdigit():
            self.assertLess(int(why.stderr.splitlines()[-1]), 100_000, "kB of memory")

    def test_bans_as_json_and_dry_run(self):
        self.start()
        self.control("ban", "203.0.113.1", "3661")
        subprocess.run(["nft", "add", "element", "inet", "portcullis", "v4", "{ 203.0.113.77 }"], check=False)
        rows = [json.loads(line) for line in self.control("bans", "--json").stdout.splitlines()]
        ban = rows[0]
        self.assertEqual(("ban", "203.0.113.1", "hard", "proven", False, 0),
                         tuple(ban[key] for key in ("kind", "address", "block", "evidence", "dry_run", "rule")))
        self.assertTrue(3600 < ban["left"] <= 3661, ban)
        self.assertEqual(3661, ban["until"] - ban["since"])
        self.assertRegex(self.control("bans").stdout, r"203\.0\.113\.1 .* 1 h 1 min hard +proven +firewall-drop .*by hand")
        self.control("flush")
        self.stop()
        self.start("--dry-run")
        self.assertEqual("dry run: execd blocks no address\nthere are no bans\n", self.control("bans").stdout)
        self.assertRegex(self.control("status").stdout, r"blocks +0 bans of a dry run: no address is blocked")

    def test_unban_of_nobody_is_no_failure(self):
        (self.home / "etc/ossec.conf").write_text(SCRIPT)
        done = self.control("unban", "203.0.113.1")
        self.assertEqual((0, "nothing to do, there is no ban of this address\n"), (done.returncode, done.stdout), done.stderr)
        self.assertEqual(1, self.control("unban", "nobody").returncode)

    def test_status_files_cannot_steer_a_terminal(self):
        names = {"events": 7, "\x1b]0;owned\x07": 1, "engine   runs (process 1)": 2, "a" * 5000: 3, "x\ny": 4}
        (self.home / "queue/engine-status.json").write_text(json.dumps(names))
        shown = self.control("status").stdout
        self.assertRegex(shown, re.compile(r"^  events +7$", re.M))
        self.assertIn("  4 entries of queue/engine-status.json are not counters and are not shown\n", shown)
        self.assertNotIn("\x1b", shown)
        self.assertNotIn("process 1", shown)
        self.assertLess(len(shown), 2000)

    # The socket

    def test_floods_at_the_socket_delay_nobody_and_fill_no_disk(self):
        self.start()
        path = str(self.home / "run/execd.sock")
        floods = [start_flood(source, uid, path)
                  for source, uid in ((as_nobody, 65534), (as_nobody, 65534), (as_root, 0))]

        def end_floods():
            while floods:
                flood = floods.pop()
                os.kill(flood, signal.SIGKILL)
                os.waitpid(flood, 0)
        self.addCleanup(end_floods)
        took = []
        begin = time.monotonic()
        while time.monotonic() - begin < 5:
            asked = time.monotonic()
            try:
                other = self.connect()
                other.send(json.dumps({"op": "ban", "address": f"203.0.113.{len(took) % 250 + 1}",
                                       "timeout": 600}).encode())
                self.assertTrue(json.loads(other.recv(4096))["ok"])
                other.close()
            except (BlockingIOError, ConnectionResetError):
                pass
            took.append(time.monotonic() - asked)
        for flood in floods:
            self.assertEqual((0, 0), os.waitpid(flood, os.WNOHANG), "a flood ended")
        end_floods()
        took.sort()
        size = sum(path.stat().st_size for path in (self.home / "logs").rglob("*") if path.is_file())
        print(f"\n{len(took)} bans during the floods: median {took[len(took) // 2] * 1000:.1f} ms, "
              f"99 % {took[len(took) * 99 // 100] * 1000:.1f} ms, longest {took[-1] * 1000:.1f} ms; "
              f"logs {size / 1024:.0f} kB, {size / len(took):.0f} bytes for each ban")
        self.assertLess(took[len(took) * 9 // 10], 0.2)
        # Two records of half a kB for each ban, and some hundred of refusals.
        self.assertLess(size, 1200 * len(took) + 200_000)

    def test_the_lock_of_scripts_run_is_for_root_alone(self):
        text = (SOURCE / "scripts/run").read_text()
        lines = "\n".join(line for line in text.splitlines() if "run.lock" in line)
        (self.home / "run/run.lock").touch(0o644)
        subprocess.run(["bash", "-euc", f"die() {{ exit 1; }}\nhome={self.home}\n{lines}"], check=True, umask=0o022)
        self.assertEqual(0o600, stat.S_IMODE((self.home / "run/run.lock").stat().st_mode))


if __name__ == "__main__":
    execd_home.main()
