// Random rule sets and lines through the Analyzer, against a naive model of spec: rules, sections
// 4, 5, 7 and 9, that keeps all events and searches all of them for each event.
//
// Covered: if_matched_sid, _group and _regex, with every same_*, different_url and not_same_*;
// level 0, no_log, ignore times, <ignore> and <check_if_ignored>; composite rules below composite
// rules; histories of limited length; reloads in between.
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>

#include "engine/rules/rule.hpp"
#include "engine/rules/state_store.hpp"
#include "tests/support/analysis.hpp"

namespace portcullis {
namespace {

constexpr const char* kDecoders = R"(
<decoder name="gate"><program_name>^gate$</program_name></decoder>
<decoder name="gate-all"><parent>gate</parent><prematch>^A </prematch>
  <regex offset="after_prematch">^(\S+) (\S+) (\S+) (\S+) (\S+) (\S+) </regex>
  <order>id, srcip, srcport, dstport, user, url</order></decoder>
<decoder name="gate-some"><parent>gate</parent><prematch>^B </prematch>
  <regex offset="after_prematch">^(\S+) \S+ \S+ \S+ (\S+) (\S+) </regex>
  <order>id, user, url</order></decoder>
<decoder name="gate-few"><parent>gate</parent><prematch>^C </prematch>
  <regex offset="after_prematch">^\S+ (\S+) \S+ (\S+) \S+ \S+ </regex>
  <order>srcip, dstport</order></decoder>
<decoder name="watch"><program_name>^watch$</program_name><type>ids</type>
  <prematch>^A </prematch>
  <regex offset="after_prematch">^(\S+) (\S+) (\S+) (\S+) (\S+) (\S+) </regex>
  <order>id, srcip, srcport, dstport, user, url</order></decoder>)";

// The columns of a line, in its order; which of them are decoded depends on its first letter.
enum Column : std::size_t { kId, kSrcIp, kSrcPort, kDstPort, kUser, kUrl, kColumns };

using Fields = std::array<std::optional<std::string>, kColumns>;

struct Line {
    std::string text;
    std::string log;
    std::string host;
    std::string type;  // syslog or ids
    Fields fields;
    int second = 0;
};

enum class Kind { Plain, Sid, Group, Regex };

struct ModelRule {
    int id = 0;
    int level = 0;
    Kind kind = Kind::Plain;
    std::string word;    // of <match>; of a Sid or Group rule empty
    std::string group;   // without "test,"
    std::string wanted;  // the group or the regex of the history
    int sid = 0;
    int frequency = 0;
    int timeframe = 0;
    std::set<std::string> same;       // as in the XML
    std::set<std::string> cancelled;  // not_same_*
    bool different_url = false;
    std::string type = "syslog";
    int silence = 0;
    bool no_log = false;
    bool ignores = false;
    bool checks_ignored = false;

    std::string xml() const {
        std::string text =
            "<rule id=\"" + std::to_string(id) + "\" level=\"" + std::to_string(level) + "\"";
        if (silence > 0) {
            text += " ignore=\"" + std::to_string(silence) + "\"";
        }
        if (kind != Kind::Plain) {
            text += " frequency=\"" + std::to_string(frequency) + "\" timeframe=\"" +
                    std::to_string(timeframe) + "\"";
        }
        text += "><group>" + group + "</group>";
        text += type == "ids" ? "<category>ids</category>" : "";
        text += word.empty() ? "" : "<match>" + word + "</match>";
        text +=
            kind == Kind::Sid ? "<if_matched_sid>" + std::to_string(sid) + "</if_matched_sid>" : "";
        text += kind == Kind::Group ? "<if_matched_group>" + wanted + "</if_matched_group>" : "";
        text += kind == Kind::Regex ? "<if_matched_regex>" + wanted + "</if_matched_regex>" : "";
        for (const std::string& field : same) {
            text += "<same_" + field + " />";
        }
        for (const std::string& field : cancelled) {
            text += "<not_same_" + field + " />";
        }
        text += different_url ? "<different_url />" : "";
        text += no_log ? "<options>no_log</options>" : "";
        text += ignores ? "<ignore>srcip</ignore>" : "";
        text += checks_ignored ? "<check_if_ignored>srcip</check_if_ignored>" : "";
        return text + "</rule>";
    }
};

struct Decision {
    int rule = 0;
    bool is_ignored = false;
    bool is_logged = false;
    std::vector<std::string> previous;
    bool operator==(const Decision&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Decision& decision) {
    out << "rule " << decision.rule << (decision.is_ignored ? " ignored" : "")
        << (decision.is_logged ? " logged" : "");
    for (const std::string& line : decision.previous) {
        out << "\n  " << line;
    }
    return out;
}

class Model {
  public:
    Model(std::vector<ModelRule> rules, std::size_t sid_history)
        : rules_(std::move(rules)), sid_history_(sid_history) {
        for (std::size_t rule = 0; rule < rules_.size(); ++rule) {
            place(rule);
        }
    }

