"""portcullis-sensor on generated captures of attacks: each is reported, by the right name, and by no other.

usage: attack_captures_test.py SENSOR [WORD [FOLDER]]
WORD: only checks whose name contains it. FOLDER: where captures of failed checks are kept.
"""
import functools
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "captures"))
import attacks  # noqa: E402
import checks  # noqa: E402
import flags as flags_table  # noqa: E402
import links  # noqa: E402
import packets  # noqa: E402
from attacks import KINDS, distinct_ports, networks  # noqa: E402
from checks import Check, detects  # noqa: E402
from network import CLOSED, DROP, OPEN, OURS, PEER, PROHIBIT, REJECT, Capture, ours, peer  # noqa: E402
from packets import ACK, FIN, SYN  # noqa: E402
from sensor import totals  # noqa: E402

CHECKS = []


def add(name, make, judge, version=4, *options, local=None):
    CHECKS.append(Check(f"{name}, IPv{version}", make, judge, local or OURS[version], options))


def scan(*arguments, **fields):
    return functools.partial(attacks.port_scan, *arguments, **fields)


def source_and_ports(kind, version, what="ports"):
    return rf"^{re.escape(kind)} detected \[{what} [\d,]+,\.\.\.\] from {re.escape(PEER[version])}( \[|$)"


def port_scans():
    for version in (4, 6):
        for name in attacks.PORT_KINDS:
            what = "protocols" if name == "IP protocol" else "ports"
            pattern = source_and_ports(KINDS[name].name, version, what)
            for policy in (CLOSED, REJECT, PROHIBIT, DROP):
                # A firewall that drops hides scans that are counted by our refusal.
                if policy == DROP and name in ("ACK", "window", "Maimon", "SYN+ACK"):
                    continue
                add(f"{name} scan of 60 ports, {policy}", scan(name, version, ports=distinct_ports(name, 60), policy=policy),
                    detects(pattern), version)
            add(f"{name} scan of 200 ports, a firewall answers once a second",
                scan(name, version, ports=distinct_ports(name, 200), policy=PROHIBIT, errors_per_second=1),
                detects(pattern), version)
        # Live, the kernel filter keeps ACK segments from the sensor: only our RSTs are seen.
        add("ACK scan of 60 ports, only our refusals", lambda version=version: attacks.port_scan(
            "ACK", version, ports=distinct_ports("ACK", 60)).without(lambda record: record.outbound),
            detects(source_and_ports("TCP: ACK scan", version)), version)
        for flags in attacks.XMAS_SETS:
            add(f"Xmas scan with flags {flags:#04x}", functools.partial(segments, version, flags),
                detects("^TCP: Xmas scan detected"), version)
        for flags in attacks.SYN_FIN_SETS:
            add(f"SYN-FIN scan with flags {flags:#04x}", functools.partial(segments, version, flags),
                with_one_bogus_line(detects("^TCP: SYN-FIN scan detected")), version)
        for link in links.LINKS:
            for name in ("SYN", "UDP", "FIN"):
                add(f"{name} scan on {link}", scan(name, version, ports=distinct_ports(name, 60), link=link),
                    detects(source_and_ports(KINDS[name].name, version)), version)


def segments(version, flags, count=30):
    capture = Capture()
    capture.host(OURS[version])
    for index, port in enumerate(distinct_ports("", count)):
        capture.send(1 + index * 0.02, attacks.segment(flags)(capture, 0, PEER[version], index, OURS[version], port))
    return capture


def with_one_bogus_line(judge):
    def both(lines):
        count = sum(line.text.startswith("TCP: Bogus TCP flags") for line in lines)
        return judge(lines) + ([f"{count} lines about bogus flags instead of 1"] if count != 1 else [])
    return both


def checksums():
    """A packet with a wrong checksum counts if our host answers it."""
    def make(version, name, checksum):
        capture = Capture()
        capture.host(OURS[version])
        for index, port in enumerate(distinct_ports(name, 30)):
            packet = (packets.udp(PEER[version], 40000, OURS[version], port, b"x", checksum=checksum) if name == "UDP" else
                      attacks.segment(SYN, checksum=checksum)(capture, 0, PEER[version], index, OURS[version], port))
            capture.send(1 + 0.02 * index, packet)
        return capture
    for version in (4, 6):
        for name in ("SYN", "UDP"):
            for checksum in ("wrong", "partial"):
                add(f"{name} scan with {checksum} checksums, refused", functools.partial(make, version, name, checksum),
                    detects(source_and_ports(KINDS[name].name, version)), version)


