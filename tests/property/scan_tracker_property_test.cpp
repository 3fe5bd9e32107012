// ScanTracker against a model that keeps everything and searches it from end to end: no hashes, no
// compact entries, no limits. The kinds that look beyond one source have tests of their own and are
// switched off here.
#include "sensor/detect/scan_tracker.hpp"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <tuple>

#include "tests/support/seed.hpp"

using namespace portcullis;
using namespace portcullis::sensor_detect;
using sensor_packet::Packet;
using sensor_packet::Transport;

namespace {

using Millis = std::int64_t;

constexpr Millis kStart = 1'700'000'000'000;

struct Event {
    Millis time = 0;
    bool is_ours = false;
    Transport transport = Transport::Tcp;
    std::uint8_t flags = 0;
    bool is_hand_made = false;
    int source = 0;       // theirs
    int destination = 0;  // ours
    std::uint16_t their_port = 0;
    std::uint16_t our_port = 0;
};

// Observations as texts, those of the same moment in any order.
using Log = std::multiset<std::pair<Millis, std::string>>;

std::string name_of(int source, int destination) {
    return fmt::format("{}>{}", source, destination);
}

enum class Counts { Never, Silence, Refusal };

struct Question {
    std::vector<ScanKind> kinds;
    Counts counts = Counts::Never;
};

Question question_of(const Event& event) {
    if (event.transport == Transport::Udp) {
        return {{ScanKind::UdpScan}, Counts::Silence};
    }
    switch (event.flags) {
        case 0x02:
            return event.is_hand_made
                       ? Question{{ScanKind::SynScan, ScanKind::PortScan}, Counts::Silence}
                       : Question{{ScanKind::PortScan}, Counts::Silence};
        case 0x00:
            return {{ScanKind::NullScan}, Counts::Silence};
        case 0x01:
            return {{ScanKind::FinScan}, Counts::Silence};
        case 0x29:
            return {{ScanKind::XmasScan}, Counts::Silence};
        case 0x10:
            return {{ScanKind::AckScan}, Counts::Refusal};
        case 0x11:
            return {{ScanKind::MaimonScan}, Counts::Refusal};
        case 0x03:
            return {{ScanKind::SynFinScan}, Counts::Silence};
        default:
            return {};
    }
}

class Model {
  public:
    explicit Model(const TrackerSettings& settings) : settings_(settings) {}

    void on(const Event& event) {
        pass_until(event.time);
        event.is_ours ? answer(event) : ask(event);
    }
    void finish(Millis time) {
        pass_until(time);
        for (const auto& [key, counter] : counters_) {
            end(key, counter);
        }
    }

    Log log;

  private:
    using Key = std::tuple<int, int, ScanKind>;
    struct Counter {
        std::uint64_t packets = 0;
        std::uint64_t bytes = 0;
        Millis last = 0;  // second
        bool is_detected = false;
        std::set<std::uint16_t> ports;
        std::vector<std::pair<Millis, std::uint32_t>> rate;
    };
    struct Waiting {
        Event event;
        std::uint32_t packets = 1;
        bool was_counted = false;  // as unanswered, when it was sent before
    };

    void say(const std::string& text) { log.insert({now_, text}); }
    Millis second() const { return now_ / 1000; }

    void pass_until(Millis time) {
        while (true) {
            const Millis boundary = (now_ / 1000 + 1) * 1000;
            const Millis overdue = waiting_.empty() ? time + 1 : waiting_.front().event.time + 300;
            if (overdue <= time && overdue < boundary) {
                now_ = std::max(now_, overdue);
                const Waiting waiting = waiting_.front();
                waiting_.erase(waiting_.begin());
                silence(waiting);
            } else if (boundary <= time) {
                now_ = boundary;
                sweep();
            } else {
                break;
            }
        }
        now_ = time;
    }

    void sweep() {
        for (auto it = counters_.begin(); it != counters_.end();) {
            const auto idle = settings_.of(std::get<2>(it->first)).idle.count();
            if (it->second.last + idle <= second()) {
                end(it->first, it->second);
                it = counters_.erase(it);
            } else {
                ++it;
            }
        }
    }

