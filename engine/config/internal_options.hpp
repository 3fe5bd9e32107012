// internal_options.conf: settings that OSSEC keeps apart from ossec.conf (spec: conf, section 9).
//
// Lines `group.name=number`; those that are empty or begin with '#' or a blank are skipped. A line
// in local_internal_options.conf overrides the other file. The table in internal_options.cpp has
// all options; docs/configuration.md shows it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"

namespace portcullis::config {

struct InternalOptions {
    int default_timeframe = 360;  // seconds
    int stats_maxdiff = 999'000;
    int stats_mindiff = 1'250;
    int stats_percent_diff = 150;
    int fts_list_size = 32;
    int fts_min_size_for_str = 14;
    int log_fw = 1;
    int decoder_order_size = 256;
    int sid_prev_matched_max = 128;
    int debug = 0;
};

struct InternalOption {
    std::string_view name;  // may have one '*', for any text
    int min;
    int max;
    int InternalOptions::*member;  // nullptr = accepted, without effect
    std::string_view help;
};

std::span<const InternalOption> internal_options();
// nullptr = unknown.
const InternalOption* find_internal_option(std::string_view name);
// The table as Markdown, for docs/configuration.md.
std::string internal_options_as_markdown();

// Reads the text of one file; its options override those in `options`. Bad lines and values are
// errors, and a name that looks like a typing error is a warning. `shown_as` is the name of the
// file in diagnostics.
void read_internal_options(const std::string& shown_as, std::string_view text,
                           InternalOptions& options, base::Diagnostics& diagnostics);

// Reads the files in this order; later ones override earlier ones. A missing file is skipped; an
// option that is in no file has its default.
InternalOptions load_internal_options(const std::vector<std::string>& paths,
                                      base::Diagnostics& diagnostics);

}  // namespace portcullis::config
