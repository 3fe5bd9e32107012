#!/usr/bin/env python3
"""What a saturating TCP transfer costs the sensor: next to nothing, since the kernel keeps it out. In
both directions, with and without TCP timestamps (without them an acknowledgement has no options, as
an ACK scan's probe), over IPv4 and IPv6. A scan beside it is still seen."""
import pathlib
import subprocess
import sys
import unittest

import lab
from sensor_test import Sensor

SECONDS = 3
MAX_CORE_SHARE = 0.01
# Less would be no bulk; a veth pair gives ten times as much.
MIN_BYTES = SECONDS * 30_000_000

SERVE = r"""
import socket, sys
family, address, sends = sys.argv[1], sys.argv[2], sys.argv[3] == "send"
listener = socket.create_server((address, 9000), family=getattr(socket, family))
print("ready", flush=True)
peer = listener.accept()[0]
buffer = bytearray(1 << 20)
total = 0
try:
    while True:
        count = peer.send(buffer) if sends else peer.recv_into(buffer)
        total += count
        if not count:
            break
except OSError:
    pass
print(total)
"""

CONNECT = r"""
import socket, sys, time
address, seconds, sends = sys.argv[1], float(sys.argv[2]), sys.argv[3] == "send"
peer = socket.create_connection((address, 9000))
buffer = bytearray(1 << 20)
total, end = 0, time.monotonic() + seconds
while time.monotonic() < end:
    total += peer.send(buffer) if sends else peer.recv_into(buffer)
print(total)
"""


def processor_seconds(pid):
    """Of the scheduler, to the nanosecond: rusage counts in ticks."""
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


class BulkTest(unittest.TestCase):
    def setUp(self):
        self.scanner = lab.Scanner()
        self.addCleanup(self.scanner.close)
        self.v4, self.v6 = self.scanner.new_address()
        self.sensor = Sensor("-i", "pcvictim").start()
        self.addCleanup(self.sensor.end)

    def transfer(self, is_v6, upload):
        """Bytes moved and the sensor's share of a core meanwhile."""
        family, address = ("AF_INET6", lab.VICTIM6) if is_v6 else ("AF_INET", lab.VICTIM)
        server = subprocess.Popen([sys.executable, "-c", SERVE, family, address,
                                   "receive" if upload else "send"], stdout=subprocess.PIPE, text=True)
        try:
            self.assertEqual(server.stdout.readline(), "ready\n")
            before = processor_seconds(self.sensor.process.pid)
            client = self.scanner.run([sys.executable, "-c", CONNECT, address, str(SECONDS),
                                       "send" if upload else "receive"])
            spent = processor_seconds(self.sensor.process.pid) - before
            return int(client.stdout), spent / SECONDS
        finally:
            server.kill()
            server.communicate()

    def test_it_costs_the_sensor_less_than_a_hundredth_of_a_core(self):
        for timestamps in (1, 0):
            lab.sh(f"sysctl -qw net.ipv4.tcp_timestamps={timestamps}")
            self.scanner.run(f"sysctl -qw net.ipv4.tcp_timestamps={timestamps}")
            for is_v6 in (False, True):
                for upload in (True, False):
                    with self.subTest(timestamps=timestamps, is_v6=is_v6, upload=upload):
                        moved, share = self.transfer(is_v6, upload)
                        print(f"{moved * 8 / SECONDS / 1e9:.1f} Gbit/s cost {share * 100:.3f} % of a core")
                        self.assertGreater(moved, MIN_BYTES)
                        self.assertLess(share, MAX_CORE_SHARE)

    def test_a_scan_beside_it_is_seen(self):
        server = subprocess.Popen([sys.executable, "-c", SERVE, "AF_INET", lab.VICTIM, "receive"],
                                  stdout=subprocess.PIPE, text=True)
        self.assertEqual(server.stdout.readline(), "ready\n")
        client = self.scanner.start([sys.executable, "-c", CONNECT, lab.VICTIM, "60", "send"])
        try:
            self.scanner.run(f"nmap -n -Pn -sX -p1-60 {lab.VICTIM}")
            lab.wait_until("the scan is named", lambda: self.sensor.has("Xmas scan detected"))
        finally:
            client.kill()
            client.wait()
            server.kill()
            server.communicate()


if __name__ == "__main__":
    lab.main()
