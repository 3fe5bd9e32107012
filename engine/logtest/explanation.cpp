#include "engine/logtest/explanation.hpp"

#include <array>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/utf8.hpp"
#include "engine/logtest/mismatch.hpp"
#include "engine/pattern/furthest_match.hpp"

namespace portcullis::logtest {
namespace {

using decode::Decoder;
using rules::Trace;
using Attempt = DecodingRecord::Attempt;
using Json = nlohmann::ordered_json;

// The element of <decoder> whose pattern was tried.
std::string_view element_of(const Attempt& attempt) {
    const bool is_pcre2 = attempt.pattern.language() == pattern::Language::Pcre2;
    switch (attempt.step) {
        case decode::DecodeObserver::Step::ProgramName:
            return is_pcre2 ? "program_name_pcre2" : "program_name";
        case decode::DecodeObserver::Step::Prematch:
            return is_pcre2 ? "prematch_pcre2" : "prematch";
        case decode::DecodeObserver::Step::Regex:
            return is_pcre2 ? "pcre2" : "regex";
    }
    return {};
}

std::string attempt_text(const Attempt& attempt, pattern::MatchScratch& scratch) {
    if (!attempt.matched) {
        return pattern_mismatch_text(element_of(attempt), attempt.pattern, attempt.subject,
                                     kMarkIndent, scratch);
    }
    std::string_view matched = attempt.subject;
    if (const auto furthest =
            pattern::find_furthest_match(attempt.pattern, attempt.subject, scratch)) {
        matched = matched.substr(furthest->text_begin, furthest->text_end - furthest->text_begin);
    }
    return fmt::format("{} '{}' matches '{}'", element_of(attempt), attempt.pattern.text(),
                       matched);
}

std::string result_text(const DecodingRecord& decoding) {
    if (decoding.adopted().empty()) {
        return "       *No decoder takes the event.\n";
    }
    const Decoder& decoder = *decoding.adopted().back();
    std::string out = fmt::format("       *Decoder {} ({}) takes the event", decoder.name,
                                  shown_place(decoder.place));
    if (decoder.reported_name != decoder.name) {
        out += fmt::format("; its name is that of its parent, {}", decoder.reported_name);
    }
    return out + ".\n";
}

std::string decoders_text(const DecodingRecord& decoding, pattern::MatchScratch& scratch) {
    std::string out = "\n**Decoders tried:\n";
    for (std::size_t i = 0; i < decoding.attempts().size(); ++i) {
        if (i == decoding.fell_back_at()) {
            out += "    No decoder with a program name takes the event: those without are tried.\n";
        }
        const Attempt& attempt = decoding.attempts()[i];
        out += fmt::format("    {} ({}): {}\n", attempt.decoder->name,
                           shown_place(attempt.decoder->place), attempt_text(attempt, scratch));
    }
    return out + result_text(decoding);
}

}  // namespace

std::string explanation_text(const DecodingRecord& decoding, const rules::RuleSet& rules,
                             const Trace& trace, const pipeline::Outcome& outcome,
                             pattern::MatchScratch& scratch) {
    std::string out = decoders_text(decoding, scratch) + "\n**Rules tried:\n";
    for (const Trace::Step& step : trace.steps) {
        if (step.what != Trace::What::Tried) {
            continue;
        }
        const std::string indent(2 + 2 * rules.path_to(step.node).size(), ' ');
        const bool is_match = step.mismatch.what == rules::Mismatch::What::Nothing;
        const std::string why =
            is_match ? "matches"
                     : rule_mismatch_text(*step.rule, step.mismatch, *outcome.event,
                                          indent + std::string(kMarkIndent), scratch);
        out += fmt::format("{}{} ({}): {}\n", indent, step.rule->id, shown_place(step.rule->place),
                           why);
    }
    out += outcome.rule == nullptr
               ? std::string("       *No rule is the result.\n")
               : fmt::format("       *Rule {} is the result.\n", outcome.rule->id);
    return out;
}

Json explanation_json(const DecodingRecord& decoding, const Trace& trace,
                      const pipeline::Outcome& outcome, pattern::MatchScratch& scratch) {
    Json decoders = Json::array();
    for (const Attempt& attempt : decoding.attempts()) {
        Json tried;
        tried["decoder"] = base::to_utf8(attempt.decoder->name);
        tried["place"] = base::to_utf8(shown_place(attempt.decoder->place));
        tried["step"] = element_of(attempt);
        tried["matched"] = attempt.matched;
        tried["reach"] = attempt.matched
                             ? Json(nullptr)
                             : pattern_mismatch_json(attempt.pattern, attempt.subject, scratch);
        decoders.push_back(std::move(tried));
    }
    Json rules = Json::array();
    for (const Trace::Step& step : trace.steps) {
        if (step.what == Trace::What::Tried) {
            Json tried;
            tried["rule"] = step.rule->id;
            tried["place"] = base::to_utf8(shown_place(step.rule->place));
            tried["matched"] = step.mismatch.what == rules::Mismatch::What::Nothing;
            tried["miss"] = rule_mismatch_json(*step.rule, step.mismatch, *outcome.event, scratch);
            rules.push_back(std::move(tried));
        }
    }
    return {{"decoders_tried", std::move(decoders)}, {"rules_tried", std::move(rules)}};
}

}  // namespace portcullis::logtest
