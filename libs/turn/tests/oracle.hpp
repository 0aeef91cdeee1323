// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <doctest/doctest.h>
#include <stile/base/machine.hpp>
#include <stile/stun/attributes.hpp>
#include <stile/stun/message_view.hpp>
#include <stile/turn/server.hpp>

#include <map>
#include <set>
#include <string>

namespace stile::turn::test {

// What RFC 8656 and RFC 6062 say must come of what is seen on the wire, worked out a second time
// without the tables, queues and limits of the library: a few maps and absolute times, with the
// RFCs' own numbers. It is told every message that a server gets and gives, and every relay and
// connection that its driver opens and closes.
class Oracle {
public:
    static constexpr std::chrono::seconds permission_time{300};  // RFC 8656 Section 9
    static constexpr std::chrono::seconds channel_time{600};     // RFC 8656 Section 12
    static constexpr std::chrono::seconds least_lifetime{600};   // RFC 8656 Section 7.2
    static constexpr std::chrono::seconds most_lifetime{3600};   // the same, as configured
    static constexpr std::chrono::seconds reserved_at_least{30};
    static constexpr std::chrono::seconds bind_time{30};  // RFC 6062 Section 5.2

    struct Channel {
        SocketAddress peer;
        Instant until;
    };
    struct Allocation {
        std::string user;
        RelayProtocol protocol = RelayProtocol::Udp;
        SocketAddress relayed;
        Instant until;
        stun::TransactionId made_by;
        std::map<IpAddress, Instant> permissions;
        std::map<std::uint16_t, Channel> channels;
    };
    struct Connection {
        ClientFlow control;
        SocketAddress peer;
        std::string user;
        std::optional<Instant> until;  // absent once joined
    };
    struct Delivery {
        enum class Kind : std::uint8_t { Nothing, Peer, Client };
        Kind kind = Kind::Nothing;
        SocketAddress peer;  // where it goes; of a relay, who sent it
        ClientFlow flow;
        std::optional<std::uint16_t> channel;  // of the message to a client
    };

    explicit Oracle(std::chrono::seconds nonce_lifetime) : nonce_lifetime_(nonce_lifetime) {}

    // ---- time: what has ended by now is gone.
    void advance(Instant now) {
        for (auto each = allocations_.begin(); each != allocations_.end();) {
            if (now < each->second.until) {
                ++each;
                continue;
            }
            end_connections(each->first);
            each = allocations_.erase(each);
        }
        std::erase_if(connections_, [&](const auto& each) {
            return each.second.until && now >= *each.second.until;
        });
    }

    // ---- requests
    // Whether this answer to this request is right; takes over what follows from it.
    // `user` is whose password signed it, empty for none.
    void judge(Instant now, const ClientFlow& flow, const stun::MessageView& request,
               const std::string& user, const stun::MessageView& response) {
        const unsigned code = code_of(response);
        CAPTURE(static_cast<unsigned>(request.method()));
        CAPTURE(code);
        judge_nonce(now, request, response, code);
        if (code == 401 || code == 438) return;
        REQUIRE_FALSE(user.empty());
        switch (request.method()) {
            case stun::Method::Allocate:
                return judge_allocate(now, flow, request, user, response, code);
            case stun::Method::Refresh:
                return judge_refresh(now, flow, request, user, response, code);
            case stun::Method::CreatePermission:
                return judge_permission(now, flow, request, user, code);
            case stun::Method::ChannelBind:
                return judge_channel(now, flow, request, user, code);
            case stun::Method::Connect:
                return judge_connect(now, flow, request, user, response, code);
            case stun::Method::ConnectionBind:
                return judge_bind(flow, request, user, code);
            default:
                FAIL("no method of TURN");
        }
    }

    // ---- data
    Delivery from_client(Instant now, const ClientFlow& flow, BytesView message) const {
        const auto found = allocations_.find(flow);
        if (found == allocations_.end() || now >= found->second.until) return {};
        const Allocation& allocation = found->second;
        if (allocation.protocol == RelayProtocol::Tcp) return {};
        if (looks_like_channel_data(message)) {
            const auto number =
                static_cast<std::uint16_t>(std::to_integer<unsigned>(message[0]) * 256 +
                                           std::to_integer<unsigned>(message[1]));
            const auto channel = allocation.channels.find(number);
            if (channel == allocation.channels.end() || now >= channel->second.until) return {};
            return onwards(now, allocation, channel->second.peer);
        }
        const auto indication = stun::MessageView::parse(message);
        if (!indication) return {};
        const auto peer = indication->get<stun::XorPeerAddress>();
        if (!peer || !indication->has(stun::AttributeType::Data)) return {};
        if (!permits(now, allocation, peer->address.ip)) return {};
        return onwards(now, allocation, peer->address);
    }
    Delivery from_peer(Instant now, const SocketAddress& relayed, const SocketAddress& peer) const {
        for (const auto& [flow, allocation] : allocations_) {
            if (allocation.relayed != relayed || now >= allocation.until) continue;
            if (!permits(now, allocation, peer.ip)) return {};
            return {.kind = Delivery::Kind::Client,
                    .peer = peer,
                    .flow = flow,
                    .channel = channel_of(now, allocation, peer)};
        }
        return {};
    }

