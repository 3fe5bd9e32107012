// The numbers that execd publishes in run/execd-status.json. A further one is a row in metrics.cpp
// and in docs/counters.md.
#pragma once

#include <span>
#include <string>

#include "base/metrics.hpp"
#include "engine/execd/hold_reports.hpp"

namespace portcullis::execd {

using Metric = base::Metric<HoldReports>;

std::span<const Metric> metrics();

// The content of the status file: one line of JSON, with `pid` and then the metrics in their order.
std::string status_json(const HoldReports& reports, int pid);

}  // namespace portcullis::execd
