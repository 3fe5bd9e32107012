"""A home with portcullis-execd alone, in a network namespace of its own, for tests that talk to its socket.

    import execd_home            # re-executes the test in a fresh namespace

usage of a test file: X_test.py SOURCE_DIR BIN_DIR
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

if os.environ.get("PORTCULLIS_IN_NAMESPACE") != "1":
    probe = subprocess.run(["unshare", "--net", "true"], stderr=subprocess.DEVNULL)
    if probe.returncode != 0:
        print("SKIPPED: no network namespace can be made here (not root)")
        sys.exit(0)
    os.environ["PORTCULLIS_IN_NAMESPACE"] = "1"
    os.execvp("unshare", ["unshare", "--net", sys.executable, "-B", *sys.argv])

SOURCE, BIN = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
COMMAND = """<command><name>firewall-drop</name><executable>firewall-drop</executable><expect>srcip</expect>
    <timeout_allowed>yes</timeout_allowed><persistent>yes</persistent></command>"""
CONFIG = f"""<ossec_config>
  {COMMAND}
  <active-response><command>firewall-drop</command><location>local</location>
    <level>6</level><timeout>600</timeout></active-response>
</ossec_config>
"""


def main():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    unittest.main(argv=sys.argv[:1], verbosity=2)


class ExecdCase(unittest.TestCase):
    config = CONFIG

    def setUp(self):
        subprocess.run(["nft", "flush", "ruleset"], check=True)
        folder = tempfile.TemporaryDirectory(prefix="pc-execd-")
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)
        self.home.chmod(0o755)
        for name in ("etc", "active-response/bin", "logs/alerts", "run", "queue"):
            (self.home / name).mkdir(parents=True)
        (self.home / "etc/ossec.conf").write_text(self.config)
        shutil.copy(BIN / "firewall-drop", self.home / "active-response/bin")
        self.process = None
        self.addCleanup(self.stop, signal.SIGKILL)

    environment = None  # of execd; None = that of the test

    def start(self, *options):
        """Starts execd and returns a connection to it."""
        self.process = subprocess.Popen([BIN / "portcullis-execd", "-D", self.home, "-f", *options],
                                        stderr=subprocess.DEVNULL, env=self.environment)
        deadline = time.monotonic() + 20
        while True:
            try:
                return self.connect()
            except OSError:
                self.assertIsNone(self.process.poll(), "execd ended: " + self.log())
                self.assertLess(time.monotonic(), deadline, "execd does not listen")
                time.sleep(0.005)

    def connect(self):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.settimeout(20)
        try:
            connection.connect(str(self.home / "run/execd.sock"))
        except OSError:
            connection.close()
            raise
        self.addCleanup(connection.close)
        return connection

    def stop(self, number=signal.SIGTERM):
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(20)
            self.process = None

    def control(self, *arguments):
        return subprocess.run([BIN / "portcullis-control", "-D", self.home, *arguments],
                              capture_output=True, text=True, timeout=60)

    def wait_for(self, what, condition):
        """Polls until condition() is true, and returns its value."""
        deadline = time.monotonic() + 20
        while not (result := condition()):
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.02)
        return result

    def log(self):
        path = self.home / "logs/ossec.log"
        return path.read_text()[-2000:] if path.exists() else ""

    def records(self, address=None):
        """The records, or those about one address."""
        path = self.home / "logs/active-responses.json"
        lines = path.read_text().splitlines() if path.exists() else []
        return [record for record in map(json.loads, lines) if address in (None, record["address"])]

    def responder(self):
        """The process of the persistent responder; None = there is none."""
        done = subprocess.run(["pgrep", "-P", str(self.process.pid), "-x", "firewall-drop"],
                              capture_output=True, text=True)
        return int(done.stdout) if done.stdout else None
