#!/usr/bin/env python3
"""What is around the detection, on a real wire: names from a hostile DNS, users from an identd, garbage
for nmap -O, a full disk, rotation, syslog. One sensor per case, all on the same pair of hosts.

usage: around_test.py SOURCE_DIR BIN_DIR [unittest arguments]
"""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import tempfile
import threading
import unittest

import lab
from lab import VICTIM, wait_until

DNS = "10.10.150.53"


def setUpModule():
    global scanner
    scanner = lab.Scanner()
    unittest.addModuleCleanup(scanner.close)
    lab.sh(f"ip addr add {DNS}/24 dev pcvictim")  # where the fake name server listens


class Sensor:
    def __init__(self, case, conf="", *options, log=True):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-around."))
        self.folder.chmod(0o777)
        case.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.log, self.conf = self.folder / "iplog", self.folder / "iplog.conf"
        self.conf.write_text(conf)
        for name in ("hosts", "services", "resolv.conf"):
            (self.folder / name).touch()
        (self.folder / "resolv.conf").write_text(f"nameserver {DNS}\n")
        self.command = [str(lab.BIN / "portcullis-sensor"), "--config", str(self.conf),
                        "--pid-file", str(self.folder / "pid"), "-u", "nobody", "-i", "pcvictim",
                        "--hosts", str(self.folder / "hosts"),
                        "--services", str(self.folder / "services"),
                        "--resolv-conf", str(self.folder / "resolv.conf"),
                        "--status-file", str(self.folder / "status"), "-o", *options]
        if log:
            self.command += ["-l", str(self.log)]
        self.process = None
        case.addCleanup(self.kill)

    def start(self, ready=None):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        wait_until("the sensor runs", ready or (lambda: self.has(r"iplog started\.")), 20)
        return self

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def has(self, pattern):
        return re.search(pattern, self.text(), re.MULTILINE)

    def wait_for(self, pattern, seconds=10):
        return wait_until(f"a line like {pattern}", lambda: self.has(pattern), seconds)

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        self.signal(signal.SIGTERM)
        output = self.process.communicate(timeout=20)[0]
        return self.process.returncode, output

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

    def counter(self, name):
        found = re.search(rf'"{name}": (\d+)', (self.folder / "status").read_text())
        return int(found[1])


def connect(port=22, source_port=None):
    """A SYN from the scanner; whether the port is open does not matter."""
    bind = f"s.bind(('', {source_port}));" if source_port else ""
    scanner.run(["python3", "-c", "import socket; s = socket.socket(); s.settimeout(5);"
                 f"s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); {bind}"
                 f"s.connect_ex(('{VICTIM}', {port}))"])


def read_some(fd):
    """What a FIFO holds now; nothing = b""."""
    with contextlib.suppress(BlockingIOError):
        return os.read(fd, 65536)
    return b""


class NameServer:
    """Answers each PTR question with what `name_of(question)` says; None = not at all."""

    def __init__(self, case, name_of):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((DNS, 53))
        self.socket.settimeout(0.1)
        self.name_of, self.asked, self.ends = name_of, [], False
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        case.addCleanup(self.close)

    def close(self):
        self.ends = True
        self.thread.join()
        self.socket.close()

    def serve(self):
        while not self.ends:
            with contextlib.suppress(TimeoutError):
                query, peer = self.socket.recvfrom(2048)
                end = query.index(b"\0", 12) + 5
                labels, at = [], 12
                while query[at]:
                    labels.append(query[at + 1:at + 1 + query[at]].decode())
                    at += query[at] + 1
                self.asked.append(".".join(labels))
                name = self.name_of(self.asked[-1])
                if name is None:
                    continue
                data = b"".join(bytes([len(part)]) + part for part in name.split(b".")) + b"\0"
                self.socket.sendto(
                    query[:2] + struct.pack("!HHHHH", 0x8180, 1, 1, 0, 0) + query[12:end] +
                    struct.pack("!HHHIH", 0xc00c, 12, 1, 300, len(data)) + data, peer)


