"""The sensor alone on a real wire: real tools on the other host, and the lines that must follow.

usage: sensor_test.py SOURCE_DIR BIN_DIR [unittest arguments]
"""
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import lab

CONF = "set log_ip true\nset ignore_dns true\n"


def is_sanitized():
    return b"__asan_init" in (lab.BIN / "portcullis-sensor").read_bytes()


class Sensor:
    """portcullis-sensor in the foreground on the victim's side."""

    def __init__(self, *options):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-sensor."))
        self.folder.chmod(0o755)
        self.log = self.folder / "iplog"
        self.pid_file = self.folder / "pid"
        (self.folder / "iplog.conf").write_text(CONF)
        self.command = [str(lab.BIN / "portcullis-sensor"), "--config",
                        str(self.folder / "iplog.conf"), "-l", str(self.log), "--pid-file",
                        str(self.pid_file), "-u", "nobody", *options]
        self.read = 0

    def start(self):
        self.process = subprocess.Popen(self.command + ["-o"], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        lab.wait_until("the sensor runs", lambda: self.has("iplog started"))
        return self

    def text(self):
        return self.log.read_text() if self.log.exists() else ""

    def new_text(self):
        return self.text()[self.read:]

    def has(self, pattern):
        return re.search(pattern, self.new_text(), re.MULTILINE)

    def forget(self):
        self.read = len(self.text())

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        output = self.process.communicate(timeout=20)[0]
        text = self.text()
        shutil.rmtree(self.folder)
        return self.process.returncode, output, text


class SensorTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scanner = lab.Scanner()
        cls.sensor = Sensor("-i", "pcvictim").start()

    @classmethod
    def tearDownClass(cls):
        code, output, text = cls.sensor.end()
        cls.scanner.close()
        assert code == 0, f"exit {code}: {output}"
        assert "Caught signal 15, exiting." in text, text[-500:]
        # The scans that went on are summed up at the end.
        assert " mode expired for " in text, text[-500:]

    def lines_after(self, command, last, v6=False):
        """Runs `command` from a fresh address; waits for `last`; returns address and new lines."""
        v4_address, v6_address = self.scanner.new_address()
        address = v6_address if v6 else v4_address
        self.sensor.forget()
        self.scanner.run(command, check=False)
        lab.wait_until(f"{last!r} after {command}",
                       lambda: self.sensor.has(last.replace("ADDRESS", re.escape(address))), 10)
        return address, self.sensor.new_text()

    def test_each_scan_is_named(self):
        rows = [
            ("nmap -n -Pn -sS -p1-300", "TCP: SYN scan", False),
            ("nmap -n -Pn -sT -p1-300", "TCP: port scan", False),
            ("nmap -n -Pn -sF -p1-100", "TCP: FIN scan", False),
            ("nmap -n -Pn -sN -p1-100", "TCP: null scan", False),
            ("nmap -n -Pn -sX -p1-100", "TCP: Xmas scan", False),
            ("nmap -n -Pn -sU --max-retries 0 -p1-60", "UDP: scan/flood", False),
            ("nmap -6 -n -Pn -sS -p1-300", "TCP: SYN scan", True),
            ("nmap -6 -n -Pn -sT -p1-300", "TCP: port scan", True),
            ("nmap -6 -n -Pn -sX -p1-100", "TCP: Xmas scan", True),
        ]
        for command, kind, v6 in rows:
            with self.subTest(command=command):
                target = lab.VICTIM6 if v6 else lab.VICTIM
                _, text = self.lines_after(f"{command} {target}",
                                           kind + r" detected \[ports [\d,]+(,\.\.\.)?\] from ADDRESS \[", v6)
                self.assertEqual(re.findall(r"(\S+: .*) detected", text), [kind])

    def test_a_ping_flood_is_named(self):
        self.lines_after(f"ping -n -f -c 200 {lab.VICTIM}", r"ICMP: ping flood detected from ADDRESS \(forgeable\)$")

    def test_a_traceroute_is_nothing_but_a_traceroute(self):
        for target, v6 in ((lab.VICTIM, False), (lab.VICTIM6, True)):
            _, text = self.lines_after(f"traceroute -n {target}", "UDP: traceroute from ADDRESS$", v6)
            self.assertNotIn("detected", text)
            self.assertNotIn("dgram", text)

    def test_a_busy_client_of_an_open_port_is_no_scan(self):
        server = subprocess.Popen(["python3", "-m", "http.server", "8080", "--bind", lab.VICTIM],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            fetch = ("import urllib.request as u\nfor i in range(50):\n"
                     f"  u.urlopen('http://{lab.VICTIM}:8080/', timeout=5).read()\n")
            self.scanner.new_address()
            lab.wait_until("the web server", lambda: self.scanner.run(
                ["python3", "-c", f"import socket; socket.create_connection(('{lab.VICTIM}', 8080))"],
                check=False).returncode == 0)
            self.sensor.forget()
            self.scanner.run(["python3", "-c", fetch])
            # A marker behind them in the log: all that came before has been judged.
            self.lines_after(f"nmap -n -Pn -sN -p1-30 {lab.VICTIM}", "null scan detected")
        finally:
            server.kill()
            server.wait()
        self.assertEqual(len(re.findall(" detected", self.sensor.new_text())), 1)

    def test_the_grade_of_the_evidence_follows_the_handshakes(self):
        """Connections that a source completed prove its address; the kernel filter keeps back all but their ends."""
        listeners = []
        try:
            for port in range(20001, 20022):
                listeners.append(socket.create_server((lab.VICTIM, port)))
            touch = ("import socket, struct\nfor port in range(20001, 20022):\n"
                     f"  s = socket.create_connection(('{lab.VICTIM}', port))\n"
                     "  s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\n"
                     "  s.close()\n")
            self.lines_after([sys.executable, "-c", touch],
                             r"open port probing detected .*from ADDRESS .*\(proven\)$")
            self.lines_after(f"nmap -n -Pn -sS -p20001-20021 {lab.VICTIM}",
                             r"open port probing detected .*from ADDRESS .*\(forgeable\)$")
            # A connection that the host closes first, and then a scan of closed ports.
            address, _ = self.scanner.new_address()
            self.sensor.forget()
            with listeners[0]:
                client = self.scanner.start([sys.executable, "-c", "import socket\n"
                                             f"s = socket.create_connection(('{lab.VICTIM}', 20001)); s.recv(9); s.close()"])
                while True:  # the connections that were reset are there too
                    accepted, (peer, _) = listeners[0].accept()
                    accepted.close()
                    if peer == address:
                        break
                client.wait(10)
            self.scanner.run(f"nmap -n -Pn -sX -p1-30 {lab.VICTIM}", check=False)
            lab.wait_until("the scan is proven", lambda: self.sensor.has(
                rf"Xmas scan detected .*from {re.escape(address)} .*\(proven\)$"))
        finally:
            for listener in listeners:
                listener.close()

    def test_system_calls_are_limited(self):
        status = pathlib.Path(f"/proc/{self.sensor.process.pid}/status").read_text()
        if "Seccomp_filters" not in status:
            self.skipTest("a kernel without seccomp")
        # Builds with sanitizers have no filter.
        self.assertRegex(status, r"Seccomp:\s+[02]\n" if is_sanitized() else r"Seccomp:\s+2\n")
        self.assertRegex(status, r"NoNewPrivs:\s+1\n")

    def test_privileges_are_dropped(self):
        status = pathlib.Path(f"/proc/{self.sensor.process.pid}/status").read_text()
        self.assertRegex(status, r"CapPrm:\s+0000000000002000\n")  # CAP_NET_RAW
        self.assertRegex(status, r"CapEff:\s+0000000000000000\n")
        self.assertNotRegex(status, r"Uid:\s+0\b")

    def test_a_second_one_is_refused(self):
        again = subprocess.run(self.sensor.command + ["-i", "pcvictim", "-o"], capture_output=True,
                               text=True, timeout=20, check=False)
        self.assertEqual(again.returncode, 255)
        self.assertIn(f"already running (pid: {self.sensor.process.pid})", again.stdout)

    def test_it_idles_when_nothing_happens(self):
        def ticks():
            fields = pathlib.Path(f"/proc/{self.sensor.process.pid}/stat").read_text().split()
            return int(fields[13]) + int(fields[14])
        before = ticks()
        time.sleep(3)  # measured, not waited for
        self.assertLessEqual(ticks() - before, 3)  # of 300

    def test_a_new_address_becomes_ours(self):
        self.scanner.new_address()
        self.sensor.forget()
        lab.sh("ip addr add 10.10.150.200/24 dev pcvictim")
        try:
            lab.wait_until("the address is followed", lambda: (
                self.scanner.run("nmap -n -Pn -sX -p1-30 --max-retries 0 10.10.150.200", check=False)
                and self.sensor.has("Xmas scan detected")), 20)
        finally:
            lab.sh("ip addr del 10.10.150.200/24 dev pcvictim")


class DaemonTest(unittest.TestCase):
    """Without -o: the background, the pid file, -R and -k."""

    def test_it_detaches_rereads_and_ends_on_request(self):
        scanner = lab.Scanner()
        sensor = Sensor()
        try:
            subprocess.run(sensor.command, check=True, timeout=20, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
            lab.wait_until("it runs", lambda: sensor.has("iplog started"))
            pid = int(sensor.pid_file.read_text())
            sensor.forget()
            with open(sensor.folder / "iplog.conf", "a") as conf:
                conf.write("frobnicate\n")
            subprocess.run(sensor.command + ["-R"], check=True, timeout=20,
                           stdout=subprocess.DEVNULL)
            lab.wait_until("it restarts", lambda: sensor.has("iplog started"))
            self.assertIn(f"Restarting iplog (pid {pid}).", sensor.new_text())
            self.assertIn("[line 3] Invalid rule: frobnicate", sensor.new_text())
            subprocess.run(sensor.command + ["-k"], check=True, timeout=20,
                           stdout=subprocess.DEVNULL)
            lab.wait_until("it ends", lambda: sensor.has("Caught signal 15, exiting."))
            lab.wait_until("the pid file is given back", lambda: not sensor.pid_file.exists() or
                           not sensor.pid_file.read_text())
        finally:
            scanner.close()
            shutil.rmtree(sensor.folder)


if __name__ == "__main__":
    lab.main()
