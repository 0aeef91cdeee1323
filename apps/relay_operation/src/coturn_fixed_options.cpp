// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "coturn_settings.hpp"

#include <algorithm>
#include <array>

namespace stile::relay {
namespace {

using Kind = ImportNote::Kind;

constexpr std::string_view logging = "what happens is written to standard output; systemd keeps it";
constexpr std::string_view admin =
    "the running server is asked with 'stile-turnd sessions', 'trace', 'drain' and 'reload'";
constexpr std::string_view tls_choice = "TLS 1.2 and 1.3 with the system's modern ciphers, always";
constexpr std::string_view other_database =
    "only coturn's SQLite database is read: export the users with turnadmin into [accounts]";
constexpr std::string_view always = "always so here";

constexpr std::array options{
    CoturnOption{"listening-device", Kind::NotTaken, "name addresses instead: listening-ip"},
    CoturnOption{"relay-device", Kind::NotTaken, "name addresses instead: relay-ip"},
    CoturnOption{"no-auth", Kind::NotTaken,
                 "a relay for everybody is never run; make accounts or secrets"},
    CoturnOption{"psql-userdb", Kind::NotTaken, other_database},
    CoturnOption{"mysql-userdb", Kind::NotTaken, other_database},
    CoturnOption{"mongo-userdb", Kind::NotTaken, other_database},
    CoturnOption{"redis-userdb", Kind::NotTaken, other_database},
    CoturnOption{"redis-statsdb", Kind::NotTaken, "see [metrics]: Prometheus and a usage file"},
    CoturnOption{"secret-key-file", Kind::NotTaken,
                 "encrypted passwords are of databases not read here"},
    CoturnOption{"bps-capacity", Kind::NotTaken,
                 "there is a rate a user, none of the whole server"},
    CoturnOption{"alternate-server", Kind::NotTaken,
                 "clients are sent elsewhere only while draining: see [drain] redirect"},
    CoturnOption{"tls-alternate-server", Kind::NotTaken,
                 "clients are sent elsewhere only while draining: see [drain] redirect"},
    CoturnOption{"no-udp-relay", Kind::NotTaken, "UDP relays are what this is for"},
    CoturnOption{
        "stun-only", Kind::NotTaken,
        "TURN is there, too; with no account and no shared secret handed out nobody relays"},
    CoturnOption{"no-stun", Kind::NotTaken,
                 "Binding requests are always answered, at a limited rate"},
    CoturnOption{"secure-stun", Kind::NotTaken, "Binding requests need no credentials"},
    CoturnOption{"pkey-pwd", Kind::NotTaken,
                 "the key must lie without a password, readable by its owner"},
    CoturnOption{"check-origin-consistency", Kind::NotTaken, "ORIGIN is no part of RFC 8656"},
    CoturnOption{"acme-redirect", Kind::NotTaken, "let the ACME client listen on port 80 itself"},
    CoturnOption{"server-relay", Kind::NotTaken, "it lets anybody in without permissions"},
    CoturnOption{"web-admin", Kind::NotTaken, admin},
    CoturnOption{"web-admin-ip", Kind::NotTaken, admin},
    CoturnOption{"web-admin-port", Kind::NotTaken, admin},
    CoturnOption{"web-admin-listen-on-workers", Kind::NotTaken, admin},
    CoturnOption{"prometheus-username-labels", Kind::NotTaken,
                 "a label for each user makes metrics without bounds; see usage_file"},
    CoturnOption{"allocation-default-address-family", Kind::NotTaken,
                 "IPv4 unless the client asks otherwise, as RFC 8656 says"},
    CoturnOption{"keep-address-family", Kind::NotTaken,
                 "IPv4 unless the client asks otherwise, as RFC 8656 says"},
    CoturnOption{"lt-cred-mech", Kind::NotNeeded, always},
    CoturnOption{"use-auth-secret", Kind::NotNeeded, "having secrets is enough"},
    CoturnOption{"fingerprint", Kind::NotNeeded, "present where the protocol wants it"},
    CoturnOption{"no-multicast-peers", Kind::NotNeeded, always},
    CoturnOption{"udp-self-balance", Kind::NotNeeded, always},
    CoturnOption{"no-software-attribute", Kind::NotNeeded, always},
    CoturnOption{"no-cli", Kind::NotNeeded, "there is none"},
    CoturnOption{"cli-ip", Kind::NotNeeded, admin},
    CoturnOption{"cli-port", Kind::NotNeeded, admin},
    CoturnOption{"cli-password", Kind::NotNeeded, admin},
    CoturnOption{"cli-max-output-sessions", Kind::NotNeeded, admin},
    CoturnOption{"verbose", Kind::NotNeeded, logging},
    CoturnOption{"Verbose", Kind::NotNeeded, logging},
    CoturnOption{"no-stdout-log", Kind::NotNeeded, logging},
    CoturnOption{"log-file", Kind::NotNeeded, logging},
    CoturnOption{"syslog", Kind::NotNeeded, logging},
    CoturnOption{"syslog-facility", Kind::NotNeeded, logging},
    CoturnOption{"simple-log", Kind::NotNeeded, logging},
    CoturnOption{"new-log-timestamp", Kind::NotNeeded, logging},
    CoturnOption{"new-log-timestamp-format", Kind::NotNeeded, logging},
    CoturnOption{"log-binding", Kind::NotNeeded, logging},
    CoturnOption{"pidfile", Kind::NotNeeded, "systemd knows the process"},
    CoturnOption{"proc-user", Kind::NotNeeded, "User= of the service file"},
    CoturnOption{"proc-group", Kind::NotNeeded, "Group= of the service file"},
    CoturnOption{"cipher-list", Kind::NotNeeded, tls_choice},
    CoturnOption{"ec-curve-name", Kind::NotNeeded, tls_choice},
    CoturnOption{"dh566", Kind::NotNeeded, tls_choice},
    CoturnOption{"dh1066", Kind::NotNeeded, tls_choice},
    CoturnOption{"dh2066", Kind::NotNeeded, tls_choice},
    CoturnOption{"dh-file", Kind::NotNeeded, tls_choice},
    CoturnOption{"no-tlsv1", Kind::NotNeeded, tls_choice},
    CoturnOption{"no-tlsv1_1", Kind::NotNeeded, tls_choice},
    CoturnOption{"no-tlsv1_2", Kind::NotNeeded, tls_choice},
    CoturnOption{"max-allocate-timeout", Kind::NotNeeded,
                 "nothing is kept for who has not authenticated"},
    CoturnOption{"ne", Kind::NotNeeded, "a thread a core"},
    CoturnOption{"no-stun-backward-compatibility", Kind::NotNeeded, always},
    CoturnOption{"response-origin-only-with-rfc5780", Kind::NotNeeded, always},
};

}  // namespace

const CoturnOption* find_fixed_option(std::string_view name) {
    const auto* const found = std::ranges::find(options, name, &CoturnOption::name);
    return found == options.end() ? nullptr : found;
}

}  // namespace stile::relay
