// The lines of all ICMP messages except echoes, from templates.
//
// One table for writing and reading: a line is read by the row that wrote it. A part of line.hpp,
// in its own file because of its size. Constant data, thread-safe.
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
