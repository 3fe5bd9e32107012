"""Measures after how many probes a scan is found, for each kind and each way in which a host answers, and writes
docs/detection-matrix.md.

A scan of n probes is "found" if the sensor reports its source when the capture holds these n probes and their answers. The
number in a cell is the smallest n. `bound` is what is required; a cell may stay unseen only for a reason of `REASONS`.
"""
import dataclasses
import functools

import attacks
import checks
from attacks import KINDS, PORT_KINDS, SWEEP_KINDS, distinct_ports, networks
from network import CLOSED, DROP, OPEN, PEER, PROHIBIT, ours
from sensor import Sensor, detections
import network

STATES = ("closed", "drop", "reject", "20 open", "3 open")
TARGETS = 8
FAST, SLOW = 0.02, 70

# Kinds that our own refusal makes known: a segment of this kind may also belong to a connection.
BY_REFUSAL = ("ACK", "window", "Maimon", "SYN+ACK")
# Kinds whose probes a listener answers otherwise than a closed port; all others leave an open port silent, or get a RST.
OPEN_IS_KNOWN = ("SYN", "connect", "UDP", "SCTP INIT")

REASONS = {
    "refusal": "Only a refusal shows that such a segment belongs to no connection. A firewall that drops refuses nothing, and "
               "the scanner learns nothing.",
    "slow TCP": "A few refused segments of this kind in a day are ordinary: they remain of connections that one side forgot.",
    "slow other": "The memory of slow scans holds TCP ports only.",
    "victim": "The sender of SYN+ACKs may be the victim of somebody else; only a burst of them is reported.",
    "no answer": "Only a refusal distinguishes such a datagram or segment from ordinary traffic, and a host that does not exist refuses none.",
    "listener": "A listener drops these probes like a host that does not exist, or answers them like any client's.",
    "monitoring": "Over a day, connections to many hosts that answer are ordinary: monitoring does this. So are pings with data.",
    "slow sweep": "Over a day, datagrams to many hosts are not counted: programs that look for others send them.",
}


@dataclasses.dataclass(frozen=True)
class Cell:
    kind: str
    state: str
    version: int
    targets: int = 1
    gap: float = FAST
    is_sweep: bool = False

    @property
    def threshold(self) -> int:
        if self.is_sweep:
            return 10
        return KINDS[self.kind].threshold if self.gap == FAST or self.kind == "connect" else 10

    def open_indices(self) -> list[int]:
        """Indices of the open ports: every third one of the first 60, or three of the first nine."""
        return {"20 open": list(range(1, 60, 3)), "3 open": [2, 5, 8]}.get(self.state, [])

    def capture(self, count: int) -> network.Capture:
        if self.is_sweep:
            return attacks.sweep(self.kind, self.version, hosts=count, state=self.state, gap=self.gap)
        ports = distinct_ports(self.kind, count)
        if self.open_indices():
            opened = {port for index, port in enumerate(ports) if index in self.open_indices()}
            policy = lambda port: OPEN if port in opened else CLOSED  # noqa: E731
        else:
            policy = {"closed": CLOSED, "drop": DROP, "reject": PROHIBIT}[self.state]
        return attacks.port_scan(self.kind, self.version, ports=ports, policy=policy, gap=self.gap, targets=self.targets)

    def is_found(self, sensor: Sensor, count: int) -> bool:
        local = ",".join(ours(self.version, number) for number in range(1, self.targets + 1))
        options = ("-m", "-a", networks(self.version)) if self.is_sweep else ("-m",)
        data, source = self.capture(count).bytes(), PEER[self.version]
        attempts = checks.ATTEMPTS_BY_HASH if self.is_sweep or self.targets > 1 else 1
        return any(seen.source == source for _ in range(attempts)
                   for seen in detections(sensor.lines(data, local, *options)))

    def counted(self, number: int) -> int:
        """The number of probes after which `number` ports that count for the scan were probed."""
        skipped = self.open_indices() if self.kind in OPEN_IS_KNOWN else []
        counted = 0
        for index in range(1000):
            counted += index not in skipped
            if counted == number:
                return index + 1
        raise AssertionError("1000 ports are not enough")

    def bound(self) -> int | None:
        """The number of probes after which the scan must be found; None if it need not be."""
        if self.may_be_unseen():
            return None
        if self.is_sweep:
            return 10 if self.state != "open" else 60
        if self.targets == 1:
            return self.counted(self.threshold)
        # Several targets: before any of them alone has seen a threshold of ports; slowly, or if the sender may be a victim,
        # when each has.
        alone = self.gap == SLOW or self.kind == "SYN+ACK"
        return self.counted(self.targets * (self.threshold - (0 if alone else 1)))

    def may_be_unseen(self) -> str | None:
        """The reason, a key of REASONS."""
        if self.is_sweep:
            if self.state == "dead" and self.kind in ("ACK", "UDP"):
                return "no answer"
            if self.gap == SLOW and self.kind not in ("SYN", "connect", "ping"):
                return "slow sweep"
            if self.gap == SLOW and self.state == "open" and self.kind == "connect":
                return "monitoring"
            return "listener" if self.state == "open" and self.kind in ("FIN", "null", "Xmas", "UDP") else None
        if self.state == "drop" and self.kind in BY_REFUSAL:
            return "refusal"
        if self.gap == SLOW:
            if self.kind == "SYN+ACK":
                return "victim"
            if self.kind in BY_REFUSAL:
                return "slow TCP"
            if self.kind in ("UDP", "SCTP INIT", "SCTP COOKIE-ECHO", "IP protocol"):
                return "slow other"
        return None

    def most(self) -> int:
        """With more probes nobody looks."""
        return 60 if self.is_sweep else max(self.counted(self.targets * self.threshold) + 5, 40)


