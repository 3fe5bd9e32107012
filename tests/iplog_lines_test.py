#!/usr/bin/env python3
"""The shipped iplog decoders and rules, through portcullis-logtest: each kind of line of iplog in both
forms, with and without the destination, with each way to write a host; lines that try to steer the
decoders; the rules that count; and, where they are present, the published lines and the logs of
the real iplog, with the shipped and with the published XML.

usage: iplog_lines_test.py SOURCE_DIR BIN_DIR
"""
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import unittest

SOURCE, BIN = (pathlib.Path(arg).resolve() for arg in sys.argv[1:3])
CONFORMANCE = SOURCE / "../shared/conformance"
PUBLISHED = CONFORMANCE / "published"
STOCK = CONFORMANCE / "ossec"


def logtest(home, lines, *options):
    """One outcome for each line."""
    ran = subprocess.run([str(BIN / "portcullis-logtest"), "-D", str(home), "-q", "--json", *options],
                         input="\n".join(lines) + "\n", capture_output=True, encoding="utf-8",
                         errors="surrogateescape", timeout=300)
    if ran.returncode != 0:
        raise AssertionError(f"logtest ended with {ran.returncode}:\n{ran.stderr}")
    outcomes = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(outcomes) == len(lines), f"{len(lines)} lines gave {len(outcomes)} outcomes"
    return outcomes


def home_with(test, files, links=()):
    """A temporary home: files is {path in it: text}, links is [(path in it, target)]."""
    folder = tempfile.TemporaryDirectory(prefix="portcullis-iplog.")
    test.addCleanup(folder.cleanup)
    home = pathlib.Path(folder.name)
    responders = home / "active-response/bin"
    responders.mkdir(parents=True)
    for name in ("firewall-drop", "firewall-drop.sh"):
        (responders / name).write_text("#!/bin/sh\n")
        (responders / name).chmod(0o755)
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    for name, target in links:
        (home / name).symlink_to(target)
    return home


def shipped_home(test):
    return home_with(test, {name: (SOURCE / name).read_text() for name in (
        "etc/ossec.conf", "decoders/iplog_decoders.xml", "rules/iplog_rules.xml")})


def responses(home, lines):
    """Whether each line is answered with a response, as --run shows it."""
    golden = home / "lines.logtest"
    golden.write_text("# description: lines\n# location: /var/log/iplog\n" + "".join(f"\n> {line}\n" for line in lines))
    ran = subprocess.run([str(BIN / "portcullis-logtest"), "-D", str(home), "--run", str(golden)],
                         env={"UPDATE_GOLDEN": "1"}, capture_output=True, text=True, timeout=60)
    if ran.returncode != 0:
        raise AssertionError(ran.stdout + ran.stderr)
    return ["**Response: firewall-drop" in part for part in golden.read_text().split("\n> ")[1:]]


def in_file(message):
    return f"Nov  4 07:15:09 {message}"


def through_syslog(message):
    return f"Nov  4 07:15:09 gate iplog[731]: {message}"


# How a host may be written: alone, before a port, and what becomes srcip.
HOSTS = [
    ("203.0.113.9", "203.0.113.9", "203.0.113.9"),
    ("scan.example.net (203.0.113.9)", "scan.example.net (203.0.113.9)", "203.0.113.9"),
    ("2001:db8::9", "2001:db8::9", "2001:db8::9"),
    ("2001:db8::9", "[2001:db8::9]", "2001:db8::9"),
    ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6"),
    ("scan.example.net (2001:db8::9)", "scan.example.net (2001:db8::9)", "2001:db8::9"),
    ("host7", "host7", "host7"),
]
# The destination as the D variants have it, and what becomes dstip; None: log_dest is off.
TARGETS = [(None, None), ("198.51.100.2", "198.51.100.2"), ("2001:db8::2", "2001:db8::2"),
           ("www.example.net (198.51.100.2)", "198.51.100.2"), ("www.example.net", "www.example.net")]


