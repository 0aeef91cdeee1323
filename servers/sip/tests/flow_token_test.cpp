// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/sip_server/flow_token.hpp>

namespace stile::sip_server {
namespace {

const Bytes key(20, std::byte{1});

TEST_CASE("sip flow token: gives back its flow") {
    const FlowTokens tokens{key, ShardId{3}, Epoch{77}};
    const std::string token = tokens.issue({0x0123'4567'89AB'CDEF});
    CHECK(token.size() == 31);
    CHECK(tokens.open(token) == sip::FlowId{0x0123'4567'89AB'CDEF});
}

TEST_CASE("sip flow token: every changed character is noticed") {
    const FlowTokens tokens{key, ShardId{3}, Epoch{77}};
    const std::string token = tokens.issue({42});
    for (std::size_t i = 0; i < token.size(); ++i) {
        CAPTURE(i);
        std::string changed = token;
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        CHECK(tokens.open(changed).error() == FlowTokenError::Tampered);
    }
    for (const std::string_view text : {"", "A", "alice", "%%%"}) {
        CHECK(tokens.open(text).error() == FlowTokenError::Tampered);
    }
}

TEST_CASE("sip flow token: of another start, another shard, another key") {
    const FlowTokens tokens{key, ShardId{3}, Epoch{77}};
    const std::string token = tokens.issue({42});
    CHECK(FlowTokens(key, ShardId{3}, Epoch{78}).open(token).error() == FlowTokenError::Outdated);
    CHECK(FlowTokens(key, ShardId{4}, Epoch{77}).open(token).error() == FlowTokenError::Elsewhere);
    CHECK(FlowTokens(Bytes(20, std::byte{2}), ShardId{3}, Epoch{77}).open(token).error() ==
          FlowTokenError::Tampered);
}

}  // namespace
}  // namespace stile::sip_server
