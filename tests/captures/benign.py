"""Ordinary traffic that must not be reported as an attack: one generator per row, each with its variants.

A generator returns a `Case`. By default no line of it may contain ` detected`; `allowed` names detections that may come,
`forbidden` other lines that must not.
"""
import dataclasses
import itertools

import links
import packets
from network import CLOSED, DROP, OPEN, OURS, PEER, Capture, neighbour, ours, peer, ports_open
from packets import ACK, FIN, PSH, RST, SYN

PORTS_OF_SERVICES = (22, 25, 53, 80, 110, 143, 389, 443, 445, 465, 587, 636, 993, 995, 1433, 1521, 2049, 3000, 3128, 3306,
                     3389, 5000, 5432, 5601, 5672, 5900, 6379, 7000, 7474, 8000, 8008, 8080, 8086, 8443, 8888, 9000, 9042,
                     9090, 9200, 11211, 15672, 27017)


@dataclasses.dataclass
class Case:
    capture: Capture
    local: str
    allowed: str = r"$^"  # a regular expression: detections that may be reported
    forbidden: str = r"$^"  # and lines of any form that must not come
    promisc: str = ""


ROWS = []  # (name, function, variants)


def row(name: str, without=None, **axes):
    """Registers a generator. `axes`: for each argument the values it takes; every combination is a variant but those
    that `without` accepts."""
    def register(function):
        variants = [dict(zip(axes, values)) for values in itertools.product(*axes.values())]
        variants = [variant for variant in variants if not without or not without(variant)]
        ROWS.append((name, function, variants))
        return function
    return register


BOTH = (4, 6)


# --- connections that this host does not know -----------------------------------------------------------------------

@row("C1 connections that this host forgot",
     lambda variant: variant["answer"] == DROP and variant["view"] == "answers", version=BOTH, count=(14, 40),
     what=("data", "keep-alive 0", "keep-alive 1", "close"), stamps=(True, False), answer=(CLOSED, DROP),
     view=("all", "answers"), gap=(0.11, 180))
def forgotten_connections(version, count, what, stamps, answer, view, gap):
    """After a reboot or a failover the peer continues its connections: the busy ones at once, the idle ones with their next
    keep-alive. `view`: "answers" is what the kernel filter shows live, where segments with ACK stay in the kernel."""
    capture = Capture(seed=count)
    capture.host(OURS[version], tcp=answer)
    for number in range(count):
        at, port = 1 + number * gap, PORTS_OF_SERVICES[number % 40]
        source_port = capture.random.randrange(32768, 61000)
        seq, ack = capture.random.randrange(1 << 32), capture.random.randrange(1 << 32)
        data = {"data": bytes(100 + number), "keep-alive 0": b"", "keep-alive 1": b"\0", "close": b""}[what]
        flags = {"data": ACK | PSH, "close": FIN | ACK}.get(what, ACK)
        # A keep-alive repeats the byte before the next one (RFC 9293 section 3.8.4).
        first = seq - 1 if what.startswith("keep-alive") else seq
        waits = [0] if answer == CLOSED else [0, 75, 150] if what.startswith("keep") else [0, 0.3, 0.9, 2.1, 4.5, 9.3]
        for wait in waits:
            clock = capture.random.randrange(1 << 31)
            capture.send(at + wait, packets.tcp(
                PEER[version], source_port, OURS[version], port, flags, seq=first, ack=ack, window=501, data=data,
                options=packets.timestamps(clock, clock - 5000) if stamps else b"", ident=capture.next_ident()))
    if count == 40:  # our host speaks to others, though a firewall may drop all of this
        capture.conversation(0.1, peer(version, 99), 50000, OURS[version], 443)
    if view == "answers":
        capture.without(lambda record: record.outbound)
    return Case(capture, OURS[version])


@row("C2 a peer is refused by services that it used before", version=BOTH, answer=(CLOSED, DROP), seed=(1, 2))
def restarting_services(version, answer, seed):
    capture = Capture(seed)
    services = capture.random.sample(PORTS_OF_SERVICES, 20)
    for number, port in enumerate(services):
        capture.conversation(1 + number, PEER[version], 40000 + number, OURS[version], port)
    capture.host(OURS[version], tcp=answer)
    for again in range(6):
        for number, port in enumerate(services):
            source_port, at = 41000 + 20 * again + number, 200 + 5 * again + 0.1 * number
            for wait in (0,) if answer == CLOSED else (0, 1, 3):
                capture.send(at + wait, capture.connect_syn(at, PEER[version], source_port, OURS[version], port))
    return Case(capture, OURS[version])