# As source of a detection also a network, and as destination a list.
SOURCES = [(source, srcip) for source, _, srcip in HOSTS] + [("2001:db8:1:2::/64", "2001:db8:1:2::/64")]
TARGET_LISTS = [("198.51.100.2,198.51.100.3",) * 2, ("2001:db8::2,2001:db8::3,...",) * 2]
NOTES = [None, "again", "asymmetric route", "again, asymmetric route", "asymmetric route, again", "dead", "of a later-version"]
# (protocol, kind, decoder, rule, field of the numbers, the numbers, has source ports)
DETECTIONS = [
    *(("TCP", f"{kind} scan", "iplog-scan", 99990, "dstport", "ports", True) for kind in ("SYN", "SYN-FIN", "slow-sweep")),
    ("SCTP", "port scan", "iplog-scan", 99990, "dstport", "ports", True),
    ("IP", "protocol scan", "iplog-scan", 99990, "extra_data", "protocols", False),
    ("UDP", "scan/flood", "iplog-flood", 99980, "dstport", "ports", True),
    ("ICMP", "ping flood", "iplog-pingflood", 99981, None, None, False),
    ("TCP", "open port probing", "iplog-open-ports", 99940, "dstport", "ports", True),
]
# (protocol, kind, rule, source): no srcip in any of them
REPORTS = [
    ("TCP", "scan with decoys", 99987, "192.0.2.7, a.example (192.0.2.8), 2001:db8::7"),
    ("TCP", "SYN-ACK probes", 99945, "192.0.2.7"), ("TCP", "SYN-ACK probes", 99945, "a.example (192.0.2.8)"),
    ("ICMP", "slow sweep over hosts", 99946, "192.0.2.7"), ("UDP", "sweep over hosts", 99995, "2001:db8:1:2::/64"),
    ("TCP", "refused connections", 99941, "30 sources"), ("UDP", "datagram flood", 99942, "400 sources"),
    ("UDP", "reflection", 99943, "3984 sources"), ("TCP", "SYN-ACK reflection", 99944, "2000 sources"),
    ("UDP", "backscatter", 99992, "192.0.2.7"), ("TCP", "backscatter", 99992, "a.example (2001:db8::7)"),
]


def scan_id(decoder, note=None):
    """The id is what rule 99991 counts by."""
    return {"id": "detected"} if decoder == "iplog-scan" and "again" not in (note or "") else {}


def detections():
    """(decoder, rule, fields, message) of the kinds with a source and of those that only report."""
    for note in NOTES:
        noted = f" ({note})" if note else ""
        status = {"status": note} if note else {}
        for target, dstip in TARGETS + TARGET_LISTS:
            to = f" to {target}" if target else ""
            place = {"dstip": dstip} if target else {}
            for protocol, kind, decoder, rule, field, word, has_source_ports in DETECTIONS:
                is_asymmetric = rule == 99990 and "asymmetric route" in (note or "")
                for source, srcip in SOURCES:
                    for tail, srcport in (("", None), (" [ports 45001,45002,...]", "45001,45002")):
                        if srcport and not has_source_ports:
                            continue
                        fields = {"action": kind, "srcip": srcip, **place, **status, **scan_id(decoder, note),
                                  **({field: "22,80"} if field else {}), **({"srcport": srcport} if srcport else {})}
                        numbers = f" [{word} 22,80,...]" if word else ""
                        yield (decoder, 99996 if is_asymmetric else rule, fields,
                               f"{protocol}: {kind} detected{to}{numbers} from {source}{tail}{noted}")
            for protocol, kind, rule, source in REPORTS:
                for ports, tail, more in (("", "", {}), (" [port 80]", "", {"dstport": "80"}),
                                          (" [ports 1,2,...]", " [port 53]", {"dstport": "1,2", "srcport": "53"})):
                    yield ("iplog-report", rule, {"action": kind, "extra_data": source, **place, **status, **more},
                           f"{protocol}: {kind} detected{to}{ports} from {source}{tail}{noted}")


