"""portcullis-sensor on generated captures of ordinary traffic: nothing is reported as an attack.

usage: benign_captures_test.py SENSOR [WORD]     WORD: only rows whose name contains it
"""
import concurrent.futures
import os
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "captures"))
import benign  # noqa: E402
import network  # noqa: E402
from sensor import Sensor  # noqa: E402


def faults_of(sensor, function, variant):
    case = function(**variant)
    options = ["-a", case.promisc] if case.promisc else []
    lines = sensor.lines(case.capture.bytes(), case.local, *options)
    return [line.text for line in lines
            if (" detected" in line.text and not re.search(case.allowed, line.text))
            or re.search(case.forbidden, line.text)]


def check(program, number, variant):
    _, function, _ = benign.ROWS[number]
    return faults_of(Sensor(program, network.START), function, variant)


def main():
    program, word = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    jobs = [(number, variant) for number, (name, _, variants) in enumerate(benign.ROWS) if word in name
            for variant in variants]
    faulty = 0
    with concurrent.futures.ProcessPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        results = pool.map(check, [program] * len(jobs), *zip(*jobs), chunksize=8)
        for (number, variant), faults in zip(jobs, results):
            if faults:
                faulty += 1
                arguments = " ".join(f"{name}={value}" for name, value in variant.items())
                print(f"{benign.ROWS[number][0]}\n    {arguments}\n    {len(faults)} lines: {faults[0]}")
    print(f"{len(jobs)} captures, {faulty} with faults")
    return 1 if faulty or not jobs else 0


if __name__ == "__main__":
    sys.exit(main())
