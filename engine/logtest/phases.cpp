#include "engine/logtest/phases.hpp"

#include <array>
#include <iterator>
#include <optional>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/utf8.hpp"
#include "engine/rules/rule.hpp"

namespace portcullis::logtest {
namespace {

using event::Event;
using rules::Information;
using rules::Rule;
using rules::Trace;
using Json = nlohmann::ordered_json;

std::string_view or_null(std::optional<std::string_view> value) {
    return value ? *value : std::string_view("(null)");
}

std::optional<std::string_view> unless_empty(std::string_view text) {
    return text.empty() ? std::nullopt : std::optional(text);
}

std::string_view label_of(Information::Kind kind) {
    static constexpr std::array<std::string_view, 4> kLabels{"Text", "Link", "CVE", "OSVDB"};
    return kLabels[static_cast<std::size_t>(kind)];
}

// "syslog,sshd," → {"syslog", "sshd"}
Json groups_of(const Rule& rule) {
    Json groups = Json::array();
    std::string_view rest = rule.group;
    while (!rest.empty()) {
        const std::string_view group = rest.substr(0, rest.find(','));
        if (!group.empty()) {
            groups.push_back(base::to_utf8(group));
        }
        rest.remove_prefix(std::min(group.size() + 1, rest.size()));
    }
    return groups;
}

Json json_of(std::optional<std::string_view> text) {
    return text ? Json(base::to_utf8(*text)) : Json(nullptr);
}

void append_trace(const Trace& trace, std::string& out) {
    out += "\n**Rule debugging:\n";
    for (const Trace::Step& step : trace.steps) {
        switch (step.what) {
            case Trace::What::Tried:
                fmt::format_to(std::back_inserter(out), "    Trying rule: {} - {}\n", step.rule->id,
                               or_null(unless_empty(step.rule->description)));
                break;
            case Trace::What::Matched:
                fmt::format_to(std::back_inserter(out), "       *Rule {} matched.\n",
                               step.rule->id);
                break;
            case Trace::What::TryingChildren:
                out += "       *Trying child rules.\n";
                break;
        }
    }
}

}  // namespace

std::string phases_text(const pipeline::Outcome& outcome, const Trace* trace,
                        bool has_program_decoders) {
    const Event& event = *outcome.event;
    std::string out;
    const auto line = [&](std::string_view label, std::string_view value) {
        fmt::format_to(std::back_inserter(out), "       {}: '{}'\n", label, value);
    };

    out += "\n\n**Phase 1: Completed pre-decoding.\n";
    line("full event", event.full_log);
    line("hostname", or_null(event.hostname));
    line("program_name", or_null(event.program_name));
    line("log", event.log);

    // OSSEC-COMPAT: the phase has no heading if no decoder could be tried at all.
    const bool was_decoded = !event.decoder_name.empty();
    if (was_decoded || has_program_decoders || !event.program_name) {
        out += "\n**Phase 2: Completed decoding.\n";
        out += was_decoded ? "" : "       No decoder matched.\n";
    }
    for (const event::DecodedField& field : event.decoded()) {
        line(field.label, field.value);
    }
    line("decoder", or_null(unless_empty(event.decoder_name)));
    if (outcome.accumulated) {
        out += "\n**ACCUMULATOR: LEVEL UP!!**\n\n";
    }

    if (trace != nullptr) {
        append_trace(*trace, out);
    }
    if (outcome.rule == nullptr) {
        return out;
    }
    const Rule& rule = *outcome.rule;
    out += "\n**Phase 3: Completed filtering (rules).\n";
    line("Rule id", std::to_string(rule.id));
    line("Level", std::to_string(rule.level));
    line("Description", or_null(unless_empty(rule.description)));
    for (const Information& information : rule.information) {
        line(fmt::format("Info - {}", label_of(information.kind)), information.text);
    }
    if (!rule.cve.empty()) {
        line("Info - CVE", rule.cve);
    }
    if (outcome.is_logged()) {
        out += "**Alert to be generated.\n\n\n";
    }
    return out;
}

Json phases_json(const pipeline::Outcome& outcome) {
    const Event& event = *outcome.event;
    Json json;
    json["full_event_fields"] = {{"full_event", json_of(event.full_log)},
                                 {"hostname", json_of(event.hostname)},
                                 {"program_name", json_of(event.program_name)},
                                 {"log", json_of(event.log)}};
    json["decoder"] = json_of(unless_empty(event.decoder_name));
    json["fields"] = Json::object();
    for (const event::DecodedField& field : event.decoded()) {
        json["fields"][base::to_utf8(field.label)] = json_of(field.value);
    }
    const Rule* rule = outcome.rule;
    json["rule"] = rule != nullptr ? Json(rule->id) : Json(nullptr);
    json["level"] = rule != nullptr ? Json(rule->level) : Json(nullptr);
    json["description"] =
        rule != nullptr ? json_of(unless_empty(rule->description)) : Json(nullptr);
    json["info"] = Json::array();
    if (rule != nullptr) {
        for (const Information& information : rule->information) {
            json["info"].push_back({label_of(information.kind), base::to_utf8(information.text)});
        }
    }
    json["groups"] = rule != nullptr ? groups_of(*rule) : Json::array();
    json["alert"] = outcome.is_logged();
    return json;
}

}  // namespace portcullis::logtest
