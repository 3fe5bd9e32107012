#!/usr/bin/env python3
"""portcullis-logtest at a terminal (a pty): editing, history, colours; and none of it in a pipe.

usage: logtest_terminal_test.py PROJECT BIN_DIR
"""
import contextlib
import fcntl
import os
import pathlib
import pty
import select
import shlex
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

PROJECT, BIN = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
GATE = PROJECT / "tests/golden/rules/home"
UP, END = b"\x1b[A", b"\x04"


class Terminal:
    """logtest (or `command`) with a pty as its three streams; `ahead` is typed before it starts."""

    def __init__(self, folder, *arguments, ahead=b"", command=(BIN / "portcullis-logtest", "-D", GATE), **environment):
        self.master, slave = pty.openpty()
        self.before = termios.tcgetattr(slave)
        self.type(ahead)
        self.seen = b""
        variables = {"PATH": os.environ["PATH"], "TERM": "xterm", "LC_ALL": "C.UTF-8", "HOME": str(folder),
                     "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", ""), **environment}
        self.process = subprocess.Popen([*command, *arguments], stdin=slave,
                                        stdout=slave, stderr=slave, env=variables, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.slave = slave

    def until(self, text, seconds=20):
        """Reads until `text` has come since the last call; returns what came."""
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError(f"no {text!r} in {self.seen!r}")
            self.seen += os.read(self.master, 65536)
        came, self.seen = self.seen.split(text, 1)
        return came + text

    def type(self, keys):
        os.write(self.master, keys)

    def is_canonical(self):
        return bool(termios.tcgetattr(self.slave)[3] & termios.ICANON)

    def is_waiting(self):
        """The program in the foreground sleeps: it waits for keys."""
        status = pathlib.Path(f"/proc/{os.tcgetpgrp(self.master)}/stat").read_text()
        return status.rpartition(")")[2].split()[0] == "S"

    def resize(self):
        """To other columns than before."""
        rows, columns = os.get_terminal_size(self.master)[::-1]
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", rows or 25, (columns or 80) + 1, 0, 0))

    def end(self, seconds=20):
        """Types the end of input until the program ends; what it still prints is read, or it would wait for that."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            self.type(END)
            ready, _, _ = select.select([self.master], [], [], 1)
            if ready:
                with contextlib.suppress(OSError):
                    os.read(self.master, 65536)
        return self.process.wait(20)

    def close(self):
        self.process.kill()
        self.process.wait()
        for descriptor in (self.master, self.slave):
            with contextlib.suppress(OSError):
                os.close(descriptor)


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


class AtATerminal(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.history = self.folder / ".local/state/portcullis/logtest_history"

    def terminal(self, *arguments, **environment):
        terminal = Terminal(self.folder, *arguments, **environment)
        self.addCleanup(terminal.close)
        terminal.until(b"Type one log per line.")
        terminal.until(b"> ")
        return terminal

    def test_lines_are_edited_and_called_back_also_by_the_next_run(self):
        terminal = self.terminal()
        # Two letters too much and two backspaces.
        terminal.type(b"door 3 openedxx\x7f\x7f\n")
        terminal.until(b"full event: 'door 3 opened'")
        terminal.until(b"Rule id: '100201'")
        terminal.until(b"> ")
        terminal.type(UP + b" wide\n")
        terminal.until(b"full event: 'door 3 opened wide'")
        terminal.until(b"> ")
        self.assertEqual(terminal.end(), 0)
        self.assertEqual(stat.S_IMODE(self.history.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(self.history.parent.stat().st_mode), 0o700)

        again = self.terminal()
        again.type(UP + UP + b"\n")
        again.until(b"full event: 'door 3 opened'\r\n")

    def test_an_end_of_input_that_is_typed_too_early_is_one(self):
        # Typed while no line is read, ^D arrives as NUL when the terminal changes its mode.
        terminal = Terminal(self.folder, ahead=b"door 3 opened\n" + END)
        self.addCleanup(terminal.close)
        terminal.until(b"full event: 'door 3 opened'")
        terminal.until(b"Rule id: '100201'")
        terminal.until(b"> ")
        terminal.until(b"\n")
        self.assertEqual(terminal.process.wait(20), 0)

    def test_control_space_does_nothing(self):
        terminal = self.terminal()
        terminal.type(b"\0")
        terminal.type(b"door 3\0 opened\n")
        terminal.until(b"full event: 'door 3 opened'")
        terminal.until(b"> ")
        terminal.type(b"\0" + END)
        terminal.until(b"\r\n")
        self.assertEqual(terminal.process.wait(20), 0)

    def test_characters_of_several_bytes_and_bytes_that_are_none(self):
        line = "d\u00f6\u20acr".encode() + b"\xe9\xff 3\n"
        shown = "full event: 'd\u00f6\u20acr 3'".encode()
        terminal = self.terminal()
        terminal.type(line)
        terminal.until(shown)
        terminal = Terminal(self.folder, ahead=line)
        self.addCleanup(terminal.close)
        terminal.until(shown)

    def test_a_shell_finds_the_terminal_as_it_was_each_time_that_logtest_is_stopped(self):
        shell = Terminal(self.folder, command=["sh", "-i"], PS1="shell: ")
        self.addCleanup(shell.close)
        shell.until(b"shell: ")
        shell.type(shlex.join([str(BIN / "portcullis-logtest"), "-D", str(GATE)]).encode() + b"\n")
        shell.until(b"> ")
        for keys in (b"d", b"oo", b"r 3 opened"):
            shell.resize()
            shell.type(keys)
            shell.until(keys)
            self.assertTrue(wait_for(shell.is_waiting))
            shell.type(b"\x1a")
            shell.until(b"shell: ")
            self.assertTrue(shell.is_canonical())
            shell.type(b"fg\n")
            self.assertTrue(wait_for(lambda: not shell.is_canonical()))
        shell.type(b"\n")
        shell.until(b"full event: 'door 3 opened'")
        shell.until(b"> ")
        shell.type(b"\x03")
        shell.until(b"shell: ")
        self.assertTrue(shell.is_canonical())

    def test_history_follows_xdg_and_is_never_somebody_elses_file(self):
        state = self.folder / "state"
        terminal = self.terminal(XDG_STATE_HOME=str(state))
        terminal.type(b"door 4 opened\n")
        terminal.until(b"Rule id")
        self.assertIn("door", (state / "portcullis/logtest_history").read_text())
        self.assertFalse(self.history.exists())

        victim = self.folder / "victim"
        victim.write_text("precious")
        self.history.parent.mkdir(parents=True)
        self.history.symlink_to(victim)
        terminal = self.terminal()
        terminal.type(b"door 4 opened\n")
        terminal.until(b"Rule id")
        self.assertEqual(victim.read_text(), "precious")

    def test_colours_are_for_a_terminal_that_wants_them(self):
        colour = b"\x1b[1m**Phase 1: Completed pre-decoding.\x1b[0m"
        for environment, has_colour in [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True),
                                        ({"TERM": "dumb"}, False)]:
            terminal = self.terminal(**environment)
            terminal.type(b"door 4 forced with a saw\n")
            self.assertEqual(colour in terminal.until(b"Phase 3"), has_colour, environment)

    def test_a_line_cannot_steer_the_terminal(self):
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        subprocess.run([BIN / "portcullis-logtest", "-D", GATE, "-q"], input=b"door \xc2\x9b31m \x9b1m 5\n", stderr=slave,
                       timeout=60, check=True, env={**os.environ, "NO_COLOR": "1"})
        os.close(slave)
        came = b""
        with contextlib.suppress(OSError):  # the other end is closed
            while chunk := os.read(master, 65536):
                came += chunk
        self.assertIn("full event: 'door ?31m \ufffd1m 5'".encode(), came)

    def test_an_interrupt_ends_it_and_leaves_the_terminal_as_it_was(self):
        terminal = self.terminal()
        terminal.type(b"half a li")
        terminal.until(b"half a li")
        terminal.type(b"\x03")
        self.assertEqual(terminal.process.wait(20), -signal.SIGINT)
        self.assertEqual(termios.tcgetattr(terminal.slave)[:4], terminal.before[:4])

    def test_questions_are_answered_at_a_terminal(self):
        terminal = self.terminal("--explain", "--why-not", "100201", NO_COLOR="1")
        terminal.type(b"door 4 forced\n")
        terminal.until(b"**Rules tried:")
        terminal.until(b"**Why not rule 100201")
        terminal.until(b"action 'opened' does not hold for 'forced'")


class InAPipe(unittest.TestCase):
    def test_no_prompt_no_colour_no_history(self):
        with tempfile.TemporaryDirectory() as folder:
            run = subprocess.run([BIN / "portcullis-logtest", "-D", GATE], input=b"door 3 opened\n\x80\n", timeout=60,
                                 capture_output=True, env={**os.environ, "HOME": folder, "TERM": "xterm"})
            self.assertEqual(run.stdout, b"")
            self.assertNotIn(b"\x1b", run.stderr)
            self.assertNotIn(b"> ", run.stderr)
            self.assertEqual(list(pathlib.Path(folder).iterdir()), [])
        # Any other bytes are those of the line.
        run = subprocess.run([BIN / "portcullis-logtest", "-D", GATE], input=b"\x80\xc2\x9b x\n", timeout=60,
                             capture_output=True)
        self.assertIn(b"full event: '\x80\xc2\x9b x'", run.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
