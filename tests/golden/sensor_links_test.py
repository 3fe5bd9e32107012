"""portcullis-sensor on captures made here: every link type, VLAN tags, fragments and their switches, broken
headers with `verbose`, and files that are no captures.

usage: sensor_links_test.py SENSOR
"""
import os
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

SENSOR = sys.argv.pop(1)
US, THEM, US6, THEM6 = "10.10.150.2", "10.10.150.1", "fd00:150::2", "fd00:150::1"


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def with_checksum(ends, protocol, payload):
    """A whole TCP or UDP segment with its checksum; `ends`: both addresses."""
    at = {6: 16, 17: 6}.get(protocol)
    if at is None or len(payload) < at + 2:
        return payload
    sum_of = checksum(ends + struct.pack("!BBH", 0, protocol, len(payload)) + payload + b"\0" * (len(payload) % 2))
    return payload[:at] + struct.pack("!H", sum_of) + payload[at + 2:]


def ipv4(payload, protocol=6, fragment=0, ident=1, first=0x45, length=None, broken=0):
    length = 20 + len(payload) if length is None else length
    ends = socket.inet_aton(THEM) + socket.inet_aton(US)
    if not fragment:
        payload = with_checksum(ends, protocol, payload)
    header = struct.pack("!BBHHHBBH", first, 0, length, ident, fragment, 64, protocol, 0)
    return header[:10] + struct.pack("!H", checksum(header + ends) ^ broken) + ends + payload


def ipv6(payload, following=6):
    ends = socket.inet_pton(socket.AF_INET6, THEM6) + socket.inet_pton(socket.AF_INET6, US6)
    payload = with_checksum(ends, following, payload)
    return struct.pack("!IHBB", 6 << 28, len(payload), following, 64) + ends + payload


def fin(port):
    return struct.pack("!HHIIBBHHH", 40000, port, 1, 0, 0x50, 1, 1024, 0, 0)


