// StateStore: the seam for what rules remember beyond one run: first-time-seen keys, the last log
// of check_diff, the keys of <ignore>. The in-memory one serves logtest and tests.
#pragma once

#include <cstddef>
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

// Bounded: at kMaxKeys keys of a kind, no new one is stored.
class MemoryStateStore final : public StateStore {
  public:
    static constexpr std::size_t kMaxKeys = 100'000;

    bool knows_first_time(std::string_view key) const override;
    void remember_first_time(std::string_view key) override;
    std::optional<std::string> exchange_last_log(std::string_view host, int rule_id,
                                                 std::string_view log) override;
    bool is_ignored(std::string_view key) const override;
    void ignore(std::string_view key) override;
    void clear();

  private:
    std::set<std::string, std::less<>> first_times_;
    std::map<std::pair<std::string, int>, std::string> last_logs_;
    std::set<std::string, std::less<>> ignored_;
};

}  // namespace portcullis::rules
