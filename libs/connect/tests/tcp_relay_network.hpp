// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support.hpp"

#include <stile/turn/stream_framing.hpp>

#include <map>

namespace stile::connect::test {

inline const SocketAddress tcp_server = *SocketAddress::parse("198.51.100.2:3478");
inline const SocketAddress tcp_relayed = *SocketAddress::parse("198.51.100.2:50000");
inline const SocketAddress tcp_peer = *SocketAddress::parse("203.0.113.1:6000");

// Two sides between which nothing passes but TCP through one server that knows RFC 6062, which is
// the left one's. Delays are none, answers come in whatever pieces.
class TcpRelayNetwork {
public:
    TcpRelayNetwork(Driven& one, Driven& other, std::uint64_t seed)
        : left(one), right(other), random_(random(seed)) {}

    Driven& left;
    Driven& right;
    // What the server does with requests of a method, and of which it has had how many.
    std::map<stun::Method, stun::ErrorCode> refuses;
    std::map<stun::Method, std::size_t> silent_for;  // the next so many
    std::map<stun::Method, std::size_t> requests;
    std::vector<SocketAddress> dead_servers;  // never connected to
    enum class Data : std::uint8_t { Admitted, Ignored };
    Data left_data = Data::Admitted;  // whether its streams for data are opened

    std::size_t joined() const {
        return static_cast<std::size_t>(
            std::ranges::count_if(links_, [](const Link& link) { return link.is_bound; }));
    }

    void run(Duration time) {
        const Instant end = left.now + time;
        for (;;) {
            while (step()) {
            }
            const auto wake = earlier(left.settle(), right.settle());
            if (!wake || *wake > end) break;
            for (Driven* side : {&left, &right}) {
                side->now = std::max(side->now, *wake);
                side->connector.handle_timeout(side->now);
            }
        }
        left.now = right.now = end;
    }
    // The connection for control ends, and with it all others.
    void cut_control() {
        REQUIRE(control_);
        left.connector.handle_stream_closed(left.now, *std::exchange(control_, {}));
    }
    void cut_data() {
        for (const Link& link : std::exchange(links_, {})) {
            if (link.left) left.connector.handle_stream_closed(left.now, *link.left);
            right.connector.handle_stream_closed(right.now, link.right);
        }
    }
    // A peer that does nothing but connect, from there.
    void attempt(const SocketAddress& from) {
        stun::MessageBuilder builder{stun::Class::Indication, stun::Method::ConnectionAttempt, {}};
        builder.add(stun::XorPeerAddress{from}).add(stun::ConnectionId{++last_connection_});
        tell(*control_, builder.finish());
    }

private:
    struct Link {
        std::uint32_t connection;
        StreamId right;
        std::optional<StreamId> left = {};
        bool is_bound = false;
        Bytes waiting = {};  // of the right one, until it is bound
    };

    bool step() {
        left.settle();
        right.settle();
        bool happened = false;
        for (; left_events_ < left.events.size(); ++left_events_, happened = true) {
            const Event event = left.events[left_events_];
            if (const auto* wanted = std::get_if<StreamWanted>(&event)) open_left(*wanted);
            if (const auto* gone = std::get_if<StreamUnwanted>(&event)) close_left(gone->stream);
        }
        for (; right_events_ < right.events.size(); ++right_events_, happened = true) {
            const Event event = right.events[right_events_];
            if (const auto* wanted = std::get_if<StreamWanted>(&event)) open_right(*wanted);
            if (const auto* gone = std::get_if<StreamUnwanted>(&event)) close_right(gone->stream);
        }
        for (; left_written_ < left.written.size(); ++left_written_, happened = true) {
            const SentOnStream sent = left.written[left_written_];
            take_left(sent.stream, sent.octets);
        }
        for (; right_written_ < right.written.size(); ++right_written_, happened = true) {
            const SentOnStream sent = right.written[right_written_];
            take_right(sent.stream, sent.octets);
        }
        return happened;
    }

    void open_left(const StreamWanted& wanted) {
        if (std::ranges::find(dead_servers, wanted.path.remote) != dead_servers.end()) return;
        if (wanted.path.remote.ip != tcp_server.ip) {
            return left.connector.handle_stream_failed(left.now, wanted.stream,
                                                       ice::ConnectFailure::TimedOut);
        }
        if (control_ && left_data == Data::Ignored) return;
        SocketAddress local = wanted.path.local;
        local.port = Port{next_port_++};
        left.connector.handle_stream_opened(left.now, wanted.stream, {local, wanted.path.remote});
    }

    void open_right(const StreamWanted& wanted) {
        if (wanted.path.remote != tcp_relayed || !control_) {
            return right.connector.handle_stream_failed(right.now, wanted.stream,
                                                        ice::ConnectFailure::TimedOut);
        }
        SocketAddress local = wanted.path.local;
        local.port = Port{next_port_++};
        attempt(local);
        links_.push_back({.connection = last_connection_, .right = wanted.stream});
        right.connector.handle_stream_opened(right.now, wanted.stream, {local, tcp_relayed});
    }

