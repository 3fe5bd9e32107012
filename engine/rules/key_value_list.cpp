#include "engine/rules/key_value_list.hpp"

#include <array>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace portcullis::rules {
namespace {

constexpr std::size_t kTables = 256;
constexpr std::size_t kPairBytes = 8;  // two numbers: a table's header, a slot, a record's lengths
constexpr std::size_t kHeaderBytes = kTables * kPairBytes;

std::uint32_t hash_of(std::string_view key) {
    std::uint32_t hash = 5381;
    for (const char c : key) {
        hash = (hash * 33) ^ static_cast<unsigned char>(c);
    }
    return hash;
}

void append_number(std::string& out, std::uint32_t number) {
    for (int shift = 0; shift < 32; shift += 8) {
        out += static_cast<char>(number >> shift);
    }
}

void put_number(std::string& out, std::size_t position, std::uint32_t number) {
    for (std::size_t byte = 0; byte < 4; ++byte) {
        out[position + byte] = static_cast<char>(number >> (8 * byte));
    }
}

base::Diagnostic damage(std::string message) {
    return base::make_error("damaged-list", std::move(message));
}

}  // namespace

std::uint32_t KeyValueList::number_at(std::size_t position) const {
    std::uint32_t number = 0;
    for (std::size_t byte = 4; byte-- > 0;) {
        number = (number << 8) | static_cast<unsigned char>(image_[position + byte]);
    }
    return number;
}

std::optional<KeyValueList::Found> KeyValueList::record_at(std::uint32_t position) const {
    if (!has_bytes(position, kPairBytes)) {
        return std::nullopt;
    }
    const std::uint64_t key_size = number_at(position);
    const std::uint64_t value_size = number_at(position + 4);
    const std::size_t begin = position + kPairBytes;
    if (!has_bytes(begin, key_size + value_size)) {
        return std::nullopt;
    }
    const std::string_view bytes =
        std::string_view(image_).substr(begin, static_cast<std::size_t>(key_size + value_size));
    return Found{bytes.substr(0, key_size), bytes.substr(key_size)};
}

std::optional<KeyValueList::Found> KeyValueList::find(std::string_view key) const {
    if (image_.size() < kHeaderBytes) {
        return std::nullopt;
    }
    const std::uint32_t hash = hash_of(key);
    const std::size_t header = hash % kTables * kPairBytes;
    const std::uint64_t table = number_at(header);
    const std::uint32_t slots = number_at(header + 4);
    if (slots == 0 || !has_bytes(table, std::uint64_t{slots} * kPairBytes)) {
        return std::nullopt;
    }
    auto slot = static_cast<std::uint32_t>(hash / kTables % slots);
    for (std::uint32_t tried = 0; tried < slots; ++tried) {
        const std::size_t at = static_cast<std::size_t>(table) + slot * kPairBytes;
        const std::uint32_t position = number_at(at + 4);
        if (position == 0) {
            return std::nullopt;
        }
        if (number_at(at) == hash) {
            const auto record = record_at(position);
            if (record && record->key == key) {
                return record;
            }
        }
        slot = slot + 1 == slots ? 0 : slot + 1;
    }
    return std::nullopt;
}

std::optional<KeyValueList::Found> KeyValueList::find_address(std::string_view address) const {
    auto found = find(address);
    while (!found && !address.empty()) {
        const std::size_t dot = address.substr(0, address.size() - 1).rfind('.');
        if (dot == std::string_view::npos) {
            break;
        }
        address = address.substr(0, dot + 1);
        found = find(address);
    }
    return found;
}

