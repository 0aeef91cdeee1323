// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "selection.hpp"

#include <stile/base/text.hpp>

#include <algorithm>
#include <utility>

namespace stile::drivers {
namespace {

using Source = Selection::Source;
using Scheme = SipTarget::Scheme;

Port default_port(SipTransport transport) {
    switch (transport) {
        case SipTransport::Udp:
        case SipTransport::Tcp:
            return Port{5060};
        case SipTransport::Tls:
            return Port{5061};
        // RFC 7118 Section 9.2.
        case SipTransport::Ws:
            return Port{80};
        case SipTransport::Wss:
            return Port{443};
    }
    return Port{5060};
}

// Empty where no SRV name is defined: WebSocket is found by NAPTR or by its default port.
std::string srv_name(SipTransport transport, const std::string& domain) {
    switch (transport) {
        case SipTransport::Udp:
            return "_sip._udp." + domain;
        case SipTransport::Tcp:
            return "_sip._tcp." + domain;
        case SipTransport::Tls:
            return "_sips._tcp." + domain;
        case SipTransport::Ws:
        case SipTransport::Wss:
            return {};
    }
    return {};
}

std::optional<SipTransport> transport_of_service(std::string_view service) {
    if (iequals(service, "SIP+D2U")) return SipTransport::Udp;
    if (iequals(service, "SIP+D2T")) return SipTransport::Tcp;
    if (iequals(service, "SIPS+D2T")) return SipTransport::Tls;
    if (iequals(service, "SIP+D2W")) return SipTransport::Ws;
    if (iequals(service, "SIPS+D2W")) return SipTransport::Wss;
    return std::nullopt;
}

bool is_secure(SipTransport transport) {
    return transport == SipTransport::Tls || transport == SipTransport::Wss;
}

// transport=tcp of a SIPS URI means TLS. RFC 3261 Section 26.2.2.
SipTransport secured(SipTransport transport) {
    if (transport == SipTransport::Tcp) return SipTransport::Tls;
    if (transport == SipTransport::Ws) return SipTransport::Wss;
    return transport;
}

bool holds(const std::vector<SipTransport>& list, SipTransport transport) {
    return std::ranges::find(list, transport) != list.end();
}

// What may be used at all, best first.
std::vector<SipTransport> usable(const SipTarget& target) {
    std::vector<SipTransport> transports = target.wanted;
    if (target.scheme == Scheme::Sips) {
        std::erase_if(transports, [](SipTransport transport) { return !is_secure(transport); });
    }
    if (target.transport) {
        const SipTransport asked =
            target.scheme == Scheme::Sips ? secured(*target.transport) : *target.transport;
        std::erase_if(transports, [asked](SipTransport transport) { return transport != asked; });
    }
    return transports;
}

// An address or port is given, a transport is not: RFC 3263 Section 4.1 wants UDP for SIP, TLS for
// SIPS. TCP at the same port is tried after UDP.
std::vector<SipTransport> guessed(const SipTarget& target, std::vector<SipTransport> transports) {
    if (target.transport || target.scheme == Scheme::Sips) return transports;
    std::vector<SipTransport> plain;
    for (const SipTransport transport : {SipTransport::Udp, SipTransport::Tcp}) {
        if (holds(transports, transport)) plain.push_back(transport);
    }
    return plain.empty() ? transports : plain;
}

std::vector<Source> at_host(const SipTarget& target, const std::vector<SipTransport>& transports) {
    std::vector<Source> sources;
    for (const SipTransport transport : transports) {
        sources.push_back({transport, target.host, target.port.value_or(default_port(transport))});
    }
    return sources;
}

std::vector<Source> by_srv(const SipTarget& target, const std::vector<SipTransport>& transports) {
    std::vector<Source> sources;
    for (const SipTransport transport : transports) {
        if (auto name = srv_name(transport, target.host); !name.empty()) {
            sources.push_back({transport, std::move(name), std::nullopt});
        }
    }
    return sources;
}

// The applicable records in the domain's order of preference. RFC 3263 Section 4.1.
std::vector<Source> by_naptr(std::vector<NaptrRecord> records,
                             const std::vector<SipTransport>& transports) {
    std::ranges::stable_sort(records, [](const NaptrRecord& left, const NaptrRecord& right) {
        return std::pair{left.order, left.preference} < std::pair{right.order, right.preference};
    });
    std::vector<Source> sources;
    for (NaptrRecord& record : records) {
        if (sources.size() == most_records) break;
        const auto transport = transport_of_service(record.service);
        if (!transport || !holds(transports, *transport)) continue;
        if (!iequals(record.flags, "s") || !record.regexp.empty()) continue;
        if (record.replacement.empty() || record.replacement == ".") continue;
        sources.push_back({*transport, std::move(record.replacement), std::nullopt});
    }
    return sources;
}

OnDnsAnswer<Selection::Found> to_servers(OnDnsAnswer<SelectedServer> done) {
    return [done = std::move(done)](DnsAnswer<Selection::Found> found) mutable {
        if (!found) return done(std::unexpected(std::move(found).error()));
        std::vector<SelectedServer> servers;
        for (auto& one : *found) {
            servers.push_back({one.address, one.transport, std::move(one.host)});
        }
        done(std::move(servers));
    };
}

}  // namespace

void select_sip_servers(Loop& loop, NameService& names, SipTarget target, Duration deadline,
                        OnDnsAnswer<SelectedServer> done) {
    auto selection =
        std::make_shared<Selection>(loop, names, deadline, to_servers(std::move(done)));
    selection->hold();
    auto transports = usable(target);
    if (transports.empty()) {
        loop.post([selection] {
            selection->finish_with(
                {DnsFailure::NotFound, "none of the transports at hand may be used for this URI"});
        });
        return;
    }
    if (IpAddress::parse(target.host) || target.port) {
        selection->start(at_host(target, guessed(target, std::move(transports))), {});
        return;
    }
    auto fallback = at_host(target, transports);
    if (target.transport) {
        auto sources = by_srv(target, transports);
        if (sources.empty()) sources = std::exchange(fallback, {});
        selection->start(std::move(sources), std::move(fallback));
        return;
    }
    const std::string host = target.host;
    names.naptr(host, [selection, target = std::move(target), transports = std::move(transports),
                       fallback = std::move(fallback)](DnsAnswer<NaptrRecord> answer) mutable {
        if (selection->finished()) return;
        auto sources = answer ? by_naptr(*std::move(answer), transports) : std::vector<Source>{};
        if (sources.empty()) sources = by_srv(target, transports);
        if (sources.empty()) sources = std::exchange(fallback, {});
        selection->start(std::move(sources), std::move(fallback));
    });
}

void select_service_hosts(Loop& loop, NameService& names, std::string service, std::string host,
                          std::optional<Port> port, Port default_port, Duration deadline,
                          OnDnsAnswer<ServiceHost> done) {
    auto selection = std::make_shared<Selection>(
        loop, names, deadline, [done = std::move(done)](DnsAnswer<Selection::Found> found) mutable {
            if (!found) return done(std::unexpected(std::move(found).error()));
            std::vector<ServiceHost> hosts;
            for (auto& one : *found) hosts.push_back({one.address, std::move(one.host)});
            done(std::move(hosts));
        });
    selection->hold();
    if (IpAddress::parse(host) || port) {
        selection->start({{{}, std::move(host), port.value_or(default_port)}}, {});
        return;
    }
    const Source by_name{{}, service + "." + host, std::nullopt};
    selection->start({by_name}, {{{}, std::move(host), default_port}});
}

}  // namespace stile::drivers
