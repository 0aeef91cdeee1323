// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "scan.hpp"

#include <stile/base/try.hpp>
#include <stile/sip/via.hpp>

namespace stile::sip {
namespace {

std::expected<SentBy, ParseError> parse_sent_by(std::string_view text) {
    SentBy sent_by;
    std::size_t host_end = text.find_first_of(": \t");
    if (!text.empty() && text.front() == '[') {
        host_end = text.find(']');
        if (host_end == std::string_view::npos) return std::unexpected(ParseError::BadHost);
        ++host_end;
    }
    sent_by.host = STILE_TRY(Host::parse(text.substr(0, host_end)));
    if (host_end >= text.size()) return sent_by;
    text.remove_prefix(host_end);
    if (!scan::take_separator(text, ':')) return std::unexpected(ParseError::BadVia);
    const auto port = parse_unsigned(text, 0xFFFF);
    if (!port) return std::unexpected(ParseError::BadPort);
    sent_by.port = Port{static_cast<std::uint16_t>(*port)};
    return sent_by;
}

std::optional<Port> port_of(std::string_view text) {
    const auto value = parse_unsigned(text, 0xFFFF);
    if (!value) return std::nullopt;
    return Port{static_cast<std::uint16_t>(*value)};
}

}  // namespace

std::string SentBy::to_string() const {
    return port ? host.text() + ":" + std::to_string(port->value) : host.text();
}

std::expected<Via, ParseError> Via::parse(std::string_view text) {
    const std::string_view name = scan::take_token(text);
    if (!scan::take_separator(text, '/')) return std::unexpected(ParseError::BadVia);
    const std::string_view version = scan::take_token(text);
    if (!scan::take_separator(text, '/')) return std::unexpected(ParseError::BadVia);
    const std::string_view transport = scan::take_token(text);
    if (name.empty() || version.empty() || transport.empty()) {
        return std::unexpected(ParseError::BadVia);
    }
    if (text.empty() || !scan::is_space(text.front())) return std::unexpected(ParseError::BadVia);
    const std::size_t semicolon = text.find(';');
    Via via;
    via.protocol.assign(name).append("/").append(version);
    via.transport = transport;
    via.sent_by = STILE_TRY(parse_sent_by(scan::trimmed(text.substr(0, semicolon))));
    if (semicolon != std::string_view::npos) {
        via.parameters =
            STILE_TRY(Parameters::parse(text.substr(semicolon), ParameterSyntax::Header));
    }
    return via;
}

std::string Via::to_string() const {
    return protocol + "/" + transport + " " + sent_by.to_string() + parameters.text();
}

std::optional<TransportKind> Via::transport_kind() const { return transport_kind_of(transport); }

bool Via::has_rfc3261_branch() const {
    const auto value = branch();
    // The cookie alone names nothing: such a request is matched by RFC 2543's rules.
    return value && value->size() > branch_cookie.size() &&
           iequals(value->substr(0, branch_cookie.size()), branch_cookie);
}

std::optional<IpAddress> Via::received() const {
    auto text = parameters.value("received");
    if (!text) return std::nullopt;
    if (text->size() > 2 && text->front() == '[' && text->back() == ']') {
        text = text->substr(1, text->size() - 2);
    }
    return IpAddress::parse(*text);
}

std::optional<Rport> Via::rport() const {
    const auto found = parameters.find("rport");
    if (!found) return std::nullopt;
    return Rport{.port = found->value ? port_of(*found->value) : std::nullopt};
}

std::optional<std::uint8_t> Via::ttl() const {
    const auto text = parameters.value("ttl");
    const auto value = text ? parse_unsigned(*text, 255) : std::nullopt;
    if (!value) return std::nullopt;
    return static_cast<std::uint8_t>(*value);
}

void mark_source(Via& via, const SocketAddress& source) {
    // RFC 3581 Section 4: with rport, received is written even where sent-by says the same.
    const bool wants_port = via.parameters.contains("rport");
    if (wants_port) via.parameters.set("rport", std::to_string(source.port.value));
    const auto& said = via.sent_by.host.address();
    if (wants_port || !said || *said != source.ip) {
        via.parameters.set("received", source.ip.to_string());
    } else {
        via.parameters.remove("received");  // the sender does not know better than we do
    }
}

SentBy response_destination(const Via& via) {
    const std::optional<Port> port = via.sent_by.port;
    if (const auto maddr = via.maddr()) {
        if (auto host = Host::parse(*maddr)) return {.host = *std::move(host), .port = port};
    }
    if (const auto received = via.received()) {
        const auto rport = via.rport();
        return {.host = Host{*received}, .port = rport && rport->port ? rport->port : port};
    }
    return {.host = via.sent_by.host, .port = port};
}

std::string_view transport_text(TransportKind kind) {
    switch (kind) {
        case TransportKind::Udp:
            return "UDP";
        case TransportKind::Tcp:
            return "TCP";
        case TransportKind::Tls:
            return "TLS";
        case TransportKind::Ws:
            return "WS";
        case TransportKind::Wss:
            return "WSS";
    }
    return {};
}

std::optional<TransportKind> transport_kind_of(std::string_view text) {
    using enum TransportKind;
    for (const TransportKind kind : {Udp, Tcp, Tls, Ws, Wss}) {
        if (iequals(text, transport_text(kind))) return kind;
    }
    return std::nullopt;
}

}  // namespace stile::sip
