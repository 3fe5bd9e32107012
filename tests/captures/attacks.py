"""Scans, sweeps, floods and reflections.

`KINDS` is a TABLE: a row per kind of probe, with the name that its line bears and the number of ports that makes it a scan.
`port_scan` and `sweep` build any of them; the rest of the file builds what many sources or many answers make up.
"""
import dataclasses
from typing import Callable

import packets
from network import CLOSED, DROP, OPEN, PEER, Capture, neighbour, ours, peer
from packets import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG


@dataclasses.dataclass(frozen=True)
class Kind:
    name: str  # in the line, before " detected"
    threshold: int
    build: Callable  # (capture, at, source, index, target, port) -> packet
    sweep: str | None = None  # name of the line about many hosts


def segment(flags: int, **fields):
    """A segment as nmap makes it: one source port, no DF, a small window."""
    def build(_, at, source, index, target, port):
        kwargs = dict(window=1024, df=False, ttl=50, ident=(index * 7919 + 13) & 0xffff, seq=0x1d2c3b4a)
        if flags & ACK:
            kwargs["ack"] = 0x5e6f7081
        if flags & SYN and not flags & ACK:
            kwargs["options"] = packets.MSS
        kwargs.update(fields)
        return packets.tcp(source, 40000, target, port, flags, **kwargs)
    return build


def syn_ack(capture, at, source, index, target, port):
    """From changing ports: from one port alone it would be the answer of a service."""
    return packets.tcp(source, 40000 + 7 * index, target, port, SYN | ACK, seq=0x1d2c3b4a, ack=0x5e6f7081, window=1024,
                       df=False, ttl=50)


def connect(capture, at, source, index, target, port):
    return capture.connect_syn(at, source, 40000 + index % 20000, target, port)


def datagram(_, at, source, index, target, port):
    return packets.udp(source, 40000, target, port, b"", df=False, ident=(index * 7919 + 13) & 0xffff)


def init(chunk: int):
    return lambda _, at, source, index, target, port: packets.sctp(source, 40000, target, port, chunk, df=False)


def protocol(_, at, source, index, target, number):
    return packets.ip(source, target, number, b"", df=False, ident=(index * 7919 + 13) & 0xffff)


def ping(_, at, source, index, target, port):
    return packets.echo(source, target, ident=77, number=1, data=b"")


XMAS_SETS = (FIN | PSH | URG, FIN | PSH, FIN | URG, PSH | URG, PSH, URG)
SYN_FIN_SETS = tuple(SYN | FIN | more for more in (0, PSH, URG, PSH | URG, ECE, CWR))

KINDS = {
    "SYN": Kind("TCP: SYN scan", 10, segment(SYN), "TCP: sweep scan"),
    "connect": Kind("TCP: port scan", 15, connect, "TCP: sweep scan"),
    "FIN": Kind("TCP: FIN scan", 10, segment(FIN), "TCP: sweep scan"),
    "null": Kind("TCP: null scan", 10, segment(0), "TCP: sweep scan"),
    "Xmas": Kind("TCP: Xmas scan", 10, segment(FIN | PSH | URG), "TCP: sweep scan"),
    "SYN+FIN": Kind("TCP: SYN-FIN scan", 10, segment(SYN | FIN), None),
    "ACK": Kind("TCP: ACK scan", 10, segment(ACK), "TCP: sweep scan"),
    "window": Kind("TCP: ACK scan", 10, segment(ACK, window=4096), None),
    "Maimon": Kind("TCP: Maimon scan", 10, segment(FIN | ACK), None),
    "SYN+ACK": Kind("TCP: SYN-ACK probes", 10, syn_ack, None),
    "UDP": Kind("UDP: scan/flood", 25, datagram, "UDP: sweep over hosts"),
    "SCTP INIT": Kind("SCTP: port scan", 10, init(packets.SCTP_INIT), None),
    "SCTP COOKIE-ECHO": Kind("SCTP: port scan", 10, init(packets.SCTP_COOKIE_ECHO), None),
    "IP protocol": Kind("IP: protocol scan", 10, protocol, None),
    "ping": Kind("ICMP: ping flood", 70, ping, "ICMP: sweep over hosts"),
}

PORT_KINDS = tuple(name for name in KINDS if name != "ping")
SWEEP_KINDS = tuple(name for name, kind in KINDS.items() if kind.sweep)

