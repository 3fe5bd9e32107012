#include <fmt/format.h>

#include "engine/config/option_setters.hpp"
#include "engine/pattern/pattern.hpp"

namespace portcullis::config {
namespace {

// `.` is literal in OS_Regex.
constexpr std::string_view kDefaultFilePattern = ".xml$";

FileReference reference_to(const xml::Node& option, std::string path) {
    // A diagnostic at the text has its place and its line.
    const auto at_text = option.error_in_text({}, {});
    FileReference file;
    file.path = std::move(path);
    file.place = at_text.place;
    file.source_line = at_text.source_line;
    file.caret_length = at_text.caret_length;
    return file;
}

void add_file(SectionReader& reader, const xml::Node& option, std::vector<FileReference>& files,
              std::string_view folder) {
    auto path = read_text(reader, option);
    if (!path) {
        return;
    }
    const bool is_bare = path->find('/') == std::string::npos;
    files.push_back(reference_to(option, is_bare ? std::string(folder) + *path : *path));
}

void add_directory(SectionReader& reader, const xml::Node& option,
                   std::vector<FileReference>& files) {
    auto path = read_text(reader, option);
    if (!path) {
        return;
    }
    while (path->size() > 1 && path->back() == '/') {
        path->pop_back();
    }
    FileReference directory = reference_to(option, *std::move(path));
    directory.is_directory = true;
    directory.pattern = kDefaultFilePattern;
    if (const xml::Attribute* pattern = option.find_attribute("pattern")) {
        const auto compiled = pattern::Pattern::compile(pattern::Language::OsRegex, pattern->value);
        if (!compiled) {
            reader.add(option.error_in_attribute(*pattern, "bad-pattern", compiled.error().message),
                       compiled.error().hint);
            return;
        }
        directory.pattern = pattern->value;
    }
    files.push_back(std::move(directory));
}

}  // namespace

void add_rule_file(SectionReader& reader, const xml::Node& option) {
    add_file(reader, option, reader.config.rule_files, "rules/");
}

void add_rule_dir(SectionReader& reader, const xml::Node& option) {
    add_directory(reader, option, reader.config.rule_files);
}

void add_decoder_file(SectionReader& reader, const xml::Node& option) {
    add_file(reader, option, reader.config.decoder_files, "");
}

void add_decoder_dir(SectionReader& reader, const xml::Node& option) {
    add_directory(reader, option, reader.config.decoder_files);
}

void add_list_file(SectionReader& reader, const xml::Node& option) {
    add_file(reader, option, reader.config.list_files, "rules/");
}

}  // namespace portcullis::config
