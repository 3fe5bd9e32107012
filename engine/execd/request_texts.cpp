#include "engine/execd/request_texts.hpp"

#include <algorithm>

#include "base/ascii.hpp"

namespace portcullis::execd {
namespace {

constexpr std::size_t kMaxUserName = 256;
constexpr std::size_t kMaxArgument = 1024;
constexpr char kCursorSeparator = '\n';  // in none of the three parts

using base::is_alphanumeric;

bool is_one_of(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }

}  // namespace

bool is_user_name(std::string_view text) {
    return !text.empty() && text.size() <= kMaxUserName && text.front() != '-' &&
           std::all_of(text.begin(), text.end(),
                       [](char c) { return is_alphanumeric(c) || is_one_of(c, "._@?-"); });
}

bool is_plain_argument(std::string_view text) {
    return !text.empty() && text.front() != '-' &&
           std::all_of(text.begin(), text.end(), [](char c) { return !base::is_control(c); });
}

std::string plain_argument(std::string_view text) {
    std::string clean(text.substr(0, kMaxArgument));
    std::replace_if(
        clean.begin(), clean.end(),
        [](char c) { return !is_alphanumeric(c) && !is_one_of(c, " ._/:@(),=+>-"); }, '_');
    if (clean.empty()) {
        return "-";
    }
    if (clean.front() == '-' && clean.size() > 1) {
        clean.front() = '_';
    }
    return clean;
}

std::string cursor_of(const BanKey& key) {
    return key.executable + kCursorSeparator + key.address + kCursorSeparator + key.user;
}

BanKey ban_key_of_cursor(std::string_view cursor) {
    BanKey key;
    std::string* const parts[] = {&key.executable, &key.address, &key.user};
    for (std::string* part : parts) {
        const auto end = cursor.find(kCursorSeparator);
        *part = cursor.substr(0, end);
        cursor.remove_prefix(end == std::string_view::npos ? cursor.size() : end + 1);
    }
    return key;
}

}  // namespace portcullis::execd
