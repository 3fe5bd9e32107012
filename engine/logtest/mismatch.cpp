#include "engine/logtest/mismatch.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/utf8.hpp"
#include "engine/pattern/furthest_match.hpp"

namespace portcullis::logtest {
namespace {

using rules::Mismatch;
using rules::Rule;
using rules::SearchReport;
using Json = nlohmann::ordered_json;

// Bytes of a long text that are shown before and behind the place of interest.
constexpr std::size_t kShownBefore = 70;
constexpr std::size_t kShownBehind = 50;
constexpr std::string_view kCut = "...";

// Columns that UTF-8 text takes, nearly: characters. Enough to put a mark below it.
std::size_t columns_of(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    }));
}

// One line of text and one of marks below it: '~' from `begin` to `stop`, '^' from there to `end`.
std::string marked(std::string_view label, std::string_view text, std::size_t begin,
                   std::size_t stop, std::size_t end, std::string_view indent) {
    const std::size_t from = stop > kShownBefore ? stop - kShownBefore : 0;
    const std::size_t to = std::min(text.size(), stop + kShownBehind);
    const std::string_view before = from > 0 ? kCut : std::string_view();
    const std::string_view behind = to < text.size() ? kCut : std::string_view();
    const std::size_t mark_begin = std::clamp(begin, from, stop);
    const std::size_t mark_end = std::clamp(end, stop, to);
    const auto columns = [&](std::size_t a, std::size_t b) {
        return columns_of(text.substr(a, b - a));
    };
    return fmt::format("\n{0}{1:<9}{2}{3}{4}\n{0}{5:9}{6}{7}{8}", indent, label, before,
                       text.substr(from, to - from), behind, "",
                       std::string(before.size() + columns(from, mark_begin), ' '),
                       std::string(columns(mark_begin, stop), '~'),
                       std::string(std::max<std::size_t>(columns(stop, mark_end), 1), '^'));
}

struct SharedName {
    rules::Shared shared;
    std::string_view element;
};
constexpr std::array kSharedNames{
    SharedName{rules::Shared::Id, "same_id"},
    SharedName{rules::Shared::SrcIp, "same_source_ip"},
    SharedName{rules::Shared::SrcPort, "same_src_port"},
    SharedName{rules::Shared::DstPort, "same_dst_port"},
    SharedName{rules::Shared::User, "same_user"},
    SharedName{rules::Shared::Location, "same_location"},
};

std::string history_of(const Rule& rule) {
    switch (rule.composite->history) {
        case rules::Composite::History::Sid:
            return fmt::format("of rule {}", rule.composite->sid);
        case rules::Composite::History::Group:
            return fmt::format("of groups that match '{}'", rule.composite->pattern->text());
        case rules::Composite::History::Regex:
            return fmt::format("that '{}' matches", rule.composite->pattern->text());
    }
    return {};
}

std::string_view stopped_by(SearchReport::End end) {
    switch (end) {
        case SearchReport::End::Exhausted:
            return "there are no more";
        case SearchReport::End::TooOld:
            return "the next one is older than the timeframe";
        case SearchReport::End::UsedUp:
            return "the next one was counted when a rule fired: counting began anew there";
        case SearchReport::End::Fired:
            break;
    }
    return "there were enough";
}

std::string search_text(const Rule& rule, const SearchReport& search) {
    std::string out = fmt::format(
        "needs {} earlier events {} within {} s; {} of {} count (frequency=\"{}\"), and {}",
        rule.frequency + 1, history_of(rule), rule.timeframe.count(), search.counted, search.seen,
        rule.frequency, stopped_by(search.end));
    const auto add = [&](int count, std::string_view why) {
        if (count > 0) {
            out += fmt::format("; {} did not count: {}", count, why);
        }
    };
    for (const SharedName& row : kSharedNames) {
        add(search.differing[static_cast<std::size_t>(row.shared)],
            fmt::format("{} does not hold", row.element));
    }
    add(search.same_url, "different_url does not hold");
    add(search.other_text, "another text or type of log");
    return out;
}

std::string stateful_text(const rules::StatefulCondition& condition) {
    switch (condition.test) {
        case rules::StatefulCondition::Test::DiffersFromLast:
            return "check_diff does not hold: the log is the first of this host, or as the last";
        case rules::StatefulCondition::Test::FirstTimeSeen:
            return fmt::format(
                "{} does not hold: its key is known already, or the decoder has no <fts>",
                condition.element);
        case rules::StatefulCondition::Test::FromCrawler:
            break;
    }
    return fmt::format("{} '{}' does not hold", condition.element, condition.demand);
}

Json condition_json(const rules::ConditionText& condition) {
    return {{"condition", base::to_utf8(condition.element)},
            {"demand", base::to_utf8(condition.demand)},
            {"value", nullptr}};
}

}  // namespace

std::string shown_place(const base::SourcePlace& place) {
    return place.file.empty() ? "built in" : fmt::format("{}:{}", place.file, place.line);
}

