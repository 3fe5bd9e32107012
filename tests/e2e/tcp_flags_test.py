"""What the running Linux kernel answers to each of the 64 sets of TCP flags on a closed, an open and a dropping port: as
docs/tcp-flags.md says, and as the hosts of generated captures answer.

UPDATE_GOLDEN=1 rewrites the page.
"""
import contextlib
import os
import pathlib
import socket
import subprocess
import sys
import unittest

import lab

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "captures"))
import flags as flag_table  # noqa: E402
import links  # noqa: E402
import network  # noqa: E402
import packets  # noqa: E402
from network import CLOSED, DROP, OPEN  # noqa: E402

PROBER = {4: "10.10.150.77", 6: "fd00:150::77"}  # of no host: no kernel answers what comes back
TARGET = {4: lab.VICTIM, 6: lab.VICTIM6}
PORTS = {CLOSED: 9, OPEN: 8000, DROP: 7}
LAST = 9999  # source port of the last probe, whose answer says that all others were answered
FIRST = 10000
SEQ, ACK_NUMBER = 1000, 2000

# Sends the frames of its input (a line of hex each) and prints what arrives, until the answer to LAST has come.
SENDER = f"""
import socket, sys
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind(("pcscanner", 0))
wire.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
wire.settimeout(10)
for line in sys.stdin.read().split():
    wire.send(bytes.fromhex(line))
while True:
    frame = wire.recv(2048)
    v6 = frame[12:14] == b"\\x86\\xdd"
    if frame[:6] != bytes.fromhex("{links.PEER_MAC.hex()}") or frame[20 if v6 else 23] != 6:
        continue
    print(frame[14:].hex())
    if int.from_bytes(frame[14 + (42 if v6 else 22):][:2], "big") == {LAST}:
        break
"""


def probes():
    """(flags, state, source port) of each probe."""
    return [(flags, state, FIRST + 64 * index + flags) for index, state in enumerate(PORTS)
            for flags in flag_table.SETS]


def segment(version, flags, port, source_port):
    return packets.tcp(PROBER[version], source_port, TARGET[version], port, flags, seq=SEQ,
                       ack=ACK_NUMBER if flags & packets.ACK else 0, options=packets.MSS if flags & packets.SYN else b"")


def answers_of(frames):
    """{source port of the probe: (flags, sequence number unless it is chosen by chance, ack)} of packets of the target."""
    found = {}
    for packet in frames:
        header = packet[40 if packet[0] >> 4 == 6 else 20:]
        flags = header[13] & 0x3f
        found[int.from_bytes(header[2:4], "big")] = (
            flags, None if flags & packets.SYN else int.from_bytes(header[4:8], "big"),
            int.from_bytes(header[8:12], "big") if flags & packets.ACK else None)
    return found


class Kernel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scanner = lab.Scanner()
        cls.addClassCleanup(cls.scanner.close)
        cls.scanner.run(f"ip link set pcscanner address {links.PEER_MAC.hex(':')}")
        for version in (4, 6):
            lab.sh(f"ip neigh add {PROBER[version]} lladdr {links.PEER_MAC.hex(':')} dev pcvictim nud permanent")
            listener = cls.enterClassContext(contextlib.closing(socket.socket(
                socket.AF_INET if version == 4 else socket.AF_INET6)))
            listener.bind((TARGET[version], PORTS[OPEN]))
            listener.listen(256)
        subprocess.run(["nft", "-f", "-"], check=True, text=True, input=f"""
            table inet probed {{ chain input {{ type filter hook input priority 0; tcp dport {PORTS[DROP]} drop; }}; }}""")
        cls.measured = {version: cls.measure(version, cls.mac_of("pcvictim")) for version in (4, 6)}

    @staticmethod
    def mac_of(interface):
        text = subprocess.run(["ip", "-o", "link", "show", interface], check=True, capture_output=True, text=True).stdout
        return bytes.fromhex(text.split("link/ether ")[1].split()[0].replace(":", ""))

    @classmethod
    def measure(cls, version, mac):
        sent = [segment(version, flags, PORTS[state], source_port) for flags, state, source_port in probes()]
        sent.append(segment(version, packets.SYN, PORTS[CLOSED], LAST))
        kind = b"\x08\0" if version == 4 else b"\x86\xdd"
        text = "\n".join((mac + links.PEER_MAC + kind + packet).hex() for packet in sent)
        sender = cls.scanner.start([sys.executable, "-c", SENDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        output, _ = sender.communicate(text, timeout=30)
        if sender.returncode != 0:
            raise AssertionError("the sender failed: the last probe was not answered")
        return answers_of(map(bytes.fromhex, output.split()))

    def test_the_page_says_what_the_kernel_answers(self):
        def word(answer):
            return flag_table.name(answer[0]) if answer else flag_table.NOTHING
        table = {version: {(flags, state): word(self.measured[version].get(source_port))
                           for flags, state, source_port in probes()} for version in (4, 6)}
        self.assertEqual(table[4], table[6])
        for flags in flag_table.SETS:
            self.assertEqual(flag_table.NOTHING, table[4][flags, DROP], flag_table.name(flags))
        page = lab.SOURCE / "docs/tcp-flags.md"
        text = flag_table.page(table[4])
        if os.environ.get("UPDATE_GOLDEN") == "1":
            page.write_text(text)
        self.maxDiff = None
        self.assertEqual(page.read_text(), text)

    def test_hosts_of_generated_captures_answer_like_the_kernel(self):
        for version in (4, 6):
            capture = network.Capture()
            states = {port: state for state, port in PORTS.items()}
            capture.host(TARGET[version], tcp=states.get)
            for flags, state, source_port in probes():
                capture.send(1, segment(version, flags, PORTS[state], source_port))
            generated = answers_of(record.packet for record in capture.records if record.outbound)
            for flags, state, source_port in probes():
                with self.subTest(version=version, flags=flag_table.name(flags), state=state):
                    self.assertEqual(self.measured[version].get(source_port), generated.get(source_port))


if __name__ == "__main__":
    lab.main()