# This namespace reaches its own address over lo; a name server on the wire would be the same.
class Names(unittest.TestCase):
    def test_a_name_is_written_when_it_is_known_and_the_address_before(self):
        NameServer(self, lambda question: b"scanner.example")
        address, _ = scanner.new_address()
        sensor = Sensor(self, "set log_ip true\n").start()
        connect(source_port=41001)
        sensor.wait_for(rf"from {re.escape(address)}:41001$")
        wait_until("the name is known", lambda: connect() or sensor.has(
            rf"from scanner\.example \({re.escape(address)}\):\d+$"))
        sensor.end()
        self.assertRegex(sensor.text(), r"iplog statistics: .*names_answered 1,")

    def test_a_slow_or_absent_resolver_delays_no_detection(self):
        server = NameServer(self, lambda question: None)
        address, _ = scanner.new_address()
        sensor = Sensor(self, "set log_ip true\n").start()
        scanner.run(f"nmap -n -Pn -sS --max-retries 0 -p1-100 {VICTIM}")
        sensor.wait_for(rf"SYN scan detected .* from {re.escape(address)} ", 3)
        wait_until("the name was asked for", lambda: server.asked)

    def test_a_name_that_lies_forges_no_line(self):
        lies = [b"x from 9.9.9.9", b"a\nNov  9 16:24:47 TCP: SYN scan detected from 9.9.9.9",
                b"9.9.9.9", b"a\x1b[2J.example", b"a->b.example", b"a@b.example", b"x (9"]
        NameServer(self, lambda question: lies[int(question.split(".")[0]) % len(lies)])
        sensor = Sensor(self).start()
        for _ in lies:
            address, _ = scanner.new_address()
            connect(source_port=41001)
            sensor.wait_for(rf"from {re.escape(address)}:41001$")
            connect(source_port=41002)
            sensor.wait_for(rf"from {re.escape(address)}:41002$")
        sensor.end()
        self.assertNotRegex(sensor.text(), r"9\.9\.9\.9|example|\x1b")

    def test_hosts_and_services_are_read_again_at_hup(self):
        sensor = Sensor(self, "set log_ip true\n").start()
        address, _ = scanner.new_address()
        connect(4242, 41001)
        sensor.wait_for(rf"TCP: port 4242 connection attempt from {re.escape(address)}:41001$")
        (sensor.folder / "hosts").write_text(f"{address} known.example\n")
        (sensor.folder / "services").write_text("answer 4242/tcp\n")
        sensor.signal(signal.SIGHUP)
        sensor.wait_for(r"Restarting iplog \(pid \d+\)\.$")
        connect(4242, 41002)
        sensor.wait_for(rf"TCP: answer connection attempt from known\.example \({re.escape(address)}\):41002$")


class Ident(unittest.TestCase):
    def setUp(self):
        self.listener = socket.create_server((VICTIM, 2323))
        self.addCleanup(self.listener.close)
        self.address, _ = scanner.new_address()
        self.sensor = Sensor(self, "set get_ident true\nset disable_resolver true\n").start()

    def identd(self, answer):
        """On the scanner: `answer` is Python that makes the reply of `q`, the question's ports."""
        code = ("import socket\ns = socket.create_server(('', 113))\nprint('up', flush=True)\n"
                "while True:\n  c, _ = s.accept()\n"
                "  q = c.recv(100).decode().strip().replace(' ', '')\n"
                f"  c.sendall(({answer}).encode())\n  c.close()\n")
        server = scanner.start(["python3", "-c", code], stdout=subprocess.PIPE, text=True)
        self.addCleanup(server.communicate)
        self.addCleanup(server.kill)
        self.assertEqual("up\n", server.stdout.readline())

    def test_the_user_is_written_with_the_attempt(self):
        self.identd(r"f'{q} : USERID : UNIX : fred\r\n'")
        connect(2323, 41001)
        self.sensor.wait_for(rf"TCP: port 2323 connection attempt from fred@{re.escape(self.address)}:41001$")

    def test_an_answer_that_lies_is_none(self):
        self.identd(r"f'{q} : USERID : UNIX : x from 9.9.9.9\r\n'")
        connect(2323, 41001)
        self.sensor.wait_for(rf"port 2323 connection attempt from {re.escape(self.address)}:41001$")
        self.assertNotIn("9.9.9.9", self.sensor.text())

    def test_without_an_identd_the_attempt_comes_alone_and_closed_ports_are_not_asked_about(self):
        connect(2323, 41001)
        connect(2324, 41002)
        self.sensor.wait_for(rf"port 2323 connection attempt from {re.escape(self.address)}:41001$")
        self.sensor.wait_for(rf"port 2324 connection attempt from {re.escape(self.address)}:41002$")
        self.sensor.end()
        self.assertRegex(self.sensor.text(), r"statistics: .*users_asked 1,")


