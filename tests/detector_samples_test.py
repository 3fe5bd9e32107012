"""The sample of each row of sensor/detect/detectors.cpp is reported under the name of that row, and under no other.

usage: detector_samples_test.py SENSOR DETECTORS_CPP [WORD [FOLDER]]
DETECTORS_CPP: the table, whose rows are read from its source text. WORD: only samples whose name contains it.
FOLDER: where captures of failed checks are kept.
"""
import functools
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "captures"))
import checks  # noqa: E402
from attacks import networks  # noqa: E402
from network import OURS  # noqa: E402
from samples import SAMPLES  # noqa: E402

# A row begins with its kind. Its texts are its name, keyword, help and sample, in this order.
ROW = re.compile(r"\{ScanKind::(\w+),(.*?)\}", re.DOTALL)
TEXT = re.compile(r'"([^"]*)"')


def rows(path: str) -> list[tuple[str, str, str]]:
    """The kind, name and sample of each row."""
    return [(kind, texts[0], texts[-1] if len(texts) >= 4 else "")
            for kind, texts in ((kind, TEXT.findall(fields)) for kind, fields in
                                ROW.findall(pathlib.Path(path).read_text()))]


def faults_of_table(table: list[tuple[str, str, str]]) -> list[str]:
    named = [sample for _, _, sample in table]
    return ([f"ScanKind::{kind}: tests/captures/samples.py has no sample \"{sample}\"" for kind, _, sample in table
             if sample not in SAMPLES] +
            [f"sample \"{sample}\": {named.count(sample)} rows of detectors.cpp name it, instead of one" for sample in SAMPLES
             if named.count(sample) != 1])


def check_of(name: str, sample: str, version: int) -> checks.Check:
    options = ("-a", networks(version)) if SAMPLES[sample].watches_network else ()
    # Of a sweep two hosts may be taken for one: see ATTEMPTS_BY_HASH.
    return checks.Check(f"{sample}, IPv{version}", functools.partial(SAMPLES[sample].make, version),
                        checks.detects(f"^{re.escape(name)} detected "), OURS[version], options, checks.ATTEMPTS_BY_HASH)


def main() -> int:
    table = rows(sys.argv[2])
    faults = faults_of_table(table)
    if not table or faults:
        print("\n".join(faults or [f"no rows in {sys.argv[2]}"]))
        return 1
    return checks.main(sys.argv[1], [check_of(name, sample, version) for _, name, sample in table for version in (4, 6)],
                       *sys.argv[3:5])


if __name__ == "__main__":
    sys.exit(main())