def smallest(cell: Cell, program: str) -> int | None:
    """The smallest number of probes that is found."""
    sensor = Sensor(program, network.START)
    is_found = functools.lru_cache(lambda count: count > 0 and cell.is_found(sensor, count))
    guess = min(cell.most(), cell.bound() or cell.threshold)
    if is_found(guess) and not is_found(guess - 1):
        return guess
    if not is_found(cell.most()):
        return None
    low, high = 0, guess if is_found(guess) else cell.most()
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_found(middle) else (middle, high)
    return high


def cells() -> list[Cell]:
    ports = [Cell(kind, state, version, targets, gap) for targets in (1, TARGETS) for gap in (FAST, SLOW)
             for kind in PORT_KINDS for state in STATES for version in (4, 6)]
    hosts = [Cell(kind, state, version, 1, gap, True) for gap in (FAST, SLOW) for kind in SWEEP_KINDS
             for state in ("closed", "open", "dead") for version in (4, 6)]
    return ports + [cell for cell in hosts if (cell.kind, cell.state) != ("ping", "closed")]


def measure(program: str) -> dict[Cell, int | None]:
    every = cells()
    return dict(zip(every, checks.in_parallel(lambda cell: smallest(cell, program), every)))


def faults(found: dict[Cell, int | None]) -> list[str]:
    return [f"{cell}: " + (f"found after {count} instead of {cell.bound()}" if count else f"not seen in {cell.most()}, "
            f"due after {cell.bound()}")
            for cell, count in found.items() if cell.bound() is not None and (count is None or count > cell.bound())]


# --- the document ----------------------------------------------------------------------------------------------------

HEAD = """# After how many probes a scan is found

For an operator who wants to know what the sensor sees of each kind of scan. This page is measured: the test
`detection_matrix` builds a capture for each cell, and fails if a number changes.
`UPDATE_GOLDEN=1 python3 -B tests/detection_matrix_test.py build/release/bin/portcullis-sensor docs/detection-matrix.md` rewrites
this page.

A number is the smallest number of probed ports that is reported with the scanner's address. Two numbers are those of IPv4 and
IPv6, if they differ. A dash with a number in parentheses is a scan that is not reported; the reason is below the tables.

- **closed**: each port is closed (RST, ICMP port unreachable, ABORT, protocol unreachable).
- **drop**: a firewall drops every probe. **reject**: it answers each probe with ICMP administratively prohibited.
- **20 open**: of the first 60 ports every third one is open, the others are closed. **3 open**: the third, sixth and ninth port
  are open, the others are closed. An open UDP port answers.
- **fast**: a probe every 20 ms. **slow**: a probe every 70 s, longer than a burst is remembered.
- **several targets**: the probes go to eight of our addresses in turn, each to another port.

The thresholds are those of [the sensor](sensor.md); `threshold` in iplog.conf changes them.
"""

NAMES = {"window": "ACK (window scan)"}


def row_name(kind: str) -> str:
    return NAMES.get(kind, kind)


def cell_text(found: dict[Cell, int | None], key: Cell, notes: list[str]) -> str:
    texts = []
    for version in (4, 6):
        cell = dataclasses.replace(key, version=version)
        count, reason = found[cell], cell.may_be_unseen()
        if count is not None:
            texts.append(str(count))
        elif reason is None:
            texts.append("missing")
        else:
            if reason not in notes:
                notes.append(reason)
            texts.append(f"– ({notes.index(reason) + 1})")
    return texts[0] if texts[0] == texts[1] else " / ".join(texts)


def table(first: str, columns: list[str], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join([first, *columns]) + " |", "|---" * (len(columns) + 1) + "|"] + [
        "| " + " | ".join(row) + " |" for row in rows]


def document(found: dict[Cell, int | None]) -> str:
    lines, notes = [HEAD], []
    for targets, of_targets in ((1, "one target"), (TARGETS, "several targets")):
        for gap, pace in ((FAST, "fast"), (SLOW, "slow")):
            lines += [f"## Ports of {of_targets}, {pace}", ""]
            lines += table("probes", list(STATES), [
                [row_name(kind)] + [cell_text(found, Cell(kind, state, 4, targets, gap), notes) for state in STATES]
                for kind in PORT_KINDS])
            lines.append("")
    lines += ["## One port of many hosts", "",
              "The hosts are in a network of `promisc`. **closed**: they are alive, and the port is closed. **open**: the port is",
              "open, or the host answers the ping. **dead**: there is no such host. The number is that of hosts.", ""]
    columns = [(gap, pace, state) for gap, pace in ((FAST, "fast"), (SLOW, "slow")) for state in ("closed", "open", "dead")]
    rows = []
    for kind in SWEEP_KINDS:
        texts = [row_name(kind)]
        for gap, _, state in columns:
            key = Cell(kind, state, 4, 1, gap, True)
            texts.append(cell_text(found, key, notes) if key in found else "")
        rows.append(texts)
    lines += table("probes", [f"{pace}, {state}" for _, pace, state in columns], rows)
    lines += ["", "## Why some are not reported", ""]
    lines += [f"{number}. {REASONS[reason]}" for number, reason in enumerate(notes, 1)]
    return "\n".join(lines) + "\n"
