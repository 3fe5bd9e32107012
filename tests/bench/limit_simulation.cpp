// limit_simulation: forged scans beside a real one, against execd's limits as shipped.
//
// Forged scans come from t = 0 on at a steady rate, each from an address of its own. The real scan
// is reported at t = 20 s and every 10 s after that. Prints a table (docs/responding-safely.md):
// the time until the real scanner is blocked, the number of forged addresses that are blocked, and
// for how long. The clock is simulated, and nothing depends on chance.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/execd/executor.hpp"

using namespace portcullis;
using namespace portcullis::execd;
using base::Evidence;
using base::Timestamp;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr seconds kLength{60};
constexpr seconds kRealBegins{20};
constexpr seconds kAgain{10};
constexpr const char* kReal = "192.0.2.1";

struct Case {
    int forged_per_second;
    bool is_forged_again;
    Evidence real;
};

class NobodyIsProtected final : public Protection {
  public:
    std::optional<std::string> reason_to_spare(const base::Cidr&) override { return {}; }
    std::optional<std::string> standing_reason(const base::Cidr&) override { return {}; }
};

class NoRecords final : public RecordSink {
  public:
    void write(const Record&) override {}
};

class NoLog final : public base::Log {
  public:
    NoLog() : base::Log("simulation") {}
    void write(base::LogLevel, std::string_view) override {}
};

// A firewall that obeys at once.
class Firewall final : public Runner {
  public:
    struct Block {
        Timestamp begin;
        Timestamp end;
    };
    void run(const Job& job, std::function<void(const JobResult&)> on_done) override {
        if (job.action == Action::Add) {
            Block& block = blocks.try_emplace(job.address, Block{now, now}).first->second;
            has_gap =
                has_gap || (job.address == kReal && block.end < now && block.end != block.begin);
            block.end = std::max(block.end, now + job.timeout);
        }
        on_done({});
    }
    Timestamp now;
    std::map<std::string, Block> blocks;
    bool has_gap = false;
};

struct Figures {
    std::optional<double> real_after;  // seconds
    bool stays_blocked = false;
    std::size_t innocents = 0;
    std::size_t most_at_once = 0;
    double median = 0;
    double longest = 0;
};

double in_seconds(std::chrono::nanoseconds time) {
    return std::chrono::duration<double>(time).count();
}

Figures simulate(const Case& now_tried, const std::string& folder) {
    ExecdConfig config;  // max_bans_per_minute as shipped
    config.commands = {{"firewall-drop", "firewall-drop", true, false, false, true}};
    config.bindings = {{"firewall-drop", seconds(600), base::BlockChoice::Auto, seconds(120)}};
    std::filesystem::remove_all(folder);
    JournalState state;
    auto journal = Journal::open(folder, state);
    if (!journal) {
        std::exit(1);
    }
    Firewall firewall;
    NobodyIsProtected protection;
    NoRecords records;
    NoLog log;
    Executor executor(config, {}, *journal, firewall, protection, records, log);
    executor.set_report_seed(1);

    const Timestamp begin(seconds(1'700'000'000));
    const auto report = [&](const std::string& address, Evidence evidence, Timestamp now) {
        base::RespondRequest request;
        request.command = "firewall-drop";
        request.timeout = seconds(600);
        request.srcip = address;
        request.rule_id = 99990;
        request.evidence = evidence;
        request.block = base::BlockChoice::Auto;
        request.forgeable_timeout = seconds(120);
        executor.respond(request, now);
    };
    const auto forged = [](int number) {
        return fmt::format("10.{}.{}.{}", number >> 16, (number >> 8) & 255, number & 255);
    };
    int last_forged = 0;
    const auto steps = kLength / milliseconds(100);
    for (int step = 0; step < steps; ++step) {
        const Timestamp now = begin + milliseconds(100) * step;
        firewall.now = now;
        executor.tick(now);
        const int count = now_tried.forged_per_second / 10;
        for (int i = 0; i < count; ++i) {
            report(forged(++last_forged), Evidence::Forgeable, now);
        }
        const int steps_until_again = static_cast<int>(kAgain / milliseconds(100));
        if (now_tried.is_forged_again) {
            for (int age = steps_until_again; age <= step; age += steps_until_again) {
                for (int i = 1; i <= count; ++i) {
                    report(forged((step - age) * count + i), Evidence::Forgeable, now);
                }
            }
        }
        const auto since = now - begin - kRealBegins;
        if (since >= seconds(0) && since % kAgain == seconds(0)) {
            report(kReal, now_tried.real, now);
        }
    }

    Figures figures;
    std::vector<double> times;
    const Timestamp end = begin + kLength;
    std::map<Timestamp, int> changes;
    for (const auto& [address, block] : firewall.blocks) {
        if (address == kReal) {
            figures.real_after = in_seconds(block.begin - begin - kRealBegins);
            figures.stays_blocked = !firewall.has_gap && block.end >= end;
            continue;
        }
        times.push_back(in_seconds(block.end - block.begin));
        ++changes[block.begin];
        --changes[block.end];
    }
    figures.innocents = times.size();
    int at_once = 0;
    for (const auto& [when, by] : changes) {
        at_once += by;
        figures.most_at_once = std::max(figures.most_at_once, static_cast<std::size_t>(at_once));
    }
    if (!times.empty()) {
        std::sort(times.begin(), times.end());
        figures.median = times[times.size() / 2];
        figures.longest = times.back();
    }
    return figures;
}

}  // namespace

int main() {
    const std::string folder =
        std::filesystem::temp_directory_path() / fmt::format("limit-simulation-{}", ::getpid());
    fmt::print(
        "| forged scans | each is | evidence of the real one | real one blocked after | innocents "
        "blocked in a minute | at most at once | for (median, longest) |\n"
        "|---|---|---|---|---|---|---|\n");
    const Case cases[] = {
        {10, false, Evidence::Proven},     {100, false, Evidence::Proven},
        {10'000, false, Evidence::Proven}, {10, false, Evidence::Forgeable},
        {100, false, Evidence::Forgeable}, {10'000, false, Evidence::Forgeable},
        {10, true, Evidence::Forgeable},   {100, true, Evidence::Forgeable},
    };
    for (const auto& each : cases) {
        const auto figures = simulate(each, folder);
        const std::string after = !figures.real_after
                                      ? "not within 40 s"
                                      : fmt::format("{:.0f} s{}", *figures.real_after,
                                                    figures.stays_blocked ? "" : ", with gaps");
        fmt::print("| {} a second | {} | {} | {} | {} | {} | {:.0f} s, {:.0f} s |\n",
                   each.forged_per_second,
                   each.is_forged_again ? "repeated every 10 s" : "seen once",
                   base::word_of(each.real), after, figures.innocents, figures.most_at_once,
                   figures.median, figures.longest);
    }
    std::filesystem::remove_all(folder);
    return 0;
}
