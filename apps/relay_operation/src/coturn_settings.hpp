// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "address_ranges.hpp"

#include <stile/relay/coturn_import.hpp>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace stile::relay {

// An option without a counterpart here, and why.
struct CoturnOption {
    std::string_view name;
    ImportNote::Kind kind;
    std::string_view reason;
};
// Null for all others.
const CoturnOption* find_fixed_option(std::string_view name);

// Collects what is to be said about the lines of a turnserver.conf.
class ImportNotes {
public:
    // What the notes from here on are about; line 0 is no one line.
    void turn_to(std::string_view option, std::size_t line = 0) {
        option_ = option;
        line_ = line;
    }
    void add(ImportNote::Kind kind, std::string reason) {
        all_.push_back({kind, line_, option_, std::move(reason)});
    }
    std::size_t line() const { return line_; }
    std::vector<ImportNote> take() { return std::move(all_); }

private:
    std::vector<ImportNote> all_;
    std::size_t line_ = 0;
    std::string option_;
};

// What a turnserver.conf and its database say, as far as there is a place for it here.
struct CoturnSettings {
    // Where clients come, and where relays are.
    std::vector<std::string> listening;
    std::vector<std::string> relays;
    std::vector<std::string> extra;             // listeners, with their ports
    std::vector<std::string> external;          // of whichever relay address has the family
    std::map<std::string, std::string> mapped;  // relay address: external address
    std::uint16_t port = 3478;
    std::uint16_t tls_port = 5349;
    std::uint16_t alternate_port = 0;
    std::uint16_t proxy_port = 0;
    std::uint16_t first_port = 49152;
    std::uint16_t last_port = 65535;

    // Who may relay.
    struct Line {
        std::size_t line = 0;
        std::string name;
        std::string password;
    };
    struct Credentials {
        std::vector<std::string> secrets;
        std::map<std::string, std::string> accounts;  // name: TOML value
        std::vector<std::string> token_keys;          // TOML values
    };
    std::string realm;
    std::string userdb;
    std::string server_name;
    std::vector<std::string> secrets;
    std::vector<Line> accounts;
    std::map<std::string, Credentials> tenants;  // by realm
    std::size_t oauth_line = 0;                  // 0: not there

    // The rest.
    std::string certificate;
    std::string key;
    std::map<std::string, std::string> turn;  // our key: TOML value
    std::set<std::string, std::less<>> switches;
    std::vector<AddressRange> allowed;
    std::vector<AddressRange> denied;
    std::uint16_t metrics_port = 9641;
    std::string metrics_address;

    bool has(std::string_view name) const { return switches.contains(name); }
    bool has_tls() const { return !certificate.empty() && !key.empty(); }
};

CoturnSettings read_coturn_settings(std::string_view text, ImportNotes& notes);
// Sorts who may relay by realm: those of the file and those of the database.
void sort_coturn_users(const CoturnUsers& users, CoturnSettings& settings, ImportNotes& notes);
// As the program's configuration says it.
std::string write_coturn_settings(CoturnSettings settings, ImportTarget target, ImportNotes& notes);

void add_range(std::string_view text, std::vector<AddressRange>& list, ImportNotes& notes);
// A text as TOML has it.
std::string quoted(std::string_view text);
std::string quoted_list(const std::vector<std::string>& items);

}  // namespace stile::relay
