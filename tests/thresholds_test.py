"""Each kind of scan at its threshold: one port less is nothing, the threshold itself and one more are one line. And scans of
1.6 times the threshold are found though packets are lost, come in another order, or the sensor starts in the middle.

usage: thresholds_test.py SENSOR [WORD [FOLDER]]
WORD: only checks whose name contains it. FOLDER: where captures of failed checks are kept.
"""
import functools
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "captures"))
import attacks  # noqa: E402
import checks  # noqa: E402
from attacks import KINDS, distinct_ports, networks  # noqa: E402
from checks import Check  # noqa: E402
from network import CLOSED, DROP, OURS, PEER, Record  # noqa: E402

# What a firewall that drops hides: these kinds are known by our refusal.
KNOWN_BY_REFUSAL = ("ACK", "window", "Maimon", "SYN+ACK")

# The slow kinds: threshold in ports by a connect() and by packets that no connect() makes.
SLOW = {"connect": 15, "SYN": 10, "FIN": 10, "null": 10, "Xmas": 10}

CHECKS = []


def one_line(kind: str, count: int, threshold: int, source: str | None = None):
    """Nothing below the threshold, else exactly one line of this kind and no other."""
    if count < threshold:
        return checks.nothing
    end = rf"(.* from {re.escape(source)}( \[|$))" if source else ""
    once = checks.detects(rf"^{kind} detected{end}")

    def judge(lines):
        again = [seen for seen in checks.detections(lines) if "again" in seen.notes]
        return once(lines) + [f"unexpected: {seen.text}" for seen in again]
    return judge


def around(name, kind, threshold, make, version, *options, source=None):
    """make(count): the capture with this number of ports, hosts or packets."""
    for count in (threshold - 1, threshold, threshold + 1):
        CHECKS.append(Check(f"{name}, {count} of {threshold}, IPv{version}", functools.partial(make, count),
                            one_line(kind, count, threshold, source), OURS[version], options,
                            checks.ATTEMPTS_BY_HASH if "-a" in options else 1))


def exact_thresholds():
    for version in (4, 6):
        for name in attacks.PORT_KINDS:
            for policy in (CLOSED,) if name in KNOWN_BY_REFUSAL else (CLOSED, DROP):
                kind = KINDS[name]
                around(f"{name} scan, {policy}", kind.name, kind.threshold,
                       lambda count, name=name, version=version, policy=policy:
                       attacks.port_scan(name, version, ports=distinct_ports(name, count), policy=policy), version,
                       source=PEER[version])
        for name, threshold in SLOW.items():
            for policy in (CLOSED, DROP):
                around(f"slow {name} scan, {policy}", "TCP: slow scan", threshold,
                       lambda count, name=name, version=version, policy=policy:
                       attacks.port_scan(name, version, ports=distinct_ports(name, count), policy=policy, gap=70), version,
                       source=PEER[version])
        for name in attacks.SWEEP_KINDS:
            state = "dead" if name == "ping" else "closed"
            around(f"{name} sweep", KINDS[name].sweep, 10,
                   lambda count, name=name, version=version, state=state:
                   attacks.sweep(name, version, hosts=count, state=state), version, "-a", networks(version),
                   source=PEER[version])
        for name, kind in (("SYN", "TCP: slow-sweep scan"), ("ping", "ICMP: slow sweep over hosts")):
            around(f"slow {name} sweep", kind, 10,
                   lambda count, name=name, version=version:
                   attacks.sweep(name, version, hosts=count, state="dead", gap=70), version, "-a", networks(version),
                   source=PEER[version])
        for how in ("half open", "connect"):
            around(f"open ports, {how}", "TCP: open port probing", 20,
                   lambda count, how=how, version=version: attacks.open_port_probing(version, count=count, how=how),
                   version, source=PEER[version])
        around("distributed scan", "TCP: distributed scan of ports", 30,
               lambda count, version=version: attacks.distributed_scan(version, sources=10, ports=count), version)
        around("ping flood", "ICMP: ping flood", 70,
               lambda count, version=version: attacks.ping_flood(version, count=count), version, source=PEER[version])
        around("SYN flood", "TCP: SYN flood", 100,
               lambda count, version=version: attacks.syn_flood(version, sources=count), version)


def lost_on_the_way(name, version, policy, count):
    """Every fifth probe is lost before it reaches the host."""
    kept = [port for index, port in enumerate(distinct_ports(name, count)) if index % 5 != 3]
    return attacks.port_scan(name, version, ports=kept, policy=policy)


def missed(name, version, policy, count, outbound):
    """The capture lacks a fifth of the packets of one direction."""
    return attacks.port_scan(name, version, ports=distinct_ports(name, count), policy=policy).lose(0.2, outbound)


def out_of_order(name, version, policy, count):
    return attacks.port_scan(name, version, ports=distinct_ports(name, count), policy=policy).reorder(0.05)


def answers_first(name, version, policy, count):
    """Our answers stand in front of what they answer, as if they were captured on another interface."""
    capture = attacks.port_scan(name, version, ports=distinct_ports(name, count), policy=policy)

    def earlier(record: Record) -> Record:
        record.at -= 0.0002 if record.outbound else 0
        return record
    capture.records = [earlier(record) for record in capture.records]
    return capture


def from_the_middle(name, version, policy, count, after):
    """The sensor starts when half of twice as many ports were probed: with the probe, or between probe and answer."""
    capture = attacks.port_scan(name, version, ports=distinct_ports(name, 2 * count), policy=policy, gap=0.02)
    return capture.begin_at(1 + count * 0.02 + after)


def slow_with_loss(name, version, policy, count):
    return attacks.port_scan(name, version, ports=distinct_ports(name, count), policy=policy, gap=70).lose(0.2, False)


def hard_conditions():
    for version in (4, 6):
        for name in attacks.PORT_KINDS:
            for policy in (CLOSED,) if name in KNOWN_BY_REFUSAL else (CLOSED, DROP):
                kind = KINDS[name]
                count = -(-kind.threshold * 16 // 10)
                made = {"a fifth is lost on the way": lost_on_the_way, "another order": out_of_order,
                        "the capture lacks a fifth of what arrives": functools.partial(missed, outbound=False),
                        "starts with a probe": functools.partial(from_the_middle, after=0),
                        "starts behind a probe": functools.partial(from_the_middle, after=0.00001)}
                if policy == CLOSED:
                    made["the capture lacks a fifth of our answers"] = functools.partial(missed, outbound=True)
                    # Without its probe, a RST that answers FIN+ACK or SYN+ACK looks like one that answers an ACK.
                    if name not in ("Maimon", "SYN+ACK"):
                        made["answers first"] = answers_first
                if name in SLOW:
                    made["slow, the capture lacks a fifth of what arrives"] = slow_with_loss
                for condition, make in made.items():
                    pattern = "TCP: slow scan" if condition.startswith("slow") else kind.name
                    CHECKS.append(Check(f"{name} scan, {count} ports, {policy}, {condition}, IPv{version}",
                                        functools.partial(make, name, version, policy, count),
                                        checks.detects(rf"^{pattern} detected .* from {re.escape(PEER[version])}( |$)"),
                                        OURS[version]))


exact_thresholds()
hard_conditions()

if __name__ == "__main__":
    sys.exit(checks.main(sys.argv[1], CHECKS, *sys.argv[2:4]))
