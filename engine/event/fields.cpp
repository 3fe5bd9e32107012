#include "engine/event/fields.hpp"

#include <algorithm>

namespace portcullis::event {
namespace {

struct OrderName {
    std::string_view word;
    FieldId id;
};

constexpr std::array kOrderNames{
    OrderName{"srcip", FieldId::SrcIp},
    OrderName{"dstip", FieldId::DstIp},
    OrderName{"srcport", FieldId::SrcPort},
    OrderName{"dstport", FieldId::DstPort},
    OrderName{"user", FieldId::DstUser},
    OrderName{"dstuser", FieldId::DstUser},
    OrderName{"srcuser", FieldId::SrcUser},
    OrderName{"protocol", FieldId::Protocol},
    OrderName{"action", FieldId::Action},
    OrderName{"id", FieldId::Id},
    OrderName{"url", FieldId::Url},
    OrderName{"status", FieldId::Status},
    OrderName{"data", FieldId::ExtraData},
    OrderName{"extra_data", FieldId::ExtraData},
    OrderName{"system_name", FieldId::SystemName},
};

}  // namespace

std::optional<FieldId> find_field(std::string_view order_word) {
    const auto* found =
        std::find_if(kOrderNames.begin(), kOrderNames.end(),
                     [&](const OrderName& name) { return name.word == order_word; });
    if (found != kOrderNames.end()) {
        return found->id;
    }
    if (order_word.find("filename") != std::string_view::npos) {
        return FieldId::Filename;
    }
    return std::nullopt;
}

std::vector<std::string_view> order_names() {
    std::vector<std::string_view> names;
    names.reserve(kOrderNames.size() + 1);
    for (const auto& row : kOrderNames) {
        names.push_back(row.word);
    }
    names.emplace_back("filename");
    return names;
}

}  // namespace portcullis::event