    void end(const Key& key, const Counter& counter) {
        if (counter.is_detected) {
            say(fmt::format("{} {} over {}/{}", name_of(std::get<0>(key), std::get<1>(key)),
                            detector_of(std::get<2>(key)).name, counter.packets, counter.bytes));
        }
    }

    // True = a detected kind takes it.
    bool count(const Event& event, const std::vector<ScanKind>& kinds, std::uint32_t packets,
               std::uint64_t bytes) {
        for (const ScanKind kind : kinds) {
            Counter& counter = counters_[{event.source, event.destination, kind}];
            counter.packets += packets;
            counter.bytes += packets * bytes;
            counter.last = second();
            if (counter.is_detected) {
                return true;
            }
        }
        return false;
    }

    void count_port(const Event& event, const std::vector<ScanKind>& kinds) {
        if (is_served(event)) {
            return;
        }
        for (const ScanKind kind : kinds) {
            const auto known = counters_.find({event.source, event.destination, kind});
            if (known == counters_.end()) {
                continue;
            }
            Counter& counter = known->second;
            if (counter.is_detected) {
                return;
            }
            counter.ports.insert(event.our_port);
            if (counter.ports.size() >= settings_.of(kind).threshold) {
                detect(event, kind, counter);
                return;
            }
        }
    }

    static std::uint32_t rate(Counter& counter, const DetectorSettings& settings, Millis time,
                              std::uint32_t packets) {
        const Millis slice = settings.rate_window.count() / 8;
        counter.rate.emplace_back(time / slice, packets);
        Millis newest = 0;
        for (const auto& [at, amount] : counter.rate) {
            newest = std::max(newest, at);
        }
        std::uint32_t sum = 0;
        for (const auto& [at, amount] : counter.rate) {
            sum += at > newest - 8 ? amount : 0;
        }
        return sum;
    }

    void detect(const Event& event, ScanKind kind, Counter& counter) {
        counter.is_detected = true;
        say(fmt::format("{} {} detected", name_of(event.source, event.destination),
                        detector_of(kind).name));
    }

    void ask(const Event& event) {
        const std::string who = name_of(event.source, event.destination);
        if (event.transport == Transport::Icmp) {
            if (count(event, {ScanKind::PingFlood}, 1, 40)) {
                return;
            }
            Counter& counter = counters_[{event.source, event.destination, ScanKind::PingFlood}];
            const DetectorSettings& settings = settings_.of(ScanKind::PingFlood);
            if (rate(counter, settings, event.time, 1) >= settings.threshold) {
                detect(event, ScanKind::PingFlood, counter);
            } else {
                say(who + " echo");
            }
            return;
        }
        if (event.transport == Transport::Tcp && event.flags == 0x03) {
            const auto known = bogus_.find({event.source, event.destination});
            if (known == bogus_.end() || second() >= known->second + 60) {
                bogus_[{event.source, event.destination}] = second();
                say(who + " bogus");
            }
        }
        if (event.transport == Transport::Udp &&
            (is_spoken_to(event, 180) || is_conversation(event))) {
            say(who + " datagram");
            return;
        }
        if (!has_answered_ && event.transport == Transport::Tcp && event.flags == 0x10) {
            settle_by_segment(event);
        }
        const Question question = question_of(event);
        if (question.counts == Counts::Silence && count(event, question.kinds, 1, 40)) {
            return;
        }
        if (question.counts == Counts::Refusal && is_spoken_to(event, 86400)) {
            return;
        }
        wait(event);
        if (event.transport == Transport::Udp) {
            say(who + " datagram");
        } else if (event.flags == 0x02) {
            say(who + " attempt");
        }
    }

    void wait(const Event& event) {
        const auto like = std::find_if(waiting_.begin(), waiting_.end(), [&](const Waiting& other) {
            return is_same_place(other.event, event);
        });
        if (like != waiting_.end()) {
            if (question_of(like->event).kinds == question_of(event).kinds) {
                ++like->packets;
                return;
            }
            waiting_.erase(like);
        }
        const auto before = find_unanswered(event);
        const bool was_counted =
            before != unanswered_.rend() && question_of(*before).kinds == question_of(event).kinds;
        std::erase_if(unanswered_, [&](const Event& other) { return is_same_place(other, event); });
        waiting_.push_back({event, 1, was_counted});
    }