@row("C3 data connections of active FTP", version=BOTH, count=(15, 40), answer=(CLOSED, DROP))
def active_ftp(version, count, answer):
    capture = Capture(count)
    capture.conversation(1, OURS[version], 43210, PEER[version], 21, we_serve=False, rounds=count, gap=0.5, close=False)
    capture.host(OURS[version], tcp=answer)
    for number in range(count):
        at, port = 1.3 + number * 0.5, 43300 + 7 * number
        for wait in (0,) if answer == CLOSED else (0, 1, 3):
            capture.send(at + wait, capture.connect_syn(at, PEER[version], 20, OURS[version], port))
    return Case(capture, OURS[version])


# --- answers to what others asked in our name ------------------------------------------------------------------------

def scattered_ports(capture, count, low):
    return capture.random.sample(range(1 if low else 1024, 1024 if low else 65536), count)


@row("C4 SYN+ACKs that nobody here asked for", version=BOTH, count=(10, 100), services=(1, 6), low=(False, True),
     gap=(0.05, 70))
def scattered_syn_acks(version, count, services, low, gap):
    capture = Capture(count + services)
    capture.host(OURS[version])
    for number, port in enumerate(scattered_ports(capture, count, low)):
        service = (80, 443, 22, 25, 8080, 3389)[number % services]
        capture.send(1 + number * gap, packets.tcp(PEER[version], service, OURS[version], port, SYN | ACK,
                                                   seq=capture.random.randrange(1 << 32), ack=number + 5,
                                                   window=65535, options=packets.MSS))
    return Case(capture, OURS[version], allowed=r"^TCP: (backscatter|SYN-ACK probes) detected")


@row("C4 RSTs that nobody here asked for", version=BOTH, count=(10, 100), flags=(RST, RST | ACK), low=(False, True))
def scattered_resets(version, count, flags, low):
    capture = Capture(count)
    capture.host(OURS[version])
    for number, port in enumerate(scattered_ports(capture, count, low)):
        capture.send(1 + number * 0.05, packets.tcp(PEER[version], 80, OURS[version], port, flags, ack=77 * number,
                                                    window=0))
    return Case(capture, OURS[version])


@row("C4 ICMP errors about what we never sent", version=BOTH, count=(10, 100), reason=("port", "prohibited", "host"))
def scattered_errors(version, count, reason):
    capture = Capture(count)
    capture.host(OURS[version])
    for number, port in enumerate(scattered_ports(capture, count, False)):
        sent = packets.udp(OURS[version], port, PEER[version], 53, bytes(30))
        capture.send(1 + number * 0.05, packets.unreachable(PEER[version], reason, sent))
    return Case(capture, OURS[version])


@row("C4 answers of a UDP service that nobody here asked", version=BOTH, count=(10, 30, 100),
     service=(53, 123, 161, 389, 1900, 11211), answer=(CLOSED, DROP), gap=(0.02, 70))
def scattered_datagrams(version, count, service, answer, gap):
    capture = Capture(count + service)
    capture.host(OURS[version], udp=answer)
    for number, port in enumerate(scattered_ports(capture, count, False)):
        capture.send(1 + number * gap, packets.udp(PEER[version], service, OURS[version], port, bytes(120)))
    return Case(capture, OURS[version], allowed=r"^UDP: backscatter detected")


# --- packets that were never delivered -------------------------------------------------------------------------------

@row("C5 packets whose checksum our host rejects", version=BOTH, what=("syn", "connect", "fin", "udp"),
     checksum=("wrong", "partial"))
def rejected_checksums(version, what, checksum):
    capture = Capture()
    for port in range(100, 130):
        at = 1 + 0.05 * port
        if what == "udp":
            capture.arrive(at, packets.udp(PEER[version], 40000, OURS[version], port, bytes(8), checksum=checksum))
        elif what == "connect":
            capture.arrive(at, capture.connect_syn(at, PEER[version], 40000 + port, OURS[version], port,
                                                   checksum=checksum))
        else:
            capture.arrive(at, packets.tcp(PEER[version], 40000, OURS[version], port, SYN if what == "syn" else FIN,
                                           df=False, checksum=checksum))
    return Case(capture, OURS[version])


