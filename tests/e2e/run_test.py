#!/usr/bin/env python3
"""scripts/run: how it starts, how it stops, and what it leaves behind."""
import os
import pathlib
import re
import signal
import subprocess
import tempfile

import lab
from lab import VICTIM, kernel_bans, wait_until


class Run(lab.unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scanner = lab.Scanner()
        cls.addClassCleanup(cls.scanner.close)

    def installation(self, **options):
        host = lab.Installation(ban_seconds=600, **options)
        self.addCleanup(host.close)
        return host

    def scan(self):
        address, _ = self.scanner.new_address()
        self.scanner.run(f"nmap -n -Pn -sS --max-retries 0 -p1-60 {VICTIM}")
        return address

    def stops_and_unblocks(self, how, status):
        host = self.installation().start()
        address = self.scan()
        wait_until(f"{address} is blocked", lambda: address in kernel_bans())
        self.assertEqual(status, host.stop(how))
        self.assertEqual(set(), kernel_bans())
        self.assertTrue(self.scanner.reaches_victim())
        left = subprocess.run(["pgrep", "-f", str(host.home)], capture_output=True, text=True)
        self.assertEqual("", left.stdout, "a process of this home is left")

    def test_ctrl_c_stops_all_and_unblocks(self):
        self.stops_and_unblocks(signal.SIGINT, 130)

    def test_term_stops_all_and_unblocks(self):
        self.stops_and_unblocks(signal.SIGTERM, 143)

    def test_a_lost_terminal_stops_all_and_unblocks(self):
        self.stops_and_unblocks(signal.SIGHUP, 129)

    def test_a_dry_run_blocks_nobody_and_says_who_would_have_been(self):
        host = self.installation(options=["--dry-run"]).start()
        address = self.scan()
        record = wait_until("the dry run's record", lambda: next(
            (r for r in host.responses() if r["address"] == address), None))
        self.assertEqual("dry-run", record["outcome"])
        self.assertEqual(set(), kernel_bans())
        self.assertTrue(self.scanner.reaches_victim())

    def test_a_second_instance_of_one_home_is_refused(self):
        host = self.installation().start()
        second = subprocess.run(host.arguments, env=host.environment, capture_output=True, text=True)
        self.assertEqual(1, second.returncode)
        self.assertIn(f"another scripts/run serves the home {host.home}", second.stderr)
        self.assertIsNone(host.process.poll(), "the first one runs on")

    def test_a_home_with_errors_starts_nothing_and_names_them_all(self):
        host = self.installation(edit=lambda text: text.replace(
            "<command>firewall-drop</command>", "<command>firewall-dorp</command>").replace(
            "<jsonout_output>yes", "<jsonout_output>maybe"))
        done = subprocess.run(host.arguments, env=host.environment, capture_output=True, text=True)
        self.assertEqual(1, done.returncode)
        errors = re.findall(r"ossec\.conf:\d+:\d+: error: .*", done.stderr)
        self.assertGreaterEqual(len(errors), 2, done.stderr)
        self.assertIn('"firewall-dorp"', done.stderr)
        self.assertIn("nothing was started", done.stderr)
        self.assertFalse((host.home / "run/execd.sock").exists())

    def test_the_home_of_an_earlier_run_keeps_its_configuration(self):
        host = self.installation(edit=lambda text: text + "<!-- mine -->\n").start()
        host.stop()
        self.assertIn("<!-- mine -->", (host.home / "etc/ossec.conf").read_text())
        self.assertTrue(os.access(host.home / "active-response/bin/firewall-drop", os.X_OK))

    def test_unban_and_flush_work_while_it_runs_and_when_nothing_does(self):
        host = self.installation().start()
        first, second = self.scan(), self.scan()
        wait_until("both are blocked", lambda: kernel_bans() == {first, second})
        self.assertIn(first, host.control("bans").stdout)
        host.control("unban", first)
        self.assertEqual({second}, kernel_bans())
        # Everything dies at once: the kernel still drops, the journal still knows.
        for name in ("sensor", "engine", "execd"):
            os.kill(int((host.home / f"run/{name}.pid").read_text()), signal.SIGKILL)
        host.process.kill()
        host.process.wait()
        host.process = None
        self.assertEqual({second}, kernel_bans())
        host.control("flush")
        self.assertEqual(set(), kernel_bans())

    def test_after_kill_9_of_the_script_the_next_run_says_what_is_left_and_how_to_go_on(self):
        host = self.installation().start()
        host.process.kill()
        host.process.wait()
        host.process = None
        second = subprocess.run(host.arguments, env=host.environment, capture_output=True, text=True)
        self.assertEqual(1, second.returncode)
        self.assertIn("daemons of this home run already (execd engine sensor): stop them first", second.stderr)
        host.control("stop")
        host.start()
        self.assertEqual(143, host.stop())

    def test_a_daemon_that_hangs_does_not_keep_it_from_stopping(self):
        host = self.installation().start()
        os.kill(int((host.home / "run/sensor.pid").read_text()), signal.SIGSTOP)
        self.assertEqual(143, host.stop(signal.SIGTERM))
        left = subprocess.run(["pgrep", "-f", str(host.home)], capture_output=True, text=True)
        self.assertEqual("", left.stdout, "a process of this home is left")

    def test_a_home_where_others_may_write_is_refused_untouched(self):
        def given_away(folder):
            os.chown(folder, 65534, 65534)

        for what, harm, why in (
                ("the home itself", lambda host: given_away(host.home), "does not belong to root"),
                ("a folder above it", lambda host: given_away(host.folder), "does not belong to root"),
                ("open to all", lambda host: host.home.chmod(0o777), "can be written to by others"),
                ("open though sticky", lambda host: host.home.chmod(0o1777), "can be written to by others")):
            host = self.installation()
            harm(host)
            done = subprocess.run(host.arguments, env=host.environment, capture_output=True, text=True)
            self.assertEqual(1, done.returncode, what)
            self.assertIn(why, done.stderr, what)
            self.assertEqual(["etc"], os.listdir(host.home), what)


class Install(lab.unittest.TestCase):
    def test_the_denial_of_service_starts_never_stays(self):
        with tempfile.TemporaryDirectory() as folder:
            policy = pathlib.Path(folder) / "policy-rc.d"
            environment = dict(os.environ, PORTCULLIS_POLICY_FILE=str(policy))

            def denied(command):
                return subprocess.Popen(
                    ["bash", "-c", f'. "$0/scripts/common.sh"; without_service_starts {command}',
                     str(lab.SOURCE)], env=environment, start_new_session=True)

            self.assertEqual(1, denied("false").wait(20))
            self.assertFalse(policy.exists())
            for how in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                process = denied("sleep 60")
                wait_until("services are denied", policy.exists)
                os.killpg(process.pid, how)
                process.wait(20)
                wait_until(f"the denial is gone after {how}", lambda: not policy.exists())
            process = denied("sleep 60")
            wait_until("services are denied", policy.exists)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)
            self.assertTrue(policy.exists())
            self.assertEqual(0, denied("true").wait(20))  # the next one knows it for its own
            self.assertFalse(policy.exists())
            policy.write_text("#!/bin/sh\nexit 101\n")  # the administrator's
            self.assertEqual(0, denied("true").wait(20))
            self.assertTrue(policy.exists())


class Lab(lab.unittest.TestCase):
    def test_two_labs_at_once_show_the_whole_chain(self):
        labs = [subprocess.Popen(
            [str(lab.SOURCE / "scripts/run"), "--lab", "--no-install", "--no-build"],
            env=dict({k: v for k, v in os.environ.items() if k != "PORTCULLIS_LAB_INSIDE"},
                     PORTCULLIS_BIN=str(lab.BIN), PORTCULLIS_LAB_BAN_SECONDS="8"),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(2)]
        for process in labs:
            output, _ = process.communicate(timeout=120)
            self.assertEqual(0, process.returncode, output)
            self.assertRegex(output, r"nmap learnt \d+ of 1000 ports")
            self.assertIn("all of it happened", output)


if __name__ == "__main__":
    lab.main()
