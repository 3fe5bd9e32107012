"""The figures about forged scans in docs/responding-safely.md are what the simulation prints.

usage: limit_simulation_test.py PROGRAM PAGE
"""
import subprocess
import sys
import unittest


class LimitSimulation(unittest.TestCase):
    def test_the_page_has_the_table_that_the_program_prints(self):
        printed = subprocess.run([PROGRAM], capture_output=True, text=True, check=True).stdout
        with open(PAGE, encoding="utf-8") as page:
            self.assertIn(printed, page.read(), "put the output of limit_simulation into the page")


if __name__ == "__main__":
    PROGRAM, PAGE = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1])
