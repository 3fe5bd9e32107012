// Alert: what a rule found, as a plain value.
//
// An Alert owns all its text (it may outlive the event, be queued or be sent to another host) and
// has a stable JSON form (docs/alert-formats.md).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/evidence.hpp"
#include "engine/event/fields.hpp"

namespace portcullis::alert {

// The facts about a rule that others may use.
struct RuleFacts {
    int id = 0;
    int level = 0;
    int frequency = 0;              // as configured; 0 = not a frequency rule
    std::uint32_t fired_times = 0;  // since start, this time included
    std::string description;        // empty = none
    std::string group;              // "syslog,sshd,"
    std::string cve;                // empty = none
    std::vector<std::string> info;  // texts of <info>
};

struct Alert {
    base::Timestamp time;  // reception of the line
    std::uint64_t id = 0;  // counts from 1 within one run; "<unix time>.<id>" is its name
    RuleFacts rule;
    bool mail = false;  // the mail flag of alerts.log
    bool log = true;    // goes to alerts.log and alerts.json
    std::string hostname;
    std::string program_name;  // empty = none
    std::string location;
    std::string full_log;
    std::string decoder_name;  // empty = none
    std::string decoder_parent;
    bool decoder_has_fts = false;
    bool decoder_accumulates = false;
    std::array<std::optional<std::string>, event::kFieldCount> fields;
    std::vector<std::pair<std::string, std::string>> dynamic_fields;
    std::vector<std::string> previous_lines;     // of a composite rule, newest first
    std::optional<std::string> previous_output;  // of check_diff
    // The grade of an event about packets (grade_of); nullopt = a program logged it, so the address
    // is proven.
    std::optional<base::Evidence> evidence;

    const std::optional<std::string>& field(event::FieldId field_id) const {
        return fields[static_cast<std::size_t>(field_id)];
    }
    // The name of this alert in responses and logs: "1795511136.2".
    std::string name() const;
};

}  // namespace portcullis::alert
