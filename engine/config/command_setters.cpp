#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/ascii.hpp"
#include "base/did_you_mean.hpp"
#include "engine/config/option_setters.hpp"

namespace portcullis::config {
namespace {

struct ExpectRow {
    std::string_view word;
    bool respond::CommandConfig::*flag;
};

constexpr ExpectRow kExpectWords[] = {
    {"srcip", &respond::CommandConfig::expects_srcip},
    {"user", &respond::CommandConfig::expects_user},
    {"username", &respond::CommandConfig::expects_user},
    {"filename", &respond::CommandConfig::expects_filename},
};

}  // namespace

void set_command_name(SectionReader& reader, const xml::Node& option) {
    const auto name = read_text(reader, option);
    if (!name) {
        return;
    }
    // The name is part of messages whose words are separated by blanks.
    if (name->find_first_of(" \t\r\n") != std::string::npos) {
        reader.bad_value(option, "bad-name", "the name of a command cannot contain blanks");
        return;
    }
    reader.block.command.name = *name;
}

void set_executable(SectionReader& reader, const xml::Node& option) {
    const auto file = read_text(reader, option);
    if (!file) {
        return;
    }
    if (file->find('/') != std::string::npos || *file == "." || *file == "..") {
        reader.bad_value(option, "bad-executable",
                         fmt::format("\"{}\" is not the name of a file", *file),
                         "write the name of a file in active-response/bin, without a folder");
        return;
    }
    const auto at_text = option.error_in_text({}, {});
    reader.block.command.executable = *file;
    reader.block.executable.path = *file;
    reader.block.executable.place = at_text.place;
    reader.block.executable.source_line = at_text.source_line;
    reader.block.executable.caret_length = at_text.caret_length;
}

void set_expect(SectionReader& reader, const xml::Node& option) {
    constexpr std::string_view kSeparators = ", \t\r\n";
    const std::string_view text = option.text();
    for (const auto& row : kExpectWords) {
        reader.block.command.*row.flag = false;
    }
    std::size_t begin = text.find_first_not_of(kSeparators);
    while (begin != std::string_view::npos) {
        const std::size_t end = std::min(text.find_first_of(kSeparators, begin), text.size());
        const std::string_view word = text.substr(begin, end - begin);
        const auto* const row = std::find_if(
            std::begin(kExpectWords), std::end(kExpectWords),
            [&](const ExpectRow& each) { return base::equals_ignoring_case(each.word, word); });
        if (row != std::end(kExpectWords)) {
            reader.block.command.*row->flag = true;
        } else {
            reader.add_warning(
                option.error_in_text("unknown-expect",
                                     fmt::format("<expect> has no word \"{}\"", word), begin,
                                     word.size()),
                "the words are srcip, user and filename; others are ignored");
        }
        begin = text.find_first_not_of(kSeparators, end);
    }
}

void set_timeout_allowed(SectionReader& reader, const xml::Node& option) {
    reader.block.command.timeout_allowed = read_yes_no(reader, option).value_or(true);
}

void set_persistent(SectionReader& reader, const xml::Node& option) {
    reader.block.command.persistent = read_yes_no(reader, option).value_or(false);
}

void finish_command(SectionReader& reader, const xml::Node& section) {
    auto& block = reader.block;
    constexpr std::string_view kRequired[] = {"name", "executable", "expect"};
    bool is_complete = true;
    for (const auto option : kRequired) {
        if (block.find(option) == nullptr) {
            reader.add(
                section.error("missing-option", fmt::format("a command needs <{}>", option)),
                option == "expect" ? "write <expect></expect> if the command needs nothing" : "");
            is_complete = false;
        }
    }
    if (!block.executable.path.empty()) {
        reader.config.executables.push_back(
            block.executable);  // checked even if the command has other errors
    }
    if (!is_complete || block.command.name.empty() || block.command.executable.empty()) {
        return;
    }
    const auto& commands = reader.config.commands;
    const auto same = std::find_if(commands.begin(), commands.end(), [&](const auto& earlier) {
        return earlier.name == block.command.name;
    });
    if (same != commands.end()) {
        reader.option_name = "name";
        reader.add(
            block.find("name")->error_in_text(
                "duplicate-command", fmt::format("the command \"{}\" is already defined at line {}",
                                                 block.command.name, same->place.line)),
            "give it another name");
        return;
    }
    block.command.place = section.place();
    reader.config.commands.push_back(block.command);
}

}  // namespace portcullis::config
