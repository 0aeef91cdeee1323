// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sdp/candidate.hpp>

#include <stile/base/try.hpp>
#include <stile/sdp/limits.hpp>

#include "lexer.hpp"

#include <array>

namespace stile::sdp {

namespace {

constexpr std::array<std::pair<CandidateType, std::string_view>, 4> type_names{{
    {CandidateType::Host, "host"},
    {CandidateType::ServerReflexive, "srflx"},
    {CandidateType::PeerReflexive, "prflx"},
    {CandidateType::Relayed, "relay"},
}};

constexpr std::array<std::pair<TcpType, std::string_view>, 3> tcp_type_names{{
    {TcpType::Active, "active"},
    {TcpType::Passive, "passive"},
    {TcpType::SimultaneousOpen, "so"},
}};

template <class Value, std::size_t count>
std::optional<Value> value_of(const std::array<std::pair<Value, std::string_view>, count>& names,
                              std::string_view text) {
    for (const auto& [value, name] : names) {
        if (iequals(name, text)) return value;
    }
    return {};
}

template <class Value, std::size_t count>
std::string_view name_of(const std::array<std::pair<Value, std::string_view>, count>& names,
                         Value wanted) {
    for (const auto& [value, name] : names) {
        if (value == wanted) return name;
    }
    return {};
}

template <class T>
using Result = std::expected<T, AttributeError>;

Result<std::uint64_t> number(std::string_view text, std::uint64_t least, std::uint64_t most) {
    if (!lexer::is_digits(text)) return std::unexpected(AttributeError::Malformed);
    const auto value = parse_unsigned(text, most);
    if (!value || *value < least) return std::unexpected(AttributeError::OutOfRange);
    return *value;
}

Result<Port> parse_port(std::string_view text) {
    const auto value = number(text, 0, 65'535);
    if (!value) return std::unexpected(value.error());
    return Port{static_cast<std::uint16_t>(*value)};
}

bool is_mdns_name(std::string_view text) {
    constexpr std::string_view suffix = ".local";
    if (text.size() <= suffix.size() || text.size() > 63 + suffix.size()) return false;
    const std::string_view label = text.substr(0, text.size() - suffix.size());
    return iequals(text.substr(label.size()), suffix) &&
           std::all_of(label.begin(), label.end(),
                       [](char c) { return is_alnum(c) || c == '-' || c == '_'; });
}

Result<std::variant<IpAddress, MdnsName>> parse_address(std::string_view text) {
    if (!lexer::is_word(text)) return std::unexpected(AttributeError::Malformed);
    if (const auto ip = IpAddress::parse(text)) return *ip;
    // A colon promises IPv6. RFC 8839 Section 5.1.
    if (text.find(':') != std::string_view::npos) {
        return std::unexpected(AttributeError::Malformed);
    }
    if (is_mdns_name(text)) return MdnsName{std::string{text}};
    return std::unexpected(AttributeError::Unsupported);
}

// Everything after the type, which comes in pairs of a name and a value.
Result<void> parse_pairs(std::string_view rest, Candidate& candidate) {
    std::optional<IpAddress> related_ip;
    std::optional<Port> related_port;
    while (!rest.empty()) {
        const std::string_view name = lexer::next_word(rest);
        const std::string_view value = lexer::next_word(rest);
        if (!lexer::is_token(name)) return std::unexpected(AttributeError::Malformed);
        if (iequals(name, "raddr")) {
            related_ip = IpAddress::parse(value);
        } else if (iequals(name, "rport")) {
            related_port = STILE_TRY(parse_port(value));
        } else if (iequals(name, "tcptype")) {
            candidate.tcp_type = value_of(tcp_type_names, value);
            if (!candidate.tcp_type) return std::unexpected(AttributeError::Unsupported);
        } else {
            candidate.extensions.push_back({std::string{name}, std::string{value}});
        }
    }
    if (related_ip && related_port) candidate.related = SocketAddress{*related_ip, *related_port};
    return {};
}

}  // namespace

std::expected<Candidate, AttributeError> Candidate::parse(std::string_view value) {
    std::string_view rest = value;
    // Some senders leave a space at the end.
    while (!rest.empty() && rest.back() == ' ') rest.remove_suffix(1);
    Candidate candidate;
    candidate.foundation = lexer::next_word(rest);
    if (candidate.foundation.empty() || !lexer::is_ice_text(candidate.foundation)) {
        return std::unexpected(AttributeError::Malformed);
    }
    if (candidate.foundation.size() > limits::foundation_characters) {
        return std::unexpected(AttributeError::OutOfRange);
    }
    candidate.component =
        static_cast<std::uint16_t>(STILE_TRY(number(lexer::next_word(rest), 1, 256)));
    const std::string_view transport = lexer::next_word(rest);
    candidate.priority =
        static_cast<std::uint32_t>(STILE_TRY(number(lexer::next_word(rest), 1, INT32_MAX)));
    candidate.address = STILE_TRY(parse_address(lexer::next_word(rest)));
    candidate.port = STILE_TRY(parse_port(lexer::next_word(rest)));
    if (!iequals(lexer::next_word(rest), "typ")) return std::unexpected(AttributeError::Malformed);
    const std::string_view type = lexer::next_word(rest);
    if (!lexer::is_token(type) || !lexer::is_token(transport)) {
        return std::unexpected(AttributeError::Malformed);
    }
    const auto known_type = value_of(type_names, type);
    const bool udp = iequals(transport, "UDP");
    if (!known_type || (!udp && !iequals(transport, "TCP"))) {
        return std::unexpected(AttributeError::Unsupported);
    }
    candidate.type = *known_type;
    candidate.transport = udp ? CandidateTransport::Udp : CandidateTransport::Tcp;
    if (const auto pairs = parse_pairs(rest, candidate); !pairs) {
        return std::unexpected(pairs.error());
    }
    // RFC 6544 Section 4.5: a TCP candidate says which kind it is.
    if (!udp && !candidate.tcp_type) return std::unexpected(AttributeError::Malformed);
    return candidate;
}

std::optional<std::string> Candidate::value() const {
    std::string text = foundation + ' ' + std::to_string(component);
    text += transport == CandidateTransport::Udp ? " UDP " : " TCP ";
    text += std::to_string(priority) + ' ';
    if (const auto* ip = std::get_if<IpAddress>(&address)) {
        text += ip->to_string();
    } else {
        text += std::get<MdnsName>(address).text;
    }
    text += ' ' + std::to_string(port.value) + " typ ";
    text += name_of(type_names, type);
    if (related) {
        text += " raddr " + related->ip.to_string();
        text += " rport " + std::to_string(related->port.value);
    }
    if (tcp_type) {
        text += " tcptype ";
        text += name_of(tcp_type_names, *tcp_type);
    }
    for (const Extension& each : extensions) text += ' ' + each.name + ' ' + each.value;
    return text;
}

std::optional<SocketAddress> Candidate::socket_address() const {
    const auto* ip = std::get_if<IpAddress>(&address);
    if (!ip) return {};
    return SocketAddress{*ip, port};
}

bool same_candidate(const Candidate& left, const Candidate& right) {
    return left.address == right.address && left.port == right.port &&
           left.transport == right.transport && left.component == right.component &&
           left.tcp_type == right.tcp_type;
}

std::expected<EndOfCandidates, AttributeError> EndOfCandidates::parse(std::string_view value) {
    if (!value.empty()) return std::unexpected(AttributeError::Malformed);
    return EndOfCandidates{};
}

}  // namespace stile::sdp
