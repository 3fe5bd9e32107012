// The messages on execd's socket: one JSON object per SOCK_SEQPACKET packet, at most
// kMaxMessageSize bytes (docs/execd-protocol.md). The engine and portcullis-control write them.
// execd reads them and trusts none of them.
//
// Only the form is checked here: all members are known and have the right kind and size. execd
// decides what a message may ask for. Plain values, no state, any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/evidence.hpp"
#include "base/result.hpp"

namespace portcullis::base {

inline constexpr std::size_t kMaxMessageSize = 4096;
// All ports of a transport protocol.
inline constexpr int kMaxPorts = 65536;
// Longest timeout of a message: ten years, so that deadlines cannot overflow.
inline constexpr std::chrono::seconds kMaxBanTime{10LL * 366 * 24 * 3600};

// The engine asks for a response that execd's own configuration contains: command and timeout.
// There is no reply, because the engine never waits for execd; execd's records show the result.
struct RespondRequest {
    std::string command;              // <name> of a <command>
    std::chrono::seconds timeout{0};  // of the <active-response>; 0 = never undone
    std::string user = "-";           // "-" = the command does not expect one
    std::string srcip = "-";
    std::string filename = "-";
    std::string alert_id;  // "<unix time>.<id>"
    int rule_id = 0;
    std::string location;
    Evidence evidence = Evidence::Proven;
    // The event comes from the sensor, not from a service to which the source was connected.
    bool of_packets = false;
    // Number of ports in the event, at most kMaxPorts; 0 = it has none.
    int ports = 0;
    // Time at which the engine read the event: unix time in seconds; 0 = not known.
    std::int64_t evidence_time = 0;
    // <block> and <forgeable_timeout> of the <active-response>. With the command and the timeout
    // they identify it: execd refuses a response that its own configuration does not contain.
    BlockChoice block = BlockChoice::Hard;
    std::chrono::seconds forgeable_timeout{0};  // 0 = none: `timeout` counts for all
};

// The administrator's requests; each gets exactly one Reply.
struct ListRequest {
    std::string after;  // Reply::next of the page before; empty = the first page
};
struct BanRequest {
    std::string address;
    std::chrono::seconds timeout{0};  // at least 1
};
struct UnbanRequest {
    std::string address;
};
struct FlushRequest {};
// Lists the addresses that responders block without a ban.
struct UnexplainedRequest {
    std::string after;  // as in ListRequest
};

// Lists the never-block list, in pages, or its entry for one address or network.
struct ProtectedRequest {
    std::string after;    // as in ListRequest; the first page reads the list anew
    std::string address;  // empty = the whole list
};

using ResponseMessage = std::variant<RespondRequest, ListRequest, BanRequest, UnbanRequest,
                                     FlushRequest, UnexplainedRequest, ProtectedRequest>;

// One row of the table of bans.
struct BanRow {
    std::string command;
    std::string address;     // "-" = the command bans no address
    std::string user;        // "-" = the command bans no user
    int rule_id = 0;         // 0 = banned by hand
    std::int64_t since = 0;  // unix time
    std::int64_t until = 0;  // unix time; 0 = permanent
    Evidence evidence = Evidence::Proven;
    BlockKind block = BlockKind::Hard;
    bool is_dry = false;  // made by a dry run: nothing is blocked

    bool operator==(const BanRow&) const = default;
};

// An address that a responder blocks without a ban, or that the kernel holds.
struct BlockRow {
    std::string responder;  // its executable
    std::string address;
    std::int64_t left = 0;  // seconds; -1 = it has no end
    bool is_hold = false;   // a hold of the kernel, which ends by itself

    bool operator==(const BlockRow&) const = default;
};

// One entry of the never-block list.
struct ProtectedRow {
    std::string network;  // an address alone, or with the length of a prefix
    std::string reason;

    bool operator==(const ProtectedRow&) const = default;
};

struct Reply {
    bool ok = true;
    std::string text;          // for people: what was done, or why not
    std::vector<BanRow> bans;  // of a ListRequest: as many as fit into a packet
    std::string next;          // ListRequest::after of the next page; empty = this was the last
    std::vector<BlockRow> blocks = {};                 // of an UnexplainedRequest, in pages as well
    std::vector<ProtectedRow> protected_entries = {};  // of a ProtectedRequest, in pages as well
    bool is_dry_run = false;  // of a ListRequest: execd runs no command and blocks nobody

    bool operator==(const Reply&) const = default;
};

// The packet for `message`. Bytes that are not UTF-8 become U+FFFD. Texts that would make the
// packet longer than kMaxMessageSize (location, filename) are cut; everything else is short.
std::string encode(const ResponseMessage& message);
// REQUIRES: the rows fit (execd fills a page up to kMaxMessageSize with encoded_size_of()).
std::string encode(const Reply& reply);
// What one row adds to the packet of a reply, at most.
std::size_t encoded_size_of(const BanRow& row);
std::size_t encoded_size_of(const BlockRow& row);
std::size_t encoded_size_of(const ProtectedRow& row);

// Error code "bad-message": too long, no JSON object, an unknown, missing or mistyped member.
Result<ResponseMessage> decode_message(std::string_view packet);
Result<Reply> decode_reply(std::string_view packet);

}  // namespace portcullis::base
