#!/usr/bin/env python3
"""Checks what the house asks of the tree: a README of at most 60 lines in each stage folder, no
source file over 800 lines, and no link in a document that leads nowhere."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def stage_folders():
    for top in ("base", "engine", "sensor", "active-response", "programs"):
        yield ROOT / top
        for folder in sorted((ROOT / top).iterdir()):
            if folder.is_dir():
                yield folder


def main():
    problems = []
    for folder in stage_folders():
        readme = folder / "README.md"
        if not readme.exists():
            problems.append(f"{folder.relative_to(ROOT)} has no README.md")
        elif len(readme.read_text().splitlines()) > 60:
            problems.append(f"{readme.relative_to(ROOT)} has more than 60 lines")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True,
                             check=False).stdout.split("\n")
    for name in filter(None, tracked):
        path = ROOT / name
        if not path.is_file():
            continue
        if path.suffix in (".hpp", ".cpp") and len(path.read_text().splitlines()) > 800:
            problems.append(f"{name} has more than 800 lines")
        if path.suffix == ".md":
            for target in LINK.findall(path.read_text()):
                if "://" not in target and not (path.parent / target).exists():
                    problems.append(f"{name}: the link to {target} leads nowhere")
    print("\n".join(problems) if problems else "the tree is as it should be")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
