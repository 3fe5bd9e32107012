#!/usr/bin/env python3
"""A real nmap that continues for three minutes against a ban of ten seconds: it stays blocked, and learns one threshold of ports
each time that the block ended.

It mostly waits, so ctest runs it beside other tests that wait.
"""
import re
import subprocess
import time

import lab
from lab import VICTIM, kernel_bans, wait_until

BAN_SECONDS = 10
REPEAT = 10  # a scan that continues is reported again after this time, in seconds
SCAN_SECONDS = 180
RATE = 60  # probes a second, at most
THRESHOLD = 10
# Ports that a scanner may learn after each end of a block: the threshold, and what arrives until the block is there. It takes
# milliseconds on an idle machine; a quarter of a second is for a busy one.
LEARNT_PER_BAN = THRESHOLD + 2 + RATE // 4
# A table of our own that collects the ports whose RST leaves this host.
LEARNT = """table inet pclearnt {
    set ports { type inet_service; size 65535; flags dynamic; }
    chain out { type filter hook output priority 0; tcp flags & rst == rst add @ports { tcp sport }; }
}"""


class LongScan(lab.HostCase):
    ban_seconds = BAN_SECONDS

    @staticmethod
    def learnt():
        listed = subprocess.run(["nft", "list", "set", "inet", "pclearnt", "ports"], capture_output=True,
                                text=True, check=True).stdout
        elements = re.search(r"elements = \{([^}]*)\}", listed)
        return len(elements.group(1).split(",")) if elements else 0

    def lines_about(self, address):
        return [line for line in self.host.lines() if " detected " in line and f" from {address} " in line]

    def bans(self, address, how):
        return [record for record in self.responses_against(address)
                if record["action"] == "add" and how in record.get("reason", "")]

    def test_it_stays_blocked_and_is_blocked_anew(self):
        address, _ = self.scanner.new_address()
        subprocess.run(["nft", "-f", "-"], input=LEARNT, text=True, check=True)
        self.addCleanup(subprocess.run, ["nft", "delete", "table", "inet", "pclearnt"], check=False)
        nmap = self.scanner.start(
            f"nmap -n -Pn -sS --max-retries 0 --min-rate 50 --max-rate {RATE} -p1-60000 {VICTIM}",
            stdout=subprocess.DEVNULL)
        self.addCleanup(nmap.wait)
        self.addCleanup(nmap.kill)
        is_blocked = lambda: address in kernel_bans()
        wait_until("the scanner is blocked", is_blocked)
        began, first = time.monotonic(), self.learnt()
        while time.monotonic() < began + SCAN_SECONDS:
            self.assertIsNone(nmap.poll(), "the scan ended by itself")
            time.sleep(1)
        elapsed, learnt = time.monotonic() - began, self.learnt() - first
        lines = self.lines_about(address)
        # One line for each interval, and one more threshold of ports where a block ended before its line.
        self.assertTrue(all(line.endswith(" (again, forgeable)") for line in lines[1:]), lines)
        self.assertLessEqual(len(lines), 1 + elapsed / REPEAT + 1, lines)
        self.assertGreaterEqual(len(lines), 1 + elapsed / (REPEAT + 1.5) - 1, lines)
        # Each line is answered, whether its block lasts still or has ended just before.
        wait_until("all lines are answered", lambda: len(self.bans(address, "prolonged")) + len(
            self.bans(address, "blocked")) >= len(lines), 5)
        anew, prolonged = self.bans(address, "blocked"), self.bans(address, "prolonged")
        print(f"{elapsed:.0f} s: {len(lines)} lines, {len(anew)} blocks, {len(prolonged)} prolonged, {learnt} ports learnt")
        self.assertGreater(len(prolonged), 0)
        self.assertLessEqual(learnt, LEARNT_PER_BAN * len(anew), "ports learnt while the scan continued")
        wait_until("the scanner is blocked still", is_blocked, 2)
        for how in (("unban", address), ("flush",)):
            time.sleep(2.5)  # the sensor sees that nothing is answered
            wait_until(f"blocked before {how[0]}", is_blocked, 2)
            before = self.learnt()
            self.host.control(*how)
            wait_until(f"blocked anew after {how[0]}", is_blocked, 5)
            self.assertLessEqual(self.learnt() - before, LEARNT_PER_BAN, f"ports learnt after {how[0]}")
        nmap.kill()
        wait_until("released when the scan has ended", lambda: not is_blocked(), 2 * BAN_SECONDS + 12)


if __name__ == "__main__":
    lab.main()
