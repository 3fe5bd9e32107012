// The form of the table `inet portcullis`: its sets, chains and rules, as the messages that make
// them, and as a description that is compared with the kernel's dump.
//
//   set v4, v6, v4_24, v6_64 …          blocked hard: addresses, and networks by their length
//   set soft4, soft6, soft4_24 …        blocked softly
//   chain gate     hook prerouting      drops packets from the hard sets
//   chain input    hook input           packets from the soft sets → chain soft
//   chain forward  hook forward         the same, and packets to them → chain mute
//   chain output   hook output          packets to the soft sets → chain mute
//
// Every set is a hash set whose elements have timeouts of their own. Each prefix length has a set,
// so that overlapping bans do not affect each other. There is no `ct` match, which would switch on
// connection tracking for the whole host. Plain functions.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "active-response/nf_netlink.hpp"
#include "base/evidence.hpp"
#include "base/ip_address.hpp"

namespace portcullis::active_response {

inline constexpr const char* kTable = "portcullis";
// Before every chain of an administrator: the earliest usual priority is raw, -300.
inline constexpr int kChainPriority = -310;
inline constexpr std::uint32_t kSetSize = 131072;
// The first port of own connections, if the kernel's setting cannot be read.
inline constexpr std::uint16_t kUsualFirstLocalPort = 32768;

// A set of the table.
struct SetId {
    base::IpFamily family = base::IpFamily::V4;
    int prefix_length = 32;  // 32 and 128: addresses
    base::BlockKind block = base::BlockKind::Hard;

    std::size_t address_size() const { return family == base::IpFamily::V4 ? 4 : 16; }
    bool is_of_networks() const { return prefix_length != static_cast<int>(address_size()) * 8; }
    std::string name() const;
    auto operator<=>(const SetId&) const = default;  // NOLINT(modernize-use-nullptr)
};

// The set of a target that base::parse_ban_target() gave.
SetId set_of(const base::Cidr& target, base::BlockKind block);
// Returns the set with this name; nullopt = it is not one of ours.
std::optional<SetId> set_named(std::string_view name);

// A target in a set, and the time that it stays there.
struct Element {
    base::Cidr target;
    base::BlockKind block = base::BlockKind::Hard;
    std::chrono::seconds timeout{0};  // 0 = until it is removed
};

// The attributes of a message about elements of `set`. All of `elements` belong to it, and are at
// most kElementsPerMessage.
inline constexpr std::size_t kElementsPerMessage = 500;
Attributes elements_message(const SetId& set, const Element* elements, std::size_t count);
// Of a message that names the table, or a set of it.
Attributes table_message();
Attributes set_message(const SetId& set);

// An element as the kernel reports it.
struct Held {
    base::Cidr target;
    base::BlockKind block = base::BlockKind::Hard;
    std::optional<std::chrono::seconds> left;  // rounded up; nullopt = it has no end
};
// Appends the elements that a message of type NFT_MSG_NEWSETELEM or NFT_MSG_DELSETELEM names, if
// they are in a set of our table.
void take_elements(const nlmsghdr& header, std::vector<Held>& held);

// The form that the kernel has, or that is required. Rules and chains are texts to compare.
class TableForm {
  public:
    // The required form with sets of addresses and `sets`.
    static TableForm due(std::set<SetId> sets, std::uint16_t first_local_port);
    // What is there; error: "not-read". `generation` is that of the ruleset that was read.
    struct Reading;
    static base::Result<Reading> read(NfSocket& socket);

    // The sets that are as they shall be.
    const std::set<SetId>& sets() const { return sets_; }

    // What difference() says if there is no table.
    static constexpr const char* kAll = "all of it";
    // The first part that differs from `due`, in words ("the chain gate"); empty = none differs.
    std::string difference(const TableForm& due) const;

    // Adds to `transaction` the messages that change this form into `due`. Elements of sets that
    // have the required form stay. Returns the sets that are new and so hold nothing.
    std::set<SetId> change_into(const TableForm& due, Transaction& transaction) const;
    // The same by removing the whole table first.
    std::set<SetId> replace_by(const TableForm& due, Transaction& transaction) const;

  private:
    bool exists_ = false;
    std::string table_;                                      // its flags
    std::set<SetId> sets_;                                   // of the right form
    std::set<std::string> wrong_sets_;                       // with a name of ours
    std::map<std::string, std::string> chains_;              // name → form
    std::map<std::string, std::vector<std::string>> rules_;  // chain → rules
    std::map<std::string, Attributes> chain_messages_;       // of a required form
    std::vector<Attributes> rule_messages_;
};

struct TableForm::Reading {
    TableForm form;
    std::uint32_t generation = 0;
};

// The generation of the ruleset. Error "not-read".
base::Result<std::uint32_t> generation_of(NfSocket& socket);

}  // namespace portcullis::active_response
