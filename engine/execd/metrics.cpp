#include "engine/execd/metrics.hpp"

#include <array>
#include <nlohmann/json.hpp>

namespace portcullis::execd {
namespace {

using base::MetricKind;

constexpr std::array kMetrics{
    Metric{"sources_held_now", MetricKind::Gauge,
           "sources that the kernel holds and that no ban has confirmed yet",
           [](const HoldReports& reports) -> std::uint64_t { return reports.current(); }},
    Metric{"sources_held", MetricKind::Counter, "sources that the kernel held",
           [](const HoldReports& reports) { return reports.counters().held; }},
    Metric{"holds_confirmed", MetricKind::Counter, "holds during which a ban was executed",
           [](const HoldReports& reports) { return reports.counters().confirmed; }},
    Metric{"holds_lifted", MetricKind::Counter,
           "holds that ended without a ban, or whose address must not be blocked",
           [](const HoldReports& reports) { return reports.counters().lifted; }},
    Metric{"sources_a_dry_run_would_hold", MetricKind::Counter,
           "sources that a dry run reported instead of holding them",
           [](const HoldReports& reports) { return reports.counters().would_hold; }},
};

}  // namespace

std::span<const Metric> metrics() { return kMetrics; }

std::string status_json(const HoldReports& reports, int pid) {
    nlohmann::ordered_json status{{"pid", pid}};
    for (const Metric& metric : kMetrics) {
        status[std::string(metric.name)] = metric.get(reports);
    }
    return status.dump() + "\n";
}

}  // namespace portcullis::execd
