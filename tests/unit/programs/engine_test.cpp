#include "programs/engine/engine.hpp"

#include <algorithm>
#include <filesystem>

#include "base/fd.hpp"
#include "programs/daemon_configuration.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace portcullis;
using test::append_to;

namespace {

// A home whose only rule asks about crawlers, and whose archive shows which lines were analysed.
struct Lab {
    Lab() {
        for (const char* name : {"etc", "rules", "logs/archives", "logs/alerts", "logs/firewall",
                                 "queue", "stats", "run", "active-response/bin"}) {
            std::filesystem::create_directories(folder / name);
        }
        append_to(folder / "etc/decoders.xml",
                  R"(<decoder name="none"><prematch>^none</prematch></decoder>)");
        append_to(folder / "rules/rules.xml",
                  R"(<group name="test,"><rule id="100100" level="3">
                     <compiled_rule>is_valid_crawler</compiled_rule></rule></group>)");
        append_to(folder / "log", "");
    }
    void configure(std::string_view verify_crawlers) const {
        std::filesystem::remove(folder / "etc/ossec.conf");
        append_to(folder / "etc/ossec.conf",
                  "<ossec_config><global><logall>yes</logall><verify_crawlers>" +
                      std::string(verify_crawlers) +
                      "</verify_crawlers></global><rules><decoder>etc/decoders.xml</decoder>"
                      "<include>rules.xml</include></rules><localfile><log_format>syslog"
                      "</log_format><location>log</location></localfile></ossec_config>");
    }
    std::size_t analysed_lines() const {
        const std::string text = base::read_file(folder / "logs/archives/archives.log").value();
        return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    }
    bool status_has(std::string_view text) const {
        const std::string status = base::read_file(folder / "queue/engine-status.json").value();
        INFO(status);
        CHECK(status.find(text) != std::string::npos);
        return true;
    }

    test::TemporaryFolder folder;
    base::EventLoop loop;
    base::Log log{"test"};
    base::SystemClock clock;
    programs::Home home{folder.path()};
};

}  // namespace

TEST_CASE("engine: a reload that switches verify_crawlers off does not set its counters to 0") {
    constexpr std::size_t kLines = 40;  // 32 questions a second are asked, the others are counted
    Lab lab;
    lab.configure("yes");
    base::Diagnostics diagnostics;
    auto configuration =
        programs::load_daemon_configuration(lab.home, lab.home.config(), diagnostics);
    INFO(base::render(diagnostics));
    REQUIRE(configuration != nullptr);
    programs::Engine engine(lab.loop, lab.log, lab.clock, lab.home,
                            {.config_path = lab.home.config(), .from_start = true},
                            std::move(configuration));
    for (std::size_t i = 1; i <= kLines; ++i) {
        append_to(lab.folder / "log", "198.51.100." + std::to_string(i) + " requests a page\n");
    }
    engine.start();
    for (int round = 0; round < 100 && lab.analysed_lines() < kLines; ++round) {
        lab.loop.run_once(std::chrono::milliseconds(20));
    }
    REQUIRE(lab.analysed_lines() == kLines);
    for (const char* verify_crawlers : {"no", "yes", "no"}) {
        lab.configure(verify_crawlers);
        engine.reload();
        lab.status_has("\"crawlers_not_asked\": 8,");
    }
}
