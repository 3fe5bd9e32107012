// OutputOptions: what the configuration says about outputs. A plain value.
#pragma once

#include <string>

namespace portcullis::alert {

struct OutputOptions {
    bool alerts_json = false;       // <jsonout_output>
    bool archives = false;          // <logall>
    bool archives_json = false;     // <logall_json>
    bool firewall = false;          // log_fw of internal_options.conf
    std::string alert_format = {};  // <custom_alert_output>; empty = OSSEC's records
    bool operator==(const OutputOptions&) const = default;
};

}  // namespace portcullis::alert
