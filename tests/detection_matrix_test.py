"""Measures docs/detection-matrix.md: a scan that must be found is found in time, and the page says what is measured.

usage: detection_matrix_test.py SENSOR [PAGE]
UPDATE_GOLDEN=1 rewrites the page. Without PAGE it is printed.
"""
import difflib
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "captures"))
import matrix  # noqa: E402


def main():
    found = matrix.measure(sys.argv[1])
    text, faults = matrix.document(found), matrix.faults(found)
    if len(sys.argv) < 3:
        print(text, end="")
        return 0
    page = pathlib.Path(sys.argv[2])
    if os.environ.get("UPDATE_GOLDEN") == "1":
        page.write_text(text)
    changes = list(difflib.unified_diff(page.read_text().splitlines(), text.splitlines(), str(page), "measured",
                                        lineterm="", n=0))
    print("\n".join(faults + changes))
    print(f"{len(found)} cells, {len(faults)} with faults, the page is {'not ' if changes else ''}up to date")
    return 1 if faults or changes else 0


if __name__ == "__main__":
    sys.exit(main())
