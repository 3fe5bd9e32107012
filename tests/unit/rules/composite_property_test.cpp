// Composite rules against a naive model that looks at the whole past for every event.
#include <algorithm>
#include <random>

#include "tests/unit/rules/rules_fixture.hpp"

namespace portcullis::rules {
namespace {

using event::FieldId;

struct CompositeRow {
    int id;
    int level;
    int frequency;
    int timeframe;
    bool same_source_ip;
};

// Two composite rules over rule 10; the one of the higher level is tried first.
struct Scenario {
    CompositeRow high;
    CompositeRow low;

    std::string xml() const {
        std::string text = R"(<rule id="10" level="3"><match>denied</match></rule>)";
        for (const CompositeRow& row : {high, low}) {
            text += "<rule id=\"" + std::to_string(row.id) + "\" level=\"" +
                    std::to_string(row.level) + "\" frequency=\"" + std::to_string(row.frequency) +
                    "\" timeframe=\"" + std::to_string(row.timeframe) +
                    "\"><if_matched_sid>10</if_matched_sid>" +
                    (row.same_source_ip ? "<same_source_ip />" : "") + "</rule>";
        }
        return text;
    }
};

// An event counts for a composite rule of level L if its result was rule 10, it is among the newest
// 128 of those, not older than the timeframe, shares the address if that is asked for, and no event
// from it on was used up by a firing of level L or more. A firing uses up all events so far.
class NaiveModel {
  public:
    explicit NaiveModel(const Scenario& scenario) : scenario_(scenario) {}

    int process(int second, const std::string& address) {
        for (const CompositeRow& row : {scenario_.high, scenario_.low}) {
            std::size_t count = 0;
            for (std::size_t i = 0; i < past_.size(); ++i) {
                const bool is_used_up = std::any_of(
                    past_.begin() + static_cast<std::ptrdiff_t>(i), past_.end(),
                    [&](const Past& later) { return later.used_by_level >= row.level; });
                const bool is_remembered = past_.size() - i <= CorrelatorLimits{}.sid_history;
                const bool is_recent = second - past_[i].second <= row.timeframe;
                const bool is_alike = !row.same_source_ip || past_[i].address == address;
                count += is_remembered && is_recent && is_alike && !is_used_up ? 1 : 0;
            }
            if (count >= static_cast<std::size_t>(row.frequency) + 1) {
                past_.back().used_by_level = std::max(past_.back().used_by_level, row.level);
                return row.id;
            }
        }
        past_.push_back({second, address, 0});
        return 10;
    }

  private:
    struct Past {
        int second;
        std::string address;
        int used_by_level;
    };
    Scenario scenario_;
    std::vector<Past> past_;
};

TEST_CASE("composite: random sequences are decided as a naive model of the whole past does") {
    const std::vector<std::string> addresses{"192.0.2.1", "192.0.2.2", "2001:db8::1"};
    for (unsigned seed = 1; seed <= 60; ++seed) {
        CAPTURE(seed);
        std::mt19937 random(seed);
        const auto draw = [&](int low, int high) {
            return std::uniform_int_distribution<int>(low, high)(random);
        };
        const Scenario scenario{{20, draw(8, 10), draw(0, 6), draw(1, 60), draw(0, 1) == 1},
                                {30, draw(4, 7), draw(0, 6), draw(1, 60), draw(0, 1) == 1}};
        Engine engine(load_group(scenario.xml()));
        NaiveModel model(scenario);
        int second = 0;
        for (int step = 0; step < 300; ++step) {
            second += draw(0, 9) < 6 ? draw(0, 3) : draw(0, 30);
            const std::string& address = addresses[static_cast<std::size_t>(draw(0, 2))];
            if (draw(0, 49) == 0) {  // a reload forgets nothing
                engine.replace(load_group(scenario.xml()));
            }
            CAPTURE(step, second, address);
            const int expected = model.process(second, address);
            REQUIRE(engine.process({.fields = {{FieldId::SrcIp, address}}, .second = second}) ==
                    expected);
        }
    }
}

}  // namespace
}  // namespace portcullis::rules
