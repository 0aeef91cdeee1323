// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "login_link.hpp"

#include <stile/base/encoding.hpp>
#include <stile/base/text.hpp>

namespace stile::peer {
namespace {

constexpr std::string_view scheme = "https://";
constexpr std::string_view path = "/login";
constexpr std::uint16_t https_port = 443;
constexpr std::size_t most_token_characters = 256;

struct Authority {
    std::string host;
    Port port;
};

std::optional<Authority> parse_authority(std::string_view text) {
    if (const auto address = SocketAddress::parse(text)) {
        return Authority{address->ip.to_string(), address->port};
    }
    std::string_view rest = text;
    const std::string_view host = take_until(rest, ':');
    if (host.empty() || host.find_first_of("[]/@") != std::string_view::npos) return std::nullopt;
    if (rest.empty()) return Authority{std::string{host}, Port{https_port}};
    const auto port = parse_unsigned(rest, 65535);
    if (!port) return std::nullopt;
    return Authority{std::string{host}, Port{static_cast<std::uint16_t>(*port)}};
}

}  // namespace

std::optional<LoginLink> LoginLink::parse(std::string_view text) {
    if (!text.starts_with(scheme)) return std::nullopt;
    text.remove_prefix(scheme.size());
    std::string_view secret = text;
    std::string_view place = take_until(secret, '#');
    if (!place.ends_with(path)) return std::nullopt;
    place.remove_suffix(path.size());
    const auto authority = parse_authority(place);
    const std::string_view user = take_until(secret, '.');
    const std::string_view token = take_until(secret, '.');
    const auto fingerprint = from_base64url(secret);
    if (!authority || user.empty() || user.size() > most_token_characters || token.empty() ||
        token.size() > most_token_characters || !fingerprint ||
        fingerprint->size() != crypto::digest_size(crypto::DigestAlgorithm::Sha256)) {
        return std::nullopt;
    }
    return LoginLink{authority->host, authority->port, std::string{user}, std::string{token},
                     crypto::Digest{BytesView{*fingerprint}}};
}

}  // namespace stile::peer
