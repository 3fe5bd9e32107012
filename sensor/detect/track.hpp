// The names of sensor/track that the detectors use.
#pragma once

#include "sensor/track/extent.hpp"
#include "sensor/track/flow_memory.hpp"
#include "sensor/track/handshakes.hpp"
#include "sensor/track/keys.hpp"
#include "sensor/track/open_ports.hpp"
#include "sensor/track/pending_probes.hpp"
#include "sensor/track/port_list.hpp"
#include "sensor/track/probe.hpp"
#include "sensor/track/probe_history.hpp"
#include "sensor/track/scan_kind.hpp"
#include "sensor/track/single_probe_table.hpp"
#include "sensor/track/slow_scan_table.hpp"
#include "sensor/track/source_table.hpp"
#include "sensor/track/target_table.hpp"
#include "sensor/track/traceroute_run.hpp"
#include "sensor/track/zeroed_array.hpp"

namespace portcullis::sensor_detect {

using sensor_track::AddressCounter;
using sensor_track::AddressList;
using sensor_track::CountedItem;
using sensor_track::Counter;
using sensor_track::DestinationPorts;
using sensor_track::Extent;
using sensor_track::Extents;
using sensor_track::Flow;
using sensor_track::FlowMemory;
using sensor_track::Handshakes;
using sensor_track::is_tcp_port_scan;
using sensor_track::kMaxPortThreshold;
using sensor_track::kNoGroup;
using sensor_track::kNoIndex;
using sensor_track::kOpenMemory;
using sensor_track::kPatience;
using sensor_track::kProofMemory;
using sensor_track::kScanKindCount;
using sensor_track::kTcpPortScans;
using sensor_track::network_of;
using sensor_track::OpenPorts;
using sensor_track::PairKey;
using sensor_track::PendingProbes;
using sensor_track::PortList;
using sensor_track::PortState;
using sensor_track::Probe;
using sensor_track::ProbeClass;
using sensor_track::ProbeHeader;
using sensor_track::ProbeHistory;
using sensor_track::ScanKind;
using sensor_track::Second;
using sensor_track::second_of;
using sensor_track::SingleProbe;
using sensor_track::SingleProbeTable;
using sensor_track::SlowScanTable;
using sensor_track::SourceIndex;
using sensor_track::SourcePorts;
using sensor_track::SourceState;
using sensor_track::SourceTable;
using sensor_track::TargetCounter;
using sensor_track::TargetDetection;
using sensor_track::TargetProbe;
using sensor_track::TargetTable;
using sensor_track::TracerouteRun;
using sensor_track::transport_of;
using sensor_track::ZeroedArray;

}  // namespace portcullis::sensor_detect
