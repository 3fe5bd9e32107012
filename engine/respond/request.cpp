#include "engine/respond/request.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/ascii.hpp"
#include "base/ban_target.hpp"
#include "engine/respond/response_plan.hpp"

namespace portcullis::respond {
namespace {

using event::FieldId;

bool consists_of(std::string_view text, std::string_view others) {
    return std::all_of(text.begin(), text.end(), [&](char c) {
        return base::is_alphanumeric(c) || others.find(c) != std::string_view::npos;
    });
}

// In bytes. execd refuses texts of more than 2048 bytes, and a byte that is not UTF-8 may become
// three.
constexpr std::size_t kMaxLocation = 600;

constexpr std::string_view kUserCharacters = "._@?-";
constexpr std::string_view kAddressCharacters = ".:_-/";

// Empty and "-" count as absent.
std::optional<std::string> present(const std::optional<std::string>& field) {
    return field && !field->empty() && *field != "-" ? field : std::nullopt;
}

// The number of ports in "21,1" or "1,2,3,..."; 0 = the event has none.
int count_ports(const alert::Alert& alert) {
    const auto list = present(alert.field(FieldId::DstPort));
    if (!list) {
        return 0;
    }
    const auto commas = std::count(list->begin(), list->end(), ',');
    const bool is_cut = list->size() >= 3 && list->compare(list->size() - 3, 3, "...") == 0;
    return static_cast<int>(std::min<std::ptrdiff_t>(commas + (is_cut ? 0 : 1), base::kMaxPorts));
}

bool runs_here(ResponseLocation where, std::string_view location) {
    switch (where) {
        case ResponseLocation::Server:
            return true;
        case ResponseLocation::Local:
            return location.empty() || location.front() != '(';  // "(agent) address->file"
        case ResponseLocation::DefinedAgent:
        case ResponseLocation::All:
            return false;
    }
    return false;
}

}  // namespace

base::Result<base::RespondRequest> make_request(const alert::Alert& alert,
                                                const ActiveResponseConfig& response,
                                                const CommandConfig& command,
                                                std::string_view source) {
    if (!runs_here(response.location, alert.location)) {
        return base::fail("elsewhere", "the response runs on agents only");
    }
    if (!listens_to(response, source)) {
        return base::fail("other-source", other_source_text(response));
    }
    base::RespondRequest request;
    request.command = command.name;
    request.timeout = response.timeout;
    request.block = response.block;
    request.forgeable_timeout = response.forgeable_timeout.value_or(std::chrono::seconds::zero());
    request.evidence = alert.evidence.value_or(base::Evidence::Proven);
    request.of_packets = alert.evidence.has_value();
    request.ports = request.of_packets ? count_ports(alert) : 0;
    // The time of the alert is that of the event. The request keeps it while it waits.
    request.evidence_time =
        std::chrono::duration_cast<std::chrono::seconds>(alert.time.time_since_epoch()).count();
    request.alert_id = alert.name();
    request.rule_id = alert.rule.id;
    // A decoder may take a part of it from the line; if it were too long, execd would refuse the
    // whole response.
    request.location = alert.location.substr(0, kMaxLocation);
    if (command.expects_user) {
        auto user = present(alert.field(FieldId::DstUser));
        if (!user) {
            user = present(alert.field(FieldId::SrcUser));
        }
        if (!user) {
            return base::fail("missing-field",
                              "the command expects a user, and the event has none");
        }
        if (!consists_of(*user, kUserCharacters)) {
            return base::fail("crafted-field", "crafted user name \"" + *user + "\"");
        }
        request.user = *std::move(user);
    }
    if (command.expects_srcip) {
        const auto srcip = present(alert.field(FieldId::SrcIp));
        if (!srcip) {
            return base::fail("missing-field",
                              "the command expects a srcip, and the event has none");
        }
        if (!consists_of(*srcip, kAddressCharacters)) {
            return base::fail("crafted-field", "crafted srcip \"" + *srcip + "\"");
        }
        // An IPv4-mapped address becomes the IPv4 address.
        const auto target = base::parse_offender(*srcip);
        request.srcip = target ? base::ban_target_text(*target) : *srcip;
    }
    if (command.expects_filename) {
        auto filename = present(alert.field(FieldId::Filename));
        if (!filename) {
            return base::fail("missing-field",
                              "the command expects a filename, and the event has none");
        }
        request.filename = *std::move(filename);
    }
    return request;
}

}  // namespace portcullis::respond