    Decision process(const Line& line) {
        mark_ = 0;
        previous_.clear();
        std::optional<std::size_t> result;
        for (const Node& node : roots_[line.type]) {
            result = result ? result : descend(node, line);
        }
        if (!result) {
            return {};
        }
        const ModelRule& rule = rules_[*result];
        Decision decision{rule.id, false, false, previous_};
        if (rule.level == 0) {
            return decision;
        }
        const std::string key = line.fields[kSrcIp].value_or("");
        decision.is_ignored = !admit_and_silence(rule, line.second) ||
                              (rule.checks_ignored && ignored_.count(key) > 0);
        if (decision.is_ignored) {
            return decision;
        }
        if (rule.ignores) {
            ignored_.insert(key);
        }
        decision.is_logged = !rule.no_log;
        past_.push_back({line, *result, mark_});
        return decision;
    }

  private:
    struct Node {
        std::size_t rule;
        std::vector<Node> children;
    };
    struct Past {
        Line line;
        std::size_t rule;
        int matched;
    };

    int order_of(std::size_t rule) const {
        return rules_[rule].level == 0 ? 99 : rules_[rule].level;
    }
    void insert(std::vector<Node>& siblings, std::size_t rule) {
        siblings.push_back({rule, {}});
        std::stable_sort(siblings.begin(), siblings.end(), [this](const Node& a, const Node& b) {
            return order_of(a.rule) > order_of(b.rule);
        });
    }
    template <class IsParent>
    void insert_below(std::vector<Node>& siblings, std::size_t rule, IsParent is_parent) {
        for (Node& node : siblings) {
            insert_below(node.children, rule, is_parent);
            if (is_parent(rules_[node.rule])) {
                insert(node.children, rule);
            }
        }
    }
    void place(std::size_t rule) {
        const ModelRule& placed = rules_[rule];
        for (auto& [type, roots] : roots_) {
            if (placed.kind == Kind::Sid) {
                insert_below(roots, rule,
                             [&](const ModelRule& parent) { return parent.id == placed.sid; });
            } else if (placed.kind == Kind::Group) {
                insert_below(roots, rule, [&](const ModelRule& parent) {
                    return parent.id != placed.id &&
                           parent.group.find(placed.wanted) != std::string::npos;
                });
            } else if (placed.type == type) {
                insert(roots, rule);
            }
        }
    }

    std::optional<std::size_t> descend(const Node& node, const Line& line) {
        const ModelRule& rule = rules_[node.rule];
        if (line.log.find(rule.word) == std::string::npos ||
            (rule.kind != Kind::Plain && !fires(node.rule, line))) {
            return std::nullopt;
        }
        for (const Node& child : node.children) {
            if (const auto result = descend(child, line)) {
                return result;
            }
        }
        return node.rule;
    }

    bool is_in_history(const Past& past, std::size_t composite) const {
        const ModelRule& rule = rules_[composite];
        const ModelRule& of_the_past = rules_[past.rule];
        if (rule.kind == Kind::Regex) {
            return true;
        }
        if (rule.kind == Kind::Sid) {
            return of_the_past.id == rule.sid;
        }
        const bool is_target =
            std::any_of(rules_.begin(), rules_.end(), [&](const ModelRule& other) {
                return other.kind == Kind::Sid && other.sid == of_the_past.id;
            });
        return past.rule <= composite && !is_target &&
               of_the_past.group.find(rule.wanted) != std::string::npos;
    }

