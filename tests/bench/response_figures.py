#!/usr/bin/env python3
"""How long it takes from a line of the sensor to the drop in the kernel, what the daemons cost while nothing happens, and
their memory: the whole of Portcullis as scripts/run starts it, in a network namespace. For a machine that does nothing else.

A line is appended to the log that the engine follows, and the notification of the kernel that the address is in a set is
waited for; this process is woken at each end, which counts.

usage: response_figures.py SOURCE_DIR BIN_DIR [--lines N] [--note TEXT]
"""
import argparse
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import time

ARGUMENTS = sys.argv[3:]
sys.argv = sys.argv[:3]
if len(sys.argv) != 3:
    sys.exit(__doc__)
# The lab of the tree that is measured, so that an older one can be, too.
sys.path.insert(0, str(pathlib.Path(sys.argv[1]) / "tests/e2e"))
import lab  # noqa: E402

NETLINK_NETFILTER = 12
GROUP_NFTABLES = 7  # NFNLGRP_NFTABLES
SETTLE_SECONDS = 15  # after the start some things are looked at once more
IDLE_SECONDS = 20
PROGRAMS = ("portcullis-sensor", "portcullis-engine", "portcullis-execd", "firewall-drop")


def time_to_drop(events, log, address, note):
    """Seconds from the line to the notification."""
    line = (f"{time.strftime('%b %e %H:%M:%S')} TCP: SYN scan detected [ports 21,1] from {address} [port 60907]"
            f"{' (' + note + ')' if note else ''}\n")
    begin = time.monotonic()
    os.write(log, line.encode())
    while socket.inet_aton(address) not in events.recv(1 << 20):
        pass
    return time.monotonic() - begin


def processes():
    """Name of each daemon -> its process numbers."""
    found = {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            name = pathlib.Path(os.readlink(folder / "exe")).name
        except OSError:
            continue
        if name in PROGRAMS:
            found.setdefault(name, []).append(int(folder.name))
    return found


def processor_time(number):
    """Nanoseconds on a processor, of all its threads."""
    return sum(int((thread / "schedstat").read_text().split()[0])
               for thread in pathlib.Path(f"/proc/{number}/task").iterdir())


def memory(number, field):
    """Kilobytes."""
    text = pathlib.Path(f"/proc/{number}/smaps_rollup").read_text()
    return int(re.search(rf"^{field}:\s+(\d+)", text, re.MULTILINE).group(1))


def inside():
    options = argparse.ArgumentParser()
    options.add_argument("--lines", type=int, default=500)
    options.add_argument("--note", default="", help="of the lines: proven, forgeable; empty = none")
    options = options.parse_args(ARGUMENTS)
    subprocess.run("mount -t tmpfs tmpfs /run".split(), check=True)
    lab.sh("ip link set lo up")
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors, kernel {os.uname().release}")
    scanner = lab.Scanner()
    host = lab.Installation(ban_seconds=600, edit=lambda text: text.replace(
        "<global>", "<global><max_bans_per_minute>100000</max_bans_per_minute>", 1))
    try:
        host.start()
        time.sleep(SETTLE_SECONDS)
        before = {name: [processor_time(each) for each in numbers] for name, numbers in processes().items()}
        time.sleep(IDLE_SECONDS)
        for name, numbers in sorted(processes().items()):
            spent = sum(processor_time(each) for each in numbers) - sum(before[name])
            print(f"idle: {name}: {spent / IDLE_SECONDS / 1e7:.3f} % of a processor, "
                  f"RSS {sum(memory(each, 'Rss') for each in numbers)} kB, "
                  f"PSS {sum(memory(each, 'Pss') for each in numbers)} kB")
        events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        events.bind((0, 1 << (GROUP_NFTABLES - 1)))
        events.settimeout(10)
        log = os.open(host.home / "logs/iplog", os.O_WRONLY | os.O_APPEND)
        times = []
        for number in range(options.lines):
            times.append(time_to_drop(events, log, f"198.51.{number // 250}.{number % 250 + 1}", options.note))
            time.sleep(0.02)
        times = sorted(1e6 * each for each in times[10:])  # the first ones fault code in
        print(f"line to drop, {len(times)} lines{' (' + options.note + ')' if options.note else ''}: "
              f"p50 {statistics.median(times):.0f} µs, p99 {times[int(0.99 * len(times))]:.0f} µs, "
              f"max {times[-1]:.0f} µs")
    finally:
        scanner.close()
        host.close()


if __name__ == "__main__":
    if os.environ.get("PORTCULLIS_LAB_INSIDE") == "yes":
        inside()
    else:
        os.environ["PORTCULLIS_LAB_INSIDE"] = "yes"
        os.execvp("unshare", ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                              sys.executable, "-B", __file__, *sys.argv[1:], *ARGUMENTS])