def open_ports():
    for version in (4, 6):
        for how in ("half open", "connect"):
            add(f"30 open ports, {how}", functools.partial(attacks.open_port_probing, version, count=30, how=how),
                detects(source_and_ports("TCP: open port probing", version)), version)
        add("20 open and 10 closed ports", functools.partial(attacks.open_port_probing, version, count=20, closed=10),
            detects(source_and_ports("TCP: SYN scan", version), also="^TCP: open port probing"), version)


def slow_scans():
    for version in (4, 6):
        for policy in (CLOSED, DROP):
            for name in ("SYN", "FIN", "null", "Xmas"):
                add(f"one port every 70 s, {name}, {policy}",
                    scan(name, version, ports=distinct_ports(name, 14), gap=70, policy=policy),
                    detects(source_and_ports("TCP: slow scan", version)), version)
            for gap in (0.05, 70, 3600):
                add(f"15 ports by connect(), {gap} s apart, {policy}",
                    scan("connect", version, ports=distinct_ports("connect", 15), gap=gap, policy=policy),
                    detects(r"^TCP: (slow|port) scan detected"), version)
                add(f"14 ports by connect(), {gap} s apart, {policy}",
                    scan("connect", version, ports=distinct_ports("connect", 14), gap=gap, policy=policy),
                    checks.nothing, version)


def many_sources():
    for version in (4, 6):
        for policy in (CLOSED, DROP):
            add(f"30 ports by 10 sources, {policy}",
                functools.partial(attacks.distributed_scan, version, sources=10, ports=40, policy=policy),
                detects(r"^TCP: distributed scan of ports detected \[ports [\d,]+,\.\.\.\] from \d+ sources$"), version)
            add(f"54 ports by six neighbours, {policy}",
                functools.partial(attacks.distributed_scan, version, sources=6, ports=54, near=True, policy=policy),
                detects(r" detected ", times=None), version)
            add(f"decoys, {policy}", functools.partial(attacks.decoy_scan, version, decoys=4, policy=policy),
                functools.partial(judge_decoys, version, 4), version)
            add(f"decoys, one of which continues alone, {policy}",
                functools.partial(attacks.decoy_scan, version, decoys=4, alone=60, policy=policy),
                functools.partial(judge_decoys, version, 4), version)
            add(f"UDP flood of 400 sources, {policy}", functools.partial(attacks.udp_flood, version, policy=policy),
                detects(r"^UDP: datagram flood detected \[port 53\] from \d+ sources$"), version)
            add(f"UDP flood of 400 sources over three ports, {policy}",
                functools.partial(attacks.udp_flood, version, ports=3, policy=policy),
                detects(r"^UDP: datagram flood detected \[ports 53,5[45],5[45]\] from \d+ sources$"), version)
            add(f"UDP reflection, {policy}", functools.partial(attacks.udp_reflection, version, policy=policy),
                detects(r"^UDP: reflection detected \[ports [\d,]+,\.\.\.\] from \d+ sources$"), version)
            add(f"UDP backscatter, {policy}", functools.partial(attacks.udp_backscatter, version, policy=policy),
                detects(rf"^UDP: backscatter detected \[ports [\d,]+,\.\.\.\] from {PEER[version]} \[port 53\]$"), version)
            add(f"SYN-ACK reflection, {policy}", functools.partial(attacks.syn_ack_reflection, version, policy=policy),
                detects(r"^TCP: SYN-ACK reflection detected \[ports [\d,]+,\.\.\.\] from \d+ sources$"), version)
        add("SYN flood of an open port", functools.partial(attacks.syn_flood, version),
            detects(r"^TCP: SYN flood detected .*from \d+ sources$"), version)
        add("30 clients refused by one port", functools.partial(attacks.refused_clients, version),
            detects(r"^TCP: refused connections detected \[port 80\] from \d+ sources$"), version)
        add("ping flood", functools.partial(attacks.ping_flood, version, count=200),
            detects(rf"^ICMP: ping flood detected from {PEER[version]}$"), version)
    for addresses, ports in ((4, 36), (36, 36), (400, 400)):
        for policy in (CLOSED, DROP):
            add(f"{addresses} addresses of a /64, {policy}",
                functools.partial(attacks.hopping_scan, addresses=addresses, ports=ports, policy=policy),
                detects(r"scan detected .*from 2001:db8:1:2::/64( |$)"), 6)
    add("one address of a /64", functools.partial(attacks.hopping_scan, addresses=1, ports=36),
        detects(r"^TCP: SYN scan detected .*from 2001:db8:1:2::1 "), 6)


