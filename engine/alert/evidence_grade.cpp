#include "engine/alert/evidence_grade.hpp"

#include <algorithm>

namespace portcullis::alert {
namespace {

using base::Evidence;

// Notes of older sensors, which wrote no grade.
constexpr std::string_view kAsymmetricRoute = "asymmetric route";
constexpr std::string_view kPartialChecksums = "partial checksums";

// True = `fits` returns true for a part of a comma-separated list, without the blanks around it.
template <typename Fits>
bool any_part(std::string_view list, Fits fits) {
    while (!list.empty()) {
        const std::size_t comma = std::min(list.find(','), list.size());
        std::string_view part = list.substr(0, comma);
        part.remove_prefix(std::min(part.find_first_not_of(' '), part.size()));
        part = part.substr(0, part.find_last_not_of(' ') + 1);
        if (fits(part)) {
            return true;
        }
        list.remove_prefix(std::min(comma + 1, list.size()));
    }
    return false;
}

bool is_iplog_decoder(std::string_view name) {
    return name == "iplog" || name.starts_with("iplog-");
}

}  // namespace

std::optional<Evidence> grade_of(const GradedEvent& event) {
    const bool is_about_packets =
        any_part(event.rule_group, [](std::string_view group) { return group == "iplog"; }) ||
        is_iplog_decoder(event.decoder) || is_iplog_decoder(event.decoder_parent);
    if (!is_about_packets) {
        return std::nullopt;
    }
    std::optional<Evidence> grade;
    bool raises_doubts = false;
    any_part(event.status.value_or(std::string_view()), [&](std::string_view note) {
        grade = base::evidence_of(note);
        raises_doubts |= note == kAsymmetricRoute || note == kPartialChecksums;
        return grade.has_value();
    });
    return grade.value_or(raises_doubts ? Evidence::Doubtful : Evidence::Forgeable);
}

}  // namespace portcullis::alert
