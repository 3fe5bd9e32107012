#!/usr/bin/env python3
"""firewall-drop alone between two hosts: what soft and hard blocks let through, for IPv4 and IPv6, whole and in
fragments, at the host itself and through it; and that others cannot undo its work for long."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import lab
from lab import BIN, VICTIM, VICTIM6, sh, wait_until

# Runs on the other host: one JSON command per line, one JSON answer per line.
AGENT = r"""
import json, socket, struct, sys, threading
def family(a): return socket.AF_INET6 if ":" in a else socket.AF_INET
kept = []
def serve_tcp(s):
    while True:
        c, _ = s.accept()
        threading.Thread(target=echo, args=(c,), daemon=True).start()
def echo(c):
    while True:
        d = c.recv(100)
        if not d: return
        c.sendall(d)
def serve_udp(s, size):
    while True:
        d, a = s.recvfrom(5000)
        s.sendto(d + b"x" * size, a)
def do(c):
    op = c["op"]
    if op == "serve":
        s = socket.socket(family(c["address"])); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((c["address"], 7)); s.listen()
        threading.Thread(target=serve_tcp, args=(s,), daemon=True).start()
        u = socket.socket(family(c["address"]), socket.SOCK_DGRAM); u.bind((c["address"], 53))
        threading.Thread(target=serve_udp, args=(u, 3000), daemon=True).start()
    elif op == "open":
        s = socket.create_connection((c["to"], c["port"]), 5, source_address=(c["from"], 0)); s.settimeout(5)
        kept.append(s)
    elif op == "echo":
        try:
            kept[c.get("which", -1)].sendall(b"ping"); return kept[c.get("which", -1)].recv(100) == b"ping"
        except OSError: return False
    elif op == "connects":
        try: socket.create_connection((c["to"], c["port"]), c["seconds"], source_address=(c["from"], 0)).close(); return True
        except OSError: return False
    elif op == "udp":
        u = socket.socket(family(c["to"]), socket.SOCK_DGRAM); u.bind((c["from"], 0)); u.settimeout(1)
        u.connect((c["to"], c["port"]))
        try:
            u.send(b"q" * c["size"]); return len(u.recv(5000)) > 0
        except OSError: return False
    elif op == "syn6":
        # A SYN whose options are in the second fragment.
        src, dst = (socket.inet_pton(socket.AF_INET6, c[n]) for n in ("from", "to"))
        data = b"d" * 8
        def tcp(checksum): return struct.pack("!HHIIBBHHH4B", 40000 + c["port"], c["port"], 7, 0, 6 << 4, 2, 1024,
                                              checksum, 0, 2, 4, 5, 180) + data
        pseudo = src + dst + struct.pack("!II", 32, 6)
        total = sum(struct.unpack("!%dH" % (len(pseudo + tcp(0)) // 2), pseudo + tcp(0)))
        while total >> 16: total = (total & 0xffff) + (total >> 16)
        segment = tcp(~total & 0xffff)
        s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
        for offset, more, part in ((0, 1, segment[:24]), (24, 0, segment[24:])):
            fragment = struct.pack("!BBHI", 6, 0, offset | more, c["port"]) + part
            s.sendto(struct.pack("!IHBB", 6 << 28, len(fragment), 44, 64) + src + dst + fragment, (c["to"], 0))
    return True
for line in sys.stdin:
    try: answer = do(json.loads(line))
    except OSError as error: answer = str(error)
    print(json.dumps(answer), flush=True)
"""


def ruleset(command):
    return subprocess.run(["nft", *command.split()], capture_output=True, text=True, check=False).stdout


def nft(text):
    subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True)


class Responder:
    """A persistent firewall-drop."""

    def __init__(self, program=None):
        self.process = subprocess.Popen([program or BIN / "firewall-drop", "persistent"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.supports = json.loads(self.process.stdout.readline())["supports"]
        self.events = []
        self.replies = {}
        self.held = {}
        self.last_id = 0
        self.news = threading.Condition()
        self.errors = ""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            message = json.loads(line)
            with self.news:
                if "event" in message:
                    self.events.append(message)
                elif "held" in message:
                    self.held.setdefault(message["id"], []).extend(message["held"])
                else:
                    self.replies[message["id"]] = message
                self.news.notify_all()

    def ask(self, action, address, **more):
        self.last_id += 1
        number = self.last_id
        request = {"id": number, "action": action, "address": address, "timeout": 600, **more}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        with self.news:
            if not self.news.wait_for(lambda: number in self.replies, 10):
                raise AssertionError(f"no reply to {request}")
        return self.replies[number]

    def block(self, address, kind="hard", **more):
        reply = self.ask("add", address, block=kind, **more)
        if not reply["ok"]:
            raise AssertionError(reply)

    def list(self, address="-"):
        """(address, block) of what it holds."""
        self.ask("list", address)
        return {(row["address"], row["block"]) for row in self.held.get(self.last_id, [])}

    def wait_for_event(self, words):
        with self.news:
            if not self.news.wait_for(lambda: any(words in event["text"] for event in self.events), 15):
                raise AssertionError(f'no event "{words}": {self.events}')

    def close(self):
        """What it wrote to standard error."""
        if not self.process.stdin.closed:
            self.process.stdin.close()
            self.process.wait()
            self.reader.join()
            self.process.stdout.close()
            self.errors = self.process.stderr.read()
            self.process.stderr.close()
        return self.errors


# What leaves this host to the addresses of the other one, by family: what is late of one must not count for the other.
COUNTERS = "table inet pcseen {\n" + "".join(f"""
    counter rst{v} {{ }}
    counter synack{v} {{ }}
    counter unreachable{v} {{ }}
    counter reply{v} {{ }}
    chain out{v} {{
        type filter hook postrouting priority 300;
        oifname != pcvictim return
        {ip} daddr != @OTHER{v}@ return
        meta nfproto != ipv{v} return
        tcp flags & rst == rst counter name rst{v}
        tcp flags & (syn | ack) == (syn | ack) counter name synack{v}
        {icmp} type destination-unreachable counter name unreachable{v}
        {icmp} type echo-reply counter name reply{v}
    }}
""" for v, ip, icmp in ((4, "ip", "icmp"), (6, "ip6", "icmpv6"))) + "}\n"


def sent(address):
    """Name of a counter -> packets of the address's family, since the last call."""
    listed = json.loads(subprocess.run(["nft", "-j", "reset", "counters", "table", "inet", "pcseen"], check=True,
                                       capture_output=True, text=True).stdout)
    family = "6" if ":" in address else "4"
    return {item["counter"]["name"][:-1]: item["counter"]["packets"] for item in listed["nftables"]
            if item.get("counter", {}).get("name", "").endswith(family)}


class HostCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scanner = lab.Scanner()
        cls.addClassCleanup(cls.scanner.close)

    def setUp(self):
        subprocess.run(["nft", "flush", "ruleset"], check=True)
        self.v4, self.v6 = self.scanner.new_address()
        nft(COUNTERS.replace("@OTHER4@", self.v4).replace("@OTHER6@", self.v6))
        self.agent = self.scanner.start(["python3", "-c", AGENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.addCleanup(self.stop_agent)
        self.responder = Responder()
        self.addCleanup(self.responder.close)

    def stop_agent(self):
        self.agent.kill()
        self.agent.wait()
        self.agent.stdin.close()
        self.agent.stdout.close()

    def tell(self, op, **arguments):
        self.agent.stdin.write(json.dumps({"op": op, **arguments}) + "\n")
        self.agent.stdin.flush()
        return json.loads(self.agent.stdout.readline())

    def families(self):
        return (VICTIM, self.v4), (VICTIM6, self.v6)


class Soft(HostCase):
    def setUp(self):
        super().setUp()
        self.servers = contextlib.ExitStack()
        self.addCleanup(self.servers.close)

    def serve(self, address):
        """TCP and UDP port 7 answer what they get."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        tcp = self.servers.enter_context(socket.socket(family))
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind((address, 7))
        tcp.listen()
        udp = self.servers.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        udp.bind((address, 7))

        def echo(connection):
            with connection, contextlib.suppress(OSError):
                while data := connection.recv(100):
                    connection.sendall(data)

        def serve_tcp():
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=echo, args=(tcp.accept()[0],), daemon=True).start()

        def serve_udp():
            with contextlib.suppress(OSError):
                while True:
                    data, source = udp.recvfrom(5000)
                    udp.sendto(data[:10], source)
        for server in (serve_tcp, serve_udp):
            threading.Thread(target=server, daemon=True).start()

    def nmap(self, scan, to, *more):
        six = ["-6"] if ":" in to else []
        self.scanner.run(["nmap", *six, "-n", "-Pn", "--max-retries", "0", "--max-rtt-timeout", "100ms",
                          "--min-rate", "100", "--host-timeout", "20s", *scan.split(),
                          *more, to])

    def probe(self, ours, theirs):
        """All that a scanner sends. What left this host because of it."""
        sent(ours)
        for scan in ("-sS", "-sF", "-sN", "-sX", "-sA", "-sM", "-sW"):
            self.nmap(scan, ours, "-p1-10")
        if ":" in ours:
            for port in range(11, 16):
                self.tell("syn6", **{"from": theirs, "to": ours, "port": port})
        else:
            self.nmap("-sS -f", ours, "-p11-15")
        self.nmap("-sU", ours, "-p20-22,40000-40002")
        self.scanner.run(["ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", ours], check=False)
        return sent(ours)

    def own_connections_work(self, ours, theirs):
        with socket.create_connection((theirs, 7), 5) as connection:
            connection.sendall(b"own")
            self.assertEqual(b"own", connection.recv(100))
        with socket.socket(socket.AF_INET6 if ":" in ours else socket.AF_INET, socket.SOCK_DGRAM) as query:
            query.settimeout(5)
            query.sendto(b"question", (theirs, 53))  # the answer comes in fragments
            self.assertEqual(3008, len(query.recv(5000)))

    def test_soft_keeps_connections_and_stops_the_rest(self):
        self.assertIn("soft", self.responder.supports)
        for ours, theirs in self.families():
            self.serve(ours)
            self.tell("serve", address=theirs)
            self.assertIs(True, self.tell("open", to=ours, port=7, **{"from": theirs}))
            before = self.probe(ours, theirs)
            for what, least in (("rst", 60), ("synack", 1), ("unreachable", 6), ("reply", 2)):
                self.assertGreaterEqual(before[what], least, before)
            large = {"to": ours, "port": 7, "from": theirs, "size": 3000}
            small = {**large, "size": 10}
            self.assertTrue(self.tell("udp", **large))

            # Held open by us to them, too.
            with socket.create_connection((theirs, 7), 5) as outward:
                self.responder.block(theirs, "soft")
                self.assertEqual({"rst": 0, "synack": 0, "unreachable": 0, "reply": 0}, self.probe(ours, theirs), ours)
                self.assertTrue(self.tell("echo"))
                outward.sendall(b"still")
                self.assertEqual(b"still", outward.recv(100))
            self.own_connections_work(ours, theirs)
            self.assertFalse(self.tell("connects", to=ours, port=7, seconds=1.5, **{"from": theirs}))
            self.assertFalse(self.tell("udp", **small))
            self.assertFalse(self.tell("udp", **large))
            self.assertTrue(self.tell("echo"))

            self.responder.block(theirs, "hard")
            self.assertEqual({(theirs, "hard")}, self.responder.list(theirs))
            self.assertFalse(self.tell("echo"))
            with self.assertRaises(OSError):
                socket.create_connection((theirs, 7), 1.5).close()
            self.assertEqual({"rst": 0, "synack": 0, "unreachable": 0, "reply": 0}, self.probe(ours, theirs), ours)

            self.responder.block(theirs, "soft")
            self.assertEqual({(theirs, "soft")}, self.responder.list(theirs))
            self.own_connections_work(ours, theirs)
            self.responder.ask("delete", theirs)
            self.assertEqual(set(), self.responder.list(theirs))
            self.assertTrue(self.tell("connects", to=ours, port=7, seconds=5, **{"from": theirs}))

    def test_what_a_service_port_is_follows_the_kernel(self):
        udp = self.servers.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind((VICTIM, 30000))
        udp.settimeout(1)
        self.responder.block(self.v4, "soft")
        ports = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")
        usual = ports.read_text()
        self.addCleanup(ports.write_text, usual)
        ports.write_text("20000 60999")

        def arrives():
            self.tell("udp", to=VICTIM, port=30000, size=10, **{"from": self.v4})
            with contextlib.suppress(socket.timeout):
                return udp.recv(100)
            return None
        wait_until("the new range is in use", arrives, 15)
        self.assertIn("udp dport < 20000 drop", ruleset("list chain inet portcullis soft"))
        self.assertEqual([], self.responder.events)

    def test_behind_a_router(self):
        holder = subprocess.Popen(["unshare", "--net", "sleep", "600"])
        self.addCleanup(holder.wait)
        self.addCleanup(holder.kill)
        own = os.readlink("/proc/self/ns/net")
        wait_until("the inner namespace", lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != own)
        sh(f"ip link add pcinner type veth peer name pcguest netns {holder.pid}")
        self.addCleanup(sh, "ip link del pcinner")
        inside = ["nsenter", "--net", "--target", str(holder.pid)]
        inner = {VICTIM: ("10.10.151.2", "10.10.151.1/24", "10.10.151.2/24"),
                 VICTIM6: ("fd00:151::2", "fd00:151::1/64", "fd00:151::2/64")}
        for up in ("ip link set lo up", "ip link set pcguest up"):
            subprocess.run(inside + up.split(), check=True)
        sh("ip link set pcinner up")
        sh("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
        for ours, (guest, near, far) in inner.items():
            nodad = ["nodad"] if ":" in guest else []
            subprocess.run(["ip", "addr", "add", near, "dev", "pcinner", *nodad], check=True)
            subprocess.run([*inside, "ip", "addr", "add", far, "dev", "pcguest", *nodad], check=True)
            six = ["-6"] if ":" in guest else []
            subprocess.run([*inside, "ip", *six, "route", "add", "default", "via", near.split("/")[0]], check=True)
            self.scanner.run(["ip", *six, "route", "replace", f"{guest.rsplit(':' if six else '.', 1)[0]}"
                              f"{':0/112' if six else '.0/24'}", "via", ours])
        guest_agent = subprocess.Popen(inside + ["python3", "-c", AGENT], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)
        outer, self_agent = self.agent, guest_agent

        def on(agent, op, **arguments):
            self.agent = agent
            try:
                return self.tell(op, **arguments)
            finally:
                self.agent = outer
        try:
            for ours, theirs in self.families():
                guest = inner[ours][0]
                self.assertIs(True, on(self_agent, "serve", address=guest))
                self.tell("serve", address=theirs)
                self.assertIs(True, self.tell("open", to=guest, port=7, **{"from": theirs}))
                sent(ours)
                for scan in ("-sS", "-sA"):
                    self.nmap(scan, guest, "-p20-29")
                self.nmap("-sU", guest, "-p20-22")
                before = sent(ours)
                self.assertTrue(before["rst"] >= 20 and before["unreachable"] >= 1, before)
                self.responder.block(theirs, "soft")
                for scan in ("-sS", "-sA", "-sF"):
                    self.nmap(scan, guest, "-p20-29")
                self.nmap("-sU", guest, "-p20-22,40000-40002")
                self.assertEqual(0, sum(sent(ours).values()))
                self.assertTrue(self.tell("echo"))
                self.assertIs(True, on(self_agent, "open", to=theirs, port=7, **{"from": guest}))
                self.assertTrue(on(self_agent, "echo"))
                self.assertTrue(on(self_agent, "udp", to=theirs, port=53, size=10, **{"from": guest}))
                self.responder.block(theirs, "hard")
                self.assertFalse(self.tell("echo"))
                self.responder.ask("delete", theirs)
        finally:
            guest_agent.kill()
            guest_agent.wait()
            guest_agent.stdin.close()
            guest_agent.stdout.close()


class Networks(HostCase):
    def test_networks_that_overlap_are_bans_of_their_own(self):
        bans = ("10.10.0.0/16", "10.10.150.0/24", "10.10.150.0/25", self.v4,
                "fd00:150::/32", "fd00:150::/64", "fd00:150::/121", self.v6)
        for kind in ("hard", "soft"):
            for ban in bans:
                self.responder.block(ban, kind)
            self.assertEqual({(ban, kind) for ban in bans}, self.responder.list())
            # In an order that leaves each in turn the only one.
            for four, six in ((0, 4), (3, 7), (1, 5)):
                self.assertFalse(self.scanner.reaches_victim(VICTIM))
                self.assertFalse(self.scanner.reaches_victim(VICTIM6))
                self.responder.ask("delete", bans[four])
                self.responder.ask("delete", bans[six])
            self.assertEqual({(bans[2], kind), (bans[6], kind)}, self.responder.list())
            self.assertFalse(self.scanner.reaches_victim(VICTIM))
            self.assertFalse(self.scanner.reaches_victim(VICTIM6))
            self.responder.ask("delete", bans[2])
            self.responder.ask("delete", bans[6])
            self.assertTrue(self.scanner.reaches_victim(VICTIM))
            # A second or two: the solicitations of its neighbour discovery were dropped as well (RFC 4861, 10).
            wait_until("reached again", lambda: self.scanner.reaches_victim(VICTIM6))

    def test_a_network_runs_out_by_itself(self):
        self.responder.block("10.10.150.0/24", timeout=2)
        self.responder.block("10.10.150.0/25", timeout=600)
        wait_until("it has run out", lambda: self.responder.list() == {("10.10.150.0/25", "hard")})
        self.assertFalse(self.scanner.reaches_victim())

    def test_what_may_not_be_blocked_is_refused(self):
        for target in ("10.0.0.0/7", "fc00::/31", "127.0.0.0/8", "255.255.255.0/24", "::/32", "fe80::/32", "0.0.0.0/8"):
            self.assertFalse(self.responder.ask("add", target)["ok"], target)
        self.assertEqual(set(), self.responder.list())


class Disturbed(HostCase):
    DISTURBANCES = {
        "the ruleset is flushed": "flush ruleset",
        "the table is deleted": "delete table inet portcullis",
        "the table sleeps": "add table inet portcullis { flags dormant; }",
        "an accept in front": "insert rule inet portcullis gate accept",
        "an accept behind": "add rule inet portcullis gate accept",
        "a chain is flushed": "flush chain inet portcullis gate",
        "the soft chain is flushed": "flush chain inet portcullis soft",
        "another policy": "add chain inet portcullis gate { policy drop; }",
        "another chain": "add chain inet portcullis more { type filter hook input priority 0; }",
        "a set is flushed": "flush set inet portcullis v4",
        "an element is deleted": "delete element inet portcullis v4 { 198.51.100.1 }",
        "an element ends sooner": "delete element inet portcullis v4 { 198.51.100.1 }\n"
                                  "add element inet portcullis v4 { 198.51.100.1 timeout 5s }",
        "an element moves": "delete element inet portcullis v4_24 { 203.0.113.0 }\n"
                            "add element inet portcullis v4 { 203.0.113.0 }",
        "another hook": "flush chain inet portcullis gate\ndelete chain inet portcullis gate\n"
                        "add chain inet portcullis gate { type filter hook output priority -310; }\n"
                        "add rule inet portcullis gate ip saddr @v4 drop",
        "another priority": "flush chain inet portcullis input\ndelete chain inet portcullis input\n"
                            "add chain inet portcullis input { type filter hook input priority 100; }",
        "rules are swapped for others": "flush chain inet portcullis gate\n"
                                        "add rule inet portcullis gate ip daddr @v4 drop\n"
                                        "add rule inet portcullis gate ip saddr & 255.255.255.0 @v4_24 drop\n"
                                        "add rule inet portcullis gate ip6 saddr @v6 drop",
        "another type of set": "flush chain inet portcullis gate\ndelete set inet portcullis v4\n"
                               "add set inet portcullis v4 { type ipv4_addr; flags interval; }",
        "the table of an older version": """delete table inet portcullis
            add table inet portcullis
            add set inet portcullis v4 { type ipv4_addr; flags timeout; size 131072; }
            add chain inet portcullis gate { type filter hook prerouting priority -310; policy accept; }
            add rule inet portcullis gate ip saddr @v4 drop""",
        "an administrator's own": """delete table inet portcullis
            add table inet portcullis
            add chain inet portcullis gate
            add chain inet portcullis mine { type filter hook input priority 0; }
            add map inet portcullis v4 { type ipv4_addr : verdict; }
            add rule inet portcullis mine tcp dport vmap { 22 : accept, 23 : jump gate }""",
    }

    def form(self):
        """The table without counts and times, and the elements."""
        parts = ruleset("-s list table inet portcullis").split("\n\n")
        return sorted(re.sub(r"(timeout|expires) [\dsmh]+", "", part.replace("table inet portcullis {\n", "").strip("}\n"))
                      for part in parts)

    def test_every_disturbance_is_put_back_and_recorded_once(self):
        self.responder.block("198.51.100.1")
        self.responder.block("198.51.100.2", "soft", timeout=0)
        self.responder.block("203.0.113.0/24")
        due = self.responder.list()
        form = self.form()
        for name, commands in self.DISTURBANCES.items():
            with self.subTest(name):
                self.responder.events.clear()
                nft(commands)
                wait_until("it is put back", lambda: self.responder.list() >= due)
                self.responder.wait_for_event("nft (process ")
                self.responder.ask("delete", "203.0.113.0")  # what nobody of us put there
                wait_until("the form is put back", lambda: self.form() == form)
                self.assertEqual(1, len(self.responder.events), self.responder.events)
                self.responder.list()
                left = {row["address"]: row["left"] for row in self.responder.held[self.responder.last_id]
                        if "left" in row}
                self.assertTrue(all(500 < each <= 600 for each in left.values()), left)
                time.sleep(1.1)  # the right to put back grows by one a second

    def test_a_block_is_told_only_when_it_is_one(self):
        self.responder.block("203.0.113.0/24")
        # Each request meets a table that was changed an instant before.
        for number, commands in enumerate(self.DISTURBANCES.values(), 10):
            self.responder.block("198.51.100.1")
            nft(commands)
            self.responder.block(f"198.51.100.{number}")
            listed = ruleset("list table inet portcullis")
            self.assertIn(f"198.51.100.{number} timeout", listed, commands)
            self.assertIn("ip saddr @v4 drop", listed, commands)
            self.assertNotIn("dormant", listed)
            self.assertNotIn("accept\n", listed.split("chain gate")[1].split("}")[0].replace("policy accept;\n", ""))

    def test_other_tables_are_no_disturbance(self):
        self.responder.block("198.51.100.1")
        for number in range(30):
            nft(f"add table inet other\nadd set inet other s{number} {{ type ipv4_addr; }}")
            self.responder.block(f"198.51.100.{number + 2}")
        self.assertEqual(31, len(self.responder.list()))
        self.assertEqual([], self.responder.events)

    def test_a_leftover_is_put_in_order_at_the_start_and_its_elements_stay(self):
        self.responder.close()
        subprocess.run(["nft", "delete", "table", "inet", "portcullis"], check=False, capture_output=True)
        nft("""
table inet portcullis {
    set v4 { type ipv4_addr; flags timeout; size 131072; elements = { 198.51.100.7 timeout 1h } }
    set v6_48 { type ipv6_addr; flags timeout; size 131072; elements = { 2001:db8:7:: timeout 1h } }
    chain gate { type filter hook input priority 0; accept; }
}""")
        self.responder = Responder()
        self.addCleanup(self.responder.close)
        self.responder.wait_for_event("the table inet portcullis had another form")
        self.responder.block("198.51.100.7", "soft")
        self.assertEqual({("198.51.100.7", "soft"), ("2001:db8:7::/48", "hard")}, self.responder.list())
        listed = ruleset("list chain inet portcullis gate")
        self.assertIn("hook prerouting priority raw - 10", listed)
        self.assertIn("ip6 saddr & ffff:ffff:ffff:: == @v6_48 drop", listed)

    def test_many_blocks_come_back_after_a_flush(self):
        for number in range(0, 3000):
            self.responder.last_id += 1
            self.responder.process.stdin.write(json.dumps(
                {"id": self.responder.last_id, "action": "add", "address": f"10.1.{number >> 8}.{number & 255}",
                 "timeout": 600, "block": ("hard", "soft")[number % 2]}) + "\n")
        self.responder.process.stdin.flush()
        wait_until("all are blocked", lambda: len(self.responder.list()) == 3000)
        for commands in ("flush ruleset", "flush set inet portcullis soft4"):
            nft(commands)
            wait_until("all are back", lambda: len(self.responder.list()) == 3000)

    def test_two_parties_that_fight_do_not_loop(self):
        self.responder.block("198.51.100.1")
        end = time.monotonic() + 6
        changes = 0
        while time.monotonic() < end:
            subprocess.run(["nft", "insert", "rule", "inet", "portcullis", "gate", "accept"], check=False,
                           capture_output=True)
            changes += 1
        self.assertGreater(changes, 30)
        self.responder.wait_for_event("again and again")
        self.assertLess(len(self.responder.events), 35)
        wait_until("it is put back in the end",
                   lambda: ruleset("list chain inet portcullis gate").count("accept") == 1)


class Homes(HostCase):
    def home(self):
        folder = tempfile.TemporaryDirectory(prefix="pc-fw-")
        self.addCleanup(folder.cleanup)
        program = pathlib.Path(folder.name) / "active-response/bin/firewall-drop"
        program.parent.mkdir(parents=True)
        shutil.copy(BIN / "firewall-drop", program)
        return program

    @staticmethod
    def call(program, action, address, **environment):
        done = subprocess.run([program, action, "-", address], capture_output=True, text=True, check=False,
                              env={"PORTCULLIS_TIMEOUT": "600", **environment})
        return done.returncode, done.stderr

    def test_the_second_home_is_refused_with_a_clear_word(self):
        self.responder.close()
        one, two = self.home(), self.home()
        first = Responder(one)
        first.block("198.51.100.1")
        second = Responder(two)
        word = f"in use by the home {one.parent.parent.parent} (process {first.process.pid})"
        for action in ("add", "delete", "list"):
            reply = second.ask(action, "198.51.100.1")
            self.assertFalse(reply["ok"])
            self.assertIn(word, reply["error"])
        code, error = self.call(two, "delete", "198.51.100.1")
        self.assertEqual(1, code)
        self.assertIn(word, error)
        self.assertEqual({("198.51.100.1", "hard")}, first.list())
        # A call of the same home succeeds.
        self.assertEqual((0, ""), self.call(one, "add", "198.51.100.2"))
        self.assertEqual((0, ""), self.call(one, "add", "198.51.100.3", PORTCULLIS_BLOCK="soft"))
        self.assertEqual((1, "firewall-drop: 198.51.100.3: PORTCULLIS_BLOCK is neither hard nor soft\n"),
                         self.call(one, "add", "198.51.100.3", PORTCULLIS_BLOCK="weak"))
        self.assertEqual({("198.51.100.1", "hard"), ("198.51.100.2", "hard"), ("198.51.100.3", "soft")}, first.list())
        # When the first has ended the second takes over.
        first.close()
        second.block("198.51.100.4")
        self.assertIn(word, second.close())

    def test_a_call_moves_an_address_from_hard_to_soft(self):
        self.responder.close()
        program = self.home()
        for kind, absent in (("hard", "soft4"), ("soft", "v4"), ("hard", "soft4")):
            self.assertEqual((0, ""), self.call(program, "add", "198.51.100.1", PORTCULLIS_BLOCK=kind))
            self.assertNotIn("elements", ruleset(f"list set inet portcullis {absent}"))
        self.assertEqual((0, ""), self.call(program, "delete", "198.51.100.1"))
        self.assertNotIn("elements", ruleset("list table inet portcullis"))

    def test_without_root_of_the_host(self):
        """As a lab without root runs it: /run cannot be written to."""
        self.responder.close()
        program = self.home()
        script = (f"mount -t tmpfs -o ro none /run; mkfifo $1/pipe; {program} persistent <$1/pipe & exec 3>$1/pipe; "
                  f"sleep 0.5; {program} add - 198.51.100.1 && ls /tmp/portcullis-0")
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(["unshare", "--net", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh",
                                   folder], capture_output=True, text=True, check=False, timeout=30)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn("firewall-", done.stdout)


if __name__ == "__main__":
    lab.main()