def judge_decoys(version, count, lines):
    """One line names them all, and none of the decoys has a line of its own."""
    members = [peer(version, 50 + number) for number in range(count + 1)]
    alone = rf"^TCP: SYN scan detected .* from {re.escape(members[0])} "
    faults = detects(r"^TCP: scan with decoys detected .* from ", also=alone)(lines)
    for seen in checks.detections(lines):
        missing = [member for member in members if member not in seen.source.split(", ")]
        if missing and not re.search(alone, seen.text):
            faults.append(f"{', '.join(missing)} missing in: {seen.text}")
    return faults


def many_targets():
    for version in (4, 6):
        for targets, end in ((3, ""), (16, ",...")):
            addresses = [ours(version, number) for number in range(1, targets + 1)]
            named = ",".join(re.escape(address) for address in addresses[:10]) if targets == 3 else r"(\S+,){10}\.\.\."
            for policy in (CLOSED, DROP):
                add(f"9 ports of each of {targets} own addresses, {policy}",
                    functools.partial(spread_scan, version, targets, policy),
                    detects(rf"scan detected to {named} .*from {re.escape(PEER[version])} ", times=None), version, "-D",
                    local=",".join(addresses))
        add("9 closed ports of each of 9 hosts of a watched network",
            functools.partial(spread_scan, version, 9, CLOSED, 10), detects(" detected", times=None), version, "-a",
            networks(version))


def spread_scan(version, targets, policy, first=1):
    """Nine ports of each target: three targets are asked different ones, more targets the same."""
    capture = Capture(targets)
    for target in range(targets):
        capture.host(ours(version, first + target), tcp=policy)
        for index, port in enumerate(distinct_ports("SYN", 9, 1000 + 3 * target if targets == 3 else 1000)):
            at = 1 + 0.02 * index + 0.002 * target
            capture.send(at, attacks.segment(SYN)(capture, at, PEER[version], index, ours(version, first + target), port))
    return capture


NO_SWEEPS = {("dead", "ACK"), ("dead", "UDP"), ("open", "FIN"), ("open", "null"), ("open", "Xmas"), ("open", "UDP"),
             ("closed", "ping")}


def sweeps():
    for version in (4, 6):
        for name in attacks.SWEEP_KINDS:
            for state in ("closed", "open", "dead"):
                # Nobody refuses what is sent to a dead host; a listener drops FIN, null and Xmas; a ping knows no ports.
                if (state, name) in NO_SWEEPS:
                    continue
                add(f"{name} sweep over 60 hosts, {state}",
                    functools.partial(attacks.sweep, name, version, hosts=60, state=state),
                    detects(rf"^{KINDS[name].sweep} detected .*from {re.escape(PEER[version])}( |$)"), version, "-a",
                    networks(version))
        for state in ("closed", "dead"):
            add(f"slow SYN sweep over 14 hosts, {state}",
                functools.partial(attacks.sweep, "SYN", version, hosts=14, state=state, gap=70),
                detects(rf"^TCP: slow-sweep scan detected( to \S+)? \[port 22\] from {PEER[version]}( |$)"), version, "-a",
                networks(version))
        add("slow ping sweep over 14 hosts", functools.partial(attacks.sweep, "ping", version, hosts=14, state="dead", gap=70),
            detects(rf"^ICMP: slow sweep over hosts detected( to \S+)? from {PEER[version]}$"), version, "-a", networks(version))


def lan_sweep(version=4, alive=11, requests=3):
    """Of 18 hosts of a LAN `alive` answer; the others only cause requests for their link addresses."""
    capture, source = Capture(), ours(version, 200)
    ask = packets.neighbour_solicitation if version == 6 else packets.arp_request
    for number in range(18):
        at, target = 1 + 0.1 * number, ours(version, 10 + number)
        if number < alive:
            capture.host(target)
            capture.send(at, packets.echo(source, target, data=b""))
        else:
            for again in range(requests):
                capture.arrive(at + again, ask(source, target))
    return capture


