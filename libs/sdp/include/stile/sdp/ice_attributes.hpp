// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/sdp/attributes.hpp>

namespace stile::sdp {

// a=ice-ufrag. RFC 8839 Section 5.4: 4 to 256 characters are read, at most 32 may be sent.
struct IceUfrag {
    static constexpr std::string_view name = "ice-ufrag";
    std::string text;
    [[nodiscard]] static std::expected<IceUfrag, AttributeError> parse(std::string_view value);
    std::optional<std::string> value() const { return text; }
    friend bool operator==(const IceUfrag&, const IceUfrag&) = default;
};

// a=ice-pwd. RFC 8839 Section 5.4: 22 to 256 characters.
struct IcePwd {
    static constexpr std::string_view name = "ice-pwd";
    std::string text;
    [[nodiscard]] static std::expected<IcePwd, AttributeError> parse(std::string_view value);
    std::optional<std::string> value() const { return text; }
    friend bool operator==(const IcePwd&, const IcePwd&) = default;
};

// a=ice-options. RFC 8839 Section 5.6.
struct IceOptions {
    static constexpr std::string_view name = "ice-options";
    std::vector<std::string> tags;
    bool has(std::string_view tag) const;
    [[nodiscard]] static std::expected<IceOptions, AttributeError> parse(std::string_view value);
    std::optional<std::string> value() const;
    friend bool operator==(const IceOptions&, const IceOptions&) = default;
};

// a=ice-pacing, in milliseconds. RFC 8839 Section 5.5. The larger of both sides' holds.
struct IcePacing {
    static constexpr std::string_view name = "ice-pacing";
    static constexpr std::uint32_t default_milliseconds = 50;
    std::uint32_t milliseconds = default_milliseconds;
    [[nodiscard]] static std::expected<IcePacing, AttributeError> parse(std::string_view value);
    std::optional<std::string> value() const { return std::to_string(milliseconds); }
    friend bool operator==(const IcePacing&, const IcePacing&) = default;
};

// a=ice-lite, of a session. RFC 8839 Section 5.3.
struct IceLite {
    static constexpr std::string_view name = "ice-lite";
    [[nodiscard]] static std::expected<IceLite, AttributeError> parse(std::string_view value);
    std::optional<std::string> value() const { return std::nullopt; }
};

// a=ice-mismatch, in an answer: the offer's default destination is none of its candidates, and
// this section goes on without ICE. RFC 8839 Section 5.3.
struct IceMismatch {
    static constexpr std::string_view name = "ice-mismatch";
    [[nodiscard]] static std::expected<IceMismatch, AttributeError> parse(std::string_view value);
    std::optional<std::string> value() const { return std::nullopt; }
};

// a=remote-candidates: what the controlling agent selected. RFC 8839 Section 5.2.
struct RemoteCandidates {
    static constexpr std::string_view name = "remote-candidates";
    struct Entry {
        std::uint16_t component = 1;
        SocketAddress address;
        friend bool operator==(const Entry&, const Entry&) = default;
    };
    std::vector<Entry> entries;
    [[nodiscard]] static std::expected<RemoteCandidates, AttributeError> parse(
        std::string_view value);
    std::optional<std::string> value() const;
    friend bool operator==(const RemoteCandidates&, const RemoteCandidates&) = default;
};

}  // namespace stile::sdp
