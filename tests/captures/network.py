"""A network of two sides: the hosts that the sensor watches ("ours"), and everybody else.

`Capture` collects the packets at the capture point in front of our hosts. A generator writes packets of peers with
`arrive`, packets of ours with `leave`, or lets a `Host` answer what arrives. Time is in seconds from the start of the
capture. Everything that is random comes from the seed, so the same call gives the same bytes.
"""
import dataclasses
import random
import socket
import struct
from typing import Callable

import links
import packets
from packets import ACK, FIN, RST, SYN

START = 1700000000

OURS = {4: "10.99.1.1", 6: "2001:db8:99::1"}
PEER = {4: "192.0.2.77", 6: "2001:db8:5:6::77"}


def ours(version: int, number: int = 1) -> str:
    """The address of one of our hosts; number 1 to 250."""
    return f"10.99.1.{number}" if version == 4 else f"2001:db8:99::{number:x}"


def peer(version: int, number: int = 77) -> str:
    """The address of a peer, each in a /24 or /64 of its own."""
    return f"192.{number >> 8}.{number & 255}.77" if version == 4 else f"2001:db8:5:{number:x}::77"


def neighbour(version: int, number: int) -> str:
    """The address of one of the peers that share a /24 or /64."""
    return f"198.51.100.{number}" if version == 4 else f"2001:db8:7:8::{number:x}"


# What a port does with a probe.
OPEN, CLOSED, DROP, REJECT, PROHIBIT, SILENT = "open", "closed", "drop", "reject", "prohibit", "silent"


@dataclasses.dataclass
class Host:
    """How a host of ours answers.

    tcp, udp, sctp: the state of a port, or a function that gives it. OPEN: Linux answers as a listener; an open UDP port
    replies; SILENT is a UDP service that takes datagrams without a reply. CLOSED: RST, or ICMP port unreachable, or
    ABORT. DROP: a firewall that does not answer. REJECT, PROHIBIT: a firewall that answers with ICMP.
    errors_per_second: the kernel's limit on ICMP errors to one peer, with a burst of 6 (None: no limit).
    """
    address: str
    tcp: object = CLOSED
    udp: object = CLOSED
    sctp: object = CLOSED
    protocols: object = CLOSED
    is_alive: bool = True
    answers_pings: bool = True
    latency: float = 0.00005
    errors_per_second: float | None = None

    def __post_init__(self):
        self.errors, self.last_error = 6.0, 0.0
        self.banned: Callable[[float, str], bool] = lambda at, source: False

    def state(self, what: str, port: int) -> str:
        policy = getattr(self, what)
        return policy(port) if callable(policy) else policy

    def may_send_error(self, at: float) -> bool:
        if self.errors_per_second is None:
            return True
        self.errors = min(6.0, self.errors + (at - self.last_error) * self.errors_per_second)
        self.last_error = at
        if self.errors < 1:
            return False
        self.errors -= 1
        return True


def ports_open(*numbers: int, otherwise: str = CLOSED) -> Callable[[int], str]:
    """A policy: these ports are open, all others are `otherwise`."""
    return lambda port: OPEN if port in numbers else otherwise


def field(packet: bytes, offset: int, length: int = 2) -> int:
    return int.from_bytes(packet[offset:offset + length], "big")


@dataclasses.dataclass
class Record:
    at: float
    order: int
    packet: bytes
    outbound: bool


