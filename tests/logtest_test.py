#!/usr/bin/env python3
"""portcullis-logtest as a program: its options and exit status, and the examples of docs/logtest.md.

usage: logtest_test.py PROJECT BIN_DIR
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

PROJECT, BIN = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
GATE = PROJECT / "tests/golden/rules/home"
DENIED = b"Nov 14 18:09:12 host gate[1]: denied bob from 192.0.2.1\n"


def logtest(*arguments, stdin=b"", home=GATE):
    return subprocess.run([BIN / "portcullis-logtest", "-D", home, *arguments], input=stdin,
                          capture_output=True, timeout=60, cwd=PROJECT)


def objects(*arguments, stdin):
    return [json.loads(line) for line in logtest("--json", *arguments, stdin=stdin).stdout.splitlines()]


class Options(unittest.TestCase):
    def test_unit_test_status(self):
        for expected, status in [("100100:5:gate", 0), ("100100:6:gate", 1), ("100101:5:gate", 2),
                                 ("100100:5:other", 3), ("100100:5:GATE", 0)]:
            self.assertEqual(logtest("-U", expected, stdin=DENIED).returncode, status, expected)
        no_rule = logtest("-U", "1:0:gate", stdin=b"Nov 14 18:09:12 host gate[1]: hello\n" + DENIED)
        self.assertEqual(no_rule.returncode, 255)
        self.assertEqual(logtest("-U", "nonsense", stdin=DENIED).returncode, 1)

    def test_input_without_a_last_newline_and_short_lines(self):
        self.assertEqual(len(objects(stdin=b"a\n\nab\nabc")), 2)

    def test_long_lines_are_analysed_in_pieces(self):
        pieces = objects(stdin=b"x" * 65536 + b"\n" + DENIED)
        self.assertEqual([len(piece["full_event_fields"]["full_event"]) for piece in pieces[:-1]],
                         [6135] * 10 + [65536 - 10 * 6135])
        self.assertEqual(pieces[-1]["rule"], 100100)

    def test_any_bytes_give_json(self):
        every_byte = bytes(range(256)).replace(b"\n", b"")
        self.assertEqual(len(objects(stdin=every_byte + b"\n" + b"\0\0\0\n")), 2)

    def test_state_carries_over_unless_fresh(self):
        self.assertEqual([line["rule"] for line in objects(stdin=DENIED * 5)], [100100] * 4 + [100101])
        self.assertEqual([line["rule"] for line in objects("--fresh", stdin=DENIED * 5)], [100100] * 5)

    def test_alerts_only(self):
        shown = logtest("-a", stdin=DENIED + b"no alert\n").stdout.decode()
        self.assertRegex(shown, r"\A\*\* Alert \d+\.1: - gate,denied,\n"
                                r"[^\n]+ host->stdin\nRule: 100100 \(level 5\) -> 'denied at the gate'\n"
                                r"Src IP: 192\.0\.2\.1\nUser: bob\n[^\n]+\n\n\Z")

    def test_a_reader_that_leaves_ends_it(self):
        run = subprocess.run(f"yes 'door 3 opened' | {BIN}/portcullis-logtest -D {GATE} | head -n 1",
                             shell=True, capture_output=True, timeout=60)
        self.assertEqual(run.returncode, 0)


class Configuration(unittest.TestCase):
    def home(self, decoder, rules):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        home = pathlib.Path(folder.name)
        (home / "etc").mkdir()
        (home / "rules").mkdir()
        (home / "etc/ossec.conf").write_text(
            "<ossec_config><rules><include>r.xml</include></rules></ossec_config>")
        (home / "etc/decoder.xml").write_text(decoder)
        (home / "rules/r.xml").write_text(rules)
        return home

    def test_all_mistakes_at_once(self):
        home = self.home('<decoder name="a"><prematch>a(</prematch></decoder>',
                         '<group name="g,">\n'
                         '<rule id="100" level="1"><decoded_as>a</decoded_as></rule>\n'
                         '<rule id="101" level="x"><mach>a</mach></rule>\n'
                         '<rule id="100" level="1"><if_sid>7000</if_sid></rule></group>')
        for arguments in [("-t",), ()]:
            run = logtest(*arguments, stdin=DENIED, home=home)
            self.assertEqual((run.returncode, run.stdout), (1, b""))
            codes = re.findall(r": error: .* \[([a-z-]+)\]", run.stderr.decode())
            self.assertEqual(codes, ["bad-pattern", "bad-number", "unknown-element", "duplicate-rule"])

    def test_a_right_configuration_says_nothing(self):
        home = self.home('<decoder name="a"><prematch>a</prematch></decoder>',
                         '<group name="g,"><rule id="100" level="1"><match>a</match></rule></group>')
        run = logtest("-t", home=home)
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, b"", b""))

    def test_no_configuration(self):
        run = logtest("-t", home="/nonexistent")
        self.assertEqual(run.returncode, 1)
        self.assertIn(b"/nonexistent/etc/ossec.conf", run.stderr)
        self.assertEqual(run.stderr.count(b"error:"), 1)

    def test_no_decoders(self):
        home = self.home("", "")
        (home / "etc/decoder.xml").unlink()
        run = logtest("-t", home=home)
        self.assertEqual(run.returncode, 1)
        self.assertIn(b"no <decoder> is named, so etc/decoder.xml or decoders/iplog_decoders.xml", run.stderr)

    def test_a_response_for_a_rule_that_does_not_exist(self):
        home = self.home('<decoder name="a"><prematch>a</prematch></decoder>',
                         '<group name="g,"><rule id="100" level="1"><match>a</match></rule></group>')
        conf = home / "etc/ossec.conf"
        conf.write_text(conf.read_text().replace("</ossec_config>", """
<command><name>drop</name><executable>drop</executable><expect/><timeout_allowed>yes</timeout_allowed></command>
<active-response><command>drop</command><location>local</location><rules_id>100,1000</rules_id>
<timeout>5</timeout></active-response></ossec_config>"""))
        run = logtest("-t", home=home)
        self.assertEqual(run.returncode, 0)
        self.assertEqual(re.findall(rb"there is no rule (\d+)", run.stderr), [b"1000"])


class Documentation(unittest.TestCase):
    def test_the_examples_are_true(self):
        text = (PROJECT / "docs/logtest.md").read_text()
        examples = re.findall(r"```console\n\$ ([^\n]+)\n(.*?)```", text, re.DOTALL)
        self.assertGreaterEqual(len(examples), 5)
        environment = dict(os.environ, PATH=f"{BIN}:{os.environ['PATH']}")
        for command, expected in examples:
            if "jq" in command:
                command = command.replace("jq -c 'del(.full_event_fields)'",
                                          f"{sys.executable} -c 'import json,sys; "
                                          "d = json.load(sys.stdin); del d[\"full_event_fields\"]; "
                                          "print(json.dumps(d, separators=(\",\", \":\")))'")
            run = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60,
                                 cwd=PROJECT, env=environment)
            started = re.compile(r"^\S+ \S+ (portcullis-logtest: INFO: Started) \(pid: \d+\)", re.M)
            with self.subTest(command=command):
                self.assertEqual(started.sub(r"\1", run.stdout), started.sub(r"\1", expected))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