# --- clients -------------------------------------------------------------------------------------------------------

@row("C6 a page with images on closed ports", version=BOTH, count=(10, 14), gap=(0.01, 70, 3600), answer=(CLOSED, DROP),
     days=(1, 3))
def page_with_images(version, count, gap, answer, days):
    """The page is loaded once, or at the same hour of several days."""
    capture = Capture(count)
    capture.host(OURS[version], tcp=ports_open(80, otherwise=answer))
    for day in range(days):
        capture.conversation(0.1 + 86400 * day, PEER[version], 39999, OURS[version], 80)
        for number in range(count):
            at, port = 1 + 86400 * day + number * gap, 8001 + 13 * number
            for wait in (0,) if answer == CLOSED else (0, 1, 3):
                capture.send(at + wait, capture.connect_syn(at, PEER[version], 40000 + number, OURS[version], port))
    # What is remembered for a day must have passed without a report.
    capture.conversation(86400 * days + 3600, PEER[version], 50000, OURS[version], 80)
    return Case(capture, OURS[version])


@row("C6 a browser with 15 connections to one closed port", version=BOTH, answer=(CLOSED, DROP))
def browser(version, answer):
    capture = Capture()
    capture.host(OURS[version], tcp=answer)
    for number in range(15):
        for wait in (0, 1, 3, 7):
            at = 1 + 0.01 * number
            capture.send(at + wait, capture.connect_syn(at, PEER[version], 40000 + number, OURS[version], 8443))
    return Case(capture, OURS[version])


@row("C7 web traffic on every link", lambda variant: variant["version"] == 6 and variant["header"] == "zero", version=BOTH, 
     link=links.LINKS, header=("right", "zero"))
def web_traffic(version, link, header):
    """Our answers may have the IPv4 header checksum 0: the network card fills it in after the capture point."""
    capture = Capture(link=link)
    at = 1.0
    for number in range(40):
        at = capture.conversation(at, PEER[version], 40000 + number, OURS[version], PORTS_OF_SERVICES[number])
    for record in capture.records:
        if record.outbound and header == "zero":
            record.packet = record.packet[:10] + b"\0\0" + record.packet[12:]
    return Case(capture, OURS[version])


@row("C7 the peer's half of connections", version=BOTH, count=(11, 20), handshake=(True, False))
def one_sided(version, count, handshake):
    capture = Capture()
    for number in range(count):
        capture.conversation(1 + 0.2 * number, PEER[version], 40000 + number, OURS[version], PORTS_OF_SERVICES[number])
    capture.without(lambda record: not record.outbound)
    if not handshake:
        capture.without(lambda record: record.packet[33 if version == 4 else 53] & SYN == 0)
    return Case(capture, OURS[version])


# --- datagrams -----------------------------------------------------------------------------------------------------

def stream(capture, at, source, source_port, target, port, rate, count, size=160, outbound=False):
    for number in range(count):
        capture.add(at + number / rate, packets.udp(source, source_port(number) if callable(source_port) else source_port,
                                                    target, port, bytes(size), ident=capture.next_ident()), outbound)


UDP_SERVICES = {"rtp": 30000, "vxlan": 4789, "geneve": 6081, "gtp-u": 2152, "bfd": 3784, "pfcp": 8805, "netflow": 2055,
                "nfs": 2049, "quic": 443, "syslog": 514}


@row("C8 a stream of datagrams to one port that does not answer", version=BOTH, service=tuple(UDP_SERVICES),
     rate=(20, 2000), source=("one port", "many ports"))
def silent_stream(version, service, rate, source):
    capture = Capture(rate)
    ports = capture.random.sample(range(49152, 65536), 400)
    stream(capture, 1, PEER[version], ports[0] if source == "one port" else lambda number: ports[number % 400],
           OURS[version], UDP_SERVICES[service], rate, 600)
    return Case(capture, OURS[version])


@row("C8 a stream in both directions on related ports", version=BOTH, rate=(50, 1000),
     ports=((20000, 30000, 30002, 20004), (4789, 4789, 50000, 4789), (50000, 4789, 50001, 4789), (50000, 2152, 2152, 2152)))
