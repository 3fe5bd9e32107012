// The table of decoded fields; to add one, add a row to fields.def (and its <order> name to
// fields.cpp).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace portcullis::event {

enum class FieldId : std::uint8_t {
#define FIELD(id, key, label, help) id,
#include "engine/event/fields.def"
#undef FIELD
};

struct FieldSpec {
    FieldId id;
    std::string_view key;    // in alerts.json and in code
    std::string_view label;  // in logtest's phase 2
    std::string_view help;
};

inline constexpr std::array kFields{
#define FIELD(id, key, label, help) FieldSpec{FieldId::id, key, label, help},
#include "engine/event/fields.def"
#undef FIELD
};

inline constexpr std::size_t kFieldCount = kFields.size();

constexpr const FieldSpec& spec_of(FieldId id) { return kFields[static_cast<std::size_t>(id)]; }

// The field of a word in <order> (case-sensitive; any word that contains "filename" is Filename);
// nullopt = the word is the name of a dynamic field.
std::optional<FieldId> find_field(std::string_view order_word);

// Every word that find_field() knows, for "did you mean".
std::vector<std::string_view> order_names();

}  // namespace portcullis::event
