"""Random captures for the comparison with iplog; everything follows from the random.Random handed in."""

from __future__ import annotations

import random
import socket
import struct

import iplog

LOCAL = "10.10.150.2"
START = 1795511136
SOURCES = ["10.10.150.1", "10.10.150.9", "10.7.0.1", "138.1.2.3", "138.9.9.9", "10.10.150.53", "192.0.2.7",
           "201.223.42.9", "201.223.42.77", "10.200.1.1"]
FLAGS = [iplog.SYN] * 6 + [0, iplog.FIN, iplog.FIN, iplog.FIN | iplog.URG | iplog.PSH, iplog.URG, iplog.PSH,
                           iplog.FIN | iplog.ACK, iplog.ACK, iplog.SYN | iplog.ACK, iplog.SYN | iplog.ECE,
                           iplog.SYN | iplog.FIN, iplog.RST, iplog.CWR | iplog.ACK, iplog.FIN | iplog.URG]


class CaptureMaker:
    """Bursts of packets of one sort, with pauses that sometimes exceed the idle times."""

    def __init__(self, rnd: random.Random):
        self.rnd = rnd
        self.time = START
        self.frames: list[tuple[int, bytes]] = []

    def frame(self, source: str, protocol: int, payload: bytes, ttl: int = 64, flags: int = 0,
              ident: int | None = None, broken: bool = False) -> None:
        ident = self.rnd.randrange(65536) if ident is None else ident
        header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident, flags, ttl, protocol, 0,
                             socket.inet_aton(source), socket.inet_aton(LOCAL))
        total = iplog.checksum(header) ^ (1 if broken else 0)
        header = header[:10] + struct.pack(">H", total) + header[12:]
        ethernet = b"\x02\0\0\0\0\2\x02\0\0\0\0\1\x08\0"
        self.frames.append((self.time, ethernet + header + payload))

    def tcp(self, source: str) -> None:
        flags = self.rnd.choice(FLAGS)
        df = self.rnd.choice([0, 0x4000])
        low = self.rnd.choice([20, 1000])
        spread = self.rnd.choice([1, 4, 40])
        for _ in range(self.rnd.choice([1, 3, 9, 10, 12, 16, 30])):
            options = self.rnd.choice([b"", b"\x02\x04\x05\xb4"])
            self.frame(source, 6, struct.pack(">HHIIBBHHH", self.rnd.randrange(40000, 40000 + spread),
                                              low + self.rnd.randrange(spread), 1, 0, (5 + len(options) // 4) << 4,
                                              flags, 1024, 0, 0) + options, flags=df)
            self.pause([0, 0, 0, 0, 1, 49])

    def udp(self, source: str) -> None:
        sport = self.rnd.choice([7, 53, 5000, None])
        ttl = self.rnd.choice([1, 2, 64, 64])
        spread = self.rnd.choice([1, 4, 40])
        for _ in range(self.rnd.choice([1, 3, 24, 25, 30, 95])):
            data = b"x" * self.rnd.randrange(0, 9)
            self.frame(source, 17, struct.pack(">HHHH", sport or self.rnd.randrange(40000, 40006),
                                               33434 + self.rnd.randrange(spread), 8 + len(data), 0) + data, ttl=ttl)
            self.pause([0, 0, 0, 1])

    def icmp(self, source: str) -> None:
        kind = self.rnd.choice([0, 0, 8, 8, 8, 3, 4, 5, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 1, 42])
        for _ in range(self.rnd.choice([1, 2, 70, 75, 95]) if kind in (0, 8) else 1):
            inner = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28, 1, 0, 64, self.rnd.choice([1, 6, 17, 99]), 0,
                                socket.inet_aton(LOCAL), socket.inet_aton(self.rnd.choice(SOURCES)))
            inner += struct.pack(">HHHH", self.rnd.choice([0x0300, 0x0800, 53]), self.rnd.randrange(65536), 8, 0)
            rest = inner if kind in (3, 5, 11, 12) else bytes(self.rnd.randrange(256) for _ in range(24))
            if kind == 9:
                rest = bytes(self.rnd.randrange(256) for _ in range(24))
            number = struct.pack(">BBH", 2, 2, self.rnd.choice([30, 1800])) if kind == 9 else b"\x0a\0\0\1"
            self.frame(source, 1, struct.pack(">BBH", kind, self.rnd.randrange(0, 18), 0) + number + rest)
            self.pause([0, 0, 0, 0, 0, 0, 1])

    def fragments(self, source: str) -> None:
        ident, pieces, at = self.rnd.randrange(65536), [], 0
        for number in range(count := self.rnd.randrange(1, 5)):
            # a whole TCP header in the first: without one iplog reads beyond what it has
            size = 8 * self.rnd.randrange(1 if number else 3, 5)
            pieces.append((at, size, number < count - 1))
            at += size
        self.rnd.shuffle(pieces)
        if self.rnd.random() < 0.4:
            pieces.insert(self.rnd.randrange(len(pieces) + 1), self.rnd.choice(pieces))
        if self.rnd.random() < 0.4:
            pieces.insert(self.rnd.randrange(len(pieces) + 1),
                          (8 * self.rnd.randrange(0, 8), 8 * self.rnd.randrange(1, 5), True))
        data = struct.pack(">HHIIBBHHH", 40000, 25, 1, 0, 5 << 4, iplog.SYN, 1024, 0, 0) + bytes(200)
        for offset, size, more in pieces:
            self.frame(source, 6, data[offset:offset + size], flags=(0x2000 if more else 0) | offset // 8,
                       ident=ident)
            self.pause([0, 0, 0, 0, 1])

    def damaged(self, source: str) -> None:
        self.frame(source, 6, bytes(20), broken=True)

    def pause(self, choices: list[int]) -> None:
        self.time += self.rnd.choice(choices)

    def capture(self, bursts: int) -> bytes:
        for _ in range(bursts):
            burst = self.rnd.choice([self.tcp] * 5 + [self.udp] * 2 + [self.icmp] * 2 + [self.fragments, self.damaged])
            burst(self.rnd.choice(SOURCES))
            self.pause([0, 0, 1, 5, 15, 50, 61])
        out = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
        for seconds, frame in self.frames:
            out += struct.pack("<IIII", seconds, 0, len(frame), len(frame)) + frame
        return out
