"""Two hosts for end-to-end tests: this process's network namespace is the protected host, a second
one is the scanner's. Everything (namespaces, processes, the temporary home) vanishes with the test.

    if __name__ == "__main__":
        lab.main()          # re-executes itself in fresh namespaces, then runs unittest

usage of a test file: X_test.py SOURCE_DIR BIN_DIR [unittest arguments]
"""
import contextlib
import ipaddress
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

VICTIM = "10.10.150.2"
VICTIM6 = "fd00:150::2"
SOURCE = pathlib.Path(sys.argv[1]) if len(sys.argv) > 2 else None
BIN = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None


def main():
    if SOURCE is None:
        sys.exit(__doc__)
    if os.environ.get("PORTCULLIS_LAB_INSIDE") != "yes":
        os.environ["PORTCULLIS_LAB_INSIDE"] = "yes"
        command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                   sys.executable] + sys.argv
        os.execvp(command[0], command)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    unittest.main(argv=[sys.argv[0]] + sys.argv[3:], verbosity=2)


def wait_until(what, condition, seconds=10.0):
    """Polls until condition() is true and returns its value; fails the test at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


class Scanner:
    """The other host: a network namespace at the far end of a veth pair."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "3600"])
        own = os.readlink("/proc/self/ns/net")

        def entered():
            with contextlib.suppress(OSError):
                return os.readlink(f"/proc/{self.holder.pid}/ns/net") != own
        wait_until("the scanner's namespace", entered)
        sh(f"ip link add pcvictim type veth peer name pcscanner netns {self.holder.pid}")
        sh(f"ip addr add {VICTIM}/24 dev pcvictim")
        sh(f"ip addr add {VICTIM6}/64 dev pcvictim nodad")
        sh("ip link set pcvictim up")
        self.run("ip link set lo up")
        self.run("ip link set pcscanner up")
        # The kernel's limits on ICMP errors would make UDP tests depend on timing.
        sh("sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0")
        self.last = 0

    def close(self):
        self.holder.kill()
        self.holder.wait()
        subprocess.run(["ip", "link", "del", "pcvictim"], check=False, capture_output=True)

    def command(self, command):
        return ["nsenter", "--net", "--target", str(self.holder.pid)] + (
            command.split() if isinstance(command, str) else command)

    def run(self, command, check=True, timeout=60):
        return subprocess.run(self.command(command), check=check, timeout=timeout,
                              capture_output=True, text=True)

    def start(self, command, **options):
        return subprocess.Popen(self.command(command), **options)

    def new_address(self):
        """Gives the scanner a fresh IPv4 and IPv6 address and returns both."""
        self.last += 1
        self.run("ip addr flush dev pcscanner scope global")
        v4, v6 = f"10.10.150.{10 + self.last}", f"fd00:150::{10 + self.last:x}"
        self.run(f"ip addr add {v4}/24 dev pcscanner")
        self.run(f"ip addr add {v6}/64 dev pcscanner nodad")
        return v4, v6

    def reaches_victim(self, address=VICTIM):
        return self.run(f"ping -n -c 1 -W 1 {address}", check=False).returncode == 0


def sh(command):
    subprocess.run(command.split(), check=True, stdout=subprocess.DEVNULL)