    // ---- TCP relays
    // RFC 6062 Section 5.3: accepted exactly with a permission.
    bool accepts(Instant now, const SocketAddress& relayed, const SocketAddress& peer) const {
        return from_peer(now, relayed, peer).kind == Delivery::Kind::Client;
    }
    void accepted(Instant now, const SocketAddress& relayed, const SocketAddress& peer,
                  std::uint32_t id) {
        for (const auto& [flow, allocation] : allocations_) {
            if (allocation.relayed != relayed) continue;
            CHECK_FALSE(connections_.contains(id));
            connections_[id] = {flow, peer, allocation.user, now + bind_time};
        }
    }
    void end_flow(const ClientFlow& flow) {
        end_connections(flow);
        allocations_.erase(flow);
    }
    const Allocation* find(const ClientFlow& flow) const {
        const auto found = allocations_.find(flow);
        return found == allocations_.end() ? nullptr : &found->second;
    }
    std::size_t allocations() const { return allocations_.size(); }
    const std::map<ClientFlow, Allocation>& all() const { return allocations_; }
    // The driver opened it for the allocation that is answered next.
    std::optional<SocketAddress> opened;
    enum class Ports : std::uint8_t { Available, None };
    Ports ports = Ports::Available;
    enum class Peers : std::uint8_t { Answer, Refuse };
    Peers peers = Peers::Answer;

    // When something ends.
    std::optional<Instant> next() const {
        std::optional<Instant> first;
        for (const auto& [flow, allocation] : allocations_)
            first = earlier(first, allocation.until);
        for (const auto& [id, connection] : connections_) first = earlier(first, connection.until);
        return first;
    }
    std::set<std::uint32_t> connection_ids() const {
        std::set<std::uint32_t> ids;
        for (const auto& [id, connection] : connections_) ids.insert(id);
        return ids;
    }

    static unsigned code_of(const stun::MessageView& response) {
        if (response.message_class() == stun::Class::SuccessResponse) return 0;
        const auto error = response.get<stun::ErrorCode>();
        return error ? error->code : 1;
    }

private:
    static bool permits(Instant now, const Allocation& allocation, const IpAddress& peer) {
        const auto permission = allocation.permissions.find(peer);
        return permission != allocation.permissions.end() && now < permission->second;
    }
    static std::optional<std::uint16_t> channel_of(Instant now, const Allocation& allocation,
                                                   const SocketAddress& peer) {
        for (const auto& [number, channel] : allocation.channels) {
            if (channel.peer == peer && now < channel.until) return number;
        }
        return std::nullopt;
    }
    // To a peer, or, where that is another allocation's relay, to its client, if it may.
    Delivery onwards(Instant now, const Allocation& from, const SocketAddress& peer) const {
        for (const auto& [flow, allocation] : allocations_) {
            if (allocation.relayed == peer && allocation.protocol == RelayProtocol::Udp) {
                return from_peer(now, peer, from.relayed);
            }
        }
        if (is_own(peer.ip)) return {};
        return {.kind = Delivery::Kind::Peer, .peer = peer, .flow = {}, .channel = {}};
    }
    bool is_relay(const SocketAddress& address, RelayProtocol protocol) const {
        for (const auto& [flow, allocation] : allocations_) {
            if (allocation.relayed == address && allocation.protocol == protocol) return true;
        }
        return false;
    }

