"""Sample captures: one for each kind that the sensor detects.

`SAMPLES` is a TABLE: name, the capture for an IP version, and whether it needs `promisc` for the network of our hosts. The
column `sample` of sensor/detect/detectors.cpp contains these names; detector_samples_test.py runs them.
"""
import dataclasses
from functools import partial
from typing import Callable

import attacks
import network


@dataclasses.dataclass(frozen=True)
class Sample:
    make: Callable[[int], network.Capture]  # from the IP version
    watches_network: bool = False


def scan(probe: str, version: int, *, ports: int = 40, gap: float = 0.02) -> network.Capture:
    return attacks.port_scan(probe, version, ports=attacks.distinct_ports(probe, ports), gap=gap)


def sweep(probe: str, version: int, *, hosts: int = 14, state: str = "closed", gap: float = 0.02) -> network.Capture:
    return attacks.sweep(probe, version, hosts=hosts, state=state, gap=gap)


SAMPLES = {
    # One source, many ports of one target.
    "connect_scan": Sample(partial(scan, "connect")),
    "null_scan": Sample(partial(scan, "null")),
    "fin_scan": Sample(partial(scan, "FIN")),
    "syn_scan": Sample(partial(scan, "SYN")),
    "xmas_scan": Sample(partial(scan, "Xmas")),
    "syn_fin_scan": Sample(partial(scan, "SYN+FIN")),
    "ack_scan": Sample(partial(scan, "ACK")),
    "maimon_scan": Sample(partial(scan, "Maimon")),
    "syn_ack_probes": Sample(partial(scan, "SYN+ACK")),
    "udp_scan": Sample(partial(scan, "UDP")),
    "sctp_scan": Sample(partial(scan, "SCTP INIT")),
    "protocol_scan": Sample(partial(scan, "IP protocol")),
    "slow_scan": Sample(partial(scan, "SYN", ports=14, gap=70)),
    "open_ports": Sample(lambda version: attacks.open_port_probing(version, count=30)),
    # One source, many targets.
    "syn_sweep": Sample(partial(sweep, "SYN"), watches_network=True),
    "udp_sweep": Sample(partial(sweep, "UDP"), watches_network=True),
    "ping_sweep": Sample(partial(sweep, "ping", state="dead"), watches_network=True),
    "slow_syn_sweep": Sample(partial(sweep, "SYN", gap=70), watches_network=True),
    "slow_ping_sweep": Sample(partial(sweep, "ping", state="dead", gap=70), watches_network=True),
    # Many sources, one target.
    "syn_decoys": Sample(attacks.decoy_scan),
    "udp_decoys": Sample(partial(attacks.decoy_scan, name="UDP", ports=40)),
    "distributed_scan": Sample(partial(attacks.distributed_scan, ports=40)),
    "syn_flood": Sample(attacks.syn_flood),
    "refused_clients": Sample(attacks.refused_clients),
    "udp_flood": Sample(attacks.udp_flood),
    "ping_flood": Sample(partial(attacks.ping_flood, count=100)),
    # Answers to packets that somebody sent in our name.
    "smurf": Sample(attacks.smurf),
    "syn_ack_backscatter": Sample(attacks.syn_ack_backscatter),
    "udp_backscatter": Sample(attacks.udp_backscatter),
    "syn_ack_reflection": Sample(attacks.syn_ack_reflection),
    "udp_reflection": Sample(attacks.udp_reflection),
}