class FoolNmap(unittest.TestCase):
    # What differs from one scan to the next of one host, as the ranges that nmap-os-db allows.
    UNSTEADY = {"SP": "0-FFFF", "GCD": "1-FFFF", "ISR": "0-FFFF", "TS": "0-FF"}

    def setUp(self):
        listener = socket.create_server((VICTIM, 8081))
        self.addCleanup(listener.close)
        scanner.new_address()
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def scan(self):
        return scanner.run(f"nmap -n -Pn -O -v --datadir {self.folder.name} --max-os-tries 1 -p8081,1 {VICTIM}").stdout

    def teach_nmap(self, fingerprint):
        """Its database becomes this one host, weighed as in its own."""
        tests = []
        for name, values in re.findall(r"(\w+)\(([^)]*)\)", fingerprint):
            if name != "SCAN":
                pairs = (value.partition("=") for value in values.split("%"))
                tests.append(f"{name}({'%'.join(f'{key}={self.UNSTEADY.get(key, value)}' for key, _, value in pairs)})")
        own = pathlib.Path("/usr/share/nmap/nmap-os-db").read_text()
        weights = re.search(r"^MatchPoints\n(?:[A-Z].*\n)+", own, re.MULTILINE)[0]
        (pathlib.Path(self.folder.name) / "nmap-os-db").write_text(
            weights + "\nFingerprint The victim\nClass Linux | Linux | X | general purpose\n" + "\n".join(tests) + "\n")

    def test_nmap_finds_the_host_it_knows_and_no_exact_match_any_more(self):
        self.teach_nmap("T1(R=N)")  # nobody
        for _ in range(4):  # an answer may be late
            shown = self.scan()
            if "OS details: The victim" in shown:
                break
            self.teach_nmap("".join(re.findall(r"^OS:(.*)$", shown, re.MULTILINE)))
        self.assertIn("OS details: The victim", shown)
        sensor = Sensor(self, "set fool_nmap true\n").start()
        shown = self.scan()
        self.assertNotIn("OS details:", shown)
        self.assertRegex(shown, "No exact OS matches|No OS matches")
        fingerprint = "".join(re.findall(r"^OS:(.*)$", shown, re.MULTILINE))
        self.assertRegex(fingerprint, r"T2\(R=Y%DF=.%T=FF")
        self.assertNotEqual((0, 0), sensor.end())
        self.assertRegex(sensor.text(), r"nmap_probes_answered [1-9]")

    def test_it_sends_nothing_unless_it_is_switched_on(self):
        scanner.new_address()
        sensor = Sensor(self).start()
        raw = subprocess.run(["ls", "-l", f"/proc/{sensor.process.pid}/fd"], capture_output=True,
                             text=True, check=True).stdout
        sockets = set(re.findall(r"socket:\[(\d+)\]", raw))
        table = pathlib.Path(f"/proc/{sensor.process.pid}/net/raw").read_text()
        self.assertEqual(set(), sockets & set(table.split()))


class OtherInterfaces(unittest.TestCase):
    def test_hup_follows_the_interfaces_of_the_configuration(self):
        sensor = Sensor(self, "interface pcvictim\n")
        at = sensor.command.index("-i")
        del sensor.command[at:at + 2]
        sensor.start()

        def scan():
            address, _ = scanner.new_address()
            scanner.run(f"nmap -n -Pn -sX -p1-60 {VICTIM}")
            lab.sh("nmap -n -Pn -sX -p1-60 127.0.0.1")
            return rf"Xmas scan detected .* from {re.escape(address)} "

        def configure(text):
            starts = sensor.text().count("iplog started.")
            sensor.conf.write_text(text)
            sensor.signal(signal.SIGHUP)
            wait_until("it starts anew", lambda: sensor.text().count("iplog started.") > starts)

        own = r"Xmas scan detected .* from 127\.0\.0\.1 "
        sensor.wait_for(scan())
        self.assertFalse(sensor.has(own))
        configure("interface lo,pcnever\n")
        sensor.wait_for(r"Warning: cannot listen on pcnever\.$")
        away = scan()
        sensor.wait_for(own)
        self.assertFalse(sensor.has(away))
        configure("interface pcvictim\npromisc 10.10.150.0/24\n")
        sensor.wait_for(scan().replace("detected", "detected to .*"))
        link = subprocess.run(["ip", "-d", "link", "show", "pcvictim"], capture_output=True,
                              text=True, check=True).stdout
        self.assertIn("promiscuity 1", link)


