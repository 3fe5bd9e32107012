#!/usr/bin/env python3
"""docs/diagnostics.md has every code that the loaders and the lint of a configuration give, and no
other; each code of a warning that is lint's alone has a folder in bad-config that shows it.

usage: diagnostics_test.py PROJECT
"""
import pathlib
import re
import sys

PROJECT = pathlib.Path(sys.argv[1])
SOURCES = [path for stage in ("xml", "pattern", "decode", "rules", "config")
           for path in sorted((PROJECT / "engine" / stage).glob("*.cpp"))]
SOURCES += [PROJECT / "engine/respond/binding.cpp", PROJECT / "programs/configuration.cpp",
            PROJECT / "programs/lint.cpp"]
# A code is the word that stands where a diagnostic takes it: first, or behind an attribute or option.
CODE = re.compile(r"""(?: error(?:_in_text)?\( | make_warning\( | error_in_attribute\( [^,;]+, | bad_value\( [^,;]+,
                       | bad_pattern\( | code\ = | \{ | , )\s*
                      "([a-z]+(?:-[a-z]+)+)" """, re.X)
# Other words of the same shape, in tables: log formats, shapes of headers, options and their values.
NO_CODES = {"active-response", "analysis-server", "apache-error", "colon-date", "defined-agent", "djb-multilog",
            "iso-comma", "iso-fraction", "iso-zone", "modsec-audit", "multi-line", "only-future-events",
            "osx-asl", "snort-full", "syslog-year", "web-log"}


def main():
    in_source = set()
    for path in SOURCES:
        in_source |= set(CODE.findall(path.read_text()))
    in_source -= NO_CODES
    text = (PROJECT / "docs/diagnostics.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)` \|", text, re.M)
    in_doc = set(rows)
    problems = [f"docs/diagnostics.md lacks {code}" for code in sorted(in_source - in_doc)]
    problems += [f"docs/diagnostics.md has {code}, the source has not" for code in sorted(in_doc - in_source)]
    problems += [f"docs/diagnostics.md has {code} twice" for code in sorted(in_doc) if rows.count(code) > 1]

    shown = set()
    for expected in (PROJECT / "tests/bad-config").glob("*/expected.txt"):
        shown |= set(re.findall(r"\[([a-z-]+)\]$", expected.read_text(errors="replace"), re.M))
    problems += [f"no folder of tests/bad-config shows {code}" for code in sorted(in_doc - shown - set(NOT_SHOWN))]
    print("\n".join(problems) if problems else f"{len(in_doc)} codes are documented")
    sys.exit(1 if problems else 0)


# What no file that is worth keeping shows: limits of whole files and of the tree, and what normalising
# leaves for pugixml to find.
NOT_SHOWN = ["file-too-large", "malformed-xml", "too-many-errors", "tree-too-large"]

if __name__ == "__main__":
    main()
