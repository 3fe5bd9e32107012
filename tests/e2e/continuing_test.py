#!/usr/bin/env python3
"""Scans in parts, and peers that only look like scanners, live. long_scan_test.py has a scan that does not stop at its block."""
import re
import subprocess
import sys
import time

import lab
from lab import VICTIM, VICTIM6, kernel_bans, sh, wait_until

BAN_SECONDS = 10

# Connects to PORTS of HOST, says "ready", and does the rest for each line of its input.
CLIENT = """
import socket, sys
host, ports = sys.argv[1], range(int(sys.argv[2]), int(sys.argv[3]))
def connect(port):
    s = socket.socket(); s.settimeout(2)
    try: s.connect((host, port)); return s
    except OSError: s.close()
held = [s for s in map(connect, ports) if s]
print(len(held), flush=True)
for line in sys.stdin:
    if line.startswith("send"):
        for s in held:
            try: s.send(b"x")
            except OSError: pass
    elif line.startswith("close"):
        for s in held: s.close()
        held = []
    else:
        held = [s for s in map(connect, ports) if s]
    print(len(held), flush=True)
"""
SERVER = """
import select, socket, sys
listening = []
for port in range(int(sys.argv[1]), int(sys.argv[2])):
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("0.0.0.0", port)); s.listen(); listening.append(s)
print("ready", flush=True)
held = []
while True:
    for s in select.select(listening, [], [])[0]: held.append(s.accept()[0])
"""


class Program:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def answer(self):
        return self.process.stdout.readline().strip()

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.answer()

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Continuing(lab.HostCase):
    ban_seconds = BAN_SECONDS

    def program(self, command):
        program = Program(command)
        self.addCleanup(program.end)
        return program

    def blocked_for(self, line, address):
        self.line_with(line)
        wait_until(f"{address} is blocked", lambda: address in kernel_bans(), 5)

    def test_syn_fin(self):
        address, _ = self.scanner.new_address()
        self.scanner.run(f"nmap -n -Pn -sS --scanflags SYNFIN --max-retries 0 --max-rate 200 -p1-60 {VICTIM}")
        self.blocked_for(rf"TCP: SYN-FIN scan detected \[ports [\d,.]+\] from {address} ", address)

    def test_one_source_and_several_of_our_addresses(self):
        address, _ = self.scanner.new_address()
        ours = [VICTIM] + [f"10.10.150.{n}" for n in (3, 4)]
        for extra in ours[1:]:
            sh(f"ip addr add {extra}/24 dev pcvictim")
            self.addCleanup(sh, f"ip addr del {extra}/24 dev pcvictim")
        time.sleep(1)  # the sensor hears of new addresses within 0.1 s
        self.scanner.run(f"nmap -n -Pn -sS --max-retries 0 --max-rate 100 -p1-8 {' '.join(ours)}")
        self.blocked_for(rf"TCP: SYN scan detected \[ports [\d,.]+\] from {address} ", address)

    def test_an_ipv6_scanner_that_changes_its_address(self):
        network = "2001:db8:77:1::"
        sh(f"ip -6 route add 2001:db8:77::/48 dev pcvictim")
        self.addCleanup(sh, "ip -6 route del 2001:db8:77::/48 dev pcvictim")
        addresses = [f"{network}{n:x}" for n in range(16, 22)]
        others = ["2001:db8:77:2::5"]
        for one in addresses + others:
            self.scanner.run(f"ip addr add {one}/64 dev pcscanner nodad")
            self.addCleanup(self.scanner.run, f"ip addr del {one}/64 dev pcscanner")
        self.scanner.run("ip -6 route add fd00:150::/64 dev pcscanner", check=False)
        for number, one in enumerate(addresses):
            first = 100 + 6 * number
            self.scanner.run(f"nmap -6 -n -Pn -sS --max-retries 0 --max-rate 100 -S {one} -e pcscanner "
                             f"-p{first}-{first + 5} {VICTIM6}")
        self.line_with(rf"TCP: SYN scan detected \[ports [\d,.]+\] from {re.escape(network)}/64 ")
        wait_until("the network is blocked", lambda: network in kernel_bans(), 5)
        ping = lambda one: self.scanner.run(f"ping -n -c 1 -W 1 -I {one} {VICTIM6}", check=False).returncode == 0
        self.assertFalse(ping(addresses[3]), "an address of the network gets no answer")
        wait_until("the network beside it gets one", lambda: ping(others[0]), 5)
        self.assertIn(f"{network}/64", self.host.control("bans").stdout)
        wait_until("the network is released", lambda: network not in kernel_bans(), BAN_SECONDS + 25)

    def test_a_decoy_that_goes_on_alone(self):
        address, _ = self.scanner.new_address()
        decoys = ",".join(f"10.10.150.{n}" for n in range(201, 207))
        self.scanner.run(f"nmap -n -Pn -sS --max-retries 0 --max-rate 700 -D {decoys},ME -p1-14 {VICTIM}")
        self.line_with(rf"TCP: scan with decoys detected .*{re.escape(address)}")
        self.assertNotIn(address, kernel_bans())
        self.scanner.run(f"nmap -n -Pn -sS --max-retries 0 --max-rate 100 -p100-140 {VICTIM}")
        self.blocked_for(rf"TCP: SYN scan detected .* from {address} ", address)
        for decoy in decoys.split(","):
            self.assertNotIn(decoy, kernel_bans())

    def test_connections_that_this_host_forgot(self):
        address, _ = self.scanner.new_address()
        server = self.program([sys.executable, "-c", SERVER, "7000", "7014"])
        self.assertEqual("ready", server.answer())
        client = self.program(self.scanner.command([sys.executable, "-c", CLIENT, VICTIM, "7000", "7014"]))
        self.assertEqual("14", client.answer())
        # Forgotten without a word to the peer, as by a power failure.
        subprocess.run(["nft", "-f", "-"], text=True, check=True, input="""table inet pcmute {
            chain out { type filter hook output priority 0; tcp sport 7000-7013 drop; }
            }""")
        try:
            server.end()
            subprocess.run(["ss", "-K", "dst", address], check=False, capture_output=True)
        finally:
            sh("nft delete table inet pcmute")
        left = subprocess.run(["ss", "-Htn", "state", "established", "dst", address], check=True,
                              capture_output=True, text=True).stdout
        if left:
            self.skipTest("this kernel cannot be made to forget connections (ss -K)")
        client.ask("send")
        self.assert_benign(address)

    def test_a_peer_of_services_that_restart(self):
        address, _ = self.scanner.new_address()
        server = self.program([sys.executable, "-c", SERVER, "7100", "7120"])
        self.assertEqual("ready", server.answer())
        client = self.program(self.scanner.command([sys.executable, "-c", CLIENT, VICTIM, "7100", "7120"]))
        self.assertEqual("20", client.answer())
        client.ask("send")
        client.ask("close")
        server.end()
        for _ in range(3):
            self.assertEqual("0", client.ask("connect"))
        self.assert_benign(address)

    def test_a_page_with_pictures_on_closed_ports(self):
        address, _ = self.scanner.new_address()
        client = self.program(self.scanner.command([sys.executable, "-c", CLIENT, VICTIM, "7200", "7214"]))
        self.assertEqual("0", client.answer())
        self.assert_benign(address)


if __name__ == "__main__":
    lab.main()
