#!/usr/bin/env python3
"""Forged scans must not cut this host off anybody that it needs. In each case a live TCP session with the address in whose
name the scan is forged goes on, and with the shipped configuration.

The neighbour behind the two links of route_test owns all addresses: a forged packet is one that no socket of it sent.
"""
import re
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import lab
import route_test
from lab import VICTIM, VICTIM6, kernel_bans, sh, wait_until
from route_test import BACK, FAR, FORTH, GATEWAY, SENDER, links, mac_of, packets

SERVICE = 7000  # of this host
DATABASE = 5432  # of the neighbour
CLOSED = range(1, 41)
# An own connection counts after 60 to 80 seconds (docs/never-block.md), in seconds.
OLD_ENOUGH = 82
ECHO_SERVER = """
import socket, sys, threading
def echo(connection):
    while data := connection.recv(100):
        connection.sendall(data)
listener = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
print("ready", flush=True)
while True:
    threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()
"""
ECHO_CLIENT = """
import socket, sys
source, target, port = sys.argv[1:4]
family, _, _, _, own = socket.getaddrinfo(source, 0)[0]
peer = socket.getaddrinfo(target, int(port))[0][4]
connection = socket.socket(family, socket.SOCK_STREAM)
connection.bind(own)
connection.settimeout(10)
connection.connect(peer)
print("ready", flush=True)
for line in sys.stdin:
    connection.sendall(line.encode())
    print(connection.recv(100).decode(), end="", flush=True)
"""


def setUpModule():
    route_test.setUpModule()
    # execd follows the name servers of this file.
    global resolv_conf
    resolv_conf = tempfile.NamedTemporaryFile("w", prefix="portcullis-resolv.")
    unittest.addModuleCleanup(resolv_conf.close)
    sh(f"mount --bind {resolv_conf.name} /etc/resolv.conf")
    unittest.addModuleCleanup(sh, "umount /etc/resolv.conf")


