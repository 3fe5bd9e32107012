#!/usr/bin/env python3
"""portcullis-logtest as a program: its options and exit status, and the examples of docs/logtest.md.

usage: logtest_test.py PROJECT BIN_DIR
"""
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

PROJECT, BIN = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
GATE = PROJECT / "tests/golden/rules/home"
DENIED = b"Nov 14 18:09:12 host gate[1]: denied bob from 192.0.2.1\n"


def logtest(*arguments, stdin=b"", home=GATE):
    return subprocess.run([BIN / "portcullis-logtest", "-D", home, *arguments], input=stdin,
                          capture_output=True, timeout=60, cwd=PROJECT)


def objects(*arguments, stdin):
    return [json.loads(line) for line in logtest("--json", *arguments, stdin=stdin).stdout.splitlines()]


HELLO = b"Nov 14 18:09:12 host gate[1]: hello\n"
UNIT = "lf->decoder_info->name: '%s'\nut_decoder_name       : '%s'\n"
PHASES = """

**Phase 1: Completed pre-decoding.
       full event: '%(line)s'
       hostname: 'host'
       program_name: 'gate'
       log: 'denied bob from 192.0.2.1'

**Phase 2: Completed decoding.
       dstuser: 'bob'
       srcip: '192.0.2.1'
       decoder: 'gate'

**Phase 3: Completed filtering (rules).
       Rule id: '100100'
       Level: '5'
       Description: 'denied at the gate'
**Alert to be generated.


""" % {"line": DENIED.decode().rstrip("\n")}
STAMP = r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d"


