#!/usr/bin/env python3
"""What is wrong in files, on the wire and in logs: named with its place, all of it at once, or counted;
never a crash, and never a half-started installation."""
import json
import re
import subprocess
import unittest

import lab
from lab import VICTIM, kernel_bans, wait_until

LINE = "Nov 14 18:09:12 TCP: SYN scan detected [ports 1,2,3,4,5,...] from {} [port 45000]\n"

# Frames that lie about their lengths, end early, or are noise; sent as they are.
GARBAGE = r"""
import random, socket, struct, sys
victim_mac, interface = bytes.fromhex(sys.argv[1].replace(":", "")), sys.argv[2]
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind((interface, 0))
random.seed(1)
ethernet = lambda kind: victim_mac + b"\2\0\0\0\0\1" + struct.pack("!H", kind)
address = lambda text: socket.inet_aton(text)
def ipv4(payload, length=None, ihl=5, protocol=6, fragment=0):
    header = struct.pack("!BBHHHBBH4s4s", 0x40 | ihl, 0, 20 + len(payload) if length is None else length, 1,
                         fragment, 64, protocol, 0, address("10.10.150.99"), address("10.10.150.2"))
    if fragment:  # the others have a false checksum
        total = sum(struct.unpack("!10H", header))
        total = (total & 0xffff) + (total >> 16)
        header = header[:10] + struct.pack("!H", ~((total & 0xffff) + (total >> 16)) & 0xffff) + header[12:]
    return header + payload
tcp = struct.pack("!HHIIBBHHH", 1, 80, 0, 0, 0x50, 2, 1024, 0, 0)
frames = [ethernet(0x0800), ethernet(0x0800) + b"\x45", ethernet(0x86dd) + b"\x60", ethernet(0xffff) + b"?" * 30]
for payload in (b"", tcp[:3], tcp[:13], tcp, tcp[:12] + b"\xf0" + tcp[13:], tcp[:12] + b"\0" + tcp[13:]):
    for protocol in (1, 6, 17, 58, 255):
        frames += [ethernet(0x0800) + ipv4(payload, *more, protocol=protocol) for more in (
            (None,), (0,), (19,), (65535,), (None, 0), (None, 4), (None, 15))]
        frames += [ethernet(0x0800) + ipv4(payload, protocol=protocol, fragment=f) for f in (0x2000, 1, 0x1fff)]
        for following in (0, 6, 17, 43, 44, 58, 60, 135, 255):
            frames.append(ethernet(0x86dd) + struct.pack("!IHBB", 0x60000000, len(payload) + 8, following, 64)
                          + b"\xfe\x80" + bytes(30) + bytes([following, 255]) + bytes(6) + payload)
for kind in (0x0800, 0x86dd, 0x8100, 0x0806, 0x8863):
    for size in range(0, 120):
        frames.append(ethernet(kind) + bytes(random.randrange(256) for _ in range(size)))
for frame in frames:
    wire.send(frame)
print(len(frames))
"""


