// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sdp/limits.hpp>
#include <stile/sdp/media.hpp>

namespace stile::sdp {

// o=. RFC 8866 Section 5.2.
struct Origin {
    std::string username = "-";
    std::string session_id = "0";  // decimal digits
    std::uint64_t session_version = 0;
    std::string network = "IN";
    std::string address_type = "IP4";
    std::string address = "0.0.0.0";

    friend bool operator==(const Origin&, const Origin&) = default;
};

// t= with the r= and z= lines that follow it. RFC 8866 Sections 5.9 to 5.11.
struct Timing {
    std::uint64_t start = 0;  // seconds since 1900; 0 is unbounded
    std::uint64_t stop = 0;
    std::vector<std::string> repeats;  // values of r=, not interpreted
    std::optional<std::string> zone;   // value of z=, not interpreted
    friend bool operator==(const Timing&, const Timing&) = default;
};

// A whole session description. RFC 8866.
struct Description {
    Origin origin;
    std::string session_name = "-";  // may be empty after parse(): RFC 3264's own examples are
    std::optional<std::string> information;
    std::optional<std::string> uri;
    std::vector<std::string> emails;
    std::vector<std::string> phones;
    std::optional<Connection> connection;
    std::vector<Bandwidth> bandwidths;
    std::vector<Timing> timings = {Timing{}};
    std::optional<std::string> key;
    Attributes attributes;
    std::vector<MediaDescription> media;

    // Accepts CRLF and LF line ends (RFC 8866 Section 5) and empty lines at the end.
    [[nodiscard]] static std::expected<Description, ParseError> parse(std::string_view text);
    // With CRLF. CR, LF and NUL inside a value are written as spaces, so that no value can add a
    // line; an empty session name is written as "-".
    std::string serialize() const;

    // What holds for a media section: its own attribute, or else the session's. For attributes
    // that exist at both levels only (ice-ufrag, ice-pwd, ice-options, fingerprint, setup,
    // direction).
    template <AttributeType A>
    [[nodiscard]] std::expected<A, AttributeError> effective(
        const MediaDescription& section) const {
        return section.attributes.has(A::name) ? section.attributes.get<A>() : attributes.get<A>();
    }
    template <AttributeType A>
    [[nodiscard]] std::vector<A> all_effective(const MediaDescription& section) const {
        return section.attributes.has(A::name) ? section.attributes.all<A>() : attributes.all<A>();
    }
    // The section's first c= line, or else the session's.
    const Connection* effective_connection(const MediaDescription& section) const;

    friend bool operator==(const Description&, const Description&) = default;
};

}  // namespace stile::sdp