def related_streams(version, rate, ports):
    """Peer's port, our port; our sending port, the peer's receiving port."""
    capture = Capture(rate)
    stream(capture, 1, PEER[version], ports[0], OURS[version], ports[1], rate, 400)
    stream(capture, 1.005, OURS[version], ports[2], PEER[version], ports[3], rate, 400, outbound=True)
    return Case(capture, OURS[version])


@row("C8 early media of a call", version=BOTH, invites=("we", "they"), rate=(50, 1000))
def early_media(version, invites, rate):
    capture = Capture(rate)
    ends = (OURS[version], 5060, PEER[version], 5060)
    capture.add(1, packets.udp(*ends[:4] if invites == "we" else ends[2:] + ends[:2], bytes(700)), invites == "we")
    back = ends[2:] + ends[:2] if invites == "we" else ends[:4]
    capture.add(1.1, packets.udp(*back, bytes(400)), invites != "we")
    stream(capture, 1.2, PEER[version], 21000, OURS[version], 31000, rate, 300)
    stream(capture, 1.2, PEER[version], 21001, OURS[version], 31001, 0.5, 3)
    stream(capture, 6, OURS[version], 31000, PEER[version], 21000, rate, 100, outbound=True)
    return Case(capture, OURS[version])


@row("C8 late answers of a service", version=BOTH, wait=(0.35, 0.45, 2.0, 4.0), what=("one port", "many ports"),
     transport=("udp", "tcp"))
def late_answers(version, wait, what, transport):
    """Many clients of one host behind an address translator ask one port, or one peer uses many ports of ours. Of those never
    more than eight wait for an answer at a time."""
    capture = Capture()
    if transport == "tcp" and wait > 2:
        wait = 1.0
    gap = 0.03 if what == "one port" else wait / 8
    for number in range(40 if what == "one port" else 30):
        at, port = 1 + gap * number, 53 if what == "one port" else PORTS_OF_SERVICES[number]
        ends = (PEER[version], 40000 + number, OURS[version], port)
        back = ends[2:] + ends[:2]
        if transport == "udp":
            capture.arrive(at, packets.udp(*ends, bytes(30)))
            capture.leave(at + wait, packets.udp(*back, bytes(90)))
            continue
        capture.arrive(at, capture.connect_syn(at, *ends))
        capture.leave(at + wait, packets.tcp(*back, SYN | ACK, seq=5, ack=1001, options=packets.MSS))
        capture.arrive(at + wait + 0.01, packets.tcp(*ends, ACK, seq=1001, ack=6))
        capture.arrive(at + wait + 0.02, packets.tcp(*ends, PSH | ACK, seq=1001, ack=6, data=bytes(100)))
        capture.leave(at + wait + 0.03, packets.tcp(*back, PSH | ACK, seq=6, ack=1101, data=bytes(200)))
        capture.arrive(at + wait + 0.04, packets.tcp(*ends, FIN | ACK, seq=1101, ack=206))
        capture.leave(at + wait + 0.05, packets.tcp(*back, FIN | ACK, seq=206, ack=1102))
        capture.arrive(at + wait + 0.06, packets.tcp(*ends, ACK, seq=1102, ack=207))
    return Case(capture, OURS[version])


