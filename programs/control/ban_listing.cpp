#include "programs/control/ban_listing.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "programs/control/printable.hpp"

namespace portcullis::programs {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kBanColumns =
    "{:<39} {:<19} {:<19} {:>12} {:<5} {:<9} {:<20} {:<16} {}\n";

std::string row_text(const base::BanRow& row) {
    const std::string left = row.until == 0 ? "-" : duration_text(seconds_left(row.until));
    std::string why = row.rule_id == 0 ? "by hand" : fmt::format("rule {}", row.rule_id);
    why += row.is_dry ? " (dry run: not blocked)" : "";
    return printable(fmt::format(kBanColumns, row.address, time_text(row.since),
                                 time_text(row.until), left, base::word_of(row.block),
                                 base::word_of(row.evidence), row.command, row.user, why));
}

std::string bans_text(const std::vector<base::BanRow>& bans) {
    if (bans.empty()) {
        return "there are no bans\n";
    }
    std::string text = fmt::format(kBanColumns, "ADDRESS", "SINCE", "UNTIL", "LEFT", "BLOCK",
                                   "EVIDENCE", "COMMAND", "USER", "WHY");
    for (const auto& row : bans) {
        text += row_text(row);
    }
    return text;
}

std::string holds_text(const std::vector<base::BlockRow>& holds) {
    std::string text = fmt::format(
        "held by the kernel for a moment (no new connections from them):\n{:<39} {:>8}\n",
        "ADDRESS", "SECONDS");
    for (const auto& hold : holds) {
        text += fmt::format("{:<39} {:>8}\n", hold.address, hold.left);
    }
    return text;
}

std::string blocks_text(const std::vector<base::BlockRow>& blocks, const std::string& more) {
    std::string text = fmt::format(
        "blocked without a ban of this home (unban IP and flush release them):\n"
        "{:<39} {:<20} {:>8}\n",
        "ADDRESS", "RESPONDER", "SECONDS");
    for (const auto& block : blocks) {
        const std::string left = block.left < 0 ? "no end" : std::to_string(block.left);
        text += fmt::format("{:<39} {:<20} {:>8}\n", block.address, block.responder, left);
    }
    return more.empty() ? text : text + more + "\n";
}

std::string line_of(const ordered_json& object) {
    return object.dump(-1, ' ', true, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

void add_page(BanListing& listing, const base::Reply& page) {
    for (const auto& row : page.blocks) {
        (row.is_hold ? listing.holds : listing.blocks).push_back(row);
    }
    (page.ok ? listing.more : listing.problem) = page.text;
}

std::string text_of(const BanListing& listing) {
    std::string text = listing.is_dry_run ? "dry run: execd blocks no address\n" : "";
    text += bans_text(listing.bans);
    if (!listing.holds.empty()) {
        text += holds_text(listing.holds);
    }
    if (!listing.blocks.empty()) {
        text += blocks_text(listing.blocks, listing.more);
    }
    return text;
}

std::string json_of(const BanListing& listing) {
    std::string text;
    for (const auto& row : listing.bans) {
        ordered_json object = {{"kind", "ban"},
                               {"address", row.address},
                               {"user", row.user},
                               {"command", row.command},
                               {"rule", row.rule_id},
                               {"since", row.since},
                               {"until", row.until},
                               {"left", seconds_left(row.until).count()},
                               {"block", base::word_of(row.block)},
                               {"evidence", base::word_of(row.evidence)},
                               {"dry_run", row.is_dry}};
        if (row.until == 0) {
            object["until"] = nullptr;
            object["left"] = nullptr;
        }
        text += line_of(object);
    }
    for (const auto& hold : listing.holds) {
        text += line_of({{"kind", "hold"}, {"address", hold.address}, {"left", hold.left}});
    }
    for (const auto& block : listing.blocks) {
        ordered_json object = {{"kind", "unexplained"},
                               {"address", block.address},
                               {"responder", block.responder},
                               {"left", block.left}};
        if (block.left < 0) {
            object["left"] = nullptr;
        }
        text += line_of(object);
    }
    return text;
}

std::string text_of_protected(const std::vector<base::ProtectedRow>& rows,
                              const std::string& address) {
    if (!address.empty() && rows.empty()) {
        return printable(address + ": not protected") + "\n";
    }
    std::string text;
    for (const auto& row : rows) {
        const std::string line = address.empty()
                                     ? fmt::format("{:<43} {}", row.network, row.reason)
                                     : fmt::format("{}: protected: {}", address, row.reason);
        text += printable(line) + "\n";
    }
    return text;
}

}  // namespace portcullis::programs
