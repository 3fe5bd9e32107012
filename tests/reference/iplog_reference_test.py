#!/usr/bin/env python3
"""The sensor's compat mode against the iplog reference beside this file, byte for byte.

usage: iplog_reference_test.py SENSOR CONFORMANCE_DIR [--seeds FIRST COUNT]
"""

from __future__ import annotations

import difflib
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import iplog  # noqa: E402
from captures import LOCAL, CaptureMaker  # noqa: E402

SENSOR = pathlib.Path(sys.argv[1]).resolve()
DATA = pathlib.Path(sys.argv[2]).resolve() / "iplog"
SWITCHES = ["syn_scan", "portscan", "udp_scan", "fin_scan", "null_scan", "xmas_scan", "bogus", "smurf", "ping_flood",
            "traceroute", "frag"]
CONFIGURATION = """set iplog_compat true
set log_ip true
set ignore_dns true
ignore tcp dport 80
ignore tcp dport netbios-ssn
ignore tcp dport microsoft-ds
ignore tcp dport loc-srv
ignore tcp dport 5900
"""


def without_service_lines(lines: list[str]) -> list[str]:
    return [line for line in lines if not line.endswith(" iplog started.")]


class Recorded(unittest.TestCase):
    @unittest.skipUnless(DATA.is_dir(), f"SKIPPED: no recorded captures in {DATA}")
    def test_the_reference_writes_what_iplog_wrote(self):
        count = 0
        for row in (DATA / "INDEX.tsv").read_text(encoding="utf-8").splitlines()[1:]:
            name, kind, arguments, names = row.split("\t")[:4]
            words = arguments.split()
            if "-e" in words or not (DATA / kind / f"{name}.pcap").exists():
                continue  # an ident answer is not in the capture
            options = iplog.Options(log_dest="-D" in words or "-a" in words, promisc="-a" in words,
                                    scans_only="-m" in words, verbose="-V" in words,
                                    log_ip="--log-ip=false" not in words)
            options.off = {word[len("--detect-"):-len("=false")].replace("-", "_") for word in words
                           if word.startswith("--detect-") and word.endswith("=false")}
            if names != "none":
                options.names = {line.split()[0]: line.split()[1]
                                 for line in (DATA / "hosts.names").read_text(encoding="utf-8").splitlines()}
            wanted = (DATA / kind / f"{name}.log").read_text(encoding="utf-8").splitlines()
            got = iplog.lines_for(str(DATA / kind / f"{name}.pcap"), options)
            self.assertEqual(without_service_lines(wanted), without_service_lines(got), name)
            count += 1
        self.assertGreater(count, 90)


class Generated(unittest.TestCase):
    first, count = 1, 40

    def test_compat_mode_writes_the_same_lines(self):
        total = 0
        with tempfile.TemporaryDirectory(prefix="portcullis-reference-") as folder:
            conf, resolv = pathlib.Path(folder, "iplog.conf"), pathlib.Path(folder, "resolv.conf")
            resolv.write_text(f"nameserver {iplog.RESOLVER}\n", encoding="ascii")
            capture = pathlib.Path(folder, "capture.pcap")
            for seed in range(self.first, self.first + self.count):
                rnd = random.Random(seed)
                capture.write_bytes(CaptureMaker(rnd).capture(30))
                options = iplog.Options(local=(LOCAL,), log_dest=rnd.random() < 0.3, verbose=rnd.random() < 0.3,
                                        scans_only=rnd.random() < 0.2,
                                        off=set(rnd.sample(SWITCHES, rnd.choice([0, 0, 1, 2]))))
                switches = "".join(f"set {name} false\n" for name in sorted(options.off))
                for name in ("log_dest", "verbose", "scans_only"):
                    switches += f"set {name} {'true' if getattr(options, name) else 'false'}\n"
                conf.write_text(CONFIGURATION + switches, encoding="ascii")
                run = subprocess.run([SENSOR, "-r", capture, "--local", LOCAL, "--config", conf, "--hosts", "/dev/null",
                                      "--resolv-conf", resolv, "-L"], capture_output=True, text=True, timeout=60,
                                     env={**os.environ, "TZ": "UTC"}, check=False)
                self.assertEqual(run.returncode, 0, run.stderr)
                wanted = without_service_lines(iplog.lines_for(str(capture), options))
                got = without_service_lines(run.stdout.splitlines())
                total += len(wanted)
                self.assertEqual(wanted, got, f"seed {seed}, {switches}\n" + "\n".join(
                    list(difflib.unified_diff(wanted, got, "reference", "sensor", n=1, lineterm=""))[:30]))
        self.assertGreater(total, self.count * 20)


if __name__ == "__main__":
    arguments = sys.argv[3:]
    if arguments[:1] == ["--seeds"]:
        Generated.first, Generated.count = int(arguments[1]), int(arguments[2])
        unittest.main(argv=[sys.argv[0], "Generated"], verbosity=2)
    unittest.main(argv=[sys.argv[0], *arguments], verbosity=2)
