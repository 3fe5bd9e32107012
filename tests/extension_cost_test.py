#!/usr/bin/env python3
"""extension_cost_test.py BUILD [PATCH...]: what an extension costs.

Each patch of extensions/ adds an example of one kind of extension, by the steps of a README. The test
applies it to a copy of the tree and checks three things. The patch touches no more files than the limit
(tests and documents aside). The README says the limit and names the files. All that the patch touches
compiles with the flags of BUILD, which must have compile_commands.json. Nothing is linked or run. PATCH
is a name without ".patch"; without one, all are tried.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PATCHES = ROOT / "tests" / "extensions"
SOURCES = ("base", "engine", "sensor", "programs", "active-response", "cmake", "scripts", "decoders",
           "rules", "etc")
NOT_COUNTED = ("tests/", "docs/")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)

# Patch: its words in the README, the limit, the README.
EXTENSIONS = {
    "field": ("a decoded field", 3, "engine/event/README.md"),
    "condition": ("a condition", 2, "engine/rules/README.md"),
    "detector_of_a_source": ("a detector", 4, "sensor/detect/README.md"),
    "detector_of_a_target": ("a detector", 4, "sensor/detect/README.md"),
    "scanner_signature": ("a scanner signature", 2, "sensor/detect/README.md"),
    "log_format": ("a log format", 3, "engine/collect/README.md"),
    "alert_sink": ("an alert sink", 2, "engine/alert/README.md"),
    "option": ("an option", 3, "engine/config/README.md"),
    "option_of_execd": ("an option", 3, "engine/config/README.md"),
    "counter": ("a counter", 1, "programs/engine/README.md"),
    "responder": ("a responder", 3, "active-response/README.md"),
}
REMAKE = """    To make it anew: make the change by hand, following {readme}, in a clean checkout, then
    git add -N . && git diff -U2 -- . ':!tests' ':!docs' > ../new.patch
    and replace the part of the patch from its first "diff --git" on. Then git checkout the tree."""


def touched_files(patch):
    names = re.findall(r"^diff --git a/(\S+) b/\S+$", patch.read_text(), re.MULTILINE)
    return [name for name in names if not name.startswith(NOT_COUNTED)]


def included_by(tree):
    """Which files include each file."""
    includers = {}
    for folder in SOURCES:
        for path in sorted((tree / folder).rglob("*.[ch]pp")):
            for name in INCLUDE.findall(path.read_text()):
                includers.setdefault(name, []).append(path.relative_to(tree).as_posix())
    return includers


def sources_to_compile(tree, touched):
    """The touched .cpp files, and for each other C++ file a small .cpp file that includes it."""
    includers = included_by(tree)
    sources = [name for name in touched if name.endswith(".cpp")]
    for name in touched:
        if not name.endswith((".hpp", ".def")):
            continue
        layer = seen = {name}
        while layer:
            layer = {each for inner in layer for each in includers.get(inner, [])} - seen
            seen = seen | layer
            found = [each for each in layer if each.endswith(".cpp") and each not in touched]
            if found:
                sources.append(min(found, key=lambda each: ((tree / each).stat().st_size, each)))
                break
    return sorted(set(sources))


class Compiler:
    """Checks the syntax of files of a copy, with the flags that BUILD has for them."""

    def __init__(self, build):
        cache = (build / "CMakeCache.txt").read_text()
        self.home = re.search(r"^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$", cache, re.MULTILINE).group(1)
        self.commands = {}
        for entry in json.loads((build / "compile_commands.json").read_text()):
            path = pathlib.Path(entry["file"])
            self.add(path, entry)
            if "/Unity/" in path.as_posix() and path.exists():  # a unity build: the files in it
                for name in INCLUDE.findall(path.read_text()):
                    self.add(pathlib.Path(name), entry)

    def add(self, path, entry):
        if path.is_relative_to(self.home):
            self.commands.setdefault(path.relative_to(self.home).as_posix(), entry)

    def command_of(self, name):
        """A new file has the flags of another one of its folder."""
        if name in self.commands:
            return self.commands[name]
        folder = name.rpartition("/")[0]
        return next(entry for each, entry in self.commands.items() if each.rpartition("/")[0] == folder)

    def check(self, tree, name):
        """Returns the messages of the compiler; empty = the file compiles."""
        entry = self.command_of(name)
        arguments, words = [], iter(shlex.split(entry["command"]))
        for word in words:
            if word == "-o":
                next(words)
            elif word != "-c" and word != entry["file"]:
                arguments.append(word.replace(self.home, str(tree), 1))
        done = subprocess.run([*arguments, "-O0", "-Werror", "-fsyntax-only", str(tree / name)],
                              cwd=tree, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return ""
        return done.stderr or f"the compiler ended with {done.returncode}"


def copy_tree(to):
    for folder in SOURCES:
        shutil.copytree(ROOT / folder, to / folder)
    shutil.copy(ROOT / "CMakeLists.txt", to)


def readme_problems(name, touched):
    words, limit, readme = EXTENSIONS[name]
    text = " ".join((ROOT / readme).read_text().split())
    steps = text[text.find("To add"):]
    phrase = f"{words} (at most {limit} file{'s' if limit > 1 else ''})"
    if phrase not in steps:
        yield f'{readme} does not say "{phrase}" after "To add"'
    for each in touched:
        if (ROOT / each).exists() and pathlib.Path(each).stem not in steps:
            yield f"{readme} does not say that {each} must be edited"


def check(name, compiler, pool):
    _, limit, readme = EXTENSIONS[name]
    patch = PATCHES / f"{name}.patch"
    touched = touched_files(patch)
    problems = list(readme_problems(name, touched))
    if len(touched) > limit:
        problems.append(f"it touches {len(touched)} files, and the limit is {limit}: {', '.join(touched)}")
    with tempfile.TemporaryDirectory() as folder:
        tree = pathlib.Path(folder).resolve()
        copy_tree(tree)
        done = subprocess.run(["git", "apply", "--recount", str(patch)], cwd=tree, text=True, check=False,
                              capture_output=True,
                              env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent)})
        if done.returncode != 0:
            return problems + ["it does not apply any longer:\n" + done.stderr + REMAKE.format(readme=readme)]
        sources = sources_to_compile(tree, touched)
        for source, messages in zip(sources, pool.map(lambda each: compiler.check(tree, each), sources)):
            if messages:
                problems.append(f"{source} does not compile with it:\n{messages}")
    print(f"{name}: files {len(touched)}, limit {limit}; compiled {', '.join(sources)}", flush=True)
    return problems


def main():
    compiler = Compiler(pathlib.Path(sys.argv[1]).resolve())
    problems = []
    if {path.stem for path in PATCHES.glob("*.patch")} != set(EXTENSIONS):
        problems.append("tests/extensions has other patches than the table of this test")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for name in sys.argv[2:] or EXTENSIONS:
            problems += [f"extensions/{name}.patch: {problem}" for problem in check(name, compiler, pool)]
    print("\n".join(problems) if problems else "every extension costs what its README says")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
