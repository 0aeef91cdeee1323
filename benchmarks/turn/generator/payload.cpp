// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "payload.hpp"

#include <algorithm>
#include <cstring>

namespace stile::bench {
namespace {

constexpr std::size_t pool_starts = 1U << 16U;

}  // namespace

PayloadMaker::PayloadMaker(std::size_t payload_octets)
    : payload_octets_(payload_octets), pool_(pool_starts + payload_octets) {
    std::uint32_t state = 0x9E3779B9;  // xorshift: it need not be unpredictable
    for (std::byte& octet : pool_) {
        state ^= state << 13U;
        state ^= state >> 17U;
        state ^= state << 5U;
        octet = static_cast<std::byte>(state);
    }
}

BytesView PayloadMaker::pattern(const Stamp& stamp) const {
    const std::size_t start = (stamp.flow * 7919U + stamp.sequence * 31U) % pool_starts;
    return BytesView{pool_}.subspan(start, payload_octets_ - sizeof(Stamp));
}

void PayloadMaker::write(MutableBytes payload, const Stamp& stamp) const {
    std::memcpy(payload.data(), &stamp, sizeof stamp);
    std::ranges::copy(pattern(stamp), payload.begin() + sizeof stamp);
}

std::optional<Stamp> PayloadMaker::read(BytesView payload) const {
    if (payload.size() != payload_octets_) return std::nullopt;
    Stamp stamp;
    std::memcpy(&stamp, payload.data(), sizeof stamp);
    const BytesView expected = pattern(stamp);
    if (std::memcmp(payload.data() + sizeof stamp, expected.data(), expected.size()) != 0) {
        return std::nullopt;
    }
    return stamp;
}

Received::Arrival Received::note(const Stamp& stamp) {
    Flow& flow = flows_[stamp.flow];
    const std::size_t word = stamp.sequence / 64;
    if (word >= flow.seen.size()) flow.seen.resize(std::max(word + 1, 2 * flow.seen.size()));
    const std::uint64_t bit = std::uint64_t{1} << (stamp.sequence % 64);
    if ((flow.seen[word] & bit) != 0) return Arrival::Duplicate;
    flow.seen[word] |= bit;
    if (stamp.sequence < flow.highest) ++reordered_;
    flow.highest = std::max(flow.highest, stamp.sequence);
    return Arrival::New;
}

}  // namespace stile::bench
