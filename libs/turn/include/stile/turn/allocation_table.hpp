// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/deadline_queue.hpp>
#include <stile/base/keyed_table.hpp>
#include <stile/base/time.hpp>
#include <stile/stun/attributes/turn.hpp>
#include <stile/stun/integrity.hpp>
#include <stile/stun/transaction_id.hpp>
#include <stile/turn/channel_offload.hpp>
#include <stile/turn/snapshot.hpp>
#include <stile/turn/user_table.hpp>

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace stile::turn {

inline constexpr std::array both_families{AddressFamily::V4, AddressFamily::V6};

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
    RelayProtocol protocol = RelayProtocol::Udp;
    std::optional<AllocationIndex> allocation;  // present while Opening (its first) or Allocated
    ClientFlow flow;                            // of the allocation, while Allocated
    std::optional<RelayId> next;                // of EvenAndNext, while Opening
    SocketAddress address;                      // meaningful once open
    UserTable::Place user;
    std::optional<Instant>
        deadline;                  // of opening, reservation or lifetime; set_deadline changes it
    stun::ReservationToken token;  // while Reserved
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
    enum class Mobility : std::uint8_t { NotAsked, Asked };
    Mobility mobility = Mobility::NotAsked;
};

// RFC 8656 Section 6. Permissions and channels are in the tables of AllocationTable; the lists here
// exist to find them all again.
struct Allocation {
    AllocationIndex index = 0;
    ClientFlow flow;
    std::string username;
    stun::TransactionId created_by;
    RelayProtocol protocol = RelayProtocol::Udp;
    Instant started;
    Traffic traffic;  // but for what its channels count until they end
    std::array<std::optional<std::uint32_t>, 2> relays;  // indices, by family
    std::unique_ptr<PendingAllocate> pending;            // absent once answered
    std::unique_ptr<Mobility> mobility;                  // where the client asked for it
    std::unique_ptr<TokenSession> token;                 // where the client has no account
    Bytes answer;  // to the Allocate request, kept until the first Refresh shows that it arrived
    std::vector<IpAddress> permissions;
    std::vector<ChannelNumber> channels;
    std::vector<ConnectionId> connections;

    std::optional<std::uint32_t>& relay_of(AddressFamily family) {
        return relays[static_cast<std::size_t>(family)];
    }
    std::optional<std::uint32_t> relay_of(AddressFamily family) const {
        return relays[static_cast<std::size_t>(family)];
    }
    bool has_relay() const { return relays[0] || relays[1]; }
};

// The counts stand where a packet's look-up touches memory anyway: to the peer here, to the client
// in PeerChannel.
struct Channel {
    SocketAddress peer;
    RelayId relay;
    std::uint32_t packets = 0;  // of one lifetime, as octets; the rest is in Allocation::traffic
    Instant expires;
    std::uint64_t octets = 0;
};

// The other direction. The expiry is there twice, so that one look-up is enough in either.
struct PeerChannel {
    enum class Path : std::uint8_t { Server, Offloaded };
    ChannelNumber number;
    Path path = Path::Server;
    std::uint32_t packets = 0;
    Instant expires;
    std::uint64_t octets = 0;
};

// The state of a server: allocations by 5-tuple, relays by id and by address, permissions and
// channels. It knows no messages. References stay valid until the entry is removed.
class AllocationTable {
public:
    explicit AllocationTable(HashSeed seed);

    Allocation* find(const ClientFlow& flow);
    // One look-up for data. Arriving: the 5-tuple is Mobility::moving_to.
    enum class Standing : std::uint8_t { Settled, Arriving };
    struct Found {
        AllocationIndex index;
        Standing standing;
    };
    std::optional<Found> look_up(const ClientFlow& flow) const;
    Allocation& at(AllocationIndex index) { return allocations_[index]; }
    // Requires: find(flow) is null.
    Allocation& create(const ClientFlow& flow, std::string username, stun::TransactionId id);
    // With its permissions and channels. Requires: no relay of it is left, and no connection.
    void remove(Allocation& allocation);

    // RFC 8016. Requires: no other allocation has the id.
    void set_mobility(Allocation& allocation, Mobility mobility);
    Allocation* find_mobile(std::uint64_t id);
    // The allocation has both 5-tuples, and no third. Requires: it is mobile, find(to) is null.
    void begin_move(Allocation& allocation, const ClientFlow& to);
    // It has the new one alone. Requires: it is moving.
    void settle_move(Allocation& allocation);
    void cancel_move(Allocation& allocation);
    // The 5-tuple leads to the allocation no more, nor the relays to it. Requires: it is mobile.
    void detach(Allocation& allocation);
    std::size_t allocations() const { return allocations_.size() - free_allocations_.size(); }