def messages(source, with_port, target):
    """(decoder, rule in a file, rule through syslog, fields, message) of every kind of line."""
    to = f" to {target}" if target else ""
    rows = []

    def add(decoder, rule, message, rule_in_file=None, **fields):
        rows.append((decoder, rule_in_file or rule, rule, fields, message))

    for service, port in (("telnet", "telnet"), ("port 2323", "2323")):
        ports = {"srcport": "45001", "dstport": port}
        add("iplog-attempt", 99961, f"TCP: {service} connection attempt{to} from {with_port}:45001",
            action="connection attempt", **ports)
        add("iplog-attempt", 99961, f"TCP: {service} connection attempt{to} from amy@{with_port}:45001",
            action="connection attempt", srcuser="amy", **ports)
        place = f"{target}:{service}" if target else service
        add("iplog-dgram", 99951, f"UDP: dgram to {place} from {with_port}:45001 (17 data bytes)",
            action="dgram", **ports)
    kinds = [("TCP", f"{kind} scan", "iplog-scan", 99990)
             for kind in ("port", "null", "FIN", "SYN", "Xmas")]
    kinds += [("UDP", "scan/flood", "iplog-flood", 99980),
              ("ICMP/UDP", "smurf attack", "iplog-smurf", 99982)]
    for protocol, kind, decoder, rule in kinds:
        for written, dstport in (("", None), (" [port 23]", "23"), (" [ports 23,2323]", "23,2323"),
                                 (" [ports 23,24,25,...]", "23,24,25"), (" [ports 23]", "23")):
            for tail, srcport in (("", None), (" [port 45001]", "45001"), (" [ports 45001,45002$",
                                  "45001,45002"), (" [ports 45001,45002,...]", "45001,45002")):
                fields = {"action": kind, **scan_id(decoder)}
                if dstport:
                    fields["dstport"] = dstport
                if srcport:
                    fields["srcport"] = srcport
                add(decoder, rule, f"{protocol}: {kind} detected{to}{written} from {source}{tail}",
                    **fields)
    add("iplog-pingflood", 99981, f"ICMP: ping flood detected{to} from {source}", action="ping flood")
    for protocol, kind in [row[:2] for row in kinds] + [("ICMP", "ping flood")]:
        for dot in (".", ""):
            add("iplog-expired", 99985, f"{protocol}: {kind} mode{to} expired for {source} - received "
                f"a total of 71 packets (2840 bytes){dot}", action=kind,
                extra_data="71 packets (2840 bytes)")
    add("iplog-bogustcp", 99983, f"TCP: Bogus TCP flags set by {with_port}:45001 (dest "
        f"{target + ':' if target else 'port '}443)", action="Bogus TCP flags", srcport="45001",
        dstport="443")
    add("iplog-traceroute", 99984, f"UDP: traceroute from {source}{to}", action="traceroute")
    for word, what, in_syslog, in_a_file in (
            ("Overlapping", "IP fragments", 99971, 99972), ("Overlapping", "IP frags", 99971, 99972),
            ("Oversized", "IP fragment", 99973, 99974), ("Duplicate", "IP fragments", 99975, 99976)):
        add("iplog-fragment", in_syslog, f"{word} {what}{to} from {source}", in_a_file,
            action=f"{word} {what}")
    add("iplog-badpacket", 99978, f"Short IP packet{to} from {source}", 99979,
        action="Short IP packet")
    add("iplog-badpacket", 99977, f"IP packet with invalid checksum{to} from {source}",
        action="IP packet with invalid checksum")
    return rows + icmp_messages(source, to, target)


