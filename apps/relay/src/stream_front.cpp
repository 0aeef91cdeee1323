// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "stream_front.hpp"

#include "replay_stream.hpp"

#include <stile/relay/proxy_protocol.hpp>
#include <stile/turn/stream_framing.hpp>

#include <algorithm>

namespace stile::relay {
namespace {

using drivers::Closed;
using drivers::Reading;
using drivers::StreamHandlers;

constexpr std::byte tls_handshake{22};
// What waits for a client beyond its data: answers that it does not take end it.
constexpr std::size_t most_answer_octets = 65'536;

// What a client says first on a connection can only be a STUN message, which begins with two zero
// bits; HTTP and all other text does not.
bool begins_turn(BytesView first) { return (first[0] & std::byte{0xC0}) == std::byte{0}; }

bool is_turn_protocol(std::string_view alpn) {
    return alpn == "stun.turn" || alpn == "stun.nat-discovery";
}

}  // namespace

StreamFront::StreamFront(drivers::Loop& loop, const StreamLimits& limits, Handlers handlers)
    : loop_(loop), limits_(limits), handlers_(std::move(handlers)), strangers_(limits) {}

StreamFront::~StreamFront() = default;

void StreamFront::set_limits(const StreamLimits& limits) {
    limits_ = limits;
    strangers_.set_limits(limits);
}

void StreamFront::take(std::unique_ptr<drivers::Stream> stream, const Listener& listener) {
    const bool proxied = listener.proxy_protocol == ProxyProtocol::Required;
    const auto source = proxied ? std::nullopt : std::optional{stream->peer_address().ip};
    if (!strangers_.enter(source)) return;  // a reset costs least
    auto incoming = std::make_shared<Incoming>();
    incoming->stream = std::move(stream);
    incoming->listener = listener;
    incoming->source = source;
    Incoming* const raw = incoming.get();
    incoming->deadline = std::make_unique<drivers::Timer>(loop_, [this, raw] {
        if (const auto found = incoming_.find(raw); found != incoming_.end()) {
            discard(found->second);
        }
    });
    incoming->deadline->arm_after(limits_.first_message);
    incoming_.emplace(raw, incoming);
    if (proxied) return look_for_proxy_header(incoming);
    look_at_first_octet(incoming);
}

std::move_only_function<void(Closed)> StreamFront::discarding(
    const std::shared_ptr<Incoming>& incoming) {
    return [this, weak = std::weak_ptr{incoming}](Closed) {
        if (const auto closed = weak.lock()) discard(closed);
    };
}

void StreamFront::discard(std::shared_ptr<Incoming> incoming) {
    if (incoming_.erase(incoming.get()) == 0) return;
    strangers_.leave(incoming->source);
    incoming->deadline->disarm();
    // Not here: this may be one of its callbacks.
    loop_.post([gone = std::move(incoming)] { gone->stream.reset(); });
}

// The client that the balancer names is the stranger now.
bool StreamFront::enter_as(Incoming& incoming, const std::optional<Path>& addresses) {
    if (!addresses) return true;
    if (!strangers_.enter(addresses->remote.ip)) return false;
    strangers_.leave(incoming.source);
    incoming.source = addresses->remote.ip;
    incoming.addresses = addresses;
    return true;
}

void StreamFront::look_for_proxy_header(const std::shared_ptr<Incoming>& from) {
    from->stream->set_handlers(
        {.on_open = {},
         .on_bytes =
             [this, weak = std::weak_ptr{from}](BytesView bytes) {
                 const auto incoming = weak.lock();
                 if (!incoming) return;
                 Bytes& read = incoming->read;
                 read.insert(read.end(), bytes.begin(), bytes.end());
                 const auto header = parse_proxy_header(read);
                 if (!header) {
                     if (header.error() != ProxyError::Incomplete) discard(incoming);
                     return;
                 }
                 if (!enter_as(*incoming, header->addresses)) return discard(incoming);
                 read.erase(read.begin(),
                            read.begin() + static_cast<std::ptrdiff_t>(header->octets));
                 incoming->listener.proxy_protocol = ProxyProtocol::NotExpected;
                 incoming->stream =
                     std::make_unique<ReplayStream>(loop_, std::move(incoming->stream),
                                                    std::exchange(read, {}), incoming->addresses);
                 look_at_first_octet(incoming);
             },
         .on_end = {},
         .on_writable = {},
         .on_closed = discarding(from)});
}

void StreamFront::look_at_first_octet(const std::shared_ptr<Incoming>& from) {
    if (from->listener.kind == ListenerKind::Tls) return begin_tls(from, {});
    from->stream->set_handlers({.on_open = {},
                                .on_bytes =
                                    [this, weak = std::weak_ptr{from}](BytesView bytes) {
                                        const auto incoming = weak.lock();
                                        if (!incoming) return;
                                        if (bytes[0] == tls_handshake && context_) {
                                            return begin_tls(incoming, to_bytes(bytes));
                                        }
                                        begin_turn(incoming, turn::ClientTransport::Tcp,
                                                   to_bytes(bytes));
                                    },
                                .on_end = {},
                                .on_writable = {},
                                .on_closed = discarding(from)});
}

void StreamFront::begin_tls(const std::shared_ptr<Incoming>& incoming, Bytes first) {
    if (!context_) return discard(incoming);
    auto transport = std::move(incoming->stream);
    if (!first.empty()) {
        transport = std::make_unique<ReplayStream>(loop_, std::move(transport), std::move(first),
                                                   incoming->addresses);
    }
    incoming->stream = std::make_unique<drivers::TlsStream>(loop_, std::move(transport), *context_);
    incoming->stream->set_handlers({.on_open =
                                        [this, weak = std::weak_ptr{incoming}] {
                                            if (const auto opened = weak.lock())
                                                look_at_alpn(opened);
                                        },
                                    .on_bytes = {},
                                    .on_end = {},
                                    .on_writable = {},
                                    .on_closed = discarding(incoming)});
}

// RFC 7443; browsers send no ALPN for turns:, and what comes first decides.
void StreamFront::look_at_alpn(const std::shared_ptr<Incoming>& from) {
    const std::string alpn = static_cast<drivers::TlsStream&>(*from->stream).alpn();
    if (is_turn_protocol(alpn)) return begin_turn(from, turn::ClientTransport::Tls, {});
    if (!alpn.empty()) return hand_to_https(from, {});
    from->stream->set_handlers({.on_open = {},
                                .on_bytes =
                                    [this, weak = std::weak_ptr{from}](BytesView bytes) {
                                        const auto incoming = weak.lock();
                                        if (!incoming) return;
                                        if (begins_turn(bytes)) {
                                            return begin_turn(incoming, turn::ClientTransport::Tls,
                                                              to_bytes(bytes));
                                        }
                                        hand_to_https(incoming, to_bytes(bytes));
                                    },
                                .on_end = {},
                                .on_writable = {},
                                .on_closed = discarding(from)});
}

void StreamFront::hand_to_https(const std::shared_ptr<Incoming>& incoming, Bytes first) {
    if (!handlers_.on_https) return discard(incoming);
    if (incoming_.erase(incoming.get()) == 0) return;
    strangers_.leave(incoming->source);
    incoming->deadline->disarm();
    incoming->stream->set_handlers({});
    handlers_.on_https(loop_, std::move(incoming->stream), std::move(first));
}

void StreamFront::begin_turn(const std::shared_ptr<Incoming>& incoming,
                             turn::ClientTransport transport, Bytes first) {
    if (incoming_.erase(incoming.get()) == 0) return;
    auto client = std::make_shared<StreamClient>();
    client->flow = {incoming->stream->local_address(), incoming->stream->peer_address(), transport};
    client->tenant = incoming->listener.tenant;
    client->source = incoming->source;
    client->stream = std::move(incoming->stream);
    client->deadline = std::move(incoming->deadline);
    if (clients_.contains(client->flow)) {
        // Only a balancer can claim the addresses of a connection that is there.
        strangers_.leave(client->source);
        client->stream->set_handlers({});
        loop_.post([client] { client->stream.reset(); });
        return;
    }
    add(client);
    if (!first.empty()) read(client, first);
}

void StreamFront::add(const ClientPointer& client) {
    clients_.emplace(client->flow, client);
    const std::weak_ptr weak{client};
    client->deadline = std::make_unique<drivers::Timer>(loop_, [this, weak] {
        if (const auto idle = weak.lock()) close(idle->flow);
    });
    if (client->standing == StreamClient::Standing::Stranger) {
        client->deadline->arm_after(limits_.first_message);
    }
    client->stream->set_handlers({.on_open = {},
                                  .on_bytes =
                                      [this, weak](BytesView bytes) {
                                          if (const auto self = weak.lock()) read(self, bytes);
                                      },
                                  .on_end = {},
                                  .on_writable = {},
                                  .on_closed =
                                      [this, weak](Closed) {
                                          if (const auto self = weak.lock()) gone(self);
                                      }});
}

void StreamFront::read(const ClientPointer& client, BytesView bytes) {
    if (client->standing == StreamClient::Standing::Gone) return;
    Bytes whole;  // what is to be sent views it, until on_batch has seen to that
    if (client->unread.empty()) {
        const std::size_t used = read_messages(client, bytes);
        // Gone: what is left goes with the connection.
        client->unread = to_bytes(bytes.subspan(used));
    } else {
        Bytes& unread = client->unread;
        unread.insert(unread.end(), bytes.begin(), bytes.end());
        whole = std::exchange(unread, {});
        const std::size_t used = read_messages(client, whole);
        unread.assign(whole.begin() + static_cast<std::ptrdiff_t>(used), whole.end());
    }
    handlers_.on_batch(client->tenant);
}

// How many octets the whole messages were.
std::size_t StreamFront::read_messages(const ClientPointer& client, BytesView bytes) {
    std::size_t used = 0;
    while (client->standing != StreamClient::Standing::Gone) {
        const BytesView rest = bytes.subspan(used);
        const auto size = turn::framed_size(rest, turn::ChannelRange::Rfc5766);
        if (!size) {
            if (size.error() == turn::FramingError::NotTurn) close(client->flow);
            break;
        }
        if (*size > rest.size()) break;
        used += *size;
        if (client->standing == StreamClient::Standing::Stranger) {
            client->deadline->arm_after(limits_.idle);
        }
        client->after_message = rest.subspan(*size);
        handlers_.on_message(client, rest.first(*size));
        client->after_message = {};
    }
    return used;
}

StreamClient* StreamFront::find(const turn::ClientFlow& flow) {
    const auto found = clients_.find(flow);
    return found == clients_.end() ? nullptr : found->second.get();
}

void StreamFront::send(StreamClient& client, std::initializer_list<BytesView> parts, Kind kind) {
    std::size_t size = 0;
    for (const BytesView part : parts) size += part.size();
    const std::size_t waiting = client.outgoing.size() + client.stream->buffered();
    if (kind == Kind::Data && waiting + size > limits_.buffered) {
        ++dropped_;
        return;
    }
    if (waiting + size > limits_.buffered + most_answer_octets) return close(client.flow);
    if (!client.listed) {
        const auto found = clients_.find(client.flow);
        if (found == clients_.end()) return;
        client.listed = true;
        outgoing_.push_back(found->second);
    }
    for (const BytesView part : parts) {
        client.outgoing.insert(client.outgoing.end(), part.begin(), part.end());
    }
}

void StreamFront::flush() {
    for (const auto& weak : outgoing_) {
        const auto client = weak.lock();
        if (!client) continue;
        client->listed = false;
        if (client->standing != StreamClient::Standing::Gone && client->stream) {
            (void)client->stream->write(client->outgoing);
        }
        client->outgoing.clear();
        rest(*client);
    }
    outgoing_.clear();
}

// A burst's memory is not kept by a client that is idle afterwards.
void StreamFront::rest(StreamClient& client) {
    constexpr std::size_t kept = 4096;
    if (client.outgoing.capacity() > kept) client.outgoing = {};
}

void StreamFront::set_standing(const turn::ClientFlow& flow, StreamClient::Standing standing) {
    using Standing = StreamClient::Standing;
    StreamClient* const client = find(flow);
    if (client == nullptr || client->standing == standing) return;
    if (standing == Standing::Known) {
        strangers_.leave(client->source);
        client->deadline->disarm();
    } else if (!strangers_.enter(client->source)) {
        return close(flow);
    } else {
        client->deadline->arm_after(limits_.idle);
    }
    client->standing = standing;
}

void StreamFront::leave(StreamClient& client) {
    if (client.standing == StreamClient::Standing::Stranger) strangers_.leave(client.source);
    client.standing = StreamClient::Standing::Gone;
    client.deadline->disarm();
}

void StreamFront::close(const turn::ClientFlow& flow) {
    const auto found = clients_.find(flow);
    if (found == clients_.end()) return;
    const ClientPointer client = found->second;
    if (!client->outgoing.empty()) (void)client->stream->write(client->outgoing);
    client->stream->close();
    gone(client);
    // Its last octets may still be on their way: it goes when the connection has ended.
    closing_.emplace(client.get(), client);
    client->stream->set_handlers({.on_open = {},
                                  .on_bytes = {},
                                  .on_end = {},
                                  .on_writable = {},
                                  .on_closed = [this, raw = client.get()](Closed) {
                                      if (const auto ended = closing_.extract(raw)) {
                                          loop_.post([client = std::move(ended.mapped())] {});
                                      }
                                  }});
}

void StreamFront::gone(const ClientPointer& client) {
    if (client->standing == StreamClient::Standing::Gone) return;
    leave(*client);
    clients_.erase(client->flow);
    handlers_.on_gone(*client);
    // Not here: this may be one of its callbacks.
    loop_.post([client] {});
}

StreamFront::Taken StreamFront::take_connection(const turn::ClientFlow& flow) {
    const auto found = clients_.find(flow);
    if (found == clients_.end()) return {};
    const ClientPointer client = found->second;
    if (!client->outgoing.empty()) (void)client->stream->write(client->outgoing);
    client->outgoing.clear();
    leave(*client);
    clients_.erase(found);
    client->stream->set_handlers({});
    Bytes unread = std::move(client->unread);
    unread.insert(unread.end(), client->after_message.begin(), client->after_message.end());
    return {.stream = std::move(client->stream), .unread = std::move(unread)};
}

}  // namespace stile::relay