    // The latest unanswered one at the same place of the last ten seconds.
    std::vector<Event>::reverse_iterator find_unanswered(const Event& event) {
        return std::find_if(unanswered_.rbegin(), unanswered_.rend(), [&](const Event& other) {
            return is_same_place(other, event) && other.time + 10'000 >= now_;
        });
    }

    // Its source had a working connection to that port.
    bool is_served(const Event& event) const {
        const auto served = served_.find({event.source, event.destination, event.our_port});
        return event.transport == Transport::Tcp && served != served_.end() &&
               served->second + 3600 >= second();
    }

    static bool is_same_place(const Event& a, const Event& b) {
        return a.source == b.source && a.destination == b.destination &&
               a.their_port == b.their_port && a.our_port == b.our_port &&
               a.transport == b.transport;
    }

    bool is_spoken_to(const Event& event, Millis seconds) const {
        const auto known = spoken_.find(
            {event.source, event.destination, event.their_port, event.our_port, event.transport});
        return known != spoken_.end() && known->second + seconds >= second();
    }

    // Datagrams of ours to that peer came from the port that is asked, or its neighbour, or went to
    // a port of the same number.
    bool is_conversation(const Event& event) const {
        return std::any_of(spoken_.begin(), spoken_.end(), [&](const auto& spoken) {
            const auto& [source, destination, their_port, our_port, transport] = spoken.first;
            return source == event.source && destination == event.destination &&
                   transport == Transport::Udp && spoken.second + 180 >= second() &&
                   ((our_port ^ 1) == event.our_port || our_port == event.our_port ||
                    their_port == event.our_port);
        });
    }

    void silence(const Waiting& waiting) {
        const Question question = question_of(waiting.event);
        unanswered_.push_back(waiting.event);
        if (question.counts == Counts::Refusal) {
            if (!has_answered_) {
                refuse(waiting);
            }
            return;
        }
        if (waiting.event.transport == Transport::Tcp && is_spoken_to(waiting.event, 2)) {
            return;
        }
        if (is_known_to_be_open(waiting.event)) {
            return;
        }
        count_port(waiting.event, question.kinds);
    }

    // A SYN whose port sent SYN+ACK to anybody lately: its silence says nothing of the port.
    bool is_known_to_be_open(const Event& event) const {
        const auto open = open_.find({event.destination, event.our_port});
        return event.transport == Transport::Tcp && event.flags == 0x02 && open != open_.end() &&
               open->second + 600 >= second();
    }

    void refuse(const Waiting& waiting) {
        const Question question = question_of(waiting.event);
        if (is_served(waiting.event)) {
            return;
        }
        if (question.counts == Counts::Refusal &&
            count(waiting.event, question.kinds, waiting.packets, 40)) {
            return;
        }
        count_port(waiting.event, question.kinds);
    }

    // Only one side is seen: a segment that acknowledges something shows that we sent it.
    void settle_by_segment(const Event& event) {
        const auto asked = std::find_if(
            waiting_.begin(), waiting_.end(),
            [&](const Waiting& waiting) { return is_same_place(waiting.event, event); });
        if (asked != waiting_.end()) {
            if (asked->was_counted) {
                take_back(asked->event);
            }
            waiting_.erase(asked);
        } else if (const auto late = find_unanswered(event); late != unanswered_.rend()) {
            take_back(*late);
            std::erase_if(unanswered_,
                          [&](const Event& other) { return is_same_place(other, event); });
        }
    }

    // An answer that came too late: what was counted for the silence is taken back.
    void take_back(const Event& event) {
        for (const ScanKind kind : question_of(event).kinds) {
            const auto known = counters_.find({event.source, event.destination, kind});
            if (known != counters_.end() && !known->second.is_detected) {
                known->second.ports.erase(event.our_port);
            }
        }
    }