# Headers of IPv6 itself, and protocols that other kinds of probes use.
NOT_PROBED = {0, 1, 4, 6, 17, 41, 43, 44, 50, 51, 58, 59, 60, 132, 135, 139, 140}
PROTOCOLS = tuple(number for number in range(2, 250) if number not in NOT_PROBED)


def distinct_ports(name: str, count: int, first: int = 1000) -> list[int]:
    """Distinct ports, or protocols, in an order that is not sorted."""
    if name == "IP protocol":
        return [PROTOCOLS[(7 * number) % len(PROTOCOLS)] for number in range(count)]
    return [first + (37 * number) % 10007 for number in range(count)]


def probe(capture: Capture, at: float, name: str, index: int, source: str, target: str, port: int) -> bytes:
    return KINDS[name].build(capture, at, source, index, target, port)


def bystander(capture: Capture, version: int) -> None:
    """Another client talks to our first host, so that the capture has packets of ours although a firewall drops."""
    capture.conversation(0.1, peer(version, 99), 50000, ours(version), 443)


def port_scan(name: str, version: int = 4, *, ports: list[int], policy=CLOSED, gap: float = 0.02, targets: int = 1,
              link: str = "ethernet", errors_per_second: float | None = None) -> Capture:
    """One source probes `ports`, the targets in turn: with several targets each port is asked of the next one, and each
    target gets all ports in the end if the count of probes suffices."""
    capture = Capture(link=link)
    for number in range(1, targets + 1):
        if ours(version, number) not in capture.hosts:
            capture.host(ours(version, number), tcp=policy, udp=policy, sctp=policy, protocols=policy,
                         errors_per_second=errors_per_second)
    bystander(capture, version)
    for index, port in enumerate(ports):
        at, target = 1 + index * gap, ours(version, 1 + index % targets)
        send_probe(capture, at, name, index, PEER[version], target, port)
    return capture


def send_probe(capture: Capture, at: float, name: str, index: int, source: str, target: str, port: int) -> str:
    """Sends the probe, and what the scanner does when a TCP port turns out to be open. Returns the state of the port."""
    packet = probe(capture, at, name, index, source, target, port)
    state = capture.send(at, packet)
    if state == OPEN and name == "SYN":  # the scanner's kernel knows nothing of the SYN
        capture.arrive(at + 0.005, packets.tcp(source, 40000, target, port, RST, seq=0x1d2c3b4b, window=0, ttl=50))
    elif state == OPEN and name == "connect":
        ends, answer = (source, 40000 + index % 20000, target, port), capture.records[-1].packet
        seq = int.from_bytes(answer[44:48] if packets.is_v6(source) else answer[24:28], "big")
        capture.arrive(at + 0.005, packets.tcp(*ends, ACK, seq=1001, ack=seq + 1, window=502))
        capture.arrive(at + 0.006, packets.tcp(*ends, RST | ACK, seq=1001, ack=seq + 1, window=502))
    return state


def sweep(name: str, version: int = 4, *, hosts: int, state: str = "closed", port: int = 22, gap: float = 0.02) -> Capture:
    """One source asks the same port of many hosts of the watched network. state: "closed" (alive, the port is closed),
    "open", "dead" (no such host)."""
    capture = Capture(hosts)
    bystander(capture, version)
    for number in range(hosts):
        target, at = ours(version, 10 + number), 1 + number * gap
        policy = OPEN if state == "open" else CLOSED
        capture.host(target, tcp=policy, udp=policy, is_alive=state != "dead")
        send_probe(capture, at, name, number, PEER[version], target, port)
    return capture


def networks(version: int) -> str:
    return "10.99.1.0/24" if version == 4 else "2001:db8:99::/64"


# --- open ports ------------------------------------------------------------------------------------------------------

def open_port_probing(version: int = 4, *, count: int, how: str = "half open", gap: float = 0.04,
                      closed: int = 0) -> Capture:
    """Open ports are opened, and reset ("half open", as nmap -sS) or closed without a byte ("connect")."""
    capture, source, target = Capture(count), PEER[version], ours(version)
    first_closed = 2000
    capture.host(target, tcp=lambda port: CLOSED if port >= first_closed else OPEN)
    for index in range(count):
        at, port = 1 + index * gap, 100 + 3 * index
        if how == "connect":
            capture.conversation(at, source, 40000 + index, target, port, rounds=0, gap=0.01)
        else:
            send_probe(capture, at, "SYN", index, source, target, port)
    for index in range(closed):
        send_probe(capture, 1 + (count + index) * gap, "SYN", index, source, target, first_closed + index)
    return capture


# --- many sources ------------------------------------------------------------------------------------------------------

