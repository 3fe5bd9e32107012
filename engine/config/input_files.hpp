// Finds the files of ossec.conf in a home: decoder, rule and list files, and the executables of
// commands. Reads directories and the state of files, but not their contents.
#pragma once

#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "engine/config/engine_config.hpp"

namespace portcullis::config {

struct InputFiles {
    std::vector<FileReference> decoder_files;
    bool has_all_decoders = true;  // false: some file could not be read
    std::vector<FileReference> rule_files;
    std::vector<FileReference>
        list_files;  // not checked: only the compiled form of a list may exist
};

// The files in the order of loading, with the paths in ossec.conf (resolve them against `home`). A
// directory is replaced by its matching files, in byte order, without those given before. Default
// decoder files: etc/decoder.xml, or decoders/iplog_decoders.xml in a home without it; then
// etc/local_decoder.xml if it exists. A file that cannot be read is an error at its place in
// ossec.conf, and not in the result; a missing directory is a warning.
InputFiles resolve_input_files(const EngineConfig& config, const std::string& home,
                               base::Diagnostics& diagnostics);

// An error for each command whose executable is missing in `folder` (active-response/bin of the
// home), is not a file, or may not be executed.
void check_executables(const EngineConfig& config, const std::string& folder,
                       base::Diagnostics& diagnostics);

// A warning for each missing <white_list_file>. Permissions are not checked, because execd reads
// the files, with other rights.
void check_white_lists(const EngineConfig& config, const std::string& home,
                       base::Diagnostics& diagnostics);

}  // namespace portcullis::config
