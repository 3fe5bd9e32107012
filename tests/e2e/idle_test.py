#!/usr/bin/env python3
"""What Portcullis costs while nothing happens: processor time, wake-ups and memory of all its processes.
It asserts idleness, not speed."""
import os
import re
import time
import unittest

import lab
from lab import VICTIM, kernel_bans, wait_until

SECONDS = 10
MAX_CORE_SHARE = 0.01
MAX_RSS_MB = 60
# Timers of the sensor, of the execd's look at the host, and the namespace's own chatter (IPv6).
MAX_WAKEUPS_PER_SECOND = 2


def status_field(pid, field):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
        return int(re.search(rf"^{field}:\s+(\d+)", status.read(), re.M)[1])


def pss_kb(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii", errors="replace") as rollup:
        return int(re.search(r"^Pss:\s+(\d+)", rollup.read(), re.M)[1])


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Idle(unittest.TestCase):
    def setUp(self):
        self.scanner = lab.Scanner()
        self.addCleanup(self.scanner.close)
        self.host = lab.Installation()
        self.addCleanup(self.host.close)
        self.host.fill_rest()

    def processes(self):
        """Name and id of the daemons and of the responder that execd keeps running."""
        found = {name: int((self.host.home / f"run/{name}.pid").read_text())
                 for name in ("sensor", "engine", "execd")}
        with open(f"/proc/{found['execd']}/task/{found['execd']}/children", encoding="ascii") as children:
            found["firewall-drop"], = map(int, children.read().split())
        return found

    def measure(self, processes):
        return {name: (processor_seconds(pid), status_field(pid, "voluntary_ctxt_switches"))
                for name, pid in processes.items()}

    def test_all_together_use_next_to_nothing(self):
        self.costs_nothing()

    def test_nor_if_the_engine_may_not_read_the_folder_of_its_log(self):
        (self.host.home / "logs").chmod(0o751)
        self.costs_nothing()

    def costs_nothing(self):
        self.host.control("start")
        self.addCleanup(self.host.control, "stop")
        # The state that a host is in most of the time: something happened, and is over.
        address, _ = self.scanner.new_address()
        self.scanner.run(f"nmap -n -Pn -sS --max-retries 0 -p1-60 {VICTIM}")
        wait_until(f"{address} is blocked", lambda: address in kernel_bans())
        self.scanner.run("ip link set pcscanner down")
        wait_until(f"{address} is released", lambda: any(
            r["address"] == address and r["action"] == "delete" for r in self.host.responses()), 20)
        processes = self.processes()
        wait_until("all is quiet", lambda: self.is_quiet(processes), 90)

        before, began = self.measure(processes), time.monotonic()
        time.sleep(SECONDS)
        after, elapsed = self.measure(processes), time.monotonic() - began
        used = {name: after[name][0] - before[name][0] for name in processes}
        woken = {name: (after[name][1] - before[name][1]) / elapsed for name in processes}
        rss = {name: status_field(pid, "VmRSS") for name, pid in processes.items()}
        pss = {name: pss_kb(pid) for name, pid in processes.items()}
        for name in processes:
            print(f"{name:14} {100 * used[name] / elapsed:5.2f} % of a core  {woken[name]:5.1f} wake-ups/s"
                  f"  RSS {rss[name] / 1024:5.1f} MB  PSS {pss[name] / 1024:5.1f} MB")
        print(f"{'together':14} {100 * sum(used.values()) / elapsed:5.2f} % of a core"
              f"  {sum(woken.values()):5.1f} wake-ups/s  RSS {sum(rss.values()) / 1024:5.1f} MB"
              f"  PSS {sum(pss.values()) / 1024:5.1f} MB")
        self.assertLess(sum(used.values()) / elapsed, MAX_CORE_SHARE)
        for name in processes:
            self.assertLessEqual(woken[name], MAX_WAKEUPS_PER_SECOND, name)
        if b"__asan_init" in (lab.BIN / "portcullis-engine").read_bytes():
            print("a sanitizer build: memory says nothing")
            return
        self.assertLessEqual(sum(rss.values()) / 1024, MAX_RSS_MB)

    def is_quiet(self, processes):
        """Nothing to sum up or to undo any more: one second without a wake-up of the engine."""
        before = self.measure(processes)
        time.sleep(1)
        return self.measure(processes)["engine"] == before["engine"] and any(
            "SYN scan mode expired" in line for line in self.host.lines())


if __name__ == "__main__":
    lab.main()
