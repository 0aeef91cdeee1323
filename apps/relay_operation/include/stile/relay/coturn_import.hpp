// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/app/problem.hpp>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace stile::relay {

// What became of one line of turnserver.conf.
struct ImportNote {
    enum class Kind : std::uint8_t {
        NotNeeded,  // here it is so anyway, or it means nothing here
        Differs,    // taken over, and what it does is not quite the same
        NotTaken,   // has no counterpart; the reason says what to do
    };
    Kind kind = Kind::NotNeeded;
    std::size_t line = 0;  // 0: of no one line
    std::string option;
    std::string reason;
};

// The users of coturn's SQLite database (turnadmin).
struct CoturnUsers {
    struct Account {
        std::string realm;
        std::string name;
        std::string key;  // hexadecimal MD5(name:realm:password)
    };
    struct Secret {
        std::string realm;
        std::string secret;
    };
    struct Range {
        std::string realm;  // empty: all
        std::string range;  // "10.0.0.0-10.255.255.255"
    };
    // Of an authorization server, RFC 7635.
    struct TokenKey {
        std::string realm;
        std::string kid;
        std::string key;             // base64
        std::string algorithm;       // empty: A256GCM
        std::uint64_t made = 0;      // seconds since 1970
        std::uint64_t lifetime = 0;  // seconds; 0 is for ever
    };
    std::vector<Account> accounts;
    std::vector<Secret> secrets;
    std::vector<Range> allowed;
    std::vector<Range> denied;
    std::vector<TokenKey> token_keys;
};
std::expected<CoturnUsers, app::Problem> read_coturn_users(const std::string& path);

struct CoturnImport {
    std::string userdb;  // that the file names; empty: none
    std::string toml;    // what the program reads
    std::vector<ImportNote> notes;
};

// Whose configuration it becomes.
enum class ImportTarget : std::uint8_t { Turnd, Stiled };

// Takes over the text of a turnserver.conf. Call it once to learn of the database, and again with
// its users.
CoturnImport import_coturn(std::string_view text, const CoturnUsers& users = {},
                           ImportTarget target = ImportTarget::Turnd);

// "turnserver.conf:187: no-auth: not taken: ..."
std::string to_text(const std::vector<ImportNote>& notes, std::string_view file_name);

}  // namespace stile::relay
