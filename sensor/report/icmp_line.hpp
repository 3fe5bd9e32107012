// The lines of all ICMP messages but echoes: their text is a template.
//
// One table, used in both directions: what is written is read back by the same row. Part of
// line.hpp, apart from it only for its size. Constant data, thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sensor/report/line.hpp"

namespace portcullis::sensor_report {

// REQUIRES: line.type == IcmpMessage.
void format_icmp(const Line& line, std::string& out);

// nullopt = no template gives this text.
std::optional<Line> parse_icmp(std::string_view message);

}  // namespace portcullis::sensor_report
