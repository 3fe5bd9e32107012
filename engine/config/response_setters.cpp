#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <vector>

#include "base/did_you_mean.hpp"
#include "base/evidence.hpp"
#include "engine/collect/location.hpp"
#include "engine/config/option_setters.hpp"
#include "engine/pattern/pattern.hpp"

namespace portcullis::config {
namespace {

constexpr int kMaxLevel = 20;
// A hundred years: more is a mistake, and the sum with the current time must not overflow.
constexpr int kMaxTimeoutSeconds = 2'147'483'647;

const respond::CommandConfig* find_command(const EngineConfig& config, std::string_view name) {
    const auto found = std::find_if(config.commands.begin(), config.commands.end(),
                                    [&](const auto& command) { return command.name == name; });
    return found != config.commands.end() ? &*found : nullptr;
}

void report_unknown_command(SectionReader& reader, const xml::Node& option) {
    reader.option_name = "command";
    const auto later = reader.command_places.find(option.text());
    if (later != reader.command_places.end()) {
        const auto& place = later->second;
        const bool is_later =
            place.line > option.place().line ||
            (place.line == option.place().line && place.column > option.place().column);
        if (is_later) {
            reader.add(option.error_in_text("command-defined-later",
                                            fmt::format("the command \"{}\" is defined later, at "
                                                        "line {}",
                                                        option.text(), place.line)),
                       "move the <command> in front of the <active-response>");
        }
        return;  // otherwise the errors of the command are reported
    }
    std::vector<std::string_view> names;
    for (const auto& [name, place] : reader.command_places) {
        names.push_back(name);
    }
    reader.bad_value(option, "unknown-command",
                     fmt::format("there is no command \"{}\"", option.text()),
                     base::did_you_mean(option.text(), names));
}

// Warns about a block that is valid but probably does not do what its author wants.
void warn_of_surprises(SectionReader& reader, const xml::Node& section) {
    const auto& response = reader.block.response;
    reader.option_name.clear();
    using respond::ResponseLocation;
    if (response.location == ResponseLocation::DefinedAgent ||
        response.location == ResponseLocation::All) {
        reader.option_name = "location";
        reader.add_warning(reader.block.find("location")
                               ->error_in_text("no-agents",
                                               "there are no agents here: this response does "
                                               "nothing"),
                           "with \"local\" it runs on this host");
        return;
    }
    const auto& block = reader.block;
    if (response.forgeable_timeout && response.timeout > std::chrono::seconds::zero() &&
        *response.forgeable_timeout > response.timeout) {
        reader.option_name = "forgeable_timeout";
        reader.add_warning(
            block.find("forgeable_timeout")
                ->error_in_text(
                    "long-forgeable-timeout",
                    fmt::format("forgeable evidence blocks longer than proven "
                                "evidence: {} instead of {} seconds",
                                response.forgeable_timeout->count(), response.timeout.count())),
            "anyone can forge such packets in another's name: make forgeable_timeout the shorter "
            "one");
        reader.option_name.clear();
    }
    const bool can_fire = block.find("level") != nullptr || block.find("rules_id") != nullptr ||
                          block.find("rules_group") != nullptr;  // lint warns if not
    if (can_fire && response.timeout == std::chrono::seconds::zero()) {
        const auto* command = find_command(reader.config, response.command);
        reader.add_warning(
            section.error("permanent-response", "without a timeout this response is permanent"),
            command != nullptr && !command->timeout_allowed
                ? fmt::format("write <timeout_allowed>yes</timeout_allowed> into the command "
                              "\"{}\", and a <timeout> in seconds here",
                              response.command)
                : "write a <timeout> in seconds");
    }
}

}  // namespace

void set_response_command(SectionReader& reader, const xml::Node& option) {
    reader.block.response.command = read_text(reader, option).value_or("");
}

void set_response_location(SectionReader& reader, const xml::Node& option) {
    const auto location = parse_response_location(option.text());
    if (!location) {
        reader.bad_value(option, "bad-location",
                         fmt::format("\"{}\" does not say where to run the command", option.text()),
                         "write local, server, defined-agent or all");
        return;
    }
    reader.block.response.location = *location;
}

void set_response_level(SectionReader& reader, const xml::Node& option) {
    reader.block.response.level = read_number(reader, option, 0, kMaxLevel);
}

void set_rules_id(SectionReader& reader, const xml::Node& option) {
    constexpr int kMaxRuleId = 999'999;
    const std::string_view text = option.text();
    auto& ids = reader.block.response.rules_id;
    ids.clear();
    std::size_t at = text.find_first_not_of(", ");
    while (at != std::string_view::npos) {
        int id = 0;
        const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), id);
        const auto length = static_cast<std::size_t>(end - (text.data() + at));
        if (length == 0 || text[at] == '-') {
            // OSSEC-COMPAT: reading stops here ("engine_config: rules_id ends at text that is not
            // an id").
            reader.add_warning(
                option.error_in_text("rules-id-cut",
                                     "this is not a rule id: the list ends before it", at),
                "ids are separated by commas and blanks");
            return;
        }
        if (error != std::errc() || id > kMaxRuleId) {
            reader.add(
                option.error_in_text("bad-number", "a rule id has at most six digits", at, length));
        } else {
            ids.push_back(id);
        }
        at = text.find_first_not_of(", ", at + length);
    }
    if (ids.empty()) {
        reader.bad_value(option, "bad-number", "there is no rule id in the list");
    }
}

