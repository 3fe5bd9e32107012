#include "engine/pattern/backtracking.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/pattern/pattern_shape.hpp"
#include "engine/pattern/step_counter.hpp"

namespace portcullis::pattern {
namespace {

using Kind = ShapeNode::Kind;

// Short lines first: a pattern that needs only a few steps for each pair of bytes is not measured
// further, so that a thousand harmless patterns take little time.
constexpr std::size_t kScreenRepeats = 48;
// The worst attacks of one pattern are measured in full.
constexpr std::size_t kMaxSuspects = 4;
constexpr std::uint32_t kScreenSteps = 60'000;
// Attacks on one pattern; further ones are not tried.
constexpr std::size_t kMaxAttacks = 600;
constexpr std::size_t kMaxPumpBytes = 8;
constexpr std::size_t kMaxLiteralPumps = 4;

// A line is prefix + pump * n + tail.
struct Attack {
    std::string prefix;
    std::string pump;
    std::string tail;
    std::size_t repeat = 0;  // the node that is pumped

    std::string line(std::size_t repeats) const {
        std::string out = prefix;
        for (std::size_t i = 0; i < repeats; ++i) {
            out += pump;
        }
        return out + tail;
    }
};

class AttackMaker {
  public:
    explicit AttackMaker(const PatternShape& shape) : shape_(shape) {
        for (std::size_t i = 0; i < shape.size(); ++i) {
            const ShapeNode& node = shape.node(i);
            if (node.kind == Kind::Bytes && node.bytes.count() == 1) {
                literals_ |= node.bytes;
            }
            if (is_pumped(node)) {
                ByteSet bytes;
                collect_bytes(i, bytes);
                for (std::size_t byte = 0; byte < bytes.size(); ++byte) {
                    takers_[byte] += bytes.test(byte) ? 1 + (has_choice(i) ? 1 : 0) : 0;
                }
            }
        }
    }

    std::vector<Attack> make() {
        visit(shape_.root(), {}, {});
        return std::move(attacks_);
    }

  private:
    void visit(std::size_t index, const std::string& before, const std::string& behind);
    void attack(std::size_t repeat, const std::string& before, const std::string& behind);
    std::vector<std::string> pumps_of(std::size_t repeat, const std::string& behind) const;
    void add_choices(std::size_t index, const std::function<void(const std::string&)>& add) const;
    void collect_bytes(std::size_t index, ByteSet& bytes) const;

    static bool is_pumped(const ShapeNode& node) {
        return node.kind == Kind::Repeat && node.most == ShapeNode::kUnlimited && !node.is_atomic;
    }
    bool has_choice(std::size_t index) const {
        const ShapeNode& node = shape_.node(index);
        return node.kind == Kind::Alternation ||
               std::any_of(node.children.begin(), node.children.end(),
                           [&](std::size_t child) { return has_choice(child); });
    }
    // One repeated part alone makes the steps grow with the square of the line at most: each start
    // times each end. It takes two that can take the same text, or one with alternatives that can.
    bool is_contested(char byte) const { return takers_[static_cast<unsigned char>(byte)] >= 2; }