class BadConfiguration(unittest.TestCase):
    """One home with a defect of each kind; whoever reads it names all that concern it."""

    # Kind, file, pattern of the message.
    DEFECTS = [
        ("unknown option", "etc/ossec.conf", "jsonout_outputt"),
        ("unreadable file", "etc/ossec.conf", "unreadable_rules.xml"),
        ("missing file", "etc/ossec.conf", "no_such_rules.xml"),
        ("missing executable", "etc/ossec.conf", "no-such-program"),
        ("unknown element", "decoders/iplog_decoders.xml", "prematchh"),
        ("unknown decoder reference", "decoders/iplog_decoders.xml", "no-such-parent"),
        ("unknown rule reference", "rules/references.xml", "987654"),
        ("unknown decoder in a rule", "rules/references.xml", "no-such-decoder"),
        ("malformed XML", "rules/malformed.xml", "never closed"),
    ]
    OWN_OF_EXECD = ("unknown option", "missing executable")

    def setUp(self):
        self.host = lab.Installation(edit=self.spoil)
        self.addCleanup(self.host.close)
        self.host.fill_rest()
        self.home = self.host.home
        (self.home / "rules/unreadable_rules.xml").mkdir()  # unreadable for root too
        (self.home / "rules/malformed.xml").write_text(
            '<group name="a">\n  <rule id="100001" level="1">\n    <description>x</description>\n  </group>\n')
        (self.home / "rules/references.xml").write_text(
            '<group name="b">\n'
            '  <rule id="100002" level="3">\n    <if_sid>987654</if_sid>\n    <description>x</description>\n  </rule>\n'
            '  <rule id="100003" level="3">\n    <decoded_as>no-such-decoder</decoded_as>\n'
            '    <description>x</description>\n  </rule>\n</group>\n')
        with open(self.home / "decoders/iplog_decoders.xml", "a", encoding="ascii") as decoders:
            decoders.write('<decoder name="x">\n  <prematchh>x</prematchh>\n</decoder>\n'
                           '<decoder name="y">\n  <parent>no-such-parent</parent>\n  <prematch>x</prematch>\n</decoder>\n')

    @staticmethod
    def spoil(text):
        includes = "".join(f"<include>{name}.xml</include>\n    " for name in (
            "unreadable_rules", "no_such_rules", "references", "malformed"))
        text = re.sub(r"(<include>iplog_rules.xml</include>)", rf"\1\n    {includes}", text)
        text = text.replace("jsonout_output>", "jsonout_outputt>")
        return text.replace("</ossec_config>", """
  <command>
    <name>mine</name>
    <executable>no-such-program</executable>
    <expect>srcip</expect>
    <timeout_allowed>yes</timeout_allowed>
  </command>
  <active-response>
    <command>mine</command>
    <location>local</location>
    <level>12</level>
    <timeout>60</timeout>
  </active-response>
</ossec_config>""")

    def assert_named(self, text, kinds):
        for kind, file, pattern in self.DEFECTS:
            if kind in kinds:
                self.assertRegex(text, rf"{re.escape(file)}:\d+:\d+: error: .*{pattern}", kind)
        errors = len(re.findall(r"^\S+:\d+:\d+: error: ", text, re.M))
        carets = len(re.findall(r"^ +\| +\^", text, re.M))
        self.assertEqual(errors, carets, "each with the text and a caret:\n" + text)

    def assert_nothing_runs(self):
        left = subprocess.run(["pgrep", "-f", f"portcullis-.*{self.home}"], capture_output=True, text=True)
        self.assertEqual("", left.stdout)
        self.assertFalse((self.home / "run/execd.sock").exists())
        self.assertEqual(set(), kernel_bans())

    def test_whoever_starts_names_every_defect_and_starts_nothing(self):
        everything = [kind for kind, _, _ in self.DEFECTS]
        home, run = ["-D", str(self.home)], [str(lab.SOURCE / "scripts/run"), "--home", str(self.home),
                                             "--no-install", "--no-build", "--interface", "lo"]
        for command, kinds in (
                (["portcullis-engine", *home, "-f"], everything),
                (["portcullis-engine", *home], everything),
                (["portcullis-engine", *home, "-t"], everything),
                (["portcullis-execd", *home, "-f"], self.OWN_OF_EXECD),
                (["portcullis-execd", *home], self.OWN_OF_EXECD),
                (["portcullis-control", *home, "start"], everything),
                (["portcullis-control", *home, "restart"], everything),
                (run, everything)):
            with self.subTest(command=" ".join(command)):
                if command is not run:
                    command = [str(lab.BIN / command[0]), *command[1:]]
                done = subprocess.run(command, capture_output=True, text=True, timeout=60,
                                      env=self.host.environment, check=False)
                self.assertEqual(1, done.returncode, done.stdout + done.stderr)
                self.assert_named(done.stderr, kinds)
                self.assert_nothing_runs()

    def test_what_only_the_engines_user_cannot_read_starts_nothing_either(self):
        text = (lab.SOURCE / "etc/ossec.conf").read_text()
        (self.home / "etc/ossec.conf").write_text(text)
        text = (lab.SOURCE / "decoders/iplog_decoders.xml").read_text()
        (self.home / "decoders/iplog_decoders.xml").write_text(text)
        (self.home / "rules/iplog_rules.xml").chmod(0o600)
        done = self.host.control("start", check=False)
        self.assertEqual(1, done.returncode)
        self.assertRegex(done.stderr, r"etc/ossec\.conf:\d+:\d+: error: .*iplog_rules\.xml.*[Pp]ermission")
        self.assert_nothing_runs()


