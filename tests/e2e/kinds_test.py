#!/usr/bin/env python3
"""The sensor alone against real scanners and ordinary peers: what each must and must not cause.

usage: kinds_test.py SOURCE_DIR BIN_DIR [unittest arguments]
"""
import contextlib
import http.server
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

import lab
from lab import VICTIM, VICTIM6, wait_until

SLOW = "10.10.150.250"  # the address of the scan that continues during all of the scans below
DETECTED = r"^.{16}(?:TCP|UDP|ICMP|ICMP/UDP): .* detected "


class Sensor:
    def __init__(self, name="iplog"):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-kinds."))
        self.folder.chmod(0o755)
        self.log = self.folder / name
        command = [str(lab.BIN / "portcullis-sensor"), "-o", "-i", "pcvictim", "-u", "nobody",
                   "--config", "/dev/null", "-l", str(self.log), "--pid-file",
                   str(self.folder / "pid"), "--hosts", "/dev/null", "--resolv-conf", "/dev/null"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_until("the sensor runs", lambda: "iplog started." in self.text(), 20)

    def text(self):
        return self.log.read_text() if self.log.exists() else ""

    def lines(self, pattern):
        return [line for line in self.text().splitlines() if re.search(pattern, line)]

    def wait_for(self, pattern, seconds=10):
        return wait_until(f"a line like {pattern}", lambda: self.lines(pattern), seconds)[0]

    def close(self):
        self.process.terminate()
        self.process.wait(20)
        shutil.rmtree(self.folder)


def setUpModule():
    global scanner, sensor, mac
    scanner = lab.Scanner()
    unittest.addModuleCleanup(scanner.close)
    sensor = Sensor()
    unittest.addModuleCleanup(sensor.close)
    shown = subprocess.run(["ip", "-o", "link", "show", "pcvictim"], capture_output=True, text=True,
                           check=True).stdout
    mac = re.search(r"link/ether (\S+)", shown)[1]


class Scanners(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scanner.new_address()
        scanner.run(f"ip addr add {SLOW}/32 dev lo")
        cls.slow = scanner.start(
            f"nmap -n -Pn -sS -S {SLOW} -e pcscanner --max-retries 0 --scan-delay 5s "
            f"-p3001-3012 {VICTIM}", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cls.addClassCleanup(cls.slow.wait)
        cls.addClassCleanup(cls.slow.kill)

    def is_named(self, command, kind, tool=None, target=VICTIM):
        addresses = scanner.new_address()
        address = re.escape(addresses[0 if target == VICTIM else 1])
        scanner.run(f"{command} {target}", check=False)
        sensor.wait_for(rf"{kind} detected \[ports [\d,.]+\] from {address}( |$)")
        if tool:
            sensor.wait_for(rf"TCP: scanner {address} looks like {re.escape(tool)}$")
        named = {re.search(r"(\S+: .*) detected", line)[1]
                 for line in sensor.lines(rf"{DETECTED}.*from {address}( |$)")}
        self.assertEqual({kind}, named)

    def test_nmap_connect(self):
        self.is_named("nmap -n -Pn -sT -p1-200", "TCP: port scan",
                      "a connect() scanner such as nmap -sT")

    def test_nmap_syn(self):
        self.is_named("nmap -n -Pn -sS -p1-200", "TCP: SYN scan", "nmap -sS")

    def test_nmap_syn_over_ipv6(self):
        self.is_named("nmap -6 -n -Pn -sS -p1-200", "TCP: SYN scan", "nmap -sS", VICTIM6)

    def test_nmap_fin_null_xmas(self):
        for letter, kind in (("F", "FIN"), ("N", "null"), ("X", "Xmas")):
            with self.subTest(kind):
                self.is_named(f"nmap -n -Pn -s{letter} --max-retries 0 -p1-60",
                              f"TCP: {kind} scan", f"nmap -s{letter}")

    def test_nmap_ack_window_maimon(self):
        for letter, kind, tool in (("A", "ACK", "nmap -sA or -sW"), ("W", "ACK", "nmap -sA or -sW"),
                                   ("M", "Maimon", "nmap -sM")):
            with self.subTest(letter):
                self.is_named(f"nmap -n -Pn -s{letter} --max-retries 0 -p1-60",
                              f"TCP: {kind} scan", tool)

    def test_nmap_udp(self):
        self.is_named("nmap -n -Pn -sU --max-retries 0 -p20001-20060", "UDP: scan/flood")

    def test_nmap_in_fragments(self):
        self.is_named("nmap -n -Pn -sS -f --max-retries 0 -p1-60", "TCP: SYN scan", "nmap -sS")

    def test_nmap_polite(self):
        self.is_named("nmap -n -Pn -sS -T2 --max-retries 0 -p1-13", "TCP: SYN scan", "nmap -sS")

    def test_nmap_os_detection(self):
        self.is_named("nmap -n -Pn -O --max-os-tries 1 -p1-60", "TCP: SYN scan", "nmap -sS")

    def test_masscan(self):
        address, _ = scanner.new_address()
        scanner.run(["masscan", "--interface", "pcscanner", "--adapter-ip", address, "--router-mac",
                     mac, "-p1-100", "--rate", "500", "--wait", "0", VICTIM], check=False)
        sensor.wait_for(rf"TCP: SYN scan detected .* from {re.escape(address)} ")
        sensor.wait_for(rf"TCP: scanner {re.escape(address)} looks like masscan$")

    def test_hping3(self):
        self.is_named("hping3 -q -S -p ++1 -i u2000 -c 60", "TCP: SYN scan", "hping3 -S")

    def test_nmap_with_decoys_is_one_report_and_no_scan(self):
        decoys = [f"10.10.150.{number}" for number in range(201, 209)]
        address, _ = scanner.new_address()
        scanner.run(f"nmap -n -Pn -sS --max-retries 0 -p1-100 -D {','.join(decoys)} {VICTIM}")
        line = sensor.wait_for(rf"TCP: scan with decoys detected .*\b{re.escape(address)}\b")
        for decoy in decoys:
            self.assertRegex(line, rf"\b{re.escape(decoy)}\b")
            self.assertEqual([], sensor.lines(rf" scan detected .* from {re.escape(decoy)} "))
        self.assertEqual([], sensor.lines(rf" scan detected .* from {re.escape(address)} "))

    def test_nmap_with_five_seconds_between_probes(self):
        self.slow.wait(100)
        sensor.wait_for(rf"TCP: (SYN|slow) scan detected .* from {re.escape(SLOW)} ")


class Ordinary(unittest.TestCase):
    """No line calls these a scan or a flood."""

    def setUp(self):
        self.address, _ = scanner.new_address()

    def tearDown(self):
        # A marker behind: all that came before has been judged.
        address = self.address
        marker, _ = scanner.new_address()
        scanner.run(f"nmap -n -Pn -sN --max-retries 0 -p1-30 {VICTIM}")
        sensor.wait_for(rf"null scan detected .* from {re.escape(marker)} ")
        scans = sensor.lines(rf"(scan|flood|attack) detected .*\b{re.escape(address)}\b")
        self.assertEqual([], scans)

    def serve(self, port, handle, host=VICTIM):
        """A TCP server on the victim: handle(connection) for each, in a thread."""
        listener = socket.create_server((host, port), backlog=200)
        self.addCleanup(listener.close)

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=serve_one, args=(connection,), daemon=True).start()

        def serve_one(connection):
            with contextlib.suppress(OSError), connection:
                handle(connection)
        threading.Thread(target=accept, daemon=True).start()

    def client(self, code):
        done = scanner.run(["python3", "-c", f"V = '{VICTIM}'\n{code}"], check=False)
        self.assertEqual(0, done.returncode, done.stderr)

    def test_200_web_fetches_20_at_a_time(self):
        class Page(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", "2000")
                self.end_headers()
                self.wfile.write(b"x" * 2000)

            def log_message(self, *_):
                pass
        server = http.server.ThreadingHTTPServer((VICTIM, 8080), Page)
        server.socket.listen(200)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.client("""
from concurrent.futures import ThreadPoolExecutor
import urllib.request
def fetch(number):
    return len(urllib.request.urlopen(f'http://{V}:8080/{number}', timeout=20).read())
assert set(ThreadPoolExecutor(20).map(fetch, range(200))) == {2000}
""")

    def test_1000_dns_queries_to_us(self):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        server.bind((VICTIM, 53))
        self.addCleanup(server.close)

        def answer():
            with contextlib.suppress(OSError):
                while True:
                    query, peer = server.recvfrom(2048)
                    server.sendto(query, peer)
        threading.Thread(target=answer, daemon=True).start()
        self.client("""
import socket
for number in range(1000):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(10)
    s.sendto(b'x' * 30, (V, 53))
    s.recv(100)
    s.close()
""")

    def test_1000_dns_queries_of_ours(self):
        server = scanner.start(["python3", "-c", f"""
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('{self.address}', 53))
print('up', flush=True)
while True:
    query, peer = s.recvfrom(2048)
    s.sendto(query, peer)
"""], stdout=subprocess.PIPE, text=True)
        self.addCleanup(server.communicate)
        self.addCleanup(server.kill)
        self.assertEqual("up\n", server.stdout.readline())
        for _ in range(1000):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(10)
                client.sendto(b"x" * 30, (self.address, 53))
                client.recv(100)

    def test_smtp_bursts(self):
        self.serve(2525, lambda connection: (connection.sendall(b"220 mail\r\n"), connection.recv(99)))
        self.client("""
import socket
for burst in range(3):
    connections = [socket.create_connection((V, 2525), 10) for _ in range(40)]
    for c in connections:
        assert c.recv(99)
        c.sendall(b'QUIT\\r\\n')
        c.close()
""")

    def test_a_nat_with_50_clients(self):
        for port in (8001, 8002, 8003, 8004):
            self.serve(port, lambda connection: connection.sendall(connection.recv(99)))
        self.client("""
from concurrent.futures import ThreadPoolExecutor
import socket
def client(number):
    for port in (8001, 8002, 8003, 8004):
        with socket.create_connection((V, port), 20) as c:
            c.sendall(b'hello')
            assert c.recv(99) == b'hello'
list(ThreadPoolExecutor(50).map(client, range(50)))
""")

    def test_1000_connections_of_ours_closed_abruptly(self):
        server = scanner.start(["python3", "-c", f"""
import socket, struct
s = socket.create_server(('{self.address}', 8000), backlog=200)
print('up', flush=True)
while True:
    c, _ = s.accept()
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    c.close()
"""], stdout=subprocess.PIPE, text=True)
        self.addCleanup(server.communicate)
        self.addCleanup(server.kill)
        self.assertEqual("up\n", server.stdout.readline())
        for number in range(1000):
            with contextlib.suppress(ConnectionError), \
                    socket.create_connection((self.address, 8000), 10) as connection:
                if number % 2:  # our side of it
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                          struct.pack("ii", 1, 0))
                else:
                    connection.recv(10)

    def test_backscatter_of_a_flood_in_our_name(self):
        scanner.run(f"hping3 -q -S -A -s 80 -k -p ++40000 -i u2000 -c 100 {VICTIM}", check=False)
        scanner.run(f"hping3 -q -R -A -s 443 -k -p ++41000 -i u2000 -c 100 {VICTIM}", check=False)

    def test_a_sensor_that_starts_in_the_middle_of_flows(self):
        def stream(connection):
            while True:
                connection.sendall(connection.recv(100))
        self.serve(8005, stream)
        client = scanner.start(["python3", "-c", f"""
import socket, sys
connections = [socket.create_connection(('{VICTIM}', 8005), 10) for _ in range(40)]
print('up', flush=True)
sys.stdin.readline()
for _ in range(5):
    for c in connections:
        c.sendall(b'x')
        c.recv(10)
for c in connections:
    c.close()
print('done', flush=True)
"""], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(client.communicate)
        self.addCleanup(client.kill)
        self.assertEqual("up\n", client.stdout.readline())
        late = Sensor()
        self.addCleanup(late.close)
        client.stdin.write("\n")
        client.stdin.flush()
        self.assertEqual("done\n", client.stdout.readline())
        marker, _ = scanner.new_address()
        scanner.run(f"nmap -n -Pn -sF --max-retries 0 -p1-30 {VICTIM}")
        late.wait_for(rf"FIN scan detected .* from {re.escape(marker)} ")
        self.assertEqual([], late.lines(rf" detected .*\b{re.escape(self.address)}\b"))

    def test_passive_ftp(self):
        def session(connection):
            for _ in range(40):
                with socket.create_server((VICTIM, 0)) as data:
                    connection.sendall(f"{data.getsockname()[1]}\n".encode())
                    peer, _ = data.accept()
                    with peer:
                        peer.sendall(b"file")
        self.serve(2121, session)
        self.client("""
import socket
control = socket.create_connection((V, 2121), 10).makefile()
for _ in range(40):
    with socket.create_connection((V, int(control.readline())), 10) as data:
        assert data.recv(99) == b'file'
""")


def main():
    """Both halves at once, each between hosts of its own: scanners and waits take most of the time."""
    if len(sys.argv) != 3 or os.environ.get("PORTCULLIS_LAB_INSIDE") == "yes":
        lab.main()
    halves = [subprocess.Popen([sys.executable, "-B", *sys.argv, half])
              for half in ("Scanners", "Ordinary")]
    sys.exit(max(half.wait() for half in halves))


if __name__ == "__main__":
    main()