class AsOssec(unittest.TestCase):
    """What ossec-logtest's flags and output are, byte for byte."""

    def test_text_goes_to_standard_error_behind_the_start_up_lines(self):
        run = logtest(stdin=DENIED)
        self.assertEqual((run.returncode, run.stdout), (0, b""))
        head, text = run.stderr.decode().split("Type one log per line.\n\n", 1)
        self.assertRegex(head, rf"\A{STAMP} ossec-testrule: INFO: Reading decoder file etc/decoder.xml\.\n"
                               rf"{STAMP} ossec-testrule: INFO: Started \(pid: \d+\)\.\nossec-testrule: \Z")
        self.assertEqual(text, PHASES)

    def test_quiet_hides_decoder_files_that_the_configuration_names(self):
        self.assertNotIn(b"Reading", logtest("-q", stdin=DENIED).stderr)
        shipped = logtest("-q", stdin=DENIED, home=PROJECT)
        self.assertNotIn(b"Reading", shipped.stderr)

    def test_local_decoder_file_is_announced_without_decoder_elements(self):
        with tempfile.TemporaryDirectory() as folder:
            home = pathlib.Path(folder)
            (home / "etc").mkdir()
            (home / "etc/ossec.conf").write_text("<ossec_config></ossec_config>")
            (home / "etc/decoder.xml").write_text('<decoder name="a"><prematch>^ab</prematch></decoder>')
            for arguments in [(), ("-q",)]:
                run = logtest(*arguments, home=home)
                self.assertRegex(run.stderr.decode(), rf"\A{STAMP} ossec-testrule: INFO: Reading local decoder file\.\n")
            # No decoder has a program name: such an event has no second phase.
            run = logtest(home=home, stdin=HELLO)
            self.assertTrue(run.stderr.decode().endswith("       log: 'hello'\n       decoder: '(null)'\n"), run.stderr)

    def test_unit_test_status_and_text(self):
        for expected, status, mismatch in [
                ("100100:5:gate", 0, ""), ("100100:5:GATE", 0, ""), ("100100:6:gate", 1, ""), ("100100:05:gate", 1, ""),
                ("100101:5:gate", 2, ""),
                ("100100:5:other", 3, "decoder matched : 'gate'\ndecoder expected: 'other'\n")]:
            run = logtest("-U", expected, stdin=DENIED)
            self.assertEqual((run.returncode, run.stdout), (status, b"0\n" if status == 0 else b""), expected)
            text = run.stderr.decode().split("per line.\n\n", 1)[1]
            self.assertEqual(text, PHASES + UNIT % ("gate", expected.split(":")[2]) + mismatch)
        none = logtest("-U", "1:0:gate", stdin=b"no decoder\n")
        self.assertEqual(none.returncode, 3)
        self.assertTrue(none.stderr.decode().endswith(UNIT % ("(null)", "gate") + "decoder matched : 'NULL'\n"))

    def test_unit_test_exits_at_once_without_a_rule_and_else_judges_the_last_line(self):
        run = logtest("-U", "100100:5:gate", stdin=HELLO + DENIED)
        self.assertEqual((run.returncode, run.stdout), (255, b""))
        self.assertNotIn(b"denied bob", run.stderr)
        self.assertEqual(logtest("-U", "100100:5:gate", stdin=b"no decoder\n" + DENIED).returncode, 0)
        self.assertEqual(logtest("-U", "100100:5:gate", stdin=DENIED + b"no decoder\n").returncode, 3)
        self.assertEqual(logtest("-U", "100100:5:gate").returncode, 0)
        # A result of level 0 is a rule.
        guest = b"Nov 14 18:09:12 host gate[1]: denied guest from 192.0.2.1"
        self.assertEqual(logtest("-U", "100102:0:gate", stdin=guest).returncode, 0)

    def test_a_wrong_command_line_shows_the_help(self):
        for arguments in [("-U", "nonsense"), ("-U", "1:2"), ("-U", "::"), ("-x",), ("--nosuch",), ("-a", "--json")]:
            run = logtest(*arguments, stdin=DENIED)
            self.assertEqual((run.returncode, run.stdout), (1, b""), arguments)
            self.assertIn(b"Usage: portcullis-logtest", run.stderr)
            self.assertRegex(run.stderr.splitlines()[-1], b"^portcullis-logtest: .")

    def test_version_and_help(self):
        self.assertRegex(logtest("-V").stdout.decode(), r"\Aportcullis-logtest \S+\n\Z")
        self.assertEqual(logtest("-h").returncode, 0)

    def test_debug_says_what_is_loaded(self):
        run = logtest("-d", stdin=DENIED)
        self.assertRegex(run.stderr.decode(), rf"{STAMP} ossec-testrule: DEBUG: decoder file etc/decoder\.xml\n")
        self.assertRegex(run.stderr.decode(), rf"{STAMP} ossec-testrule: DEBUG: \d+ bytes analysed in \d+ us")
        self.assertIn(PHASES, run.stderr.decode())

    def test_rule_trace(self):
        run = logtest("-v", stdin=b"door 3 opened\n")
        self.assertIn(b"""
**Rule debugging:
    Trying rule: 1 - Any syslog event.
       *Rule 1 matched.
       *Trying child rules.
    Trying rule: 100200 - doors
       *Rule 100200 matched.
       *Trying child rules.
    Trying rule: 100204 - (null)
""", run.stderr)


class Options(unittest.TestCase):

    def test_input_without_a_last_newline_and_short_lines(self):
        self.assertEqual(len(objects(stdin=b"a\n\nab\nabc")), 2)

    def test_a_byte_order_mark_at_the_beginning_belongs_to_no_line(self):
        marked = b"\xef\xbb\xbf" + DENIED
        self.assertEqual([line["rule"] for line in objects(stdin=marked * 2)], [100100, None])

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
        run = logtest("-a", stdin=DENIED + b"no alert\n")
        self.assertEqual(run.stderr, b"")
        shown = run.stdout.decode()
        self.assertRegex(shown, r"\A\*\* Alert \d+\.1: - gate,denied,\n"
                                r"[^\n]+ host->stdin\nRule: 100100 \(level 5\) -> 'denied at the gate'\n"
                                r"Src IP: 192\.0\.2\.1\nUser: bob\n[^\n]+\n\n\Z")

    def test_a_reader_that_leaves_ends_it(self):
        for redirect in ["--json", "2>&1"]:
            run = subprocess.run(f"yes 'door 3 opened' | {BIN}/portcullis-logtest -D {GATE} {redirect} | head -n 1",
                                 shell=True, capture_output=True, timeout=60)
            self.assertEqual(run.returncode, 0)

    def test_live_does_what_only_the_engine_does(self):
        self.assertEqual([line["rule"] for line in objects("--live", stdin=b"door 3 opened\n" * 2 + DENIED)],
                         [100201, None, 100100])


