// Runs one golden file: log lines in, the phases of logtest out.
//
//   golden_runner FILE PROJECT
//
//   # description: what the file shows       header, up to the first line of another kind
//   # trace: yes                             with the rule trace of -v
//   @ +10                                    ten seconds pass
//   > Nov 14 18:09:12 TCP: SYN scan …        a line; what logtest says follows, then the responses
//
// The home is the folder `home` beside the file, else the project itself with its shipped
// configuration. The file must be what the run gives; UPDATE_GOLDEN=1 rewrites it.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include <fmt/format.h>

#include "engine/app/configuration.hpp"
#include "engine/app/logtest_output.hpp"
#include "engine/base/diagnostic.hpp"
#include "engine/pipeline/analyzer.hpp"
#include "engine/rules/state_store.hpp"
#include "tests/support/fake_clock.hpp"

namespace {

using namespace portcullis;
namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::string shown(const pipeline::Outcome& outcome, const rules::Trace* trace,
                  const app::Configuration& configuration) {
    std::string text = app::logtest_text(outcome, trace);
    text.erase(0, text.find_first_not_of('\n'));
    text.erase(text.find_last_not_of('\n') + 1);
    text += '\n';
    for (const std::size_t index : outcome.responses) {
        const auto& response = configuration.engine.active_responses[index];
        text +=
            fmt::format("**Response: {} for {} s\n", response.command, response.timeout.count());
    }
    return text;
}

// The golden text that the inputs in `golden` give.
std::string run(const std::string& golden, const app::Configuration& configuration,
                const std::shared_ptr<const pipeline::Configuration>& analysis) {
    rules::MemoryStateStore store;
    pipeline::AnalyzerOptions options;
    options.local_hostname = "localhost";
    pipeline::Analyzer analyzer(analysis, options, store);
    test::FakeClock clock;
    rules::Trace trace;
    bool is_header = true;
    bool is_traced = false;
    std::string got;
    std::istringstream in(golden);
    for (std::string line; std::getline(in, line);) {
        if (is_header && line.starts_with("# ")) {
            is_traced |= line == "# trace: yes";
            got += line + "\n";
        } else if (line.starts_with("@ +")) {
            clock.advance(std::chrono::seconds(std::atoi(line.c_str() + 3)));
            got += "\n" + line + "\n";
        } else if (line.starts_with("> ")) {
            is_header = false;
            const auto& outcome = analyzer.process(std::string_view(line).substr(2), "stdin",
                                                   clock.now(), is_traced ? &trace : nullptr);
            got += "\n" + line + "\n" + shown(outcome, is_traced ? &trace : nullptr, configuration);
        }
    }
    return got;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fputs("usage: golden_runner FILE PROJECT\n", stderr);
        return 2;
    }
    const fs::path file = argv[1];
    const fs::path own_home = file.parent_path() / "home";
    const app::Home home(fs::exists(own_home) ? own_home.string() : argv[2]);
    base::Diagnostics diagnostics;
    const auto configuration = app::load_configuration(home, home.config(), diagnostics);
    std::fputs(base::render(diagnostics).c_str(), stderr);
    if (configuration == nullptr) {
        return 1;
    }
    const std::string golden = read_file(file);
    const std::string got =
        run(golden, *configuration, app::Configuration::analysis_of(configuration));
    if (golden.find("# description: ") != 0 || got.find("\n> ") == std::string::npos) {
        std::fputs("a golden file begins with \"# description: \" and has lines to analyse\n",
                   stderr);
        return 1;
    }
    if (got == golden) {
        return 0;
    }
    if (std::getenv("UPDATE_GOLDEN") != nullptr) {
        std::ofstream(file, std::ios::binary) << got;
        return 0;
    }
    std::fprintf(stderr, "%s differs; it should be:\n%s", file.c_str(), got.c_str());
    return 1;
}
