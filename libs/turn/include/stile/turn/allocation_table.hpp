// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/keyed_table.hpp>
#include <stile/base/time.hpp>
#include <stile/stun/attributes/turn.hpp>
#include <stile/stun/integrity.hpp>
#include <stile/stun/transaction_id.hpp>
#include <stile/turn/channel_data.hpp>
#include <stile/turn/client_flow.hpp>
#include <stile/turn/relay.hpp>
#include <stile/turn/token_bucket.hpp>

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace stile::turn {

inline constexpr std::array both_families{AddressFamily::V4, AddressFamily::V6};

// What all relays of one user share.
struct User {
    std::size_t relays = 0;
    TokenBucket bandwidth;
};
using Users = std::map<std::string, User, std::less<>>;

using AllocationIndex = std::uint32_t;

struct Relay {
    enum class State : std::uint8_t {
        Free,
        Opening,   // RelayWanted is out
        Reserved,  // open, and waiting for its token
        Allocated,
    };

    // What a datagram from a peer needs comes first, and together.
    RelayId id;
    State state = State::Free;
    AddressFamily family = AddressFamily::V4;
    std::optional<AllocationIndex> allocation;  // present while Opening (its first) or Allocated
    ClientFlow flow;                            // of the allocation, while Allocated
    std::optional<RelayId> next;                // of EvenAndNext, while Opening
    SocketAddress address;                      // meaningful once open
    Users::iterator user;
    std::optional<Instant> deadline;  // of opening, reservation or lifetime
    stun::ReservationToken token;     // while Reserved
};

// What an Allocate request waits with while its relays open.
struct PendingAllocate {
    Bytes request;
    stun::IntegrityKey key;
    stun::IntegrityKind reply_kind;
    Duration lifetime;
    // In a dual allocation: why a family is missing. RFC 8656 Section 7.2.
    std::array<std::uint16_t, 2> family_error{};
    std::optional<stun::ReservationToken> token;
};

// RFC 8656 Section 6. Permissions and channels are in the tables of AllocationTable; the lists here
// exist to find them all again.
struct Allocation {
    AllocationIndex index = 0;
    ClientFlow flow;
    std::string username;
    stun::TransactionId created_by;
    std::array<std::optional<std::uint32_t>, 2> relays;  // indices, by family
    std::unique_ptr<PendingAllocate> pending;            // absent once answered
    Bytes answer;  // to the Allocate request, kept until the first Refresh shows that it arrived
    std::vector<IpAddress> permissions;
    std::vector<ChannelNumber> channels;

    std::optional<std::uint32_t>& relay_of(AddressFamily family) {
        return relays[static_cast<std::size_t>(family)];
    }
    std::optional<std::uint32_t> relay_of(AddressFamily family) const {
        return relays[static_cast<std::size_t>(family)];
    }
    bool has_relay() const { return relays[0] || relays[1]; }
};

struct Channel {
    SocketAddress peer;
    RelayId relay;
    Instant expires;
};

// The state of a server: allocations by 5-tuple, relays by id and by address, permissions and
// channels. It knows no messages. References stay valid until the entry is removed.
class AllocationTable {
public:
    explicit AllocationTable(HashSeed seed);

    Allocation* find(const ClientFlow& flow);
    std::optional<AllocationIndex> index_of(const ClientFlow& flow) const;
    Allocation& at(AllocationIndex index) { return allocations_[index]; }
    // Requires: find(flow) is null.
    Allocation& create(const ClientFlow& flow, std::string username, stun::TransactionId id);
    // With its permissions and channels. Requires: no relay of it is left.
    void remove(Allocation& allocation);
    std::size_t allocations() const { return allocations_.size() - free_allocations_.size(); }

    // In state Opening, with the deadline.
    Relay& add_relay(AddressFamily family, Users::iterator user, Instant deadline);
    Relay* find(RelayId id);
    Relay& relay_at(std::uint32_t index) { return relays_[index]; }
    // The open relay with this relayed transport address.
    Relay* find_open(const SocketAddress& address);
    // False where another relay is open at that address already.
    bool set_open(Relay& relay, const SocketAddress& address, Relay::State state);
    void set_deadline(Relay& relay, Instant deadline);
    // Takes the relay out of its allocation, with the permissions and channels of its family.
    void remove(Relay& relay);
    std::size_t relays() const { return relays_.size() - free_relays_.size(); }
    // True where a relay was ever open at this IP address.
    bool is_relay_address(const IpAddress& ip) const { return relay_ips_.contains(ip); }

    void set_token(Relay& relay, const stun::ReservationToken& token);
    Relay* find_reserved(const stun::ReservationToken& token);
    // The reserved relay becomes one of the allocation.
    void take_reserved(Relay& relay, Allocation& allocation);

    std::optional<Instant> next_deadline() const;
    Relay* first_expired(Instant now);

    enum class Installed : std::uint8_t { Done, Full };
    // Installs or refreshes. Full: `most` unexpired ones are there.
    Installed install_permission(Allocation& allocation, const IpAddress& peer, Instant now,
                                 std::size_t most);
    bool permits(AllocationIndex allocation, const IpAddress& peer, Instant now) const;

    enum class Bound : std::uint8_t { Done, Conflict, Full };
    // Conflict: the number or the peer is bound otherwise. RFC 8656 Section 12.2.
    Bound bind_channel(Allocation& allocation, ChannelNumber number, const SocketAddress& peer,
                       Instant now, std::size_t most);
    // Unexpired ones only.
    const Channel* find_channel(AllocationIndex allocation, ChannelNumber number,
                                Instant now) const;
    std::optional<ChannelNumber> channel_of(AllocationIndex allocation, const SocketAddress& peer,
                                            Instant now) const;

private:
    void drop_permission(Allocation& allocation, std::size_t position);
    void drop_channel(Allocation& allocation, std::size_t position);
    void drop_expired_permissions(Allocation& allocation, Instant now);
    void drop_expired_channels(Allocation& allocation, Instant now);
    void clear_deadline(Relay& relay);

    // Deques, so that references survive growth.
    std::deque<Allocation> allocations_;
    std::vector<AllocationIndex> free_allocations_;
    std::deque<Relay> relays_;
    std::vector<std::uint32_t> free_relays_;

    KeyedTable<5, AllocationIndex> flows_;
    KeyedTable<3, std::uint32_t> open_relays_;
    KeyedTable<3, Instant> permissions_;
    KeyedTable<1, Channel> channels_;
    // The expiry is there twice, so that one look-up is enough in either direction.
    struct PeerChannel {
        ChannelNumber number;
        Instant expires;
    };
    KeyedTable<3, PeerChannel> channels_by_peer_;
    std::set<std::pair<Instant, std::uint32_t>> deadlines_;
    std::map<stun::ReservationToken, std::uint32_t> tokens_;
    std::set<IpAddress> relay_ips_;  // as many as the host has addresses
};

}  // namespace stile::turn
