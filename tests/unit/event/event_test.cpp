#include "engine/event/event.hpp"

using namespace portcullis::event;

TEST_CASE("event: reset deletes control characters and empties everything") {
    Event event;
    event.reset(std::string_view("a\tb\0c\x7f\xe9", 7), "stdin", {});
    CHECK(event.full_log == "abc\xe9");
    CHECK(event.log == event.full_log);
    CHECK(event.location == "stdin");

    event.hostname = "h";
    event.has_header_hostname = true;
    event.program_name = "p";
    event.type = EventType::Ids;
    event.decoder_name = "d";
    event.decoder_parent = "d";
    event.decoder_id = 7;
    event.fts = FtsParts{};
    event.accumulates = true;
    event.set_field(FieldId::SrcIp, "1.2.3.4");
    event.set_dynamic("x", "y");
    event.reset("next", "file", {});
    CHECK_FALSE(event.hostname);
    CHECK_FALSE(event.has_header_hostname);
    CHECK_FALSE(event.program_name);
    CHECK(event.type == EventType::Syslog);
    CHECK(event.decoder_name.empty());
    CHECK(event.decoder_parent.empty());
    CHECK(event.decoder_id == 0);
    CHECK_FALSE(event.fts);
    CHECK_FALSE(event.accumulates);
    CHECK_FALSE(event.field(FieldId::SrcIp));
    CHECK(event.dynamic_fields().empty());
    CHECK(event.decoded().empty());
}

TEST_CASE("event: the last value of a field counts, decoded() has all") {
    Event event;
    event.reset("", "", {});
    event.set_field(FieldId::Protocol, "tcp");
    event.set_field(FieldId::Protocol, "udp");
    event.set_dynamic("Name", "1");
    event.set_dynamic("name", "2");
    event.set_dynamic("Name", "3");
    CHECK(event.field(FieldId::Protocol) == std::string_view("udp"));
    REQUIRE(event.dynamic_fields().size() == 2);
    CHECK(event.dynamic_fields()[0].value == "3");
    REQUIRE(event.decoded().size() == 5);
    CHECK(event.decoded()[0].label == "proto");
    CHECK(event.decoded()[4].value == "3");
    event.fill_field(FieldId::SrcUser, "bob");
    CHECK(event.field(FieldId::SrcUser) == std::string_view("bob"));
    CHECK(event.decoded().size() == 5);
}

TEST_CASE("event: kept strings stay where they are") {
    Event event;
    event.reset("", "", {});
    const auto first = event.keep("short");
    for (int i = 0; i < 1000; ++i) {
        event.keep(std::string(100, 'x'));
    }
    CHECK(first == "short");
}

TEST_CASE("event: types and their names") {
    for (int i = 0; i < 8; ++i) {
        const auto type = static_cast<EventType>(i);
        CHECK(find_event_type(name_of(type)) == type);
    }
    CHECK_FALSE(find_event_type("Syslog"));
    CHECK_FALSE(find_event_type(""));
}

TEST_CASE("fields: each row has its place, and each order word its field") {
    for (std::size_t i = 0; i < kFieldCount; ++i) {
        CHECK(static_cast<std::size_t>(kFields[i].id) == i);
        CHECK_FALSE(kFields[i].help.empty());
    }
    for (const auto word : order_names()) {
        CAPTURE(word);
        CHECK(find_field(word));
    }
    struct Row {
        std::string_view word;
        std::optional<FieldId> field;
    };
    static constexpr Row kRows[] = {
        {"user", FieldId::DstUser},
        {"dstuser", FieldId::DstUser},
        {"srcuser", FieldId::SrcUser},
        {"data", FieldId::ExtraData},
        {"extra_data", FieldId::ExtraData},
        {"filename", FieldId::Filename},
        {"a_filename_x", FieldId::Filename},
        {"SrcIp", {}},
        {"hostname", {}},
        {"location", {}},
    };
    for (const auto& row : kRows) {
        CAPTURE(row.word);
        CHECK(find_field(row.word) == row.field);
    }
}
