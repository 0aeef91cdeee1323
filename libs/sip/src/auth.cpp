// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "scan.hpp"

#include <stile/base/try.hpp>
#include <stile/sip/auth.hpp>
#include <stile/sip/limits.hpp>

#include <array>
#include <charconv>
#include <utility>

namespace stile::sip {
namespace {

constexpr std::array<std::string_view, 6> algorithm_names{
    "MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"};

struct AuthParameter {
    std::string_view name;
    std::string_view value;  // as written
};

// auth-param *(COMMA auth-param), each name once.
std::expected<std::vector<AuthParameter>, ParseError> parse_parameters(std::string_view text) {
    std::vector<AuthParameter> parameters;
    while (!text.empty()) {
        std::string_view item = scan::take_element(text);
        if (item.empty()) continue;
        if (parameters.size() == most_parameters) {
            return std::unexpected(ParseError::TooManyParameters);
        }
        const std::string_view name = scan::take_token(item);
        if (name.empty() || !scan::take_separator(item, '=')) {
            return std::unexpected(ParseError::BadAuth);
        }
        std::string_view rest = item;
        if (!item.empty() && item.front() == '"' && (!scan::take_quoted(rest) || !rest.empty())) {
            return std::unexpected(ParseError::BadQuotedString);
        }
        for (const AuthParameter& earlier : parameters) {
            if (iequals(earlier.name, name)) return std::unexpected(ParseError::BadAuth);
        }
        parameters.push_back({.name = name, .value = item});
    }
    return parameters;
}

// The parameters of the Digest scheme.
std::expected<std::vector<AuthParameter>, ParseError> parse_digest(std::string_view text) {
    text = scan::trimmed(text);
    const std::string_view scheme = scan::take_token(text);
    if (!iequals(scheme, "Digest") || text.empty() || !scan::is_space(text.front())) {
        return std::unexpected(ParseError::BadAuth);
    }
    return parse_parameters(text);
}

std::optional<std::string> value_of(const std::vector<AuthParameter>& parameters,
                                    std::string_view name) {
    for (const AuthParameter& parameter : parameters) {
        if (iequals(parameter.name, name)) return scan::unquoted(parameter.value);
    }
    return std::nullopt;
}

std::optional<Qop> qop_of(std::string_view text) {
    if (iequals(text, "auth")) return Qop::Auth;
    if (iequals(text, "auth-int")) return Qop::AuthInt;
    return std::nullopt;
}

std::expected<AuthAlgorithm, ParseError> algorithm_in(
    const std::vector<AuthParameter>& parameters) {
    const auto text = value_of(parameters, "algorithm");
    if (!text) return AuthAlgorithm::Md5;
    const auto algorithm = auth_algorithm_of(*text);
    if (!algorithm) return std::unexpected(ParseError::BadAuth);
    return *algorithm;
}

// nc-value: eight hexadecimal digits, of which fewer are taken too.
std::optional<std::uint32_t> nonce_count_of(std::string_view text) {
    std::uint32_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value, 16);
    if (error != std::errc{} || stop != end || text.size() > 8) return std::nullopt;
    return value;
}

struct QopUse {
    std::optional<Qop> qop;
    std::string cnonce;
    std::uint32_t nonce_count = 0;
};

// qop, cnonce and nc stand together or not at all. RFC 7616 Section 3.4.
std::expected<QopUse, ParseError> qop_use(const std::vector<AuthParameter>& parameters) {
    QopUse use;
    use.cnonce = value_of(parameters, "cnonce").value_or("");
    const auto text = value_of(parameters, "qop");
    if (!text) return use;
    use.qop = qop_of(*text);
    const auto count = nonce_count_of(value_of(parameters, "nc").value_or(""));
    if (!use.qop || !count || use.cnonce.empty()) return std::unexpected(ParseError::BadAuth);
    use.nonce_count = *count;
    return use;
}

void append(std::string& text, std::string_view name, std::string_view value) {
    if (!text.empty() && text.back() != ' ') text += ", ";
    text.append(name).append("=").append(value);
}

void append_use(std::string& text, std::optional<Qop> qop, std::string_view cnonce,
                std::uint32_t nonce_count) {
    if (!cnonce.empty()) append(text, "cnonce", scan::quoted(cnonce));
    if (!qop) return;
    append(text, "qop", qop_text(*qop));
    append(text, "nc", nonce_count_text(nonce_count));
}

}  // namespace

std::string_view auth_algorithm_text(AuthAlgorithm algorithm) {
    return algorithm_names[std::to_underlying(algorithm)];
}

std::optional<AuthAlgorithm> auth_algorithm_of(std::string_view text) {
    for (std::size_t i = 0; i < algorithm_names.size(); ++i) {
        if (iequals(algorithm_names[i], text)) return static_cast<AuthAlgorithm>(i);
    }
    return std::nullopt;
}

std::string_view qop_text(Qop qop) { return qop == Qop::Auth ? "auth" : "auth-int"; }

