// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// [turn.oauth]: who may hand out access tokens. RFC 7635.
#include <stile/relay/settings_file.hpp>

#include <stile/base/encoding.hpp>
#include <stile/turn/limits.hpp>

#include <fmt/format.h>
#include <algorithm>

namespace stile::relay {
namespace {

using app::TomlKey;
using app::TomlNode;

constexpr std::size_t most_name_octets = 127;  // as a realm's
constexpr std::size_t a256gcm_octets = 32;
constexpr std::size_t a128gcm_octets = 16;

}  // namespace

std::optional<Bytes> parse_token_key(std::string_view base64, std::size_t octets) {
    auto key = from_base64(base64);
    if (!key || key->size() != octets) return std::nullopt;
    return *std::move(key);
}

void TurnSection::oauth(TomlNode node, std::size_t index) {
    std::string name;
    std::optional<TomlNode> keys;
    toml_.table(node, "[turn.oauth]",
                {{"server_name",
                  [&](TomlNode value) {
                      name = toml_.text(value).value_or("");
                      if (name.empty() || name.size() > most_name_octets) {
                          toml_.complain(value, "the name that tokens are made for is wanted here",
                                         "such as \"turn.example.org\"");
                      }
                  }},
                 {"keys", [&](TomlNode value) { keys = value; }}});
    if (toml_.failed()) return;
    if (!keys) return toml_.complain(node, "'keys' is missing here");
    tenant(index).limits.authentication.third_party = name;
    tenant(index).token_keys.clear();
    std::erase_if(file_.token_key_files,
                  [&](const TokenKeyFile& key) { return key.tenant == index; });
    toml_.list(*keys, [&](TomlNode element) { token_key(element, index); });
    const auto files = static_cast<std::size_t>(
        std::ranges::count(file_.token_key_files, index, &TokenKeyFile::tenant));
    if (tenant(index).token_keys.size() + files > turn::most_token_keys) {
        toml_.complain(*keys, "these are too many keys",
                       fmt::format("at most {}", turn::most_token_keys));
    }
}

void TurnSection::token_key(TomlNode node, std::size_t index) {
    TokenKeyFile from{.tenant = index, .path = {}, .key = {}, .octets = a256gcm_octets};
    std::optional<TomlNode> key;
    toml_.table(node, "a key of access tokens",
                {text("kid", from.key.kid),
                 text("file", from.path),
                 {"key", [&](TomlNode value) { key = value; }},
                 {"algorithm",
                  [&](TomlNode value) {
                      const auto algorithm = toml_.choice(value, {"A256GCM", "A128GCM"});
                      if (algorithm)
                          from.octets = *algorithm == 0 ? a256gcm_octets : a128gcm_octets;
                  }},
                 {"expires", [&](TomlNode value) { from.key.expires = toml_.date(value); }}});
    if (toml_.failed()) return;
    const std::string& kid = from.key.kid;
    if (kid.empty() || kid.size() > most_name_octets) {
        return toml_.complain(node, "a key needs its 'kid', which clients name as their USERNAME",
                              "such as { kid = \"2027-01\", file = \"/etc/stile/oauth-2027-01\" }");
    }
    const auto is_of_it = [&](const TokenKeyFile& other) {
        return other.tenant == index && other.key.kid == kid;
    };
    if (std::ranges::find(tenant(index).token_keys, kid, &turn::TokenKey::kid) !=
            tenant(index).token_keys.end() ||
        std::ranges::any_of(file_.token_key_files, is_of_it)) {
        return toml_.complain(node, fmt::format("there is a key '{}' already", kid),
                              "for rotation give each key a kid of its own");
    }
    if (key.has_value() != from.path.empty()) {
        return toml_.complain(node, "either 'key' or 'file' is wanted here");
    }
    if (!key) return file_.token_key_files.push_back(std::move(from));
    auto octets = parse_token_key(toml_.text(*key).value_or(""), from.octets);
    if (!octets) {
        return toml_.complain(*key, fmt::format("{} octets in base64 are wanted here", from.octets),
                              fmt::format("make some: openssl rand -base64 {}", from.octets));
    }
    from.key.key = *std::move(octets);
    tenant(index).token_keys.push_back(std::move(from.key));
}

}  // namespace stile::relay