def distributed_scan(version: int = 4, *, sources: int = 10, ports: int = 30, gap: float = 0.5, policy=CLOSED,
                     near: bool = False) -> Capture:
    """Each source asks ports of its own. near: the sources share a /24 (/64)."""
    capture = Capture(ports)
    capture.host(ours(version), tcp=policy, udp=policy)
    for index, port in enumerate(distinct_ports("SYN", ports)):
        source = (neighbour if near else peer)(version, 10 + index % sources)
        send_probe(capture, 1 + index * gap, "SYN", index, source, ours(version), port)
    return capture


def hopping_scan(*, addresses: int, ports: int, gap: float = 0.05, policy=CLOSED) -> Capture:
    """An IPv6 scanner that changes its address within its /64."""
    capture = Capture(ports)
    capture.host(ours(6), tcp=policy, udp=policy)
    for index, port in enumerate(distinct_ports("SYN", ports)):
        source = f"2001:db8:1:2::{1 + index % addresses:x}"
        send_probe(capture, 1 + index * gap, "SYN", index, source, ours(6), port)
    return capture


def decoy_scan(version: int = 4, *, name: str = "SYN", decoys: int = 3, ports: int = 20, alone: int = 0, gap: float = 0.02,
               policy=CLOSED) -> Capture:
    """Decoys and one real source probe the same ports in the same order; then the real one continues alone."""
    capture = Capture(decoys)
    capture.host(ours(version), tcp=policy, udp=policy)
    every = distinct_ports(name, ports + alone)
    for index, port in enumerate(every):
        for member in range(decoys + 1 if index < ports else 1):
            send_probe(capture, 1 + index * gap + member * 0.001, name, index, peer(version, 50 + member), ours(version),
                       port)
    return capture


# --- floods and reflections --------------------------------------------------------------------------------------------

def syn_flood(version: int = 4, *, sources: int = 400) -> Capture:
    """A SYN of each source to an open port; nobody completes the handshake."""
    capture = Capture(sources)
    capture.host(ours(version), tcp=OPEN)
    for number in range(sources):
        capture.half_open(1 + 0.005 * number, packets.tcp(peer(version, 100 + number), 1024 + number, ours(version), 80, SYN,
                                                          seq=number * 97, window=512, df=False))
    return capture


def udp_flood(version: int = 4, *, sources: int = 400, ports: int = 1, policy=CLOSED) -> Capture:
    capture = Capture(sources)
    capture.host(ours(version), udp=policy, errors_per_second=1000)
    for number in range(sources):
        capture.send(1 + number / sources,
                     packets.udp(peer(version, 100 + number), 1024 + number % 60000, ours(version),
                                 53 + number % ports, bytes(100)))
    return capture


def ping_flood(version: int = 4, *, count: int = 70, gap: float = 0.1) -> Capture:
    capture = Capture(count)
    capture.host(ours(version))
    for number in range(count):
        capture.send(1 + number * gap, packets.echo(PEER[version], ours(version), number=number))
    return capture


def udp_reflection(version: int = 4, *, sources: int = 3984, policy=DROP) -> Capture:
    """Answers of many services to what somebody asked in our name."""
    capture = Capture(sources)
    capture.host(ours(version), udp=policy, errors_per_second=1)
    for number in range(sources):
        capture.send(1 + number / sources,
                     packets.udp(peer(version, 100 + number), (53, 123, 161, 389, 1900, 11211)[number % 6], ours(version),
                                 20000 + 31 * (number % 200), bytes(400)))
    return capture


def syn_ack_reflection(version: int = 4, *, sources: int = 2000, policy=CLOSED) -> Capture:
    capture = Capture(sources)
    capture.host(ours(version), tcp=policy)
    for number in range(sources):
        capture.send(1 + 0.3 * number / sources,
                     packets.tcp(peer(version, 100 + number), (80, 443, 22, 179)[number % 4], ours(version),
                                 1024 + 29 * number % 60000, SYN | ACK, seq=number * 7919, ack=number + 1,
                                 window=65535, options=packets.MSS))
    return capture


def syn_ack_backscatter(version: int = 4, *, ports: int = 100, policy=CLOSED) -> Capture:
    """Answers of one service to connections that somebody opened in our name."""
    capture = Capture(ports)
    capture.host(ours(version), tcp=policy)
    for number in range(ports):
        capture.send(1 + 0.01 * number,
                     packets.tcp(PEER[version], 80, ours(version), 20000 + 31 * number, SYN | ACK, seq=number * 7919,
                                 ack=number + 1, window=65535, options=packets.MSS))
    return capture


