#!/usr/bin/env python3
"""Real scanners: packets, iplog line, decoder, rule, response, release."""
import re
import subprocess

import lab
from lab import VICTIM, VICTIM6, kernel_bans, wait_until

# Rules of rules/iplog_rules.xml.
SCAN, FLOOD, PING_FLOOD, TRACEROUTE = 99990, 99980, 99981, 99984


class Scans(lab.HostCase):
    def scan_is_blocked_then_released(self, kind, options, target=VICTIM, family=0):
        address = self.scanner.new_address()[family]
        nmap = self.scanner.start(f"nmap -n -Pn --max-retries 0 {options} -p1-120 {target}",
                                  stdout=subprocess.DEVNULL)
        self.line_with(rf"{kind} scan detected \[ports [\d,.]+\] from {re.escape(address)} \[port")
        rule = self.alert_from(address, "iplog-scan")["rule"]
        self.assertEqual((SCAN, 6, "iplog scan detect"),
                         (rule["sidid"], rule["level"], rule["comment"]))
        wait_until(f"{address} is blocked", lambda: address in kernel_bans(), 3)
        self.assertFalse(self.scanner.reaches_victim(target), "a blocked scanner gets no answer")
        wait_until(f"{address} is released", lambda: address not in kernel_bans(),
                   self.host.ban_seconds + 3)
        # By execd, which has a record of it, and not only by the kernel's own timeout.
        wait_until(f"the release of {address} is on record", lambda: any(
            record["action"] == "delete" for record in self.responses_against(address)))
        nmap.wait(60)
        self.assertTrue(self.scanner.reaches_victim(target), "a released scanner gets answers")

    def test_connect_scan_is_blocked_then_released(self):
        self.scan_is_blocked_then_released("TCP: port", "-sT")

    def test_syn_scan_is_blocked_then_released(self):
        self.scan_is_blocked_then_released("TCP: SYN", "-sS")

    def test_fin_scan_is_blocked_then_released(self):
        self.scan_is_blocked_then_released("TCP: FIN", "-sF")

    def test_null_scan_is_blocked_then_released(self):
        self.scan_is_blocked_then_released("TCP: null", "-sN")

    def test_xmas_scan_is_blocked_then_released(self):
        self.scan_is_blocked_then_released("TCP: Xmas", "-sX")

    def test_syn_scan_over_ipv6_is_blocked_then_released(self):
        self.scan_is_blocked_then_released("TCP: SYN", "-6 -sS", VICTIM6, 1)

    def is_reported_but_not_blocked(self, command, line, decoder, rule):
        address, _ = self.scanner.new_address()
        tool = self.scanner.start(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.line_with(line + rf".*from {re.escape(address)}\b", 40)
        self.assertEqual(rule, self.alert_from(address, decoder)["rule"]["sidid"])
        tool.wait(60)
        self.assertEqual([], self.responses_against(address))
        self.assertNotIn(address, kernel_bans())
        return address

    def test_udp_scan_is_reported_but_not_blocked(self):
        self.is_reported_but_not_blocked(
            f"nmap -n -Pn -sU --max-retries 0 -p20001-20100 {VICTIM}",
            "UDP: scan/flood detected", "iplog-flood", FLOOD)

    def test_ping_flood_is_reported_but_not_blocked(self):
        self.is_reported_but_not_blocked(f"ping -n -q -f -c 300 {VICTIM}",
                                         "ICMP: ping flood detected", "iplog-pingflood", PING_FLOOD)

    def test_traceroute_is_reported_as_such_and_not_blocked(self):
        address = self.is_reported_but_not_blocked(
            f"traceroute -n -w 1 {VICTIM}", "UDP: traceroute", "iplog-traceroute", TRACEROUTE)
        self.assertEqual([], [line for line in self.host.lines()
                              if "scan/flood" in line and f" {address}" in line])


if __name__ == "__main__":
    lab.main()
