// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sip/message.hpp>

#include <deque>
#include <variant>

namespace stile::sip {

// Who opened a connection: only that side sends pings, only the other side pongs. RFC 5626 Section
// 3.5.1.
enum class FlowSide : std::uint8_t { Opened, Accepted };

struct PingReceived {};  // CR LF CR LF between messages: send pong_octets back
struct PongReceived {};  // CR LF between messages
// The stream cannot be followed any further: answer if failure.head allows, then close.
struct StreamBroken {
    ParseFailure failure;
};
using StreamEvent = std::variant<Message, PingReceived, PongReceived, StreamBroken>;

inline constexpr std::string_view ping_octets = "\r\n\r\n";
inline constexpr std::string_view pong_octets = "\r\n";

// Cuts a TCP or TLS stream into messages by Content-Length. RFC 3261 Section 18.3, RFC 5626 Section
// 4.4.1. Holds at most one incomplete message, within ParseLimits. How long a peer may take over
// one is for the owner, who sees is_inside_message().
class StreamFramer {
public:
    explicit StreamFramer(FlowSide side, const ParseLimits& limits = {});

    // What arrived. Returns how many octets were taken: all, unless an event waits to be polled
    // that ended the reading. Feed the rest after polling. After StreamBroken everything is taken
    // and dropped.
    std::size_t feed(BytesView octets);
    // At most one waits at a time.
    [[nodiscard]] std::optional<StreamEvent> poll_event();

    bool is_broken() const { return broken_; }
    bool is_inside_message() const { return !head_octets_.empty() || pending_; }

private:
    std::size_t take_gap(BytesView octets);
    std::size_t take_head(BytesView octets);
    std::size_t take_body(BytesView octets);
    void finish_head();
    void fail(ParseFailure failure);

    FlowSide side_;
    ParseLimits limits_;
    Bytes head_octets_;               // an incomplete head
    std::optional<Message> pending_;  // a head whose body is not complete
    std::size_t body_missing_ = 0;
    std::uint8_t line_ends_ = 0;  // characters of CR LF CR LF seen since the last message
    bool broken_ = false;
    std::optional<StreamEvent> event_;
};

}  // namespace stile::sip