def icmp_messages(source, to, target):
    rows = []

    def add(action, message, rule=99952):
        rows.append(("iplog-icmp", rule, rule, {"action": action}, f"ICMP: {message}"))

    for kind in ("echo", "echo reply"):
        add(kind, f"{kind} from {source}{to} (64 bytes)")
    for inside in ("udp: dest port 161, source port 40", "ICMP: ICMP_ECHO", "gre: dest port 2, source port 1",
                   "ICMP: ICMP_REDIRECT code 1", "proto 99: dest port 0, source port 0"):
        for sender in (source, f"(from {source}) 198.51.100.77", f"(from {source}) a.example (198.51.100.77)"):
            stray = f" {target}" if target else ""
            add("port is unreachable", f"{sender}: port is unreachable to{stray} ({inside})")
            add("host is unreachable", f"{sender}: host is unreachable{stray} ({inside})")
        add("time exceeded", f"{source} time exceeded{to} ({inside})")
    add("undefined destination unreachable code", f"undefined destination unreachable code (17) from {source}{to}")
    for kind in ("source quench", "router solicitation", "timestamp request", "timestamp reply",
                 "info request", "info reply", "address mask request"):
        add(kind, f"{kind}{to} from {source}")
    add("undefined redirect code", f"undefined redirect code 6{to} from {source}")
    add("undefined ICMP type", f"undefined ICMP type 40{to} from {source}")
    add("timestamp request", f"timestamp request{to} from {source} (11:22:33)")
    for mask in ("0.255.255.255", "mask.example (0.255.255.255)"):
        add("address mask reply", f"address mask reply{to} from {source} ({mask})")
    add("parameter problem", f"parameter problem{to} from {source} (ptr 20)")
    for routers in ("198.51.100.1", "198.51.100.1 -> 198.51.100.3"):
        for life in ("30 sec", "30 min, 0 sec"):
            add("router advertisement", f"path of router advertisement{to} from {source}: {routers} "
                f"(lifetime {life})", 99954)
    if not target:  # log_dest changes nothing here
        for what in ("redirect", "redirect-tos"):
            for where in ("network 198.51.100.0", "host a.example (198.51.100.77)"):
                add("redirect", f"(gw.example (198.51.100.1)) {what} {source} to {where}", 99953)
    return rows


