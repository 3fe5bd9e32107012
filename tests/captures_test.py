"""The library that builds captures: checksums against published values, the links, loss, and the same bytes each time."""
import hashlib
import pathlib
import struct
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "captures"))
import attacks  # noqa: E402
import benign  # noqa: E402
import links  # noqa: E402
import network  # noqa: E402
import packets  # noqa: E402
from network import CLOSED, OURS, PEER  # noqa: E402


def sum_of_words(data):
    """RFC 1071, a word at a time."""
    total = 0
    for (word,) in struct.iter_unpack("!H", data + bytes(len(data) % 2)):
        total += word
        total = (total & 0xffff) + (total >> 16)
    return total


def is_right(packet):
    """Whether the checksum of a TCP, UDP or ICMPv6 packet is right: with it, the sum is all ones."""
    v6 = packet[0] >> 4 == 6
    ends, protocol, segment = (packet[8:40], packet[6], packet[40:]) if v6 else (packet[12:20], packet[9], packet[20:])
    length = struct.pack("!I" if v6 else "!H", len(segment))
    pseudo = ends + (length + bytes((0, 0, 0, protocol)) if v6 else bytes((0, protocol)) + length)
    return sum_of_words(pseudo + segment) == 0xffff


class Packets(unittest.TestCase):
    def test_checksums_of_published_examples(self):
        self.assertEqual(0xddf2, packets.ones_sum(bytes.fromhex("0001f203f4f5f6f7")))  # RFC 1071 section 3
        self.assertEqual(0xe3069283, packets.crc32c(b"123456789"))  # the check value of CRC-32C
        self.assertEqual(0x8a9136aa, packets.crc32c(bytes(32)))  # RFC 3720 appendix B.4
        self.assertEqual(0, packets.ones_sum(bytes(4)))

    def test_right_wrong_and_partial_checksums(self):
        for version in (4, 6):
            for data in (b"", b"x", bytes(range(255)), b"\xff" * 7):
                for build in (lambda **more: packets.tcp(PEER[version], 1, OURS[version], 2, 2, data=data, **more),
                              lambda **more: packets.udp(PEER[version], 1, OURS[version], 2, data, **more)):
                    self.assertTrue(is_right(build()))
                    self.assertFalse(is_right(build(checksum="wrong")))
                    self.assertFalse(is_right(build(checksum="partial")))
            error = packets.unreachable(OURS[version], "port", packets.udp(PEER[version], 1, OURS[version], 2, b"abc"))
            self.assertEqual(error[-3:], b"abc")
        self.assertTrue(is_right(error))
        header = packets.udp(PEER[4], 1, OURS[4], 2)[:20]
        self.assertEqual(0xffff, sum_of_words(header))
        self.assertEqual(b"\0\0", packets.udp(PEER[4], 1, OURS[4], 2, header_checksum="zero")[10:12])
        self.assertEqual(b"\0\0", packets.udp(PEER[4], 1, OURS[4], 2, checksum="zero")[26:28])

    def test_every_link_holds_the_whole_packet(self):
        for version in (4, 6):
            packet = packets.tcp(PEER[version], 1, OURS[version], 2, 2, data=bytes(range(50)))
            for link in links.LINKS:
                frame = links.frame(packet, link, outbound=False)
                self.assertTrue(frame.endswith(packet), link)


class Captures(unittest.TestCase):
    def test_the_same_arguments_give_the_same_bytes(self):
        def digest():
            total = hashlib.sha256()
            for _, function, variants in benign.ROWS:
                total.update(function(**variants[-1]).capture.bytes())
            for name in attacks.PORT_KINDS:
                scan = attacks.port_scan(name, ports=attacks.distinct_ports(name, 30))
                total.update(scan.lose(0.2, True).reorder(0.1).bytes())
            return total.hexdigest()
        self.assertEqual(digest(), digest())

    def test_loss_takes_its_share_of_one_direction(self):
        def count(capture, outbound):
            return sum(record.outbound == outbound for record in capture.records)
        whole = attacks.port_scan("SYN", ports=attacks.distinct_ports("SYN", 50))
        lossy = attacks.port_scan("SYN", ports=attacks.distinct_ports("SYN", 50)).lose(0.2, True)
        self.assertEqual(count(whole, False), count(lossy, False))
        self.assertEqual(count(whole, True) * 8 // 10, count(lossy, True))

    def test_a_capture_is_in_order_of_time_also_if_its_packets_are_reordered(self):
        capture = attacks.port_scan("SYN", ports=attacks.distinct_ports("SYN", 50)).reorder(0.1)
        times = [record.at for record in capture.ordered()]
        self.assertEqual(sorted(times), times)
        ports = [record.packet[22:24] for record in capture.ordered()
                 if not record.outbound and record.packet[12:16] == packets.address_bytes(PEER[4])]
        self.assertEqual(50, len(set(ports)))
        self.assertNotEqual([struct.pack("!H", port) for port in attacks.distinct_ports("SYN", 50)], ports)

    def test_the_kernel_limits_its_errors(self):
        capture = network.Capture()
        capture.host(OURS[4], udp=CLOSED, errors_per_second=1)
        for number in range(100):
            capture.send(1 + 0.1 * number, packets.udp(PEER[4], 1, OURS[4], 1000 + number))
        # A burst of 6, then one a second for 9.9 seconds.
        self.assertEqual(6 + 9, sum(record.outbound for record in capture.records))

    def test_ports_are_distinct(self):
        for name in attacks.PORT_KINDS:
            self.assertEqual(200, len(set(attacks.distinct_ports(name, 200))), name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
