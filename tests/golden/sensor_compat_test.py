"""`set iplog_compat true` against the logs of iplog 2.2.3 itself.

Every capture of iplog/INDEX.tsv must give the same lines, byte for byte, where iplog is wrong too (service
lines aside); every configuration of iplog/config the same messages, exit code and lines. What iplog
got wrong there and is put right here stands in MENDED, with the reason.

usage: sensor_compat_test.py SENSOR CONFORMANCE_DIR [CAPTURE...]
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SERVICE = re.compile(r"iplog started\.$")
STAMPED = re.compile(r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d ")
SKIPPED = 77

# Their outcome needs a live peer that answers on the ident port.
LEFT_OUT = {"opt_ident"}

BOTH = r" from (10\.10\.150\.1|192\.168\.7\.9)"
# number: (reason, iplog's messages that are not written, those that are written instead,
#          lines of 00_empty that must be missing from the log; None: as iplog's log)
MENDED = {
    "02": ("!port means all other ports, not the port with its lowest bit flipped", [], [],
           r"TCP: (?!http c)"),
    "09": ("a host name that is not known matches nothing, not everything", [],
           ["[line 1] Unknown host: no.such.host.example"], r"^$"),
    "13": ("tstampreply is 14, the reply", [], [], r"timestamp request" + BOTH + r" \("),
    "14": ("type * is any type, as documented", ["[line 1] Unknown ICMP type: *"], [], r"ICMP: "),
    "16": ("a type outside 0 to 18 is refused with a message that says so", ["[line 1] "],
           ["[line 1] Unknown ICMP type: 19"], None),
    "22": ("pid-file without a name does not swallow the next line's first word", [],
           ["[line 8] Missing pid file parameter", "[line 9] Missing protocol parameter"], None),
    "24": ("port 0 and ! alone are refused", [],
           ["[line 4] Error: Ports must be between 1 and 65535", "[line 5] Invalid port: \"\""], r"^$"),
    "36": ("maskreq is 17, the request", [], [], r"address mask request"),
}


class Sensor:
    def __init__(self, program, data):
        self.program, self.data = program, data

    def run(self, capture, config_text, options, hosts="/dev/null"):
        """(exit code, what it wrote to standard output)"""
        with tempfile.NamedTemporaryFile("w", prefix="portcullis-", suffix=".conf") as config:
            config.write(config_text)
            config.flush()
            command = [self.program, "-r", str(self.data / capture), "--local", "10.10.150.2",
                       "--config", config.name, "--hosts", str(hosts),
                       "--resolv-conf", str(self.data / "resolv.conf"), "-L", "--iplog-compat"]
            ran = subprocess.run(command + options, capture_output=True, text=True, timeout=120,
                                 env={**os.environ, "TZ": "UTC"}, check=False)
            if "ERROR:" in ran.stderr or "runtime error" in ran.stderr:
                raise AssertionError(ran.stderr[-3000:])
            return ran.returncode, ran.stdout.replace(config.name, "FILE").splitlines()


def without_service(lines):
    return [line for line in lines if not SERVICE.search(line)]


def difference(got, wanted):
    for number, (ours, iplogs) in enumerate(zip(got + ["(end)"], wanted + ["(end)"])):
        if ours != iplogs:
            return f"line {number + 1}:\n      ours  {ours}\n      iplog {iplogs}"
    return f"{len(got)} lines instead of {len(wanted)}"


def check_captures(sensor, data, wanted):
    rows = [row.split("\t") for row in (data / "INDEX.tsv").read_text().splitlines()[1:]]
    config = (data / "iplog.conf").read_text()
    count, faults = 0, []
    for name, kind, arguments, names, *_ in rows:
        if name in LEFT_OUT or (wanted and name not in wanted):
            continue
        count += 1
        code, lines = sensor.run(f"{kind}/{name}.pcap", config,
                                 [] if arguments == "-" else arguments.split(),
                                 "/dev/null" if names == "none" else data / names)
        golden = (data / f"{kind}/{name}.log").read_text().splitlines()
        if code != 0 or without_service(lines) != without_service(golden):
            faults.append(f"{kind}/{name}: exit {code}, "
                          + difference(without_service(lines), without_service(golden)))
    return count, faults


def check_config(sensor, data, wanted):
    empty = without_service((data / "config/00_empty.out").read_text().splitlines())
    count, faults = 0, []
    for file in sorted((data / "config").glob("*.conf")):
        if wanted and file.stem not in wanted:
            continue
        count += 1
        # iplog read the number of the exit code into .err, and its messages before its log.
        code = int((file.with_suffix(".err")).read_text().strip().removeprefix("rc="))
        golden = file.with_suffix(".out").read_text().splitlines()
        messages = [line for line in golden if not STAMPED.match(line)]
        log = without_service([line for line in golden if STAMPED.match(line)])
        mended = MENDED.get(file.stem[:2])
        if mended:
            _, gone, added, missing = mended
            messages = sorted([line for line in messages if line not in gone] + added)
            if missing is not None:
                log = [line for line in empty if not re.search(missing, line)]
        got_code, lines = sensor.run("config/conftest.pcap", file.read_text(), [])
        got_messages = [line for line in lines if not STAMPED.match(line)]
        got_log = without_service([line for line in lines if STAMPED.match(line)])
        if got_code != code:
            faults.append(f"config/{file.stem}: exit {got_code} instead of {code}")
        if sorted(got_messages) != sorted(messages):
            faults.append(f"config/{file.stem}: messages\n      ours  {got_messages}\n      due   {messages}")
        if got_log != log:
            faults.append(f"config/{file.stem}: log, " + difference(got_log, log))
    return count, faults


def main():
    data = pathlib.Path(sys.argv[2]) / "iplog"
    if not data.is_dir():
        print("SKIPPED: the conformance captures are not here:", data)
        return SKIPPED
    sensor, wanted = Sensor(sys.argv[1], data), sys.argv[3:]
    exact, exact_faults = check_captures(sensor, data, wanted)
    config, config_faults = check_config(sensor, data, wanted)
    faults = exact_faults + config_faults
    print("\n".join(faults))
    print(f"{exact} captures, {config} configurations, {len(faults)} faults")
    return 1 if faults or not exact + config else 0


if __name__ == "__main__":
    sys.exit(main())