    void answer(const Event& event) {
        has_answered_ = true;
        const bool is_reset = event.transport == Transport::Tcp && (event.flags & 0x04) != 0;
        if (event.transport == Transport::Udp ||
            (event.transport == Transport::Tcp && (event.flags & 0x02) != 0)) {
            spoken_[{event.source, event.destination, event.their_port, event.our_port,
                     event.transport}] = second();
        }
        if (event.transport == Transport::Tcp && event.flags == 0x12) {
            served_[{event.source, event.destination, event.our_port}] = second();
            open_[{event.destination, event.our_port}] = second();
        }
        const auto asked = std::find_if(
            waiting_.begin(), waiting_.end(),
            [&](const Waiting& waiting) { return is_same_place(waiting.event, event); });
        if (asked != waiting_.end()) {
            const Waiting waiting = *asked;
            waiting_.erase(asked);
            if (is_reset && !waiting.was_counted) {
                refuse(waiting);
            } else if (!is_reset && waiting.was_counted) {
                take_back(waiting.event);
            }
        } else if (const auto late = find_unanswered(event); late != unanswered_.rend()) {
            const Event unanswered = *late;
            std::erase_if(unanswered_,
                          [&](const Event& other) { return is_same_place(other, event); });
            if (!is_reset) {
                take_back(unanswered);
            }
        } else if (is_reset && (event.flags & 0x10) == 0 && !is_spoken_to(event, 86400)) {
            Event unseen = event;
            unseen.flags = 0x10;
            if (!is_served(event) && !count(unseen, {ScanKind::AckScan}, 1, 20)) {
                count_port(unseen, {ScanKind::AckScan});
            }
        }
    }

    TrackerSettings settings_;
    Millis now_ = kStart;
    bool has_answered_ = false;
    std::map<Key, Counter> counters_;
    std::vector<Waiting> waiting_;  // in order of arrival
    std::vector<Event> unanswered_;
    std::map<std::tuple<int, int, std::uint16_t>, Millis> served_;
    std::map<std::pair<int, std::uint16_t>, Millis> open_;
    std::map<std::pair<int, int>, Millis> bogus_;
    std::map<std::tuple<int, int, std::uint16_t, std::uint16_t, Transport>, Millis> spoken_;
};

class Recorder final : public ObservationSink {
  public:
    void on_observation(const Observation& seen) override {
        const std::string who = name_of(seen.source.data()[3], seen.destination.data()[3]);
        const auto time =
            std::chrono::duration_cast<std::chrono::milliseconds>(seen.time.time_since_epoch())
                .count();
        log.insert({time, who + text_of(seen)});
    }
    Log log;

  private:
    static std::string text_of(const Observation& seen) {
        switch (seen.type) {
            case ObservationType::ConnectionAttempt:
                return " attempt";
            case ObservationType::BogusFlags:
                return " bogus";
            case ObservationType::Datagram:
                return " datagram";
            case ObservationType::EchoRequest:
                return " echo";
            case ObservationType::ScanDetected:
                return fmt::format(" {} detected", detector_of(seen.kind).name);
            case ObservationType::ScanExpired:
                return fmt::format(" {} over {}/{}", detector_of(seen.kind).name, seen.packets,
                                   seen.bytes);
            default:
                return " ?";
        }
    }
};

Packet packet_of(const Event& event) {
    const auto theirs = base::IpAddress::v4({192, 0, 2, static_cast<std::uint8_t>(event.source)});
    const auto ours = base::IpAddress::v4({10, 0, 0, static_cast<std::uint8_t>(event.destination)});
    Packet packet;
    packet.verdict = sensor_packet::Verdict::Ok;
    packet.transport = event.transport;
    packet.source = event.is_ours ? ours : theirs;
    packet.destination = event.is_ours ? theirs : ours;
    packet.source_port = event.is_ours ? event.our_port : event.their_port;
    packet.destination_port = event.is_ours ? event.their_port : event.our_port;
    packet.tcp_flags = event.flags;
    packet.dont_fragment = !event.is_hand_made;
    packet.payload_length = 40;
    packet.tcp_header_length = 40;
    packet.ttl = 60;
    packet.icmp_type = 8;
    return packet;
}

class Sequence {
  public:
    explicit Sequence(std::uint32_t seed) : random_(seed) {
        sources_ = 1 + below(4);
        ports_ = 2 + below(40);
        is_fast_ = below(2) == 0;
        answers_ = below(3);
    }

