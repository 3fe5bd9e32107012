// firewall-drop: blocks and unblocks source addresses with nftables, and IPv6 networks of
// 48, 56 or 64 bits.
//
//   firewall-drop persistent                     JSON lines on stdin, replies on stdout
//   firewall-drop add|delete USER IP [...]       OSSEC's arguments; PORTCULLIS_TIMEOUT = seconds
//
// docs/responders.md describes both.
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>

#include "active-response/ban_sets.hpp"
#include "active-response/blocked.hpp"
#include "active-response/changes.hpp"
#include "active-response/complain.hpp"
#include "active-response/server.hpp"

using namespace portcullis::active_response;
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

}  // namespace

int main(int argc, char** argv) {
    const std::string_view first = argc > 1 ? argv[1] : "";
    const bool is_persistent = first == "persistent" && argc == 2;
    if (!is_persistent && argc < 4) {
        return complain(
            "usage: firewall-drop add|delete USER IP [...], or firewall-drop persistent");
    }
    auto sets = BanSets::open();
    if (!sets) {
        return complain(sets.error().message);
    }
    if (is_persistent) {
        return Server(*sets).run();
    }
    Blocked blocked;
    const auto error = carry_out(*sets, blocked, first, argv[3], timeout_of_environment());
    return error ? complain(std::string(argv[3]) + ": " + *error) : 0;
}
