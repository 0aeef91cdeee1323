// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sdp/description.hpp>

namespace stile::sdp {

enum class Direction : std::uint8_t { SendReceive, SendOnly, ReceiveOnly, Inactive };

// The section's, or else the session's, or else SendReceive. RFC 8866 Section 6.7.
Direction direction_of(const Description& description, const MediaDescription& section);
void set_direction(MediaDescription& section, Direction direction);
std::string_view to_string(Direction direction);

// RFC 3264 Section 6.1: to sendonly one answers recvonly or inactive, and so on.
bool may_answer(Direction offer, Direction answer);

}  // namespace stile::sdp