    void close_left(StreamId stream) {
        if (control_ == stream) control_.reset();
        const auto link = std::ranges::find(links_, std::optional{stream}, &Link::left);
        if (link == links_.end()) return;
        const StreamId other = link->right;
        links_.erase(link);
        right.connector.handle_stream_closed(right.now, other);
    }
    void close_right(StreamId stream) {
        const auto link = std::ranges::find(links_, stream, &Link::right);
        if (link == links_.end()) return;
        const auto other = link->left;
        links_.erase(link);
        if (other) left.connector.handle_stream_closed(left.now, *other);
    }

    void take_left(StreamId stream, BytesView octets) {
        const auto link = std::ranges::find(links_, std::optional{stream}, &Link::left);
        if (link != links_.end() && link->is_bound) {
            return carry(right, link->right, octets);
        }
        const auto size = turn::framed_size(octets);
        REQUIRE(size.value_or(0) == octets.size());  // one request a write
        answer(stream, octets);
    }
    void take_right(StreamId stream, BytesView octets) {
        const auto link = std::ranges::find(links_, stream, &Link::right);
        if (link == links_.end()) return;
        if (link->is_bound) return carry(left, *link->left, octets);
        link->waiting.insert(link->waiting.end(), octets.begin(), octets.end());
    }

    void answer(StreamId stream, BytesView octets) {
        const auto request = stun::MessageView::parse(octets);
        REQUIRE(request);
        const auto method = static_cast<stun::Method>(request->method());
        const auto transport = request->get<stun::RequestedTransport>();
        if (transport && transport->protocol != 6) return grant_datagrams(stream, *request);
        ++requests[method];
        if (auto silent = silent_for.find(method); silent != silent_for.end() && silent->second) {
            --silent->second;
            return;
        }
        if (const auto refused = refuses.find(method); refused != refuses.end()) {
            auto builder = stun::MessageBuilder::reply(*request, stun::Class::ErrorResponse);
            builder.add(refused->second);
            return tell(stream, builder.finish());
        }
        auto builder = stun::MessageBuilder::reply(*request, stun::Class::SuccessResponse);
        Bytes behind;
        if (method == stun::Method::Allocate) {
            control_ = stream;
            builder.add(stun::XorRelayedAddress{tcp_relayed});
            builder.add(stun::XorMappedAddress{at("203.0.113.7:41000")});
            builder.add(stun::Lifetime{std::chrono::seconds{600}});
        } else if (method == stun::Method::Refresh) {
            builder.add(stun::Lifetime{});
        } else if (method == stun::Method::Connect) {
            const SocketAddress peer = request->get<stun::XorPeerAddress>().value().address;
            const auto accepted =
                right.connector.handle_stream_accepted(right.now, {peer, tcp_relayed});
            REQUIRE(accepted);
            builder.add(stun::ConnectionId{++last_connection_});
            links_.push_back({.connection = last_connection_, .right = *accepted});
        } else if (method == stun::Method::ConnectionBind) {
            const auto id = request->get<stun::ConnectionId>().value();
            const auto link = std::ranges::find(links_, id.value, &Link::connection);
            if (link != links_.end()) {
                link->left = stream;
                link->is_bound = true;
                behind = std::exchange(link->waiting, {});
            }
        }
        // What the peer has sent meanwhile follows in the same segment.
        Bytes whole = builder.finish();
        whole.insert(whole.end(), behind.begin(), behind.end());
        carry(left, stream, whole);
    }
    // A relay over UDP, which nothing gets through.
    void grant_datagrams(StreamId stream, const stun::MessageView& request) {
        auto builder = stun::MessageBuilder::reply(request, stun::Class::SuccessResponse);
        builder.add(stun::XorRelayedAddress{at("198.51.100.2:40000")});
        builder.add(stun::XorMappedAddress{at("203.0.113.7:40999")});
        builder.add(stun::Lifetime{std::chrono::seconds{600}});
        tell(stream, builder.finish());
    }
    void tell(StreamId stream, const Bytes& message) { carry(left, stream, message); }

    void carry(Driven& to, StreamId stream, BytesView octets) {
        while (!octets.empty()) {
            const std::size_t piece = 1 + random_.below(octets.size());
            to.connector.handle_stream_bytes(to.now, stream, octets.first(piece));
            octets = octets.subspan(piece);
        }
    }

    crypto::RandomStream random_;
    std::optional<StreamId> control_;
    std::vector<Link> links_;
    std::uint32_t last_connection_ = 0;
    std::uint16_t next_port_ = 50000;
    std::size_t left_events_ = 0;
    std::size_t right_events_ = 0;
    std::size_t left_written_ = 0;
    std::size_t right_written_ = 0;
};

}  // namespace stile::connect::test
