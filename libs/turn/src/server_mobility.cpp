// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Clients that move. RFC 8016.
#include <stile/turn/server.hpp>

#include <stile/base/byte_reader.hpp>

#include <algorithm>
#include <utility>

namespace stile::turn {
namespace {

namespace error = stun::error;
using crypto::AesGcm;

// | shard | nonce | { id | serial } encrypted, with its tag |
constexpr std::size_t ticket_octets = 1 + AesGcm::nonce_octets + 8 + 4 + AesGcm::tag_octets;

}  // namespace

struct Server::Ticket {
    std::uint64_t id = 0;
    std::uint32_t serial = 0;
};

Bytes Server::make_ticket(const Mobility& mobility) {
    Bytes plain;
    ByteWriter writer{plain};
    writer.u64(mobility.id);
    writer.u32(mobility.serial);
    const auto nonce = random_.array<AesGcm::nonce_octets>();
    Bytes ticket{std::byte{config_.shard}};
    ByteWriter sealed{ticket};
    sealed.bytes(nonce);
    sealed.bytes(ticket_key_.seal(nonce, BytesView{ticket}.first(1), plain));
    return ticket;
}

std::optional<Server::Ticket> Server::open_ticket(BytesView ticket) const {
    if (ticket.size() != ticket_octets) return std::nullopt;
    ByteReader reader{ticket};
    const BytesView shard = reader.bytes(1);
    AesGcm::Nonce nonce{};
    std::ranges::copy(reader.bytes(nonce.size()), nonce.begin());
    const auto plain = ticket_key_.open(nonce, shard, reader.rest());
    if (!plain) return std::nullopt;
    ByteReader fields{*plain};
    const std::uint64_t id = fields.u64();
    return Ticket{.id = id, .serial = fields.u32()};
}

// Whoever an authorization server knows has the same kid, and tickets travel in the clear.
bool Server::is_owner(const Verified& verified, const Allocation& allocation) {
    if (allocation.username != verified.username) return false;
    if (!allocation.token || !verified.token) return !allocation.token && !verified.token;
    return crypto::equal_in_constant_time(allocation.token->mac_key, verified.token->mac_key);
}

// Section 3.2.2, in its order; that the user is the same was not known before either.
void Server::handle_moving_refresh(Instant now, const Verified& verified, BytesView sealed) {
    if (config_.mobility == Offer::NotOffered) return refuse(verified, error::mobility_forbidden);
    const auto ticket = open_ticket(sealed);
    if (!ticket) return refuse(verified, error::bad_request);
    Allocation* allocation = table_.find_mobile(ticket->id);
    if (allocation == nullptr) return refuse(verified, error::allocation_mismatch);
    if (!is_owner(verified, *allocation)) return refuse(verified, error::wrong_credentials);
    const Mobility& mobility = *allocation->mobility;
    const Allocation* here = table_.find(verified.flow);
    if (ticket->serial != mobility.serial) {
        const bool retransmitted = ticket->serial + 1 == mobility.serial && here == allocation &&
                                   mobility.moved_by == verified.request.id() &&
                                   now < mobility.moved_at + old_ticket_time;
        if (!retransmitted) return refuse(verified, error::bad_request);
        return queue(verified.flow, mobility.answer, Trust::Authenticated);
    }
    if (here == allocation) return refuse(verified, error::bad_request);
    if (here != nullptr) return refuse(verified, error::allocation_mismatch);
    if (allocation->protocol == RelayProtocol::Tcp && !is_stream(verified.flow.transport)) {
        return refuse(verified, error::bad_request);
    }
    refresh(now, verified, *allocation, Client::Moves);
}

void Server::settle_move(Instant now, Allocation& allocation) {
    const ClientFlow from = allocation.flow;
    table_.settle_move(allocation);
    events_.push_back(AllocationMoved{.from = from, .to = allocation.flow});
    if (config_.offload == Offer::Offered) offer_moved_channels(now, allocation);
}

}  // namespace stile::turn