def disguised_scans():
    services = (22, 25, 53, 80, 110, 143, 443, 465, 587, 993, 995, 3306, 5432, 6379, 8080, 8443, 9090, 9200, 11211, 27017)
    for version in (4, 6):
        syn, udp = (source_and_ports(kind, version) for kind in ("TCP: SYN scan", "UDP: scan/flood"))
        for source_port in (20, 53, 80, 443):
            add(f"SYN scan from port {source_port}", functools.partial(
                attacks.from_service_port, version, name="SYN", source_port=source_port, ports=distinct_ports("SYN", 60)),
                detects(syn), version)
        add("SYN scan of low ports from port 20 of an FTP server that we use", functools.partial(
            attacks.from_service_port, version, name="SYN", source_port=20, ports=list(range(100, 160)), ftp=True),
            detects(syn), version)
        for source_port in (53, 123):
            add(f"UDP scan of low ports from port {source_port}", functools.partial(
                attacks.from_service_port, version, name="UDP", source_port=source_port, ports=list(range(600, 660))),
                detects(udp), version)
        for name in ("SYN", "connect", "FIN", "ACK", "UDP"):
            for used in (services[:1], services):
                add(f"{name} scan by a client of {len(used)} services", functools.partial(
                    attacks.scan_of_a_client, version, name=name, services=used),
                    detects(source_and_ports(KINDS[name].name, version)), version)
        add("ACK scan with data", functools.partial(attacks.segments_with_data, version, ports=60),
            detects(source_and_ports("TCP: ACK scan", version)), version)
        add("40 scans at the same time", functools.partial(attacks.simultaneous_scans, version, sources=40, ports=15),
            # Before any of them reaches its threshold, all together are a distributed scan.
            detects(r"^TCP: SYN scan detected ", also=r"^TCP: distributed scan of ports", times=40), version)
        for name in ("SYN", "connect", "FIN", "UDP"):
            add(f"{name} scan with retries, drop", functools.partial(attacks.scan_with_retries, name, version, ports=60),
                with_total(120, detects(source_and_ports(KINDS[name].name, version))), version)
            for gap in (2, 20, 45):
                add(f"{name} scan, a port every {gap} s", scan(name, version, ports=distinct_ports(name, 40), gap=gap),
                    detects(rf"^({KINDS[name].name}|TCP: slow scan) detected .* from {re.escape(PEER[version])}( |$)"),
                    version)


def with_total(count, judge):
    """And the line about the end names this number of packets."""
    def both(lines):
        total = sum(totals(lines).values())
        return judge(lines) + ([f"the line about the end names {total} packets instead of {count}"] if total != count else [])
    return both


def flag_sets():
    """What is due for each of the 64 sets of FIN SYN RST PSH ACK URG, on closed and on open ports."""
    for flags in flags_table.SETS:
        for version in (4, 6):
            for state in (CLOSED, OPEN):
                add(f"flags {flags_table.name(flags)}, 30 {state} ports", functools.partial(flag_scan, version, flags, state),
                    judge_of_flags(flags, state), version)


def flag_scan(version, flags, state):
    capture = Capture(flags)
    capture.host(OURS[version], tcp=state)
    for index, port in enumerate(distinct_ports("", 30)):
        at = 1 + index * 0.02
        capture.send(at, attacks.segment(flags)(capture, at, PEER[version], index, OURS[version], port))
        if state == OPEN and flags & SYN and not flags & (ACK | FIN | packets.RST):
            capture.arrive(at + 0.005, packets.tcp(PEER[version], 40000, OURS[version], port, packets.RST, seq=0x1d2c3b4b,
                                                   window=0, ttl=50))
    return capture


def judge_of_flags(flags, state):
    kind = flags_table.kind(flags)
    if kind is None:
        return checks.nothing
    # A listener answers SYN (with PSH and URG too) by SYN+ACK: nothing was refused.
    if state == OPEN and kind == "TCP: SYN scan":
        kind = "TCP: open port probing"
    # All probes of this capture come from one port, as the answers of a service do.
    return detects(r"^TCP: (SYN-ACK probes|backscatter) detected " if kind == "TCP: SYN-ACK probes" else
                   rf"^{kind} detected ")


port_scans()
checksums()
open_ports()
slow_scans()
many_sources()
many_targets()
sweeps()
for version in (4, 6):
    for alive in (11, 0):
        for requests in (2, 3):
            add(f"ping sweep over a LAN, {alive} hosts answer, {requests} requests for the others",
                functools.partial(lan_sweep, version, alive, requests),
                detects(f"^ICMP: sweep over hosts detected .*from {ours(version, 200)}"), version, "-a", networks(version))
disguised_scans()
flag_sets()

if __name__ == "__main__":
    sys.exit(checks.main(sys.argv[1], CHECKS, *sys.argv[2:4]))
