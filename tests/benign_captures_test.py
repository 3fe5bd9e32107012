"""portcullis-sensor on generated captures of ordinary traffic: nothing is reported as an attack.

usage: benign_captures_test.py SENSOR [WORD [FOLDER]]
WORD: only checks whose name contains it. FOLDER: where captures of failed checks are kept.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "captures"))
import benign  # noqa: E402
import checks  # noqa: E402


def check_of(name, function, variant):
    case = function(**variant)
    arguments = " ".join(f"{key}={value}" for key, value in variant.items())
    return checks.Check(f"{name}: {arguments}", lambda: function(**variant).capture,
                        checks.none_but(case.allowed, case.forbidden), case.local,
                        ("-a", case.promisc) if case.promisc else ())


if __name__ == "__main__":
    sys.exit(checks.main(sys.argv[1], [check_of(name, function, variant) for name, function, variants in benign.ROWS
                                       for variant in variants], *sys.argv[2:4]))
