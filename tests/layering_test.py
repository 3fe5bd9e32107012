#!/usr/bin/env python3
"""Checks every #include of engine/ and sensor/ against the layering.

ALLOWED says which folders a folder may include directly; what those may use comes with them. A
third-party header may be included only in the folders that OWNERS gives it.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

ALLOWED = {
    "engine/base": [],
    "engine/xml": ["engine/base"],
    "engine/pattern": ["engine/base"],
    "engine/event": ["engine/base"],
    "engine/collect": ["engine/base"],
    "engine/decode": ["engine/event", "engine/pattern", "engine/xml"],
    "engine/rules": ["engine/event", "engine/pattern", "engine/xml"],
    "engine/alert": ["engine/event"],
    "engine/respond": ["engine/alert", "engine/event", "engine/pattern"],
    "engine/execd": ["engine/base"],
    "engine/pipeline": ["engine/decode", "engine/rules", "engine/alert", "engine/event"],
    # config fills the structs of the stages that own them
    "engine/config": ["engine/xml", "engine/pattern", "engine/collect", "engine/respond"],
    "engine/app": ["engine/" + stage for stage in (
        "base", "xml", "pattern", "event", "collect", "decode", "rules", "alert", "respond",
        "execd", "pipeline", "config")],
    "sensor/packet": ["engine/base"],
    "sensor/capture": ["engine/base", "sensor/packet"],
    "sensor/detect": ["engine/base", "sensor/packet"],
    "sensor/report": ["engine/base", "sensor/detect"],
    "sensor/config": ["engine/base", "sensor/packet", "sensor/detect", "sensor/report"],
    "sensor": ["engine/base", "sensor/packet", "sensor/capture", "sensor/detect",
               "sensor/report", "sensor/config"],
    "active-response": ["engine/base"],
}

OWNERS = {
    r"pugixml": ["engine/xml"],
    r"pcre2": ["engine/pattern"],
    r"pcap": ["sensor/capture"],
    r"libmnl/|linux/netfilter": ["engine/execd", "active-response"],
    r"systemd/": ["engine/base", "engine/app"],
    r"CLI/": ["engine/app", "sensor", "active-response"],
    r"cap-ng": ["engine/app", "sensor"],
    r"catch2/": [],
}

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')


def closure(folder, seen=None):
    seen = seen if seen is not None else set()
    for used in ALLOWED[folder]:
        if used not in seen:
            seen.add(used)
            closure(used, seen)
    return seen


def main():
    problems = []
    files = [path for top in ("engine", "sensor", "active-response")
             for path in sorted((ROOT / top).rglob("*")) if path.suffix in (".hpp", ".cpp", ".def")]
    if not files:
        sys.exit("layering: no source files found")
    for path in files:
        folder = str(path.parent.relative_to(ROOT))
        if folder not in ALLOWED:
            problems.append(f"{path.relative_to(ROOT)}: folder {folder} is not in the layering")
            continue
        usable = closure(folder) | {folder}
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = INCLUDE.match(line)
            if not found:
                continue
            where = f"{path.relative_to(ROOT)}:{number}"
            quote, name = found.groups()
            if quote == '"':
                if not name.startswith(("engine/", "sensor/", "active-response/")):
                    problems.append(f"{where}: {name} is not included from the root")
                elif str(pathlib.PurePath(name).parent) not in usable:
                    problems.append(f"{where}: {folder} may not use {name}")
            else:
                for pattern, owners in OWNERS.items():
                    if re.match(pattern, name) and folder not in owners:
                        problems.append(f"{where}: <{name}> belongs to {owners or 'nobody'}")
    print("\n".join(problems) if problems else f"layering: {len(files)} files follow it")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