class Responses(unittest.TestCase):
    LINE = b"Nov 14 18:09:12 TCP: SYN scan detected [port 22] from 192.0.2.7%s\n"

    def test_the_grade_of_the_evidence_and_the_block_that_follows(self):
        rows = [
            (b" (proven)", {"evidence": "proven", "block": "hard", "timeout": 600}),
            (b" (again, forgeable)", {"evidence": "forgeable", "block": "soft", "timeout": 120}),
            (b"", {"evidence": "forgeable", "block": "soft", "timeout": 120}),
            (b" (doubtful, asymmetric route)", {"evidence": "doubtful", "block": "none", "reason": "doubtful evidence"}),
        ]
        for notes, due in rows:
            run = logtest("--json", "--location", "/var/log/iplog", stdin=self.LINE % notes, home=PROJECT)
            got = json.loads(run.stdout)
            self.assertEqual(got["evidence"], due["evidence"])
            self.assertEqual(got["responses"], [{"command": "firewall-drop", **due}])

    def test_a_line_of_another_file_is_an_alert_and_no_response(self):
        for options in ([], ["--location", "/var/log/syslog"], ["--location", "/var/log/iplog.1"]):
            got = json.loads(logtest("--json", *options, stdin=self.LINE % b" (proven)", home=PROJECT).stdout)
            self.assertEqual((got["alert"], got["responses"]), (True, [
                {"command": "firewall-drop", "evidence": "proven", "block": "none", "reason": "not from /var/log/iplog"}]))
            text = logtest(*options, stdin=self.LINE % b" (proven)", home=PROJECT).stderr.decode()
            self.assertTrue(text.endswith("\n**No response: firewall-drop: not from /var/log/iplog\n"), text)

    def test_an_alert_of_a_program_is_proven_and_has_no_grade(self):
        got = objects(stdin=b"door 3 forced\n" + b"Nov 14 18:09:12 host gate[1]: denied bob from 192.0.2.1\n")
        self.assertEqual([each["evidence"] for each in got], [None, None])
        vault = objects(stdin=b"Nov 14 18:09:12 host gate[1]: denied bob from 192.0.2.1 (doubtful)\n")
        self.assertEqual(vault[0]["evidence"], None)


class Questions(unittest.TestCase):
    def test_explain_and_why_not_as_objects(self):
        line, = objects("--explain", "--why-not", "100101", stdin=DENIED)
        self.assertEqual([step["matched"] for step in line["decoders_tried"]], [True, True, True])
        missing = {step["rule"]: step["miss"] for step in line["rules_tried"]}
        self.assertEqual(missing[100103], {"condition": "hostname", "demand": "vault", "value": "host", "reach": {
            "pattern": "vault", "text": "host", "pattern_begin": 0, "pattern_end": 1, "text_begin": 0, "text_end": 0}})
        self.assertIsNone(missing[100100])
        self.assertEqual(line["why_not"]["reason"], "does not match")
        self.assertEqual(line["why_not"]["path"], [1, 100100, 100101])
        self.assertEqual(line["why_not"]["miss"], {"condition": "earlier events", "needed": 4, "counted": 0, "seen": 0,
                                                   "stopped_by": "there are no more"})

    def test_why_not_of_an_unknown_rule(self):
        run = logtest("--why-not", "77", stdin=DENIED)
        self.assertEqual(run.returncode, 1)
        self.assertIn(b"there is no rule 77", run.stderr)

    def test_coverage_of_lines(self):
        *_, last = objects("--coverage", stdin=DENIED)
        self.assertEqual(last["coverage"]["decoders"]["reached"], 2)
        self.assertEqual([decoder["name"] for decoder in last["coverage"]["decoders"]["unreached"]], ["door"])
        rules = last["coverage"]["rules"]
        self.assertEqual((rules["total"], rules["reached"]), (9, 1))
        self.assertEqual(rules["unreached"][0]["id"], 100101)
        self.assertIn(b"Rules reached: 1 of 9 (11.1 %)", logtest("--coverage", stdin=DENIED).stderr)