    // RFC 8489 Section 9.2.4: a nonce holds for its lifetime, and a stale one is told.
    void judge_nonce(Instant now, const stun::MessageView& request,
                     const stun::MessageView& response, unsigned code) {
        if (const auto fresh = response.get<stun::Nonce>()) {
            nonces_.emplace(std::string{fresh->text}, now);
        }
        const auto used = request.get<stun::Nonce>();
        if (!used || code == 401) return;
        const auto issued = nonces_.find(std::string{used->text});
        REQUIRE(issued != nonces_.end());
        // They are made by the second.
        constexpr std::chrono::seconds grain{1};
        if (code == 438) {
            CHECK(now - issued->second >= nonce_lifetime_ - grain);
        } else {
            CHECK(now - issued->second <= nonce_lifetime_ + grain);
        }
    }
    void judge_allocate(Instant now, const ClientFlow& flow, const stun::MessageView& request,
                        const std::string& user, const stun::MessageView& response, unsigned code) {
        if (const Allocation* there = find(flow)) {
            // RFC 8656 Section 7.2: a retransmission is no mismatch. Whether the server still keeps
            // the answer is its own matter.
            const bool same = there->made_by == request.id() && there->user == user;
            CHECK((code == 437 || (same && code == 0)));
            return;
        }
        const auto token = request.get<stun::ReservationToken>();
        if (token) return judge_reserved(now, flow, request, user, response, code);
        if (ports == Ports::None) {
            CHECK(code == 508);
            return;
        }
        REQUIRE(code == 0);
        REQUIRE(opened);
        const auto relayed = response.get<stun::XorRelayedAddress>().value().address;
        CHECK(relayed == *opened);
        CHECK(response.get<stun::XorMappedAddress>().value().address == flow.remote);
        const auto even = request.get<stun::EvenPort>();
        if (even) CHECK(relayed.port.value % 2 == 0);
        const auto reserved = response.get<stun::ReservationToken>();
        CHECK(reserved.has_value() == (even && even->next == stun::EvenPort::Next::Reserve));
        if (reserved) {
            SocketAddress next = relayed;
            ++next.port.value;
            reservations_[*reserved] = {next, user, now};
        }
        add(now, flow, request, user, response, relayed);
    }
    void judge_reserved(Instant now, const ClientFlow& flow, const stun::MessageView& request,
                        const std::string& user, const stun::MessageView& response, unsigned code) {
        const auto token = request.get<stun::ReservationToken>().value();
        const auto found = reservations_.find(token);
        const bool mine = found != reservations_.end() && found->second.user == user;
        if (mine && now - found->second.made < reserved_at_least) CHECK(code == 0);
        if (!mine) CHECK(code != 0);
        if (code != 0) {
            CHECK(code == 508);
            return;
        }
        const auto relayed = response.get<stun::XorRelayedAddress>().value().address;
        CHECK(relayed == found->second.address);
        reservations_.erase(found);
        add(now, flow, request, user, response, relayed);
    }
    void add(Instant now, const ClientFlow& flow, const stun::MessageView& request,
             const std::string& user, const stun::MessageView& response,
             const SocketAddress& relayed) {
        const auto transport = request.get<stun::RequestedTransport>().value();
        const bool tcp = transport.protocol == stun::RequestedTransport::tcp;
        allocations_[flow] = {.user = user,
                              .protocol = tcp ? RelayProtocol::Tcp : RelayProtocol::Udp,
                              .relayed = relayed,
                              .until = now + granted(request, response),
                              .made_by = request.id(),
                              .permissions = {},
                              .channels = {}};
    }
    // RFC 8656 Section 7.2: at least the default, at most the limit, the default if nothing is
    // asked.
    static std::chrono::seconds granted(const stun::MessageView& request,
                                        const stun::MessageView& response) {
        const auto asked = request.get<stun::Lifetime>();
        const auto lifetime = response.get<stun::Lifetime>();
        REQUIRE(lifetime);
        const auto right = asked ? std::clamp(asked->value, least_lifetime, most_lifetime)
                                 : std::chrono::seconds{least_lifetime};
        CHECK(lifetime->value == right);
        return right;
    }
    // Of all but Allocate: 437 without allocation, 441 for another's. RFC 8656 Section 5.
    Allocation* judge_owner(const ClientFlow& flow, const std::string& user, unsigned code) {
        const auto found = allocations_.find(flow);
        if (found == allocations_.end()) {
            CHECK(code == 437);
            return nullptr;
        }
        if (found->second.user != user) {
            CHECK(code == 441);
            return nullptr;
        }
        return &found->second;
    }
    void judge_refresh(Instant now, const ClientFlow& flow, const stun::MessageView& request,
                       const std::string& user, const stun::MessageView& response, unsigned code) {
        Allocation* allocation = judge_owner(flow, user, code);
        if (allocation == nullptr) return;
        CHECK(code == 0);
        const auto asked = request.get<stun::Lifetime>();
        if (asked && asked->value.count() == 0) {
            CHECK(response.get<stun::Lifetime>().value().value.count() == 0);
            return end_flow(flow);
        }
        allocation->until = now + granted(request, response);
    }
    static bool is_own(const IpAddress& ip) { return ip == IpAddress::parse("192.0.2.1").value(); }
    static bool is_private(const IpAddress& ip) {
        return ip == IpAddress::parse("10.0.0.1").value();
    }
    void judge_permission(Instant now, const ClientFlow& flow, const stun::MessageView& request,
                          const std::string& user, unsigned code) {
        Allocation* allocation = judge_owner(flow, user, code);
        if (allocation == nullptr) return;
        const auto peer = request.get<stun::XorPeerAddress>().value().address.ip;
        if (is_private(peer)) {
            CHECK(code == 403);
        } else if (peer.is_v6()) {
            CHECK(code == 443);
        } else {
            CHECK(code == 0);
            allocation->permissions[peer] = now + permission_time;
        }
    }
    void judge_channel(Instant now, const ClientFlow& flow, const stun::MessageView& request,
                       const std::string& user, unsigned code) {
        Allocation* allocation = judge_owner(flow, user, code);
        if (allocation == nullptr) return;
        const auto number = request.get<stun::ChannelNumberAttribute>().value().number;
        const auto peer = request.get<stun::XorPeerAddress>().value().address;
        std::erase_if(allocation->channels,
                      [&](const auto& each) { return now >= each.second.until; });
        const auto there = allocation->channels.find(number);
        const auto other = channel_of(now, *allocation, peer);
        const bool clash = (there != allocation->channels.end() && there->second.peer != peer) ||
                           (other && *other != number);
        if (number < 0x4000 || number > 0x4FFF || clash ||
            allocation->protocol == RelayProtocol::Tcp) {
            CHECK((code == 400 || code == 403 || code == 443));
        } else if (is_private(peer.ip) ||
                   (is_own(peer.ip) && !is_relay(peer, RelayProtocol::Udp))) {
            CHECK(code == 403);
        } else if (peer.ip.is_v6()) {
            CHECK(code == 443);
        } else {
            CHECK(code == 0);
            allocation->channels[number] = {peer, now + channel_time};
            allocation->permissions[peer.ip] = now + permission_time;
        }
    }
    void judge_connect(Instant now, const ClientFlow& flow, const stun::MessageView& request,
                       const std::string& user, const stun::MessageView& response, unsigned code) {
        const Allocation* allocation = judge_owner(flow, user, code);
        if (allocation == nullptr) return;
        if (allocation->protocol == RelayProtocol::Udp) {
            CHECK((code == 400 || code == 437 || code == 403));
            return;
        }
        const auto peer = request.get<stun::XorPeerAddress>().value().address;
        for (const auto& [id, connection] : connections_) {
            if (connection.control == flow && connection.peer == peer) {
                CHECK(code == 446);
                return;
            }
        }
        if (is_private(peer.ip) || (is_own(peer.ip) && !is_relay(peer, RelayProtocol::Tcp))) {
            CHECK(code == 403);
            return;
        }
        if (peers == Peers::Refuse) {
            CHECK(code == 447);
            return;
        }
        CHECK(code == 0);
        const auto id = response.get<stun::ConnectionId>().value().value;
        CHECK_FALSE(connections_.contains(id));
        connections_[id] = {flow, peer, user, now + bind_time};
    }
    void judge_bind(const ClientFlow& flow, const stun::MessageView& request,
                    const std::string& user, unsigned code) {
        const auto found = connections_.find(request.get<stun::ConnectionId>().value().value);
        if (found == connections_.end() || !found->second.until || find(flow) != nullptr) {
            CHECK(code == 400);
        } else if (found->second.user != user) {
            CHECK((code == 441 || code == 400));
        } else {
            CHECK(code == 0);
            found->second.until.reset();
        }
    }
    void end_connections(const ClientFlow& flow) {
        std::erase_if(connections_, [&](const auto& each) { return each.second.control == flow; });
    }

    struct Reservation {
        SocketAddress address;
        std::string user;
        Instant made;
    };
    std::chrono::seconds nonce_lifetime_;
    std::map<ClientFlow, Allocation> allocations_;
    std::map<stun::ReservationToken, Reservation> reservations_;
    std::map<std::uint32_t, Connection> connections_;
    std::map<std::string, Instant> nonces_;
};

}  // namespace stile::turn::test
