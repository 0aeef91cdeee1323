// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace stile::peer {

// An object at a peer as a person names it: alice@example.org/music/song.ogg.
struct Target {
    std::string address;  // "alice@example.org", in lower case
    std::string path;     // "/music/song.ogg", percent-encoded where it must be

    // "sip:" before it is allowed. Empty for anything else.
    static std::optional<Target> parse(std::string_view text);
    // Names below .localhost or .alt that stand for a peer: alice.example.org.localhost. The first
    // label is the user, so users with a dot in their name have no such host.
    static std::optional<std::string> address_of_host(std::string_view host);
    // alice.example.org: what stands before .localhost.
    static std::string host_of_address(std::string_view address);
};

}  // namespace stile::peer
