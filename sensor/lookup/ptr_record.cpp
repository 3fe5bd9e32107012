#include "sensor/lookup/ptr_record.hpp"

#include <algorithm>
#include <optional>

namespace portcullis::sensor_lookup {
namespace {

// RFC 1035 sections 3.2.2, 4.1.1 and 2.3.4.
constexpr std::uint16_t kTypeCname = 5;
constexpr std::uint16_t kTypeSoa = 6;
constexpr std::uint16_t kTypePtr = 12;
constexpr std::uint16_t kClassInternet = 1;
constexpr std::uint8_t kNoError = 0;
constexpr std::uint8_t kNoSuchName = 3;
constexpr std::size_t kLongestName = 253;
constexpr std::size_t kLongestLabel = 63;
// Most records of an answer. A message of 64 KB can hold more, but no ordinary answer does.
constexpr int kMostRecords = 64;
constexpr int kMostJumps = 16;

// RFC 2308 section 5: a negative answer without a SOA record should not be kept. It is kept for
// this short time.
constexpr std::chrono::seconds kUnsaidLifetime{60};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Reads forward through a message; after a failure everything else fails too.
class Reader {
  public:
    explicit Reader(std::span<const std::uint8_t> message) : message_(message) {}

    bool failed() const { return failed_; }
    std::size_t at() const { return at_; }

    std::uint16_t u16() {
        if (!has(2)) {
            return 0;
        }
        at_ += 2;
        return static_cast<std::uint16_t>((message_[at_ - 2] << 8) | message_[at_ - 1]);
    }
    std::uint32_t u32() {
        const std::uint32_t high = u16();
        return (high << 16) | u16();
    }
    void skip(std::size_t count) {
        if (has(count)) {
            at_ += count;
        }
    }
    // Reads a name without its last dot. Bytes that are not text stay, and a dot within a label
    // becomes a blank.
    std::string name() {
        std::string text;
        std::size_t at = at_;
        bool has_jumped = false;
        for (int jumps = 0;;) {
            if (failed_ || at >= message_.size()) {
                failed_ = true;
                return {};
            }
            const std::size_t length = message_[at];
            if (length >= 0xc0) {  // a pointer
                if (at + 1 >= message_.size() || ++jumps > kMostJumps) {
                    failed_ = true;
                    return {};
                }
                const std::size_t target = ((length & 0x3f) << 8) | message_[at + 1];
                if (!has_jumped) {
                    at_ = at + 2;
                    has_jumped = true;
                }
                at = target;
                continue;
            }
            if (length > kLongestLabel || at + 1 + length > message_.size() ||
                text.size() + length > 2 * kLongestName) {
                failed_ = true;
                return {};
            }
            if (length == 0) {
                if (!has_jumped) {
                    at_ = at + 1;
                }
                return text;
            }
            text += text.empty() ? "" : ".";
            for (std::size_t i = 1; i <= length; ++i) {
                const char c = static_cast<char>(message_[at + i]);
                text += c == '.' ? ' ' : c;
            }
            at += 1 + length;
        }
    }

  private:
    bool has(std::size_t count) {
        failed_ = failed_ || count > message_.size() - at_;
        return !failed_;
    }

    std::span<const std::uint8_t> message_;
    std::size_t at_ = 0;
    bool failed_ = false;
};

struct Record {
    std::uint16_t type = 0;
    std::uint16_t record_class = 0;
    std::uint32_t ttl = 0;
    std::size_t data_length = 0;
};

// Leaves the reader at the data.
Record read_record(Reader& reader) {
    reader.name();
    Record record;
    record.type = reader.u16();
    record.record_class = reader.u16();
    record.ttl = reader.u32();
    if (record.ttl > 0x7fffffff) {  // RFC 2181 section 8
        record.ttl = 0;
    }
    record.data_length = reader.u16();
    return record;
}

// RFC 2308 section 5: the lesser of the SOA record's TTL and its last field.
std::optional<std::uint32_t> negative_lifetime(std::span<const std::uint8_t> message, Reader reader,
                                               int records) {
    for (int i = 0; i < records && !reader.failed(); ++i) {
        const Record record = read_record(reader);
        if (record.type != kTypeSoa) {
            reader.skip(record.data_length);
            continue;
        }
        const std::size_t end = reader.at() + record.data_length;
        if (reader.failed() || end > message.size() || record.data_length < 4) {
            return std::nullopt;
        }
        Reader last(message.first(end));
        last.skip(end - 4);
        return std::min(record.ttl, last.u32());
    }
    return std::nullopt;
}

base::Diagnostic bad_answer(std::string message) {
    base::Diagnostic diagnostic;
    diagnostic.code = "bad-answer";
    diagnostic.message = std::move(message);
    return diagnostic;
}

}  // namespace

bool is_host_name(std::string_view name) {
    if (name.empty() || name.size() > kLongestName) {
        return false;
    }
    bool has_letter = false;  // in the last label
    while (true) {
        const std::string_view label = name.substr(0, name.find('.'));
        if (label.empty() || label.size() > kLongestLabel || label.front() == '-' ||
            label.back() == '-') {
            return false;
        }
        has_letter = false;
        for (const char c : label) {
            if (!is_letter(c) && !is_digit(c) && c != '-' && c != '_') {
                return false;
            }
            has_letter = has_letter || is_letter(c);
        }
        if (label.size() == name.size()) {
            return has_letter;
        }
        name.remove_prefix(label.size() + 1);
    }
}

base::Result<PtrAnswer> parse_ptr_answer(std::span<const std::uint8_t> message) {
    Reader reader(message);
    reader.skip(2);
    const std::uint16_t flags = reader.u16();
    const int questions = reader.u16();
    const int answers = std::min<int>(reader.u16(), kMostRecords);
    const int authorities = std::min<int>(reader.u16(), kMostRecords);
    reader.skip(2);
    const int code = flags & 0x0f;
    if (reader.failed() || (flags & 0x8000) == 0 || questions > 1 ||
        (code != kNoError && code != kNoSuchName)) {
        return base::fail(bad_answer("not an answer that tells a name or that there is none"));
    }
    if (questions == 1) {
        reader.name();
        reader.skip(4);
    }
    std::uint32_t least_ttl = 0x7fffffff;
    for (int i = 0; i < answers && !reader.failed(); ++i) {
        const Record record = read_record(reader);
        const std::size_t data = reader.at();
        reader.skip(record.data_length);
        if (reader.failed() || record.record_class != kClassInternet ||
            (record.type != kTypePtr && record.type != kTypeCname)) {
            continue;
        }
        least_ttl = std::min(least_ttl, record.ttl);
        if (record.type == kTypeCname) {
            continue;
        }
        Reader target(message.first(data + record.data_length));
        target.skip(data);
        std::string name = target.name();
        if (target.failed()) {
            return base::fail(bad_answer("a damaged answer"));
        }
        if (!is_host_name(name)) {
            name.clear();
        }
        return PtrAnswer{std::move(name), std::chrono::seconds(least_ttl)};
    }
    if (reader.failed()) {
        return base::fail(bad_answer("a damaged answer"));
    }
    const auto lifetime = negative_lifetime(message, reader, authorities);
    return PtrAnswer{{}, lifetime ? std::chrono::seconds(*lifetime) : kUnsaidLifetime};
}

}  // namespace portcullis::sensor_lookup