class Lines(unittest.TestCase):
    maxDiff = None

    def test_every_kind_in_both_forms_with_every_way_to_write_a_host(self):
        expected, lines = [], []
        for source, with_port, srcip in HOSTS:
            for target, dstip in TARGETS:
                for decoder, file_rule, syslog_rule, fields, message in messages(source, with_port, target):
                    fields = dict(fields, srcip=srcip)
                    if dstip:
                        fields["dstip"] = dstip
                    protocol = re.match(r"[A-Z/]+(?=: )", message)
                    # The first word of a line without protocol is the host name, in a file.
                    action = fields["action"] if protocol else re.sub(
                        r"^(Overlapping|Oversized|Duplicate|Short|IP) ", "", fields["action"])
                    expected.append((decoder, file_rule, dict(fields, action=action)))
                    lines.append(in_file(message))
                    if protocol:
                        fields["proto"] = protocol[0]
                    expected.append((decoder, syslog_rule, fields))
                    lines.append(through_syslog(message))
        self.assertGreater(len(lines), 5000)
        self.check_outcomes(lines, expected)

    def check_outcomes(self, lines, expected):
        wrong = []
        for line, due, got in zip(lines, expected, logtest(shipped_home(self), lines, "--fresh")):
            found = (got["decoder"], got["rule"], got["fields"])
            if found != due:
                wrong.append(f"{line}\n  due {due}\n  got {found}")
        self.assertFalse(wrong, f"{len(wrong)} of {len(lines)}:\n" + "\n".join(wrong[:10]))

    def test_every_detection_with_notes_networks_and_several_targets(self):
        expected, lines = [], []
        for decoder, rule, fields, message in detections():
            expected.append((decoder, rule, fields))
            lines.append(in_file(message))
            expected.append((decoder, rule, dict(fields, proto=message.split(":")[0])))
            lines.append(through_syslog(message))
        self.assertGreater(len(lines), 10000)
        self.check_outcomes(lines, expected)

    def test_the_end_of_every_kind(self):
        expected, lines = [], []
        total = {"extra_data": "71 packets (2840 bytes)"}
        rows = [("iplog-expired", 99985, protocol, kind, source, {"srcip": srcip})
                for protocol, kind, *_ in DETECTIONS for source, srcip in SOURCES]
        rows += [("iplog-report-expired", 99993, protocol, kind, source, {})
                 for protocol, kind, _, source in REPORTS]
        for decoder, rule, protocol, kind, source, fields in rows:
            for target, dstip in TARGETS + TARGET_LISTS:
                to = f" to {target}" if target else ""
                message = (f"{protocol}: {kind} mode{to} expired for {source} - received a total of 71 packets "
                           "(2840 bytes).")
                place = {"dstip": dstip} if target and decoder == "iplog-expired" else {}
                due = {"action": kind, **fields, **place, **total}
                expected += [(decoder, rule, due), (decoder, rule, dict(due, proto=protocol))]
                lines += [in_file(message), through_syslog(message)]
        self.check_outcomes(lines, expected)

    def test_only_scans_are_alerts_that_block_and_ordinary_traffic_is_no_alert(self):
        rows = messages("203.0.113.9", "203.0.113.9", None)
        silent = {"iplog-attempt", "iplog-dgram"}
        for row, got in zip(rows, logtest(shipped_home(self), [in_file(row[4]) for row in rows], "--fresh")):
            due = row[0] not in silent and (row[0] != "iplog-icmp" or row[2] in (99953, 99954))
            self.assertEqual(due, got["alert"], row[4])
        bound = re.search(r"<rules_id>(.*)</rules_id>", (SOURCE / "etc/ossec.conf").read_text())[1]
        self.assertEqual("99990,99991,99996,99997", bound)

    def test_what_names_and_users_contain_never_becomes_the_address(self):
        """Host names as bad as they can be (no blank in them) with log_ip on; users without limit."""
        pieces = ["9.9.9.9", "(9.9.9.9)", "from", "@", ":", "[port", "(from", ")", "(", "::9", ":22", "9.9.9.9:22", "$",
                  "9.9.9.9@", "(9.9.9.9):22", "SYN", "TCP:", "->", "%", "\\", "<!--", "\xe9", "\x01", "\t",
                  "(again)", "again)", "(again"]
        choose = random.Random(20)
        lines = []
        for number in range(3000):
            some = [choose.choice(pieces) for _ in range(choose.randint(1, 6))]
            target = choose.choice(TARGETS)[0]
            if number % 3:
                source = f"{''.join(some)} (203.0.113.9)"
                message = choose.choice(messages(source, source, target))[4]
                if " detected" in message and not message.endswith("$"):
                    message += choose.choice(("", " (again)", " (asymmetric route)"))
            else:
                to = f" to {target}" if target else ""
                message = f"TCP: ssh connection attempt{to} from {' '.join(some)}@203.0.113.9:45001"
            lines.append((in_file if number % 2 else through_syslog)(message))
        for line, got in zip(lines, logtest(shipped_home(self), lines, "--fresh")):
            self.assertIn(got["fields"].get("srcip", "203.0.113.9"), ("203.0.113.9",), line)
            if got["decoder"] == "iplog-scan" and "srcip" in got["fields"]:  # nor a note
                self.assertEqual(line.endswith(" (again)"), "id" not in got["fields"], line)
                self.assertEqual(line.endswith("route)"), got["rule"] == 99996, line)

    def test_lines_that_are_nearly_right_give_no_address(self):
        for message in ("TCP: SYN scan detected from a from 9.9.9.9", "TCP: SYN scan detected from 9.9.9.9 b",
                        "TCP: SYN scan detected from x (9.9.9.9) (203.0.113.9)", "TCP: SYN scan detected from ",
                        "TCP: SYN scan detected [port 22] from x (203.0.113", "TCP: SYN scan detected",
                        "TCP: SYN scan detected from x (9.9.9.9) [port a (203.0.113.9) [port 5]",
                        "UDP: traceroute from 9.9.9.9 or 203.0.113.9",
                        "TCP: Bogus TCP flags set by 9.9.9.9:1 (dest port 25) from 203.0.113.9"):
            for line in (in_file(message), through_syslog(message)):
                got = logtest(shipped_home(self), [line])[0]
                self.assertNotIn("srcip", got["fields"], line)

    def test_a_line_with_anything_behind_its_end_gives_no_source(self):
        lines = [form(row[4] + tail) for target in (None, "198.51.100.2")
                 for row in messages("203.0.113.9", "203.0.113.9", target)
                 for form in (in_file, through_syslog) for tail in (" x", "x", " from 9.9.9.9")]
        for line, got in zip(lines, logtest(shipped_home(self), lines, "--fresh")):
            named = re.search(r"(?:from|to|network) \S+x$", line)  # the tail belongs to the host name
            self.assertIn(got["fields"].get("srcip"),
                          (None, "203.0.113.9x", "203.0.113.9") if named else (None,), line)

    def test_what_iplog_says_about_itself(self):
        rows = [("iplog started.", 99957, 99955), ("Caught signal 15, exiting.", 99957, 99955),
                ("Restarting iplog (pid 731).", 99957, 99955),
                ("Interface eth0 was reopened.", 99957, 99955),
                ("Interface eth0 cannot be brought back up.", 99958, 99956),
                ("Warning: interface eth0 went down.", 99959, 99956),
                ("Fatal: iplog is already running (pid: 7)", 99959, 99956)]
        for form, place in ((in_file, 1), (through_syslog, 2)):
            got = logtest(shipped_home(self), [form(row[0]) for row in rows])
            self.assertEqual([("iplog-service", row[place]) for row in rows],
                             [(outcome["decoder"], outcome["rule"]) for outcome in got])

    def test_many_scans_of_one_source_are_the_eleventh(self):
        lines = [in_file(f"TCP: SYN scan detected [port {port}] from 203.0.113.{host}")
                 for port in range(1, 13) for host in (8, 9)]
        rules = [got["rule"] for got in logtest(shipped_home(self), lines)]
        self.assertEqual([99990] * 20 + [99991], rules[:21])

    def test_a_scan_that_continues_is_blocked_but_not_counted(self):
        """Whatever the order: the 11th first detection is 99991, no other line is."""
        choose = random.Random(7)
        for source in ("203.0.113.9", "2001:db8:1:2::/64", "scan.example.net (203.0.113.9)"):
            for _ in range(20):
                again = [" (again)"] * choose.randint(1, 30)
                notes = [""] * 10 + again
                choose.shuffle(notes)
                notes += [""] + again[:2]  # the 11th, and what follows it
                form = choose.choice((in_file, through_syslog))
                got = logtest(shipped_home(self), [
                    form(f"TCP: {choose.choice(('SYN', 'port', 'FIN'))} scan detected [ports {number},22] from "
                         f"{source}{choose.choice(('', ' [port 45001]'))}{note}")
                    for number, note in enumerate(notes)])
                eleventh = 10 + len(again)
                self.assertEqual([99990] * eleventh + [99991] + [99990] * len(again[:2]),
                                 [outcome["rule"] for outcome in got], notes)
                self.assertTrue(all(outcome["alert"] for outcome in got))

    def test_who_binds_only_the_two_old_rules_gets_a_block_for_a_scan_that_continues(self):
        home = shipped_home(self)
        conf = home / "etc/ossec.conf"
        conf.write_text(conf.read_text().replace("99990,99991,99996", "99990,99991"))
        lines = [in_file(f"TCP: SYN scan detected [port {port}] from 203.0.113.9{note}")
                 for port in range(11) for note in ("", " (again)")]
        lines.append(in_file("TCP: SYN scan detected [port 99] from 203.0.113.9 (proven, asymmetric route)"))
        self.assertEqual([True] * 22 + [False], responses(home, lines))
        self.assertEqual([True] * 23, responses(shipped_home(self), lines))
        doubtful = [in_file(f"TCP: SYN scan detected [port 99] from 203.0.113.9 ({notes})") for notes in (
            "asymmetric route", "doubtful, asymmetric route", "again, doubtful, partial checksums")]
        self.assertEqual([False] * 3, responses(shipped_home(self), doubtful))

    def test_the_documented_response_to_open_port_probing(self):
        guide = (SOURCE / "docs/iplog-rules.md").read_text()
        added = re.search(r"^<active-response>.*?</active-response>\n", guide, re.M | re.S)[0]
        lines = [in_file("TCP: open port probing detected [ports 22,80] from 203.0.113.9 [port 45001]")]
        home = shipped_home(self)
        self.assertEqual([False], responses(home, lines))
        conf = home / "etc/ossec.conf"
        conf.write_text(conf.read_text().replace("</ossec_config>", added + "</ossec_config>"))
        self.assertEqual([True], responses(home, lines))

    def test_scans_that_only_continue_never_become_many(self):
        lines = [in_file(f"TCP: SYN scan detected [port {port}] from 203.0.113.9 (again)") for port in range(60)]
        self.assertEqual({99990}, {outcome["rule"] for outcome in logtest(shipped_home(self), lines)})

    def test_many_attempts_of_one_source_are_the_sixtieth(self):
        lines = [in_file(f"TCP: ssh connection attempt from 203.0.113.9:{port}") for port in range(1, 61)]
        got = logtest(shipped_home(self), lines)
        self.assertEqual([(99961, False)] * 59 + [(99962, True)],
                         [(outcome["rule"], outcome["alert"]) for outcome in got])


