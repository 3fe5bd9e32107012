#!/usr/bin/env python3
"""Checks every #include, and the dependencies of the CMake targets, against the layering.

The READMEs of engine/ and sensor/ have tables of the folders that a folder may use directly; it may
also use the folders that those use. What several programs share may use every stage of the engine,
and the folder of a program may use what they share. A third-party header may be included only in
the folders that OWNERS gives it.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOPS = ("base", "engine", "sensor", "active-response", "programs")

OWNERS = {
    r"pugixml": ["engine/xml"],
    r"pcre2": ["engine/pattern"],
    r"pcap": ["sensor/capture"],
    r"ares": ["base"],
    r"libmnl/|linux/netfilter": ["base", "engine/execd", "active-response"],
    r"systemd/": ["base", "programs"],
    r"CLI/": ["programs", "programs/engine", "programs/execd", "programs/logtest", "programs/control", "sensor",
              "active-response"],
    r"cap-ng": ["base"],
    r"histedit": ["programs/logtest"],
    r"catch2/": [],
}

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')
ROW = re.compile(r"^\| (?!stage|folder)([^|]+) \| ([^|:]+)(?::[^|]*)? \|")
LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
STAGE = re.compile(r"^add_stage\((\w+)(?: NAME \w+)?(?: DEPENDS ([\w ]+?))?(?: LIBS [^)]*)?\)", re.M)


def layering(top):
    """The table in top/README.md: folder → the folders that it may include directly."""
    allowed = {}
    for line in (ROOT / top / "README.md").read_text().splitlines():
        row = ROW.match(LINK.sub(r"\1", line))
        if not row:
            continue
        used = row[2].split(", ")
        used = [name if "/" in name or name in TOPS else f"{top}/{name}" for name in used if name != "nothing"]
        for folder in row[1].split(", "):
            allowed[f"{top}/{folder}"] = used
    return allowed


ALLOWED = {"base": [], **layering("engine"), **layering("sensor"), "active-response": ["base"]}
for whole in ("sensor", "programs"):
    top = "engine" if whole == "programs" else whole
    ALLOWED[whole] = [folder for folder in ALLOWED if folder.startswith(f"{top}/")]
for folder in sorted({path.parent.name for path in (ROOT / "programs").glob("*/*.cpp")}):
    ALLOWED[f"programs/{folder}"] = ["programs"]


def closure(folders):
    reached = set()
    pending = list(folders)
    while pending:
        folder = pending.pop()
        if folder not in reached:
            reached.add(folder)
            pending.extend(ALLOWED.get(folder, []))
    return reached


def check_tables():
    """Each folder is in a table, each word of a table is a folder, no folder uses itself."""
    folders = {str(path.parent.relative_to(ROOT)) for top in TOPS
               for path in (ROOT / top).rglob("*.?pp")}
    for folder in sorted(folders - set(ALLOWED)):
        yield f"{folder} is not in the layering"
    for folder, used in ALLOWED.items():
        for name in sorted({folder, *used} - folders):
            yield f"the layering names {name}, which is no folder with sources"
        if folder in closure(used):
            yield f"the layering lets {folder} depend on itself"


def check_cmake():
    """add_stage's DEPENDS amount to what the tables say."""
    for top in ("engine", "sensor"):
        for folder, depends in STAGE.findall((ROOT / top / "CMakeLists.txt").read_text()):
            used = [f"sensor/{name.removeprefix('sensor_')}" if name.startswith("sensor_")
                    else name if name in TOPS else f"engine/{name}" for name in depends.split()]
            folder = f"{top}/{folder}"
            if closure(used) != closure(ALLOWED.get(folder, [])):
                yield f"{top}/CMakeLists.txt: the README has other dependencies of {folder}"


def check_includes(path):
    folder = str(path.parent.relative_to(ROOT))
    usable = closure([folder])
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = INCLUDE.match(line)
        if not found:
            continue
        where = f"{path.relative_to(ROOT)}:{number}"
        quote, name = found.groups()
        if quote == '"':
            if not name.startswith(tuple(top + "/" for top in TOPS)):
                yield f"{where}: {name} is not included from the root"
            elif str(pathlib.PurePath(name).parent) not in usable:
                yield f"{where}: {folder} may not use {name}"
        else:
            for pattern, owners in OWNERS.items():
                if re.match(pattern, name) and folder not in owners:
                    yield f"{where}: <{name}> belongs to {owners or 'nobody'}"


def main():
    files = [path for top in TOPS for path in sorted((ROOT / top).rglob("*"))
             if path.suffix in (".hpp", ".cpp", ".def")]
    problems = [*check_tables(), *check_cmake()]
    for path in files:
        problems.extend(check_includes(path))
    if not files:
        problems.append("no source files found")
    print("\n".join(problems) if problems else f"layering: {len(files)} files follow it")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