    const PatternShape& shape_;
    ByteSet literals_;               // bytes that the pattern names
    std::array<int, 256> takers_{};  // how many repeated parts can take each byte
    std::vector<Attack> attacks_;
    std::set<std::string> seen_;
};

void AttackMaker::visit(std::size_t index, const std::string& before, const std::string& behind) {
    const ShapeNode& node = shape_.node(index);
    if (attacks_.size() >= kMaxAttacks) {
        return;
    }
    if (node.kind == Kind::Sequence) {
        std::vector<std::string> examples;
        for (const std::size_t child : node.children) {
            examples.push_back(shape_.example_of(child));
        }
        std::string rest = behind;
        std::vector<std::string> rests(examples.size());
        for (std::size_t i = examples.size(); i-- > 0;) {
            rests[i] = rest;
            rest.insert(0, examples[i]);
            rest.resize(std::min(rest.size(), kMaxAttackBytes / 4));
        }
        std::string first = before;
        for (std::size_t i = 0; i < examples.size(); ++i) {
            visit(node.children[i], first, rests[i]);
            first += examples[i];
        }
        return;
    }
    if (is_pumped(node)) {
        attack(index, before, behind);
    }
    for (const std::size_t child : node.children) {
        visit(child, before, behind);
    }
}

void AttackMaker::collect_bytes(std::size_t index, ByteSet& bytes) const {
    const ShapeNode& node = shape_.node(index);
    bytes |= node.bytes;
    for (const std::size_t child : node.children) {
        collect_bytes(child, bytes);
    }
}

// The examples of all alternatives in a row, and each of them.
void AttackMaker::add_choices(std::size_t index,
                              const std::function<void(const std::string&)>& add) const {
    const ShapeNode& node = shape_.node(index);
    if (node.kind == Kind::Alternation) {
        std::string all;
        for (std::size_t i = 0; i < std::min(node.children.size(), kMaxLiteralPumps); ++i) {
            const std::string one = shape_.example_of(node.children[i]);
            all += one;
            add(one);
        }
        add(all);
    }
    for (const std::size_t child : node.children) {
        add_choices(child, add);
    }
}

// Single bytes that the repeated part may take, its example, and all that follows up to the end.
std::vector<std::string> AttackMaker::pumps_of(std::size_t repeat,
                                               const std::string& behind) const {
    const std::string example = shape_.example_of(repeat);
    ByteSet bytes;
    collect_bytes(repeat, bytes);
    std::vector<std::string> pumps;
    const auto add = [&](const std::string& pump) {
        if (!pump.empty() && is_contested(pump.front())) {
            pumps.push_back(pump);
        }
    };
    add(example);
    add_choices(repeat, add);
    for (const char usual : std::string_view("a0 .-")) {
        if (bytes.test(static_cast<unsigned char>(usual))) {
            add(std::string(1, usual));
        }
    }
    std::size_t literals = 0;
    for (std::size_t byte = 0x20; byte < 0x7f && literals < kMaxLiteralPumps; ++byte) {
        if (bytes.test(byte) && literals_.test(byte)) {
            add(std::string(1, static_cast<char>(byte)));
            ++literals;
        }
    }
    if (!behind.empty()) {
        add(example + behind.substr(0, 1));
        add(example + behind.substr(0, kMaxPumpBytes));
    }
    return pumps;
}

void AttackMaker::attack(std::size_t repeat, const std::string& before, const std::string& behind) {
    for (const std::string& pump : pumps_of(repeat, behind)) {
        // Which end fails depends on the pattern. The text after the repeated part also contains
        // the bytes without which PCRE2 would not start to match. Before that part it does so too,
        // without being a match, if the bytes of the pump are removed from it.
        std::string required;
        std::copy_if(behind.begin(), behind.end(), std::back_inserter(required),
                     [&](char c) { return pump.find(c) == std::string::npos; });
        const std::array<std::pair<std::string, std::string>, 7> frames{{
            {before, ""},
            {before, "~"},
            {before, " "},
            {before, behind + "~"},
            {before, "~" + behind},
            {before, " " + behind},
            {before + required, "~"},
        }};
        for (const auto& [prefix, tail] : frames) {
            Attack attack{prefix, pump, tail, repeat};
            if (attacks_.size() < kMaxAttacks && seen_.insert(attack.line(2)).second) {
                attacks_.push_back(std::move(attack));
            }
        }
    }
}

// More steps than a pattern with quadratic growth takes. The factor rises slowly, so that a pattern
// with a large constant stays below.
std::uint32_t quadratic_steps(std::size_t repeats) {
    return static_cast<std::uint32_t>((3 + repeats / kScreenRepeats) * repeats * repeats);
}

}  // namespace

std::optional<Backtracking> find_backtracking(const Pattern& pattern) {
    const auto shape = PatternShape::parse(pattern.language(), pattern.text());
    if (!shape) {
        return std::nullopt;
    }
    auto counter = StepCounter::make(pattern);
    if (!counter) {
        return std::nullopt;
    }
    std::vector<std::pair<std::uint32_t, Attack>> suspects;  // with their steps
    for (Attack& attack : AttackMaker(*shape).make()) {
        const std::uint32_t steps = counter->steps_of(attack.line(kScreenRepeats), kScreenSteps);
        if (steps > quadratic_steps(kScreenRepeats)) {
            suspects.emplace_back(steps, std::move(attack));
        }
    }
    std::stable_sort(suspects.begin(), suspects.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    suspects.resize(std::min(suspects.size(), kMaxSuspects));
    for (const auto& [screened, attack] : suspects) {
        const std::size_t rest = attack.prefix.size() + attack.tail.size();
        const std::size_t most =
            (kMaxAttackBytes - std::min(rest, kMaxAttackBytes)) / attack.pump.size();
        for (std::size_t repeats = kScreenRepeats / 2; repeats <= most; repeats *= 2) {
            std::string line = attack.line(repeats);
            const std::uint32_t steps = counter->steps_of(line, kMaxSteps);
            if (steps > kMaxSteps) {
                const ShapeNode& node = shape->node(attack.repeat);
                const std::size_t length = line.size();
                return Backtracking{std::move(line), length, kMaxSteps, node.begin,
                                    node.end - node.begin};
            }
            if (repeats >= kScreenRepeats && steps <= quadratic_steps(repeats)) {
                break;
            }
        }
    }
    return std::nullopt;
}

}  // namespace portcullis::pattern