def smurf(version: int = 4, *, hosts: int = 60, replies: int = 120) -> Capture:
    """Echo replies of all hosts of a network, which somebody pinged in our name."""
    capture = Capture(hosts)
    capture.host(ours(version))
    for number in range(replies):
        capture.arrive(1 + 0.01 * number, packets.echo(neighbour(version, 1 + number % hosts), ours(version), reply=True))
    return capture


def udp_backscatter(version: int = 4, *, ports: int = 100, policy=CLOSED) -> Capture:
    capture = Capture(ports)
    capture.host(ours(version), udp=policy)
    for number in range(ports):
        capture.send(1 + 0.01 * number, packets.udp(PEER[version], 53, ours(version), 20000 + 31 * number, bytes(100)))
    return capture


def refused_clients(version: int = 4, *, clients: int = 30) -> Capture:
    """Many clients are refused by one closed port."""
    capture = Capture(clients)
    capture.host(ours(version), tcp=CLOSED)
    for number in range(clients):
        for again in range(4):
            at = 1 + 3 * number / clients + again
            capture.send(at, capture.connect_syn(at, peer(version, 100 + number), 40000 + again, ours(version), 80))
    return capture


# --- scans that look like something else ---------------------------------------------------------------------------------

def from_service_port(version: int = 4, *, name: str, source_port: int, ports: list[int], ftp: bool = False) -> Capture:
    """nmap -g: all probes come from a port of a service. ftp: we have a control connection to an FTP server there."""
    capture = Capture(source_port)
    bystander(capture, version)
    capture.host(ours(version))
    if ftp:
        capture.conversation(0.2, ours(version), 43210, PEER[version], 21, we_serve=False, rounds=20, gap=0.2, close=False)
    for index, port in enumerate(ports):
        packet = (packets.udp(PEER[version], source_port, ours(version), port, bytes(8)) if name == "UDP" else
                  packets.tcp(PEER[version], source_port, ours(version), port, SYN, options=packets.MSS, df=False, window=1024))
        capture.send(2 + 0.02 * index, packet)
    return capture


def scan_of_a_client(version: int = 4, *, name: str, services: tuple[int, ...]) -> Capture:
    """A client of our services, TCP or UDP, scans other ports of the same host half a minute later."""
    capture = Capture(len(services))
    opened = set(services)
    capture.host(ours(version), tcp=lambda port: OPEN if port in opened else CLOSED,
                 udp=lambda port: OPEN if port in opened else CLOSED)
    for number, port in enumerate(services):
        if name == "UDP":
            capture.send(1 + number, packets.udp(PEER[version], 39000 + number, ours(version), port, bytes(40)))
        else:
            capture.conversation(1 + number, PEER[version], 39000 + number, ours(version), port)
    for index, port in enumerate(distinct_ports(name, 40, first=11001)):
        send_probe(capture, 1 + len(services) + 30 + 0.02 * index, name, index, PEER[version], ours(version), port)
    return capture


def segments_with_data(version: int = 4, *, ports: int) -> Capture:
    """nmap -sA --data-length: ACK segments with data, from one port to many."""
    capture = Capture(ports)
    bystander(capture, version)
    capture.host(ours(version))
    for index, port in enumerate(distinct_ports("ACK", ports)):
        capture.send(1 + 0.02 * index, segment(ACK, data=b"0123456789")(capture, 0, PEER[version], index, ours(version), port))
    return capture


def simultaneous_scans(version: int = 4, *, sources: int, ports: int) -> Capture:
    """Each source scans in an order of its own, all at the same time."""
    capture = Capture(sources)
    bystander(capture, version)
    capture.host(ours(version))
    orders = [capture.random.sample(range(1, 60000), ports) for _ in range(sources)]
    for index in range(ports):
        for member, order in enumerate(orders):
            send_probe(capture, 1 + 0.1 * index + 0.001 * member, "SYN", index, peer(version, 300 + member), ours(version),
                       order[index])
    return capture


def scan_with_retries(name: str, version: int = 4, *, ports: int) -> Capture:
    """Nothing answers; each port is asked again a second later, as nmap does."""
    capture = Capture(ports)
    bystander(capture, version)
    capture.host(ours(version), tcp=DROP, udp=DROP)
    for again in range(2):
        for index, port in enumerate(distinct_ports(name, ports)):
            send_probe(capture, 1 + 0.02 * index + again, name, index, PEER[version], ours(version), port)
    return capture
