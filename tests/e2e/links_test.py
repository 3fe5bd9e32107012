#!/usr/bin/env python3
"""Packets in disguise on a real wire: VLAN and other tags, MPLS, PPPoE, fragments of both families, IPv6
extension headers up to the size of a frame. The kernel filter lets them through, the scan in them is
named. And interfaces that vanish and come back."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest

import lab
from bulk_test import processor_seconds
from sensor_test import Sensor

# Sends one frame for each port, or several; argv: interface, victim's MAC, source, target, disguise.
SEND = r"""
import ipaddress, socket, struct, sys
interface, mac, source, target, disguise = sys.argv[1:6]
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind((interface, 0))
source, target = ipaddress.ip_address(source), ipaddress.ip_address(target)
is_v4 = source.version == 4
ends = source.packed + target.packed

def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff

def segment(port):
    header = struct.pack("!HHIIBBHHH", 40000, port, 1, 0, 0x50, 1, 1024, 0, 0)  # FIN
    length = len(header)
    pseudo = ends + (struct.pack("!BBH", 0, 6, length) if is_v4 else struct.pack("!IHBB", length, 0, 0, 6))
    return header[:16] + struct.pack("!H", checksum(pseudo + header)) + header[18:]

def ip(payload, protocol=6, fragment=0, identification=1):
    if not is_v4:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + ends + payload
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), identification, fragment, 64, protocol, 0)
    return header[:10] + struct.pack("!H", checksum(header + ends)) + ends + payload

