#!/usr/bin/env python3
"""What iplog 2.2.3 writes for a capture (spec: iplog), the slow and obvious way.

Driven by packet time as section 9 of the specification says. The filters are those of the published
iplog.conf; the options are the few that the recorded captures use.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from dataclasses import dataclass, field

KINDS = ["TCP: port scan", "TCP: null scan", "TCP: FIN scan", "TCP: SYN scan", "TCP: Xmas scan", "UDP: scan/flood",
         "ICMP/UDP: smurf attack", "ICMP: ping flood"]
PORT, NULL, FIN_SCAN, SYN_SCAN, XMAS, UDP, SMURF, PING = range(8)
THRESHOLD = [15, 10, 10, 10, 10, 25, 90, 70]
TIMEOUT = [50, 50, 50, 50, 50, 50, 30, 60]
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))
XMAS_FLAGS = {FIN | URG | PSH, URG, PSH, FIN | URG, FIN | PSH, URG | PSH}
IGNORED_PORTS = {80, 135, 139, 445, 5900}
RESOLVER = "10.10.150.53"
ICMP_NAMES = {0: "ECHO_REPLY", 3: "DEST_UNREACHABLE", 4: "SOURCE_QUENCH", 5: "REDIRECT", 8: "ECHO",
              9: "ROUTER_ADVERT", 10: "ROUTER_SOLICIT", 11: "TIME_EXCEEDED", 12: "PARAMETER_PROBLEM",
              13: "TIMESTAMP", 14: "TIMESTAMP_REPLY", 15: "INFO_REQUEST", 16: "INFO_REPLY", 17: "ADDRESS_REQUEST",
              18: "ADDRESS_REPLY"}
IP_PROTOCOLS = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 47: "gre"}


@dataclass
class Options:
    log_dest: bool = False
    promisc: bool = False
    scans_only: bool = False
    verbose: bool = False
    log_ip: bool = True
    names: dict[str, str] = field(default_factory=dict)
    off: set[str] = field(default_factory=set)
    local: tuple[str, ...] = ("10.10.150.2",)


class Counter:
    def __init__(self):
        self.packets = self.bytes = 0
        self.logged = False
        self.dports: list[int] = []
        self.sports: list[int] = []
        self.expiry = 0


class Entry:
    def __init__(self, source: str, target: str, now: int):
        self.source, self.target = source, target
        self.counters: list[Counter | None] = [None] * 8
        self.last = now


class Log:
    """Repeat collapsing."""

    def __init__(self):
        self.lines: list[str] = []
        self.last: str | None = None
        self.repeats = 0
        self.deadline = 0

    def write(self, text: str, now: int) -> None:
        if text != self.last:
            if self.repeats:
                self.put(f"last message repeated {self.repeats} times", now)
                self.repeats = 0
            self.put(text, now)
            self.deadline, self.last = now + 60, text
        else:
            if now >= self.deadline and self.repeats:
                self.put(f"last message repeated {self.repeats} times", now)
                self.repeats, self.last = 0, None
            self.repeats += 1

    def put(self, text: str, now: int) -> None:
        stamp = time.gmtime(now)
        self.lines.append(f"{time.strftime('%b', stamp)} {stamp.tm_mday:2d} {time.strftime('%H:%M:%S', stamp)} {text}")


class Iplog:
    def __init__(self, options: Options):
        self.options = options
        self.log = Log()
        self.buckets: list[list[Entry]] = [[] for _ in range(256 if options.promisc else 128)]
        self.fragments: list[tuple[tuple, list]] = []
        self.last_bogus: str | None = None
        self.last_trace: tuple[str, int] | None = None
        with open("/etc/services", encoding="utf-8") as file:
            self.services = {(int(words[1].split("/")[0]), words[1].split("/")[1]): words[0]
                             for line in reversed(file.readlines()) if len(words := line.split("#")[0].split()) > 1}
        self.now: int | None = None

    # -------------------------------------------------------- time and packets

    def packet(self, seconds: int, frame: bytes) -> None:
        if len(frame) < 34 or frame[12:14] != b"\x08\x00":
            return
        ip = frame[14:]
        protocol = ip[9]
        source, target = socket.inet_ntoa(ip[12:16]), socket.inet_ntoa(ip[16:20])
        if protocol not in (1, 6, 17) or not self.is_for_us(target):
            return
        if self.now is None:
            self.now = seconds
            self.write("iplog started.")
        self.advance(seconds)
        header = (ip[0] & 15) * 4
        length = struct.unpack(">H", ip[2:4])[0]
        if header < 20 or length < header:
            if self.options.verbose:
                self.directed("Short IP packet", source, target)
            return
        if checksum(ip[:header]) != 0:
            if self.options.verbose:
                self.directed("IP packet with invalid checksum", source, target)
            return
        flags = struct.unpack(">H", ip[6:8])[0]
        payload = ip[header:length]
        size = length - header
        ttl, df = ip[8], bool(flags & 0x4000)
        if flags & 0xBFFF:
            whole = self.fragment(ip, header, size, flags)
            if whole is None:
                return
            payload, ttl, df = whole
            size = len(payload)
            header = 20
        payload += b"\0" * 64
        if protocol == 6:
            self.tcp(source, target, payload, size, df)
        elif protocol == 17:
            self.udp(source, target, payload, size, ttl)
        else:
            self.icmp(source, target, payload, size)

    def is_for_us(self, target: str) -> bool:
        return target.startswith("10.10.150.") if self.options.promisc else target in self.options.local

    def advance(self, seconds: int) -> None:
        while self.now < seconds:
            self.now += 1
            self.sweep()

    def finish(self) -> list[str]:
        if self.now is not None:
            self.advance(self.now + 75)
        return self.log.lines

    def write(self, text: str) -> None:
        self.log.write(text, self.now)

    # -------------------------------------------------------- the counting table

    def sweep(self) -> None:
        self.fragments.clear()
        for bucket in self.buckets:
            for entry in list(reversed(bucket)):
                for kind, counter in enumerate(entry.counters):
                    if counter and self.now >= counter.expiry:
                        self.expire(entry, kind)
                        entry.counters[kind] = None
                if not any(entry.counters):
                    bucket.remove(entry)

    def expire(self, entry: Entry, kind: int) -> None:
        counter = entry.counters[kind]
        if counter.packets >= THRESHOLD[kind]:
            source = entry.source if kind == SMURF else self.host(entry.source)
            to = f" to {self.host(entry.target)}" if self.options.log_dest else ""
            self.write(f"{KINDS[kind]} mode{to} expired for {source} - received a total of "
                       f"{counter.packets} packets ({counter.bytes} bytes).")

    def swallowed(self, kind: int, source: str, target: str, size: int, dport=None, sport=None) -> bool:
        mask = len(self.buckets) - 1
        bucket = self.buckets[(int(source.split(".")[0]) ^ int(target.split(".")[0])) & mask]
        entry = next((e for e in bucket if (e.source, e.target) == (source, target)), None)
        is_new = entry is None
        if is_new:
            if len(bucket) == 4:
                oldest = min(bucket, key=lambda e: (e.last, bucket.index(e)))
                for number, counter in enumerate(oldest.counters):
                    if counter:
                        self.expire(oldest, number)
                bucket.remove(oldest)
            entry = Entry(source, target, self.now)
            bucket.append(entry)
        entry.last = self.now
        counter = entry.counters[kind] = entry.counters[kind] or Counter()
        counter.bytes += size
        for port, ports, most in ((dport, counter.dports, 10), (sport, counter.sports, 5)):
            if port is not None and not counter.logged and port not in ports and len(ports) < most:
                ports.append(port)
        counter.expiry = self.now + TIMEOUT[kind]
        counter.packets = (counter.packets + 1) & 0xFFFF
        if is_new or counter.packets < THRESHOLD[kind]:
            return False
        if not counter.logged:
            counter.logged = True
            printed = source if kind == SMURF else self.host(source)
            to = f" to {self.host(target)}" if self.options.log_dest else ""
            self.write(f"{KINDS[kind]} detected{to}{port_list(counter.dports, 10)} from {printed}"
                       f"{port_list(counter.sports, 5)}")
        return True

    # -------------------------------------------------------- protocols

    def host(self, address: str) -> str:
        name = self.options.names.get(address)
        if name is None:
            return address
        return f"{name} ({address})" if self.options.log_ip and not name[-1].isdigit() else name

    def service(self, port: int, protocol: str) -> str:
        return self.services.get((port, protocol), f"port {port}")

    def directed(self, text: str, source: str, target: str) -> None:
        to = f" to {self.host(target)}" if self.options.log_dest else ""
        self.write(f"{text}{to} from {self.host(source)}")

    def on(self, name: str) -> bool:
        return name not in self.options.off

    def tcp(self, source: str, target: str, data: bytes, size: int, df: bool) -> None:
        sport, dport = struct.unpack(">HH", data[:4])
        all_flags = data[13]
        if dport in IGNORED_PORTS:
            return
        flags = all_flags & ~(ECE | CWR)
        for kind, name, fits in ((NULL, "null_scan", flags == 0), (XMAS, "xmas_scan", flags in XMAS_FLAGS),
                                 (FIN_SCAN, "fin_scan", flags == FIN)):
            if fits and self.on(name):
                self.swallowed(kind, source, target, size, dport, sport)
        if self.on("bogus") and all_flags & (ECE | CWR):
            if self.last_bogus != source:
                self.last_bogus = source
                at = f"dest {self.host(target)}:{dport}" if self.options.log_dest else f"dest port {dport}"
                self.write(f"TCP: Bogus TCP flags set by {self.host(source)}:{sport} ({at})")
            return
        if not flags & SYN or flags & ACK:
            return
        if self.on("syn_scan") and not df and self.swallowed(SYN_SCAN, source, target, size, dport, sport):
            return
        if self.on("portscan") and self.swallowed(PORT, source, target, size, dport, sport):
            return
        if self.options.scans_only:
            return
        to = f" to {self.host(target)}" if self.options.log_dest else ""
        self.write(f"TCP: {self.service(dport, 'tcp')} connection attempt{to} from {self.host(source)}:{sport}")

    def udp(self, source: str, target: str, data: bytes, size: int, ttl: int) -> None:
        sport, dport, length = struct.unpack(">HHH", data[:6])
        if source == RESOLVER and sport == 53:
            return
        if self.on("smurf") and sport == 7:
            if self.swallowed(SMURF, network(source), target, size, dport, sport):
                return
        if self.on("traceroute") and ttl == 1:
            if self.last_trace is None or self.last_trace[0] != source or self.now - self.last_trace[1] >= 15:
                self.last_trace = (source, self.now)
                to = f" to {self.host(target)}" if self.options.log_dest else ""
                self.write(f"UDP: traceroute from {self.host(source)}{to}")
            return
        if self.on("udp_scan") and self.swallowed(UDP, source, target, size, dport, sport):
            return
        if self.options.scans_only:
            return
        to = f"{self.host(target)}:" if self.options.log_dest else ""
        self.write(f"UDP: dgram to {to}{self.service(dport, 'udp')} from {self.host(source)}:{sport} "
                   f"({(length - 8) & 0xFFFFFFFFFFFFFFFF} data bytes)")

    def icmp(self, source: str, target: str, data: bytes, size: int) -> None:
        kind, code = data[0], data[1]
        if self.on("smurf") and kind == 0 and self.swallowed(SMURF, network(source), target, size):
            return
        if self.on("ping_flood") and kind == 8 and self.swallowed(PING, source, target, size):
            return
        if self.options.scans_only:
            return
        host, dest = self.host(source), self.host(target)
        log_dest = self.options.log_dest
        to = f" to {dest}" if log_dest else ""
        inner = data[8:]
        original = socket.inet_ntoa(inner[16:20])
        number = struct.unpack(">I", data[4:8])[0]
        if kind in (0, 8):
            text = f"echo{' reply' if kind == 0 else ''} from {host}{to} ({size} bytes)"
        elif kind == 3 and code <= 15:
            who = host if original == source else f"(from {host}) {self.host(original)}"
            text = f"{who}: port is unreachable to {dest + ' ' if log_dest else ''}({self.embedded(inner)})"
        elif kind == 3:
            text = f"undefined destination unreachable code ({code}) from {host}{to}"
        elif kind == 5 and code <= 3:
            what = ("redirect", "redirect", "redirect-tos", "redirect-tos")[code]
            text = (f"({self.host(socket.inet_ntoa(data[4:8]))}) {what} {host} to "
                    f"{'host' if code & 1 else 'network'} {self.host(original)}")
        elif kind == 5:
            text = f"undefined redirect code {code}{to} from {host}"
        elif kind == 9:
            routers = [socket.inet_ntoa(data[8 + i * data[5] * 4:][:4]) for i in range(min(data[4], 12))]
            life = struct.unpack(">H", data[6:8])[0]
            text = (f"path of router advertisement{to} from {host}: {' -> '.join(routers)} (lifetime "
                    f"{f'{life} sec' if life < 60 else f'{life // 60} min, {life % 60} sec'})")
        elif kind == 11:
            text = f"{host} time exceeded{to} ({self.embedded(inner)})"
        elif kind == 12:
            text = f"parameter problem{to} from {host} (ptr {data[4]})"
        elif kind == 14:
            stamp = time.gmtime(struct.unpack(">I", data[16:20])[0] // 1000)
            text = f"timestamp request{to} from {host} ({time.strftime('%H:%M:%S', stamp)})"
        elif kind == 18:
            mask = socket.inet_ntoa(data[8:12][::-1])
            text = f"address mask reply{to} from {host} ({self.host(mask)})"
        elif kind in (4, 10, 13, 15, 16, 17):
            name = {4: "source quench", 10: "router solicitation", 13: "timestamp request", 15: "info request",
                    16: "info reply", 17: "address mask request"}[kind]
            text = f"{name}{to} from {host}"
        else:
            text = f"undefined ICMP type {kind}{to} from {host}"
        self.write("ICMP: " + text)

    @staticmethod
    def embedded(inner: bytes) -> str:
        protocol = inner[9]
        if protocol == 1:
            kind, code = inner[20], inner[21]
            name = f"ICMP_{ICMP_NAMES[kind]}" if kind in ICMP_NAMES else str(kind)
            return f"ICMP: {name}" + (f" code {code}" if kind in (3, 5) else "")
        source, dest = struct.unpack(">HH", inner[20:24])
        name = IP_PROTOCOLS.get(protocol, f"proto {protocol}")
        return f"{name}: dest port {dest}, source port {source}"

    # -------------------------------------------------------- fragments

    def fragment(self, ip: bytes, header: int, size: int, flags: int):
        source, target = socket.inet_ntoa(ip[12:16]), socket.inet_ntoa(ip[16:20])
        key = (ip[12:20], ip[4:6], ip[9])
        offset, more = (flags & 0x1FFF) * 8, bool(flags & 0x2000)
        pending = next((entry for entry in self.fragments if entry[0] == key), None)
        if pending is None:
            pending = (key, [])
            self.fragments.append(pending)
        pieces = pending[1]

        def drop(text: str | None, frags: str = "fragments") -> None:
            self.fragments.remove(pending)
            if text and self.on("frag"):
                to = f" to {self.host(target)}" if self.options.log_dest else ""
                if self.options.log_dest and frags == "frags":
                    text = text.replace("fragments", "frags")
                self.write(f"{text}{to} from {self.host(source)}")

        if offset + size > 65535:
            drop("Oversized IP fragment")
            return None
        if any(piece[0] == offset for piece in pieces):
            drop("Duplicate IP fragments")
            return None
        at = next((i for i, piece in enumerate(pieces) if piece[0] > offset), len(pieces))
        before = pieces[at - 1] if at > 0 else None
        overlaps_before = before is not None and offset < before[1]
        if at == len(pieces):
            if overlaps_before:
                drop("Overlapping IP fragments")
                return None
        else:
            after = pieces[at + 1] if at + 1 < len(pieces) else None
            if (after is not None and offset + size > after[0]) or overlaps_before:
                drop("Overlapping IP fragments", "frags")
                return None
        pieces.insert(at, (offset, offset + size, ip[header:header + size], more, ip[8], bool(flags & 0x4000)))
        ends = [piece[1] for piece in pieces if not piece[3]]
        if pieces[0][0] == 0 and ends and sum(piece[1] - piece[0] for piece in pieces) == ends[-1]:
            self.fragments.remove(pending)
            return b"".join(piece[2] for piece in pieces), pieces[0][4], pieces[0][5]
        return None


def network(address: str) -> str:
    return address.rsplit(".", 1)[0] + ".0"


def port_list(ports: list[int], most: int) -> str:
    if not ports:
        return ""
    if len(ports) == 1:
        return f" [port {ports[0]}]"
    return f" [ports {','.join(map(str, ports))}{',...' if len(ports) == most else ''}]"


def checksum(header: bytes) -> int:
    if len(header) % 2:
        return 1
    total = sum(struct.unpack(f">{len(header) // 2}H", header))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def read_capture(path: str):
    with open(path, "rb") as file:
        data = file.read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    at = 24
    while at + 16 <= len(data):
        seconds, _, captured, _ = struct.unpack(order + "IIII", data[at:at + 16])
        yield seconds, data[at + 16:at + 16 + captured]
        at += 16 + captured


def lines_for(path: str, options: Options) -> list[str]:
    iplog = Iplog(options)
    for seconds, frame in read_capture(path):
        iplog.packet(seconds, frame)
    return iplog.finish()


if __name__ == "__main__":
    print("\n".join(lines_for(sys.argv[1], Options())))
