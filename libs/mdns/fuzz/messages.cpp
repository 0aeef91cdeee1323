// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Any datagram of the link: what parses is the same when it is written and read again, and neither
// machine minds it.
#include <stile/base/assert.hpp>
#include <stile/mdns/resolver.hpp>
#include <stile/mdns/responder.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace stile;
    const auto message = mdns::Message::parse(std::as_bytes(std::span{data, size}));
    if (!message) return 0;
    const auto again = mdns::Message::parse(message->to_bytes());
    const bool too_long = !again && again.error() == mdns::ParseError::TooLong;
    STILE_ASSERT(too_long || (again && *again == *message));
    const auto name = *mdns::HostName::parse("1f4712db-ea17-4bcf-a596-105139dfd8bf.local");
    mdns::Resolver resolver;
    mdns::Responder responder;
    const Instant now{};
    resolver.resolve(now, name);
    (void)responder.publish(name, IpAddress::v4({192, 0, 2, 1}), mdns::Link{1});
    resolver.handle_response(now, *message);
    responder.handle_query(now, mdns::Link{1}, {IpAddress::v4({192, 0, 2, 2}), mdns::port},
                           *message);
    while (const auto out = responder.poll_transmit()) {
        STILE_ASSERT(mdns::Message::parse(out->octets).has_value());
    }
    return 0;
}
