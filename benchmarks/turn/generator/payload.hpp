// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace stile::bench {

// What the generator puts into each datagram: who and when, then octets that follow from both.
struct Stamp {
    std::uint32_t flow = 0;
    std::uint32_t sequence = 0;
    std::int64_t sent_at = 0;  // of the wall clock, as receive time stamps are
};

inline constexpr std::size_t least_payload = sizeof(Stamp);

class PayloadMaker {
public:
    explicit PayloadMaker(std::size_t payload_octets);

    void write(MutableBytes payload, const Stamp& stamp) const;
    // Absent where any octet is another than was sent.
    std::optional<Stamp> read(BytesView payload) const;

private:
    BytesView pattern(const Stamp& stamp) const;

    std::size_t payload_octets_;
    Bytes pool_;
};

// What came of each flow, by sequence number.
class Received {
public:
    explicit Received(std::size_t flows) : flows_(flows) {}

    enum class Arrival : std::uint8_t { New, Duplicate };
    Arrival note(const Stamp& stamp);

    std::uint64_t reordered() const { return reordered_; }

private:
    struct Flow {
        std::vector<std::uint64_t> seen;  // a bit a sequence number
        std::uint32_t highest = 0;
    };
    std::vector<Flow> flows_;
    std::uint64_t reordered_ = 0;
};

}  // namespace stile::bench
