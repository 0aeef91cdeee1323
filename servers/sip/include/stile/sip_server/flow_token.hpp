// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/crypto/hmac.hpp>
#include <stile/sip/flow.hpp>

#include <expected>
#include <string>
#include <string_view>

namespace stile::sip_server {

struct ShardId {
    std::uint8_t value = 0;
    friend constexpr auto operator<=>(ShardId, ShardId) = default;
};

// Differs at every start of the server: flow numbers begin anew with it.
struct Epoch {
    std::uint32_t value = 0;
    friend constexpr auto operator<=>(Epoch, Epoch) = default;
};

enum class FlowTokenError : std::uint8_t {
    Tampered,   // not made with our key: 403. RFC 5626 Section 5.3.1
    Outdated,   // of an earlier start: the flow is gone, 430
    Elsewhere,  // of another shard
};

// The user part of our Record-Route and Path URIs: which flow requests of a dialog take. Signed, so
// that nobody can have requests sent to a flow of a choice. RFC 5626 Section 5.2. Base 64 for URLs
// of
//
//   | shard 8 | epoch 32 | flow 64 | HMAC-SHA-256, first 80 bits |
class FlowTokens {
public:
    // Requires: a key of at least 16 octets.
    FlowTokens(BytesView key, ShardId shard, Epoch epoch);

    std::string issue(sip::FlowId flow) const;
    std::expected<sip::FlowId, FlowTokenError> open(std::string_view token) const;

private:
    crypto::Hmac mac_;
    ShardId shard_;
    Epoch epoch_;
};

}  // namespace stile::sip_server