def piece(content, begin, end, port, protocol=6):
    more = end < len(content)
    if is_v4:
        return ip(content[begin:end], protocol, begin // 8 | (0x2000 if more else 0), port)
    return ip(struct.pack("!BBHI", protocol, 0, begin | more, port) + content[begin:end], 44)

def packets(port):
    content = segment(port)
    if disguise == "fragments":
        return [piece(content, 0, 8, port), piece(content, 8, 16, port), piece(content, 16, 20, port)]
    if disguise == "backwards":
        return [piece(content, 16, 20, port), piece(content, 8, 16, port), piece(content, 0, 8, port)]
    if disguise == "overlapping":
        return [piece(content, 8, 20, port), piece(content, 0, 16, port)]
    if disguise == "atomic":
        return [ip(struct.pack("!BBHI", 6, 0, 0, port) + content, 44)]
    if disguise == "options":  # destination options of 1400 bytes
        return [ip(struct.pack("!BBBB", 6, 1400 // 8 - 1, 1, 255) + bytes(255)
                   + b"".join(struct.pack("!BB", 1, 253) + bytes(253) for _ in range(4))
                   + struct.pack("!BB", 1, 119) + bytes(119) + content, 60)]
    if disguise == "many":  # 20 headers
        for i in range(20):
            content = struct.pack("!BBBBI", 6 if i == 0 else 60, 0, 1, 4, 0) + content
        return [ip(content, 60)]
    return [ip(content)]

tags = {"vlan": b"\x81\0\0\7", "service": b"\x88\xa8\0\7\x81\0\0\5",
        "metadata": b"\x89\x09\1\1\0\1\0\7", "SNAP": b"\0\x40\xaa\xaa\3\0\0\0"}.get(disguise, b"")
kind = {"MPLS": b"\x88\x47\0\1\0\x40\0\2\1\x40",
        "PPPoE": b"\x88\x64\x11\0\0\1\0\x2a\0" + (b"\x21" if is_v4 else b"\x57"),
        }.get(disguise, struct.pack("!H", 0x0800 if is_v4 else 0x86dd))
start = bytes.fromhex(mac.replace(":", "")) + b"\2\0\0\0\0\1" + tags + kind
for port in range(1, 41):
    for packet in packets(port):
        wire.send(start + packet)
"""


class LinksTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scanner = lab.Scanner()
        cls.addClassCleanup(cls.scanner.close)
        cls.sensor = Sensor("-i", "pcvictim").start()
        cls.addClassCleanup(cls.sensor.end)
        link, = json.loads(subprocess.run(["ip", "-j", "link", "show", "pcvictim"], check=True,
                                          capture_output=True).stdout)
        cls.mac = link["address"]

    def send(self, disguise, is_v6):
        v4, v6 = self.scanner.new_address()
        source, target = (v6, lab.VICTIM6) if is_v6 else (v4, lab.VICTIM)
        self.scanner.reaches_victim(target)  # the answers need the neighbour's address
        self.sensor.forget()
        self.scanner.run([sys.executable, "-c", SEND, "pcscanner", self.mac, source, target, disguise])
        return re.escape(source)

    def test_a_scan_in_disguise_is_named(self):
        for disguise, is_v6 in (("none", False), ("none", True), ("vlan", False), ("vlan", True),
                                ("service", False), ("metadata", False), ("SNAP", True),
                                ("MPLS", False), ("MPLS", True), ("PPPoE", False), ("PPPoE", True),
                                ("fragments", False), ("fragments", True),
                                ("backwards", False), ("backwards", True), ("atomic", True),
                                ("options", True), ("many", True)):
            with self.subTest(disguise=disguise, is_v6=is_v6):
                source = self.send(disguise, is_v6)
                lab.wait_until("the scan is named", lambda s=source: self.sensor.has(
                    rf"TCP: FIN scan detected \[ports 1,2,3,4,5,6,7,8,9,10,\.\.\.\] from {s} "))

    def test_overlapping_fragments_are_reported(self):
        for is_v6 in (False, True):
            source = self.send("overlapping", is_v6)
            lab.wait_until("the line", lambda s=source: self.sensor.has(
                rf"Overlapping IP fragments from {s}$"))
            self.assertFalse(self.sensor.has("detected"))

    def test_the_pseudo_interface_any_shows_scans(self):
        sensor = Sensor("-i", "any").start()
        self.addCleanup(sensor.end)
        for target, is_v6 in ((lab.VICTIM, False), (lab.VICTIM6, True)):
            address = self.scanner.new_address()[is_v6]
            self.scanner.run(f"nmap {'-6' if is_v6 else ''} -n -Pn -sX -p1-60 {target}")
            lab.wait_until("the scan is named", lambda s=address: sensor.has(
                rf"TCP: Xmas scan detected .* from {re.escape(s)} "))

    def test_a_scan_of_ourselves_is_seen_on_the_loopback(self):
        sensor = Sensor("-i", "lo").start()
        self.addCleanup(sensor.end)
        lab.sh("nmap -n -Pn -sX -p1-60 127.0.0.1")
        lab.wait_until("the scan is named",
                       lambda: sensor.has(r"TCP: Xmas scan detected .* from (127\.0\.0\.1|localhost) "))

    def test_nmap_in_fragments_is_named(self):
        v4, _ = self.scanner.new_address()
        self.sensor.forget()
        self.scanner.run(f"nmap -n -Pn -sS -f -p1-60 {lab.VICTIM}")
        lab.wait_until("the scan is named", lambda: self.sensor.has(
            rf"TCP: SYN scan detected .* from {re.escape(v4)} "))


class VanishingTest(unittest.TestCase):
    def test_an_interface_that_vanishes_is_said_once_and_listened_to_again(self):
        scanner = lab.Scanner()
        self.addCleanup(scanner.close)
        status = pathlib.Path(tempfile.mkdtemp()) / "status"
        sensor = Sensor("-i", "pcvictim", "--status-file", str(status)).start()
        self.addCleanup(sensor.end)
        for round_ in (1, 2):
            lab.sh("ip link del pcvictim")
            lab.wait_until("the loss is said", lambda: sensor.has("interface pcvictim went down"))
            before = processor_seconds(sensor.process.pid)
            time.sleep(1)  # measured, not waited for
            self.assertLess(processor_seconds(sensor.process.pid) - before, 0.02)
            lab.sh(f"ip link add pcvictim type veth peer name pcscanner netns {scanner.holder.pid}")
            lab.sh(f"ip addr add {lab.VICTIM}/24 dev pcvictim")
            lab.sh("ip link set pcvictim up")
            scanner.run("ip link set pcscanner up")
            v4, _ = scanner.new_address()
            # Sooner than the next look at the host, which is every five seconds.
            lab.wait_until("it is listened to again", lambda: sensor.has("pcvictim was reopened"), 2)
            scanner.run(f"nmap -n -Pn -sX -p1-60 {lab.VICTIM}")
            lab.wait_until("a scan is named",
                           lambda: sensor.has(rf"Xmas scan detected .* from {re.escape(v4)} "))
            self.assertEqual(1, sensor.new_text().count("went down"))
            sensor.forget()
            lab.wait_until("the loss is counted", lambda n=round_: json.loads(
                status.read_text())["interfaces_lost"] == n)


if __name__ == "__main__":
    lab.main()
