// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// The client with grants of an authorization server. RFC 7635.
#include <stile/turn/client.hpp>

#include <utility>

namespace stile::turn {

Client::Detour Client::await_grant(const Task& task) {
    const std::string* server = authentication_.third_party();
    if (config_.third_party == ClientConfig::ThirdParty::NotUsed || server == nullptr) {
        return Detour::None;
    }
    if (state_ == State::Releasing) {
        end(Released{});
        return Detour::Taken;
    }
    if (waiting_for_grant_.empty()) notify(AuthorizationWanted{*server});
    waiting_for_grant_.push_back(task);
    return Detour::Taken;
}

void Client::authorize(Instant now, stun::LongTermClient::Grant grant) {
    authentication_.set_grant(std::move(grant));
    for (const Task& task : std::exchange(waiting_for_grant_, {})) start(now, task);
    pump(now);
}

}  // namespace stile::turn
