// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sip/digest.hpp>

#include <optional>
#include <string>
#include <vector>

namespace stile::sip_server {

// What an account's clients can do, and so which challenge they get. RFC 8760 lets a server offer
// several algorithms; clients in the field that know only MD5 fail as soon as another one appears.
enum class AccountClass : std::uint8_t {
    Modern,      // SHA-512-256 and SHA-256
    Compatible,  // MD5 alone, over TLS or WSS unless configured otherwise
};

struct AccountRecord {
    std::string user;  // the user part of the address of record, unescaped
    AccountClass account_class = AccountClass::Modern;
    std::vector<sip::AuthSecret> secrets;  // for the server's realm, one an algorithm
};

// Names one question to the application.
struct AccountQuery {
    std::uint64_t value = 0;
    friend constexpr auto operator<=>(AccountQuery, AccountQuery) = default;
};

}  // namespace stile::sip_server
