"""A scan that continues after its detection: further lines with the note `again`, the totals of its end, and a whole day
behind a firewall that bans the source for a while at each line.

usage: repeats_test.py SENSOR [WORD [FOLDER]]
WORD: only checks whose name contains it. FOLDER: where captures of failed checks are kept.
"""
import dataclasses
import functools
import math
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "captures"))
import attacks  # noqa: E402
import checks  # noqa: E402
import network  # noqa: E402
from attacks import KINDS, distinct_ports, networks  # noqa: E402
from checks import Check  # noqa: E402
from network import CLOSED, DROP, OURS, PEER, Capture, peer  # noqa: E402
from sensor import Sensor, detections, totals  # noqa: E402

# A continuing scan is reported at most every 10 s.
SHORTEST_PAUSE = 10
DAY = 86400

CHECKS = []


@dataclasses.dataclass
class Continuing:
    """The lines that are due for a source that continues.

    kind: name of the line. threshold: distinct ports (hosts, packets) between two lines. probes: the time of each, and
    its port. lines: the smallest number of lines with the note that is due.
    """
    kind: str
    threshold: int
    probes: list[tuple[float, int]]
    lines: int

    def judge(self, lines) -> list[str]:
        found = [seen for seen in detections(lines) if seen.kind == self.kind]
        faults = [f"unexpected: {seen.text}" for seen in detections(lines) if seen.kind != self.kind]
        if not found or found[0].notes != ["forgeable"]:
            return faults + [f"the first line should have its grade alone: {found[0].text if found else 'there is none'}"]
        again = found[1:]
        faults += [f"without the note `again`: {seen.text}" for seen in again if seen.notes != ["again", "forgeable"]]
        if len(again) < self.lines:
            faults.append(f"{len(again)} lines with the note `again` instead of {self.lines} or more")
        for before, after in zip(found, again):
            if after.at - before.at < SHORTEST_PAUSE:
                faults.append(f"{after.at - before.at} s after the line before: {after.text}")
            # The lines have whole seconds.
            new = {port for at, port in self.probes if before.at <= at < after.at + 1}
            if len(new) < self.threshold:
                faults.append(f"{len(new)} ports after the line before instead of {self.threshold}: {after.text}")
        total = sum(count for (kind, _), count in totals(lines).items() if kind == self.kind)
        if total != len(self.probes):
            faults.append(f"the lines about the end name {total} packets instead of {len(self.probes)}")
        return faults


def add(name, make, judge, version, *options):
    CHECKS.append(Check(f"{name}, IPv{version}", lambda: with_other_lines(make(), version), judge, OURS[version], options))


def with_other_lines(capture, version) -> Capture:
    """Another client connects every 3 s: equal lines about the scan are written, and not counted as repetitions."""
    for number in range(math.ceil(max(record.at for record in capture.records) / 3)):
        capture.conversation(1.5 + 3 * number, peer(version, 98), 1024 + number, OURS[version], 443)
    return capture


def probed(ports, gap) -> list[tuple[float, int]]:
    return [(1 + index * gap, port) for index, port in enumerate(ports)]


