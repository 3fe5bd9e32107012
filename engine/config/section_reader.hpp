// SectionReader: the state that the setters of the option table change while ossec.conf is read.
//
// It has the configuration that is being filled, the block (section element) that is being read,
// and functions that report errors at the place of an option. Lives for one parse_engine_config().
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "engine/config/engine_config.hpp"
#include "engine/xml/document.hpp"

namespace portcullis::config {

// The options of one <localfile>, <command> or <active-response> that have been read.
struct Block {
    collect::LocalFileConfig local_file;
    respond::CommandConfig command;
    FileReference executable;
    respond::ActiveResponseConfig response;
    std::vector<xml::Node> from_files;
    bool is_disabled = false;
    // Option name → its (last) element.
    std::map<std::string, xml::Node, std::less<>> seen;

    const xml::Node* find(std::string_view option) const;
};

class SectionReader {
  public:
    SectionReader(EngineConfig& engine_config, base::Diagnostics& diagnostics)
        : config(engine_config), diagnostics_(diagnostics) {}

    // The context of diagnostics is "section" or "section > option".
    void add(base::Diagnostic diagnostic, std::string hint = {});
    void add_warning(base::Diagnostic diagnostic, std::string hint = {});

    // An error at the whole content of an option. If there are blanks around the value, the hint is
    // about them.
    void bad_value(const xml::Node& option, std::string code, std::string message,
                   std::string hint = {});

    EngineConfig& config;
    Block block;
    std::string section_name;
    std::string option_name;  // empty: the section as a whole
    // Name → place of every <command> of the file, including later ones.
    std::map<std::string, base::SourcePlace, std::less<>> command_places;
    bool has_repeated_offenders = false;
    std::vector<xml::Node> from_files;  // of all enabled responses

  private:
    base::Diagnostics& diagnostics_;
};

}  // namespace portcullis::config
