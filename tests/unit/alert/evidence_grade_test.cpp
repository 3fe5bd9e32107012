#include "engine/alert/evidence_grade.hpp"

using namespace portcullis;
using alert::grade_of;
using base::Evidence;

TEST_CASE("evidence_grade: notes of the sensor grade an event about packets, and no other") {
    struct Row {
        const char* group;
        const char* decoder;
        const char* parent;
        const char* status;  // nullptr = the field is not there
        std::optional<Evidence> due;
    };
    constexpr const char* kIplog = "syslog,errors,iplog,recon,";
    constexpr const char* kScan = "iplog-scan";
    const Row rows[] = {
        {kIplog, kScan, "iplog", "proven", Evidence::Proven},
        {kIplog, kScan, "iplog", "forgeable", Evidence::Forgeable},
        {kIplog, kScan, "iplog", "doubtful", Evidence::Doubtful},
        {kIplog, kScan, "iplog", "again, proven", Evidence::Proven},
        {kIplog, kScan, "iplog", "again,forgeable", Evidence::Forgeable},
        {kIplog, kScan, "iplog", "doubtful, asymmetric route", Evidence::Doubtful},
        {kIplog, kScan, "iplog", "again, doubtful, partial checksums", Evidence::Doubtful},
        // The first grade counts, and it outweighs other notes.
        {kIplog, kScan, "iplog", "forgeable, proven", Evidence::Forgeable},
        {kIplog, kScan, "iplog", "doubtful, proven", Evidence::Doubtful},
        {kIplog, kScan, "iplog", "proven, asymmetric route", Evidence::Proven},
        {kIplog, kScan, "iplog", "asymmetric route, proven", Evidence::Proven},
        // Sensors that wrote no grade yet, and iplog itself.
        {kIplog, kScan, "iplog", "asymmetric route", Evidence::Doubtful},
        {kIplog, kScan, "iplog", "again, asymmetric route", Evidence::Doubtful},
        {kIplog, kScan, "iplog", "partial checksums", Evidence::Doubtful},
        {kIplog, kScan, "iplog", "again", Evidence::Forgeable},
        {kIplog, kScan, "iplog", "", Evidence::Forgeable},
        {kIplog, kScan, "iplog", nullptr, Evidence::Forgeable},
        // Words alone count, as a whole.
        {kIplog, kScan, "iplog", "unproven", Evidence::Forgeable},
        {kIplog, kScan, "iplog", "not proven", Evidence::Forgeable},
        {kIplog, kScan, "iplog", "proven by nobody", Evidence::Forgeable},
        {kIplog, kScan, "iplog", "PROVEN", Evidence::Forgeable},
        {kIplog, kScan, "iplog", ",,proven", Evidence::Proven},
        {kIplog, kScan, "iplog", "  proven  ", Evidence::Proven},
        {kIplog, kScan, "iplog", "proven\xc2\xa0", Evidence::Forgeable},
        // A local rule without the group, and the published rules, whose group is not ours.
        {"local,", kScan, "iplog", nullptr, Evidence::Forgeable},
        {"local,", kScan, "iplog", "proven", Evidence::Proven},
        {"syslog,errors,", kScan, "", nullptr, Evidence::Forgeable},
        {"syslog,errors,", "iplog", "", nullptr, Evidence::Forgeable},
        {"local,", "my-scans", "iplog", nullptr, Evidence::Forgeable},
        // A decoder of one's own, with a rule of the group.
        {"iplog", "my-scans", "", nullptr, Evidence::Forgeable},
        {"local, iplog ,x", "my-scans", "", nullptr, Evidence::Forgeable},
        // Other logs, whatever they say.
        {"syslog,sshd,authentication_failed,", "sshd", "", nullptr, std::nullopt},
        {"syslog,sshd,authentication_failed,", "sshd", "", "doubtful", std::nullopt},
        {"web,accesslog,", "web-accesslog", "", "forgeable", std::nullopt},
        {"web,accesslog,", "web-accesslog", "", "404", std::nullopt},
        {"iplogs,", "iplogger", "", nullptr, std::nullopt},
        {"myiplog,", "", "", "proven", std::nullopt},
        {"", "", "", nullptr, std::nullopt},
    };
    for (const Row& row : rows) {
        CAPTURE(row.group, row.decoder, row.status == nullptr ? "(none)" : row.status);
        const auto status =
            row.status == nullptr ? std::nullopt : std::optional<std::string_view>(row.status);
        CHECK(grade_of({row.group, row.decoder, row.parent, status}) == row.due);
    }
}
