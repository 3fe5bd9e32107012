"""Runs portcullis-sensor on the conformance captures and checks golden/sensor/captures.tsv.

usage: sensor_captures_test.py SENSOR CONFORMANCE_DIR TABLE [CAPTURE...]
"""
import os
import pathlib
import re
import subprocess
import sys

ENTIRELY = re.compile(r"iplog started\.$|TCP: scanner \S+ looks like ")
SINGLE = re.compile(r"connection attempt| dgram |ICMP: echo|last message repeated|iplog started\.|looks like ")
GRADE = re.compile(r" \(forgeable\)$")
SKIPPED = 77


def lines_of(sensor, data, capture, arguments):
    options = [str(data / "hosts.names") if a == "HOSTS" else a.replace("HOSTS", str(data / "hosts.names"))
               for a in arguments.split() if a != "-"]
    command = [sensor, "-r", str(data / f"{capture}.pcap"), "--local", "10.10.150.2,fd00:150::2",
               "--config", str(data / "iplog.conf"), "--hosts", "/dev/null",
               "--resolv-conf", str(data / "resolv.conf"), "-L"] + options
    run = subprocess.run(command, capture_output=True, text=True, timeout=60,
                         env={**os.environ, "TZ": "UTC"}, check=False)
    assert run.returncode == 0, f"exit {run.returncode}: {run.stdout[-500:]}{run.stderr[-2000:]}"
    return run.stdout.splitlines()


def fault_of(lines, what, pattern, golden):
    """Says what is wrong, or returns None."""
    lines = [line for line in lines if not ENTIRELY.search(line)]
    matching = [line for line in lines if re.search(pattern, line)]
    if what == "same":
        wanted = [line for line in golden.read_text().splitlines() if not ENTIRELY.search(line)]
        lines = [GRADE.sub("", line) for line in lines]
        return None if lines == wanted else "differs from " + golden.name + ":\n" + "\n".join(
            sorted(set(lines) ^ set(wanted))[:20])
    if what == "none":
        return f"has {matching[:5]}" if matching else None
    if what == "only":
        others = [line for line in lines if not re.search(pattern, line) and not SINGLE.search(line)]
        return f"has {others[:5]}" if others else None
    count = int(what.removeprefix("has "))
    return None if len(matching) == count else f"{len(matching)} lines match instead of {count}"


def main():
    sensor, data, table = sys.argv[1], pathlib.Path(sys.argv[2]) / "iplog", sys.argv[3]
    if not data.is_dir():
        print("SKIPPED: the conformance captures are not here:", data)
        return SKIPPED
    cache, faults, count = {}, 0, 0
    for row in pathlib.Path(table).read_text().splitlines():
        if not row or row.startswith("#"):
            continue
        capture, arguments, what, pattern = row.split("\t")
        if sys.argv[4:] and capture not in sys.argv[4:]:
            continue
        key = (capture, arguments)
        if key not in cache:
            cache[key] = lines_of(sensor, data, capture, arguments)
        count += 1
        fault = fault_of(cache[key], what, pattern, data / f"{capture}.log")
        if fault:
            faults += 1
            print(f"{capture} {arguments}: {what} {pattern}\n    {fault}")
    print(f"{count} rows, {faults} faults")
    return 1 if faults or not count else 0


if __name__ == "__main__":
    sys.exit(main())
