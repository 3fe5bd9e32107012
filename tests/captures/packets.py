"""Builds packets byte by byte: TCP, UDP, ICMP, ICMPv6, SCTP and any other IP protocol, over IPv4 and IPv6, and ARP.

An address is a string; its family decides between IPv4 and IPv6. Each function that builds a packet returns an IP packet
as bytes; links.py puts it into a frame. Checksums are right unless `checksum` says otherwise:

    "right"    as the sender's network card fills it in
    "wrong"    one bit is inverted
    "partial"  the sum of the pseudo header only, as a capture shows it if the card or a peer's kernel fills in the rest
    "zero"     UDP over IPv4 only: the sender computed none
"""
import functools
import socket
import struct

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 1, 2, 4, 8, 16, 32, 64, 128

TCP, UDP, ICMP, ICMPV6, SCTP = 6, 17, 1, 58, 132

# TCP options of a connect() of Linux: MSS, SACK permitted, timestamps, window scale.
MSS = b"\x02\x04\x05\xb4"


def connect_options(clock: int) -> bytes:
    """The options of a SYN of Linux; `clock` is the timestamp value."""
    return MSS + b"\x04\x02\x08\x0a" + struct.pack("!II", clock & 0xffffffff, 0) + b"\x01\x03\x03\x07"


def timestamps(clock: int, echo: int) -> bytes:
    """The option of a segment in a connection with TCP timestamps (RFC 7323)."""
    return b"\x01\x01\x08\x0a" + struct.pack("!II", clock & 0xffffffff, echo & 0xffffffff)


def is_v6(address: str) -> bool:
    return ":" in address


@functools.lru_cache(maxsize=65536)
def address_bytes(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if is_v6(address) else socket.AF_INET, address)


def ones_sum(data: bytes) -> int:
    """The one's complement sum of 16-bit words (RFC 1071), before the final complement."""
    if len(data) % 2:
        data += b"\0"
    total = int.from_bytes(data, "big")
    # 2^16 = 1 modulo 0xffff, so the remainder is the sum; of 0 and 0xffff only an all-zero text gives 0.
    return total % 0xffff or (0xffff if total else 0)


def pseudo_header(source: str, target: str, protocol: int, length: int) -> bytes:
    ends = address_bytes(source) + address_bytes(target)
    return ends + (struct.pack("!IHBB", length, 0, 0, protocol) if is_v6(source)
                   else struct.pack("!BBH", 0, protocol, length))


def with_checksum(segment: bytes, offset: int, pseudo: bytes, checksum: str) -> bytes:
    """Fills in the two bytes at `offset`, which are zero in `segment`."""
    value = ~ones_sum(pseudo + segment) & 0xffff
    if checksum == "partial":
        value = ones_sum(pseudo)
    elif checksum == "wrong":
        value ^= 0x0100
    elif checksum == "zero":
        value = 0
    return segment[:offset] + struct.pack("!H", value) + segment[offset + 2:]


def ip(source: str, target: str, protocol: int, payload: bytes, *, ttl: int = 64, df: bool = True, ident: int = 0,
       header_checksum: str = "right") -> bytes:
    if is_v6(source):
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, ttl) + address_bytes(source) + address_bytes(
            target) + payload
    ends = address_bytes(source) + address_bytes(target)
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), ident, 0x4000 if df else 0, ttl, protocol, 0)
    value = ~ones_sum(header + ends) & 0xffff
    if header_checksum == "zero":
        value = 0
    elif header_checksum == "wrong":
        value ^= 1
    return header[:10] + struct.pack("!H", value) + ends + payload


def tcp(source: str, source_port: int, target: str, port: int, flags: int, *, seq: int = 1, ack: int = 0,
        window: int = 1024, options: bytes = b"", data: bytes = b"", checksum: str = "right", **header) -> bytes:
    offset = 5 + len(options) // 4
    segment = struct.pack("!HHIIBBHHH", source_port, port, seq & 0xffffffff, ack & 0xffffffff, offset << 4, flags,
                          window, 0, 0) + options + data
    pseudo = pseudo_header(source, target, TCP, len(segment))
    return ip(source, target, TCP, with_checksum(segment, 16, pseudo, checksum), **header)