    bool fires(std::size_t composite, const Line& line) {
        const ModelRule& rule = rules_[composite];
        std::vector<Past*> history;  // the newest first
        for (auto past = past_.rbegin(); past != past_.rend(); ++past) {
            if (is_in_history(*past, composite)) {
                history.push_back(&*past);
            }
        }
        if (rule.kind == Kind::Sid) {
            history.resize(std::min(history.size(), sid_history_));
        }
        const auto end = std::find_if(history.begin(), history.end(), [&](const Past* past) {
            return line.second - past->line.second > rule.timeframe || past->matched >= rule.level;
        });
        std::vector<Past*> counted;
        std::copy_if(history.begin(), end, std::back_inserter(counted),
                     [&](const Past* past) { return counts(rule, line, past->line); });
        const auto wanted = static_cast<std::size_t>(rule.frequency) + 1;
        if (counted.size() < wanted) {
            return false;
        }
        mark_ = rule.level;
        counted[wanted - 1]->matched = rule.level;
        history.front()->matched = rule.level;
        previous_.clear();
        for (std::size_t i = 0; i < wanted - (rule.kind == Kind::Sid ? 0 : 1) && i < 11; ++i) {
            previous_.push_back(counted[i]->line.text);
        }
        return true;
    }

    static bool counts(const ModelRule& rule, const Line& now, const Line& then) {
        const bool is_regex = rule.kind == Kind::Regex;
        if (is_regex &&
            (now.type != then.type || then.log.find(rule.wanted) == std::string::npos)) {
            return false;
        }
        const auto demands = [&](const std::string& name) {
            return rule.same.count(name) > 0 && rule.cancelled.count(name) == 0;
        };
        const auto differ = [&](Column column) {
            return !now.fields[column] || now.fields[column] != then.fields[column];
        };
        if ((demands("id") && differ(kId)) || (demands("source_ip") && differ(kSrcIp)) ||
            (demands("user") && differ(kUser))) {
            return false;
        }
        if (!is_regex && ((demands("src_port") && differ(kSrcPort)) ||
                          (demands("dst_port") && differ(kDstPort)) ||
                          (rule.same.count("location") > 0 && rule.cancelled.count("agent") == 0 &&
                           now.host != then.host))) {
            return false;
        }
        return !rule.different_url ||
               (now.fields[kUrl] && then.fields[kUrl] && *now.fields[kUrl] != *then.fields[kUrl]);
    }

    bool admit_and_silence(const ModelRule& rule, int second) {
        if (rule.silence == 0) {
            return true;
        }
        const auto [since, is_first] = silent_since_.emplace(rule.id, second);
        if (!is_first && second - since->second < rule.silence) {
            return false;
        }
        since->second = second;
        return true;
    }

    std::vector<ModelRule> rules_;
    std::size_t sid_history_;
    std::map<std::string, std::vector<Node>> roots_{{"syslog", {}}, {"ids", {}}};
    std::vector<Past> past_;
    std::map<int, int> silent_since_;
    std::set<std::string> ignored_;
    int mark_ = 0;
    std::vector<std::string> previous_;
};

class Generator {
  public:
    explicit Generator(unsigned seed) : random_(seed) {}

