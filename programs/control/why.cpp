#include "programs/control/why.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "base/ascii.hpp"
#include "base/ip_address.hpp"
#include "engine/config/engine_config.hpp"
#include "programs/control/bans.hpp"
#include "programs/control/line_search.hpp"
#include "programs/control/printable.hpp"

namespace portcullis::programs {
namespace {

using nlohmann::json;

// Limits of one search, and of its output.
constexpr std::size_t kMaxBytes = 128UL << 20;
constexpr std::size_t kMaxRecords = 10;
constexpr std::size_t kMaxAlerts = 20;
constexpr std::size_t kMaxLines = 10;
constexpr std::size_t kMaxSteps = 50;
constexpr int kMaxRotated = 9;
constexpr int kMaxDays = 30;
constexpr std::size_t kMaxShown = 400;  // bytes of a line of a log

// A record of execd.
struct Response {
    std::string time, action, command, address, alert, location, outcome, reason, evidence, block;
    std::int64_t rule = 0;
    std::vector<std::string> steps;  // of the decision; the last step decided
};

struct AlertText {
    std::string id, time, rule, level, comment, srcip, location;
    std::vector<std::string> lines;
};

struct Findings {
    std::vector<Response> responses;  // newest first, as the others
    std::vector<AlertText> alerts;
    std::vector<std::string> lines;  // of logs, if there is no alert
    std::vector<std::string> notes;  // files that are missing or were not read
};

std::string text_of(const json& object, const char* name) {
    const auto it = object.find(name);
    if (it == object.end()) {
        return {};
    }
    if (it->is_string()) {
        return it->get<std::string>();
    }
    return it->is_number() ? it->dump() : std::string();
}

std::string time_of(double time) {
    return std::isfinite(time) && time >= 0 && time < 1e11
               ? time_text(static_cast<std::int64_t>(time))
               : std::string("?");
}

// Returns the value of a text member in the text of a JSON object, without parsing it: a long file
// has many lines. The value ends at the first quote, so one that holds a quote is cut.
std::string_view raw_member(std::string_view line, std::string_view name) {
    const std::string start = fmt::format("\"{}\":", name);
    const auto at = line.find(start);
    if (at == std::string_view::npos) {
        return {};
    }
    line.remove_prefix(at + start.size());
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    return line.starts_with('"') ? line.substr(1, line.find('"', 1) - 1) : std::string_view();
}

bool covers(std::string_view text, const base::IpAddress& address) {
    const auto network = base::Cidr::parse(text);
    return network && network->contains(address);
}

std::optional<Response> response_in(std::string_view line, const base::IpAddress& address) {
    if (!covers(raw_member(line, "address"), address)) {
        return std::nullopt;
    }
    const json object = json::parse(line, nullptr, false);
    if (!object.is_object()) {
        return std::nullopt;
    }
    Response response;
    const auto time = object.find("time");
    response.time = time_of(time != object.end() && time->is_number() ? time->get<double>() : -1);
    response.action = text_of(object, "action");
    response.command = text_of(object, "command");
    response.address = text_of(object, "address");
    response.alert = text_of(object, "alert");
    response.location = text_of(object, "location");
    response.outcome = text_of(object, "outcome");
    response.reason = text_of(object, "reason");
    response.evidence = text_of(object, "evidence");
    response.block = text_of(object, "block");
    if (const auto rule = object.find("rule"); rule != object.end() && rule->is_number_integer()) {
        response.rule = rule->get<std::int64_t>();
    }
    const auto steps = object.find("steps");
    if (steps != object.end() && steps->is_array()) {
        for (const auto& step : *steps) {
            if (step.is_string() && response.steps.size() < kMaxSteps) {
                response.steps.push_back(step.get<std::string>());
            }
        }
    }
    return response;
}

std::string described(SearchEnd end, const std::string& path) {
    switch (end) {
        case SearchEnd::Missing:
            return fmt::format("{} does not exist or may not be read", path);
        case SearchEnd::Limit:
            return fmt::format("only the last {1} MB of {0} were read", path, kMaxBytes >> 20U);
        default:
            return {};
    }
}

void find_responses(const Home& home, const base::IpAddress& address, Findings& findings) {
    std::size_t bytes_left = kMaxBytes;
    const auto take = [&](std::string_view line) {
        if (auto response = response_in(line, address)) {
            findings.responses.push_back(std::move(*response));
        }
        return findings.responses.size() < kMaxRecords;
    };
    const std::string path = home.responses_json();
    auto end = search_backwards(path, bytes_left, take);
    if (auto note = described(end, path); !note.empty()) {
        findings.notes.push_back(std::move(note));
    }
    // As logrotate(8) names them. If one is missing, the older ones are not read.
    for (int number = 1; number <= kMaxRotated && end != SearchEnd::Stopped; ++number) {
        const std::string rotated = fmt::format("{}.{}", path, number);
        const auto end_of_rotated = search_backwards(rotated, bytes_left, take);
        if (end_of_rotated == SearchEnd::Missing && number > 1) {
            break;
        }
        if (end_of_rotated == SearchEnd::Limit) {
            findings.notes.push_back(described(end_of_rotated, rotated));
        }
        if (end_of_rotated != SearchEnd::Missing) {
            end = end_of_rotated;
        }
    }
    if (struct stat status{}; ::stat((path + ".2.gz").c_str(), &status) == 0 ||
                              ::stat((path + ".1.gz").c_str(), &status) == 0) {
        findings.notes.emplace_back("compressed files of responses were not read");
    }
}

std::optional<AlertText> alert_in(std::string_view line, const base::IpAddress& address,
                                  const std::set<std::string, std::less<>>& ids) {
    const bool is_wanted =
        covers(raw_member(line, "srcip"), address) || ids.count(raw_member(line, "id")) > 0;
    const json object = is_wanted ? json::parse(line, nullptr, false) : json();
    if (!object.is_object()) {
        return std::nullopt;
    }
    AlertText alert;
    alert.id = text_of(object, "id");
    const auto time = object.find("TimeStamp");
    alert.time =
        time_of(time != object.end() && time->is_number() ? time->get<double>() / 1000 : -1);
    if (const auto rule = object.find("rule"); rule != object.end() && rule->is_object()) {
        alert.rule = text_of(*rule, "sidid");
        alert.level = text_of(*rule, "level");
        alert.comment = text_of(*rule, "comment");
    }
    alert.srcip = text_of(object, "srcip");
    alert.location = text_of(object, "location");
    alert.lines = {text_of(object, "full_log")};
    if (auto previous = text_of(object, "previous_output"); !previous.empty()) {
        alert.lines.push_back(std::move(previous));
    }
    return alert;
}

// An alert of alerts.log, its lines in reverse order.
std::optional<AlertText> alert_of(const std::vector<std::string>& reversed,
                                  const base::IpAddress& address,
                                  const std::set<std::string, std::less<>>& ids) {
    constexpr std::string_view kBegin = "** Alert ";
    if (reversed.size() < 3 || !reversed.back().starts_with(kBegin)) {
        return std::nullopt;
    }
    AlertText alert;
    const auto& first = reversed.back();
    alert.id = first.substr(kBegin.size(), first.find(':', kBegin.size()) - kBegin.size());
    alert.location = reversed[reversed.size() - 2];
    const auto value_of = [](const std::string& line, std::string_view name) {
        return line.starts_with(name) ? line.substr(name.size()) : std::string();
    };
    for (std::size_t i = reversed.size() - 2; i-- > 0;) {
        const std::string& line = reversed[i];
        if (auto rule = value_of(line, "Rule: "); !rule.empty() && alert.comment.empty()) {
            alert.comment = std::move(rule);
        } else if (auto source = value_of(line, "Src IP: ");
                   !source.empty() && alert.lines.empty()) {
            alert.srcip = std::move(source);
        } else if (!alert.lines.empty() ||
                   (value_of(line, "Src Port: ").empty() && value_of(line, "Dst IP: ").empty() &&
                    value_of(line, "Dst Port: ").empty() && value_of(line, "User: ").empty())) {
            alert.lines.push_back(line);
        }
    }
    if (!covers(alert.srcip, address) && ids.count(alert.id) == 0) {
        return std::nullopt;
    }
    return alert;
}

// The files of the days before, newest first.
std::vector<std::string> alert_files(const Home& home, std::string_view ending) {
    const std::string current = fmt::format("{}/alerts{}", home.alerts(), ending);
    std::vector<std::string> files{current};
    struct stat of_today {};
    ::stat(current.c_str(), &of_today);
    constexpr std::int64_t kDay = 86'400;
    for (int day = 0; day < kMaxDays; ++day) {
        const auto time = static_cast<std::time_t>(std::time(nullptr) - day * kDay);
        std::string path = fmt::format("{}/{:%Y/%b/ossec-alerts-%d}{}", home.alerts(),
                                       fmt::localtime(time), ending);
        struct stat status {};
        if (::stat(path.c_str(), &status) == 0 && status.st_ino != of_today.st_ino) {
            files.push_back(std::move(path));
        }
    }
    return files;
}

void find_alerts(const Home& home, const base::IpAddress& address, Findings& findings) {
    std::set<std::string, std::less<>> ids;
    for (const auto& response : findings.responses) {
        if (!response.alert.empty() && response.alert != "-") {
            ids.insert(response.alert);
        }
    }
    std::size_t bytes_left = kMaxBytes;
    const auto keep = [&](std::optional<AlertText> alert) {
        if (alert) {
            findings.alerts.push_back(std::move(*alert));
        }
        return findings.alerts.size() < kMaxAlerts;
    };
    struct stat status {};
    const bool has_json = ::stat((home.alerts() + "/alerts.json").c_str(), &status) == 0;
    for (const auto& path : alert_files(home, has_json ? ".json" : ".log")) {
        constexpr std::size_t kMaxAlertLines = 100;
        std::vector<std::string> reversed;
        const auto end = search_backwards(path, bytes_left, [&](std::string_view line) {
            if (has_json) {
                return keep(alert_in(line, address, ids));
            }
            if (line.empty()) {
                reversed.clear();
                return true;
            }
            if (reversed.size() < kMaxAlertLines || line.starts_with("** Alert ")) {
                reversed.emplace_back(line);
            }
            return !line.starts_with("** Alert ") || keep(alert_of(reversed, address, ids));
        });
        if (auto note = described(end, path); !note.empty()) {
            findings.notes.push_back(std::move(note));
        }
        if (end == SearchEnd::Stopped || end == SearchEnd::Limit) {
            break;
        }
    }
}

// Whether `line` names the address as a word.
bool names(std::string_view line, std::string_view address) {
    const auto is_part = [](char c) {
        return base::is_digit(c) || (c >= 'a' && c <= 'f') || c == ':' || c == '.';
    };
    for (auto at = line.find(address); at != std::string_view::npos;
         at = line.find(address, at + 1)) {
        const auto end = at + address.size();
        const bool begins = at == 0 || !is_part(line[at - 1]);
        const bool ends = end == line.size() || !is_part(line[end]) ||
                          (line[end] == '.' && (end + 1 == line.size() || line[end + 1] == ' '));
        if (begins && ends) {
            return true;
        }
    }
    return false;
}

// Lines of the logs that the engine reads. Called if there is no alert.
void find_lines(const std::string& config_path, const base::IpAddress& address,
                Findings& findings) {
    base::Diagnostics diagnostics;
    const auto config = config::load_engine_config(config_path, diagnostics);
    const std::string text = address.to_string();
    for (const auto& file : config.local_files) {
        if (file.location.find_first_of("*?[%") != std::string::npos ||
            !file.location.starts_with('/') || findings.lines.size() >= kMaxLines) {
            continue;
        }
        std::size_t bytes_left = kMaxBytes / 8;
        search_backwards(file.location, bytes_left, [&](std::string_view line) {
            if (names(line, text)) {
                findings.lines.push_back(fmt::format("{}: {}", file.location, line));
            }
            return findings.lines.size() < kMaxLines;
        });
    }
}

void print(std::string_view text, std::size_t most = kMaxPrintable) {
    std::string line(text);
    std::replace(line.begin(), line.end(), '\n', ' ');
    std::puts(printable(line, most).c_str());
}

// Prints whether `address` is blocked now. Returns false if that is not known.
bool print_state(const base::Result<BanListing>& listing, const base::IpAddress& address) {
    const std::string text = address.to_string();
    if (!listing) {
        print(fmt::format("{}: it is not known whether it is blocked: {}", text,
                          listing.error().message));
        return false;
    }
    bool is_blocked = false;
    for (const auto& ban : listing->bans) {
        if (!covers(ban.address, address)) {
            continue;
        }
        is_blocked = is_blocked || !ban.is_dry;
        const std::string until = ban.until == 0
                                      ? "without an end"
                                      : fmt::format("until {} ({} left)", time_text(ban.until),
                                                    duration_text(seconds_left(ban.until)));
        print(fmt::format("{}: {} ({}{}) since {}, {}, by {}, {}, {} evidence", text,
                          ban.is_dry ? "would be blocked, but it was a dry run" : "blocked",
                          base::word_of(ban.block),
                          ban.address == text ? "" : ", as part of " + ban.address,
                          time_text(ban.since), until, ban.command,
                          ban.rule_id == 0 ? "by hand" : fmt::format("rule {}", ban.rule_id),
                          base::word_of(ban.evidence)));
    }
    for (const auto& block : listing->blocks) {
        if (covers(block.address, address)) {
            is_blocked = true;
            print(fmt::format(
                "{}: blocked by {} without a ban of this home ({} left)", text, block.responder,
                block.left < 0 ? "no end" : duration_text(std::chrono::seconds(block.left))));
        }
    }
    for (const auto& hold : listing->holds) {
        if (covers(hold.address, address)) {
            is_blocked = true;
            print(fmt::format("{}: held by the kernel, no new connections ({} left)", text,
                              duration_text(std::chrono::seconds(hold.left))));
        }
    }
    if (!is_blocked) {
        print(text + ": not blocked");
    }
    if (listing->is_dry_run) {
        print("dry run: execd blocks no address");
    }
    if (!listing->problem.empty()) {
        print("incomplete: " + listing->problem);
    }
    return true;
}

void print_alert(const AlertText& alert) {
    const std::string rule = alert.rule.empty() ? alert.comment
                                                : fmt::format("{} (level {}): {}", alert.rule,
                                                              alert.level, alert.comment);
    print(fmt::format("    alert {}{}{}", alert.id, alert.time.empty() ? "" : ", ", alert.time));
    print("    rule " + rule);
    for (const auto& line : alert.lines) {
        print("    line " + line, kMaxShown);
    }
}

void print_response(const Response& response, const std::vector<AlertText>& alerts) {
    print(fmt::format("  {} {} {} {}: {}: {}", response.time, response.command, response.action,
                      response.address, response.outcome, response.reason));
    const auto alert = std::find_if(alerts.begin(), alerts.end(), [&](const AlertText& each) {
        return each.id == response.alert;
    });
    if (alert != alerts.end()) {
        print_alert(*alert);
    } else if (response.rule != 0) {
        print(fmt::format("    rule {}, alert {} (not found), from {}", response.rule,
                          response.alert, response.location));
    }
    if (!response.evidence.empty()) {
        print(fmt::format("    {} evidence, {} block", response.evidence, response.block));
    }
    for (std::size_t i = 0; i < response.steps.size(); ++i) {
        print(fmt::format(
            "    {} {}", i + 1 == response.steps.size() ? "decided:" : "step:", response.steps[i]));
    }
}

void print_findings(const Findings& findings, const std::string& address) {
    if (findings.responses.empty()) {
        print("responses: none for " + address);
    } else {
        print("responses, newest first:");
    }
    std::set<std::string> shown;
    for (const auto& response : findings.responses) {
        print_response(response, findings.alerts);
        shown.insert(response.alert);
    }
    bool has_title = false;
    for (const auto& alert : findings.alerts) {
        if (shown.count(alert.id) > 0) {
            continue;
        }
        if (!has_title) {
            has_title = true;
            print(
                "alerts without a record of a response (no <active-response> is for such a rule, "
                "level or file, or execd did not run), newest first:");
        }
        print_alert(alert);
    }
    if (findings.alerts.empty()) {
        print("alerts: none about " + address);
    }
    if (!findings.lines.empty()) {
        print("lines that name it, newest first:");
        for (const auto& line : findings.lines) {
            print("    " + line, kMaxShown);
        }
    }
    for (const auto& note : findings.notes) {
        print("incomplete: " + note);
    }
}

}  // namespace

int explain(const Home& home, const std::string& config_path, const std::string& address_text) {
    const auto address = base::IpAddress::parse(address_text);
    if (!address) {
        std::fputs("portcullis-control: not an IP address\n", stderr);
        return 1;
    }
    const bool is_known = print_state(listing_of(home, config_path), *address);
    const auto entries = protected_of(home, config_path, address->to_string());
    if (!entries) {
        print("never-block list: not known: " + entries.error().message);
    } else {
        print(entries->empty() ? "never-block list: not listed"
                               : "never-block list: never blocked: " + entries->front().reason);
    }
    Findings findings;
    find_responses(home, *address, findings);
    find_alerts(home, *address, findings);
    if (findings.alerts.empty()) {
        find_lines(config_path, *address, findings);
    }
    print_findings(findings, address->to_string());
    return is_known ? 0 : 1;
}

}  // namespace portcullis::programs
