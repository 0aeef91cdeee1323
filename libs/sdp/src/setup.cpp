// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sdp/setup.hpp>

#include <stile/base/assert.hpp>
#include <stile/sdp/limits.hpp>

#include "lexer.hpp"

#include <array>

namespace stile::sdp {

std::string_view to_string(SetupRole role) {
    switch (role) {
        case SetupRole::Active:
            return "active";
        case SetupRole::Passive:
            return "passive";
        case SetupRole::Actpass:
            return "actpass";
        case SetupRole::Holdconn:
            return "holdconn";
    }
    return {};
}

bool may_answer(SetupRole offer, SetupRole answer) {
    switch (offer) {
        case SetupRole::Active:
            return answer == SetupRole::Passive || answer == SetupRole::Holdconn;
        case SetupRole::Passive:
            return answer == SetupRole::Active || answer == SetupRole::Holdconn;
        case SetupRole::Actpass:
            return answer != SetupRole::Actpass;
        case SetupRole::Holdconn:
            return answer == SetupRole::Holdconn;
    }
    return false;
}

SetupRole answer_to(SetupRole offer, SetupRole preferred) {
    STILE_ASSERT(preferred == SetupRole::Active || preferred == SetupRole::Passive);
    switch (offer) {
        case SetupRole::Active:
            return SetupRole::Passive;
        case SetupRole::Passive:
            return SetupRole::Active;
        case SetupRole::Actpass:
            return preferred;
        case SetupRole::Holdconn:
            return SetupRole::Holdconn;
    }
    return SetupRole::Holdconn;
}

std::expected<Setup, AttributeError> Setup::parse(std::string_view value) {
    using enum SetupRole;
    for (const SetupRole role : {Active, Passive, Actpass, Holdconn}) {
        if (iequals(value, to_string(role))) return Setup{role};
    }
    return std::unexpected(AttributeError::Malformed);
}

std::expected<ConnectionAttribute, AttributeError> ConnectionAttribute::parse(
    std::string_view value) {
    if (iequals(value, "new")) return ConnectionAttribute{ConnectionUse::New};
    if (iequals(value, "existing")) return ConnectionAttribute{ConnectionUse::Existing};
    return std::unexpected(AttributeError::Malformed);
}

std::optional<std::string> ConnectionAttribute::value() const {
    return use == ConnectionUse::New ? "new" : "existing";
}

std::expected<TlsId, AttributeError> TlsId::parse(std::string_view value) {
    const bool well_formed = !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
        return lexer::is_ice_char(c) || c == '-' || c == '_';
    });
    if (!well_formed) return std::unexpected(AttributeError::Malformed);
    if (value.size() < limits::tls_id_least_characters ||
        value.size() > limits::tls_id_characters) {
        return std::unexpected(AttributeError::OutOfRange);
    }
    return TlsId{std::string{value}};
}

}  // namespace stile::sdp
