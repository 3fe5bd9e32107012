// DNS messages for tests: a question as c-ares sends it, turned into an answer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace portcullis::test {

using Bytes = std::vector<std::uint8_t>;

inline void put16(Bytes& out, unsigned value) {
    out.push_back(static_cast<std::uint8_t>(value >> 8));
    out.push_back(static_cast<std::uint8_t>(value));
}
inline void put32(Bytes& out, std::uint32_t value) {
    put16(out, value >> 16);
    put16(out, value & 0xffff);
}
// The texts between the dots become labels, whatever they hold.
inline Bytes dns_name(std::string_view name) {
    Bytes out;
    while (!name.empty()) {
        const std::string_view label = name.substr(0, name.find('.'));
        out.push_back(static_cast<std::uint8_t>(label.size()));
        out.insert(out.end(), label.begin(), label.end());
        name.remove_prefix(std::min(name.size(), label.size() + 1));
    }
    out.push_back(0);
    return out;
}

struct DnsRecord {
    unsigned type;
    std::uint32_t ttl;
    Bytes data;
};

inline DnsRecord ptr(std::string_view name, std::uint32_t ttl) { return {12, ttl, dns_name(name)}; }
inline DnsRecord soa(std::uint32_t ttl, std::uint32_t minimum) {
    Bytes data = dns_name("ns.example");
    const Bytes mailbox = dns_name("root.example");
    data.insert(data.end(), mailbox.begin(), mailbox.end());
    for (const std::uint32_t field : {1U, 2U, 3U, 4U, minimum}) {
        put32(data, field);
    }
    return {6, ttl, data};
}

// The answer to `question` (a message with one question), with the records' owner left as a pointer
// to it.
inline Bytes dns_answer(const Bytes& question, unsigned code, const std::vector<DnsRecord>& answers,
                        const std::vector<DnsRecord>& authorities = {}) {
    Bytes out(question.begin(), question.begin() + 2);
    put16(out, 0x8180 | code);
    put16(out, 1);
    put16(out, static_cast<unsigned>(answers.size()));
    put16(out, static_cast<unsigned>(authorities.size()));
    put16(out, 0);
    std::size_t end = 12;
    while (end < question.size() && question[end] != 0) {
        end += question[end] + 1U;
    }
    out.insert(out.end(), question.begin() + 12,
               question.begin() + static_cast<std::ptrdiff_t>(std::min(end + 5, question.size())));
    for (const auto* records : {&answers, &authorities}) {
        for (const DnsRecord& record : *records) {
            put16(out, 0xc00c);
            put16(out, record.type);
            put16(out, 1);
            put32(out, record.ttl);
            put16(out, static_cast<unsigned>(record.data.size()));
            out.insert(out.end(), record.data.begin(), record.data.end());
        }
    }
    return out;
}

// A question for the name.
inline Bytes dns_question(std::string_view name) {
    Bytes out{0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0};
    const Bytes labels = dns_name(name);
    out.insert(out.end(), labels.begin(), labels.end());
    put16(out, 12);
    put16(out, 1);
    return out;
}

}  // namespace portcullis::test
