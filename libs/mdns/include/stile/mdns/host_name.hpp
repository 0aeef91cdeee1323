// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/crypto/random_stream.hpp>

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace stile::mdns {

// What stands for an address in a candidate: a random UUID (RFC 9562 Section 5.4) and ".local", in
// lower case. draft-ietf-mmusic-mdns-ice-candidates-03 Section 3.1.1. Other names of multicast DNS
// are none: nobody gets this host to look for "printer.local".
class HostName {
public:
    // Either case, without a trailing dot.
    static std::optional<HostName> parse(std::string_view text);
    static HostName random(crypto::RandomStream& random);

    const std::string& text() const { return text_; }
    friend auto operator<=>(const HostName&, const HostName&) = default;

private:
    explicit HostName(std::string text) : text_(std::move(text)) {}
    std::string text_;
};

}  // namespace stile::mdns