class Capture:
    def __init__(self, seed: int = 1, link: str = "ethernet"):
        self.random = random.Random(seed)
        self.link = link
        self.records: list[Record] = []
        self.hosts: dict[str, Host] = {}
        self.ident = self.random.randrange(65536)

    # --- packets -------------------------------------------------------------------------------------------------

    def add(self, at: float, packet: bytes, outbound: bool) -> None:
        self.records.append(Record(at, len(self.records), packet, outbound))

    def arrive(self, at: float, packet: bytes) -> None:
        """A packet to us, without an answer."""
        self.add(at, packet, False)

    def leave(self, at: float, packet: bytes) -> None:
        """A packet of ours."""
        self.add(at, packet, True)

    def host(self, address: str, **policy) -> Host:
        self.hosts[address] = Host(address, **policy)
        return self.hosts[address]

    def send(self, at: float, packet: bytes) -> str:
        """A packet arrives and its target answers. Returns the state of the port: what the sender may learn."""
        self.arrive(at, packet)
        v6 = packet[0] >> 4 == 6
        family = socket.AF_INET6 if v6 else socket.AF_INET
        ends = packet[8:40] if v6 else packet[12:20]
        source, target = (socket.inet_ntop(family, ends[:len(ends) // 2]),
                          socket.inet_ntop(family, ends[len(ends) // 2:]))
        host = self.hosts.get(target)
        if host is None or not host.is_alive or host.banned(at, source):
            return DROP
        protocol, body = (packet[6], packet[40:]) if v6 else (packet[9], packet[20:])
        answer = {packets.TCP: self.answer_tcp, packets.UDP: self.answer_udp, packets.SCTP: self.answer_sctp}.get(
            protocol, self.answer_other)
        return answer(host, at, source, packet, body, protocol)

    def error(self, host: Host, at: float, reason: str, packet: bytes) -> None:
        if host.may_send_error(at):
            self.leave(at + host.latency, packets.unreachable(host.address, reason, packet))

    def answer_tcp(self, host, at, source, packet, body, _):
        source_port, port, seq, ack, flags = field(body, 0), field(body, 2), field(body, 4, 4), field(body, 8, 4), body[13]
        state = host.state("tcp", port)
        if state == DROP or flags & RST:
            return DROP if flags & RST else state
        if state in (REJECT, PROHIBIT):
            self.error(host, at, "port" if state == REJECT else "prohibited", packet)
            return state

        def reply(answer_flags, after=0.0, **fields):
            self.leave(at + host.latency + after, packets.tcp(host.address, port, source, source_port, answer_flags,
                                                              window=0 if answer_flags & RST else 64240, **fields))
        if flags & ACK:  # RFC 9293 section 3.10.7.1 and 3.10.7.2
            reply(RST, seq=ack)
        elif state == CLOSED:
            length = len(body) - (body[12] >> 4) * 4 + bool(flags & SYN) + bool(flags & FIN)
            reply(RST | ACK, seq=0, ack=seq + length)
        elif flags & SYN and not flags & FIN:
            reply(SYN | ACK, seq=self.random.randrange(1 << 32), ack=seq + 1, options=packets.MSS)
        return state

    def half_open(self, at: float, packet: bytes, attempts: int = 3) -> None:
        """A SYN to an open port whose handshake nobody completes: the SYN+ACK is repeated after 1, 3, 7 s."""
        self.send(at, packet)
        answer = self.records.pop()
        for again in range(attempts + 1):
            self.add(answer.at + (1 << again) - 1, answer.packet, True)

    def answer_udp(self, host, at, source, packet, body, _):
        source_port, port = field(body, 0), field(body, 2)
        state = host.state("udp", port)
        if state == OPEN:
            self.leave(at + host.latency, packets.udp(host.address, port, source, source_port, bytes(40)))
        elif state in (CLOSED, REJECT):
            self.error(host, at, "port", packet)
        elif state == PROHIBIT:
            self.error(host, at, "prohibited", packet)
        return state

    def answer_sctp(self, host, at, source, packet, body, _):
        source_port, port, chunk = field(body, 0), field(body, 2), body[12]
        state = host.state("sctp", port)
        if state in (REJECT, PROHIBIT):
            self.error(host, at, "port" if state == REJECT else "prohibited", packet)
        elif state == CLOSED or (state == OPEN and chunk == packets.SCTP_INIT):
            answer = packets.SCTP_ABORT if state == CLOSED else packets.SCTP_INIT_ACK
            self.leave(at + host.latency, packets.sctp(host.address, port, source, source_port, answer, tag=1))
        return state

    def answer_other(self, host, at, source, packet, body, protocol):
        if protocol in (packets.ICMP, packets.ICMPV6):
            if body[0] in (8, 128) and host.answers_pings:
                ident, number = struct.unpack("!HH", body[4:8])
                self.leave(at + host.latency, packets.echo(host.address, source, reply=True, ident=ident, number=number,
                                                           data=body[8:]))
            return OPEN if host.answers_pings else DROP
        state = host.state("protocols", protocol)
        if state in (CLOSED, REJECT):
            self.error(host, at, "protocol", packet)
        elif state == PROHIBIT:
            self.error(host, at, "prohibited", packet)
        return state

    # --- clients -------------------------------------------------------------------------------------------------

    def connect_syn(self, at: float, source: str, source_port: int, target: str, port: int, seq: int = 1000,
                    **fields) -> bytes:
        """A SYN as connect() of Linux sends it. Returns the packet only."""
        return packets.tcp(source, source_port, target, port, SYN, seq=seq, window=64240,
                           options=packets.connect_options(int(at * 1000) + source_port), ident=self.next_ident(),
                           **fields)

    def next_ident(self) -> int:
        self.ident = (self.ident + 1) & 0xffff
        return self.ident

    def conversation(self, at: float, client: str, client_port: int, server: str, port: int, *, we_serve: bool = True,
                     rounds: int = 2, size: int = 300, gap: float = 0.05, close: bool = True,
                     stamps: bool = True) -> float:
        """A whole TCP connection: handshake, requests and answers, close. Returns its end."""
        seq, reply_seq = self.random.randrange(1 << 31), self.random.randrange(1 << 31)

        def option(first):
            clock = int(at * 1000)
            return packets.connect_options(clock) if first else packets.timestamps(clock, clock) if stamps else b""

        def say(is_client, flags, data=b"", first=False):
            nonlocal at, seq, reply_seq
            ends = (client, client_port, server, port) if is_client else (server, port, client, client_port)
            mine, other = (seq, reply_seq) if is_client else (reply_seq, seq)
            self.add(at, packets.tcp(*ends, flags, seq=mine, ack=other if flags & ACK else 0, window=64240,
                                     options=option(first), data=data, ident=self.next_ident()), is_client != we_serve)
            length = len(data) + bool(flags & SYN) + bool(flags & FIN)
            seq, reply_seq = (seq + length, reply_seq) if is_client else (seq, reply_seq + length)
            at += gap / 10
        say(True, SYN, first=True)
        say(False, SYN | ACK, first=True)
        say(True, ACK)
        for _ in range(rounds):
            say(True, ACK | packets.PSH, bytes(size))
            say(False, ACK | packets.PSH, bytes(size * 3))
            say(True, ACK)
            at += gap
        if close:
            say(True, FIN | ACK)
            say(False, FIN | ACK)
            say(True, ACK)
        return at

    # --- what became of the capture --------------------------------------------------------------------------------

    def ordered(self) -> list[Record]:
        return sorted(self.records, key=lambda record: (record.at, record.order))

    def without(self, keep: Callable[[Record], bool]) -> "Capture":
        """Leaves only the records that `keep` accepts."""
        self.records = [record for record in self.records if keep(record)]
        return self

    def lose(self, share: float, outbound: bool) -> "Capture":
        """The capture point misses this share of the packets of one direction, evenly and in a seeded order."""
        candidates = [record for record in self.ordered() if record.outbound == outbound]
        lost = {id(record) for record in self.random.sample(candidates, round(len(candidates) * share))}
        return self.without(lambda record: id(record) not in lost)

    def reorder(self, spread: float) -> "Capture":
        """Moves each arriving packet by up to `spread` seconds; answers move with what they answer."""
        shift = 0.0
        for record in sorted(self.records, key=lambda record: record.order):
            if not record.outbound:
                shift = self.random.uniform(0, spread)
            record.at += shift
        return self

    def begin_at(self, at: float) -> "Capture":
        """The sensor starts in the middle."""
        return self.without(lambda record: record.at >= at)

    def bytes(self) -> bytes:
        return links.pcap([(round((START + record.at) * 1000000),
                            links.frame(record.packet, self.link, record.outbound)) for record in self.ordered()],
                          self.link)