def udp(source: str, source_port: int, target: str, port: int, data: bytes = b"", *, checksum: str = "right",
        **header) -> bytes:
    segment = struct.pack("!HHHH", source_port, port, 8 + len(data), 0) + data
    pseudo = pseudo_header(source, target, UDP, len(segment))
    return ip(source, target, UDP, with_checksum(segment, 6, pseudo, checksum), **header)


def icmp(source: str, target: str, kind: int, code: int, body: bytes, **header) -> bytes:
    """ICMP, or ICMPv6 for IPv6 addresses. `body`: what follows the checksum."""
    message = struct.pack("!BBH", kind, code, 0) + body
    if is_v6(source):
        pseudo = pseudo_header(source, target, ICMPV6, len(message))
        return ip(source, target, ICMPV6, with_checksum(message, 2, pseudo, "right"), **header)
    return ip(source, target, ICMP, with_checksum(message, 2, b"", "right"), **header)


def echo(source: str, target: str, *, reply: bool = False, ident: int = 1, number: int = 1, data: bytes = bytes(56),
         **header) -> bytes:
    kind = (129 if reply else 128) if is_v6(source) else (0 if reply else 8)
    return icmp(source, target, kind, 0, struct.pack("!HH", ident, number) + data, **header)


# Reasons of an unreachable message: the code in ICMP and in ICMPv6 (RFC 792, RFC 4443).
UNREACHABLE = {"port": (3, 4), "prohibited": (13, 1), "host": (1, 3), "protocol": (2, None)}


def unreachable(sender: str, reason: str, refused: bytes, **header) -> bytes:
    """The error about the packet `refused`, sent to its source. ICMPv6 has no protocol unreachable: it sends a
    parameter problem (RFC 8200 section 4)."""
    if refused[0] >> 4 == 6:
        target = socket.inet_ntop(socket.AF_INET6, refused[8:24])
        if UNREACHABLE[reason][1] is None:
            return icmp(sender, target, 4, 1, struct.pack("!I", 6) + refused[:1200], **header)
        return icmp(sender, target, 1, UNREACHABLE[reason][1], bytes(4) + refused[:1200], **header)
    target = socket.inet_ntop(socket.AF_INET, refused[12:16])
    return icmp(sender, target, 3, UNREACHABLE[reason][0], bytes(4) + refused[:548], **header)


@functools.lru_cache(maxsize=1)
def crc32c_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82f63b78 if byte & 1 else 0)
        table.append(byte)
    return table


def crc32c(data: bytes) -> int:
    """The checksum of SCTP (RFC 9260 appendix A)."""
    table, value = crc32c_table(), 0xffffffff
    for byte in data:
        value = (value >> 8) ^ table[(value ^ byte) & 0xff]
    return value ^ 0xffffffff


# SCTP chunk types (RFC 9260 section 3.2).
SCTP_INIT, SCTP_INIT_ACK, SCTP_ABORT, SCTP_COOKIE_ECHO = 1, 2, 6, 10


def sctp(source: str, source_port: int, target: str, port: int, chunk: int, *, tag: int = 0, **header) -> bytes:
    if chunk in (SCTP_INIT, SCTP_INIT_ACK):
        value = struct.pack("!IIHHI", 0x1234567, 65536, 10, 65535, 1)
    else:
        value = bytes(4) if chunk == SCTP_COOKIE_ECHO else b""
    body = struct.pack("!BBH", chunk, 0, 4 + len(value)) + value
    common = struct.pack("!HHI", source_port, port, tag)
    total = struct.pack("<I", crc32c(common + bytes(4) + body))
    return ip(source, target, SCTP, common + total + body, **header)


def neighbour_solicitation(source: str, target: str, to: str | None = None) -> bytes:
    """An IPv6 packet (RFC 4861): who has `target`? `to`: the host itself, to verify that it is still there."""
    group = b"\xff\x02" + bytes(9) + b"\x01\xff" + address_bytes(target)[-3:]
    to = to or socket.inet_ntop(socket.AF_INET6, group)
    return icmp(source, to, 135, 0, bytes(4) + address_bytes(target) + b"\x01\x01\x02\0\0\0\0\1", ttl=255)


def arp_request(sender: str, target: str, sender_mac: bytes = b"\x02\0\0\0\0\1") -> bytes:
    """The payload of an ARP frame (RFC 826): who has `target`?"""
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + sender_mac + address_bytes(sender) + bytes(6) + address_bytes(
        target)
