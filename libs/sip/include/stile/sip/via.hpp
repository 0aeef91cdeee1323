// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/sip/host.hpp>
#include <stile/sip/parameters.hpp>
#include <stile/sip/transport_kind.hpp>

#include <optional>

namespace stile::sip {

struct SentBy;

// Where a hop says it can be reached, where it stands on the wire.
struct SentByView {
    HostView host;
    std::optional<Port> port;
    SentBy copy() const;
};

// Where a hop says it can be reached.
struct SentBy {
    Host host;
    std::optional<Port> port;

    std::string to_string() const;
    SentByView view() const& { return {.host = host, .port = port}; }
    operator SentByView() const& { return view(); }
    // Without a port equals 5060 only where the caller says so: absent and present differ.
    friend bool operator==(const SentBy&, const SentBy&) = default;
};

// The client asked for the port it is seen at, or was told it. RFC 3581 Sections 3 and 4.
struct Rport {
    std::optional<Port> port;  // absent in a request that asks
};

struct Via;

// One hop, where it stands on the wire. RFC 3261 Section 20.42. Lives as long as the text it was
// parsed from.
struct ViaView {
    std::string_view protocol_name;     // "SIP"
    std::string_view protocol_version;  // "2.0"
    std::string_view transport;         // as on the wire; transport_kind() for its meaning
    SentByView sent_by;
    ParametersView parameters;

    // One value, without commas outside of quotes.
    static std::expected<ViaView, ParseError> parse(std::string_view text);
    Via copy() const;

    // Empty for a transport that this library has no name for.
    std::optional<TransportKind> transport_kind() const;
    // The transaction's name, unique if it starts with branch_cookie. RFC 3261 Section 8.1.1.7.
    std::optional<std::string_view> branch() const { return parameters.value("branch"); }
    bool has_rfc3261_branch() const;
    std::optional<IpAddress> received() const;  // brackets around IPv6 tolerated, RFC 5118 4.5
    std::optional<Rport> rport() const;         // empty where the parameter is absent
    std::optional<std::string_view> maddr() const { return parameters.value("maddr"); }
    std::optional<std::uint8_t> ttl() const;
    bool has_alias() const { return parameters.contains("alias"); }  // RFC 5923
};

// A hop that can be kept and changed.
struct Via {
    std::string protocol = "SIP/2.0";
    std::string transport = "UDP";
    SentBy sent_by;
    Parameters parameters;

    static std::expected<Via, ParseError> parse(std::string_view text);
    std::string to_string() const;
    ViaView view() const&;
    operator ViaView() const& { return view(); }

    std::optional<TransportKind> transport_kind() const { return view().transport_kind(); }
    std::optional<std::string_view> branch() const { return parameters.value("branch"); }
    bool has_rfc3261_branch() const { return view().has_rfc3261_branch(); }
    std::optional<IpAddress> received() const { return view().received(); }
    std::optional<Rport> rport() const { return view().rport(); }
    std::optional<std::string_view> maddr() const { return parameters.value("maddr"); }
    std::optional<std::uint8_t> ttl() const { return view().ttl(); }
    bool has_alias() const { return view().has_alias(); }

    friend bool operator==(const Via&, const Via&) = default;
};

inline constexpr std::string_view branch_cookie = "z9hG4bK";

// Marks where a request came from, as a server does that receives it: `received` when sent-by is a
// name or another address, or when rport was asked for; rport's value when it was asked for.
// RFC 3261 Section 18.2.1, RFC 3581 Section 4.
void mark_source(Via& via, const SocketAddress& source);

// Where to send a response over an unreliable transport: received and rport, else received or
// sent-by with its port or 5060. The host is a name only if no received parameter is there. maddr
// comes first. RFC 3261 Section 18.2.2, RFC 3581 Section 4.
SentBy response_destination(const ViaView& via);

}  // namespace stile::sip