def continuing_scans():
    for version in (4, 6):
        for name in attacks.PORT_KINDS:
            kind = KINDS[name]
            for policy in (CLOSED,) if name in ("ACK", "window", "Maimon", "SYN+ACK") else (CLOSED, DROP):
                # At least a threshold of new ports in 10 s, for a minute or more.
                count, gap = {"IP protocol": (120, 0.75), "UDP": (180, 0.35)}.get(name, (180, 0.5))
                ports = distinct_ports(name, count)
                # What only reports need not be reported again.
                again = 0 if name == "SYN+ACK" else 3
                add(f"{name} scan that continues, {policy}",
                    functools.partial(attacks.port_scan, name, version, ports=ports, policy=policy, gap=gap),
                    Continuing(kind.name, kind.threshold, probed(ports, gap), again).judge, version)
        few = distinct_ports("SYN", 20) + distinct_ports("SYN", 5) * 36
        add("SYN scan that continues with a few ports",
            functools.partial(attacks.port_scan, "SYN", version, ports=few, gap=0.5),
            Continuing("TCP: SYN scan", 10, probed(few, 0.5), 0).judge, version)
        many = distinct_ports("SYN", 20) * 10
        add("SYN scan that continues with the same ports",
            functools.partial(attacks.port_scan, "SYN", version, ports=many, gap=0.5),
            Continuing("TCP: SYN scan", 10, probed(many, 0.5), 0).judge, version)
        for name in ("SYN", "connect"):
            ports = distinct_ports(name, 60)
            add(f"slow {name} scan that continues",
                functools.partial(attacks.port_scan, name, version, ports=ports, gap=70),
                Continuing("TCP: slow scan", 10 if name == "SYN" else 15, probed(ports, 70), 2).judge, version)
        add("sweep that continues", functools.partial(attacks.sweep, "SYN", version, hosts=200, gap=0.4),
            Continuing("TCP: sweep scan", 10, probed(range(200), 0.4), 3).judge, version, "-a", networks(version))
        add("ping flood that continues", functools.partial(attacks.ping_flood, version, count=900),
            Continuing("ICMP: ping flood", 70, probed(range(900), 0.1), 3).judge, version)


@dataclasses.dataclass
class BannedScan:
    """A scanner probes one new port after another for a day. Each line about it makes the firewall drop its packets for
    `ban` seconds; the sensor still sees them."""
    name: str
    version: int
    gap: float
    ban: int
    threshold: int

    def capture(self, lines_at: list[int]) -> tuple[Capture, list[float]]:
        """The day if the sensor writes its lines at these seconds, and when ports were answered."""
        capture, answered = Capture(), []
        host = capture.host(OURS[self.version])
        host.banned = lambda at, source: any(line <= at < line + self.ban for line in lines_at)
        for index, port in enumerate(range(1, 1 + math.floor(DAY / self.gap))):
            at = 1 + index * self.gap
            packet = attacks.probe(capture, at, self.name, index, PEER[self.version], OURS[self.version], port)
            if capture.send(at, packet) == CLOSED:
                answered.append(at)
        return capture, answered

    def faults(self, program: str) -> list[str]:
        """Repeats the day until its lines do not change: each repetition is right up to the first line that is new."""
        sensor, lines_at = Sensor(program, network.START), []
        for _ in range(2000):
            capture, answered = self.capture(lines_at)
            seen = [found.at for found in detections(sensor.lines(capture.bytes(), OURS[self.version], "-m"))]
            if seen == lines_at:
                break
            lines_at = seen
        if not lines_at:
            return ["no line in a day"]
        faults = []
        ends = [0] + [line + self.ban for line in lines_at]
        for end, following in zip(ends, lines_at + [DAY]):
            # The line is written within its second, and after a silence of 300 ms at the latest.
            learnt = sum(end <= at < following for at in answered)
            if learnt > self.threshold:
                faults.append(f"{learnt} ports were answered from second {end} to the line at second {following}; at most "
                              f"{self.threshold} may be")
        return faults


def days() -> list[BannedScan]:
    return [BannedScan(name, version, gap, ban, threshold)
            for name, threshold in (("SYN", 10), ("connect", 15), ("FIN", 10))
            for version, gap, ban in ((4, 20, 600), (4, 20, 3600), (6, 45, 3600), (4, 70, 3600), (6, 300, 600))]


def main():
    program, word = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    failed = checks.main(program, CHECKS, word, *sys.argv[3:4]) if any(word in check.name for check in CHECKS) else 0
    chosen = [day for day in days() if word in str(day)]
    faulty = 0
    for day, faults in zip(chosen, checks.in_parallel(lambda day: day.faults(program), chosen)):
        if faults:
            faulty += 1
            print(f"a day behind a firewall: {day}\n    " + "\n    ".join(faults[:3]))
    print(f"{len(chosen)} days, {faulty} with faults")
    return 1 if failed or faulty else 0


continuing_scans()

if __name__ == "__main__":
    sys.exit(main())
