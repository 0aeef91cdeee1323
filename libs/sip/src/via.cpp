// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "scan.hpp"

#include <stile/base/try.hpp>
#include <stile/sip/via.hpp>

namespace stile::sip {
namespace {

std::expected<SentByView, ParseError> parse_sent_by(std::string_view text) {
    SentByView sent_by;
    sent_by.host = STILE_TRY(HostView::take(text));
    if (text.empty()) return sent_by;
    if (text.front() != ':' && !scan::is_space(text.front())) {
        return std::unexpected(ParseError::BadHost);
    }
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

std::expected<ViaView, ParseError> ViaView::parse(std::string_view text) {
    ViaView via;
    via.protocol_name = scan::take_token(text);
    if (!scan::take_separator(text, '/')) return std::unexpected(ParseError::BadVia);
    via.protocol_version = scan::take_token(text);
    if (!scan::take_separator(text, '/')) return std::unexpected(ParseError::BadVia);
    via.transport = scan::take_token(text);
    if (via.protocol_name.empty() || via.protocol_version.empty() || via.transport.empty()) {
        return std::unexpected(ParseError::BadVia);
    }
    if (text.empty() || !scan::is_space(text.front())) return std::unexpected(ParseError::BadVia);
    const std::size_t semicolon = text.find(';');
    via.sent_by = STILE_TRY(parse_sent_by(scan::trimmed(text.substr(0, semicolon))));
    if (semicolon != std::string_view::npos) {
        via.parameters =
            STILE_TRY(ParametersView::parse(text.substr(semicolon), ParameterSyntax::Header));
    }
    return via;
}

SentBy SentByView::copy() const { return {.host = Host{host}, .port = port}; }

Via ViaView::copy() const {
    return {.protocol = std::string{protocol_name}.append("/").append(protocol_version),
            .transport = std::string{transport},
            .sent_by = sent_by.copy(),
            .parameters = Parameters{parameters}};
}

std::expected<Via, ParseError> Via::parse(std::string_view text) {
    return STILE_TRY(ViaView::parse(text)).copy();
}

std::string Via::to_string() const {
    return protocol + "/" + transport + " " + sent_by.to_string() + parameters.text();
}

ViaView Via::view() const& {
    std::string_view version = protocol;
    const std::string_view name = take_until(version, '/');
    return {.protocol_name = name,
            .protocol_version = version,
            .transport = transport,
            .sent_by = sent_by,
            .parameters = parameters};
}

std::optional<TransportKind> ViaView::transport_kind() const {
    return transport_kind_of(transport);
}

bool ViaView::has_rfc3261_branch() const {
    const auto value = branch();
    // The cookie alone names nothing: such a request is matched by RFC 2543's rules.
    return value && value->size() > branch_cookie.size() &&
           iequals(value->substr(0, branch_cookie.size()), branch_cookie);
}

std::optional<IpAddress> ViaView::received() const {
    auto text = parameters.value("received");
    if (!text) return std::nullopt;
    if (text->size() > 2 && text->front() == '[' && text->back() == ']') {
        text = text->substr(1, text->size() - 2);
    }
    return IpAddress::parse(*text);
}

std::optional<Rport> ViaView::rport() const {
    const auto found = parameters.find("rport");
    if (!found) return std::nullopt;
    return Rport{.port = found->value ? port_of(*found->value) : std::nullopt};
}

std::optional<std::uint8_t> ViaView::ttl() const {
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

SentBy response_destination(const ViaView& via) {
    const std::optional<Port> port = via.sent_by.port;
    if (const auto maddr = via.maddr()) {
        if (auto host = Host::parse(*maddr)) return {.host = *std::move(host), .port = port};
    }
    if (const auto received = via.received()) {
        const auto rport = via.rport();
        return {.host = Host{*received}, .port = rport && rport->port ? rport->port : port};
    }
    return {.host = Host{via.sent_by.host}, .port = port};
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
