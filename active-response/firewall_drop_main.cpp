// firewall-drop: blocks and unblocks source addresses and networks with nftables.
//
//   firewall-drop persistent                     JSON lines on stdin, replies on stdout
//   firewall-drop add|delete USER IP [...]       OSSEC's arguments; PORTCULLIS_TIMEOUT = seconds,
//                                                PORTCULLIS_BLOCK = hard or soft
//
// docs/responders.md describes both.
#include <linux/capability.h>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>

#include "active-response/ban_sets.hpp"
#include "active-response/changes.hpp"
#include "active-response/complain.hpp"
#include "active-response/home_lock.hpp"
#include "active-response/request.hpp"
#include "active-response/server.hpp"
#include "base/capabilities.hpp"

using portcullis::active_response::BanSets;
using portcullis::active_response::carry_out;
using portcullis::active_response::complain;
using portcullis::active_response::home_of;
using portcullis::active_response::HomeLock;
using portcullis::active_response::Request;
using portcullis::active_response::Server;
using std::chrono::seconds;

namespace {

seconds timeout_of_environment() {
    const char* text = std::getenv("PORTCULLIS_TIMEOUT");  // NOLINT(concurrency-mt-unsafe)
    long long value = 0;
    if (text != nullptr) {
        const std::string_view view(text);
        const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), value);
        if (error != std::errc{} || end != view.data() + view.size()) {
            return seconds(-1);
        }
    }
    return seconds(value);
}

// The request of a call with OSSEC's arguments.
Request request_of(std::string_view action, std::string_view address) {
    Request request;
    request.action = action;
    request.address = address;
    request.timeout = timeout_of_environment();
    const char* block = std::getenv("PORTCULLIS_BLOCK");  // NOLINT(concurrency-mt-unsafe)
    if (block != nullptr) {
        const auto kind = portcullis::base::block_kind_of(block);
        request.block = kind.value_or(portcullis::base::BlockKind::Hard);
        if (!kind) {
            request.error = "PORTCULLIS_BLOCK is neither hard nor soft";
        }
    }
    return request;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view first = argc > 1 ? argv[1] : "";
    const bool is_persistent = first == "persistent" && argc == 2;
    if (!is_persistent && argc < 4) {
        return complain(
            "usage: firewall-drop add|delete USER IP [...], or firewall-drop persistent");
    }
    // SYS_NICE: for the realtime priority, which it takes again after a pause.
    if (const auto kept = portcullis::base::keep_capabilities({CAP_NET_ADMIN, CAP_SYS_NICE});
        !kept) {
        return complain(kept.error().message);
    }
    auto sets = BanSets::open(is_persistent ? BanSets::Follow::Yes : BanSets::Follow::No);
    if (!sets) {
        return complain(sets.error().message);
    }
    HomeLock lock(home_of(argv[0]));
    if (is_persistent) {
        return Server(*sets, lock).run();
    }
    if (const auto taken = lock.take(HomeLock::For::OneCall); !taken) {
        return complain(taken.error().message);
    }
    const auto error = carry_out(*sets, request_of(first, argv[3]));
    for (const auto& sentence : sets->take_restored()) {
        complain(sentence);
    }
    return error ? complain(std::string(argv[3]) + ": " + *error) : 0;
}
