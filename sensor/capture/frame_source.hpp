// Frames and where they come from.
//
// First stage of the sensor. A FrameSource hands out frames in order; they are views into the
// capture buffer and die when on_frame() returns. Single-threaded.
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
    // Of the kernel, of the interface that captured it; 0 = not known: a file, or "any".
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
    // Hands at most `limit` waiting frames to `sink` and returns how many there were. 0: none was
    // waiting, or a file is at its end. Error "capture-failed": the source is of no more use.
    virtual base::Result<int> read(int limit, FrameSink& sink) = 0;
    // Readable when frames wait; -1 for files.
    virtual int fd() const { return -1; }
    // Which frames are handed out from now on; files have no filter. false: the kernel refuses the
    // filter, and the former one stays.
    virtual bool set_filter(const FilterSettings& /*settings*/) { return true; }
    virtual CaptureCounters counters() { return {}; }
};

// A pcap or pcapng file. Errors "unreadable-capture", "unknown-link-type".
base::Result<std::unique_ptr<FrameSource>> open_capture_file(const std::string& path);

// An interface, both directions, without delay, filtered by the kernel to what the detectors look
// at (kernel_filter.hpp): bulk TCP stays out of user space. `promiscuous`: frames for others too.
// Errors "unusable-interface", "unknown-link-type".
base::Result<std::unique_ptr<FrameSource>> open_interface(const std::string& name,
                                                          bool promiscuous);

}  // namespace portcullis::sensor_capture
