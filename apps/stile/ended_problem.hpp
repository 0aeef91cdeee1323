// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "account.hpp"

#include <stile/app/problem.hpp>
#include <stile/identity/pin.hpp>
#include <stile/quic/event.hpp>
#include <stile/session/endpoint.hpp>

#include <optional>
#include <string>

namespace stile::peer {

// How a peer says that it does not know our key, when the connection is up already: HTTP/3's codes
// have none that is nearer (RFC 9114 Section 8.1).
inline constexpr quic::ErrorCode identity_refused = quic::connect_error;

// What the libraries report, in a person's words: cause, evidence, next step, exit code.
app::Problem to_problem(const session::Ended& ended, const std::string& peer);
app::Problem to_problem(session::FetchError error, const std::string& peer);
app::Problem to_problem(const quic::event::Closed& closed, const std::string& peer);
app::Problem to_problem(const session::RegistrationFailed& failed, const Account& account);

// There was a path, and nothing comes by it any more.
app::Problem went_silent(const std::string& peer);

app::Problem refused_identity(identity::Decision decision, const std::string& peer,
                              const std::optional<identity::Pin>& pin, const identity::Met& met);
app::Problem unusable_certificate(const std::string& peer);
app::Problem unreadable_pins(const drivers::StoreError& error);

}  // namespace stile::peer