void set_rules_group(SectionReader& reader, const xml::Node& option) {
    const auto text = read_text(reader, option);
    if (!text) {
        return;
    }
    const auto compiled = pattern::Pattern::compile(pattern::Language::OsRegex, *text);
    if (!compiled) {
        const int column = compiled.error().place.column;
        reader.add(option.error_in_text("bad-pattern", compiled.error().message,
                                        column > 0 ? static_cast<std::size_t>(column - 1) : 0,
                                        column > 0 ? 1 : 0),
                   compiled.error().hint);
        return;
    }
    reader.block.response.rules_group = *text;
}

void set_response_timeout(SectionReader& reader, const xml::Node& option) {
    reader.block.response.timeout =
        std::chrono::seconds(read_number(reader, option, 0, kMaxTimeoutSeconds).value_or(1));
}

void set_block(SectionReader& reader, const xml::Node& option) {
    const auto choice = base::block_choice_of(option.text());
    if (!choice) {
        reader.bad_value(option, "bad-word",
                         fmt::format(R"("{}" is none of "auto", "hard" and "soft")", option.text()),
                         base::did_you_mean(option.text(), {base::kBlockChoiceWords.begin(),
                                                            base::kBlockChoiceWords.end()}));
        return;
    }
    reader.block.response.block = *choice;
}

void set_forgeable_timeout(SectionReader& reader, const xml::Node& option) {
    if (const auto seconds = read_number(reader, option, 1, kMaxTimeoutSeconds)) {
        reader.block.response.forgeable_timeout = std::chrono::seconds(*seconds);
    }
}

void add_from_file(SectionReader& reader, const xml::Node& option) {
    if (auto path = read_text(reader, option)) {
        reader.block.response.from_files.push_back(*std::move(path));
        reader.block.from_files.push_back(option);
    }
}

void set_disabled(SectionReader& reader, const xml::Node& option) {
    reader.block.is_disabled = read_yes_no(reader, option).value_or(false);
}

