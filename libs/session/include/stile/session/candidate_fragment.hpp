// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/connect/description.hpp>

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace stile::session {

// The body of an INFO request (sdp::IceFragment::media_type) with the candidates of `path`, in
// their order, for the section named `mid`. RFC 8840 Section 4.4.
std::string write_fragment(const connect::Description& path, std::string_view mid);

enum class FragmentFault : std::uint8_t {
    Malformed,        // no fragment
    OtherGeneration,  // of other credentials: before or after a restart, or of another session
    OtherSection,     // says nothing of the section
};

// What a fragment says of the section named `mid`. `current` are the credentials of the peer's last
// description; a fragment of others MUST be discarded. RFC 8840 Section 4.4.
[[nodiscard]] std::expected<connect::Description, FragmentFault> read_fragment(
    std::string_view text, const ice::Credentials& current, std::string_view mid);

}  // namespace stile::session
