// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sdp/attributes.hpp>

namespace stile::sdp {

enum class SetupRole : std::uint8_t { Active, Passive, Actpass, Holdconn };

std::string_view to_string(SetupRole role);

// The table of RFC 4145 Section 4.1.
bool may_answer(SetupRole offer, SetupRole answer);

// What an answer says to an offer when the answerer would rather be `preferred`; Active and Passive
// offers leave no choice. Requires: preferred is Active or Passive.
SetupRole answer_to(SetupRole offer, SetupRole preferred);

// a=setup. RFC 4145 Section 4; for DTLS RFC 8842.
struct Setup {
    static constexpr std::string_view name = "setup";
    SetupRole role = SetupRole::Actpass;
    [[nodiscard]] static std::expected<Setup, AttributeError> parse(std::string_view value);
    std::optional<std::string> value() const { return std::string{to_string(role)}; }
    friend bool operator==(const Setup&, const Setup&) = default;
};

enum class ConnectionUse : std::uint8_t { New, Existing };

// a=connection. RFC 4145 Section 5; absent means New.
struct ConnectionAttribute {
    static constexpr std::string_view name = "connection";
    ConnectionUse use = ConnectionUse::New;
    [[nodiscard]] static std::expected<ConnectionAttribute, AttributeError> parse(
        std::string_view value);
    std::optional<std::string> value() const;
    friend bool operator==(const ConnectionAttribute&, const ConnectionAttribute&) = default;
};

// a=tls-id. RFC 8842 Section 4: 20 to 255 of A-Z a-z 0-9 + / - _, at least 120 random bits.
struct TlsId {
    static constexpr std::string_view name = "tls-id";
    std::string text;
    [[nodiscard]] static std::expected<TlsId, AttributeError> parse(std::string_view value);
    std::optional<std::string> value() const { return text; }
    friend bool operator==(const TlsId&, const TlsId&) = default;
};

}  // namespace stile::sdp
