#!/usr/bin/env python3
"""Ordinary clients are neither reported as scanners nor blocked; an administrator never is."""
import http.server
import pathlib
import socket
import subprocess
import threading

import lab
from lab import VICTIM, kernel_bans, wait_until

SSH_PORT = 2222


class Clients(lab.HostCase):
    def test_a_web_client_that_fetches_50_files_is_no_scanner(self):
        folder = self.host.folder / "www"
        folder.mkdir()
        for number in range(50):
            (folder / f"{number}.html").write_text("x" * 2000)

        class Files(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *arguments):
                super().__init__(*arguments, directory=str(folder))

            def log_message(self, *_):
                pass
        server = http.server.ThreadingHTTPServer((VICTIM, 8080), Files)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        address, _ = self.scanner.new_address()
        self.scanner.run(["python3", "-c", f"""
import urllib.request
for number in range(50):
    page = urllib.request.urlopen('http://{VICTIM}:8080/%d.html' % number)
    assert len(page.read()) == 2000
"""])
        self.assert_benign(address)

    def test_a_dns_client_with_60_queries_is_no_scanner(self):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind((VICTIM, 53))
        self.addCleanup(server.close)

        def answer():
            try:
                while True:
                    query, peer = server.recvfrom(2048)
                    server.sendto(query[:2] + b"\x81\x83" + query[4:], peer)  # NXDOMAIN
            except OSError:
                pass  # closed
        threading.Thread(target=answer, daemon=True).start()
        address, _ = self.scanner.new_address()
        self.scanner.run(["python3", "-c", f"""
import socket
for number in range(60):
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(5)
    query = bytes([0, number, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 97, 0, 0, 1, 0, 1])
    client.sendto(query, ('{VICTIM}', 53))
    assert client.recv(2048)[:2] == query[:2]
"""])
        self.assert_benign(address)


class Ssh(lab.HostCase):
    """A real sshd, on a port of its own choice."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.folder = cls.host.folder / "ssh"
        folder.mkdir(mode=0o700)
        pathlib.Path("/run/sshd").mkdir(exist_ok=True)
        for key in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)],
                           check=True)
        (folder / "config").write_text(
            f"Port {SSH_PORT}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n"
            "PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n")
        cls.sshd = subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", str(folder / "config")],
                                    stderr=subprocess.DEVNULL)
        cls.addClassCleanup(cls.sshd.wait)
        cls.addClassCleanup(cls.sshd.terminate)

        def listening():
            with socket.socket() as probe:
                return probe.connect_ex((VICTIM, SSH_PORT)) == 0
        wait_until("sshd listens", listening)

    def ssh(self, command):
        return ["ssh", "-F", "none", "-i", str(self.folder / "user"), "-p", str(SSH_PORT),
                "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                "-o", "BatchMode=yes", f"root@{VICTIM}", command]

    def scan(self):
        self.scanner.run(f"nmap -n -Pn -sS --max-retries 0 -p1-120 {VICTIM}")

    def test_a_login_and_a_session_are_no_scan(self):
        address, _ = self.scanner.new_address()
        done = self.scanner.run(self.ssh("echo logged in; seq 20000 | tail -n 1"))
        self.assertEqual("logged in\n20000\n", done.stdout)
        self.assert_benign(address)

    def test_the_peer_of_an_authenticated_session_is_spared_though_it_scans(self):
        address, _ = self.scanner.new_address()
        session = self.scanner.start(self.ssh("echo ready; cat"), stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(session.kill)
        self.assertEqual("ready\n", session.stdout.readline())
        self.scan()
        spared = wait_until("the spared address is on record",
                            lambda: self.responses_against(address))[0]
        self.assertEqual("spared", spared["outcome"])
        self.assertIn("ssh", spared["reason"])
        self.assertNotIn(address, kernel_bans())
        output, _ = session.communicate("still here\n", timeout=20)
        self.assertEqual("still here\n", output)

    def test_a_mere_connection_to_sshd_spares_nobody(self):
        address, _ = self.scanner.new_address()
        connection = self.scanner.start(["python3", "-c", f"""
import socket, sys
connection = socket.create_connection(('{VICTIM}', {SSH_PORT}))
connection.recv(100)
print('open', flush=True)
sys.stdin.read()
"""], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(connection.kill)
        self.assertEqual("open\n", connection.stdout.readline())
        self.scan()
        wait_until(f"{address} is on record as blocked", lambda: any(
            record["action"] == "add" and record["outcome"] == "executed"
            for record in self.responses_against(address)))


if __name__ == "__main__":
    lab.main()
