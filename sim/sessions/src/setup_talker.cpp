// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "setup_talker.hpp"

#include <utility>

namespace stile::sim {

Talker::Talker(quic::Role role, crypto::RandomStream random)
    : end_(role, std::move(random), std::chrono::seconds{30}) {}

void Talker::handle(Instant now, const quic::Event& event) {
    const auto say = [&](bool taken) {
        if (!taken) problem_ = "HTTP/3 did not take the message";
        speaks_ = true;
    };
    if (std::holds_alternative<quic::event::Completed>(event)) {
        completed_ = now;
        if (end_.role() != quic::Role::Client) return;
        const quic::RequestHead head{
            .method = "GET", .scheme = "https", .authority = "bob.example.org", .path = "/"};
        say(end_.connection()->request(head, quic::More::No).has_value());
    } else if (const auto* const request = std::get_if<quic::event::RequestReceived>(&event)) {
        received_ = now;
        say(end_.connection()->respond(request->stream, {.status = 204}, quic::More::No) ==
            quic::SendResult::Taken);
    } else if (std::holds_alternative<quic::event::ResponseReceived>(event)) {
        received_ = now;
    } else if (const auto* const closed = std::get_if<quic::event::Closed>(&event)) {
        problem_ = "QUIC closed: " + std::string{quic::to_text(closed->reason)};
    }
}

}  // namespace stile::sim
