// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/session/endpoint.hpp>

namespace stile::session {

// What the end of its call says about a session.
Ended ended_by(SessionId session, const sip::Call::Ended& ended);

}  // namespace stile::session
