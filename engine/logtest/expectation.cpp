#include "engine/logtest/expectation.hpp"

#include "base/ascii.hpp"
#include "engine/event/event.hpp"
#include "engine/rules/rule.hpp"

namespace portcullis::logtest {
namespace {

bool is_decoder_alike(const Expectation& expected, const pipeline::Outcome& outcome) {
    const std::string_view decoder = outcome.event->decoder_name;
    return !decoder.empty() && base::equals_ignoring_case(decoder, expected.decoder);
}

}  // namespace

std::optional<Expectation> Expectation::parse(std::string_view text) {
    const std::size_t first = text.find(':');
    const std::size_t second = first == std::string_view::npos ? first : text.find(':', first + 1);
    if (second == std::string_view::npos) {
        return std::nullopt;
    }
    Expectation expected;
    expected.rule = text.substr(0, first);
    expected.level = text.substr(first + 1, second - first - 1);
    expected.decoder = text.substr(second + 1);
    const bool is_complete =
        !expected.rule.empty() && !expected.level.empty() && !expected.decoder.empty();
    return is_complete ? std::optional(std::move(expected)) : std::nullopt;
}

Verdict judge(const Expectation& expected, const pipeline::Outcome& outcome) {
    if (!is_decoder_alike(expected, outcome)) {
        return Verdict::OtherDecoder;
    }
    if (outcome.rule == nullptr) {
        return Verdict::NoRule;
    }
    if (std::to_string(outcome.rule->id) != expected.rule) {
        return Verdict::OtherRule;
    }
    return std::to_string(outcome.rule->level) == expected.level ? Verdict::Alike
                                                                 : Verdict::OtherLevel;
}

std::vector<Difference> find_differences(const Expectation& expected,
                                         const pipeline::Outcome& outcome) {
    const rules::Rule* rule = outcome.rule;
    const std::string id = rule != nullptr ? std::to_string(rule->id) : "none";
    const std::string level = rule != nullptr ? std::to_string(rule->level) : "none";
    const std::string decoder(outcome.event->decoder_name);
    std::vector<Difference> differences;
    if (!is_decoder_alike(expected, outcome)) {
        differences.push_back({"decoder", expected.decoder, decoder.empty() ? "none" : decoder});
    }
    if (rule == nullptr || id != expected.rule) {
        differences.push_back({"rule", expected.rule, id});
    }
    if (rule == nullptr || level != expected.level) {
        differences.push_back({"level", expected.level, level});
    }
    return differences;
}

}  // namespace portcullis::logtest
