// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// A relay that no route uses is the way back when the route is lost. Its allocation is refreshed
// every few minutes; NATs forget sooner. RFC 8445 Sections 5.1.1.4 and 11, RFC 8656 Section 9.
#include <stile/connect/connector.hpp>
#include <stile/stun/message_builder.hpp>

namespace stile::connect {

// A request where Section 11 has an indication for pairs: Section 5.1.1.4 has requests to servers,
// and some NATs count only what comes in.
void Connector::keep_relays_alive(Instant now) {
    for (Relay& relay : relays_) {
        if (!relay.keepalive_due || now < *relay.keepalive_due) continue;
        relay.keepalive_due = now + limits::relay_keepalive;
        if (queued_.size() >= limits::most_queued_transmits) continue;
        stun::MessageBuilder builder{stun::Class::Request, stun::Method::Binding,
                                     stun::TransactionId::random(random_)};
        builder.add_fingerprint();
        queued_.push_back({relay.wire, builder.finish()});
    }
}

void Connector::note_sent(Relay& relay) {
    if (relay.keepalive_due) relay.keepalive_due = now_ + limits::relay_keepalive;
}

}  // namespace stile::connect
