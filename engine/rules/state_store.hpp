// StateStore: the seam for what rules remember beyond one run: first-time-seen keys, the last log
// of check_diff, the keys of <ignore>. The in-memory one serves logtest and tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace portcullis::rules {

class StateStore {
  public:
    virtual ~StateStore() = default;

    // Keys of first-time-seen (spec: decoders, section 7).
    virtual bool knows_first_time(std::string_view key) const = 0;
    virtual void remember_first_time(std::string_view key) = 0;

    // Stores `log` as the last one of this host and rule and returns the one before; nullopt =
    // there was none (spec: rules, section 10).
    virtual std::optional<std::string> exchange_last_log(std::string_view host, int rule_id,
                                                         std::string_view log) = 0;

    // <check_if_ignored> and <ignore> (spec: rules, section 9).
    virtual bool is_ignored(std::string_view key) const = 0;
    virtual void ignore(std::string_view key) = 0;
};

// Bounded: when a table is full, nothing new is stored in it, and that is counted.
class MemoryStateStore final : public StateStore {
  public:
    static constexpr std::size_t kMaxKeys = 100'000;
    static constexpr std::size_t kMaxLastLogs = 4'096;

    bool knows_first_time(std::string_view key) const override;
    void remember_first_time(std::string_view key) override;
    std::optional<std::string> exchange_last_log(std::string_view host, int rule_id,
                                                 std::string_view log) override;
    bool is_ignored(std::string_view key) const override;
    void ignore(std::string_view key) override;
    void clear();
    // What was not stored because its table was full.
    std::uint64_t refused() const { return refused_; }

  private:
    using Keys = std::set<std::string, std::less<>>;
    void insert(Keys& keys, std::string_view key);

    Keys first_times_;
    std::map<std::pair<std::string, int>, std::string> last_logs_;
    Keys ignored_;
    std::uint64_t refused_ = 0;
};

}  // namespace portcullis::rules
