// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "target.hpp"

#include <stile/base/text.hpp>
#include <stile/drivers/server_selection.hpp>
#include <stile/drivers/udp_socket.hpp>
#include <stile/stun/stun_uri.hpp>

#include <fmt/format.h>
#include <algorithm>

namespace stile::probe {
namespace {

constexpr Duration dns_deadline = std::chrono::seconds{5};

app::Problem not_understood(const CommonOptions& options, std::string cause) {
    return {app::ExitCode::Usage, fmt::format("'{}' is no STUN server", options.server),
            std::move(cause), "",
            "such as stun:stun.example.org, stuns:stun.example.org:5349 or 192.0.2.1:3478"};
}

std::optional<Transport> transport_of(std::string_view text) {
    for (const Transport transport :
         {Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Dtls}) {
        if (iequals(text, to_string(transport))) return transport;
    }
    return std::nullopt;
}

// What "?transport=" and the scheme mean together, as RFC 7065 and RFC 7350 Section 4.6.1 have it.
std::expected<Transport, std::string> transport_of(stun::StunUri::Scheme scheme,
                                                   std::string_view parameter) {
    const bool secure = scheme == stun::StunUri::Scheme::Stuns;
    if (parameter.empty()) return secure ? Transport::Tls : Transport::Udp;
    if (iequals(parameter, "udp")) return secure ? Transport::Dtls : Transport::Udp;
    if (iequals(parameter, "tcp")) return secure ? Transport::Tls : Transport::Tcp;
    return std::unexpected(fmt::format("'{}' is neither udp nor tcp", parameter));
}

std::string_view protocol_of(Transport transport) {
    return transport == Transport::Udp || transport == Transport::Dtls ? "udp" : "tcp";
}

bool wanted(CommonOptions::Family family, const IpAddress& ip) {
    switch (family) {
        case CommonOptions::Family::Any:
            return true;
        case CommonOptions::Family::V4:
            return ip.is_v4();
        case CommonOptions::Family::V6:
            return ip.is_v6();
    }
    return false;
}

}  // namespace

std::string_view to_string(Transport transport) {
    switch (transport) {
        case Transport::Udp:
            return "udp";
        case Transport::Tcp:
            return "tcp";
        case Transport::Tls:
            return "tls";
        case Transport::Dtls:
            return "dtls";
    }
    return "";
}

std::expected<Target, app::Problem> parse_target(const CommonOptions& options) {
    std::string_view text = options.server;
    std::string_view parameter;
    if (const std::size_t query = text.find('?'); query != std::string_view::npos) {
        constexpr std::string_view key = "?transport=";
        if (!iequals(text.substr(query, key.size()), key)) {
            return std::unexpected(not_understood(options, "only ?transport= may follow the host"));
        }
        parameter = text.substr(query + key.size());
        text = text.substr(0, query);
    }
    const bool has_scheme =
        iequals(text.substr(0, 5), "stun:") || iequals(text.substr(0, 6), "stuns:");
    // An IPv6 address without brackets is meant to be one.
    const auto bare = IpAddress::parse(text);
    const std::string uri_text = has_scheme              ? std::string{text}
                                 : bare && bare->is_v6() ? fmt::format("stun:[{}]", text)
                                                         : fmt::format("stun:{}", text);
    const auto uri = stun::StunUri::parse(uri_text);
    if (!uri) return std::unexpected(not_understood(options, "it is neither a URI nor a host"));
    const auto transport = transport_of(uri->scheme, parameter);
    if (!transport) return std::unexpected(not_understood(options, transport.error()));
    Target target{.transport = *transport, .host = uri->host, .port = uri->port, .name = {}};
    if (const auto chosen = transport_of(options.transport)) target.transport = *chosen;
    target.name = options.name.empty() ? target.host : options.name;
    const bool secure = target.transport == Transport::Tls || target.transport == Transport::Dtls;
    if (secure && options.name.empty() && uri->address()) {
        return std::unexpected(app::Problem{
            app::ExitCode::Usage, "An address alone does not say whom the certificate must be for",
            "certificates of STUN servers are for names (RFC 8489 Section 8.1)", options.server,
            "use the server's name, or give it with --name"});
    }
    return target;
}

std::expected<std::vector<SocketAddress>, app::Problem> resolve(drivers::Loop& loop,
                                                                const CommonOptions& options,
                                                                const Target& target,
                                                                std::string_view service) {
    std::optional<drivers::DnsAnswer<drivers::ServiceHost>> answer;
    drivers::Resolver names{loop};
    const bool secure = target.transport == Transport::Tls || target.transport == Transport::Dtls;
    const std::string question =
        fmt::format("_{}{}._{}", service, secure ? "s" : "", protocol_of(target.transport));
    drivers::select_service_hosts(loop, names, question, target.host, target.port,
                                  target.default_port(), dns_deadline,
                                  [&](auto found) { answer = std::move(found); });
    loop.run_until([&] { return answer.has_value(); }, 2 * dns_deadline);
    if (!answer || !*answer) {
        return std::unexpected(app::Problem{
            app::ExitCode::NotFound, fmt::format("No address is known for {}", target.host),
            "the name service has none", answer ? answer->error().text : "no answer in time",
            "check the spelling, and that names can be looked up here"});
    }
    std::vector<SocketAddress> addresses;
    for (const drivers::ServiceHost& host : **answer) {
        if (wanted(options.family, host.address.ip)) addresses.push_back(host.address);
    }
    if (addresses.empty()) {
        return std::unexpected(
            app::Problem{app::ExitCode::NotFound,
                         fmt::format("{} has no address of the family asked for", target.host), "",
                         fmt::format("{} of the other", (*answer)->size()), "leave out -4 or -6"});
    }
    return addresses;
}

std::expected<IpAddress, app::Problem> local_address(const CommonOptions& options,
                                                     const SocketAddress& server) {
    if (!options.local.empty()) {
        const auto local = IpAddress::parse(options.local);
        if (local && local->family() == server.ip.family()) return *local;
        return std::unexpected(
            app::Problem{app::ExitCode::Usage,
                         fmt::format("'{}' is no address from which {} can be asked", options.local,
                                     server.to_string()),
                         "", "", "give an IP address of this machine, of the server's family"});
    }
    const auto source = drivers::source_address_for(server);
    if (source) return *source;
    return std::unexpected(app::Problem{app::ExitCode::NoPath,
                                        fmt::format("There is no way to {}", server.to_string()),
                                        "this machine has no route there", source.error().text,
                                        "check the network, or try -4 or -6"});
}

}  // namespace stile::probe
