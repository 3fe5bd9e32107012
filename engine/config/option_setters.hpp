// The setters in the rows of the option table. Each reads one option into the configuration or the
// current block, and reports an invalid value.
#pragma once

#include "engine/config/engine_config.hpp"
#include "engine/config/section_reader.hpp"
#include "engine/config/values.hpp"
#include "engine/xml/document.hpp"

namespace portcullis::config {

template <auto Member>  // of EngineConfig or of a struct that it is
void set_yes_no(SectionReader& reader, const xml::Node& option) {
    if (const auto value = read_yes_no(reader, option)) {
        reader.config.*Member = *value;
    }
}

template <auto Member, int Min, int Max>
void set_number(SectionReader& reader, const xml::Node& option) {
    if (const auto value = read_number(reader, option, Min, Max)) {
        reader.config.*Member = *value;
    }
}

template <bool alert::OutputOptions::*Member>
void set_output(SectionReader& reader, const xml::Node& option) {
    if (const auto value = read_yes_no(reader, option)) {
        reader.config.outputs.*Member = *value;
    }
}

// Options of OSSEC without effect here: the value is still checked.
inline void accept_any(SectionReader&, const xml::Node&) {}
inline void accept_yes_no(SectionReader& reader, const xml::Node& option) {
    read_yes_no(reader, option);
}
template <int Min, int Max>
void accept_number(SectionReader& reader, const xml::Node& option) {
    read_number(reader, option, Min, Max);
}
void accept_mail_address(SectionReader& reader, const xml::Node& option);
// The same, with a warning if the value asks for something that will not happen.
void accept_mail_switch(SectionReader& reader, const xml::Node& option);
// Options of special builds only.
void refuse(SectionReader& reader, const xml::Node& option);

// <global>
void add_white_list(SectionReader& reader, const xml::Node& option);
void add_white_list_file(SectionReader& reader, const xml::Node& option);
void set_ipv6_prefix(SectionReader& reader, const xml::Node& option);
void set_hold(SectionReader& reader, const xml::Node& option);
template <int base::HoldConfig::*Member, int Min, int Max>
void set_hold_number(SectionReader& reader, const xml::Node& option) {
    if (const auto value = read_number(reader, option, Min, Max)) {
        reader.config.hold.*Member = *value;
    }
}
void set_hold_seconds(SectionReader& reader, const xml::Node& option);
void set_hold_ipv6_prefix(SectionReader& reader, const xml::Node& option);
void set_alert_format(SectionReader& reader, const xml::Node& option);
void set_memory_size(SectionReader& reader, const xml::Node& option);

// <rules>
void add_rule_file(SectionReader& reader, const xml::Node& option);
void add_rule_dir(SectionReader& reader, const xml::Node& option);
void add_decoder_file(SectionReader& reader, const xml::Node& option);
void add_decoder_dir(SectionReader& reader, const xml::Node& option);
void add_list_file(SectionReader& reader, const xml::Node& option);

// <localfile>
void set_location(SectionReader& reader, const xml::Node& option);
void set_log_format(SectionReader& reader, const xml::Node& option);
void set_frequency(SectionReader& reader, const xml::Node& option);
void finish_local_file(SectionReader& reader, const xml::Node& section);

// <command>
void set_command_name(SectionReader& reader, const xml::Node& option);
void set_executable(SectionReader& reader, const xml::Node& option);
void set_expect(SectionReader& reader, const xml::Node& option);
void set_timeout_allowed(SectionReader& reader, const xml::Node& option);
void set_persistent(SectionReader& reader, const xml::Node& option);
void finish_command(SectionReader& reader, const xml::Node& section);

// <active-response>
void set_response_command(SectionReader& reader, const xml::Node& option);
void set_response_location(SectionReader& reader, const xml::Node& option);
void set_response_level(SectionReader& reader, const xml::Node& option);
void set_rules_id(SectionReader& reader, const xml::Node& option);
void set_rules_group(SectionReader& reader, const xml::Node& option);
void set_response_timeout(SectionReader& reader, const xml::Node& option);
void set_block(SectionReader& reader, const xml::Node& option);
void set_forgeable_timeout(SectionReader& reader, const xml::Node& option);
void add_from_file(SectionReader& reader, const xml::Node& option);
void set_disabled(SectionReader& reader, const xml::Node& option);
void set_repeated_offenders(SectionReader& reader, const xml::Node& option);
void finish_active_response(SectionReader& reader, const xml::Node& section);
// Call it at the end of ossec.conf, when every <localfile> is known: warns about each <from_file>
// that none of them reads.
void warn_of_unread_from_files(SectionReader& reader);

}  // namespace portcullis::config
