#!/usr/bin/env python3
"""The engine against the reference beside this file: same decisions on recorded, mutated and generated input.

usage: reference_test.py LOGTEST CONFORMANCE_DIR [--seeds FIRST COUNT]

With --seeds only the generated input is compared, from other seeds than the ordinary test's.
"""

from __future__ import annotations

import json
import pathlib
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import generated  # noqa: E402
from deciding import RuleSet  # noqa: E402
from decoding import DecoderSet, predecode  # noqa: E402
from ossec import Reference  # noqa: E402

LOGTEST = pathlib.Path(sys.argv[1]).resolve()
CASES = pathlib.Path(sys.argv[2]).resolve() / "ossec"
HOST = socket.gethostname().split(".")[0]
PLUGINS = ("sonicwall", "symantec-websecurity", "pf")  # the recordings lack their fields


def recorded(kind: str, mode: str) -> list[dict]:
    with open(CASES / "cases" / f"{kind}.{mode}.jsonl", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def readable(text: str | None) -> str | None:
    """A byte string as logtest prints it: what is not UTF-8 becomes a replacement character."""
    return None if text is None else text.encode("latin-1").decode("utf-8", "replace")


def comparable(values: dict) -> str:
    # No document defines the number of replacement characters for a broken sequence.
    return re.sub("\ufffd+", "?", json.dumps(values, sort_keys=True, ensure_ascii=False))


def run_logtest(home: pathlib.Path, configuration: str, lines: list[bytes], *options: str):
    return subprocess.run([LOGTEST, "-q", "-D", home, "-c", home / "etc" / configuration, "--json", *options],
                          input=b"\n".join(lines) + b"\n", capture_output=True, timeout=300, check=False)


def decisions(output: bytes) -> list[dict]:
    found = []
    for line in output.decode("utf-8").split("\n"):
        if line.strip():
            outcome = json.loads(line)
            found.append({"hostname": outcome["full_event_fields"]["hostname"],
                          "program_name": outcome["full_event_fields"]["program_name"],
                          "log": outcome["full_event_fields"]["log"], "decoder": outcome["decoder"],
                          "fields": outcome["fields"], "rule": outcome["rule"], "level": outcome["level"]})
    return found


def expected(outcome: dict) -> dict:
    return {"hostname": readable(outcome["hostname"]), "program_name": readable(outcome["program_name"]),
            "log": readable(outcome["log"]), "decoder": outcome["decoder"], "rule": outcome["rule"],
            "level": outcome["level"], "fields": {name: readable(value) for name, value in outcome["fields"].items()}}


class Compared(unittest.TestCase):
    def setUp(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-reference-"))
        self.addCleanup(shutil.rmtree, self.home)
        for folder in ("etc", "rules"):
            (self.home / folder).mkdir()

    def compare(self, wanted: list[dict], found: list[dict], lines: list[bytes], what: str) -> None:
        self.assertEqual(len(wanted), len(found), what)
        for number, (want, got, line) in enumerate(zip(wanted, found, lines)):
            self.assertEqual(comparable(want), comparable(got), f"{what}, line {number}: {line!r}")


@unittest.skipUnless(CASES.is_dir(), f"SKIPPED: no recorded decisions in {CASES}")
class Recorded(Compared):
    def references(self):
        for kind in ("stock", "full"):
            yield kind, Reference(str(CASES / "ruleset"), str(CASES / f"include-{kind}.txt"), "oraclehost")

    def test_the_reference_decides_as_recorded(self):
        for kind, reference in self.references():
            for mode in ("isolated", "stream"):
                source = None
                for case, trace in zip(recorded(kind, mode), recorded(kind, "trace")):
                    if mode == "isolated" or case["source"] != source:
                        reference.forget()
                    source = case["source"]
                    got = reference.decide(case["log"].encode().decode("latin-1"))
                    for key in ("decoder", "rule", "level"):
                        self.assertEqual(case[key], got[key], (kind, mode, key, case["log"]))
                    if got["decoder"] not in PLUGINS:
                        fields = {name: readable(value) for name, value in got["fields"].items()}
                        self.assertEqual(case["fields"], fields, (kind, mode, case["log"]))
                    if mode == "isolated":
                        self.assertEqual(trace["tried"], got["tried"], (kind, case["log"]))

    def test_the_engine_agrees_on_mutated_lines(self):
        shutil.copy(CASES / "ruleset/decoder.xml", self.home / "etc")
        for path in (CASES / "ruleset/rules").glob("*.xml"):
            shutil.copy(path, self.home / "rules")
        sources = sorted({case["log"].replace("\n", " ").encode() for case in recorded("full", "isolated")})
        for kind, reference in self.references():
            includes = (CASES / f"include-{kind}.txt").read_text(encoding="ascii").split()
            (self.home / f"etc/{kind}.conf").write_text(
                "<ossec_config><rules>" + "".join(f"<include>{name}</include>" for name in includes) +
                "</rules></ossec_config>", encoding="ascii")
            reference.hostname = HOST
            for options in (["--fresh"], []):
                rnd = random.Random(f"{kind} {options}")
                lines = []
                while len(lines) < 1500:
                    repeats = 1 if options or rnd.random() < 0.5 else rnd.randrange(2, 15)
                    lines += [generated.mutated_line(rnd, sources)] * repeats
                result = run_logtest(self.home, f"{kind}.conf", lines, *options)
                self.assertEqual(result.returncode, 0, result.stderr.decode())
                wanted = []
                reference.forget()
                for line in lines:
                    if options:
                        reference.forget()
                    wanted.append(expected(reference.decide(line.decode("latin-1"))))
                self.assertGreater(len({outcome["rule"] for outcome in wanted}), 50)
                self.compare(wanted, decisions(result.stdout), lines, f"{kind} {options}")


class Generated(Compared):
    first, count = 1, 60

    def test_the_engine_agrees_on_generated_rule_sets(self):
        loaded, outcomes = 0, 0
        (self.home / "etc/ossec.conf").write_text(
            "<ossec_config><rules><include>made.xml</include><list>rules/known</list></rules></ossec_config>",
            encoding="ascii")
        (self.home / "rules/known").write_text(
            "".join(f"{key}:{value}\n" for key, value in generated.KNOWN_LIST.items()), encoding="ascii")
        for seed in range(self.first, self.first + self.count):
            maker = generated.RuleSetMaker(random.Random(seed))
            (self.home / "etc/decoder.xml").write_text(maker.decoders(), encoding="ascii")
            (self.home / "rules/made.xml").write_text(maker.rules(), encoding="ascii")
            lines = maker.lines(150)
            result = run_logtest(self.home, "ossec.conf", lines)
            if result.returncode != 0:  # a set that the specification refuses: diagnostics, no crash
                self.assertRegex(result.stderr.decode(), r"error: .*\[[a-z-]+\]", f"seed {seed}")
                continue
            loaded += 1
            decoders = DecoderSet([str(self.home / "etc/decoder.xml")])
            rules = RuleSet([str(self.home / "rules/made.xml")], decoders.names,
                            {"rules/known": generated.KNOWN_LIST})
            wanted = []
            for line in lines:
                event = predecode(line.decode(), HOST)
                decoders.decode(event)
                rule = rules.decide(event)
                if rule is not None:
                    rules.record(rule, event)
                wanted.append(expected({"hostname": event.hostname, "program_name": event.program_name,
                                        "log": event.log, "decoder": event.decoder_name,
                                        "fields": {**event.fields, **event.dynamic},
                                        "rule": rule.id if rule else None, "level": rule.level if rule else None}))
            outcomes += len({outcome["rule"] for outcome in wanted})
            self.compare(wanted, decisions(result.stdout), lines, f"seed {seed}")
        self.assertGreater(loaded, self.count * 0.8, "most generated sets must load")
        self.assertGreater(outcomes, loaded, "the lines must reach rules")


if __name__ == "__main__":
    arguments = sys.argv[3:]
    if arguments[:1] == ["--seeds"]:
        Generated.first, Generated.count = int(arguments[1]), int(arguments[2])
        unittest.main(argv=[sys.argv[0], "Generated"], verbosity=2)
    unittest.main(argv=[sys.argv[0], *arguments], verbosity=2)
