#!/usr/bin/env python3
"""Every program says what it is: --help, --version, and a plain refusal of what it does not know.

usage: programs_test.py BIN_DIR VERSION
"""
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import time

PROGRAMS = ["portcullis-sensor", "portcullis-engine", "portcullis-execd", "portcullis-logtest",
            "portcullis-control"]


def run(program, *arguments):
    return subprocess.run([str(program), *arguments], capture_output=True, text=True, timeout=20,
                          stdin=subprocess.DEVNULL)


def main():
    folder, version = pathlib.Path(sys.argv[1]), sys.argv[2]
    problems = []
    for name in PROGRAMS:
        shown = run(folder / name, "--help")
        if shown.returncode != 0 or name not in shown.stdout or len(shown.stdout) < 200:
            problems.append(f"{name} --help: exit {shown.returncode}: {shown.stdout[:200]!r}")
        shown = run(folder / name, "--version")
        if shown.returncode != 0 or version not in shown.stdout:
            problems.append(f"{name} --version: exit {shown.returncode}: {shown.stdout!r}")
        refused = run(folder / name, "--no-such-option")
        if refused.returncode == 0 or not (refused.stderr + refused.stdout).strip():
            problems.append(f"{name} accepts --no-such-option or refuses it silently")
    # A configuration that was named and is not there is not the default configuration.
    refused = run(folder / "portcullis-sensor", "--config", "/no/such.conf", "-r", "/dev/null", "-L")
    if refused.returncode != 255 or "/no/such.conf" not in refused.stdout:
        problems.append(f"portcullis-sensor does without --config's file: {refused.stdout!r}")
    # What the start would refuse, the check refuses.
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as conf:
        conf.write("user no-such-user\n")
        conf.flush()
        refused = run(folder / "portcullis-sensor", "--config", conf.name, "--check")
        if refused.returncode != 255 or "no-such-user" not in refused.stdout:
            problems.append(f"portcullis-sensor --check accepts an unknown user: {refused.stdout!r}")
    # A byte order mark at the beginning belongs to no statement.
    with tempfile.NamedTemporaryFile("w", suffix=".conf", encoding="utf-8-sig") as conf:
        conf.write("set portscan false\nset no_such_switch true\n")
        conf.flush()
        checked = run(folder / "portcullis-sensor", "--config", conf.name, "--check")
        if "no_such_switch" not in checked.stdout or "portscan" in checked.stdout:
            problems.append(f"portcullis-sensor --check takes a byte order mark as text: {checked.stdout!r}")
    # status shows the daemons at once, even if execd hangs.
    with tempfile.TemporaryDirectory() as home, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as execd:
        (pathlib.Path(home) / "run").mkdir()
        execd.bind(f"{home}/run/execd.sock")
        execd.listen()
        begin = time.monotonic()
        with subprocess.Popen([folder / "portcullis-control", "-D", home, "status"], stdout=subprocess.PIPE,
                              text=True) as status:
            first = status.stdout.readline()
            seconds = time.monotonic() - begin
            rest = status.communicate(timeout=20)[0]
        if not first.startswith("execd ") or seconds > 2 or "not known: execd does not answer (waited 3 s)" not in rest:
            problems.append(f"portcullis-control status with a hung execd: {first!r} after {seconds} s, {rest!r}")
    # A list may be named as ossec.conf names it; keys that no rule can find are said.
    with tempfile.TemporaryDirectory() as home:
        rules = pathlib.Path(home) / "rules"
        rules.mkdir()
        (rules / "nets").write_text("\ufeff192.0.2.:office\n203.0.113.0/25:lab\n2001:db8::1:gate\n")
        checked = run(folder / "portcullis-control", "-D", home, "list", "check", "rules/nets", "192.0.2.7")
        for part in ("text, 3 entries", '"203.0.113.0/25" never matches', '"2001:db8::1" never matches',
                     'by its beginning 192.0.2.'):
            if checked.returncode != 0 or part not in checked.stdout:
                problems.append(f"portcullis-control list check says not {part!r}: {checked.stdout!r}")
    # A capture of another host gives no line: the reason is said.
    with tempfile.NamedTemporaryFile(suffix=".pcap") as capture:
        capture.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        capture.flush()
        silent = run(folder / "portcullis-sensor", "--config", "/dev/null", "-r", capture.name, "-L")
        if silent.returncode != 0 or "--local" not in silent.stderr:
            problems.append(f"portcullis-sensor -r says not why nothing is written: {silent.stderr!r}")
    print("\n".join(problems) if problems else f"{len(PROGRAMS)} programs introduce themselves")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