@unittest.skipUnless(PUBLISHED.is_dir(), f"SKIPPED: no conformance data in {CONFORMANCE}")
class Conformance(unittest.TestCase):
    def published_lines(self):
        lines = (PUBLISHED / "lines.log").read_text().splitlines()
        self.assertEqual(85, len(lines))
        return lines

    def test_the_published_lines_with_the_shipped_xml(self):
        lines = self.published_lines()
        for options in (("--fresh",), ()):
            got = logtest(shipped_home(self), lines, *options)
            self.assertEqual(11, sum(outcome["rule"] == 99990 for outcome in got))
            for line, outcome in zip(lines, got):
                if "last message repeated" in line:
                    continue
                self.assertEqual(re.search(r"\d+\.\d+\.\d+\.\d+", line)[0], outcome["fields"]["srcip"], line)
                self.assertEqual(" scan detected " in line, outcome["rule"] == 99990, line)

    def test_the_published_lines_with_the_published_xml(self):
        home = home_with(self, {
            "etc/ossec.conf": (PUBLISHED / "ossec.conf").read_text(),
            "etc/decoder.xml": (PUBLISHED / "decoders.xml").read_text(),
            "rules/iplog_rules.xml": (PUBLISHED / "rules.xml").read_text()})
        got = logtest(home, self.published_lines(), "--fresh")
        count = {}
        for outcome in got:
            count[outcome["decoder"]] = count.get(outcome["decoder"], 0) + 1
        self.assertEqual({"iplog-scan": 11, "iplog-flood": 2, "iplog-pingflood": 2, "iplog-bogustcp": 2,
                          None: 68}, count)
        for outcome in got:
            self.assertEqual(outcome["decoder"] == "iplog-scan", outcome["rule"] == 99990)

    def test_a_scan_that_continues_with_the_published_xml(self):
        """The published rule fires as for the first detection, and finds the same source."""
        home = home_with(self, {
            "etc/ossec.conf": (PUBLISHED / "ossec.conf").read_text(),
            "etc/decoder.xml": (PUBLISHED / "decoders.xml").read_text(),
            "rules/iplog_rules.xml": (PUBLISHED / "rules.xml").read_text()})
        lines = [line for line in self.published_lines() if " scan detected " in line]
        lines += [in_file(message) for message in (
            "TCP: SYN scan detected [ports 21,1] from 203.0.113.9 [port 60907]",
            "SCTP: port scan detected [ports 21,1] from 2001:db8:1:2::/64",
            "IP: protocol scan detected [protocols 2,4,47] from 203.0.113.9",
            "TCP: slow-sweep scan detected [port 22] from 203.0.113.9")]
        self.assertEqual(15, len(lines))
        first = logtest(home, lines, "--fresh")
        for note in ("again", "asymmetric route", "again, asymmetric route", "proven", "forgeable", "again, forgeable",
                     "again, proven", "doubtful, asymmetric route", "doubtful, partial checksums",
                     "again, doubtful, partial checksums"):
            for line, before, got in zip(lines, first, logtest(home, [f"{line} ({note})" for line in lines], "--fresh")):
                self.assertEqual((99990, True), (got["rule"], got["alert"]), line)
                self.assertEqual(before["fields"], got["fields"], line)
                self.assertIn("srcip", got["fields"], line)
                # The published decoders read no notes, and the published response blocks all alike.
                self.assertEqual([{"command": "firewall-drop", "evidence": "forgeable", "block": "hard", "timeout": 0}],
                                 got["responses"], line)

    def test_what_only_reports_fires_no_published_rule(self):
        home = home_with(self, {
            "etc/ossec.conf": (PUBLISHED / "ossec.conf").read_text(),
            "etc/decoder.xml": (PUBLISHED / "decoders.xml").read_text(),
            "rules/iplog_rules.xml": (PUBLISHED / "rules.xml").read_text()})
        lines = [in_file(row[3]) for row in detections() if row[0] in ("iplog-report", "iplog-open-ports")]
        for line, got in zip(lines, logtest(home, lines, "--fresh")):
            self.assertNotEqual(99990, got["rule"], line)

    def test_all_that_the_real_iplog_wrote_is_decoded(self):
        lines = [line for log in sorted((CONFORMANCE / "iplog").rglob("*.log"))
                 for line in log.read_text(errors="replace").splitlines()
                 if not re.search(r"iplog started\.$|last message repeated", line)]
        self.assertGreater(len(lines), 3000)
        lines += [re.sub(r"^(.{16})", r"\1gate iplog[731]: ", line) for line in lines]
        for line, got in zip(lines, logtest(shipped_home(self), lines, "--fresh")):
            self.assertTrue(got["decoder"] and got["decoder"].startswith("iplog-"), line)
            self.assertIn("srcip", got["fields"], line)

    def test_all_that_the_sensor_writes_is_decoded(self):
        lines = []
        for capture in sorted((CONFORMANCE / "iplog").rglob("*.pcap")):
            for options in ([], ["-D", "-w", "--hosts", str(CONFORMANCE / "iplog/hosts.names")]):
                ran = subprocess.run(
                    [str(BIN / "portcullis-sensor"), "-r", str(capture), "-L", "--local", "10.10.150.2",
                     "--config", "/dev/null", *(options or ["--hosts", "/dev/null"])],
                    capture_output=True, text=True, errors="replace", timeout=60)
                self.assertEqual(0, ran.returncode, f"{capture}: {ran.stderr}")
                lines += [line for line in ran.stdout.splitlines() if "last message repeated" not in line]
        scans = 0
        for line, got in zip(lines, logtest(shipped_home(self), lines, "--fresh")):
            self.assertTrue(got["decoder"] and got["decoder"].startswith("iplog-"), line)
            # Nobody may be blocked for what only reports.
            has_source = not got["decoder"].startswith(("iplog-service", "iplog-report"))
            self.assertEqual(has_source, "srcip" in got["fields"], line)
            self.assertEqual(" scan detected " in line, got["rule"] == 99990, line)
            scans += got["rule"] == 99990
        self.assertGreater(scans, 50)

    def test_the_outcome_is_the_same_beside_the_stock_decoders_and_rules(self):
        """As in an OSSEC installation: its files first, ours after them."""
        includes = "".join(f"<include>{name}</include>" for name in
                           (STOCK / "include-stock.txt").read_text().split())
        home = home_with(self, {
            "etc/ossec.conf": "<ossec_config><rules><decoder>etc/decoder.xml</decoder>"
                              "<decoder>decoders/iplog_decoders.xml</decoder>" + includes +
                              "<include>iplog_rules.xml</include></rules></ossec_config>",
            "decoders/iplog_decoders.xml": (SOURCE / "decoders/iplog_decoders.xml").read_text(),
        }, [("etc/decoder.xml", STOCK / "ruleset/decoder.xml")])
        (home / "rules").mkdir()
        for rules in (STOCK / "ruleset/rules").iterdir():
            (home / "rules" / rules.name).symlink_to(rules)
        (home / "rules/iplog_rules.xml").write_text((SOURCE / "rules/iplog_rules.xml").read_text())
        messages_of_one_source = [row[4] for target, _ in TARGETS for row in
                                  messages("evil-error.attack.example (203.0.113.9)",
                                           "evil-error.attack.example (203.0.113.9)", target)]
        lines = [form(text) for text in messages_of_one_source for form in (in_file, through_syslog)]
        alone = logtest(shipped_home(self), lines, "--fresh")
        for line, ours, beside in zip(lines, alone, logtest(home, lines, "--fresh")):
            for key in ("decoder", "fields", "rule", "level", "groups", "alert"):
                self.assertEqual(ours[key], beside[key], f"{key} of {line}")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[3:]])
