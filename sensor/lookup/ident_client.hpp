// IdentClient: asks a peer's identd for the user that opened a connection to us (`get_ident`, RFC
// 1413). It never waits.
//
// It takes attempts on ports that we listen on, and queries identd from the address that was
// called. It returns each attempt with or without an answer, at the latest after kPatience. The
// peer writes the answer, so only a short word of harmless characters is accepted. The number of
// simultaneous queries is limited, with one per peer; beyond that an attempt is not taken, and its
// line is written at once. Single-threaded, on the event loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <string_view>

#include "base/event_loop.hpp"
#include "base/fd.hpp"
#include "sensor/detect/observation.hpp"
#include "sensor/lookup/listening_ports.hpp"
#include "sensor/report/names.hpp"

namespace portcullis::sensor_lookup {

// The user in an answer to the query about `their_port` and `our_port`; nullopt = it names none, or
// one that must not be written.
std::optional<std::string> parse_ident_answer(std::string_view answer, std::uint16_t their_port,
                                              std::uint16_t our_port);

struct IdentCounters {
    std::uint64_t asked = 0;
    std::uint64_t answered = 0;   // with a user
    std::uint64_t not_asked = 0;  // too many at once
};

class IdentClient final : public sensor_report::IdentLookup {
  public:
    static constexpr std::chrono::seconds kPatience{5};
    static constexpr std::size_t kMostAtOnce = 32;
    static constexpr std::uint16_t kIdentPort = 113;

    // `on_result` is called once for each attempt that was taken; an empty user = no answer. It is
    // never called from within ask(). `loop` must outlive the client. `port`: tests use another one
    // than 113.
    using OnResult =
        std::function<void(const sensor_detect::Observation& attempt, std::string_view user)>;
    IdentClient(base::EventLoop& loop, OnResult on_result, std::uint16_t port = kIdentPort);

    bool ask(const sensor_detect::Observation& attempt) override;
    // Returns all attempts without an answer, at the end.
    void give_up();

    const IdentCounters& counters() const { return counters_; }

  private:
    struct Query {
        sensor_detect::Observation attempt;
        base::UniqueFd fd;
        std::string answer;
        base::EventLoop::Source watch = base::EventLoop::no_source();
        base::EventLoop::Source deadline = base::EventLoop::no_source();
    };
    using QueryIterator = std::list<Query>::iterator;

    void send_question(QueryIterator query);
    void read_answer(QueryIterator query);
    void finish(QueryIterator query, std::string_view user);

    base::EventLoop& loop_;
    OnResult on_result_;
    std::uint16_t port_;
    ListeningPorts listening_;
    std::list<Query> queries_;
    IdentCounters counters_;
};

}  // namespace portcullis::sensor_lookup