class Log(unittest.TestCase):
    def test_a_fifo_that_nobody_reads_is_an_error_and_a_lost_reader_is_waited_for(self):
        sensor = Sensor(self)
        os.mkfifo(sensor.log)
        done = subprocess.run(sensor.command, capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(255, done.returncode)
        self.assertIn("Unable to open", done.stdout)
        reader = os.open(sensor.log, os.O_RDONLY | os.O_NONBLOCK)
        sensor.start(ready=lambda: b"iplog started." in read_some(reader))
        os.close(reader)
        scanner.new_address()
        connect(2222, 41010)
        wait_until("the packet is counted", lambda: sensor.counter("packets_to_us") >= 1, 15)
        reader = os.open(sensor.log, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        wait_until("the line comes later", lambda: b":41010\n" in read_some(reader), 15)

    def test_a_full_disk_costs_no_line(self):
        sensor = Sensor(self)
        disk = sensor.folder / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=777", "tmpfs", str(disk)],
                       check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", str(disk)], check=True)
        sensor.log = disk / "iplog"
        sensor.command[-1] = str(sensor.log)
        sensor.start()
        filler = disk / "filler"
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
            while True:
                file.write(b"x" * 512)
        address, _ = scanner.new_address()
        # More lines than the rest of the log's last page can take, of a client that is not a scanner.
        listener = socket.create_server((VICTIM, 8082), backlog=200)
        self.addCleanup(listener.close)
        scanner.run(["python3", "-c", "import socket\nfor number in range(100):\n"
                     f"  socket.create_connection(('{VICTIM}', 8082)).close()\n"])
        def ticks():
            fields = pathlib.Path(f"/proc/{sensor.process.pid}/stat").read_text().split()
            return int(fields[13]) + int(fields[14])
        before = ticks()
        connect(2222, 41009)
        wait_until("the packets are counted", lambda: sensor.counter("packets_to_us") >= 102, 15)
        self.assertFalse(sensor.has(":41009$"))
        self.assertLess(ticks() - before, 100)
        filler.unlink()
        sensor.wait_for(rf"from {re.escape(address)}:41009$", 15)
        sensor.wait_for(r"Warning: the log could not be written for \d+ seconds; 0 lines are lost\.$")
        code, output = sensor.end()
        self.assertEqual(0, code)
        self.assertIn("cannot write the log: No space left on device", output)
        # Each line is whole and there once.
        for line in sensor.text().splitlines():
            self.assertRegex(line, r"^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [A-Z i]")
        self.assertEqual(1, len(re.findall(":41009$", sensor.text(), re.MULTILINE)))

    def test_rotation_by_rename_and_by_copytruncate(self):
        scanner.new_address()
        sensor = Sensor(self).start()
        connect(2222, 41001)
        sensor.wait_for(":41001$")
        old = sensor.folder / "iplog.1"
        sensor.log.rename(old)
        connect(2222, 41002)
        wait_until("the old file goes on", lambda: ":41002\n" in old.read_text())
        sensor.signal(signal.SIGHUP)
        sensor.wait_for(r"iplog started\.$")
        connect(2222, 41003)
        sensor.wait_for(":41003$")
        shutil.copy(sensor.log, sensor.folder / "iplog.2")
        os.truncate(sensor.log, 0)
        connect(2222, 41004)
        sensor.wait_for(r"^[A-Z][a-z]{2} .*:41004$")
        self.assertNotIn("\0", sensor.text())

    def test_repeats_and_statistics_are_told_at_the_end(self):
        address, _ = scanner.new_address()
        sensor = Sensor(self).start()
        scanner.run(f"ping -n -c 4 -i 0.2 {VICTIM}")
        wait_until("the pings are counted", lambda: sensor.counter("packets_to_us") >= 4, 15)
        sensor.end()
        lines = [line.split(" ", 3)[3] if line[4] != " " else line.split(None, 3)[3]
                 for line in sensor.text().splitlines()]
        pings = lines.index(f"ICMP: echo from {address} (64 bytes)")
        self.assertEqual("last message repeated 3 times", lines[pings + 1])
        self.assertRegex(lines[-2], r"^iplog statistics: packets_to_us \d+, packets_from_us \d+, ")
        self.assertEqual("Caught signal 15, exiting.", lines[-1])


class Syslog(unittest.TestCase):
    def test_without_a_log_file_lines_go_to_syslog(self):
        # Only in this mount namespace.
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/dev"], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", "/dev"], check=True)
        for name, minor in (("null", 3), ("urandom", 9), ("random", 8)):
            os.mknod(f"/dev/{name}", 0o666 | stat.S_IFCHR, os.makedev(1, minor))
            os.chmod(f"/dev/{name}", 0o666)
        receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(receiver.close)
        receiver.bind("/dev/log")
        os.chmod("/dev/log", 0o666)
        receiver.settimeout(15)
        scanner.new_address()
        sensor = Sensor(self, "facility local3\npriority warning\n", log=False)
        started = []
        sensor.start(lambda: started or started.append(receiver.recv(4096)) or True)
        head = rb"<156>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d iplog\[%d\]: " % sensor.process.pid
        self.assertRegex(started[0], head + rb"iplog started\.$")
        connect(2222, 41001)
        self.assertRegex(receiver.recv(4096), head + rb"TCP: port 2222 connection attempt from .*:41001$")
        sensor.end()


if __name__ == "__main__":
    lab.main()
