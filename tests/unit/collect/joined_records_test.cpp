#include "engine/collect/joined_records.hpp"

#include <unistd.h>
#include <cstdlib>
#include <ctime>

#include <algorithm>
#include <memory>

#include "engine/collect/log_formats.hpp"

using namespace portcullis::collect;
using Lines = std::vector<std::string>;

namespace {

std::unique_ptr<RecordReader> reader_of(const char* format, std::size_t lines = 1) {
    return find_log_format(format)->make_reader({"/service/tinydns/current", lines});
}

struct Row {
    const char* what;
    const char* format;
    std::size_t line_count;
    std::string text;
    Lines records;
    std::size_t pending;
    Lines at_end;  // that finish() hands out
};

const Row kRows[] = {
    {"groups of lines", "multi-line", 2, "a\nb\nc\nd\n", {"a b", "c d"}, 0, {}},
    {"a group waits for its rest", "multi-line", 3, "a\r\n\nc\nd\ne", {"a  c"}, 3, {"d e"}},
    {"one line is a group", "multi-line", 1, "a\nb\n", {"a", "b"}, 0, {}},
    {"snort: three lines, with others around them",
     "snort-full",
     1,
     "junk\n[**] [1:1407:9] SNMP trap udp [**]\n[Classification: Leak] [Priority: 2] \n"
     "03/06-22:27:35.0 1.2.3.4:1 -> 5.6.7.8:162\nUDP TTL:64\n\n",
     {"[**] [1:1407:9] SNMP trap udp [**][Classification: Leak] [Priority: 2] "
      "1.2.3.4:1 -> 5.6.7.8:162"},
     0,
     {}},
    {"snort: without classification",
     "snort-full",
     1,
     "[**] [1:1:1] X [**]\n[Priority: 3]\n03/06-22:27:35.0 1.2.3.4 -> 5.6.7.8\n",
     {"[**] [1:1:1] X [**][Classification: Preprocessor] [Priority: 3] 1.2.3.4 -> 5.6.7.8"},
     0,
     {}},
    {"snort: an alert that was cut short gives way to the next",
     "snort-full",
     1,
     "[**] [1:1:1] cut [**]\n[**] [2:2:2] Y [**]\n[Priority: 1]\n1/2 a -> b\n[**] [3",
     {"[**] [2:2:2] Y [**][Classification: Preprocessor] [Priority: 3] a -> b"},
     7,
     {}},
    {"snort: incomplete at the end",
     "snort-full",
     1,
     "[**] [1:1:1] X [**]\n[Priority: 3]\n",
     {},
     34,
     {"[**] [1:1:1] X [**][Classification: Preprocessor] [Priority: 3] "}},
    {"multilog: the time of its label, the program of its folder",
     "djb-multilog",
     1,
     "@400000006b05536a00000000 query 1\n@400000006b05536a00000000 Nov 14 18:09:12 h p: x\n"
     "@4000 short\nno label\n",
     {"Nov 24 09:05:36 HOST tinydns: query 1", "h p: x", "@4000 short", "no label"},
     0,
     {}},
    {"mysql: continued lines have the stamp of the line before",
     "mysql_log",
     1,
     "junk\n071017  9:06:01 7 Connect x\n\t\t      8 Query y\n\t\tother\n",
     {"MySQL log: 071017  9:06:01 7 Connect x", "MySQL log: 071017  9:06:01 8 Query y"},
     0,
     {}},
    {"modsecurity: from A to Z of one id",
     "modsec-audit",
     1,
     "junk\n--ab-A--\nx\n--cd-Z--\n--ab-Z--\n--ef-A--\ny\n",
     {"--ab-A-- x --cd-Z-- --ab-Z--"},
     11,
     {"--ef-A-- y"}},
    {"modsecurity: too long a record is left out",
     "modsec-audit",
     1,
     "--a-A--\n" +
         [] {
             std::string lines;
             for (int i = 0; i < 100; ++i) {
                 lines += "l\n";
             }
             return lines;
         }() +
         "--a-Z--\n--b-A--\n--b-Z--\n",
     {"--b-A-- --b-Z--"},
     0,
     {}},
};

Lines fed(RecordReader& reader, std::string_view text, std::size_t piece) {
    Lines records;
    for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
        reader.feed(text.substr(0, piece),
                    [&](std::string_view record) { records.emplace_back(record); });
    }
    return records;
}

void replace_host(Lines& records) {
    char host[256] = {};
    gethostname(host, sizeof host - 1);
    for (std::string& record : records) {
        if (const std::size_t at = record.find("HOST"); at != std::string::npos) {
            record.replace(at, 4, host);
        }
    }
}

}  // namespace

TEST_CASE("joined_records: records of each format, however the bytes arrive") {
    setenv("TZ", "UTC", 1);
    tzset();
    for (const Row& row : kRows) {
        for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, row.text.size()}) {
            CAPTURE(row.what, piece);
            const auto reader = reader_of(row.format, row.line_count);
            Lines expected = row.records;
            replace_host(expected);
            CHECK(fed(*reader, row.text, piece) == expected);
            CHECK(reader->pending() == row.pending);
            Lines rest;
            reader->finish([&](std::string_view record) { rest.emplace_back(record); });
            CHECK(rest == row.at_end);
            CHECK(reader->pending() == 0);
        }
    }
}

TEST_CASE("joined_records: no record is longer than the limit, and every byte is accounted for") {
    const std::string huge(300'000, 'x');
    for (const LogFormat& format : log_formats()) {
        INFO(format.name);
        const auto reader = format.make_reader({"/service/x/current", 50});
        std::size_t longest = 0;
        const auto note = [&](std::string_view record) {
            longest = std::max(longest, record.size());
        };
        for (int i = 0; i < 60; ++i) {
            reader->feed(huge, note);
            reader->feed("\n[**] [1:1:1] " + huge + "\n--a-A--\n", note);
        }
        CHECK(longest <= kMaxRecord);
        reader->finish(note);
        CHECK(reader->pending() == 0);
    }
}
