#!/usr/bin/env python3
"""install_test.py BUILD SOURCE: what `cmake --install` puts where (docs/layout.md)."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

BUILD, SOURCE = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
PROGRAMS = ["sbin/portcullis-engine", "sbin/portcullis-execd", "sbin/portcullis-control",
            "sbin/portcullis-sensor", "bin/portcullis-logtest"]


def install(prefix, umask=-1, **environment):
    subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix], check=True, umask=umask,
                   stdout=subprocess.DEVNULL, env={**os.environ, **environment})


class InstallTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.prefix = pathlib.Path(self.folder.name) / "prefix"

    def test_a_prefix_gets_programs_man_pages_and_a_home_that_loads(self):
        install(self.prefix)
        for program in PROGRAMS:
            done = subprocess.run([self.prefix / program, "--version"], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, f"{program}: {done.stderr}")
        for page in (SOURCE / "packaging" / "man").iterdir():
            self.assertTrue((self.prefix / f"share/man/man{page.suffix[1:]}" / page.name).is_file(), page)
        home = self.prefix / "var/lib/portcullis"
        for file in ("etc/ossec.conf", "etc/iplog.conf", "decoders/iplog_decoders.xml",
                     "rules/iplog_rules.xml"):
            self.assertEqual((home / file).stat().st_mode & 0o777, 0o644, file)
        for file in ("firewall-drop", "firewall-drop.sh"):
            self.assertTrue(os.access(home / "active-response/bin" / file, os.X_OK), file)
        for folder in ("run", "logs"):
            self.assertTrue((home / folder).is_dir(), folder)
        self.assertIn(f"<location>{home}/logs/iplog</location>", (home / "etc/ossec.conf").read_text())
        done = subprocess.run([self.prefix / "bin/portcullis-logtest", "-D", home, "-t"],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_new_folders_are_open_to_all_and_writable_by_the_owner_alone_at_any_umask(self):
        for umask in (0o077, 0o002):
            for prefix, home in (("/opt/portcullis", "opt/portcullis/var/lib/portcullis"),
                                 ("/usr", "var/lib/portcullis")):
                with self.subTest(umask=oct(umask), prefix=prefix):
                    root = pathlib.Path(self.folder.name) / f"{umask}{prefix.replace('/', '-')}"
                    install(prefix, umask=umask, DESTDIR=str(root))
                    for file in ("etc/ossec.conf", "active-response/bin/firewall-drop", "run", "logs"):
                        self.assertTrue((root / home / file).exists(), file)
                    for folder in (path for path in root.rglob("*") if path.is_dir()):
                        self.assertEqual(folder.stat().st_mode & 0o7777, 0o755, folder)

    def test_a_folder_that_is_there_keeps_its_mode(self):
        folder = self.prefix / "var/lib/portcullis/logs"
        folder.mkdir(parents=True)
        folder.chmod(0o750)
        install(self.prefix)
        self.assertEqual(folder.stat().st_mode & 0o7777, 0o750)

    def test_configuration_that_is_there_stays_as_it_is(self):
        install(self.prefix)
        home = self.prefix / "var/lib/portcullis"
        (home / "etc/ossec.conf").write_text("<!-- mine -->\n")
        (home / "active-response/bin/firewall-drop").unlink()
        install(self.prefix)
        self.assertEqual((home / "etc/ossec.conf").read_text(), "<!-- mine -->\n")
        self.assertTrue((home / "active-response/bin/firewall-drop").is_file())

    def test_below_a_prefix_of_the_system_the_home_is_the_default_one(self):
        install("/usr", DESTDIR=str(self.prefix))
        self.assertTrue((self.prefix / "usr/sbin/portcullis-engine").is_file())
        self.assertTrue((self.prefix / "etc/iplog.conf").is_file())
        for file in ("etc/ossec.conf", "decoders/iplog_decoders.xml", "rules/iplog_rules.xml"):
            shipped = (SOURCE / file).read_text()
            self.assertEqual((self.prefix / "var/lib/portcullis" / file).read_text(), shipped, file)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
