#include "engine/respond/response_plan.hpp"

using namespace portcullis;
using namespace portcullis::respond;
using base::BlockChoice;
using base::BlockKind;
using base::Evidence;
using std::chrono::seconds;

TEST_CASE("response_plan: which files a response listens to") {
    struct Row {
        std::vector<std::string> from_files;
        const char* source;
        bool listens;
    };
    const Row rows[] = {
        {{}, "/var/log/iplog", true},
        {{}, "stdin", true},
        {{"/var/log/iplog"}, "/var/log/iplog", true},
        {{"/var/log/iplog"}, "/var/log/iplog.1", false},
        {{"/var/log/iplog"}, "/var/log/iplog/", false},
        {{"/var/log/iplog"}, "(web) 10.0.0.2->/var/log/iplog", false},
        {{"/var/log/iplog"}, "/tmp/var/log/iplog", false},
        {{"/var/log/iplog"}, "stdin", false},
        {{"/a", "/b"}, "/b", true},
        {{"/a", "/b"}, "/c", false},
        // A <localfile> with a glob: one of its files, or the location as written.
        {{"/var/log/a/iplog"}, "/var/log/a/iplog", true},
        {{"/var/log/a/iplog"}, "/var/log/b/iplog", false},
        {{"/var/log/*/iplog"}, "/var/log/b/iplog", true},
        {{"/var/log/*/iplog"}, "/var/log/b/c/iplog", false},
        // … with a date.
        {{"/var/log/iplog-%Y%m%d"}, "/var/log/iplog-20261130", true},
        {{"/var/log/iplog-%Y%m%d"}, "/var/log/iplog-2026113", false},
        {{"/var/log/iplog-%Y%m%d"}, "/var/log/iplog-2026113x", false},
        {{"/var/log/*/iplog-%Y"}, "/var/log/b/iplog-2026", true},
    };
    for (const Row& row : rows) {
        CAPTURE(row.from_files, row.source);
        ActiveResponseConfig response;
        response.from_files = row.from_files;
        CHECK(listens_to(response, row.source) == row.listens);
    }
    ActiveResponseConfig response;
    response.from_files = {"/a", "/b"};
    CHECK(other_source_text(response) == "not from /a or /b");
}

TEST_CASE("response_plan: which block fits which evidence, and for how long") {
    struct Row {
        BlockChoice block;
        Evidence evidence;
        std::optional<PlannedBlock> due;
    };
    const Row rows[] = {
        {BlockChoice::Auto, Evidence::Proven, PlannedBlock{BlockKind::Hard, seconds(600)}},
        {BlockChoice::Auto, Evidence::Forgeable, PlannedBlock{BlockKind::Soft, seconds(120)}},
        {BlockChoice::Auto, Evidence::Doubtful, std::nullopt},
        {BlockChoice::Hard, Evidence::Proven, PlannedBlock{BlockKind::Hard, seconds(600)}},
        {BlockChoice::Hard, Evidence::Forgeable, PlannedBlock{BlockKind::Hard, seconds(120)}},
        {BlockChoice::Hard, Evidence::Doubtful, PlannedBlock{BlockKind::Hard, seconds(120)}},
        {BlockChoice::Soft, Evidence::Proven, PlannedBlock{BlockKind::Soft, seconds(600)}},
        {BlockChoice::Soft, Evidence::Forgeable, PlannedBlock{BlockKind::Soft, seconds(120)}},
        {BlockChoice::Soft, Evidence::Doubtful, PlannedBlock{BlockKind::Soft, seconds(120)}},
    };
    for (const Row& row : rows) {
        CAPTURE(base::word_of(row.block), base::word_of(row.evidence));
        ActiveResponseConfig response;
        response.timeout = seconds(600);
        response.forgeable_timeout = seconds(120);
        response.block = row.block;
        CHECK(planned_block(response, row.evidence) == row.due);
    }
    // As OSSEC's: one timeout, a hard block, whatever the evidence.
    ActiveResponseConfig published;
    for (const Evidence evidence : {Evidence::Proven, Evidence::Forgeable, Evidence::Doubtful}) {
        CHECK(planned_block(published, evidence) == PlannedBlock{BlockKind::Hard, seconds(0)});
    }
}
