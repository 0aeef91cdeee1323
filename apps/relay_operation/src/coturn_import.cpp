// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/relay/coturn_import.hpp>

#include "coturn_settings.hpp"

#include <stile/base/encoding.hpp>
#include <stile/base/text.hpp>
#include <stile/base/time.hpp>
#include <stile/turn/limits.hpp>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <algorithm>

namespace stile::relay {
namespace {

using Kind = ImportNote::Kind;
using Credentials = CoturnSettings::Credentials;

constexpr std::size_t md5_digits = 32;
constexpr std::size_t least_secret_octets = 8;

bool is_md5(std::string_view hex) { return hex.size() == md5_digits && from_hex(hex); }
std::string md5_value(std::string_view key) { return fmt::format("{{ md5 = {} }}", quoted(key)); }

void add_account(const CoturnSettings::Line& account, Credentials& to, ImportNotes& notes) {
    const auto& [line, name, password] = account;
    if (!password.starts_with("0x")) {
        to.accounts[name] = quoted(password);
        return;
    }
    const std::string key = to_lower(password.substr(2));
    if (is_md5(key)) {
        to.accounts[name] = md5_value(key);
        return;
    }
    notes.turn_to("user", line);
    notes.add(Kind::NotTaken, "this is no key of 32 hexadecimal digits");
}

// coturn uses as much of a key as the algorithm needs, and A256GCM where none is named.
void add_token_key(const CoturnUsers::TokenKey& key, Credentials& to, ImportNotes& notes) {
    const auto not_taken = [&](std::string_view why) {
        notes.add(Kind::NotTaken, fmt::format("token key '{}' {}", key.kid, why));
    };
    const std::string algorithm = key.algorithm.empty() ? "A256GCM" : key.algorithm;
    if (algorithm != "A256GCM" && algorithm != "A128GCM") {
        return not_taken("is of another algorithm than A256GCM and A128GCM");
    }
    const std::size_t octets = algorithm == "A256GCM" ? 32 : 16;
    auto value = from_base64(key.key);
    if (!value || value->size() < octets) return not_taken("is too short for its algorithm");
    value->resize(octets);
    std::string text = fmt::format("{{ kid = {}, key = {}, algorithm = {}", quoted(key.kid),
                                   quoted(to_base64(*value)), quoted(algorithm));
    if (key.lifetime != 0) {
        const WallTime expires{
            std::chrono::seconds{static_cast<std::int64_t>(key.made + key.lifetime)}};
        text += fmt::format(", expires = {:%Y-%m-%dT%H:%M:%SZ}", expires);
    }
    to.token_keys.push_back(text + " }");
}

void limit_secrets(const std::string& realm, std::vector<std::string>& secrets,
                   ImportNotes& notes) {
    std::erase_if(secrets, [&](const std::string& secret) {
        if (secret.size() >= least_secret_octets) return false;
        notes.add(Kind::NotTaken, fmt::format("a secret of realm '{}' has fewer than {} characters",
                                              realm, least_secret_octets));
        return true;
    });
    if (secrets.size() > turn::most_shared_secrets) {
        notes.add(Kind::NotTaken, fmt::format("realm '{}' has {} secrets, of which {} are taken",
                                              realm, secrets.size(), turn::most_shared_secrets));
        secrets.resize(turn::most_shared_secrets);
    }
}

void note_oauth(const CoturnUsers& users, const CoturnSettings& settings, ImportNotes& notes) {
    if (settings.oauth_line == 0) {
        if (settings.server_name.empty()) return;
        notes.turn_to("server-name");
        return notes.add(Kind::NotNeeded, "used for OAuth only");
    }
    notes.turn_to("oauth", settings.oauth_line);
    if (users.token_keys.empty()) {
        notes.add(Kind::NotTaken,
                  "its keys are not in a SQLite database here: write each under [turn] as oauth = "
                  "{ server_name = \"NAME\", keys = [{ kid = \"KID\", key = \"BASE64\" }] }");
    } else {
        notes.add(Kind::Differs, "tokens are taken beside accounts and secrets, as the keys say");
    }
}

}  // namespace

void sort_coturn_users(const CoturnUsers& users, CoturnSettings& settings, ImportNotes& notes) {
    if (settings.realm.empty()) settings.realm = "localhost";
    const auto tenant = [&](const std::string& realm) -> Credentials& {
        return settings.tenants[realm.empty() ? settings.realm : realm];
    };
    for (const auto& account : settings.accounts) add_account(account, tenant(""), notes);
    for (const std::string& secret : settings.secrets) tenant("").secrets.push_back(secret);
    notes.turn_to("userdb");
    for (const auto& account : users.accounts) {
        if (account.name.empty() || !is_md5(account.key)) {
            notes.add(Kind::NotTaken, fmt::format("user '{}' of realm '{}' has no MD5 key",
                                                  account.name, account.realm));
            continue;
        }
        tenant(account.realm).accounts[account.name] = md5_value(account.key);
    }
    for (const auto& secret : users.secrets) {
        auto& list = tenant(secret.realm).secrets;
        if (std::ranges::find(list, secret.secret) == list.end()) list.push_back(secret.secret);
    }
    if (settings.oauth_line != 0) {
        for (const auto& key : users.token_keys) add_token_key(key, tenant(key.realm), notes);
    }
    for (const auto& range : users.allowed) add_range(range.range, settings.allowed, notes);
    for (const auto& range : users.denied) add_range(range.range, settings.denied, notes);
    for (auto& [realm, credentials] : settings.tenants) {
        limit_secrets(realm, credentials.secrets, notes);
    }
    note_oauth(users, settings, notes);
}

CoturnImport import_coturn(std::string_view text, const CoturnUsers& users, ImportTarget target) {
    ImportNotes notes;
    CoturnSettings settings = read_coturn_settings(text, notes);
    sort_coturn_users(users, settings, notes);
    CoturnImport result;
    result.userdb = settings.userdb;
    result.toml = write_coturn_settings(std::move(settings), target, notes);
    result.notes = notes.take();
    return result;
}

std::string to_text(const std::vector<ImportNote>& notes, std::string_view file_name) {
    std::string text;
    for (const ImportNote& note : notes) {
        const std::string_view verdict = note.kind == Kind::NotTaken  ? "not taken"
                                         : note.kind == Kind::Differs ? "differs"
                                                                      : "not needed";
        text += file_name;
        if (note.line != 0) text += fmt::format(":{}", note.line);
        if (!note.option.empty()) text += fmt::format(": {}", app::printable(note.option));
        text += fmt::format(": {}: {}\n", verdict, app::printable(note.reason));
    }
    return text;
}

}  // namespace stile::relay
