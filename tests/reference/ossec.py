#!/usr/bin/env python3
"""Decides about lines as the specification says: --ruleset DIR --rules LIST < lines, one JSON object per line.

With --stream the lines are one stream; else each is decided by a fresh process.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from deciding import RuleSet  # noqa: E402
from decoding import DecoderSet, predecode  # noqa: E402


class Reference:
    def __init__(self, ruleset: str, rule_list: str, hostname: str):
        self.hostname = hostname
        self.decoders = DecoderSet([os.path.join(ruleset, "decoder.xml")])
        with open(rule_list, encoding="ascii") as file:
            names = file.read().split()
        self.rules = RuleSet([os.path.join(ruleset, "rules", name) for name in names], self.decoders.names)

    def forget(self) -> None:
        self.rules.all.clear()
        self.rules.fts_keys.clear()
        self.rules.fts_recent.clear()
        self.rules.diffs.clear()
        for rule in self.rules.by_id.values():
            rule.sid_history.clear()
            rule.group_history.clear()
            rule.stamp = None

    def decide(self, line: str, now: int = 0) -> dict:
        event = predecode(line, self.hostname)
        event.time = now
        self.decoders.decode(event)
        rule = self.rules.decide(event)
        if rule is not None:
            self.rules.record(rule, event)
        fields = {**event.fields, **event.dynamic}
        return {"hostname": event.hostname, "program_name": event.program_name, "log": event.log,
                "decoder": event.decoder_name, "fields": fields, "rule": rule.id if rule else None,
                "level": rule.level if rule else None, "tried": list(self.rules.tried)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ruleset", required=True)
    parser.add_argument("--rules", required=True)
    parser.add_argument("--hostname", default="oraclehost")
    parser.add_argument("--stream", action="store_true")
    options = parser.parse_args()
    reference = Reference(options.ruleset, options.rules, options.hostname)
    for line in sys.stdin.buffer.read().split(b"\n")[:-1]:
        if not options.stream:
            reference.forget()
        print(json.dumps(reference.decide(line.decode("latin-1"))))


if __name__ == "__main__":
    main()
