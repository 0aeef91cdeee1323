// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/relay/handover.hpp>

#include <expected>
#include <string>

namespace stile::relay {

// A Handover through a connected Unix stream socket, its sockets by SCM_RIGHTS. Both block. For two
// processes of one host; the error is for a person. The sender's copies are closed.
std::expected<void, std::string> send_handover(int socket, Handover handover);
std::expected<Handover, std::string> receive_handover(int socket);

}  // namespace stile::relay