KeyValueList KeyValueList::parse(std::string_view text) {
    KeyValueList list{std::string(kHeaderBytes, '\0')};
    std::string& image = list.image_;
    std::array<std::vector<Record>, kTables> tables;
    for_each_list_line(text, [&](std::size_t /*number*/, std::string_view line) {
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) {
            list.skipped_lines_ += line.find_first_not_of(" \t") == std::string_view::npos ? 0 : 1;
            return;
        }
        const std::string_view key = line.substr(0, colon);
        const std::string_view value = line.substr(colon + 1);
        const Record record{hash_of(key), static_cast<std::uint32_t>(image.size())};
        append_number(image, static_cast<std::uint32_t>(key.size()));
        append_number(image, static_cast<std::uint32_t>(value.size()));
        image += key;
        image += value;
        tables[record.hash % kTables].push_back(record);
        ++list.size_;
    });
    for (std::size_t table = 0; table < kTables; ++table) {
        const std::vector<Record>& records = tables[table];
        std::vector<Record> slots(records.size() * 2);
        for (const Record& record : records) {
            std::size_t slot = record.hash / kTables % slots.size();
            while (slots[slot].position != 0) {
                slot = (slot + 1) % slots.size();
            }
            slots[slot] = record;
        }
        put_number(image, table * kPairBytes, static_cast<std::uint32_t>(image.size()));
        put_number(image, table * kPairBytes + 4, static_cast<std::uint32_t>(slots.size()));
        for (const Record& slot : slots) {
            append_number(image, slot.hash);
            append_number(image, slot.position);
        }
    }
    return list;
}

base::Result<KeyValueList> KeyValueList::from_cdb(std::string bytes) {
    KeyValueList list(std::move(bytes));
    if (!list.has_bytes(0, kHeaderBytes)) {
        return base::fail(
            damage(fmt::format("{} bytes are not a CDB file, whose header alone has {}",
                               list.image_.size(), kHeaderBytes)));
    }
    // Tables and records of a sound file do not overlap, so together they are not larger than it;
    // without this check a small file could cost hours.
    std::uint64_t claimed = kHeaderBytes;
    for (std::size_t table = 0; table < kTables; ++table) {
        const std::size_t position = list.number_at(table * kPairBytes);
        const std::uint64_t slots = list.number_at(table * kPairBytes + 4);
        claimed += slots * kPairBytes;
        if (claimed > list.image_.size()) {
            return base::fail(damage("its tables or records overlap"));
        }
        if (slots > 0 && !list.has_bytes(position, slots * kPairBytes)) {
            return base::fail(damage(
                fmt::format("table {} of {} slots at byte {} lies outside the file of {} bytes",
                            table, slots, position, list.image_.size())));
        }
        for (std::size_t slot = 0; slot < slots; ++slot) {
            const std::size_t at = position + slot * kPairBytes;
            const std::uint32_t record = list.number_at(at + 4);
            if (record == 0) {
                continue;
            }
            const auto found = list.record_at(record);
            claimed += found ? kPairBytes + found->key.size() + found->value.size() : 0;
            if (claimed > list.image_.size()) {
                return base::fail(damage("its tables or records overlap"));
            }
            if (!found || hash_of(found->key) != list.number_at(at)) {
                return base::fail(damage(
                    fmt::format("the record at byte {}, to which the slot at byte {} leads, is {}",
                                record, at, found ? "of another key" : "not inside the file")));
            }
            ++list.size_;
        }
    }
    return list;
}

std::size_t KeyValueList::repeated_keys() const {
    std::size_t repeated = 0;
    for (std::size_t table = 0; table < kTables; ++table) {
        const std::size_t position = number_at(table * kPairBytes);
        const std::size_t slots = number_at(table * kPairBytes + 4);
        for (std::size_t slot = 0; slot < slots; ++slot) {
            const std::uint32_t record = number_at(position + slot * kPairBytes + 4);
            const auto entry = record == 0 ? std::nullopt : record_at(record);
            const auto first = entry ? find(entry->key) : std::nullopt;
            repeated += first && first->key.data() != entry->key.data() ? 1 : 0;
        }
    }
    return repeated;
}

}  // namespace portcullis::rules
