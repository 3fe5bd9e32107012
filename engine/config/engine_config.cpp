#include "engine/config/engine_config.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/did_you_mean.hpp"
#include "engine/config/option_setters.hpp"
#include "engine/config/options.hpp"
#include "engine/config/section_reader.hpp"
#include "engine/xml/document.hpp"

namespace portcullis::config {
namespace {

constexpr std::string_view kRoot = "ossec_config";

std::string hint_for_section(std::string_view name) {
    std::vector<std::string_view> names;
    for (const auto& section : sections()) {
        names.push_back(section.name);
    }
    return base::did_you_mean(name, names);
}

std::string hint_for_option(std::string_view section, std::string_view name) {
    std::vector<std::string_view> names;
    for (const auto& option : options()) {
        if (option.section == section) {
            names.push_back(option.name);
        } else if (option.name == name) {
            return fmt::format("it belongs in <{}>", option.section);
        }
    }
    return base::did_you_mean(name, names);
}

void read_option(SectionReader& reader, const xml::Node& node) {
    const Option* option = find_option(reader.section_name, node.name());
    if (option == nullptr) {
        reader.add(node.error("unknown-option", fmt::format("<{}> is not an option of <{}>",
                                                            node.name(), reader.section_name)),
                   hint_for_option(reader.section_name, node.name()));
        return;
    }
    reader.option_name = node.name();
    for (const auto& attribute : node.attributes()) {
        if (attribute.name != option->attribute) {
            auto warning =
                node.error_in_attribute(attribute, "unknown-attribute",
                                        fmt::format("<{}> has no attribute \"{}\": it is ignored",
                                                    node.name(), attribute.name));
            reader.add_warning(std::move(warning));
        }
    }
    if (!node.children().empty()) {
        reader.add(
            node.children().front().error("unexpected-element",
                                          fmt::format("<{}> can only contain text", node.name())),
            "is its end tag missing?");
    } else {
        reader.block.seen.insert_or_assign(std::string(node.name()), node);
        option->set(reader, node);
    }
    reader.option_name.clear();
}

void read_section(SectionReader& reader, const xml::Node& node) {
    reader.section_name = node.name();
    reader.option_name.clear();
    const Section* section = find_section(node.name());
    if (section == nullptr) {
        reader.section_name = kRoot;
        reader.add(
            node.error("unknown-section", fmt::format("there is no section <{}>", node.name())),
            hint_for_section(node.name()));
        return;
    }
    if (node.children().empty()) {
        reader.add(node.error("empty-section", fmt::format("<{}> has no options", node.name())),
                   "remove it, or write an option into it");
        return;
    }
    if (!section->is_read) {
        return;
    }
    reader.block = Block();
    for (const auto& option : node.children()) {
        read_option(reader, option);
    }
    if (section->finish != nullptr) {
        section->finish(reader, node);
    }
}

// Notes all commands, so that a response before its command gets another error than a response
// whose command does not exist.
void note_commands(SectionReader& reader, const xml::Node& root) {
    for (const auto& section : root.children()) {
        if (section.name() != "command") {
            continue;
        }
        for (const auto& option : section.children()) {
            if (option.name() == "name") {
                reader.command_places.emplace(option.text(), section.place());
            }
        }
    }
}

EngineConfig read_document(const std::optional<xml::Document>& document,
                           base::Diagnostics& diagnostics) {
    EngineConfig config;
    if (document) {
        SectionReader reader(config, diagnostics);
        for (const auto& root : document->roots()) {
            note_commands(reader, root);
        }
        for (const auto& root : document->roots()) {
            if (root.name() != kRoot) {
                auto error = root.error(
                    "unknown-root", fmt::format("<{}> where <{}> is expected", root.name(), kRoot));
                error.hint = root.name() == "var" ? "variables work in decoder and rule files only"
                             : find_section(root.name()) != nullptr
                                 ? fmt::format("put it inside <{0}> … </{0}>", kRoot)
                                 : base::did_you_mean(root.name(), {kRoot});
                diagnostics.add(std::move(error));
                continue;
            }
            for (const auto& section : root.children()) {
                read_section(reader, section);
            }
        }
        warn_of_unread_from_files(reader);
    }
    config.decoder_files_are_default = config.decoder_files.empty();
    return config;
}

}  // namespace

EngineConfig parse_engine_config(const std::string& shown_as, std::string_view text,
                                 base::Diagnostics& diagnostics) {
    return read_document(xml::Document::parse(shown_as, text, xml::Variables::Ignore, diagnostics),
                         diagnostics);
}

EngineConfig load_engine_config(const std::string& path, base::Diagnostics& diagnostics) {
    return read_document(xml::Document::load(path, path, xml::Variables::Ignore, diagnostics),
                         diagnostics);
}

}  // namespace portcullis::config
