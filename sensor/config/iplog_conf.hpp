// The reader of iplog.conf.
//
//   rule    = "set" KEY ["true" | "false"]
//           | "interface"… IF{,IF} | "promisc" NET{,NET}
//           | ("user" | "group" | "logfile" | "pid-file" | "facility" | "priority") WORD
//           | ("log" | "ignore") ("tcp" | "udp") { ("from" | "to") ADDRESS
//                                                 | ("sport" | "dport") PORT }
//           | "line_limit" COUNT                   (lines per second; 0 = any number)
//           | "detection_limit" COUNT              (detections per minute, and as many
//                                                   of proven sources; 0 = any number)
//           | "threshold" … | "max_sources" …      (threshold_rule.hpp)
//           | ("log" | "ignore") "icmp" { ("from" | "to") ADDRESS | "type" TYPE }
//
// (ADDRESS, PORT, TYPE and NET: filter_values.hpp.)
//
// Tokens end at blanks; `#` at the start of a token: comment to the end of the line; `/*` at the
// start of a token: comment up to "*/", over lines. Keywords in any case. Several rules may share a
// line, but log, ignore, threshold and max_sources take the rest of theirs. A faulty rule is
// skipped, the rest is used.
#pragma once

#include <string>
#include <string_view>

#include "base/diagnostic.hpp"
#include "sensor/config/settings.hpp"
#include "sensor/report/names.hpp"

namespace portcullis::sensor_config {

// Applies `text` over `settings`. Each fault becomes one Diagnostic with iplog's wording as its
// message, file and line as its place. Host names are looked up in `hosts` only.
void apply_iplog_conf(std::string_view text, const std::string& file,
                      const sensor_report::ServicesFile& services,
                      const sensor_report::HostsFile& hosts, SensorSettings& settings,
                      base::Diagnostics& diagnostics);

// iplog's form: "[line 3] Invalid rule: x", without "[line n] " if no line is known.
std::string iplog_message(const base::Diagnostic& diagnostic);

}  // namespace portcullis::sensor_config