@row("C8 broadcasts to a watched network", target=("10.99.1.255", "255.255.255.255"), count=(30, 300))
def broadcasts(target, count):
    capture = Capture(count)
    for number in range(count):
        port = (137, 138, 67, 1900, 5678, 6667, 9999, 17500, 27036, 32412)[number % 10]
        capture.arrive(1 + 0.05 * number, packets.udp(ours(4, 20 + number // 10 % 5), port, target, port, bytes(60)))
    return Case(capture, OURS[4], promisc="10.99.1.0/24")


@row("C8 one datagram with TTL 1", version=BOTH, port=(33434, 5353, 53))
def one_hop(version, port):
    capture = Capture()
    capture.host(OURS[version], udp=CLOSED)
    capture.send(1, packets.udp(PEER[version], 50000, OURS[version], port, bytes(32), ttl=1))
    return Case(capture, OURS[version], forbidden=r"traceroute")


@row("C8 answers to a multicast query", version=BOTH, port=(5353, 1900))
def multicast_answers(version, port):
    """Neighbours answer a query of ours (mDNS with the unicast bit, SSDP) from ports of their own."""
    capture = Capture()
    group = {4: "239.255.255.250", 6: "ff02::fb"}[version]
    for again in range(3):
        capture.leave(1 + again, packets.udp(ours(version, 1), 50000, group, port, bytes(80)))
        for number in range(30):
            capture.arrive(1.05 + again + 0.02 * number, packets.udp(ours(version, 50 + number), 1024 + 7 * number,
                                                                     ours(version, 1), 50000, bytes(200)))
    return Case(capture, OURS[version])


# --- services ------------------------------------------------------------------------------------------------------

@row("C9 clients are refused while a web server restarts", version=BOTH, count=(30, 200), answer=(CLOSED,))
def restarting_web_server(version, count, answer):
    capture = Capture(count)
    capture.host(OURS[version], tcp=answer)
    for number in range(count):
        for again in range(5):
            at = 1 + 0.03 * number + 0.9 * again
            capture.send(at, capture.connect_syn(at, peer(version, 100 + number), 40000 + again, OURS[version], 80))
    return Case(capture, OURS[version], allowed=r"^TCP: refused connections detected")


@row("health checks of a load balancer", version=BOTH, state=(OPEN, CLOSED, DROP), every=(1, 5))
def health_checks(version, state, every):
    capture = Capture()
    capture.host(OURS[version], tcp=state)
    for again in range(180 // every):
        for number in range(6):
            for index, port in enumerate((80, 443, 8080)):
                at = 1 + again * every + 0.1 * number + 0.01 * index
                source, source_port = neighbour(version, 10 + number), 40000 + (again * 3 + index) % 20000
                if state == OPEN:
                    capture.conversation(at, source, source_port, OURS[version], port, rounds=1, gap=0.01)
                else:
                    capture.send(at, capture.connect_syn(at, source, source_port, OURS[version], port))
    return Case(capture, OURS[version])


@row("monitoring of nine services", version=BOTH, closed=(0, 2))
def monitoring(version, closed):
    capture = Capture()
    services = (22, 25, 53, 80, 110, 143, 443, 993, 5432)
    capture.host(OURS[version])
    for again in range(60):
        at = 1 + 60 * again
        for number in range(3):
            capture.send(at + number, packets.echo(PEER[version], OURS[version], number=again * 3 + number))
        for number, port in enumerate(services):
            if number < closed:
                capture.send(at, capture.connect_syn(at, PEER[version], 40000 + again, OURS[version], port))
            else:
                capture.conversation(at + 0.2 * number, PEER[version], 41000 + again * 9 + number, OURS[version], port,
                                     rounds=1, gap=0.02)
    return Case(capture, OURS[version])


@row("monitoring of a network", version=BOTH, how=("ping", "connect"), gap=(70, 300))
def monitoring_of_a_network(version, how, gap):
    """Each of 30 hosts that answer is asked in turn, over a day."""
    capture = Capture()
    for number in range(90):
        at, target = 1 + gap * number, ours(version, 10 + number % 30)
        capture.host(target)
        if how == "ping":
            capture.send(at, packets.echo(PEER[version], target, number=number))
        else:
            capture.conversation(at, PEER[version], 41000 + number, target, 22, rounds=1, gap=0.02)
    network = "10.99.1.0/24" if version == 4 else "2001:db8:99::/64"
    return Case(capture, OURS[version], promisc=network)


@row("a router that looks for hosts", version=BOTH, again=(1, 3))
def looking_router(version, again):
    """A router asks for the link address of each host that it forwards to, once an hour, and later whether it is there."""
    capture, router = Capture(), ours(version, 254)
    for number in range(60 * again):
        at, target = 1 + 60 * number, ours(version, 10 + number % 60)
        if version == 4:
            capture.arrive(at, packets.arp_request(router, target))
        else:
            capture.arrive(at, packets.neighbour_solicitation(router, target))
            capture.arrive(at + 5, packets.neighbour_solicitation(router, target, to=target))
            capture.arrive(at + 6, packets.neighbour_solicitation(router, target, to=target))
            capture.arrive(at + 0.5, packets.neighbour_solicitation("::", target))
    network = "10.99.1.0/24" if version == 4 else "2001:db8:99::/64"
    return Case(capture, OURS[version], promisc=network)


@row("a SIP trunk", version=BOTH, seed=(1,))
def sip(version, seed):
    capture = Capture(seed)
    for again in range(300):
        capture.arrive(1 + again, packets.udp(PEER[version], 5060, OURS[version], 5060, bytes(400)))
        capture.leave(1.002 + again, packets.udp(OURS[version], 5060, PEER[version], 5060, bytes(300)))
    for call in range(20):
        stream(capture, 2 + call, PEER[version], 20000 + 2 * call, OURS[version], 30000 + 2 * call, 50, 100)
        stream(capture, 2.01 + call, OURS[version], 30000 + 2 * call, PEER[version], 20000 + 2 * call, 50, 100,
               outbound=True)
    return Case(capture, OURS[version])


@row("passive FTP", version=BOTH, count=(15, 60))
def passive_ftp(version, count):
    capture = Capture(count)
    capture.conversation(1, PEER[version], 40000, OURS[version], 21, rounds=count, gap=0.4)
    for number in range(count):
        capture.conversation(1.2 + 0.4 * number, PEER[version], 40001 + number, OURS[version],
                             capture.random.randrange(50000, 60000), rounds=1, gap=0.05)
    return Case(capture, OURS[version])


@row("left-overs of a peer-to-peer client", version=BOTH, transport=("tcp", "udp"), peers=(100, 300),
     answer=(CLOSED, DROP))
def peer_to_peer(version, transport, peers, answer):
    """The program has ended; peers still ask the one port that it had."""
    capture = Capture(peers)
    capture.host(OURS[version], tcp=answer, udp=answer)
    for number in range(peers):
        at = 1 + 2.0 * number
        for wait in (0, 1, 3):
            source, source_port = peer(version, 100 + number), capture.random.randrange(1024, 65536)
            capture.send(at + wait, capture.connect_syn(at, source, source_port, OURS[version], 51413)
                         if transport == "tcp" else packets.udp(source, 51413, OURS[version], 51413, bytes(68)))
    return Case(capture, OURS[version], allowed=r"^TCP: refused connections detected" if transport == "tcp" else r"$^")


@row("an office of clients, each refused by one of five services", version=BOTH, count=(25, 60), answer=(CLOSED, DROP))
def office(version, count, answer):
    """The clients share a /24, or a /64 in which they change their addresses (RFC 8981)."""
    capture = Capture(count)
    capture.host(OURS[version], tcp=answer)
    for number in range(count):
        at, port = 1 + 7 * number, (445, 631, 8080, 9100, 3389)[number % 5]
        for wait in (0, 0.5, 1) if answer == CLOSED else (0, 1, 3, 7):
            capture.send(at + wait, capture.connect_syn(at, neighbour(version, 10 + number), 40000 + number, OURS[version],
                                                        port))
    return Case(capture, OURS[version])


@row("answers captured before the questions", version=BOTH, transport=("tcp", "udp"))
def answers_first(version, transport):
    """Two directions on two interfaces: our answers come up to 1 ms too early."""
    capture = Capture()
    for number in range(40):
        at, ends = 1 + 0.1 * number, (PEER[version], 40000 + number, OURS[version], PORTS_OF_SERVICES[number])
        if transport == "tcp":
            capture.conversation(at, *ends)
        else:
            capture.arrive(at, packets.udp(*ends, bytes(40)))
            capture.leave(at + 0.0002, packets.udp(*ends[2:], *ends[:2], bytes(80)))
    for record in capture.records:
        record.at -= 0.001 if record.outbound else 0
    return Case(capture, OURS[version])


@row("an address translator with many clients of one web server", version=BOTH, count=(300,))
def busy_translator(version, count):
    capture = Capture(count)
    for number in range(count):
        capture.conversation(1 + 0.05 * number, PEER[version], 1024 + 97 * number % 60000, OURS[version],
                             (80, 443)[number % 2], rounds=1)
    return Case(capture, OURS[version])


@row("late ends of our own connections", version=BOTH, port=(443, 50051), view=("all", "the end"))
def late_ends(version, port, view):
    """We aborted 40 connections to one peer; minutes later its keep-alives and FINs arrive and are refused. `view`: "the end"
    is what a sensor sees that started in between."""
    capture = Capture(port)
    capture.host(OURS[version])
    for number in range(40):
        ends = (OURS[version], 33000 + 17 * number, PEER[version], port)
        capture.conversation(1 + 0.2 * number, *ends, we_serve=False, close=False)
        for wait, flags in ((150, ACK), (300, FIN | ACK)):
            capture.send(wait + 0.2 * number, packets.tcp(*ends[2:], *ends[:2], flags, seq=number, ack=99 * number, window=500))
    return Case(capture.begin_at(100) if view == "the end" else capture, OURS[version])


@row("late answers to our own questions", version=BOTH, servers=(1, 300), wait=(0.02, 3, 9), transport=("udp", "tcp"))
def answers_to_us(version, servers, wait, transport):
    """A resolver or crawler of ours asks 300 times, one server or many; the program has given up when the answer comes."""
    capture = Capture(servers)
    capture.host(OURS[version])
    for number in range(300):
        at, source_port = 1 + 0.02 * number, capture.random.randrange(32768, 61000)
        server, port = peer(version, 200 + number % servers), (53 if transport == "udp" else 443)
        ends = (OURS[version], source_port, server, port)
        if transport == "udp":
            capture.leave(at, packets.udp(*ends, bytes(40)))
            capture.send(at + wait, packets.udp(*ends[2:], *ends[:2], bytes(120)))
        else:
            capture.leave(at, capture.connect_syn(at, *ends, seq=500))
            capture.send(at + wait, packets.tcp(*ends[2:], *ends[:2], SYN | ACK, seq=7, ack=501, window=65535,
                                                options=packets.MSS))
    return Case(capture, OURS[version])


@row("a busy server with many clients", version=BOTH, transport=("udp", "tcp"), clients=(400, 2000))
def busy_server(version, transport, clients):
    """Within a second; each is answered."""
    capture = Capture(clients)
    capture.host(OURS[version], udp=OPEN)
    for number in range(clients):
        at, client = 1 + number / clients, peer(version, 100 + number)
        if transport == "udp":
            capture.send(at, packets.udp(client, 1024 + number, OURS[version], 53, bytes(40)))
        else:
            capture.conversation(at, client, 1024 + number, OURS[version], 443, rounds=1)
    return Case(capture, OURS[version])


@row("clients of a busy server that do not complete the handshake", version=BOTH, share=(50, 20))
def unfinished_clients(version, share):
    """One in `share` loses its way: the SYN+ACK is repeated."""
    capture = Capture(share)
    capture.host(OURS[version], tcp=OPEN)
    for number in range(1200):
        at, client = 1 + 0.05 * number, peer(version, 100 + number)
        if number % share:
            capture.conversation(at, client, 1024 + number, OURS[version], 443, rounds=1)
        else:
            capture.half_open(at, capture.connect_syn(at, client, 1024 + number, OURS[version], 443))
    return Case(capture, OURS[version])


@row("a port knock", version=BOTH, answer=(CLOSED, DROP))
def port_knock(version, answer):
    """Three closed ports, then ssh; several times a day from the same address."""
    capture = Capture()
    capture.host(OURS[version], tcp=answer)
    for again in range(12):
        for number, port in enumerate((7000, 8000, 9000)):
            at = 1 + 3600 * again + number
            capture.send(at, capture.connect_syn(at, PEER[version], 40000 + 4 * again + number, OURS[version], port))
        capture.conversation(5 + 3600 * again, PEER[version], 40003 + 4 * again, OURS[version], 22)
    return Case(capture, OURS[version])


@row("traceroute of ours", version=BOTH, hops=(12, 30))
def own_traceroute(version, hops):
    """Routers and the target answer our datagrams with ICMP errors."""
    capture = Capture(hops)
    for number in range(3 * hops):
        sent = packets.udp(OURS[version], 45000, PEER[version], 33434 + number, bytes(32), ttl=1 + number // 3)
        router = peer(version, 300 + number // 3)
        capture.leave(1 + 0.05 * number, sent)
        capture.arrive(1.02 + 0.05 * number, packets.icmp(router, OURS[version], 3 if version == 6 else 11, 0,
                                                          bytes(4) + sent))
    return Case(capture, OURS[version])
