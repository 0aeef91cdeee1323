// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sdp/description.hpp>

namespace stile::sdp {

// The body of an INFO request that trickles candidates: application/trickle-ice-sdpfrag. RFC 8840
// Section 9. Every body repeats all candidates sent before, in the same order.
struct IceFragment {
    static constexpr std::string_view media_type = "application/trickle-ice-sdpfrag";

    // One pseudo m= line. Its media, port and proto mean nothing and are written with the RFC's
    // default values.
    struct Section {
        std::string mid;
        Attributes attributes;  // candidate, end-of-candidates, ice-ufrag, ice-pwd, ..; not mid
        friend bool operator==(const Section&, const Section&) = default;
    };

    Attributes attributes;  // of the session: ice-ufrag, ice-pwd, end-of-candidates, ..
    std::vector<Section> sections;

    // A section without mid is BadMedia: nothing says where it belongs.
    [[nodiscard]] static std::expected<IceFragment, ParseError> parse(std::string_view text);
    std::string serialize() const;
    friend bool operator==(const IceFragment&, const IceFragment&) = default;
};

}  // namespace stile::sdp
