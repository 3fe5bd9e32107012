// KeyValueList: a list that <list> looks values up in; the seam between rules and list files.
//
// Text form, as the sources of OSSEC's CDB lists: one "key:value" a line; text behind "###" is a
// comment; lines without ':' are skipped.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace portcullis::rules {

class KeyValueList {
  public:
    static KeyValueList parse(std::string_view text);

    // The value of `key`; the view lives as long as this list. nullopt = not in it.
    std::optional<std::string_view> find(std::string_view key) const;
    // The value of `address`, else of the address cut behind each '.', longest first
    // ("192.168.1.", "192.168.", "192.").
    std::optional<std::string_view> find_address(std::string_view address) const;

  private:
    std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace portcullis::rules
