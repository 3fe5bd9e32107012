#include "base/response_message.hpp"

using namespace portcullis::base;
using std::chrono::seconds;

namespace {

RespondRequest scan_response() {
    RespondRequest request;
    request.command = "firewall-drop";
    request.timeout = seconds(600);
    request.srcip = "192.0.2.7";
    request.alert_id = "1700000000.12";
    request.rule_id = 99990;
    request.location = "host->/var/log/iplog";
    return request;
}

}  // namespace

TEST_CASE("response_message: a respond request survives the wire") {
    const auto decoded = decode_message(encode(ResponseMessage(scan_response())));
    REQUIRE(decoded.has_value());
    const auto& request = std::get<RespondRequest>(*decoded);
    CHECK(request.command == "firewall-drop");
    CHECK(request.timeout == seconds(600));
    CHECK(request.user == "-");
    CHECK(request.srcip == "192.0.2.7");
    CHECK(request.filename == "-");
    CHECK(request.alert_id == "1700000000.12");
    CHECK(request.rule_id == 99990);
    CHECK(request.location == "host->/var/log/iplog");
}

TEST_CASE("response_message: the administrator's requests survive the wire") {
    const auto ban = decode_message(encode(BanRequest{"2001:db8::1", seconds(60)}));
    REQUIRE(ban.has_value());
    CHECK(std::get<BanRequest>(*ban).address == "2001:db8::1");
    CHECK(std::get<BanRequest>(*ban).timeout == seconds(60));
    CHECK(std::get<UnbanRequest>(*decode_message(encode(UnbanRequest{"192.0.2.1"}))).address ==
          "192.0.2.1");
    CHECK(std::get<ListRequest>(*decode_message(encode(ListRequest{"x"}))).after == "x");
    CHECK(std::holds_alternative<FlushRequest>(*decode_message(encode(FlushRequest{}))));
    const auto asked =
        std::get<ProtectedRequest>(*decode_message(encode(ProtectedRequest{"7", "192.0.2.1"})));
    CHECK(asked.after == "7");
    CHECK(asked.address == "192.0.2.1");
    CHECK(std::get<ProtectedRequest>(*decode_message(R"({"op":"protected"})")).address.empty());
    Reply list{true, "1 protected", {}, {}};
    list.protected_entries = {{"192.0.2.0/24", "white_list"}};
    list.is_dry_run = true;
    CHECK(*decode_reply(encode(list)) == list);
    CHECK(std::get<UnexplainedRequest>(*decode_message(encode(UnexplainedRequest{"x"}))).after ==
          "x");
}

TEST_CASE("response_message: a reply with bans survives the wire") {
    Reply reply;
    reply.text = "2 bans";
    reply.bans = {{"firewall-drop", "192.0.2.1", "-", 99990, 100, 700},
                  {"disable-account", "-", "alice", 0, 100, 0}};
    reply.next = "more";
    const auto decoded = decode_reply(encode(reply));
    REQUIRE(decoded.has_value());
    CHECK(*decoded == reply);
    CHECK(encode(reply).size() <
          60 + encoded_size_of(reply.bans[0]) + encoded_size_of(reply.bans[1]));
}

TEST_CASE("response_message: a reply with unexplained blocks survives the wire") {
    Reply reply;
    reply.blocks = {{"firewall-drop", "192.0.2.1", 3600}, {"firewall-drop", "2001:db8::/48", -1}};
    const auto decoded = decode_reply(encode(reply));
    REQUIRE(decoded.has_value());
    CHECK(*decoded == reply);
}

TEST_CASE("response_message: log text that is hostile stays a valid packet of bounded size") {
    auto request = scan_response();
    request.location.assign(5000, '\x01');
    request.filename = "\xff\xfe\"\\\n";
    const std::string packet = encode(ResponseMessage(request));
    CHECK(packet.size() <= kMaxMessageSize);
    CHECK(decode_message(packet).has_value());
}

TEST_CASE("response_message: a packet that is not exactly a message is refused") {
    const struct {
        std::string_view packet;
        std::string_view problem;
    } rows[] = {
        {"", "not a JSON object"},
        {"[]", "not a JSON object"},
        {"{\"op\":\"flush\"} x", "not a JSON object"},
        {"{}", "\"op\" is missing or unknown"},
        {"{\"op\":7}", "\"op\" is missing or unknown"},
        {"{\"op\":\"reboot\"}", "\"op\" is missing or unknown"},
        {"{\"op\":\"flush\",\"now\":true}", "a member is unknown"},
        {"{\"op\":\"unban\"}", "\"address\" is missing or of the wrong kind"},
        {"{\"op\":\"unban\",\"address\":[\"1.2.3.4\"]}",
         "\"address\" is missing or of the wrong kind"},
        {"{\"op\":\"ban\",\"address\":\"1.2.3.4\",\"timeout\":0}", "\"timeout\" is out of range"},
        {"{\"op\":\"ban\",\"address\":\"1.2.3.4\",\"timeout\":-5}", "\"timeout\" is out of range"},
        {"{\"op\":\"ban\",\"address\":\"1.2.3.4\",\"timeout\":1.5}",
         "\"timeout\" is missing or not a whole number"},
        {"{\"op\":\"ban\",\"address\":\"1.2.3.4\",\"timeout\":18446744073709551615}",
         "\"timeout\" is out of range"},
        {"{\"op\":\"flush\",\"\xff\":1}", "not a JSON object"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.packet);
        const auto decoded = decode_message(row.packet);
        REQUIRE_FALSE(decoded.has_value());
        CHECK(decoded.error().code == "bad-message");
        CHECK(decoded.error().message == row.problem);
    }
    CHECK(decode_message(std::string(kMaxMessageSize + 1, ' ')).error().message ==
          "longer than a message may be");
}