    std::vector<Event> make(int length) {
        std::vector<Event> events;
        Millis time = kStart;
        while (static_cast<int>(events.size()) < length) {
            time += below(60) == 0 ? below(70'000) : is_fast_ ? below(20) : below(400);
            Event event = ask();
            event.time = time;
            events.push_back(event);
            if (event.transport != Transport::Icmp && below(3) < answers_) {
                Event answer = event;
                answer.is_ours = true;
                answer.time += below(200) == 0 ? 350 : below(3);
                time = answer.time;
                static constexpr std::uint8_t kAnswers[] = {0x04, 0x14, 0x14, 0x12};
                answer.flags = kAnswers[below(4)];
                events.push_back(answer);
            }
        }
        return events;
    }

  private:
    int below(int limit) { return static_cast<int>(random_() % static_cast<unsigned>(limit)); }

    Event ask() {
        static constexpr std::uint8_t kFlags[] = {0x02, 0x02, 0x02, 0x00, 0x01,
                                                  0x29, 0x10, 0x11, 0x03, 0x03};
        Event event;
        const int transport = below(10);
        event.transport = transport < 7   ? Transport::Tcp
                          : transport < 9 ? Transport::Udp
                                          : Transport::Icmp;
        if (event.transport == Transport::Tcp) {
            if (below(8) == 0) {
                flags_ = kFlags[below(10)];
            }
            event.flags = flags_;
        }
        event.is_hand_made = below(3) != 0;
        event.source = 1 + below(sources_);
        event.destination = 1 + (below(5) == 0 ? 1 : 0);
        event.their_port = static_cast<std::uint16_t>(40000 + below(2));
        event.our_port = static_cast<std::uint16_t>(1 + below(ports_));
        return event;
    }

    std::mt19937 random_;
    int sources_ = 1;
    int ports_ = 1;
    bool is_fast_ = false;
    int answers_ = 0;  // of three
    std::uint8_t flags_ = 0x02;
};

std::optional<std::string> first_difference(const Log& log, const Log& model) {
    auto a = log.begin();
    auto b = model.begin();
    while (a != log.end() && b != model.end() && *a == *b) {
        ++a;
        ++b;
    }
    if (a == log.end() && b == model.end()) {
        return std::nullopt;
    }
    const auto text = [](const Log& of, Log::const_iterator at) {
        return at == of.end() ? std::string("nothing")
                              : fmt::format("{} {}", at->first - kStart, at->second);
    };
    return fmt::format("tracker: {}, model: {}", text(log, a), text(model, b));
}

}  // namespace

TEST_CASE("scan_tracker: agrees with the naive model on random sequences of packets") {
    const std::uint32_t first_seed = test::first_seed();
    const std::uint32_t rounds = test::rounds(300);
    std::size_t detections = 0;
    for (std::uint32_t seed = first_seed; seed != first_seed + rounds; ++seed) {
        TrackerSettings settings;
        for (const ScanKind kind :
             {ScanKind::SlowScan, ScanKind::Decoys, ScanKind::DatagramDecoys,
              ScanKind::DistributedScan, ScanKind::SynFlood, ScanKind::OpenPortProbing,
              ScanKind::RefusedConnections, ScanKind::DatagramFlood}) {
            settings.of(kind).is_enabled = false;
        }
        for (DetectorSettings& kind : settings.kinds) {
            kind.repeat = std::chrono::seconds(0);
            kind.rate_threshold = 0;
        }
        settings.traceroute = false;
        settings.names_tool = false;
        settings.of(ScanKind::PingFlood).threshold = 12;
        settings.max_sources = 4096;
        Recorder recorder;
        ScanTracker tracker(settings, recorder);
        Model model(settings);
        Millis end = kStart;
        for (const Event& event : Sequence(seed).make(1500)) {
            const base::Timestamp time{std::chrono::milliseconds(event.time)};
            event.is_ours ? tracker.on_outbound(packet_of(event), time)
                          : tracker.on_inbound(packet_of(event), time);
            model.on(event);
            end = event.time;
        }
        tracker.finish(base::Timestamp(std::chrono::milliseconds(end)));
        model.finish(end);
        CAPTURE(seed);
        CHECK(first_difference(recorder.log, model.log).value_or("same") == "same");
        for (const auto& [time, text] : model.log) {
            detections += text.ends_with("detected") ? 1 : 0;
        }
    }
    CHECK(detections > 100);
}
