#include "engine/decode/order_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

namespace portcullis::decode {
namespace {

using event::FtsPart;

constexpr std::size_t kMaxFtsItems = 8;

struct ListItem {
    std::string_view text;
    std::size_t offset;  // in the whole list
};

// Splits at commas into `max` items at most; the last one keeps the rest.
std::vector<ListItem> split(std::string_view list, std::size_t max) {
    std::vector<ListItem> items;
    std::size_t from = 0;
    while (true) {
        const std::size_t comma =
            items.size() + 1 < max ? list.find(',', from) : std::string_view::npos;
        if (comma == std::string_view::npos) {
            items.push_back({list.substr(from), from});
            return items;
        }
        items.push_back({list.substr(from, comma - from), from});
        from = comma + 1;
    }
}

// A word is recognised by a part that it contains, in this order. OSSEC-COMPAT: "srcuser" contains
// "user" and so selects dstuser (order_list_test).
struct FtsWord {
    std::string_view part_of_word;
    std::optional<FtsPart> selects;  // the name of the decoder is in every key anyway
};

constexpr std::array kFtsWords{
    FtsWord{"dstuser", FtsPart::DstUser}, FtsWord{"user", FtsPart::DstUser},
    FtsWord{"srcip", FtsPart::SrcIp},     FtsWord{"dstip", FtsPart::DstIp},
    FtsWord{"id", FtsPart::Id},           FtsWord{"location", FtsPart::Location},
    FtsWord{"data", FtsPart::ExtraData},  FtsWord{"system_name", FtsPart::SystemName},
    FtsWord{"name", std::nullopt},
};

}  // namespace

std::vector<OrderWord> order_words(std::string_view list) {
    std::vector<OrderWord> words;
    for (const ListItem& item : split(list, list.size() + 2)) {
        const std::size_t blanks = std::min(item.text.find_first_not_of(' '), item.text.size());
        const std::string_view word =
            item.text.substr(blanks, item.text.find(' ', blanks) - blanks);
        words.push_back({word, item.offset + (word.empty() ? 0 : blanks), blanks});
    }
    return words;
}

std::vector<OrderEntry> parse_order(const DecoderDraft& draft, std::size_t max_entries,
                                    base::Diagnostics& diagnostics) {
    const std::vector<OrderWord> words = order_words(draft.order->text());
    if (words.size() > max_entries) {
        diagnostics.add(in_context(
            draft.order->error("bad-order",
                               fmt::format("{} fields, more than {}", words.size(), max_entries)),
            draft.context("order")));
        return {};
    }
    std::vector<OrderEntry> order;
    for (const OrderWord& word : words) {
        if (word.text.empty()) {
            diagnostics.add(in_context(
                draft.order->error_in_text("bad-order", "a field without a name", word.offset, 1),
                draft.context("order")));
            continue;
        }
        if (const auto field = event::find_field(word.text)) {
            order.push_back({field, {}});
            continue;
        }
        // One blank goes, others stay part of the name.
        const std::size_t kept = word.blanks > 1 ? word.blanks - 1 : 0;
        order.push_back({std::nullopt, std::string(kept, ' ') + std::string(word.text)});
    }
    return order;
}

event::FtsParts parse_fts(const DecoderDraft& draft, base::Diagnostics& diagnostics) {
    event::FtsParts parts;
    for (const auto& item : split(draft.fts->text(), kMaxFtsItems)) {
        const auto* const row =
            std::find_if(kFtsWords.begin(), kFtsWords.end(), [&](const FtsWord& word) {
                return item.text.find(word.part_of_word) != std::string_view::npos;
            });
        if (row == kFtsWords.end()) {
            std::vector<std::string_view> words;
            words.reserve(kFtsWords.size());
            for (const auto& word : kFtsWords) {
                words.push_back(word.part_of_word);
            }
            auto error = draft.fts->error_in_text(
                "unknown-fts-field", fmt::format("fts cannot select \"{}\"", item.text),
                item.offset, std::max<std::size_t>(item.text.size(), 1));
            error.hint = fmt::format("it selects from {}", fmt::join(words, ", "));
            diagnostics.add(in_context(std::move(error), draft.context("fts")));
        } else if (row->selects) {
            parts.set(static_cast<std::size_t>(*row->selects));
        }
    }
    return parts;
}

}  // namespace portcullis::decode