void set_repeated_offenders(SectionReader& reader, const xml::Node& option) {
    constexpr std::size_t kMaxSteps = 5;
    constexpr int kMaxMinutes = 60 * 24 * 365 * 10;
    std::vector<std::chrono::minutes> steps;
    const std::string_view text = option.text();
    std::size_t begin = 0;
    while (begin <= text.size()) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        std::size_t first = std::min(text.find_first_not_of(' ', begin), end);
        std::size_t last = end;
        while (last > first && text[last - 1] == ' ') {
            --last;
        }
        int minutes = 0;
        const auto [stop, error] =
            std::from_chars(text.data() + first, text.data() + last, minutes);
        if (error != std::errc() || stop != text.data() + last || minutes < 1 ||
            minutes > kMaxMinutes) {
            reader.add(option.error_in_text("bad-number", "this is not a number of minutes", first,
                                            std::max<std::size_t>(last - first, 1)),
                       "write up to five numbers, separated by commas, as in 30,60,120");
            return;
        }
        if (steps.size() == kMaxSteps) {
            reader.add(option.error_in_text("too-many-steps", "more than five steps", first,
                                            last - first));
            return;
        }
        steps.emplace_back(minutes);
        begin = end + 1;
    }
    // The first list of a file counts.
    if (!reader.has_repeated_offenders) {
        reader.has_repeated_offenders = true;
        reader.config.repeated_offenders = std::move(steps);
    }
}

void finish_active_response(SectionReader& reader, const xml::Node& section) {
    auto& block = reader.block;
    const bool only_sets_offenders =
        std::all_of(block.seen.begin(), block.seen.end(), [](const auto& option) {
            return option.first == "repeated_offenders" || option.first == "disabled";
        });
    const bool has_offenders = block.find("repeated_offenders") != nullptr;
    if (block.is_disabled || (only_sets_offenders && has_offenders)) {
        return;
    }
    bool is_complete = true;
    for (const std::string_view option : {"command", "location"}) {
        if (block.find(option) == nullptr) {
            reader.add(section.error("missing-option",
                                     fmt::format("an active-response needs a <{}>", option)),
                       option == "location" ? "write <location>local</location>" : "");
            is_complete = false;
        }
    }
    if (!is_complete || block.response.command.empty()) {
        return;
    }
    const auto* command = find_command(reader.config, block.response.command);
    if (command == nullptr) {
        report_unknown_command(reader, *block.find("command"));
        return;
    }
    const char* forbidden = command->timeout_allowed                                ? nullptr
                            : block.response.timeout > std::chrono::seconds::zero() ? "timeout"
                            : block.response.forgeable_timeout ? "forgeable_timeout"
                                                               : nullptr;
    if (forbidden != nullptr) {
        reader.option_name = forbidden;
        reader.add(block.find(forbidden)->error_in_text(
                       "timeout-not-allowed",
                       fmt::format("the command \"{}\", defined at line {}, allows no timeout",
                                   command->name, command->place.line)),
                   "write <timeout_allowed>yes</timeout_allowed> into its <command>");
        return;
    }
    if (block.response.location == respond::ResponseLocation::DefinedAgent &&
        block.find("agent_id") == nullptr) {
        reader.add(section.error("missing-option",
                                 "an active-response on a defined agent needs an <agent_id>"));
        return;
    }
    warn_of_surprises(reader, section);
    block.response.place = section.place();
    reader.config.active_responses.push_back(block.response);
    reader.from_files.insert(reader.from_files.end(), block.from_files.begin(),
                             block.from_files.end());
}

void warn_of_unread_from_files(SectionReader& reader) {
    const auto& files = reader.config.local_files;
    std::vector<std::string_view> locations;
    locations.reserve(files.size());
    for (const auto& file : files) {
        locations.push_back(file.location);
    }
    reader.section_name = "active-response";
    reader.option_name = "from_file";
    for (const xml::Node& option : reader.from_files) {
        const std::string path(option.text());
        const bool is_read = std::any_of(files.begin(), files.end(), [&](const auto& file) {
            return collect::is_of_location(file.location, path);
        });
        if (!is_read) {
            std::string hint = base::did_you_mean(path, locations);
            reader.add_warning(
                option.error_in_text("unread-from-file",
                                     fmt::format("no <localfile> reads \"{}\", so this response "
                                                 "never fires for it",
                                                 path)),
                hint.empty() ? "write a path as it is in a <localfile>" : std::move(hint));
        }
    }
}

}  // namespace portcullis::config
