#include "engine/config/response_lint.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/did_you_mean.hpp"
#include "engine/config/values.hpp"
#include "engine/pattern/pattern.hpp"
#include "engine/xml/document.hpp"

namespace portcullis::config {
namespace {

using respond::BindableRule;
using respond::ResponseLocation;

// Whether a response can be bound to the rule at all (spec: active_response, section 1).
bool is_bindable(const BindableRule& rule) {
    return rule.level > 0 && !rule.no_response && rule.is_accurate;
}

class ResponseLint {
  public:
    ResponseLint(const std::vector<BindableRule>& rules, const std::set<int>& rules_without_srcip,
                 base::Diagnostics& diagnostics)
        : rules_(rules), rules_without_srcip_(rules_without_srcip), diagnostics_(diagnostics) {}

    // Call it for each <command> of the file before look_at().
    void note_command(const xml::Node& section);
    void look_at(const xml::Node& section);

  private:
    void warn(std::string_view option, base::Diagnostic diagnostic, std::string hint = {});
    void look_at_level(const xml::Node& option);
    void look_at_ids(const xml::Node& option);
    void look_at_id(const xml::Node& option, int id, std::size_t offset, std::size_t length);
    void look_at_group(const xml::Node& option);

    const std::vector<BindableRule>& rules_;
    const std::set<int>& rules_without_srcip_;
    base::Diagnostics& diagnostics_;
    std::set<std::string, std::less<>> expecting_srcip_;  // names of commands
    bool expects_srcip_ = false;                          // the command of the current response
};

// If an option is given twice, the last one counts.
const xml::Node* find_option(const xml::Node& section, std::string_view name) {
    const xml::Node* found = nullptr;
    for (const xml::Node& option : section.children()) {
        found = option.name() == name ? &option : found;
    }
    return found;
}

void ResponseLint::warn(std::string_view option, base::Diagnostic diagnostic, std::string hint) {
    diagnostic.severity = base::Severity::Warning;
    diagnostic.context = option.empty() ? std::string("active-response")
                                        : fmt::format("active-response > {}", option);
    diagnostic.hint = std::move(hint);
    diagnostics_.add(std::move(diagnostic));
}

void ResponseLint::note_command(const xml::Node& section) {
    const xml::Node* name = find_option(section, "name");
    const xml::Node* expect = find_option(section, "expect");
    if (name != nullptr && expect != nullptr &&
        expect->text().find("srcip") != std::string_view::npos) {
        expecting_srcip_.emplace(name->text());
    }
}

void ResponseLint::look_at(const xml::Node& section) {
    const auto find = [&](std::string_view name) { return find_option(section, name); };
    if (const xml::Node* disabled = find("disabled");
        disabled != nullptr && disabled->text() == "yes") {
        warn("disabled",
             disabled->error_in_text("response-never-fires",
                                     "the response is disabled and never fires"),
             "remove this line to enable it, or remove the whole block");
        return;
    }
    const xml::Node* command = find("command");
    if (command == nullptr) {
        return;  // <repeated_offenders> alone
    }
    expects_srcip_ = expecting_srcip_.count(command->text()) != 0;
    const xml::Node* location = find("location");
    const auto place =
        location == nullptr ? std::nullopt : parse_response_location(location->text());
    if (place == ResponseLocation::DefinedAgent || place == ResponseLocation::All) {
        return;  // the loader has reported that there are no agents
    }
    const xml::Node* level = find("level");
    const xml::Node* ids = find("rules_id");
    const xml::Node* group = find("rules_group");
    if (level == nullptr && ids == nullptr && group == nullptr) {
        warn({},
             section.error("response-never-fires",
                           "this response never fires: it has no level, rules_id or rules_group"),
             "write the rules for which it should run");
    }
    if (level != nullptr) {
        look_at_level(*level);
    }
    if (ids != nullptr) {
        look_at_ids(*ids);
    }
    if (group != nullptr) {
        look_at_group(*group);
    }
}

void ResponseLint::look_at_level(const xml::Node& option) {
    int wanted = 0;
    std::from_chars(option.text().data(), option.text().data() + option.text().size(), wanted);
    int highest = 0;
    for (const BindableRule& rule : rules_) {
        highest = is_bindable(rule) ? std::max(highest, rule.level) : highest;
    }
    if (wanted > highest) {
        warn("level",
             option.error_in_text(
                 "response-never-fires",
                 fmt::format("no rule has level {} or more: the highest is {}", wanted, highest)));
    }
}

void ResponseLint::look_at_ids(const xml::Node& option) {
    const std::string_view text = option.text();
    std::size_t at = text.find_first_not_of(", ");
    while (at != std::string_view::npos) {
        int id = 0;
        const auto read = std::from_chars(text.data() + at, text.data() + text.size(), id);
        const auto length = static_cast<std::size_t>(read.ptr - (text.data() + at));
        if (read.ec != std::errc{}) {
            return;  // the list ends here, as the loader has reported
        }
        look_at_id(option, id, at, length);
        at = text.find_first_not_of(", ", at + length);
    }
}

void ResponseLint::look_at_id(const xml::Node& option, int id, std::size_t offset,
                              std::size_t length) {
    const auto rule = std::find_if(rules_.begin(), rules_.end(),
                                   [&](const BindableRule& known) { return known.id == id; });
    if (rule == rules_.end()) {
        warn("rules_id",
             option.error_in_text(
                 "unknown-response-rule",
                 fmt::format("there is no rule {}, for which this response should run", id), offset,
                 length));
    } else if (!is_bindable(*rule)) {
        const std::string_view why = rule->level <= 0    ? "has level 0"
                                     : rule->no_response ? "has the option no_ar"
                                                         : "has accuracy 0";
        warn("rules_id",
             option.error_in_text("response-never-fires",
                                  fmt::format("rule {} {}, so no response runs for it", id, why),
                                  offset, length));
    } else if (expects_srcip_ && rules_without_srcip_.count(id) != 0) {
        warn("rules_id",
             option.error_in_text("response-never-fires",
                                  fmt::format("no event of rule {} has a srcip, which the command "
                                              "expects, so no response runs for it",
                                              id),
                                  offset, length),
             "let its decoder capture a srcip: <order>srcip</order>");
    }
}

void ResponseLint::look_at_group(const xml::Node& option) {
    const auto pattern =
        pattern::Pattern::compile(pattern::Language::OsRegex, std::string(option.text()));
    if (!pattern) {
        return;
    }
    pattern::MatchScratch scratch;
    std::vector<std::string_view> groups;
    for (const BindableRule& rule : rules_) {
        if (!is_bindable(rule)) {
            continue;
        }
        if (pattern->matches(rule.group, scratch)) {
            return;
        }
        for (std::string_view rest = rule.group; !rest.empty();) {
            const std::size_t comma = std::min(rest.find(','), rest.size());
            groups.push_back(rest.substr(0, comma));
            rest.remove_prefix(std::min(comma + 1, rest.size()));
        }
    }
    warn("rules_group",
         option.error_in_text(
             "response-never-fires",
             fmt::format("no rule of level 1 or more has a group like \"{}\"", option.text())),
         base::did_you_mean(option.text(), groups));
}

}  // namespace

void lint_responses(const std::string& shown_as, std::string_view text,
                    const std::vector<respond::BindableRule>& rules,
                    const std::set<int>& rules_without_srcip, base::Diagnostics& diagnostics) {
    base::Diagnostics none;
    const auto document = xml::Document::parse(shown_as, text, xml::Variables::Ignore, none);
    if (!document) {
        return;
    }
    ResponseLint lint(rules, rules_without_srcip, diagnostics);
    const auto for_each = [&](std::string_view name, auto visit) {
        for (const xml::Node& root : document->roots()) {
            for (const xml::Node& section : root.children()) {
                if (section.name() == name) {
                    visit(section);
                }
            }
        }
    };
    for_each("command", [&](const xml::Node& section) { lint.note_command(section); });
    for_each("active-response", [&](const xml::Node& section) { lint.look_at(section); });
}

}  // namespace portcullis::config
