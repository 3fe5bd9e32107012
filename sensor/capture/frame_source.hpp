// Frames and where they come from.
//
// First stage of the sensor. A FrameSource delivers frames in order. They are views into the
// capture buffer, valid until on_frame() returns. Single-threaded.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "sensor/capture/kernel_filter.hpp"
#include "sensor/packet/link.hpp"

namespace portcullis::sensor_capture {

using sensor_packet::LinkType;

struct Frame {
    base::Timestamp time;                 // of the capture
    std::span<const std::uint8_t> bytes;  // as much as was captured
    LinkType link = LinkType::Ethernet;
    // Kernel index of the interface that captured it; 0 = not known: a file, or "any".
    std::uint32_t interface_index = 0;
};

class FrameSink {
  public:
    virtual ~FrameSink() = default;
    virtual void on_frame(const Frame& frame) = 0;
};

struct CaptureCounters {
    std::uint64_t received = 0;
    std::uint64_t dropped_by_kernel = 0;
    std::uint64_t dropped_by_interface = 0;
};

class FrameSource {
  public:
    virtual ~FrameSource() = default;
    // Delivers at most `limit` waiting frames to `sink` and returns their number. 0 = none is
    // waiting, or a file is at its end. Error "capture-failed": the source cannot be used any
    // longer.
    virtual base::Result<int> read(int limit, FrameSink& sink) = 0;
    // Readable when frames wait; -1 for files.
    virtual int fd() const { return -1; }
    // Sets which frames are delivered from now on; files have no filter. Returns false if the
    // kernel refuses the filter; then the former one stays.
    virtual bool set_filter(const FilterSettings& /*settings*/) { return true; }
    virtual CaptureCounters counters() { return {}; }
};

// A pcap or pcapng file. Errors "unreadable-capture", "unknown-link-type".
base::Result<std::unique_ptr<FrameSource>> open_capture_file(const std::string& path);

// An interface: both directions, without delay. The kernel passes only the frames that the
// detectors need (kernel_filter.hpp), so that bulk TCP stays out of user space. `promiscuous`:
// frames to other hosts as well. Errors "unusable-interface", "unknown-link-type".
base::Result<std::unique_ptr<FrameSource>> open_interface(const std::string& name,
                                                          bool promiscuous);

}  // namespace portcullis::sensor_capture
