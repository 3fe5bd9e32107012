"""Runs the sensor on many generated captures, in parallel, and reports each fault with its capture.

A `Check` builds a capture and judges the lines that the sensor writes about it. `judge` returns texts that say what is
wrong; none means that all is right.
"""
import concurrent.futures
import dataclasses
import multiprocessing
import os
import pathlib
import re
from typing import Callable

import network
from sensor import TOTAL, Line, Sensor, detections


@dataclasses.dataclass
class Check:
    name: str
    capture: Callable[[], network.Capture]
    judge: Callable[[list[Line]], list[str]]
    local: str = ""
    options: tuple[str, ...] = ()
    attempts: int = 1  # one right attempt of this number is enough


# The sensor remembers a host, or a port of one of several hosts, by 16 bits of a hash with a random key. Of ten two fall
# together once in 1500 runs, of 25 once in 220; the scan is then found one probe later. So what counts hosts is tried again.
ATTEMPTS_BY_HASH = 3


def faults_of(program: str, check: Check) -> list[str]:
    data = check.capture().bytes()
    for _ in range(check.attempts):
        try:
            faults = check.judge(Sensor(program, network.START).lines(data, check.local, *check.options))
        except (RuntimeError, ValueError) as error:
            return [str(error)]
        if not faults:
            break
    return faults


_checks: list = []
_run = None


def _run_one(index: int):
    return _run(_checks[index])


def in_parallel(run: Callable, items: list) -> list:
    """[run(item) for item in items], in processes that are forked from this one: nothing has to be pickled but results."""
    global _checks, _run
    _checks, _run = items, run
    with concurrent.futures.ProcessPoolExecutor(min(4, os.cpu_count() or 1),
                                                multiprocessing.get_context("fork")) as pool:
        return list(pool.map(_run_one, range(len(items)), chunksize=max(1, len(items) // 64)))


def main(program: str, checks: list[Check], word: str = "", keep: str | None = None) -> int:
    """word: only checks whose name contains it. keep: a folder for the captures of the checks that fail."""
    chosen = [check for check in checks if word in check.name]
    results = in_parallel(lambda check: faults_of(program, check), chosen)
    faulty = 0
    for check, faults in zip(chosen, results):
        if not faults:
            continue
        faulty += 1
        print(f"{check.name}\n    " + "\n    ".join(faults[:3]))
        if keep:
            file = pathlib.Path(keep) / (re.sub(r"[^A-Za-z0-9]+", "-", check.name) + ".pcap")
            file.write_bytes(check.capture().bytes())
            print(f"    kept: {file} (--local {check.local} {' '.join(check.options)})")
    print(f"{len(chosen)} captures, {faulty} with faults")
    return 1 if faulty or not chosen else 0


# --- judges --------------------------------------------------------------------------------------------------------

def nothing(lines: list[Line]) -> list[str]:
    return [f"unexpected: {line.text}" for line in lines if " detected" in line.text]


def none_but(allowed: str, forbidden: str = r"$^"):
    """No detection but those that `allowed` accepts, and no line that `forbidden` accepts."""
    def judge(lines):
        return [f"unexpected: {line.text}" for line in lines
                if (" detected" in line.text and not re.search(allowed, line.text)) or re.search(forbidden, line.text)]
    return judge


def detects(pattern: str, also: str = r"$^", times: int | None = 1):
    """`pattern` is found in exactly `times` detections (None: one or more), those with the note `again` aside; other
    detections are faults unless `also` accepts them. Patterns see the lines without their notes."""
    def judge(lines):
        found = detections(lines)
        matching = [seen for seen in found if re.search(pattern, seen.plain) and "again" not in seen.notes]
        faults = [f"unexpected: {seen.text}" for seen in found
                  if not re.search(pattern, seen.plain) and not re.search(also, seen.plain)]
        # Each detection has one line about its end.
        first = sorted(seen.kind for seen in found if "again" not in seen.notes)
        ended = sorted(match["kind"] for match in map(TOTAL.match, (line.text for line in lines)) if match)
        if first != ended:
            faults.append(f"detected: {', '.join(first)}; but ended: {', '.join(ended)}")
        if times is None and not matching or times is not None and len(matching) != times:
            faults.insert(0, f"{len(matching)} lines instead of {times or 'some'} match: {pattern}")
        return faults
    return judge
