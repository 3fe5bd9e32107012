// EngineConfig: ossec.conf as plain values (spec: conf). The stages own the structs that they use;
// this one only collects them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ban_settings.hpp"
#include "base/diagnostic.hpp"
#include "engine/alert/output_options.hpp"
#include "engine/collect/local_file.hpp"
#include "engine/config/internal_options.hpp"
#include "engine/respond/response_config.hpp"

namespace portcullis::config {

// A file (or a directory of files) in ossec.conf: its path, and the place where it is written.
struct FileReference {
    std::string path;  // relative to the home, or absolute
    base::SourcePlace place;
    std::string source_line = {};  // of the place, for the snippet of an error
    int caret_length = 1;
    bool is_directory = false;  // rule_dir, decoder_dir: its files, in byte order
    std::string pattern = {};   // of a directory: the OS_Regex that "directory/file" must match

    base::Diagnostic error(std::string code, std::string message) const;
};

struct EngineConfig : base::BanSettings {
    // In the order of the file, directories not yet expanded: resolve_input_files()
    // (input_files.hpp) turns them into existing files.
    std::vector<FileReference> decoder_files;
    bool decoder_files_are_default = false;  // no decoder file is given: the list is empty
    std::vector<FileReference> rule_files;
    std::vector<FileReference> list_files;

    std::vector<collect::LocalFileConfig> local_files;
    std::vector<respond::CommandConfig> commands;
    std::vector<FileReference> executables;  // of the commands, for check_executables()
    std::vector<respond::ActiveResponseConfig> active_responses;  // enabled ones, in file order
    std::vector<FileReference> white_list_references;  // white_list_files, for check_white_lists()

    alert::OutputOptions outputs;  // without `firewall`, which is in `internal`
    int log_alert_level = 1;
    int email_alert_level = 7;
    int forgeable_alerts_per_minute = 0;  // of one rule; 0 = no limit
    int memory_size = 8192;               // remembered events
    int memory_bytes = 16'777'216;        // ... and their bytes
    int stats = 4;                        // level of the alert about the number of events; 0 = none
    bool drop_repeated_messages = true;
    bool full_overwrite = false;  // overwrite="yes" replaces the whole rule

    // Read from other files, by load_internal_options(); parse_engine_config() keeps the defaults.
    InternalOptions internal;

    bool verify_crawlers = false;  // is_valid_crawler asks DNS
};

// Reads ossec.conf text. Unknown sections, options and values are errors in `diagnostics`. The
// result has everything that could be read; use it only if there are no errors. `shown_as` names
// the file in diagnostics.
EngineConfig parse_engine_config(const std::string& shown_as, std::string_view text,
                                 base::Diagnostics& diagnostics);

// The same for a file; an unreadable file is an error in `diagnostics`.
EngineConfig load_engine_config(const std::string& path, base::Diagnostics& diagnostics);

}  // namespace portcullis::config
