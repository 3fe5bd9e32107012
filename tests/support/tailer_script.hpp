// A script of writes, rotations, truncations and restarts, made from bytes, and run against a
// FileTailer and a model of what it must hand out. Shared by the property test and the fuzzer.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/collect/file_tailer.hpp"
#include "tests/support/fake_clock.hpp"
#include "tests/support/recording_log.hpp"
#include "tests/support/temporary_folder.hpp"

namespace portcullis::test {

class TailerScript {
  public:
    TailerScript() { make_tailer(); }

    // Runs the script; empty = every line was read exactly once, else what is missing or too
    // much. (The order of lines is that of the files but for an unfinished last line of a rotated
    // file, which may come late; file_tailer_test looks at the order.)
    std::string run(std::string_view script) {
        for (const char c : script) {
            const auto byte = static_cast<std::uint8_t>(c);
            step(byte & 7U, byte >> 3U);
        }
        append_to(path_, "");  // a rotated file whose successor never comes is never given up
        for (int i = 0; i < 3; ++i) {
            read();
            clock_.advance(2 * collect::FileTailer::kQuietTime);
        }
        for (const std::string& partial : rotated_partials_) {
            expect(partial);
        }
        std::sort(lines_.begin(), lines_.end());
        std::sort(expected_.begin(), expected_.end());
        return differences("missing", expected_, lines_) +
               differences("too much", lines_, expected_);
    }

  private:
    static std::string differences(const char* what, const std::vector<std::string>& from,
                                   const std::vector<std::string>& to) {
        std::vector<std::string> left;
        std::set_difference(from.begin(), from.end(), to.begin(), to.end(),
                            std::back_inserter(left));
        std::string text;
        for (const std::string& line : left) {
            text += std::string(what) + ": \"" + line.substr(0, 40) + "\" (" +
                    std::to_string(line.size()) + ")\n";
        }
        return text;
    }

    static std::string long_line(std::size_t length) {
        std::string line(length, 'x');
        line += '\n';
        return line;
    }

    void step(unsigned operation, unsigned argument) {
        switch (operation) {
            case 0:
            case 1:  // unique text, so that no two contents look alike
                write(std::to_string(++serial_) + std::string(argument, '-'));
                break;
            case 2:
                write(std::to_string(++serial_) + ".\n");
                break;
            case 3:
                write(std::string(argument % 3, '\n'));
                write(long_line(argument * 400));
                break;
            case 4:
                read();
                break;
            case 5:
                rotate();
                break;
            case 6:
                truncate();
                break;
            case 7:
                if (argument % 2 == 0) {
                    restart();
                } else {
                    clock_.advance(std::chrono::seconds(argument * 4));
                }
                break;
            default:
                break;
        }
    }

    void write(const std::string& bytes) {
        append_to(path_, bytes);
        for (const char c : bytes) {
            if (c == '\n') {
                expect(partial_);
                partial_.clear();
            } else {
                partial_ += c;
            }
        }
    }
    // As the reader cuts it; an empty line is a line.
    void expect(std::string_view line) {
        while (line.size() > collect::kMaxRecord) {
            expected_.emplace_back(line.substr(0, collect::kMaxRecord));
            line.remove_prefix(collect::kMaxRecord);
        }
        expected_.emplace_back(line);
    }
    void rotate() {
        if (!std::filesystem::exists(path_)) {
            return;
        }
        read();  // a file that comes and goes between two looks is never seen
        std::filesystem::rename(path_, folder_ / ("log." + std::to_string(++rotations_)));
        if (!partial_.empty()) {
            rotated_partials_.push_back(partial_);
        }
        partial_.clear();
    }
    void truncate() {
        read();  // what was not read before is gone
        if (!std::filesystem::exists(path_) || std::filesystem::file_size(path_) == 0) {
            return;
        }
        overwrite(path_, "");
        if (!partial_.empty()) {
            expect(partial_);  // the unfinished line of the old content is a line
        }
        partial_.clear();
        write(std::to_string(++serial_));  // never the old content again
        // A restart before the tailer looked would forget that unfinished line.
        read();
    }
    void restart() {
        const auto saved = tailer_->position();
        make_tailer();
        tailer_->resume_from(saved, clock_.now());
        read();
    }
    void make_tailer() {
        tailer_ =
            std::make_unique<collect::FileTailer>(path_, *collect::find_log_format("syslog"),
                                                  collect::StartAt::Beginning, log_, counters_);
    }
    void read() {
        const collect::LineHandler handler = [this](std::string_view line,
                                                    std::string_view location) {
            if (location != collect::kCollectorLocation) {
                lines_.emplace_back(line);
            }
        };
        tailer_->look_at_path(clock_.now(), nullptr);
        while (tailer_->read_available(handler, 1000) == collect::ReadOutcome::More) {
        }
        tailer_->close_quiet_files(clock_.now(), handler);
    }

    TemporaryFolder folder_;
    std::string path_ = folder_ / "log";
    FakeClock clock_;
    RecordingLog log_;
    collect::TailerCounters counters_;
    std::unique_ptr<collect::FileTailer> tailer_;
    std::vector<std::string> lines_;
    std::vector<std::string> expected_;
    std::vector<std::string> rotated_partials_;
    std::string partial_;
    int serial_ = 0;
    int rotations_ = 0;
};

}  // namespace portcullis::test
