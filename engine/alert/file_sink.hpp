// FileSink: a sink that writes a DatedFile, one record for each item.
#pragma once

#include <string>
#include <string_view>

#include "engine/alert/dated_file.hpp"
#include "engine/alert/sinks.hpp"

namespace portcullis::alert {

struct FileNames {
    std::string_view current;    // below logs/: "alerts/alerts.log"
    std::string_view prefix;     // of the dated files: "ossec-alerts"
    std::string_view extension;  // … ".log"
};

class FileSink final : public AlertSink {
  public:
    // The record of an item, with its newline.
    using Format = std::string (*)(const StreamItem& item, const OutputOptions& options);

    // Opens the file at once. Its folder must exist.
    FileSink(const FileNames& names, Format format, const SinkContext& context);

    void write(const StreamItem& item) override;
    void retry() override;
    bool has_held_back() const override { return file_.has_held_back(); }
    std::uint64_t lost_items() const override { return file_.lost_records(); }

  private:
    // Logs when writing begins to fail, and when it works again.
    void report(const base::Result<void>& result);

    DatedFile file_;
    Format format_;
    const OutputOptions& options_;
    base::Log& log_;
    const base::Clock& clock_;
    bool is_failing_ = false;
    std::uint64_t lost_before_ = 0;
};

}  // namespace portcullis::alert