class Run(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def test_our_own_tests_pass_and_reach_every_decoder_and_rule(self):
        run = logtest("--run", PROJECT / "tests/golden", "--json", "--coverage", home=PROJECT)
        result = json.loads(run.stdout)
        self.assertEqual((run.returncode, result["failed"], result["errors"]), (0, 0, []))
        self.assertGreater(result["tests"], 300)
        for home in result["coverage"]:
            for kind in ("decoders", "rules"):
                self.assertEqual(home[kind]["unreached"], [], (home["home"], kind))

    def test_folders_are_walked_and_failures_shown_with_their_place(self):
        self.write("b/fails.ini", "[denied]\nrule=100101\nalert=5\ndecoder=gate\nlog 1 pass = " + DENIED.decode())
        self.write("a.ini", "[denied]\nrule=100100\nalert=5\ndecoder=gate\nlog 1 pass = " + DENIED.decode())
        self.write("b/home/skipped.ini", "nonsense")
        self.write("notes.txt", "no test")
        junit = self.folder / "junit.xml"
        run = logtest("--run", self.folder, "--junit", junit)
        self.assertEqual(run.returncode, 1)
        self.assertEqual(run.stdout.decode(), f"{self.folder}/b/fails.ini:5: failed: denied, log 1 pass\n"
                         f"    line     {DENIED.decode()}    rule     expected 100101, got 100100\n"
                         "2 tests in 2 files: 1 passed, 1 failed\n")
        root = xml.etree.ElementTree.parse(junit).getroot()
        self.assertEqual([(case.get("name"), case.get("line"), case.find("failure") is not None)
                          for case in root.iter("testcase")],
                         [("denied, log 1 pass", "5", False), ("denied, log 1 pass", "5", True)])

    def test_a_byte_order_mark_before_the_first_test_is_skipped(self):
        path = self.write("a.ini", "\ufeff[denied]\nrule=100100\nalert=5\ndecoder=gate\nlog 1 pass = " + DENIED.decode())
        run = logtest("--run", path)
        self.assertEqual((run.returncode, run.stdout), (0, b"1 test in 1 file: 1 passed, 0 failed\n"))

    def test_golden_files_use_the_home_beside_them_and_can_be_rewritten(self):
        shutil.copytree(GATE, self.folder / "home")
        path = self.write("a.logtest", "# description: a door\n\n> door 3 opened\n")
        fails = logtest("--run", path, home="/nonexistent")
        self.assertEqual(fails.returncode, 1)
        self.assertIn(f"{path}:4: failed: door 3 opened\n", fails.stdout.decode())
        self.assertIn("    output   expected nothing: the file has only the line (--update writes what it gives), got '**Phase 1", fails.stdout.decode())
        update = logtest("--run", path, "--update", home="/nonexistent")
        self.assertEqual((update.returncode, update.stdout.decode()),
                         (0, f"{path}: rewritten\n1 test in 1 file: 1 passed, 0 failed\n"))
        self.assertIn("Rule id: '100201'", path.read_text())
        self.assertEqual(logtest("--run", path, home="/nonexistent").returncode, 0)

    def test_what_cannot_be_run_is_a_failure(self):
        for arguments in [(self.folder,), (self.folder / "nosuch.ini",), (self.write("a.txt", ""),),
                          (self.write("bad.ini", "[a]\nlog 1 pass = x\n"),)]:
            self.assertEqual(logtest("--run", *arguments).returncode, 1, arguments)
        self.assertIn(b"nosuch: cannot be read\n", logtest("--run", self.folder / "nosuch").stdout)
        os.mkfifo(self.folder / "pipe.ini")  # nobody writes: not waited for
        self.assertIn(b"pipe.ini: cannot be read\n", logtest("--run", self.folder / "pipe.ini").stdout)
        bad = logtest("--run", self.folder / "bad.ini")
        self.assertIn(b"bad.ini:1: error: [a] has no rule", bad.stdout)
        self.assertEqual(logtest("--run", self.write("c.ini", ""), home="/nonexistent").returncode, 1)


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
        self.assertIn(b"no <decoder> is given, so etc/decoder.xml or decoders/iplog_decoders.xml", run.stderr)

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

    def test_lint_tells_warnings_by_its_exit_status(self):
        decoder = '<decoder name="a"><prematch>a</prematch></decoder>'
        for rule, status, test_status, codes in [
                ('<rule id="100" level="1"><match>a</match></rule>', 0, 0, []),
                ('<rule id="100" level="1" noalert="0"><match>a</match></rule>', 2, 0, [b"noalert-is-on"]),
                ('<rule id="100" level="x"><match>a</match></rule>', 1, 1, [b"bad-number"])]:
            home = self.home(decoder, f'<group name="g,">{rule}</group>')
            lint, test = logtest("--lint", home=home), logtest("-t", home=home)
            self.assertEqual((lint.returncode, lint.stderr), (status, b""))
            self.assertEqual((test.returncode, test.stdout), (test_status, b""))
            self.assertEqual(lint.stdout, test.stderr)
            self.assertEqual(re.findall(rb"\[([a-z-]+)\]\n", lint.stdout), codes)

    def test_what_is_merely_odd_is_not_said_when_lines_are_read(self):
        home = self.home('<decoder name="a"><prematch>a</prematch></decoder>',
                         '<group name="g,"><rule id="100" level="1" noalert="0"><match>a</match></rule></group>')
        self.assertEqual(logtest("--json", stdin=DENIED, home=home).stderr, b"")

    def test_diagnostics_for_editors(self):
        home = self.home('<decoder name="a"><prematch>a</prematch></decoder>',
                         '<group name="g,">\n<rule id="100" level="1" noalert="0"><mach>\xff</mach></rule></group>')
        for option, status in [("-t", 1), ("--lint", 1)]:
            run = logtest(option, "--diagnostics=json", home=home)
            self.assertEqual((run.returncode, run.stderr), (status, b""))
            self.assertEqual([json.loads(line) for line in run.stdout.splitlines()], [{
                "file": str(home / "rules/r.xml"), "line": 2, "column": 39, "length": 4, "severity": "error",
                "code": "unknown-element", "message": 'a rule has no element "mach"', "context": "rule 100",
                "hint": 'did you mean "match"?'}])
        self.assertEqual(logtest("--lint", "--diagnostics=xml", home=home).returncode, 1)

    def test_the_stock_rules_give_few_warnings(self):
        """Each kind was looked at by hand: all are defects of those files, or worth a look."""
        stock = PROJECT.parent / "shared/conformance/ossec"
        if not stock.exists():
            self.skipTest("the conformance data is not here")
        home = self.home((stock / "ruleset/decoder.xml").read_text(errors="surrogateescape"), "")
        (home / "rules/r.xml").unlink()
        (home / "rules").rmdir()
        (home / "rules").symlink_to(stock / "ruleset/rules")
        names = (stock / "include-full.txt").read_text().split()
        (home / "etc/ossec.conf").write_text("<ossec_config><rules>" + "".join(
            f"<include>{name}</include>" for name in names) + "</rules></ossec_config>")
        run = logtest("--lint", "--diagnostics=json", home=home)
        self.assertEqual(run.returncode, 2)
        counts = collections.Counter(json.loads(line)["code"] for line in run.stdout.splitlines())
        self.assertEqual(counts, {
            "catastrophic-backtracking": 2, "fts-srcuser": 3, "maxsize-is-minimum": 2, "never-fires": 2,
            "order-too-long": 1, "type-not-inherited": 1, "unanchored-srcip": 10, "unreachable-decoder": 10,
            "unreachable-rule": 5, "unused-regex": 1})

    def test_the_shipped_files_give_no_warning(self):
        for home in [PROJECT, GATE]:
            run = logtest("--lint", "--diagnostics=json", home=home)
            found = [json.loads(line)["code"] for line in run.stdout.splitlines()]
            # A checkout has no responders in its place.
            self.assertEqual(set(found) - {"missing-executable"}, set(), home)


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
            started = re.compile(r"^\S+ \S+ (ossec-testrule: INFO: Started) \(pid: \d+\)", re.M)
            with self.subTest(command=command):
                self.assertEqual(started.sub(r"\1", run.stdout), started.sub(r"\1", expected))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
