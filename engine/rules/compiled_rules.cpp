#include "engine/rules/compiled_rules.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "base/ascii.hpp"
#include "engine/rules/address_list.hpp"

namespace portcullis::rules {
namespace {

using event::Event;
using event::FieldId;

constexpr std::size_t kWindowsIdSize = 10;

bool users_agree(const Event& event) {
    const auto& source = event.field(FieldId::SrcUser);
    const auto& target = event.field(FieldId::DstUser);
    return !source || !target || *source == *target;
}

bool has_long_id(const Event& event) {
    const auto& id = event.field(FieldId::Id);
    return id && id->size() >= kWindowsIdSize;
}

// The word that follows "<label>:" in `log`.
std::optional<std::string_view> find_labelled(std::string_view log, std::string_view label) {
    const std::size_t at = log.find(label);
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    log.remove_prefix(at + label.size());
    log.remove_prefix(std::min(log.find_first_not_of(": "), log.size()));
    return log.substr(0, log.find(' '));
}

bool windows_users_differ(const Event& event) {
    const auto target = find_labelled(event.log, "Target Account Name");
    const auto caller = find_labelled(event.log, "Caller User Name");
    return target && caller && *target != *caller;
}

bool is_simple_http_request(const Event& event) {
    const auto& url = event.field(FieldId::Url);
    const auto& action = event.field(FieldId::Action);
    return url && (!action || base::equals_ignoring_case(*action, "get")) &&
           url->find('?') == std::string_view::npos;
}

// The address of the event: its srcip, else the first word of the log.
std::optional<base::IpAddress> address_of(const Event& event) {
    const auto& source = event.field(FieldId::SrcIp);
    return parse_numeric_address(source ? *source : event.log.substr(0, event.log.find(' ')));
}

constexpr std::array kCompiledRules{
    CompiledRule{"comp_srcuser_dstuser", SatisfiesFunction{users_agree},
                 "the two users are equal or one is missing"},
    CompiledRule{"check_id_size", SatisfiesFunction{has_long_id},
                 "the id has ten characters or more"},
    CompiledRule{"comp_mswin_targetuser_calleruser_diff", SatisfiesFunction{windows_users_differ},
                 R"("Target Account Name" and "Caller User Name" differ)"},
    CompiledRule{"is_simple_http_request", SatisfiesFunction{is_simple_http_request},
                 "a GET of a url without a query"},
    CompiledRule{"is_valid_crawler", StatefulCondition::Test::FromCrawler,
                 "the log starts with an address of a known search engine, or DNS says so"},
};

}  // namespace

// OSSEC-COMPAT: other addresses are looked up in DNS only if that is switched on. Until the answer
// is there they are not a crawler's: an attacker's line must not make the analysis wait for the
// attacker's name server (test "is_valid_crawler knows networks, and only the names that were
// looked up").
bool comes_from_crawler(const Event& event, CrawlerNames* names) {
    static constexpr std::array<std::string_view, 7> kNetworks{
        "72.14.", "209.85.", "65.55.", "207.46.", "74.6.", "72.30.", "67.195."};
    if (std::any_of(kNetworks.begin(), kNetworks.end(),
                    [&](std::string_view network) { return event.log.starts_with(network); })) {
        return true;
    }
    const auto address = names == nullptr ? std::nullopt : address_of(event);
    return address && names->look_up_crawler(*address);
}

std::span<const CompiledRule> compiled_rules() { return kCompiledRules; }

const CompiledRule* find_compiled_rule(std::string_view name) {
    const auto* found = std::find_if(kCompiledRules.begin(), kCompiledRules.end(),
                                     [&](const CompiledRule& row) { return row.name == name; });
    return found == kCompiledRules.end() ? nullptr : found;
}

}  // namespace portcullis::rules
