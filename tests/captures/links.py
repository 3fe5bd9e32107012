"""Puts packets into frames of different links, and frames into pcap files."""
import struct

ETHERNET, RAW = 1, 101

OUR_MAC, PEER_MAC = b"\x02\0\0\0\0\2", b"\x02\0\0\0\0\1"


def ether_type(packet: bytes) -> int:
    """Of an IP packet, or of an ARP message (which begins with hardware type 1)."""
    if packet[:2] == b"\0\1":
        return 0x0806
    return 0x86dd if packet[0] >> 4 == 6 else 0x0800


def tagged(tags: bytes):
    return lambda packet: tags + struct.pack("!H", ether_type(packet)) + packet


def pppoe(packet: bytes) -> bytes:
    """A session frame (RFC 2516) with the PPP protocol numbers of IPv4 and IPv6."""
    protocol = 0x0057 if ether_type(packet) == 0x86dd else 0x0021
    return struct.pack("!HBBHHH", 0x8864, 0x11, 0, 1, 2 + len(packet), protocol) + packet


def snap(packet: bytes) -> bytes:
    """An 802.3 length, then LLC and SNAP with OUI 0 (RFC 1042)."""
    return struct.pack("!H", 8 + len(packet)) + b"\xaa\xaa\x03\0\0\0" + struct.pack("!H", ether_type(packet)) + packet


def mpls(packet: bytes) -> bytes:
    """One label with the bottom of stack bit and TTL 64 (RFC 3032)."""
    return struct.pack("!HI", 0x8847, 100 << 12 | 1 << 8 | 64) + packet


# The bytes after the two MAC addresses of an Ethernet frame.
AFTER_ADDRESSES = {
    "ethernet": tagged(b""),
    "vlan": tagged(b"\x81\0\0\x0a"),
    "qinq": tagged(b"\x88\xa8\0\x0a\x81\0\0\x0b"),
    # Cisco metadata: version, length, one option with a security group tag of 2 bytes.
    "cmd": tagged(b"\x89\x09\x01\x01\x00\x01\x00\x07"),
    "pppoe": pppoe,
    "snap": snap,
    "mpls": mpls,
}

LINKS = (*AFTER_ADDRESSES, "raw")


def frame(packet: bytes, link: str, outbound: bool) -> bytes:
    if link == "raw":
        return packet
    addresses = PEER_MAC + OUR_MAC if outbound else OUR_MAC + PEER_MAC
    text = addresses + AFTER_ADDRESSES[link](packet)
    return text.ljust(60, b"\0")  # the shortest Ethernet frame without its FCS


def pcap(records: list[tuple[int, bytes]], link: str) -> bytes:
    """`records`: (microseconds, frame)."""
    parts = [struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, RAW if link == "raw" else ETHERNET)]
    for at, text in records:
        parts += struct.pack("<IIII", at // 1000000, at % 1000000, len(text), len(text)), text
    return b"".join(parts)
