"""What hosts answer to each of the 64 sets of the TCP flags FIN SYN RST PSH ACK URG, and what the sensor makes of it.

The Linux column of docs/tcp-flags.md is measured by e2e/tcp_flags_test.py; this file has the rest.
"""
from network import CLOSED, DROP, OPEN
from packets import ACK, FIN, PSH, RST, SYN, URG

LETTERS = ((FIN, "FIN"), (SYN, "SYN"), (RST, "RST"), (PSH, "PSH"), (ACK, "ACK"), (URG, "URG"))
SETS = tuple(range(64))
NOTHING = "–"


def name(flags: int) -> str:
    return "+".join(word for bit, word in LETTERS if flags & bit) or "none"


def kind(flags: int) -> str | None:
    """The kind that counts such probes, as its line names it; None if nobody counts them."""
    if flags & RST:
        return None
    if not flags & (ACK | SYN):
        return "TCP: null scan" if not flags else "TCP: FIN scan" if flags == FIN else "TCP: Xmas scan"
    if not flags & ACK:
        return "TCP: SYN-FIN scan" if flags & FIN else "TCP: SYN scan"
    if flags & FIN:
        return "TCP: Maimon scan"
    return "TCP: SYN-ACK probes" if flags & SYN else "TCP: ACK scan"


def by_rfc(flags: int, state: str) -> str:
    """The answer of RFC 9293 section 3.10.7.1 (closed) and 3.10.7.2 (LISTEN)."""
    if state == DROP or flags & RST:
        return NOTHING
    if flags & ACK:
        return "RST"
    if state == CLOSED:
        return "RST+ACK"
    return "SYN+ACK" if flags & SYN else NOTHING


def bsd(flags: int) -> str:
    """An open port of a BSD: as the RFC says."""
    answer = by_rfc(flags, OPEN)
    return answer + " (1)" if answer == "SYN+ACK" and flags & FIN else answer


def windows(flags: int) -> str:
    """An open port of Windows: a segment without SYN, ACK and RST gets a RST too."""
    if not flags & (SYN | ACK | RST):
        return "RST+ACK (2)"
    answer = by_rfc(flags, OPEN)
    return answer + " (3)" if answer == "SYN+ACK" and flags & FIN else answer


HEAD = """# TCP flags: what hosts answer, and what the sensor counts

For an operator or rule author who wants to know why a probe with certain flags is counted as a certain kind of scan. A scan
works if an open port answers otherwise than a closed one; the last column says which kind counts the probe.

The columns of Linux are measured: the test `e2e/tcp_flags` sends all 64 sets of flags to a closed port, to an open port and to
a port that nftables drops, over IPv4 and IPv6, and fails if the kernel that runs it answers otherwise. A dropped probe gets no
answer in any case. Closed ports of all systems answer as RFC 9293 section 3.10.7.1 says, like Linux. The columns of BSD and
Windows are **not measured**: they follow RFC 9293 section 3.10.7.2 and what is publicly known.

| flags | Linux, closed | Linux, open | BSD, open | Windows, open | Linux: open differs | counted as |
|---|---|---|---|---|---|---|
"""

TAIL = """
1. With `net.inet.tcp.drop_synfin` FreeBSD drops a segment with SYN and FIN; tcp(4) describes it.
2. Windows answers null, FIN and Xmas probes by RST for open ports as well; nmap's manual, section "TCP NULL, FIN, and Xmas scans",
   names the systems that do so.
3. By RFC 9293, which examines SYN in the state LISTEN whether FIN is set or not. What Windows does is not known here.

- A probe with RST gets no answer, so that nobody learns anything from it, and no kind counts it.
- **ACK scan**: open and closed ports give the same RST. The scan shows which ports a firewall filters, so it is counted by
  our refusal.
- **Maimon scan**: today's systems answer open ports like closed ones. Older BSDs drop FIN+ACK on open ports (nmap's manual,
  "TCP Maimon scan").
- **SYN-ACK probes**: the sender may be a service that answers a SYN with our forged address. The line reports only.
- **SYN-FIN scan**: in addition, the line `TCP: Bogus TCP flags` is written once a minute for each source.
- A SYN with PSH or URG opens a connection like any SYN.

Which thresholds apply: [the sensor](sensor.md). After how many probes a scan is found: [the matrix](detection-matrix.md).
"""


def page(measured: dict[tuple[int, str], str]) -> str:
    """measured: the answer of Linux by (flags, CLOSED or OPEN)."""
    rows = []
    for flags in SETS:
        closed, opened = measured[flags, CLOSED], measured[flags, OPEN]
        counted = kind(flags)
        rows.append(f"| {name(flags)} | {closed} | {opened} | {bsd(flags)} | {windows(flags)} | "
                    f"{'yes' if closed != opened else 'no'} | {f'`{counted}`' if counted else NOTHING} |")
    return HEAD + "\n".join(rows) + "\n" + TAIL
