#!/usr/bin/env python3
"""Sources whose packets arrive on one interface while the route back to them leaves by another: not counted where strict
reverse path filtering drops them, marked "(asymmetric route)" in the line otherwise.

The host has two links to the same neighbour. FORTH is where most packets of the tests arrive; the routes back to the
sources lead over FORTH or BACK.
"""
import pathlib
import re
import subprocess
import sys
import time

import lab
from lab import VICTIM, VICTIM6, kernel_bans, sh, wait_until

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "captures"))
import links  # noqa: E402
import packets  # noqa: E402

FORTH, BACK = "pcvictim", "pcother"
FAR = {FORTH: "pcscanner", BACK: "pcaway"}  # the other ends
GATEWAY = {FORTH: ("10.10.150.9", "fd00:150::9"), BACK: ("10.10.151.9", "fd00:151::9")}
QUIET = 2000  # from here on the host answers nothing; ports below are closed
THRESHOLD = 10
# The sensor keeps a look-up of a route for a second.
ROUTE_IS_KEPT = 1.2
# A detected scan is reported again after this time, in seconds (`repeat`).
REPEAT = 10
MARK = r" \(doubtful, asymmetric route\)$"
SENDER = """
import socket, sys
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind((sys.argv[1], 0))
for line in sys.stdin: wire.send(bytes.fromhex(line))
"""


def setUpModule():
    # The devices in /sys are those of the namespace in which it was mounted.
    sh("mount -t sysfs sysfs /sys")


def mac_of(interface):
    text = pathlib.Path(f"/sys/class/net/{interface}/address").read_text().strip()
    return bytes.fromhex(text.replace(":", ""))


def filter_mode(mode):
    for interface in ("all", FORTH, BACK):
        pathlib.Path(f"/proc/sys/net/ipv4/conf/{interface}/rp_filter").write_text(str(mode))


class TwoLinks(lab.HostCase):
    """One installation that listens on both links."""
    bound_rules = "99990,99991,99996,99997"

    @classmethod
    def setUpClass(cls):
        cls.scanner = lab.Scanner()
        cls.addClassCleanup(cls.scanner.close)
        sh(f"ip link add {BACK} type veth peer name {FAR[BACK]} netns {cls.scanner.holder.pid}")
        sh(f"ip addr add 10.10.151.2/24 dev {BACK}")
        sh(f"ip addr add fd00:151::2/64 dev {BACK} nodad")
        sh(f"ip link set {BACK} up")
        for link, far in FAR.items():
            for command in (f"ip link set {far} address {cls.far_mac(link).hex(':')}", f"ip link set {far} up",
                            f"sysctl -qw net.ipv4.conf.{far}.rp_filter=0"):
                cls.scanner.run(command)
            for gateway, length in zip(GATEWAY[link], (24, 64)):
                cls.scanner.run(f"ip addr add {gateway}/{length} dev {far}" + (" nodad" if ":" in gateway else ""))
        cls.scanner.run("sysctl -qw net.ipv4.conf.all.rp_filter=0")
        subprocess.run(["nft", "-f", "-"], check=True, text=True, input=f"""
            table inet pcquiet {{ chain input {{ type filter hook input priority 0; tcp dport >= {QUIET} drop; }}; }}""")
        cls.addClassCleanup(sh, "nft delete table inet pcquiet")
        filter_mode(0)
        cls.host = lab.Installation(ban_seconds=600, interface=f"{FORTH},{BACK}", edit=lambda text: text.replace(
            "<rules_id>99990,99991,99996,99997<", f"<rules_id>{cls.bound_rules}<"))
        cls.addClassCleanup(cls.host.close)
        cls.host.start()
        cls.last = 0

    @staticmethod
    def far_mac(link):
        return b"\2\0\0\0\1" + bytes([list(FAR).index(link)])

    def new_source(self, route, is_v6=False):
        """An address that never sent anything; the way back to it leaves by `route`."""
        type(self).last += 1
        source = f"2001:db8:{self.last}::7" if is_v6 else f"203.0.113.{self.last}"
        self.route(source, route)
        return source

    @staticmethod
    def route(source, link):
        sh(f"ip route replace {source} via {GATEWAY[link][':' in source]} dev {link}")

    def send(self, source, arrival, ports):
        """A crafted SYN to each port arrives on the link `arrival`."""
        target = VICTIM6 if ":" in source else VICTIM
        frames = [mac_of(arrival) + self.far_mac(arrival) + links.AFTER_ADDRESSES["ethernet"](
            packets.tcp(source, 40000, target, port, packets.SYN, df=False)) for port in ports]
        subprocess.run(self.scanner.command([sys.executable, "-c", SENDER, FAR[arrival]]), check=True, text=True,
                       input="".join(f"{frame.hex()}\n" for frame in frames))

    def detections(self, source):
        return [line for line in self.host.lines() if re.search(rf" detected .*from {re.escape(source)}\b", line)]

    def detection(self, source, count=1, seconds=5):
        return wait_until(f"detection {count} of {source}", lambda: self.detections(source)[count - 1:count], seconds)[0]

    def alerts_for(self, source, count=1):
        """The rules of the first `count` alerts about a scan of that source."""
        def scans():
            return [alert["rule"]["sidid"] for alert in self.host.alerts()
                    if alert.get("srcip") == source and alert.get("decoder") == "iplog-scan"]
        return wait_until(f"{count} alerts about {source}", lambda: len(scans()) >= count and scans(), 5)

    def assert_not_counted(self, source):
        """The sensor saw the source and reported nothing. A scan behind it tells that all before was judged."""
        marker = self.new_source(FORTH)
        self.send(marker, FORTH, range(QUIET, QUIET + THRESHOLD))
        self.detection(marker)
        self.assertTrue(any(f" connection attempt from {source}:" in line for line in self.host.lines()))
        self.assertEqual([], self.detections(source))
        self.assertEqual([], self.responses_against(source))
        self.assertNotIn(source, kernel_bans())

    def assert_ordinary(self, source):
        line = self.detection(source)
        self.assertRegex(line, rf"TCP: SYN scan detected \[ports .*\] from {re.escape(source)} \[port 40000\] \(forgeable\)$")
        self.assertEqual([99990], self.alerts_for(source))
        wait_until(f"{source} is blocked", lambda: source in kernel_bans(), 5)

    def assert_marked(self, source):
        line = self.detection(source)
        self.assertRegex(line, rf"TCP: SYN scan detected \[ports .*\] from {re.escape(source)} \[port 40000\]{MARK}")
        self.assertEqual([99996], self.alerts_for(source))