class FromThere:
    """A session that the neighbour opened to a service of ours."""

    def __init__(self, case, source, target=VICTIM):
        self.process = case.scanner.start([sys.executable, "-c", ECHO_CLIENT, source, target, str(SERVICE)],
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        case.addCleanup(self.close)
        case.assertEqual("ready\n", self.process.stdout.readline())

    def close(self):
        self.process.kill()
        self.process.communicate()

    def lives(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline() == text + "\n"


class FromHere:
    """A session that we opened to a server of the neighbour."""

    def __init__(self, case, peer):
        self.connection = socket.create_connection((peer, DATABASE), 10)
        case.addCleanup(self.connection.close)

    def lives(self, text):
        self.connection.sendall(text.encode())
        return self.connection.recv(100) == text.encode()


class Lockout(route_test.TwoLinks):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        sh("nft flush chain inet pcquiet input")  # this host answers everything
        command = [sys.executable, "-c", ECHO_SERVER]
        for server in (subprocess.Popen([*command, str(SERVICE)], stdout=subprocess.PIPE, text=True),
                       cls.scanner.start([*command, str(DATABASE)], stdout=subprocess.PIPE, text=True)):
            cls.addClassCleanup(server.communicate)
            cls.addClassCleanup(server.kill)
            assert server.stdout.readline() == "ready\n"

    def address_of_neighbour(self, last):
        """An address of the neighbour in the network of FORTH; without a colon an IPv4 one."""
        address = f"10.10.150.{last}"
        self.scanner.run(f"ip addr add {address}/24 dev {FAR[FORTH]}")
        self.addCleanup(self.scanner.run, f"ip addr del {address}/24 dev {FAR[FORTH]}")
        return address

    def frames(self, arrival, all_packets):
        subprocess.run(self.scanner.command([sys.executable, "-c", SENDER, FAR[arrival]]), check=True, text=True, input="".join(
            (mac_of(arrival) + self.far_mac(arrival) + links.AFTER_ADDRESSES["ethernet"](packet)).hex() + "\n"
            for packet in all_packets))

    def last_record(self, address, outcome, seconds=10):
        return wait_until(f"a record that {address} is {outcome}", lambda: next(
            (record for record in self.responses_against(address) if record["outcome"] == outcome), None), seconds)

    def assert_lives(self, *sessions):
        """At once, and when a retransmission of what was dropped would have come."""
        for number in range(3):
            for session in sessions:
                self.assertTrue(session.lives(f"still here {number}"))
            time.sleep(0.5)

    def test_the_gateway(self):
        gateway = GATEWAY[FORTH][0]
        sh(f"ip route add default via {gateway}")
        self.addCleanup(sh, "ip route del default")
        session = FromThere(self, gateway)
        self.send(gateway, FORTH, CLOSED)
        self.assertIn("route", self.last_record(gateway, "spared")["reason"])
        self.assertNotIn(gateway, kernel_bans())
        self.assert_lives(session)

    def test_a_name_server(self):
        server = self.address_of_neighbour(53)
        resolv_conf.write(f"nameserver {server}\n")
        resolv_conf.flush()
        session = FromThere(self, server)
        time.sleep(1)  # docs/never-block.md: followed within half a second
        self.send(server, FORTH, CLOSED)
        self.assertIn("nameserver", self.last_record(server, "spared")["reason"])
        self.assertNotIn(server, kernel_bans())
        self.assert_lives(session)

    def test_our_own_address(self):
        client = self.address_of_neighbour(61)
        session = FromThere(self, client)
        self.send(VICTIM, FORTH, CLOSED)
        self.send(VICTIM6, FORTH, CLOSED)
        self.assert_not_counted_by_execd(VICTIM, VICTIM6)
        self.assert_lives(session)

    def assert_not_counted_by_execd(self, *addresses):
        """A scan behind what was sent shows that all before it was judged."""
        marker = self.new_source(FORTH)
        self.send(marker, FORTH, range(100, 120))
        self.last_record(marker, "executed")
        for address in addresses:
            self.assertNotIn(address, kernel_bans())

    def test_a_database_that_we_are_connected_to(self):
        server = self.address_of_neighbour(70)
        young, session = self.address_of_neighbour(71), FromHere(self, server)
        time.sleep(OLD_ENOUGH)
        recent = FromHere(self, young)
        self.send(server, FORTH, CLOSED)
        self.assertIn(str(DATABASE), self.last_record(server, "spared")["reason"])
        self.assertNotIn(server, kernel_bans())
        # A connection that is younger than a minute spares nobody, but the block is soft.
        self.send(young, FORTH, CLOSED)
        self.assertEqual("soft", self.last_record(young, "executed")["block"])
        self.assert_lives(session, recent)
        self.assertTrue(FromHere(self, young).lives("a new connection of ours"))

    def test_the_link_local_address_of_a_neighbour(self):
        shown = self.scanner.run(f"ip -6 addr show dev {FAR[FORTH]} scope link").stdout
        neighbour = re.search(r"inet6 (fe80::[0-9a-f:]+)/", shown).group(1)
        session = FromThere(self, f"{neighbour}%{FAR[FORTH]}", f"{link_local_of(FORTH)}%{FAR[FORTH]}")
        self.frames(FORTH, [packets.tcp(neighbour, 40000, link_local_of(FORTH), port, packets.SYN) for port in CLOSED])
        self.assert_not_counted_by_execd(neighbour)
        self.assert_lives(session)

    def test_a_64_that_holds_the_router(self):
        router = GATEWAY[FORTH][1]
        sh(f"ip -6 route add default via {router}")
        self.addCleanup(sh, "ip -6 route del default")
        session = FromThere(self, router, VICTIM6)
        # The scan changes its address within the network of the router.
        forged = [f"fd00:150::bad:{number}" for number in range(10)]
        for source in forged:
            self.scanner.run(f"ip addr add {source}/64 dev {FAR[FORTH]} nodad")
        self.frames(FORTH, [packets.tcp(forged[port % 10], 40000, VICTIM6, port, packets.SYN) for port in range(1, 101)])
        wait_until("a detection", lambda: [line for line in self.host.lines() if " scan detected " in line
                                           and re.search("from fd00:150::(bad:|/64)", line)])
        self.assert_not_counted_by_execd(router)
        self.assertFalse([ban for ban in kernel_bans() if str(ban).startswith("fd00:150::/")])
        self.assert_lives(session)

    def test_a_third_party_whose_syn_acks_were_provoked_in_our_name(self):
        server = self.address_of_neighbour(80)
        session = FromThere(self, server)
        self.frames(FORTH, [packets.tcp(server, port, VICTIM, 40000 + port, packets.SYN | packets.ACK, ack=2)
                            for port in range(1, 200)])
        self.frames(FORTH, [packets.tcp(server, 443, VICTIM, port, packets.SYN | packets.ACK, ack=2)
                            for port in range(1, 200)])
        self.assert_not_counted_by_execd(server)
        self.assertEqual([], self.responses_against(server))
        self.assert_lives(session)

    def test_an_address_of_one_link_forged_on_the_other(self):
        client = self.address_of_neighbour(90)
        session = FromThere(self, client)
        for mode in (0, 1):
            with self.subTest(rp_filter=mode):
                route_test.filter_mode(mode)
                self.send(client, BACK, CLOSED)
                self.assert_not_counted_by_execd(client)
                self.assert_lives(session)
        route_test.filter_mode(0)
        self.assertTrue(all("doubtful" in line for line in self.detections(client)))

    def test_a_browser_with_a_page_open(self):
        client = self.address_of_neighbour(95)
        page = FromThere(self, client)
        self.scanner.run([sys.executable, "-c", f"""
import socket
for port in range(7201, 7216):
    with socket.socket() as probe:
        probe.bind(("{client}", 0))
        probe.settimeout(1)
        probe.connect_ex(("{VICTIM}", port))
"""])
        self.assert_lives(page)


def link_local_of(interface):
    shown = subprocess.run(["ip", "-6", "addr", "show", "dev", interface, "scope", "link"], check=True,
                           capture_output=True, text=True).stdout
    return re.search(r"inet6 (fe80::[0-9a-f:]+)/", shown).group(1)


if __name__ == "__main__":
    lab.main()
