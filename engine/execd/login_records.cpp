#include "engine/execd/login_records.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>
#include <utmpx.h>

#include <algorithm>
#include <cstring>

#include "base/fd.hpp"

namespace portcullis::execd {
namespace {

constexpr std::int64_t kMaxRead = 4 << 20;
constexpr auto kRecordSize = static_cast<std::int64_t>(sizeof(utmpx));

// Returns the address of a record, which is binary, or only a text in ut_host.
std::optional<base::IpAddress> address_of(const utmpx& record) {
    const auto& words = record.ut_addr_v6;
    if (words[1] != 0 || words[2] != 0 || words[3] != 0) {
        std::array<std::uint8_t, 16> bytes{};
        std::memcpy(bytes.data(), words, bytes.size());
        return base::IpAddress::v6(bytes);
    }
    if (words[0] != 0) {
        std::array<std::uint8_t, 4> bytes{};
        std::memcpy(bytes.data(), words, bytes.size());
        return base::IpAddress::v4(bytes);
    }
    return base::IpAddress::parse(
        {record.ut_host, ::strnlen(record.ut_host, sizeof record.ut_host)});
}

bool is_recent(const LoginRecords::Login& login, int days, base::Timestamp now) {
    const auto time = base::Timestamp(std::chrono::seconds(login.time));
    return now - time < std::chrono::hours(24) * days;
}

std::string text_of(const LoginRecords::Login& login) {
    return fmt::format("login of {} on {:%Y-%m-%d}", login.user,
                       fmt::localtime(static_cast<std::time_t>(login.time)));
}

}  // namespace

void LoginRecords::take(std::string_view bytes) {
    utmpx record{};
    std::memcpy(&record, bytes.data(), sizeof record);
    if (record.ut_type != USER_PROCESS) {
        return;
    }
    const auto address = address_of(record);
    if (!address) {
        return;
    }
    std::string user(record.ut_user, ::strnlen(record.ut_user, sizeof record.ut_user));
    std::replace_if(
        user.begin(), user.end(), [](char c) { return c <= ' ' || c > '~'; }, '_');
    // Unsigned 32 bits, which last beyond 2038.
    const std::int64_t time = static_cast<std::uint32_t>(record.ut_tv.tv_sec);
    if (logins_.size() >= kMaxAddresses && logins_.count(*address) == 0) {
        logins_.erase(std::min_element(
            logins_.begin(), logins_.end(),
            [](const auto& a, const auto& b) { return a.second.time < b.second.time; }));
    }
    Login& login = logins_[*address];
    if (time >= login.time) {
        login = {std::move(user), time};
    }
}

bool LoginRecords::read(File& file) {
    const std::string path = root_ + file.name;
    const auto signature = signature_of(path);
    if (signature == file.signature) {
        return false;
    }
    const bool is_continued = signature.inode == file.signature.inode &&
                              signature.device == file.signature.device &&
                              signature.size >= file.read_until;
    file.signature = signature;
    const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd || signature.size < 0) {
        file.read_until = 0;
        return true;
    }
    // Reads only whole records. One that is being written is read the next time.
    const std::int64_t end = signature.size / kRecordSize * kRecordSize;
    const std::int64_t earliest =
        std::max<std::int64_t>(end - kMaxRead / kRecordSize * kRecordSize, 0);
    const std::int64_t from = std::max(is_continued ? file.read_until : 0, earliest);
    std::string bytes(static_cast<std::size_t>(std::max<std::int64_t>(end - from, 0)), '\0');
    const ssize_t got = ::pread(fd.get(), bytes.data(), bytes.size(), from);
    const auto size = std::max<ssize_t>(got, 0) / kRecordSize * kRecordSize;
    for (std::int64_t at = 0; at < size; at += kRecordSize) {
        take(std::string_view(bytes).substr(static_cast<std::size_t>(at),
                                            static_cast<std::size_t>(kRecordSize)));
    }
    file.read_until = from + size;
    return true;
}

bool LoginRecords::refresh() {
    bool has_changed = false;
    for (File& file : files_) {
        has_changed = read(file) || has_changed;
    }
    return has_changed;
}

std::string LoginRecords::meaning_of(const base::Cidr& target, int days,
                                     base::Timestamp now) const {
    const auto it =
        target.is_one_address()
            ? logins_.find(target.address)
            : std::find_if(logins_.begin(), logins_.end(), [&](const auto& each) {
                  return target.contains(each.first) && is_recent(each.second, days, now);
              });
    return it == logins_.end() || !is_recent(it->second, days, now) ? std::string()
                                                                    : text_of(it->second);
}

void LoginRecords::for_each(
    int days, base::Timestamp now,
    const std::function<void(const base::IpAddress&, std::string)>& on_login) const {
    for (const auto& [address, login] : logins_) {
        if (is_recent(login, days, now)) {
            on_login(address, text_of(login));
        }
    }
}

}  // namespace portcullis::execd
