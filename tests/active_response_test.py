#!/usr/bin/env python3
"""firewall-drop.sh: what it makes of its arguments, with stubs on PATH that record theirs."""
import os
import pathlib
import subprocess
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parent.parent / "active-response/firewall-drop.sh"


class FirewallDrop(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.record = self.folder / "record"

    def stub(self, name, body):
        path = self.folder / name
        path.write_text("#!/bin/sh\n" + body)
        path.chmod(0o755)

    def run_script(self, system, *arguments, timeout=None):
        """Exit code, standard error, and the calls of nft and ipfw with their standard input."""
        self.stub("uname", f"echo {system}\n")
        self.record.write_text("")
        environment = {"PATH": f"{self.folder}:/usr/bin:/bin", "RECORD": str(self.record)}
        if timeout is not None:
            environment["PORTCULLIS_TIMEOUT"] = timeout
        done = subprocess.run([str(SCRIPT), *arguments], env=environment, capture_output=True,
                              text=True, stdin=subprocess.DEVNULL, timeout=60)
        return done.returncode, done.stderr, self.record.read_text().splitlines()

    def stub_ipfw(self, rules="", table=""):
        self.stub("ipfw", 'echo "ipfw $*" >>"$RECORD"\n'
                  f'[ "$1" = show ] && printf "%b" "{rules}"\n'
                  f'[ "$*" = "table 2 list" ] && printf "%b" "{table}"\nexit 0\n')

    def stub_nft(self, has_table=True, has_element=True):
        self.stub("nft", 'echo "nft $*" >>"$RECORD"\n'
                  '[ "$1" = -f ] && sed "s/^/  /" >>"$RECORD"\n'
                  f'[ "$1" = list ] && exit {0 if has_table else 1}\n'
                  f'[ "$1" = get ] && exit {0 if has_element else 1}\nexit 0\n')

    def test_freebsd_sets_up_the_published_rules_and_adds_to_table_2(self):
        self.stub_ipfw()
        self.assertEqual(self.run_script("FreeBSD", "add", "-", "192.0.2.1", "1.2", "99990", "/l", "-"), (0, "", [
            "ipfw show",
            "ipfw -q add 00001 deny ip from table(2) to any",
            "ipfw -q add 00001 deny ip from any to table(2)",
            "ipfw table 2 list",
            "ipfw -q table 2 add 192.0.2.1"]))

    def test_freebsd_leaves_rules_that_are_there(self):
        self.stub_ipfw(rules="00001 0 0 deny ip from table(2) to any\\n", table="192.0.2.1/32 0\\n")
        self.assertEqual(self.run_script("FreeBSD", "delete", "-", "192.0.2.1")[2], [
            "ipfw show", "ipfw table 2 list", "ipfw -q table 2 delete 192.0.2.1"])

    def test_freebsd_adding_what_is_there_and_deleting_what_is_not_is_no_error(self):
        self.stub_ipfw(rules="00001 0 0 deny ip from table(2) to any\\n", table="192.0.2.1/32 0\\n")
        for arguments in (("add", "-", "192.0.2.1"), ("delete", "-", "2.0.2.1")):
            code, error, calls = self.run_script("FreeBSD", *arguments)
            self.assertEqual((code, error, calls[2:]), (0, "", []), arguments)

    def test_linux_blocks_with_the_timeout_in_one_transaction(self):
        self.stub_nft()
        self.assertEqual(self.run_script("Linux", "add", "-", "192.0.2.1", timeout="600"), (0, "", [
            "nft list chain inet portcullis gate",
            "nft list set inet portcullis v4",
            "nft -f -",
            "  add element inet portcullis v4 { 192.0.2.1 }",
            "  delete element inet portcullis v4 { 192.0.2.1 }",
            "  add element inet portcullis v4 { 192.0.2.1 timeout 600s }"]))

    def test_linux_makes_the_table_when_it_is_missing(self):
        self.stub_nft(has_table=False)
        code, error, calls = self.run_script("Linux", "add", "-", "2001:db8::1", timeout="0")
        self.assertEqual((code, error), (0, ""))
        self.assertIn("  add table inet portcullis", calls)
        self.assertEqual(calls[-1], "  add element inet portcullis v6 { 2001:db8::1 }")

    def test_linux_blocks_networks_in_the_set_of_their_length(self):
        self.stub_nft()
        for length in (48, 56, 64):
            self.assertEqual(self.run_script("Linux", "add", "-", f"2001:db8:1:2::/{length}", timeout="600")[2][-1],
                             f"  add element inet portcullis v6_{length} {{ 2001:db8:1:2:: timeout 600s }}")
            self.assertEqual(self.run_script("Linux", "delete", "-", f"2001:db8:1:2::/{length}")[2][-1],
                             f"nft delete element inet portcullis v6_{length} {{ 2001:db8:1:2:: }}")

    def test_linux_unblocks_only_what_is_there(self):
        self.stub_nft()
        self.assertEqual(self.run_script("Linux", "delete", "-", "192.0.2.1")[2][-1],
                         "nft delete element inet portcullis v4 { 192.0.2.1 }")
        self.stub_nft(has_element=False)
        code, error, calls = self.run_script("Linux", "delete", "-", "192.0.2.1")
        self.assertEqual((code, error, len(calls)), (0, "", 1))

    def test_bad_arguments_change_nothing_and_say_why(self):
        self.stub_nft()
        for arguments, timeout, message in (
                ((), None, 'invalid action ""'),
                (("block", "-", "192.0.2.1"), None, 'invalid action "block"'),
                (("add",), None, "no address"),
                (("add", "-", ""), None, "no address"),
                (("add", "-", "mail.example.org"), None, "not an IP address"),
                (("add", "-", "192.0.2"), None, "not an IP address"),
                (("add", "-", "192.0.2.1.1"), None, "not an IP address"),
                (("add", "-", "192.0.2.256"), None, "not an IP address"),
                (("add", "-", "192.0.2.1 }; flush ruleset"), None, "not an IP address"),
                (("add", "-", "192.0.2.0/24"), None, "not an IP address"),
                (("add", "-", "2001:db8::/32"), None, "not an IP address"),
                (("add", "-", "2001:db8::/64/64"), None, "not an IP address"),
                (("add", "-", "2001:db8::/"), None, "not an IP address"),
                (("add", "-", "-f"), None, "not an IP address"),
                (("add", "-", "1:::2"), None, "not an IP address"),
                (("add", "-", "192.0.2.1"), "1h", "PORTCULLIS_TIMEOUT is no number"),
        ):
            code, error, calls = self.run_script("Linux", *arguments, timeout=timeout)
            self.assertEqual((code, calls), (1, []), arguments)
            self.assertIn(message, error)

    def test_an_unknown_system_is_an_error(self):
        code, error, _ = self.run_script("Plan9", "add", "-", "192.0.2.1")
        self.assertEqual(code, 1)
        self.assertIn("no firewall is known for Plan9", error)


if __name__ == "__main__":
    unittest.main()
