#include "engine/logtest/coverage.hpp"

#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/utf8.hpp"
#include "engine/logtest/mismatch.hpp"
#include "engine/rules/rule_set.hpp"

namespace portcullis::logtest {
namespace {

using Json = nlohmann::ordered_json;

std::string kind_text(std::string_view what, const Coverage::Kind& kind) {
    std::string out = fmt::format("{} reached: {} of {} ({:.1f} %)\n", what, kind.reached,
                                  kind.total, kind.percent());
    for (const Coverage::Unreached& unreached : kind.unreached) {
        const std::string name =
            unreached.name.empty() ? std::to_string(unreached.id) : unreached.name;
        out += fmt::format("  not reached: {} ({}){}{}\n", name, shown_place(unreached.place),
                           unreached.description.empty() ? "" : " ", unreached.description);
    }
    return out;
}

Json kind_json(const Coverage::Kind& kind, bool are_rules) {
    Json json{{"total", kind.total}, {"reached", kind.reached}, {"percent", kind.percent()}};
    json["unreached"] = Json::array();
    for (const Coverage::Unreached& unreached : kind.unreached) {
        Json one;
        if (are_rules) {
            one["id"] = unreached.id;
            one["description"] = base::to_utf8(unreached.description);
        } else {
            one["name"] = base::to_utf8(unreached.name);
        }
        one["file"] = base::to_utf8(unreached.place.file);
        one["line"] = unreached.place.line;
        json["unreached"].push_back(std::move(one));
    }
    return json;
}

}  // namespace

Coverage::Coverage(std::shared_ptr<const pipeline::AnalyzerConfig> configuration)
    : configuration_(std::move(configuration)) {}

void Coverage::add(const DecodingRecord& decoding, const rules::Trace& trace) {
    decoders_.insert(decoding.adopted().begin(), decoding.adopted().end());
    for (const rules::Trace::Step& step : trace.steps) {
        if (step.what == rules::Trace::What::Matched) {
            rules_.insert(step.rule);
        }
    }
}

double Coverage::Kind::percent() const {
    return total == 0 ? 100.0 : 100.0 * static_cast<double>(reached) / static_cast<double>(total);
}

Coverage::Kind Coverage::decoders() const {
    Kind kind;
    const auto count = [&](const decode::Decoder& decoder) {
        ++kind.total;
        if (decoders_.find(&decoder) != decoders_.end()) {
            ++kind.reached;
        } else {
            kind.unreached.push_back({decoder.name, 0, {}, decoder.place});
        }
    };
    for (const auto* list : {&configuration_->decoders->program_decoders(),
                             &configuration_->decoders->other_decoders()}) {
        for (const decode::Decoder& decoder : *list) {
            count(decoder);
            for (const decode::Decoder& child : decoder.children) {
                count(child);
            }
        }
    }
    return kind;
}

Coverage::Kind Coverage::rules() const {
    Kind kind;
    for (const rules::Rule& rule : configuration_->rules->rules()) {
        if (rule.place.file.empty()) {
            continue;
        }
        ++kind.total;
        if (rules_.find(&rule) != rules_.end()) {
            ++kind.reached;
        } else {
            kind.unreached.push_back({{}, rule.id, rule.description, rule.place});
        }
    }
    return kind;
}

std::string coverage_text(const Coverage& coverage) {
    return kind_text("Decoders", coverage.decoders()) + kind_text("Rules", coverage.rules());
}

Json coverage_json(const Coverage& coverage) {
    return {{"decoders", kind_json(coverage.decoders(), false)},
            {"rules", kind_json(coverage.rules(), true)}};
}

}  // namespace portcullis::logtest
