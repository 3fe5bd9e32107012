#include "engine/decode/accumulator.hpp"

using namespace portcullis;
using namespace std::chrono_literals;
using event::FieldId;

namespace {

struct Line {
    std::string id;
    std::string srcip;
    std::string user;
    std::string host = "h";
};

class Fixture {
  public:
    // What the event has after update(): "srcip user".
    std::string update(const Line& line, base::Timestamp now) {
        event_.reset("text", "stdin", now);
        event_.hostname = line.host;
        event_.decoder_name = "openldap";
        event_.accumulates = true;
        event_.set_field(FieldId::Id, line.id);
        if (!line.srcip.empty()) {
            event_.set_field(FieldId::SrcIp, line.srcip);
        }
        if (!line.user.empty()) {
            event_.set_field(FieldId::DstUser, line.user);
        }
        const auto decoded = event_.decoded().size();
        CHECK(accumulator.update(event_, now));
        CHECK(event_.decoded().size() == decoded);  // filled in, not decoded
        return std::string(event_.field(FieldId::SrcIp).value_or("-")) + ' ' +
               std::string(event_.field(FieldId::DstUser).value_or("-"));
    }

    decode::Accumulator accumulator{3};

  private:
    event::Event event_;
};

constexpr base::Timestamp kStart{1000h};

}  // namespace

TEST_CASE("accumulator: lines of one id share their fields for two minutes") {
    Fixture fixture;
    CHECK(fixture.update({"1", "1.2.3.4", ""}, kStart) == "1.2.3.4 -");
    CHECK(fixture.update({"2", "", ""}, kStart) == "- -");
    CHECK(fixture.update({"1", "", "bob"}, kStart + 60s) == "1.2.3.4 bob");
    CHECK(fixture.update({"1", "", ""}, kStart + 180s) == "1.2.3.4 bob");
    CHECK(fixture.update({"1", "", ""}, kStart + 301s) == "- -");
}

TEST_CASE("accumulator: kept values are not replaced, and the event's own value counts") {
    Fixture fixture;
    fixture.update({"1", "1.1.1.1", ""}, kStart);
    CHECK(fixture.update({"1", "2.2.2.2", ""}, kStart) == "2.2.2.2 -");
    CHECK(fixture.update({"1", "", ""}, kStart) == "1.1.1.1 -");
}

TEST_CASE("accumulator: hosts are apart, long values are not kept") {
    Fixture fixture;
    fixture.update({"1", "1.1.1.1", std::string(81, 'x')}, kStart);
    CHECK(fixture.update({"1", "", ""}, kStart) == "1.1.1.1 -");
    CHECK(fixture.update({"1", "", "", "other"}, kStart) == "- -");
}

TEST_CASE("accumulator: the entry updated longest ago makes room") {
    Fixture fixture;
    for (const char* id : {"1", "2", "3"}) {
        fixture.update({id, id, ""}, kStart);
    }
    fixture.update({"1", "", ""}, kStart);
    fixture.update({"4", "4", ""}, kStart);
    CHECK(fixture.accumulator.size() == 3);
    CHECK(fixture.accumulator.evictions() == 1);
    CHECK(fixture.update({"1", "", ""}, kStart) == "1 -");
    CHECK(fixture.update({"2", "", ""}, kStart) == "- -");
    fixture.accumulator.clear();
    CHECK(fixture.accumulator.size() == 0);
}

TEST_CASE("accumulator: other events pass") {
    decode::Accumulator accumulator;
    event::Event event;
    event.reset("text", "stdin", {});
    event.accumulates = true;
    CHECK_FALSE(accumulator.update(event, {}));  // no id
    event.accumulates = false;
    event.set_field(FieldId::Id, "1");
    CHECK_FALSE(accumulator.update(event, {}));
    CHECK(accumulator.size() == 0);
}