    int draw(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
    bool chance(int percent) { return draw(1, 100) <= percent; }
    template <class T>
    const T& pick(const std::vector<T>& from) {
        return from[static_cast<std::size_t>(draw(0, static_cast<int>(from.size()) - 1))];
    }

    std::vector<ModelRule> rules() {
        std::vector<ModelRule> rules;
        const int plain = draw(2, 4);
        for (int i = 0; i < plain; ++i) {
            ModelRule rule;
            rule.id = 100 + i;
            rule.level = chance(15) ? 0 : draw(2, 5);
            rule.word = "word" + std::to_string(i);
            rule.group = pick(kGroups);
            rule.type = chance(20) ? "ids" : "syslog";
            rule.silence = chance(15) ? draw(1, 20) : 0;
            rule.no_log = chance(15);
            rule.ignores = chance(5);
            rule.checks_ignored = chance(20);
            rules.push_back(rule);
        }
        const int composites = draw(1, 5);
        for (int i = 0; i < composites; ++i) {
            rules.push_back(composite(200 + i, rules));
        }
        return rules;
    }

    Line line(int second) {
        Line line;
        line.second = second;
        line.host = pick(kHosts);
        const bool is_ids = chance(15);
        line.type = is_ids ? "ids" : "syslog";
        const char shape = is_ids ? 'A' : pick(kShapes);
        Fields columns{pick(kShort), "10.0.0." + pick(kShort), pick(kShort),
                       pick(kShort), "user" + pick(kShort),    "/" + pick(kShort)};
        line.log = std::string(1, shape) + " ";
        for (const auto& column : columns) {
            line.log += *column + " ";
        }
        line.log += "word" + std::to_string(draw(0, 3));
        line.text = "Nov 14 18:09:12 " + line.host + (is_ids ? " watch: " : " gate: ") + line.log;
        static const std::map<char, std::vector<Column>> kDecoded{
            {'A', {kId, kSrcIp, kSrcPort, kDstPort, kUser, kUrl}},
            {'B', {kId, kUser, kUrl}},
            {'C', {kSrcIp, kDstPort}}};
        for (const Column column : kDecoded.at(shape)) {
            line.fields[column] = columns[column];
        }
        return line;
    }

  private:
    ModelRule composite(int id, const std::vector<ModelRule>& before) {
        ModelRule rule;
        rule.id = id;
        rule.level = draw(4, 9);
        rule.frequency = draw(0, 3) == 0 ? draw(8, 14) : draw(0, 3);
        rule.timeframe = draw(1, 60);
        rule.group = pick(kGroups);
        rule.no_log = chance(10);
        rule.silence = chance(10) ? draw(1, 20) : 0;
        const ModelRule& earlier = pick(before);
        switch (draw(0, 2)) {
            case 0:
                rule.kind = Kind::Sid;
                rule.sid = earlier.id;
                break;
            case 1:
                rule.kind = Kind::Group;
                rule.wanted = earlier.group.substr(0, earlier.group.size() - 1);
                break;
            default:
                rule.kind = Kind::Regex;
                rule.word = chance(50) ? "word" + std::to_string(draw(0, 3)) : "word";
                rule.wanted = "word" + std::to_string(draw(0, 3));
                rule.type = chance(20) ? "ids" : "syslog";
        }
        for (const char* field : {"source_ip", "src_port", "dst_port", "user", "location", "id"}) {
            if (chance(15)) {
                rule.same.insert(field);
            }
        }
        for (const char* field : {"source_ip", "user", "agent", "id"}) {
            if (chance(8)) {
                rule.cancelled.insert(field);
            }
        }
        rule.different_url = chance(15);
        return rule;
    }

    inline static const std::vector<std::string> kGroups{"alpha,", "beta,", "gamma,"};
    inline static const std::vector<std::string> kHosts{"east", "west"};
    inline static const std::vector<char> kShapes{'A', 'A', 'A', 'B', 'C'};
    inline static const std::vector<std::string> kShort{"1", "2", "2"};
    std::mt19937 random_;
};

std::shared_ptr<const pipeline::AnalyzerConfig> load(const std::vector<ModelRule>& rules) {
    std::string text = "<group name=\"test,\">";
    for (const ModelRule& rule : rules) {
        text += rule.xml();
    }
    text += "</group>";
    base::Diagnostics diagnostics;
    auto made =
        test::make_analysis({{"decoders.xml", kDecoders}}, {{"rules.xml", text}}, diagnostics);
    INFO(text << "\n" << base::render(diagnostics));
    REQUIRE(made != nullptr);
    return made;
}

Decision decide(const pipeline::Outcome& outcome) {
    Decision decision;
    decision.rule = outcome.rule == nullptr ? 0 : outcome.rule->id;
    decision.is_ignored = outcome.ignored;
    decision.is_logged = outcome.is_logged();
    if (outcome.alert) {
        decision.previous = outcome.alert->previous_lines;
    }
    return decision;
}

// Counts of results, to check that the generated lines exercise every kind of rule.
struct Seen {
    std::map<Kind, int> results;
    int ignored = 0;
};

void compare(unsigned seed, int lines, Seen& seen) {
    CAPTURE(seed);
    Generator generate(seed);
    const std::vector<ModelRule> rules = generate.rules();
    pipeline::AnalyzerOptions options;
    options.record_ignored = true;
    options.rearm_ignore_after_alert = true;
    options.limits.sid_history = generate.chance(30) ? 16 : 128;
    rules::MemoryStateStore store;
    pipeline::Analyzer analyzer(load(rules), options, store);
    Model model(rules, options.limits.sid_history);
    int second = 1'000'000;
    base::Timestamp now{};
    for (int step = 0; step < lines; ++step) {
        second += generate.chance(60) ? generate.draw(0, 2) : generate.draw(0, 20);
        if (generate.chance(1)) {
            analyzer.replace(load(rules));
        }
        const Line line = generate.line(second);
        now = std::max(now, base::Timestamp(std::chrono::milliseconds(std::int64_t{second} * 1'000 +
                                                                      generate.draw(0, 999))));
        Decision expected = model.process(line);
        const pipeline::Outcome& outcome = analyzer.process(line.text, "test", now);
        if (!outcome.alert) {
            expected.previous.clear();
        }
        CAPTURE(step, second, line.text);
        REQUIRE(decide(outcome) == expected);
        seen.ignored += expected.is_ignored ? 1 : 0;
        for (const ModelRule& rule : rules) {
            seen.results[rule.kind] += rule.id == expected.rule ? 1 : 0;
        }
    }
}

TEST_CASE("composite: random rules decide random lines as a naive model of the whole past does") {
    Seen seen;
    for (unsigned seed = 1; seed <= 150; ++seed) {
        compare(seed, 300, seen);
    }
    for (const auto& [kind, count] : seen.results) {
        CAPTURE(static_cast<int>(kind));
        CHECK(count > 200);
    }
    CHECK(seen.ignored > 300);
}

// Lines that are prepared in batches, each batch backwards, with a reload in between at times.
void compare_batches(unsigned seed, int batches) {
    CAPTURE(seed);
    Generator generate(seed);
    const std::vector<ModelRule> rules = generate.rules();
    pipeline::AnalyzerOptions options;
    options.record_ignored = true;
    options.rearm_ignore_after_alert = true;
    rules::MemoryStateStore store;
    rules::MemoryStateStore store_of_batches;
    pipeline::Analyzer one_by_one(load(rules), options, store);
    pipeline::Analyzer in_batches(load(rules), options, store_of_batches);
    int second = 1'000'000;
    for (int batch = 0; batch < batches; ++batch) {
        std::vector<Line> lines;
        std::vector<base::Timestamp> times;
        for (int left = generate.draw(1, 8); left > 0; --left) {
            second += generate.draw(0, 2);
            lines.push_back(generate.line(second));
            times.emplace_back(std::chrono::seconds(second));
        }
        std::vector<pipeline::PreparedLine> prepared(lines.size());
        for (std::size_t i = lines.size(); i-- > 0;) {
            in_batches.prepare(lines[i].text, "test", times[i], prepared[i]);
        }
        if (generate.chance(5)) {
            in_batches.replace(load(rules));
        }
        for (std::size_t i = 0; i < lines.size(); ++i) {
            CAPTURE(batch, lines[i].text);
            const Decision expected = decide(one_by_one.process(lines[i].text, "test", times[i]));
            REQUIRE(decide(in_batches.commit(prepared[i])) == expected);
        }
    }
}

TEST_CASE("composite: lines prepared in any order and committed in order are decided the same") {
    for (unsigned seed = 1; seed <= 40; ++seed) {
        compare_batches(seed, 60);
    }
}

}  // namespace
}  // namespace portcullis
