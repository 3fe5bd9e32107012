// What ossec.conf names, looked for in a home: decoder, rule and list files, and the executables of
// commands. Reads directories and the state of files, never their contents.
#pragma once

#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "engine/config/engine_config.hpp"

namespace portcullis::config {

struct InputFiles {
    std::vector<FileReference> decoder_files;
    bool has_all_decoders = true;  // false: one that is named could not be read
    std::vector<FileReference> rule_files;
    std::vector<FileReference> list_files;  // not looked for: a list may have been compiled away
};

// The files in the order of loading, with paths as ossec.conf has them (resolve them against
// `home`). Directories are expanded: files that match, in byte order, without those named before.
// Default decoder files: etc/decoder.xml, or decoders/iplog_decoders.xml in a home without it; then
// etc/local_decoder.xml if there is one.
// A file that cannot be read is an error at the place that names it and not among the result; a
// directory that is not there is a warning.
InputFiles resolve_input_files(const EngineConfig& config, const std::string& home,
                               base::Diagnostics& diagnostics);

// An error for each command whose executable is missing in `folder` (active-response/bin of the
// home), is no file, or may not be executed.
void check_executables(const EngineConfig& config, const std::string& folder,
                       base::Diagnostics& diagnostics);

// A warning for each <white_list_file> that is not there. execd reads them; who may read them is
// not looked at, since execd has other rights.
void check_white_lists(const EngineConfig& config, const std::string& home,
                       base::Diagnostics& diagnostics);

}  // namespace portcullis::config