    template <class Each>
    void for_each_allocation(Each&& each) const {
        for (const Allocation& allocation : allocations_) {
            if (allocation.has_relay() && !allocation.pending) each(allocation);
        }
    }
    template <class Each>
    void for_each_relay(Each&& each) const {
        for (const Relay& relay : relays_) each(relay);
    }

    // In state Opening, with the deadline.
    Relay& add_relay(AddressFamily family, RelayProtocol protocol, UserTable::Place user,
                     Instant deadline);
    Relay* find(RelayId id);
    Relay& relay_at(std::uint32_t index) { return relays_[index]; }
    const Relay& relay_at(std::uint32_t index) const { return relays_[index]; }
    // Open at the place that the id names, as another process had it. Absent where the place or the
    // address is taken, or too far. After the last one: finish_restoring, before any other.
    Relay* restore_relay(RelayId id, RelayProtocol protocol, const SocketAddress& address,
                         UserTable::Place user, Relay::State state, Instant deadline);
    void finish_restoring();
    // The open relay with this relayed transport address.
    Relay* find_open(const SocketAddress& address, RelayProtocol protocol);
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

    std::optional<Instant> next_deadline() const { return deadlines_.next(); }
    Relay* first_expired(Instant now);

    // Whether all of `peers` can have permissions: with them, at most `most` unexpired ones are
    // there. Nothing is installed, but what has expired makes room. Requires: no peer is there
    // twice.
    bool has_room_for(Allocation& allocation, std::span<const IpAddress> peers, Instant now,
                      std::size_t most);
    // Installs or refreshes.
    void install_permission(Allocation& allocation, const IpAddress& peer, Instant now);
    bool permits(AllocationIndex allocation, const IpAddress& peer, Instant now) const;
    // Empty where there is none or it has expired.
    std::optional<Instant> permitted_until(AllocationIndex allocation, const IpAddress& peer,
                                           Instant now) const;

    enum class Bound : std::uint8_t { Done, Conflict, Full };
    // Whether bind_channel can be called next, with the same arguments: nothing is bound, but what
    // has expired makes room. Conflict: the number or the peer is bound otherwise. RFC 8656
    // Section 12.2.
    Bound prepare_channel(Allocation& allocation, ChannelNumber number, const SocketAddress& peer,
                          Instant now, std::size_t most);
    // Binds, or refreshes. Requires: prepare_channel said Done.
    void bind_channel(Allocation& allocation, ChannelNumber number, const SocketAddress& peer,
                      Instant now);
    // As another process had them, once each.
    void restore_permission(Allocation& allocation, const IpAddress& peer, Instant expires);
    void restore_channel(Allocation& allocation, ChannelNumber number, const SocketAddress& peer,
                         Instant expires);
    // Unexpired ones only.
    Channel* find_channel(AllocationIndex allocation, ChannelNumber number, Instant now);
    const Channel* find_channel(AllocationIndex allocation, ChannelNumber number,
                                Instant now) const;
    PeerChannel* find_channel_of(AllocationIndex allocation, const SocketAddress& peer,
                                 Instant now);
    // Channels that were dropped while they were offloaded, since the last call.
    std::vector<ChannelClosed> take_withdrawn() { return std::exchange(withdrawn_, {}); }
    // With what its channels count.
    Traffic traffic_of(const Allocation& allocation) const;

private:
    void fold_traffic(Allocation& allocation, Channel& channel, PeerChannel& back);
    void drop_permission(Allocation& allocation, std::size_t position);
    void drop_channel(Allocation& allocation, std::size_t position);
    void drop_expired_permissions(Allocation& allocation, Instant now);
    void drop_expired_channels(Allocation& allocation, Instant now);
    void erase_flow(const ClientFlow& flow, AllocationIndex index);

    // Deques, so that references survive growth.
    std::deque<Allocation> allocations_;
    std::vector<AllocationIndex> free_allocations_;
    std::deque<Relay> relays_;
    std::vector<std::uint32_t> free_relays_;

    KeyedTable<5, AllocationIndex> flows_;
    KeyedTable<3, std::uint32_t> open_relays_;
    KeyedTable<3, Instant> permissions_;
    KeyedTable<1, Channel> channels_;
    KeyedTable<3, PeerChannel> channels_by_peer_;
    DeadlineQueue<std::uint32_t> deadlines_;
    std::map<stun::ReservationToken, std::uint32_t> tokens_;
    std::vector<ChannelClosed> withdrawn_;
    std::map<std::uint64_t, AllocationIndex> mobile_;
    std::set<IpAddress> relay_ips_;  // as many as the host has addresses
};

}  // namespace stile::turn
