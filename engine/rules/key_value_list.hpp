// KeyValueList: a list that <list> looks values up in (spec: rules, section 3.3); the seam between
// rules and list files. Immutable.
//
// Two forms are read. Text, the source of OSSEC's lists: one "key:value" a line, up to the first
// ':'; text behind "###" is a comment; lines without ':' are skipped. CDB, Bernstein's constant
// data base (all numbers are little-endian, 32 bits):
//
//   file   = header record* table*
//   header = 256 x (position of a table, number of its slots)
//   record = length of key, length of value, key, value
//   slot   = hash of the key, position of the record (0 = the slot is empty)
//   hash   = 5381, then for each byte: hash * 33 xor byte; table hash % 256, first slot hash / 256
//
// In memory both are one CDB: a look-up costs the same for any size, and a list of a million lines
// takes little more than its file. If a key occurs twice, its first value counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/utf8.hpp"

namespace portcullis::rules {

// The name of a list in rules and in ossec.conf: its path without the ".cdb", which is optional in
// both.
inline std::string_view list_name(std::string_view path) {
    constexpr std::string_view kSuffix = ".cdb";
    return path.ends_with(kSuffix) ? path.substr(0, path.size() - kSuffix.size()) : path;
}

// Calls `take(number, line)` for each line of a list's text, from 1 on, without its end ("\n",
// "\r\n"), its comment, and a byte order mark before the first one.
template <class Take>
void for_each_list_line(std::string_view text, const Take& take) {
    text = base::without_byte_order_mark(text);
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t newline = text.find('\n');
        std::string_view line = text.substr(0, newline);
        text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        take(number, line.substr(0, line.find("###")));
    }
}

class KeyValueList {
  public:
    // The loader refuses larger files: positions have 32 bits.
    static constexpr std::size_t kMaxFileBytes = std::size_t{256} << 20;

    // REQUIRES: text.size() <= kMaxFileBytes.
    static KeyValueList parse(std::string_view text);
    // Checks every slot and record. Error "damaged-list".
    static base::Result<KeyValueList> from_cdb(std::string bytes);

    struct Found {
        std::string_view key;  // as in the list: the part of an address that was found
        std::string_view value;
    };
    // The views live as long as this list. nullopt = not in it.
    std::optional<Found> find(std::string_view key) const;
    // `address`, else the address cut behind each '.', longest first ("192.168.1.", "192.168.",
    // "192.").
    std::optional<Found> find_address(std::string_view address) const;

    std::size_t size() const { return size_; }
    // Lines of the text without a ':', comments and empty ones aside.
    std::size_t skipped_lines() const { return skipped_lines_; }
    // Entries that are never found, since an earlier entry has the same key.
    std::size_t repeated_keys() const;

  private:
    struct Record {
        std::uint32_t hash = 0;
        std::uint32_t position = 0;
    };
    explicit KeyValueList(std::string image) : image_(std::move(image)) {}
    std::uint32_t number_at(std::size_t position) const;
    bool has_bytes(std::uint64_t position, std::uint64_t count) const {
        return position <= image_.size() && count <= image_.size() - position;
    }
    // nullopt = part of it is outside the file.
    std::optional<Found> record_at(std::uint32_t position) const;

    std::string image_;
    std::size_t size_ = 0;
    std::size_t skipped_lines_ = 0;
};

}  // namespace portcullis::rules
