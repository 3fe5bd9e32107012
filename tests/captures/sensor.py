"""Runs portcullis-sensor on a capture and reads the lines that it writes."""
import calendar
import dataclasses
import os
import re
import subprocess
import tempfile
import time

LINE = re.compile(r"^(\w{3} [ \d]\d \d\d:\d\d:\d\d) (.*)$")
REPEATED = re.compile(r"^last message repeated (\d+) times$")
DETECTED = re.compile(
    r"^(?P<kind>[^\[\]]+?) detected(?: to (?P<to>\S+))?(?: \[(?:ports?|protocols?) (?P<ports>[\d,.]+)\])?"
    r" from (?P<source>.+?)(?: \[ports? (?P<source_ports>[\d,.]+)\])?(?P<notes> \([a-z ,]+\))?$")
TOTAL = re.compile(r"^(?P<kind>.+?) mode(?: to \S+)? expired for (?P<source>.+?) - received a total of "
                   r"(?P<packets>\d+) packets \((?P<bytes>\d+) bytes\)\.$")


@dataclasses.dataclass
class Line:
    at: int  # seconds since the start of the capture, or of the year if no start is given
    text: str


@dataclasses.dataclass
class Detection:
    at: int
    kind: str
    ports: list[int]
    source: str
    notes: list[str]
    text: str
    plain: str  # text without the notes


def second_of(stamp: str, start: int) -> int:
    year = time.gmtime(start).tm_year
    at = calendar.timegm(time.strptime(f"{year} {stamp}", "%Y %b %d %H:%M:%S"))
    if at < start - 86400:
        at = calendar.timegm(time.strptime(f"{year + 1} {stamp}", "%Y %b %d %H:%M:%S"))
    return at - start


class Sensor:
    """`program`: portcullis-sensor; `local`: our addresses."""

    def __init__(self, program: str, start: int):
        self.program, self.start = program, start

    def lines(self, data: bytes, local: str, *options: str) -> list[Line]:
        with tempfile.NamedTemporaryFile(prefix="capture.", suffix=".pcap") as file:
            file.write(data)
            file.flush()
            run = subprocess.run([self.program, "-r", file.name, "--local", local, "--config", "/dev/null", "--hosts",
                                  "/dev/null", "--resolv-conf", "/dev/null", "--services", "/dev/null", "-N", "-L",
                                  *options], capture_output=True, text=True, timeout=120, check=False,
                                 env={**os.environ, "TZ": "UTC"})
        if run.returncode != 0:
            raise RuntimeError(f"portcullis-sensor ended with {run.returncode}: {run.stdout[-500:]}{run.stderr[-500:]}")
        found: list[Line] = []
        for match in filter(None, map(LINE.match, run.stdout.splitlines())):
            repeated = REPEATED.match(match[2])
            count, text = (int(repeated[1]), found[-1].text) if repeated else (1, match[2])
            found += [Line(second_of(match[1], self.start), text)] * count
        return found


def detections(lines: list[Line]) -> list[Detection]:
    """The lines that report a detection. A line with ` detected` that has another form is an error."""
    found = []
    for line in lines:
        if " detected" not in line.text:
            continue
        match = DETECTED.match(line.text)
        if not match:
            raise ValueError(f"not the form of a detection: {line.text}")
        ports = [int(port) for port in (match["ports"] or "").split(",") if port.isdigit()]
        notes = (match["notes"] or " ()")[2:-1].split(", ")
        plain = line.text.removesuffix(match["notes"] or "")
        found.append(Detection(line.at, match["kind"], ports, match["source"], list(filter(None, notes)), line.text, plain))
    return found


def totals(lines: list[Line]) -> dict[tuple[str, str], int]:
    """Packets that the expiry lines name, by (kind, source)."""
    found: dict[tuple[str, str], int] = {}
    for line in lines:
        match = TOTAL.match(line.text)
        if match:
            key = (match["kind"], match["source"])
            found[key] = found.get(key, 0) + int(match["packets"])
    return found
