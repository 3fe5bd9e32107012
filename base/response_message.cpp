#include "base/response_message.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace portcullis::base {
namespace {

using nlohmann::json;

// The longest text of a member, in bytes.
constexpr std::size_t kMaxText = 2048;

tl::unexpected<Diagnostic> bad_message(std::string what) {
    return fail("bad-message", std::move(what));
}

std::string to_packet(const json& object) {
    return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

// Takes members out of one object and remembers the first mistake in it.
class MemberReader {
  public:
    explicit MemberReader(json& object) : object_(object) {}

    std::string text(const char* name) {
        const auto it = take(name, json::value_t::string);
        if (it == object_.end()) {
            return {};
        }
        auto value = std::move(it->get_ref<std::string&>());
        object_.erase(it);
        if (value.size() > kMaxText) {
            complain(fmt::format("\"{}\" is too long", name));
            return {};
        }
        return value;
    }
    std::string optional_text(const char* name) {
        return object_.contains(name) ? text(name) : std::string();
    }
    std::int64_t number(const char* name, std::int64_t least, std::int64_t most) {
        auto it = object_.find(name);
        if (it == object_.end() || !it->is_number_integer()) {
            complain(fmt::format("\"{}\" is missing or not a whole number", name));
            return least;
        }
        // A number above the signed range is an unsigned one that get<int64_t> would wrap.
        const bool is_huge =
            it->is_number_unsigned() &&
            it->get<std::uint64_t>() >
                static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
        const auto value =
            is_huge ? std::numeric_limits<std::int64_t>::max() : it->get<std::int64_t>();
        object_.erase(it);
        if (value < least || value > most) {
            complain(fmt::format("\"{}\" is out of range", name));
            return least;
        }
        return value;
    }
    std::int64_t optional_number(const char* name, std::int64_t least, std::int64_t most,
                                 std::int64_t otherwise) {
        return object_.contains(name) ? number(name, least, most) : otherwise;
    }
    bool boolean(const char* name) {
        const auto it = take(name, json::value_t::boolean);
        if (it == object_.end()) {
            return false;
        }
        const bool value = it->get<bool>();
        object_.erase(it);
        return value;
    }
    bool optional_boolean(const char* name) { return object_.contains(name) && boolean(name); }
    // Call it last: the members that remain are unknown.
    std::string problem() {
        if (problem_.empty() && !object_.empty()) {
            complain("a member is unknown");
        }
        return problem_;
    }
    void complain(std::string what) {
        if (problem_.empty()) {
            problem_ = std::move(what);
        }
    }

  private:
    json::iterator take(const char* name, json::value_t type) {
        auto it = object_.find(name);
        if (it == object_.end() || it->type() != type) {
            complain(fmt::format("\"{}\" is missing or of the wrong kind", name));
            return object_.end();
        }
        return it;
    }

    json& object_;
    std::string problem_;
};

std::chrono::seconds read_timeout(MemberReader& in, std::int64_t least) {
    return std::chrono::seconds(in.number("timeout", least, kMaxBanTime.count()));
}

// A member whose value is one of some words, read by `value_of`; `otherwise` if it is missing.
template <typename Value>
Value read_word(MemberReader& in, const char* name,
                std::optional<Value> (*value_of)(std::string_view), Value otherwise) {
    const std::string word = in.optional_text(name);
    if (word.empty()) {
        return otherwise;
    }
    const auto value = value_of(word);
    if (!value) {
        in.complain(fmt::format("\"{}\" is an unknown word", name));
    }
    return value.value_or(otherwise);
}

ResponseMessage read_respond(MemberReader& in) {
    RespondRequest request;
    request.command = in.text("command");
    request.timeout = read_timeout(in, 0);
    request.user = in.text("user");
    request.srcip = in.text("srcip");
    request.filename = in.text("filename");
    request.alert_id = in.text("alert_id");
    request.rule_id = static_cast<int>(in.number("rule_id", 0, std::numeric_limits<int>::max()));
    request.location = in.text("location");
    request.evidence = read_word(in, "evidence", evidence_of, request.evidence);
    request.of_packets = in.optional_boolean("of_packets");
    request.ports = static_cast<int>(in.optional_number("ports", 0, kMaxPorts, 0));
    request.evidence_time =
        in.optional_number("evidence_time", 0, std::numeric_limits<std::int64_t>::max(), 0);
    request.block = read_word(in, "block", block_choice_of, request.block);
    request.forgeable_timeout =
        std::chrono::seconds(in.optional_number("forgeable_timeout", 0, kMaxBanTime.count(), 0));
    return request;
}

ResponseMessage read_list(MemberReader& in) { return ListRequest{in.optional_text("after")}; }

ResponseMessage read_ban(MemberReader& in) {
    BanRequest request;
    request.address = in.text("address");
    request.timeout = read_timeout(in, 1);
    return request;
}

ResponseMessage read_unban(MemberReader& in) { return UnbanRequest{in.text("address")}; }

ResponseMessage read_flush(MemberReader&) { return FlushRequest{}; }

ResponseMessage read_unexplained(MemberReader& in) {
    return UnexplainedRequest{in.optional_text("after")};
}

ResponseMessage read_protected(MemberReader& in) {
    return ProtectedRequest{in.optional_text("after"), in.optional_text("address")};
}

// Every kind of message, by the value of its member "op".
struct MessageKind {
    std::string_view op;
    ResponseMessage (*read)(MemberReader&);
};
constexpr MessageKind kMessageKinds[] = {
    {"respond", read_respond},     {"list", read_list},   {"ban", read_ban},
    {"unban", read_unban},         {"flush", read_flush}, {"unexplained", read_unexplained},
    {"protected", read_protected},
};

json to_json(const RespondRequest& request) {
    return {{"op", "respond"},
            {"command", request.command},
            {"timeout", request.timeout.count()},
            {"user", request.user},
            {"srcip", request.srcip},
            {"filename", request.filename},
            {"alert_id", request.alert_id},
            {"rule_id", request.rule_id},
            {"location", request.location},
            {"evidence", word_of(request.evidence)},
            {"of_packets", request.of_packets},
            {"ports", request.ports},
            {"evidence_time", request.evidence_time},
            {"block", word_of(request.block)},
            {"forgeable_timeout", request.forgeable_timeout.count()}};
}
json to_json(const ListRequest& request) {
    json object = {{"op", "list"}};
    if (!request.after.empty()) {
        object["after"] = request.after;
    }
    return object;
}
json to_json(const BanRequest& request) {
    return {{"op", "ban"}, {"address", request.address}, {"timeout", request.timeout.count()}};
}
json to_json(const UnbanRequest& request) {
    return {{"op", "unban"}, {"address", request.address}};
}
json to_json(const FlushRequest&) { return {{"op", "flush"}}; }
json to_json(const UnexplainedRequest& request) {
    json object = {{"op", "unexplained"}};
    if (!request.after.empty()) {
        object["after"] = request.after;
    }
    return object;
}

json to_json(const ProtectedRequest& request) {
    json object = {{"op", "protected"}};
    if (!request.after.empty()) {
        object["after"] = request.after;
    }
    if (!request.address.empty()) {
        object["address"] = request.address;
    }
    return object;
}

json to_json(const ProtectedRow& row) { return {{"network", row.network}, {"reason", row.reason}}; }

json to_json(const BlockRow& row) {
    json object = {{"responder", row.responder}, {"address", row.address}, {"left", row.left}};
    if (row.is_hold) {
        object["hold"] = true;
    }
    return object;
}

json to_json(const BanRow& row) {
    return {{"command", row.command},
            {"address", row.address},
            {"user", row.user},
            {"rule_id", row.rule_id},
            {"since", row.since},
            {"until", row.until},
            {"evidence", word_of(row.evidence)},
            {"block", word_of(row.block)},
            {"dry", row.is_dry}};
}

Result<json> parse_object(std::string_view packet) {
    if (packet.size() > kMaxMessageSize) {
        return bad_message("longer than a message may be");
    }
    json object = json::parse(packet, nullptr, false);
    if (!object.is_object()) {
        return bad_message("not a JSON object");
    }
    return object;
}

}  // namespace

std::string encode(const ResponseMessage& message) {
    std::string packet =
        std::visit([](const auto& request) { return to_packet(to_json(request)); }, message);
    const auto* respond = std::get_if<RespondRequest>(&message);
    if (packet.size() <= kMaxMessageSize || respond == nullptr) {
        return packet;
    }
    // A byte may take six in JSON ("\u0001"), so this cut always suffices for the two texts that
    // come from a log.
    RespondRequest shorter = *respond;
    shorter.location.resize(std::min<std::size_t>(shorter.location.size(), 200));
    shorter.filename.resize(std::min<std::size_t>(shorter.filename.size(), 200));
    return to_packet(to_json(shorter));
}

std::string encode(const Reply& reply) {
    json object = {{"ok", reply.ok}, {"text", reply.text}};
    if (!reply.bans.empty()) {
        auto& rows = object["bans"] = json::array();
        for (const auto& row : reply.bans) {
            rows.push_back(to_json(row));
        }
    }
    if (!reply.blocks.empty()) {
        auto& rows = object["blocks"] = json::array();
        for (const auto& row : reply.blocks) {
            rows.push_back(to_json(row));
        }
    }
    if (!reply.protected_entries.empty()) {
        auto& rows = object["protected"] = json::array();
        for (const auto& row : reply.protected_entries) {
            rows.push_back(to_json(row));
        }
    }
    if (reply.is_dry_run) {
        object["dry_run"] = true;
    }
    if (!reply.next.empty()) {
        object["next"] = reply.next;
    }
    return to_packet(object);
}

std::size_t encoded_size_of(const BanRow& row) { return to_packet(to_json(row)).size() + 1; }
std::size_t encoded_size_of(const BlockRow& row) { return to_packet(to_json(row)).size() + 1; }
std::size_t encoded_size_of(const ProtectedRow& row) { return to_packet(to_json(row)).size() + 1; }

Result<ResponseMessage> decode_message(std::string_view packet) {
    auto object = parse_object(packet);
    if (!object) {
        return fail(std::move(object.error()));
    }
    MemberReader in(*object);
    const std::string op = in.text("op");
    const auto* kind = std::find_if(std::begin(kMessageKinds), std::end(kMessageKinds),
                                    [&](const MessageKind& row) { return row.op == op; });
    if (kind == std::end(kMessageKinds)) {
        return bad_message("\"op\" is missing or unknown");
    }
    ResponseMessage message = kind->read(in);
    if (auto problem = in.problem(); !problem.empty()) {
        return bad_message(std::move(problem));
    }
    return message;
}

namespace {

// Reads the rows of the list `name`, which may be missing, and takes it out of `object`.
template <typename Row>
Result<void> read_rows(json& object, const char* name, std::vector<Row>& rows,
                       Row (*read)(MemberReader&)) {
    const auto it = object.find(name);
    if (it == object.end()) {
        return {};
    }
    json list = std::move(*it);
    object.erase(it);
    if (!list.is_array()) {
        return bad_message(fmt::format("\"{}\" is not a list", name));
    }
    for (auto& item : list) {
        if (!item.is_object()) {
            return bad_message(fmt::format("\"{}\" has an element that is not an object", name));
        }
        MemberReader in(item);
        rows.push_back(read(in));
        if (auto problem = in.problem(); !problem.empty()) {
            return bad_message(std::move(problem));
        }
    }
    return {};
}

constexpr auto kMostSeconds = std::numeric_limits<std::int64_t>::max();

BanRow read_ban_row(MemberReader& in) {
    BanRow ban;
    ban.command = in.text("command");
    ban.address = in.text("address");
    ban.user = in.text("user");
    ban.rule_id = static_cast<int>(in.number("rule_id", 0, std::numeric_limits<int>::max()));
    ban.since = in.number("since", 0, kMostSeconds);
    ban.until = in.number("until", 0, kMostSeconds);
    ban.evidence = read_word(in, "evidence", evidence_of, ban.evidence);
    ban.block = read_word(in, "block", block_kind_of, ban.block);
    ban.is_dry = in.boolean("dry");
    return ban;
}

ProtectedRow read_protected_row(MemberReader& in) {
    ProtectedRow row;
    row.network = in.text("network");
    row.reason = in.text("reason");
    return row;
}

BlockRow read_block_row(MemberReader& in) {
    BlockRow block;
    block.responder = in.text("responder");
    block.address = in.text("address");
    block.left = in.number("left", -1, kMostSeconds);
    block.is_hold = in.optional_boolean("hold");
    return block;
}

}  // namespace

Result<Reply> decode_reply(std::string_view packet) {
    auto object = parse_object(packet);
    if (!object) {
        return fail(std::move(object.error()));
    }
    Reply reply;
    if (auto read = read_rows(*object, "bans", reply.bans, read_ban_row); !read) {
        return fail(std::move(read.error()));
    }
    if (auto read = read_rows(*object, "blocks", reply.blocks, read_block_row); !read) {
        return fail(std::move(read.error()));
    }
    if (auto read = read_rows(*object, "protected", reply.protected_entries, read_protected_row);
        !read) {
        return fail(std::move(read.error()));
    }
    MemberReader in(*object);
    reply.ok = in.boolean("ok");
    reply.text = in.text("text");
    reply.next = in.optional_text("next");
    reply.is_dry_run = in.optional_boolean("dry_run");
    if (auto problem = in.problem(); !problem.empty()) {
        return bad_message(std::move(problem));
    }
    return reply;
}

}  // namespace portcullis::base