class Installation:
    """Portcullis as scripts/run runs it, in a temporary home."""

    def __init__(self, ban_seconds=4, interface="pcvictim", options=(), edit=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-e2e."))
        self.folder.chmod(0o755)
        self.home = self.folder / "home"
        self.ban_seconds = ban_seconds
        self.arguments = [str(SOURCE / "scripts/run"), "--home", str(self.home), "--interface",
                          interface, "--no-install", "--no-build", *options]
        self.environment = dict(os.environ, PORTCULLIS_BIN=str(BIN))
        self.fill(edit)
        self.process = None

    def fill(self, edit):
        """The home as scripts/run fills it, with a short ban."""
        (self.home / "etc").mkdir(parents=True)
        text = (SOURCE / "etc/ossec.conf").read_text()
        text = text.replace(">/var/log/iplog<", f">{self.home}/logs/iplog<")
        text = re.sub(r"<((?:forgeable_)?timeout)>\d+<", rf"<\g<1>>{self.ban_seconds}<", text)
        if edit:
            text = edit(text)
        (self.home / "etc/ossec.conf").write_text(text)

    def fill_rest(self):
        """What else scripts/run puts into the home, for tests that start the daemons otherwise."""
        script = ('. "$0/scripts/common.sh"; bin=$1; '
                  'fill_home "$2" "$2/logs/iplog" "$2/etc/iplog.conf"')
        subprocess.run(["bash", "-euc", script, str(SOURCE), str(BIN), str(self.home)], check=True)

    def start(self):
        self.output = open(self.folder / "run.out", "w")
        self.process = subprocess.Popen(self.arguments, stdout=self.output, env=self.environment,
                                        stderr=subprocess.STDOUT, start_new_session=True)
        wait_until("scripts/run is running",
                   lambda: self.process.poll() is not None or "\nRunning;" in self.printed(), 30)
        if self.process.poll() is not None:
            raise AssertionError("scripts/run ended:\n" + self.printed())
        return self

    def printed(self):
        return (self.folder / "run.out").read_text(errors="replace")

    def stop(self, how=signal.SIGTERM):
        """Signals scripts/run and returns its exit status."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            os.kill(self.process.pid, how)
        status = self.process.wait(30)
        self.process = None
        self.output.close()
        return status

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def control(self, *arguments, check=True):
        return subprocess.run([str(BIN / "portcullis-control"), "-D", str(self.home), *arguments],
                              check=check, capture_output=True, text=True)

    def _records(self, name):
        path = self.home / name
        if not path.exists():
            return []
        # A line that is still being written has no '\n' yet.
        return [json.loads(line) for line in path.read_text().split("\n")[:-1]]

    def lines(self):
        return (self.home / "logs/iplog").read_text().splitlines()

    def alerts(self):
        return self._records("logs/alerts/alerts.json")

    def responses(self):
        return self._records("logs/active-responses.json")


class Bans(set):
    """Addresses and networks as text. An address is in it if a network that holds it is."""

    def __contains__(self, address):
        return super().__contains__(address) or any(
            ipaddress.ip_address(address) in ipaddress.ip_network(ban) for ban in self)


def kernel_bans():
    """The addresses and networks that the kernel blocks, hard or softly."""
    listed = subprocess.run(["nft", "-j", "list", "table", "inet", "portcullis"],
                            capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        return Bans()
    banned = Bans()
    for item in json.loads(listed.stdout)["nftables"]:
        # "soft6_64" holds networks of 64 bits by their first addresses.
        _, _, length = item.get("set", {}).get("name", "").partition("_")
        for element in item.get("set", {}).get("elem", []):
            address = element["elem"]["val"] if isinstance(element, dict) else element
            banned.add(f"{address}/{length}" if length else address)
    return banned


class HostCase(unittest.TestCase):
    """Cases that share one installation and one scanner, which takes a fresh address each time."""

    ban_seconds = 4

    @classmethod
    def setUpClass(cls):
        cls.scanner = Scanner()
        cls.addClassCleanup(cls.scanner.close)
        cls.host = Installation(ban_seconds=cls.ban_seconds)
        cls.addClassCleanup(cls.host.close)
        cls.host.start()

    def line_with(self, pattern, seconds=15):
        return wait_until(f"a line that matches {pattern}", lambda: next(
            (line for line in self.host.lines() if re.search(pattern, line)), None), seconds)

    def alert_from(self, address, decoder):
        return wait_until(f"an alert of {decoder} from {address}", lambda: next(
            (alert for alert in self.host.alerts()
             if alert.get("srcip") == address and alert.get("decoder") == decoder), None))

    def responses_against(self, address):
        """The records about an address, or a network that holds it. What the kernel holds for a moment is no response."""
        return [record for record in self.host.responses() if record["outcome"] not in ("held", "confirmed", "lifted")
                and address in Bans({record["address"]} - {"-"})]

    def assert_benign(self, address):
        """No detection and no response for `address`, once the sensor has seen all that came."""
        marker, _ = self.scanner.new_address()
        self.scanner.run(f"nmap -n -Pn -sF --max-retries 0 -p1-20 {VICTIM}")
        self.line_with(f"FIN scan detected .*from {re.escape(marker)} ")
        wait_until("the marker is blocked", lambda: marker in kernel_bans())
        self.assertEqual([], [line for line in self.host.lines()
                              if " detected " in line and f" {address}" in line])
        self.assertEqual([], self.responses_against(address))
