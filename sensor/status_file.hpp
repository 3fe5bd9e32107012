// StatusFile: publishes the counters of the sensor for `portcullis-control status`.
//
// It is opened as root and stays open, because the user that the sensor becomes has no access to
// the folder. It is written in place: one JSON object, padded to a fixed size, so that a reader
// never sees a mixture of two lengths.
#pragma once

#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "sensor/pipeline/sensor.hpp"

namespace portcullis {

class StatusFile {
  public:
    // An empty path: there is no file, and write() does nothing. Error "unwritable-file".
    static base::Result<StatusFile> open(const std::string& path);

    // Writes the counters if they have changed. A failure is ignored.
    void write(const sensor_pipeline::SensorCounters& counters);

  private:
    explicit StatusFile(base::UniqueFd fd) : fd_(std::move(fd)) {}
    base::UniqueFd fd_;
    std::string written_;
};

}  // namespace portcullis