std::string pattern_mismatch_text(std::string_view element, const pattern::Pattern& pattern,
                                  std::string_view subject, std::string_view indent,
                                  pattern::MatchScratch& scratch) {
    const auto furthest = pattern::find_furthest_match(pattern, subject, scratch);
    const bool fits_partly =
        furthest && !furthest->is_match && furthest->text_end > furthest->text_begin;
    if (!fits_partly) {
        return fmt::format("{} '{}' does not match '{}'", element, pattern.text(), subject);
    }
    return fmt::format("{} does not match; this is how far it gets:{}{}", element,
                       marked("pattern", pattern.text(), furthest->pattern_begin,
                              furthest->pattern_begin, furthest->pattern_end, indent),
                       marked("text", subject, furthest->text_begin, furthest->text_end,
                              furthest->text_end, indent));
}

Json pattern_mismatch_json(const pattern::Pattern& pattern, std::string_view subject,
                           pattern::MatchScratch& scratch) {
    Json json{{"pattern", base::to_utf8(pattern.text())}, {"text", base::to_utf8(subject)}};
    const auto furthest = pattern::find_furthest_match(pattern, subject, scratch);
    const auto add = [&](const char* key, std::size_t pattern::FurthestMatch::*offset) {
        json[key] = furthest ? Json((*furthest).*offset) : Json(nullptr);
    };
    add("pattern_begin", &pattern::FurthestMatch::pattern_begin);
    add("pattern_end", &pattern::FurthestMatch::pattern_end);
    add("text_begin", &pattern::FurthestMatch::text_begin);
    add("text_end", &pattern::FurthestMatch::text_end);
    return json;
}

std::string rule_mismatch_text(const Rule& rule, const Mismatch& mismatch,
                               const event::Event& event, std::string_view indent,
                               pattern::MatchScratch& scratch) {
    switch (mismatch.what) {
        case Mismatch::What::Nothing:
            return "all conditions hold";
        case Mismatch::What::DecodedAs:
            return event.decoder_name.empty()
                       ? fmt::format("decoded_as '{}': no decoder took the event", rule.decoded_as)
                       : fmt::format("decoded_as '{}': the event's decoder is '{}'",
                                     rule.decoded_as, event.decoder_name);
        case Mismatch::What::Size:
            return fmt::format("maxsize=\"{}\" is a minimum: the log has {} bytes",
                               rule.minimum_log_size, event.log.size());
        case Mismatch::What::EarlierEvents:
            return search_text(rule, mismatch.search);
        case Mismatch::What::StatefulCondition:
            return stateful_text(rule.stateful_conditions[mismatch.condition]);
        case Mismatch::What::Condition:
            break;
    }
    const rules::Condition& condition = rule.conditions[mismatch.condition];
    if (condition.subject.kind == rules::Subject::Kind::None) {
        return fmt::format("{} '{}' does not hold", condition.element, condition.demand);
    }
    const auto value = rules::value_text(condition, event);
    if (!value) {
        return fmt::format("{} '{}': the event has no such value", condition.element,
                           condition.demand);
    }
    if (const pattern::Pattern* pattern = rules::pattern_of(condition)) {
        return pattern_mismatch_text(condition.element, *pattern, *value, indent, scratch);
    }
    return fmt::format("{} '{}' does not hold for '{}'", condition.element, condition.demand,
                       *value);
}

Json rule_mismatch_json(const Rule& rule, const Mismatch& mismatch, const event::Event& event,
                        pattern::MatchScratch& scratch) {
    switch (mismatch.what) {
        case Mismatch::What::Nothing:
            return nullptr;
        case Mismatch::What::DecodedAs:
            return {
                {"condition", "decoded_as"},
                {"demand", base::to_utf8(rule.decoded_as)},
                {"value", event.decoder_name.empty() ? Json(nullptr)
                                                     : Json(base::to_utf8(event.decoder_name))}};
        case Mismatch::What::Size:
            return {{"condition", "maxsize"},
                    {"demand", std::to_string(rule.minimum_log_size)},
                    {"value", std::to_string(event.log.size())}};
        case Mismatch::What::EarlierEvents:
            return {{"condition", "earlier events"},
                    {"needed", rule.frequency + 1},
                    {"counted", mismatch.search.counted},
                    {"seen", mismatch.search.seen},
                    {"stopped_by", stopped_by(mismatch.search.end)}};
        case Mismatch::What::StatefulCondition:
            return condition_json(rule.stateful_conditions[mismatch.condition]);
        case Mismatch::What::Condition:
            break;
    }
    const rules::Condition& condition = rule.conditions[mismatch.condition];
    Json json = condition_json(condition);
    const auto value = rules::value_text(condition, event);
    json["value"] = value ? Json(base::to_utf8(*value)) : Json(nullptr);
    if (const pattern::Pattern* pattern = rules::pattern_of(condition); value && pattern) {
        json["reach"] = pattern_mismatch_json(*pattern, *value, scratch);
    }
    return json;
}

}  // namespace portcullis::logtest