class BadInput(unittest.TestCase):
    """Hostile input to a running installation."""

    def setUp(self):
        self.scanner = lab.Scanner()
        self.addCleanup(self.scanner.close)
        self.host = lab.Installation(edit=lambda text: text.replace(
            "</ossec_config>", "<localfile><log_format>syslog</log_format><location>logs/other</location>"
                               "</localfile></ossec_config>"))
        self.addCleanup(self.host.close)
        self.host.fill_rest()
        self.other = self.host.home / "logs/other"
        self.other.touch()

    def start(self):
        done = self.host.control("start")
        self.addCleanup(self.host.control, "stop")
        self.daemons = self.processes()
        self.assertEqual(3, len(self.daemons))
        return done.stdout + done.stderr

    def processes(self):
        shown = self.host.control("status", check=False).stdout
        return dict(re.findall(r"^(\w+) +runs \(process (\d+)\)", shown, re.M))

    def counter(self, name):
        return int(re.search(rf"^  {name} +(\d+)$", self.host.control("status").stdout, re.M)[1])

    def assert_scan_is_blocked(self):
        address, _ = self.scanner.new_address()
        self.scanner.run(f"nmap -n -Pn -sS --max-retries 0 -p1-60 {VICTIM}")
        wait_until(f"{address} is blocked", lambda: address in kernel_bans())

    def test_a_bad_line_of_iplog_conf_is_named_and_the_rest_is_used(self):
        (self.host.home / "etc/iplog.conf").write_text(
            "set log_dest true\nset nonsense true\n\nignore tcp frum 192.0.2.1\nset scans_only true\n")
        shown = self.start()
        self.assertRegex(shown, r"\[line 2\] .*nonsense")
        self.assertRegex(shown, r"\[line 4\] ")
        self.assertNotRegex(shown, r"\[line [135]\]")
        self.assert_scan_is_blocked()
        lines = "\n".join(self.host.lines())
        self.assertNotIn("connection attempt", lines, "scans_only, after the bad line, is in force")
        self.assertRegex(lines, rf"SYN scan detected .*to {re.escape(VICTIM)}", "and log_dest, before it")

    def test_hostile_lines_are_counted_and_the_next_line_is_analysed(self):
        self.start()
        with open(self.other, "ab") as log:
            log.write(b"a NUL \0 in a line\n\0\0\0\n" + bytes(range(1, 10)) + b"\x1b[2J\x7f control\n"
                      + b"\xff\xfe\x80 \xc0\xaf \xed\xa0\x80 invalid\n" + b"\n\r\n \n")
            log.write(b"x" * 65536 + b"\n" + b"\xff" * 65536 + b"\n" + b"\0" * 65536 + b"\n")
            log.write(LINE.format("192.0.2.71").encode())
            log.write(b"z" * 65536)  # and no newline at all
        wait_until("the line after them is an alert", lambda: any(
            alert.get("srcip") == "192.0.2.71" for alert in self.host.alerts()))
        wait_until("all are counted", lambda: self.counter("pieces_of_long_lines") >= 4 * (65536 // 5887))
        self.assertGreaterEqual(self.counter("lines_with_control_characters"), 3)
        self.assertGreaterEqual(self.counter("lines_with_invalid_utf8"), 2)
        self.assertEqual(self.daemons, self.processes())
        self.assert_scan_is_blocked()

    def test_garbage_on_the_wire_is_counted_and_the_next_scan_is_blocked(self):
        self.start()
        address, _ = self.scanner.new_address()
        link = subprocess.run("ip -j link show pcvictim".split(), check=True, capture_output=True, text=True)
        mac = json.loads(link.stdout)[0]["address"]
        sent = int(self.scanner.run(["python3", "-c", GARBAGE, mac, "pcscanner"]).stdout)
        self.assertGreater(sent, 900)
        # Most are for nobody here, and the kernel keeps them from the sensor.
        wait_until("they are counted", lambda: self.counter("malformed_packets") >= 80)
        wait_until("fragments and false checksums too",
                   lambda: self.counter("fragments") >= 10 and self.counter("bad_checksums") >= 30)
        self.assertEqual(self.daemons, self.processes())
        self.assert_scan_is_blocked()
        for record in self.host.responses():
            self.assertNotEqual(address, record["address"], "garbage blocks nobody")


if __name__ == "__main__":
    lab.main()
