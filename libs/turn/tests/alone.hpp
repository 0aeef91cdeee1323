// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "world.hpp"

namespace stile::turn::test {

// A client alone; the test plays the server.
struct Alone {
    Instant now = start;
    Client client;

    explicit Alone(ClientConfig config = client_config())
        : client{start, std::move(config), crypto::RandomStream{crypto::seed_from_number(5)}} {}

    std::optional<stun::MessageView> sent() {
        const auto message = client.poll_transmit();
        if (!message) return std::nullopt;
        last = to_bytes(*message);
        return stun::MessageView::parse(last).value();
    }
    template <class Fill>
    void answer(const stun::MessageView& request, stun::Class message_class, Fill&& fill) {
        auto builder = stun::MessageBuilder::reply(request, message_class);
        fill(builder);
        const Bytes message = builder.finish();
        CHECK_FALSE(client.handle_message(now, message));
    }
    void refuse(const stun::ErrorCode& error) {
        const auto request = sent();
        REQUIRE(request);
        answer(*request, stun::Class::ErrorResponse, [&](auto& builder) { builder.add(error); });
    }
    void allocate(Duration lifetime = 600s) {
        const auto request = sent();
        REQUIRE(request);
        answer(*request, stun::Class::SuccessResponse, [&](auto& builder) {
            builder.add(stun::XorRelayedAddress{relay_v4});
            builder.add(stun::XorMappedAddress{peer_address});
            builder.add(stun::Lifetime{std::chrono::duration_cast<std::chrono::seconds>(lifetime)});
        });
        REQUIRE(event<Client::Allocated>());
    }
    template <class Kind>
    std::optional<Kind> event() {
        while (auto each = client.poll_event()) {
            if (auto* found = std::get_if<Kind>(&*each)) return *found;
        }
        return std::nullopt;
    }

    Bytes last;
};

}  // namespace stile::turn::test