def capture(packets, link=1, swapped=False):
    order = ">" if swapped else "<"
    text = struct.pack(order + "IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, link)
    for number, packet in enumerate(packets):
        text += struct.pack(order + "IIII", 1700000000, number * 1000, len(packet), len(packet)) + packet
    return text


def ethernet(packet, tags=b""):
    kind = 0x86dd if packet[0] >> 4 == 6 else 0x0800
    return bytes(12) + tags + struct.pack("!H", kind) + packet


class Captures(unittest.TestCase):
    def run_on(self, data, *options):
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            return self.run_on_path(file.name, *options)

    @staticmethod
    def run_on_path(path, *options):
        return subprocess.run([SENSOR, "-r", path, "--local", f"{US},{US6}", "--config", "/dev/null", "--hosts",
                               "/dev/null", "-L", *options], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "TZ": "UTC"}, check=False)

    def lines(self, packets, *options):
        run = self.run_on(capture([ethernet(packet) for packet in packets]), *options)
        self.assertEqual(0, run.returncode, run.stdout + run.stderr)
        return [line[16:] for line in run.stdout.splitlines() if "iplog started" not in line]

    def statistics(self, packets, *options):
        return self.run_on(capture([ethernet(packet) for packet in packets]), "-V", *options).stderr

    def test_a_scan_is_named_whatever_the_link(self):
        cooked = lambda kind: struct.pack("!HHH8sH", 0, 1, 6, bytes(8), kind)
        cooked2 = lambda kind: struct.pack("!HHIHBB8s", kind, 0, 2, 1, 0, 6, bytes(8))
        rows = [("Ethernet", 1, lambda p, v6: ethernet(p)),
                ("802.1Q", 1, lambda p, v6: ethernet(p, b"\x81\0\0\x0a")),
                ("802.1ad", 1, lambda p, v6: ethernet(p, b"\x88\xa8\0\x0a\x81\0\0\x0b")),
                ("three tags", 1, lambda p, v6: ethernet(p, b"\x91\0\0\x0a\x88\xa8\0\x0a\x81\0\0\x0b")),
                ("cooked", 113, lambda p, v6: cooked(0x86dd if v6 else 0x0800) + p),
                ("cooked v2", 276, lambda p, v6: cooked2(0x86dd if v6 else 0x0800) + p),
                ("loopback", 0, lambda p, v6: (b"\x1e\0\0\0" if v6 else b"\2\0\0\0") + p),
                ("OpenBSD loopback", 108, lambda p, v6: (b"\0\0\0\x18" if v6 else b"\0\0\0\2") + p),
                ("raw", 101, lambda p, v6: p),
                ("MPLS", 1, lambda p, v6: bytes(12) + b"\x88\x47\0\2\1\x40" + p),
                ("PPPoE", 1, lambda p, v6: bytes(12) + b"\x88\x64\x11\0\0\1\0\x2a" + (b"\0\x57" if v6 else b"\0\x21") + p),
                ("PPP", 9, lambda p, v6: (b"\0\x57" if v6 else b"\0\x21") + p),
                ("PPP on a serial line", 50, lambda p, v6: b"\xff\3" + (b"\0\x57" if v6 else b"\0\x21") + p),
                ("PPPoE alone", 51, lambda p, v6: b"\x11\0\0\1\0\x2a" + (b"\x57" if v6 else b"\x21") + p),
                ("Cisco HDLC", 104, lambda p, v6: b"\x0f\0" + (b"\x86\xdd" if v6 else b"\x08\0") + p)]
        for name, link, wrap in rows:
            for v6 in (False, True):
                for swapped in (False, True):
                    with self.subTest(link=name, v6=v6, swapped=swapped):
                        frames = [wrap(ipv6(fin(p)) if v6 else ipv4(fin(p)), v6) for p in range(1, 21)]
                        text = self.run_on(capture(frames, link, swapped)).stdout
                        self.assertIn("TCP: FIN scan detected [ports 1,2,3,4,5,6,7,8,9,10,...] from "
                                      f"{THEM6 if v6 else THEM} [port 40000] (forgeable)\n", text)

    def test_a_header_checksum_of_zero_is_right_in_what_the_host_itself_sends(self):
        def datagram(source, destination):
            return struct.pack("!HHHH", source, destination, 12, 0) + b"data"

        def outbound(payload):
            packet = ipv4(payload, 17)
            return packet[:10] + bytes(2) + packet[16:20] + packet[12:16] + packet[20:]

        answers = [ipv4(datagram(53, port), 17) for port in range(2000, 2040)]
        questions = [outbound(datagram(port, 53)) for port in range(2000, 2040)]
        unset = [packet[:10] + bytes(2) + packet[12:] for packet in answers]
        scan = "UDP: backscatter detected"
        self.assertIn(scan, "\n".join(self.lines(answers)))
        self.assertNotIn(scan, "\n".join(self.lines(questions + answers)))
        self.assertNotIn(scan, "\n".join(self.lines(unset)))
        self.assertIn("IP packet with invalid checksum from " + THEM, self.lines(unset, "-V"))
        self.assertIn("bad_checksums 0,", self.statistics(questions))
        self.assertIn("bad_checksums 40,", self.statistics(unset))

    def test_other_ip_protocols_are_looked_at_but_not_by_iplog(self):
        init = struct.pack("!HHIIBBHIIHHI", 40000, 2905, 0, 0, 1, 0, 20, 1, 1500, 1, 1, 1)
        packets = [ipv4(init, 132), ipv4(bytes(20), 103), ipv6(bytes(8), 200)]
        self.assertRegex(self.statistics(packets), "^packets_to_us 3, .*other_packets 0,")
        self.assertRegex(self.statistics(packets[:2], "--iplog-compat"), "^packets_to_us 0, .*other_packets 2,")

    def test_fragments_count_whole_and_the_switch_is_for_the_lines_only(self):
        pieces = [ipv4(fin(port)[begin:begin + 8], 6, begin // 8 | (0x2000 if begin < 16 else 0), port)
                  for port in range(1, 21) for begin in (16, 0, 8)]
        overlap = [ipv4(bytes(16), 17, 0x2000, 99), ipv4(bytes(16), 17, 1, 99)]
        for switch in ("true", "false"):
            text = "\n".join(self.lines(pieces + overlap, f"--log-frag={switch}"))
            self.assertIn("TCP: FIN scan detected", text)
            self.assertIn("received a total of 20 packets (400 bytes).", text)
            self.assertEqual(switch == "true", f"Overlapping IP fragments from {THEM}" in text)
        self.assertIn(f"Overlapping IP fragments to {US} from {THEM}", self.lines(overlap, "-D"))
        oversized = [ipv4(bytes(16), 17, 0x1fff, 98)]
        self.assertEqual([f"Oversized IP fragment from {THEM}"], self.lines(oversized))

    def test_broken_headers_are_lines_with_verbose(self):
        broken = [ipv4(fin(1), first=0x44), ipv4(fin(1), length=19), ipv4(fin(1), first=0x46, length=23),
                  ipv4(fin(1), broken=1)]
        self.assertEqual([], self.lines(broken))
        short, wrong = "Short IP packet", "IP packet with invalid checksum"
        # Equal lines are counted.
        self.assertEqual([f"{short} from {THEM}", "last message repeated 2 times", f"{wrong} from {THEM}"],
                         [line for line in self.lines(broken, "-V") if "statistics" not in line])
        self.assertIn(f"{wrong} to {US} from {THEM}", self.lines(broken, "-V", "-D"))

    def test_what_is_no_capture_is_refused_with_the_reason(self):
        whole = capture([ethernet(ipv4(fin(port))) for port in range(1, 21)])
        for data, reason in ((b"", "truncated dump file"), (b"no capture at all, a text", "unknown file format"),
                             (whole[:20], "truncated dump file"),
                             (capture([], 105), "frames of type IEEE802_11 are not understood")):
            run = self.run_on(data)
            self.assertEqual(255, run.returncode)
            self.assertRegex(run.stdout, rf"^Fatal: .*{reason}")
        run = self.run_on_path("/no/such/file")
        self.assertEqual((255, "Fatal: /no/such/file: cannot read the capture: No such file or directory\n"),
                         (run.returncode, run.stdout))

    def test_a_capture_that_is_cut_short_is_reported_as_far_as_it_goes(self):
        whole = capture([ethernet(ipv4(fin(port))) for port in range(1, 21)])
        run = self.run_on(whole[:-3])
        self.assertEqual(1, run.returncode)
        self.assertIn("truncated dump file", run.stderr)
        self.assertIn("received a total of 19 packets", run.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
