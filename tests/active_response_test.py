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

    def run_script(self, system, *arguments, timeout=None, block=None):
        """Exit code, standard error, and the calls of nft and ipfw with their standard input."""
        self.stub("uname", f"echo {system}\n")
        self.record.write_text("")
        environment = {"PATH": f"{self.folder}:/usr/bin:/bin", "RECORD": str(self.record)}
        if timeout is not None:
            environment["PORTCULLIS_TIMEOUT"] = timeout
        if block is not None:
            environment["PORTCULLIS_BLOCK"] = block
        done = subprocess.run([str(SCRIPT), *arguments], env=environment, capture_output=True,
                              text=True, stdin=subprocess.DEVNULL, timeout=60)
        return done.returncode, done.stderr, self.record.read_text().splitlines()

    def stub_ipfw(self, rules="", table=""):
        self.stub("ipfw", 'echo "ipfw $*" >>"$RECORD"\n'
                  f'[ "$1" = show ] && printf "%b" "{rules}"\n'
                  f'[ "$*" = "table 2 list" ] && printf "%b" "{table}"\nexit 0\n')

    def stub_nft(self, sets=(), elements=()):
        """`sets`: those of the table; `elements`: the sets that hold the address."""
        found = "|".join(f"'get element inet portcullis {name} '*" for name in elements) or "none"
        self.stub("nft", 'echo "nft $*" >>"$RECORD"\n'
                  '[ "$1" = -f ] && sed "s/^/  /" >>"$RECORD"\n'
                  f'[ "$1" = -t ] && printf "%b" "{"".join(f"set {name} {{" + chr(92) + "n" for name in sets)}"\n'
                  f'[ "$1" = get ] && {{ case "$*" in {found}) exit 0 ;; *) exit 1 ;; esac }}\nexit 0\n')

    def elements(self, *arguments, **options):
        """The lines about elements that one call gives to nft, and all lines."""
        code, error, calls = self.run_script("Linux", *arguments, **options)
        self.assertEqual((code, error), (0, ""), arguments)
        return [line.strip() for line in calls if " element inet portcullis" in line and "nft get" not in line], calls

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

    def test_linux_blocks_with_the_timeout_in_one_transaction_with_the_table(self):
        self.stub_nft()
        elements, calls = self.elements("add", "-", "192.0.2.1", timeout="600")
        self.assertEqual(elements, [
            "add element inet portcullis v4 { 192.0.2.1 }",
            "delete element inet portcullis v4 { 192.0.2.1 }",
            "add element inet portcullis v4 { 192.0.2.1 timeout 600s }"])
        self.assertEqual(1, calls.count("nft -f -"))
        for line in ("add table inet portcullis", "flush chain inet portcullis gate",
                     "add rule inet portcullis gate ip saddr @v4 drop",
                     "add rule inet portcullis input ip6 saddr @soft6 jump soft",
                     "add rule inet portcullis output ip daddr @soft4 jump mute"):
            self.assertEqual(1, calls.count("  " + line), line)
        elements, _ = self.elements("add", "-", "2001:db8::1", timeout="0")
        self.assertEqual(elements[-1], "add element inet portcullis v6 { 2001:db8::1 }")

    def test_linux_moves_an_address_from_one_kind_of_block_to_the_other(self):
        for block, here, there in (("soft", "soft4", "v4"), ("hard", "v4", "soft4"), ("", "v4", "soft4")):
            self.stub_nft(elements=[there])
            elements, calls = self.elements("add", "-", "192.0.2.1", timeout="60", block=block)
            self.assertEqual(elements, [
                f"add element inet portcullis {there} {{ 192.0.2.1 }}",
                f"delete element inet portcullis {there} {{ 192.0.2.1 }}",
                f"add element inet portcullis {here} {{ 192.0.2.1 }}",
                f"delete element inet portcullis {here} {{ 192.0.2.1 }}",
                f"add element inet portcullis {here} {{ 192.0.2.1 timeout 60s }}"])
            self.assertEqual(1, calls.count("nft -f -"))

    def test_linux_blocks_networks_in_the_set_of_their_length(self):
        for target, name, address, mask in (
                ("192.0.2.77/24", "v4_24", "192.0.2.0", "ip saddr & 255.255.255.0"),
                ("192.0.2.77/26", "v4_26", "192.0.2.64", "ip saddr & 255.255.255.192"),
                ("10.200.3.4/9", "v4_9", "10.128.0.0", "ip saddr & 255.128.0.0"),
                ("2001:db8:1:2::/64", "v6_64", "2001:db8:1:2::", "ip6 saddr & ffff:ffff:ffff:ffff::"),
                ("2001:DB8:1:2fff::/52", "v6_52", "2001:db8:1:2000::", "ip6 saddr & ffff:ffff:ffff:f000::"),
                ("2001:db8::7:ffff/127", "v6_127", "2001:db8:0:0:0:0:7:fffe",
                 "ip6 saddr & ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe")):
            self.stub_nft(elements=[name])
            elements, calls = self.elements("add", "-", target, timeout="600")
            self.assertEqual(elements[-1], f"add element inet portcullis {name} {{ {address} timeout 600s }}")
            self.assertIn(f"  add rule inet portcullis gate {mask} @{name} drop", calls)
            self.assertEqual([f"nft delete element inet portcullis {name} {{ {address} }}"],
                             self.elements("delete", "-", target)[0])
        # Those that are there keep their rules.
        self.stub_nft(sets=["v4", "v6_48", "soft4_20", "other"])
        _, calls = self.elements("add", "-", "192.0.2.1")
        self.assertIn("  add rule inet portcullis gate ip6 saddr & ffff:ffff:ffff:: @v6_48 drop", calls)
        self.assertIn("  add rule inet portcullis input ip saddr & 255.255.240.0 @soft4_20 jump soft", calls)
        self.assertNotIn("@other", "".join(calls))

    def test_linux_unblocks_only_what_is_there(self):
        self.stub_nft(elements=["soft4"])
        self.assertEqual(["nft delete element inet portcullis soft4 { 192.0.2.1 }"],
                         self.elements("delete", "-", "192.0.2.1")[0])
        self.stub_nft()
        self.assertEqual([], self.elements("delete", "-", "192.0.2.1")[0])

    def test_freebsd_blocks_hard_and_says_so(self):
        self.stub_ipfw()
        code, error, calls = self.run_script("FreeBSD", "add", "-", "192.0.2.77/24", block="soft")
        self.assertEqual((0, "ipfw -q table 2 add 192.0.2.0/24"), (code, calls[-1]))
        self.assertIn("192.0.2.0/24 is blocked hard", error)

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
                (("add", "-", "192.0.2.0/7"), None, "a network of this size"),
                (("add", "-", "192.0.2.0/33"), None, "a network of this size"),
                (("add", "-", "192.0.2.0/24x"), None, "not an IP address"),
                (("add", "-", "2001:db8::/31"), None, "a network of this size"),
                (("add", "-", "1:2:3/64"), None, "not an IP address"),
                (("add", "-", "1::2::3/64"), None, "not an IP address"),
                (("add", "-", "2001:db8::/64/64"), None, "not an IP address"),
                (("add", "-", "2001:db8::/"), None, "not an IP address"),
                (("add", "-", "-f"), None, "not an IP address"),
                (("add", "-", "1:::2"), None, "not an IP address"),
                (("add", "-", "192.0.2.1"), "1h", "PORTCULLIS_TIMEOUT is no number"),
        ):
            code, error, calls = self.run_script("Linux", *arguments, timeout=timeout)
            self.assertEqual((code, calls), (1, []), arguments)
            self.assertIn(message, error)
        code, error, calls = self.run_script("Linux", "add", "-", "192.0.2.1", block="weak")
        self.assertEqual((code, calls), (1, []))
        self.assertIn("neither hard nor soft", error)

    def test_an_unknown_system_is_an_error(self):
        code, error, _ = self.run_script("Plan9", "add", "-", "192.0.2.1")
        self.assertEqual(code, 1)
        self.assertIn("no firewall is known for Plan9", error)


if __name__ == "__main__":
    unittest.main()
