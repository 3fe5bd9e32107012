#!/usr/bin/env python3
"""How many of 1000 ports a scan learns, with the hold and without, on a quiet and on a busy machine.
Prints the table of docs/hold.md. For a machine that does nothing else.

usage: hold_figures.py SOURCE_DIR BIN_DIR [--runs N] [--busy-runs N]
"""
import argparse
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
ARGUMENTS = sys.argv[3:]
sys.argv = sys.argv[:3]
import lab  # noqa: E402
from lab import VICTIM, wait_until  # noqa: E402

OPEN_PORT = 80


class BusyLoops:
    """Two for each processor."""

    def __enter__(self):
        self.loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"])
                      for _ in range(2 * os.cpu_count())]

    def __exit__(self, *_):
        for loop in self.loops:
            loop.kill()
            loop.wait()


def answers(scanner):
    """The ports whose answers reached the scanner: a set of texts."""
    shown = scanner.run("nft list set inet lab answered").stdout
    elements = re.search(r"elements = \{(.*?)\}", shown, re.DOTALL)
    return set(re.findall(r"\d+", elements.group(1))) if elements else set()


def learnt_ports(host, scanner):
    """The number of ports that one scan from a fresh address learns."""
    address, _ = scanner.new_address()
    scanner.run("nft flush set inet lab answered")
    nmap = scanner.start(
        f"nmap -n -Pn -sS --max-retries 0 --min-rate 50000 --host-timeout 20s -p1-1000 {VICTIM}",
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    nmap.wait(60)
    count = len(answers(scanner))
    wait_until(f"{address} is blocked", lambda: any(
        record["outcome"] == "executed" for record in host.responses()
        if record["address"] == address), 20)
    time.sleep(2.5)  # a hold has run out, and the counting of the kernel begins anew
    return count


def measure(hold, runs, busy_runs):
    host = lab.Installation(ban_seconds=600, edit=lambda text: re.sub(
        "<hold>[a-z]+</hold>", f"<hold>{hold}</hold>", text).replace(
            "<global>", "<global><max_bans_per_minute>1000</max_bans_per_minute>", 1))
    scanner = lab.Scanner()
    try:
        scanner.run(["bash", "-c", "nft -f - <<'EOT'\n"
                     "add table inet lab\n"
                     "add set inet lab answered { type inet_service; size 65536; flags dynamic; }\n"
                     "add chain inet lab input { type filter hook input priority 0; }\n"
                     "add rule inet lab input tcp flags & (rst | ack) == rst | ack "
                     "add @answered { tcp sport }\n"
                     "add rule inet lab input tcp flags & (syn | ack) == syn | ack "
                     "add @answered { tcp sport }\nEOT"])
        host.start()
        if hold == "yes":
            wait_until("the hold is there", lambda: subprocess.run(
                "nft list table inet portcullis_hold".split(), capture_output=True,
                check=False).returncode == 0, 30)
        rows = {"quiet": [learnt_ports(host, scanner) for _ in range(runs)]}
        with BusyLoops():
            rows["two busy loops per core"] = [learnt_ports(host, scanner)
                                               for _ in range(busy_runs)]
        return rows
    finally:
        scanner.close()
        host.close()


def inside():
    options = argparse.ArgumentParser()
    options.add_argument("--runs", type=int, default=20)
    options.add_argument("--busy-runs", type=int, default=10)
    options = options.parse_args(ARGUMENTS)
    subprocess.run("mount -t tmpfs tmpfs /run".split(), check=True)
    lab.sh("ip link set lo up")
    server = subprocess.Popen([sys.executable, "-m", "http.server", str(OPEN_PORT)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors, "
          f"kernel {os.uname().release}\n")
    print("| hold | machine | runs | ports learnt: min / median / max |\n|---|---|---|---|")
    try:
        for hold in ("yes", "no"):
            for machine, counts in measure(hold, options.runs, options.busy_runs).items():
                if counts:
                    print(f"| {hold} | {machine} | {len(counts)} | {min(counts)} / "
                          f"{statistics.median(counts):g} / {max(counts)} |", flush=True)
    finally:
        server.kill()
        server.wait()
    print(f"\nload after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    if lab.SOURCE is None:
        sys.exit(__doc__)
    if os.environ.get("PORTCULLIS_LAB_INSIDE") == "yes":
        inside()
    else:
        os.environ["PORTCULLIS_LAB_INSIDE"] = "yes"
        os.execvp("unshare", ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child",
                              "--mount-proc", sys.executable, "-B", __file__, *sys.argv[1:],
                              *ARGUMENTS])