std::string nonce_count_text(std::uint32_t count) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text(8, '0');
    for (std::size_t i = text.size(); i-- > 0; count >>= 4U) text[i] = digits[count & 0xFU];
    return text;
}

std::expected<Challenge, ParseError> Challenge::parse(std::string_view text) {
    const auto parameters = STILE_TRY(parse_digest(text));
    Challenge challenge;
    auto realm = value_of(parameters, "realm");
    auto nonce = value_of(parameters, "nonce");
    if (!realm || !nonce) return std::unexpected(ParseError::BadAuth);
    challenge.realm = *std::move(realm);
    challenge.nonce = *std::move(nonce);
    challenge.opaque = value_of(parameters, "opaque");
    challenge.domain = value_of(parameters, "domain");
    challenge.algorithm = STILE_TRY(algorithm_in(parameters));
    if (const auto options = value_of(parameters, "qop")) {
        std::string_view rest = *options;
        while (!rest.empty()) {
            if (const auto qop = qop_of(scan::trimmed(take_until(rest, ',')))) {
                challenge.qops.push_back(*qop);
            }
        }
        if (challenge.qops.empty()) return std::unexpected(ParseError::BadAuth);
    }
    if (iequals(value_of(parameters, "stale").value_or(""), "true")) {
        challenge.staleness = Staleness::Stale;
    }
    return challenge;
}

std::string Challenge::to_string() const {
    std::string text = "Digest ";
    append(text, "realm", scan::quoted(realm));
    if (domain) append(text, "domain", scan::quoted(*domain));
    append(text, "nonce", scan::quoted(nonce));
    if (opaque) append(text, "opaque", scan::quoted(*opaque));
    if (staleness == Staleness::Stale) append(text, "stale", "true");
    append(text, "algorithm", auth_algorithm_text(algorithm));
    std::string options;
    for (const Qop qop : qops) {
        if (!options.empty()) options += ',';
        options += qop_text(qop);
    }
    if (!options.empty()) append(text, "qop", scan::quoted(options));
    return text;
}

std::expected<Credentials, ParseError> Credentials::parse(std::string_view text) {
    const auto parameters = STILE_TRY(parse_digest(text));
    Credentials credentials;
    const auto take = [&parameters](std::string_view name, std::string& place) {
        auto value = value_of(parameters, name);
        if (value) place = *std::move(value);
        return value.has_value();
    };
    const bool complete = take("username", credentials.username) &&
                          take("realm", credentials.realm) && take("nonce", credentials.nonce) &&
                          take("uri", credentials.uri) && take("response", credentials.response);
    if (!complete) return std::unexpected(ParseError::BadAuth);
    credentials.algorithm = STILE_TRY(algorithm_in(parameters));
    credentials.opaque = value_of(parameters, "opaque");
    QopUse use = STILE_TRY(qop_use(parameters));
    credentials.qop = use.qop;
    credentials.cnonce = std::move(use.cnonce);
    credentials.nonce_count = use.nonce_count;
    return credentials;
}

std::string Credentials::to_string() const {
    std::string text = "Digest ";
    append(text, "username", scan::quoted(username));
    append(text, "realm", scan::quoted(realm));
    append(text, "nonce", scan::quoted(nonce));
    append(text, "uri", scan::quoted(uri));
    append(text, "response", scan::quoted(response));
    append(text, "algorithm", auth_algorithm_text(algorithm));
    if (opaque) append(text, "opaque", scan::quoted(*opaque));
    append_use(text, qop, cnonce, nonce_count);
    return text;
}

std::expected<AuthenticationInfo, ParseError> AuthenticationInfo::parse(std::string_view text) {
    const auto parameters = STILE_TRY(parse_parameters(text));
    AuthenticationInfo info;
    info.next_nonce = value_of(parameters, "nextnonce");
    info.response_auth = value_of(parameters, "rspauth");
    QopUse use = STILE_TRY(qop_use(parameters));
    info.qop = use.qop;
    info.cnonce = std::move(use.cnonce);
    info.nonce_count = use.nonce_count;
    return info;
}

std::string AuthenticationInfo::to_string() const {
    std::string text;
    if (next_nonce) append(text, "nextnonce", scan::quoted(*next_nonce));
    if (response_auth) append(text, "rspauth", scan::quoted(*response_auth));
    append_use(text, qop, cnonce, nonce_count);
    return text;
}

std::vector<Challenge> challenges(const Message& response, HeaderName name) {
    std::vector<Challenge> found;
    std::size_t seen = 0;
    for (const std::string_view text : response.values(name)) {
        if (++seen > most_challenges) break;
        if (auto challenge = Challenge::parse(text)) found.push_back(*std::move(challenge));
    }
    return found;
}

std::optional<Credentials> credentials_for(const Message& request, HeaderName name,
                                           std::string_view realm) {
    std::size_t seen = 0;
    for (const std::string_view text : request.values(name)) {
        if (++seen > most_challenges) break;
        auto credentials = Credentials::parse(text);
        if (credentials && credentials->realm == realm) return *std::move(credentials);
    }
    return std::nullopt;
}

}  // namespace stile::sip
