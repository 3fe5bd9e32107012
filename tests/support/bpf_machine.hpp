// BpfMachine: runs a classic BPF program over a frame as the kernel does, for tests of the kernel
// filter; it knows the instructions that the filter uses and fails the test at any other.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <stdexcept>
#include <vector>

#include "tests/support/frames.hpp"

namespace portcullis::test {

// What the kernel knows of a frame beside its bytes.
struct FrameContext {
    std::uint32_t packet_type = 0;    // PACKET_HOST
    std::uint32_t hardware_type = 1;  // ARPHRD_ETHER
    std::uint32_t protocol = 0;
    std::uint32_t vlan = 0;
    std::uint32_t has_vlan = 0;
};

class BpfMachine {
  public:
    explicit BpfMachine(std::vector<sock_filter> program) : program_(std::move(program)) {}

    // How many bytes of the frame are kept; 0 = it is dropped.
    std::uint32_t run(const Frame& frame, const FrameContext& context = {}) const {
        std::uint32_t a = 0;
        std::uint32_t x = 0;
        std::uint32_t memory[BPF_MEMWORDS] = {};
        for (std::size_t at = 0; at < program_.size(); ++at) {
            const sock_filter& i = program_[at];
            const std::uint32_t operand = (i.code & BPF_X) != 0 ? x : i.k;
            bool holds = false;
            switch (i.code) {
                case BPF_RET | BPF_K:
                    return i.k;
                case BPF_RET | BPF_A:
                    return a;
                case BPF_LD | BPF_IMM:
                    a = i.k;
                    break;
                case BPF_LDX | BPF_IMM:
                    x = i.k;
                    break;
                case BPF_LD | BPF_MEM:
                    a = memory[i.k];
                    break;
                case BPF_LDX | BPF_MEM:
                    x = memory[i.k];
                    break;
                case BPF_ST:
                    memory[i.k] = a;
                    break;
                case BPF_STX:
                    memory[i.k] = x;
                    break;
                case BPF_MISC | BPF_TAX:
                    x = a;
                    break;
                case BPF_MISC | BPF_TXA:
                    a = x;
                    break;
                case BPF_LD | BPF_W | BPF_LEN:
                    a = static_cast<std::uint32_t>(frame.size());
                    break;
                case BPF_ALU | BPF_AND | BPF_K:
                    a &= i.k;
                    break;
                case BPF_ALU | BPF_LSH | BPF_K:
                    a <<= i.k;
                    break;
                case BPF_ALU | BPF_RSH | BPF_K:
                    a >>= i.k;
                    break;
                case BPF_ALU | BPF_ADD | BPF_K:
                case BPF_ALU | BPF_ADD | BPF_X:
                    a += operand;
                    break;
                case BPF_ALU | BPF_SUB | BPF_X:
                    a -= operand;
                    break;
                case BPF_JMP | BPF_JA:
                    at += i.k;
                    break;
                case BPF_JMP | BPF_JEQ:
                case BPF_JMP | BPF_JSET:
                case BPF_JMP | BPF_JGE:
                case BPF_JMP | BPF_JGT | BPF_X:
                    holds = BPF_OP(i.code) == BPF_JEQ    ? a == operand
                            : BPF_OP(i.code) == BPF_JSET ? (a & operand) != 0
                            : BPF_OP(i.code) == BPF_JGE  ? a >= operand
                                                         : a > operand;
                    at += holds ? i.jt : i.jf;
                    break;
                default:
                    if (BPF_CLASS(i.code) != BPF_LD || !load(i, x, frame, context, a)) {
                        return 0;  // beyond the end
                    }
            }
        }
        throw std::logic_error("the program has no end");
    }

  private:
    static bool load(const sock_filter& i, std::uint32_t x, const Frame& frame,
                     const FrameContext& context, std::uint32_t& a) {
        const bool is_absolute = BPF_MODE(i.code) == BPF_ABS;
        if (is_absolute && i.k >= static_cast<std::uint32_t>(SKF_AD_OFF)) {
            switch (i.k - static_cast<std::uint32_t>(SKF_AD_OFF)) {
                case SKF_AD_PKTTYPE:
                    a = context.packet_type;
                    return true;
                case SKF_AD_HATYPE:
                    a = context.hardware_type;
                    return true;
                case SKF_AD_PROTOCOL:
                    a = context.protocol;
                    return true;
                case SKF_AD_VLAN_TAG:
                    a = context.vlan;
                    return true;
                case SKF_AD_VLAN_TAG_PRESENT:
                    a = context.has_vlan;
                    return true;
                default:
                    throw std::logic_error("unknown ancillary data");
            }
        }
        if (!is_absolute && BPF_MODE(i.code) != BPF_IND) {
            throw std::logic_error("unknown instruction");
        }
        const std::uint64_t at = std::uint64_t{i.k} + (is_absolute ? 0 : x);
        const std::uint64_t size = BPF_SIZE(i.code) == BPF_W   ? 4
                                   : BPF_SIZE(i.code) == BPF_H ? 2
                                                               : 1;
        if (at + size > frame.size()) {
            return false;
        }
        a = 0;
        for (std::uint64_t byte = 0; byte < size; ++byte) {
            a = (a << 8) | frame[at + byte];
        }
        return true;
    }

    std::vector<sock_filter> program_;
};

}  // namespace portcullis::test
