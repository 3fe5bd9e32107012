#!/usr/bin/env python3
"""Each program's man page has the options of its --help and no others, and every page is rendered
without a warning.

usage: man_test.py SOURCE_DIR BIN_DIR
"""
import os
import pathlib
import re
import subprocess
import sys

SOURCE, BIN = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
PAGES = SOURCE / "packaging/man"
PROGRAMS = {"portcullis-sensor": 8, "portcullis-engine": 8, "portcullis-execd": 8,
            "portcullis-control": 8, "portcullis-logtest": 1}
OPTION = re.compile(r"(?<![\w-])(--?[A-Za-z][\w-]*)")


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30,
                          stdin=subprocess.DEVNULL,
                          env=dict(os.environ, LC_ALL="C.UTF-8", MANWIDTH="120", MAN_KEEP_FORMATTING="",
                                   MANPAGER="cat", MANROFFOPT="-rHY=0"))


def options_of_help(program):
    """What stands at the beginning of an indented line: `-h,--help`, `-h, --help`, `      --local`."""
    found = set()
    for line in run(str(BIN / program), "--help").stdout.splitlines():
        head = re.match(r"^ +((?:-\w,? ?)?(?:--[\w-]+)?)", line)
        found |= set(OPTION.findall(head[1])) if head else set()
    return found


def options_of_page(text):
    """Those that have a paragraph of their own in OPTIONS."""
    section = re.search(r'^\.SH OPTIONS$(.*?)^\.SH ', text, re.M | re.S)
    found = set()
    for tag in re.findall(r"^\.TP\n(.*)$", section[1] if section else "", re.M):
        plain = re.sub(r"\\f.", "", tag).replace("\\-", "-").replace('"', " ")
        found |= set(OPTION.findall(plain))
    return found


def main():
    problems = []
    for program, section in PROGRAMS.items():
        page = PAGES / f"{program}.{section}"
        if not page.exists():
            problems.append(f"{program} has no man page")
            continue
        shown, written = options_of_help(program), options_of_page(page.read_text())
        if not shown:
            problems.append(f"{program} --help shows no options")
        for option in sorted(shown - written):
            problems.append(f"{page.name} lacks {option}")
        for option in sorted(written - shown):
            problems.append(f"{page.name} has {option}, --help has not")
    pages = sorted(PAGES.glob("*.[1-9]"))
    for page in pages:
        shown = run("man", "--warnings", "-l", str(page))
        if shown.returncode != 0 or shown.stderr.strip() or page.stem not in shown.stdout:
            problems.append(f"{page.name}: exit {shown.returncode}: {shown.stderr.strip() or 'renders nothing'}")
    print("\n".join(problems) if problems else f"{len(pages)} man pages are complete")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