class Shipped(TwoLinks):
    """With etc/ossec.conf as it is, which answers 99996 too."""

    def assert_marked(self, source):
        super().assert_marked(source)
        wait_until(f"{source} is on record", lambda: any(
            record["outcome"] == "reported" and record["evidence"] == "doubtful"
            for record in self.responses_against(source)), 5)
        self.assertNotIn(source, kernel_bans())

    def test_strict_filter(self):
        for name, ports in (("closed", range(1, 41)), ("quiet", range(QUIET, QUIET + 40))):
            with self.subTest(name):
                filter_mode(1)
                source = self.new_source(BACK)
                self.send(source, FORTH, ports)
                self.assert_not_counted(source)

    def test_no_filter_and_a_loose_one(self):
        for mode in (0, 2):
            for name, ports in (("closed", range(1, 41)), ("quiet", range(QUIET, QUIET + 40))):
                with self.subTest(name, mode=mode):
                    filter_mode(mode)
                    source = self.new_source(BACK)
                    self.send(source, FORTH, ports)
                    self.assert_marked(source)

    def test_the_route_back_is_the_interface_of_arrival(self):
        for mode in (0, 1, 2):
            for link in FAR:
                with self.subTest(link, mode=mode):
                    filter_mode(mode)
                    source = self.new_source(link)
                    self.send(source, link, range(QUIET, QUIET + 40))
                    self.assert_ordinary(source)

    def test_a_forger_before_the_source_itself(self):
        for number in (5, 40):
            with self.subTest(number):
                filter_mode(1)
                source = self.new_source(BACK)
                self.send(source, FORTH, range(QUIET, QUIET + number))
                self.assert_not_counted(source)
                self.send(source, BACK, range(QUIET + 100, QUIET + 109))
                self.assert_not_counted(source)  # nine ports: those of the forger do not count
                self.send(source, BACK, range(QUIET + 109, QUIET + 111))
                self.assert_ordinary(source)

    def test_a_forger_after_the_source_itself(self):
        filter_mode(1)
        source = self.new_source(BACK)
        self.send(source, BACK, range(QUIET, QUIET + 5))
        self.assert_not_counted(source)
        self.send(source, FORTH, range(QUIET + 100, QUIET + 140))
        self.assert_not_counted(source)
        self.send(source, BACK, range(QUIET + 5, QUIET + 10))
        self.assert_ordinary(source)

    def test_a_forger_does_not_make_a_detected_scan_continue(self):
        filter_mode(1)
        source = self.new_source(BACK)
        self.send(source, BACK, range(QUIET, QUIET + THRESHOLD))
        self.assert_ordinary(source)
        time.sleep(REPEAT + 0.5)
        self.send(source, FORTH, range(QUIET + 100, QUIET + 140))
        marker = self.new_source(FORTH)
        self.send(marker, FORTH, range(QUIET, QUIET + THRESHOLD))
        self.detection(marker)
        self.assertEqual(1, len(self.detections(source)))
        self.send(source, BACK, range(QUIET + 200, QUIET + 240))
        self.assertRegex(self.detection(source, 2), r"\] \(again, forgeable\)$")

    def test_a_route_that_changes_under_a_strict_filter(self):
        filter_mode(1)
        source = self.new_source(BACK)
        self.send(source, FORTH, range(QUIET, QUIET + 40))
        self.assert_not_counted(source)
        self.route(source, FORTH)
        time.sleep(ROUTE_IS_KEPT)
        self.send(source, FORTH, range(QUIET + 100, QUIET + 140))
        self.assert_ordinary(source)

        source = self.new_source(FORTH)
        self.send(source, FORTH, range(QUIET, QUIET + 5))
        self.route(source, BACK)
        time.sleep(ROUTE_IS_KEPT)
        self.send(source, FORTH, range(QUIET + 100, QUIET + 140))
        self.assert_not_counted(source)

    def test_a_route_that_changes_while_a_scan_is_going_on(self):
        filter_mode(0)
        source = self.new_source(FORTH)
        self.send(source, FORTH, range(QUIET, QUIET + 40))
        self.assert_ordinary(source)
        self.route(source, BACK)
        time.sleep(REPEAT + 0.5)
        self.send(source, FORTH, range(QUIET + 100, QUIET + 140))
        self.assertRegex(self.detection(source, 2), r"\] \(again, doubtful, asymmetric route\)$")
        self.assertEqual([99990, 99996], self.alerts_for(source, 2))
        time.sleep(REPEAT + 0.5)
        self.send(source, BACK, range(QUIET + 200, QUIET + 240))  # its packets follow the new route
        self.assertRegex(self.detection(source, 3), r"\] \(again, forgeable\)$")
        self.assertEqual([99990, 99996, 99990], self.alerts_for(source, 3))

    def test_ipv6_has_no_filter_in_the_kernel(self):
        for mode in (0, 1):
            for name, ports in (("closed", range(1, 41)), ("quiet", range(QUIET, QUIET + 40))):
                with self.subTest(name, mode=mode):
                    filter_mode(mode)
                    source = self.new_source(BACK, is_v6=True)
                    self.send(source, FORTH, ports)
                    self.assert_marked(source)
        source = self.new_source(BACK, is_v6=True)
        self.send(source, BACK, range(1, 41))
        self.assert_ordinary(source)

    def test_what_a_firewall_rule_drops_is_marked(self):
        """The sensor does not read rules: such packets look unanswered."""
        filter_mode(0)
        subprocess.run(["nft", "-f", "-"], check=True, text=True, input="""
            table inet pcfib { chain pre { type filter hook prerouting priority raw;
                fib saddr . iif oif missing drop; }; }""")
        self.addCleanup(sh, "nft delete table inet pcfib")
        for is_v6 in (False, True):
            with self.subTest(is_v6=is_v6):
                source = self.new_source(BACK, is_v6=is_v6)
                self.send(source, FORTH, range(1, 41))
                self.assert_marked(source)

    def test_nmap_that_gets_its_answers_by_the_other_interface(self):
        filter_mode(0)
        source = self.new_source(BACK)
        self.scanner.run(f"ip addr add {source}/32 dev lo")
        self.scanner.run(f"ip route replace {VICTIM} dev {FAR[FORTH]} src {source}")
        try:
            found = self.scanner.run(f"nmap -n -Pn -sT --max-retries 0 --max-rate 60 -p1-300 {VICTIM}").stdout
        finally:
            self.scanner.run(f"ip route del {VICTIM} dev {FAR[FORTH]}")
        self.assertRegex(found, r"\d+ closed tcp|/tcp +closed ")  # so the answers were there
        self.assertRegex(self.detection(source), rf"TCP: port scan detected \[ports .*\] from {source} .*{MARK}")
        self.assertEqual({99996}, set(self.alerts_for(source)))  # it is not blocked, and reported again


class WithoutTheRule(TwoLinks):
    """With the response bound to 99990 and 99991 alone, as docs/iplog-rules.md describes it."""
    bound_rules = "99990,99991"

    def test_a_marked_scan_is_not_answered_and_an_ordinary_one_is(self):
        marked, ordinary = self.new_source(BACK), self.new_source(FORTH)
        self.send(marked, FORTH, range(1, 41))
        self.assert_marked(marked)
        self.send(ordinary, FORTH, range(1, 41))
        self.assert_ordinary(ordinary)
        self.assertNotIn(marked, kernel_bans())
        self.assertEqual([], self.responses_against(marked))


if __name__ == "__main__":
    lab.main()
