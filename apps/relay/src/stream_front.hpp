// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "stranger_limit.hpp"
#include "stream_client.hpp"

#include <stile/drivers/tcp.hpp>
#include <stile/drivers/tls.hpp>
#include <stile/relay/handover.hpp>
#include <stile/relay/relay.hpp>

#include <map>
#include <optional>
#include <set>
#include <vector>

namespace stile::relay {

// Connections of clients on one shard: from the accepted socket over PROXY header, TLS and the
// decision what it carries to whole TURN messages and back.
class StreamFront {
public:
    using ClientPointer = std::shared_ptr<StreamClient>;

    struct Handlers {
        // One whole message. May close the client or take its connection.
        std::move_only_function<void(const ClientPointer&, BytesView)> on_message;
        // After what one arrival brought.
        std::move_only_function<void(std::size_t tenant)> on_batch;
        std::move_only_function<void(const StreamClient&)> on_gone;
        Relay::OnHttps on_https;  // may be empty
    };

    StreamFront(drivers::Loop& loop, const StreamLimits& limits, Handlers handlers);
    ~StreamFront();

    // For connections that come from now on. Empty: no TLS.
    void set_context(std::optional<drivers::TlsContext> context) { context_ = std::move(context); }
    void set_limits(const StreamLimits& limits);

    // A connection that was accepted at this listener.
    void take(std::unique_ptr<drivers::Stream> stream, const Listener& listener);

    // What another process can go on with: all on plain TCP. Changes nothing.
    void copy(HandedShard& handed) const;
    // Another process has what copy() gave, but for the flows in `staying`. Of what is left, only
    // who has an allocation stays: the others find the other process when they connect again.
    void leave(const std::set<turn::ClientFlow>& staying);
    // A client of another process; one with an allocation is Known.
    void resume(HandedStream handed, StreamClient::Standing standing);
    void resume(HandedIncoming handed);

    StreamClient* find(const turn::ClientFlow& flow);
    // Data is dropped where the client is slow; answers are not, and end a client that takes none.
    enum class Kind : std::uint8_t { Data, Answer };
    void send(StreamClient& client, std::initializer_list<BytesView> parts, Kind kind);
    // Hands what was sent since to the connections.
    void flush();
    // The client has an allocation, or no longer.
    void set_standing(const turn::ClientFlow& flow, StreamClient::Standing standing);
    void close(const turn::ClientFlow& flow);

    // Takes the connection out, for what is no TURN any more; with what was read and not used.
    struct Taken {
        std::unique_ptr<drivers::Stream> stream;
        Bytes unread;
    };
    Taken take_connection(const turn::ClientFlow& flow);

    std::size_t clients() const { return clients_.size(); }
    std::uint64_t dropped() const { return dropped_; }

private:
    // A connection of which it is not known yet what it carries.
    struct Incoming {
        std::unique_ptr<drivers::Stream> stream;
        Listener listener;                // what is expected from here on
        std::optional<IpAddress> source;  // absent while only a balancer is known
        Bytes read;                       // of a PROXY header
        std::optional<Path> addresses;    // that one said
        std::unique_ptr<drivers::Timer> deadline;
    };
    void look_for_proxy_header(const std::shared_ptr<Incoming>& incoming);
    void look_at_first_octet(const std::shared_ptr<Incoming>& incoming);
    void begin_tls(const std::shared_ptr<Incoming>& incoming, Bytes first);
    void look_at_alpn(const std::shared_ptr<Incoming>& incoming);
    void hand_to_https(const std::shared_ptr<Incoming>& incoming, Bytes first);
    void begin_turn(const std::shared_ptr<Incoming>& incoming, turn::ClientTransport transport,
                    Bytes first);
    bool enter_as(Incoming& incoming, const std::optional<Path>& addresses);
    std::move_only_function<void(drivers::Closed)> discarding(
        const std::shared_ptr<Incoming>& incoming);
    void discard(std::shared_ptr<Incoming> incoming);
    void add(const ClientPointer& client);
    void read(const ClientPointer& client, BytesView bytes);
    std::size_t read_messages(const ClientPointer& client, BytesView bytes);
    void leave(StreamClient& client);
    void gone(const ClientPointer& client);
    void rest(StreamClient& client);

    drivers::Loop& loop_;
    StreamLimits limits_;
    Handlers handlers_;
    StrangerLimit strangers_;
    std::optional<drivers::TlsContext> context_;
    std::map<Incoming*, std::shared_ptr<Incoming>> incoming_;
    std::map<turn::ClientFlow, ClientPointer> clients_;
    std::map<StreamClient*, ClientPointer> closing_;
    std::vector<std::weak_ptr<StreamClient>> outgoing_;
    std::uint64_t dropped_ = 0;
};

}  // namespace stile::relay
