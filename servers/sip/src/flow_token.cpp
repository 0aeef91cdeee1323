// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sip_server/flow_token.hpp>

#include <stile/base/assert.hpp>
#include <stile/base/byte_reader.hpp>
#include <stile/base/byte_writer.hpp>
#include <stile/base/encoding.hpp>

namespace stile::sip_server {

namespace {

constexpr std::size_t body_octets = 1 + 4 + 8;
constexpr std::size_t tag_octets = 10;

}  // namespace

FlowTokens::FlowTokens(BytesView key, ShardId shard, Epoch epoch)
    : mac_(crypto::DigestAlgorithm::Sha256, key), shard_(shard), epoch_(epoch) {
    STILE_ASSERT(key.size() >= 16);
}

std::string FlowTokens::issue(sip::FlowId flow) const {
    Bytes octets;
    ByteWriter writer{octets};
    writer.u8(shard_.value);
    writer.u32(epoch_.value);
    writer.u64(flow.value);
    const crypto::Digest tag = mac_.tag(octets);
    writer.bytes(tag.bytes().first(tag_octets));
    return to_base64url(octets);
}

std::expected<sip::FlowId, FlowTokenError> FlowTokens::open(std::string_view token) const {
    const auto octets = from_base64url(token);
    if (!octets || octets->size() != body_octets + tag_octets) {
        return std::unexpected(FlowTokenError::Tampered);
    }
    const BytesView whole{*octets};
    const crypto::Digest tag = mac_.tag(whole.first(body_octets));
    if (!crypto::equal_in_constant_time(tag.bytes().first(tag_octets),
                                        whole.subspan(body_octets))) {
        return std::unexpected(FlowTokenError::Tampered);
    }
    ByteReader reader{whole};
    const ShardId shard{reader.u8()};
    const Epoch epoch{reader.u32()};
    const sip::FlowId flow{reader.u64()};
    if (epoch != epoch_) return std::unexpected(FlowTokenError::Outdated);
    if (shard != shard_) return std::unexpected(FlowTokenError::Elsewhere);
    return flow;
}

}  // namespace stile::sip_server
