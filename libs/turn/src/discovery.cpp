// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn/discovery.hpp>

#include <stile/base/assert.hpp>
#include <stile/base/text.hpp>

#include <algorithm>
#include <tuple>
#include <utility>

namespace stile::turn {
namespace {

using Kind = ServerResolution::Question::Kind;

bool is_secure(ClientTransport transport) {
    return transport == ClientTransport::Tls || transport == ClientTransport::Dtls;
}

Port default_port_of(ClientTransport transport) {
    return Port{is_secure(transport) ? std::uint16_t{5349} : std::uint16_t{3478}};
}

std::string_view protocol_tag_of(ClientTransport transport) {
    switch (transport) {
        case ClientTransport::Udp:
            return "turn.udp";
        case ClientTransport::Dtls:
            return "turn.dtls";
        case ClientTransport::Tcp:
            return "turn.tcp";
        case ClientTransport::Tls:
            return "turn.tls";
    }
    return "";
}

std::string srv_prefix_of(ClientTransport transport) {
    switch (transport) {
        case ClientTransport::Udp:
            return "_turn._udp.";
        case ClientTransport::Dtls:
            return "_turns._udp.";
        case ClientTransport::Tcp:
            return "_turn._tcp.";
        case ClientTransport::Tls:
            return "_turns._tcp.";
    }
    return "";
}

// "RELAY:turn.udp:turn.dtls", RFC 3958 Section 6.5. Those of `wanted` that it names, in their
// order.
std::vector<ClientTransport> transports_in(std::string_view service,
                                           std::span<const ClientTransport> wanted) {
    std::vector<ClientTransport> named;
    if (!iequals(take_until(service, ':'), "RELAY")) return named;
    std::vector<std::string_view> tags;
    while (!service.empty()) tags.push_back(take_until(service, ':'));
    std::ranges::copy_if(wanted, std::back_inserter(named), [&](ClientTransport transport) {
        return std::ranges::any_of(
            tags, [&](std::string_view tag) { return iequals(tag, protocol_tag_of(transport)); });
    });
    return named;
}

}  // namespace

ServerResolution::ServerResolution(TurnUri uri, std::span<const ClientTransport> supported,
                                   crypto::RandomStream random)
    : uri_(std::move(uri)), random_(std::move(random)) {
    // RFC 5928 Section 3, table 1, and RFC 7350 Section 4.6.2.
    std::ranges::copy_if(supported, std::back_inserter(transports_),
                         [&](ClientTransport transport) {
                             if (uri_.transport)
                                 return transport == transport_of(uri_.scheme, *uri_.transport);
                             return is_secure(transport) == (uri_.scheme == TurnUri::Scheme::Turns);
                         });
    if (transports_.empty()) return;
    if (uri_.address() || uri_.port) {
        begin(Means::Addresses);
    } else {
        begin(uri_.transport ? Means::Srv : Means::Naptr);
    }
}

// RFC 5928 Section 3, steps 1 to 5.
void ServerResolution::begin(Means means) {
    means_ = means;
    switch (means) {
        case Means::Naptr:
            steps_.push_back({.question = {Kind::Naptr, uri_.host}, .transports = transports_});
            break;
        case Means::Srv:
            for (const ClientTransport transport : transports_) add_srv_step(transport);
            break;
        case Means::Addresses:
            steps_.push_back({.question = {Kind::Addresses, uri_.host},
                              .transports = transports_,
                              .port = uri_.port});
            if (const auto address = uri_.address()) {
                question_ = steps_.front().question;
                return handle_addresses(std::array{*address});
            }
            break;
    }
    go_on();
}

void ServerResolution::add_srv_step(ClientTransport transport) {
    steps_.push_back(
        {.question = {Kind::Srv, srv_prefix_of(transport) + uri_.host}, .transports = {transport}});
}

void ServerResolution::go_on() {
    question_.reset();
    if (servers_.size() >= most_resolved_servers || asked_ == most_resolution_questions) return;
    if (!steps_.empty()) {
        ++asked_;
        question_ = steps_.front().question;
        return;
    }
    if (!servers_.empty() || means_ == Means::Addresses) return;
    begin(means_ == Means::Naptr ? Means::Srv : Means::Addresses);
}

void ServerResolution::handle_naptr(std::vector<NaptrAnswer> records) {
    STILE_ASSERT(question_ && question_->kind == Kind::Naptr);
    const Step asked = std::move(steps_.front());
    steps_.pop_front();
    std::ranges::stable_sort(records, {}, [](const NaptrAnswer& record) {
        return std::pair{record.order, record.preference};
    });
    std::vector<Step> next;
    for (const NaptrAnswer& record : records) {
        std::vector<ClientTransport> transports = transports_in(record.service, asked.transports);
        if (transports.empty() || !record.regexp.empty() || record.replacement.empty()) continue;
        Step step{.question = {Kind::Naptr, record.replacement},
                  .transports = std::move(transports),
                  .depth = asked.depth + 1};
        if (iequals(record.flags, "s")) {
            step.question.kind = Kind::Srv;
        } else if (iequals(record.flags, "a")) {
            step.question.kind = Kind::Addresses;
        } else if (!record.flags.empty() || asked.depth == most_naptr_depth) {
            continue;
        }
        next.push_back(std::move(step));
        if (next.size() == most_resolution_questions) break;
    }
    steps_.insert(steps_.begin(), next.begin(), next.end());
    go_on();
}

void ServerResolution::handle_srv(std::vector<SrvAnswer> records) {
    STILE_ASSERT(question_ && question_->kind == Kind::Srv);
    const Step asked = std::move(steps_.front());
    steps_.pop_front();
    if (records.size() > most_resolved_servers) records.resize(most_resolved_servers);
    std::vector<Step> next;
    for (SrvAnswer& record : in_order(std::move(records))) {
        // "." is a service that is decidedly not there. RFC 2782.
        if (record.target.empty() || record.target == ".") continue;
        next.push_back({.question = {Kind::Addresses, std::move(record.target)},
                        .transports = asked.transports,
                        .port = record.port});
    }
    steps_.insert(steps_.begin(), next.begin(), next.end());
    go_on();
}

void ServerResolution::handle_addresses(std::span<const IpAddress> addresses) {
    STILE_ASSERT(question_ && question_->kind == Kind::Addresses);
    const Step asked = std::move(steps_.front());
    steps_.pop_front();
    for (const ClientTransport transport : asked.transports) {
        for (const IpAddress& address : addresses) {
            const ServerAddress server{
                .transport = transport,
                .address = {.ip = address,
                            .port = asked.port.value_or(default_port_of(transport))}};
            if (servers_.size() == most_resolved_servers) break;
            if (std::ranges::find(servers_, server) == servers_.end()) servers_.push_back(server);
        }
    }
    go_on();
}

void ServerResolution::handle_nothing() {
    STILE_ASSERT(question_);
    steps_.pop_front();
    go_on();
}

// RFC 2782: by priority, and by weighted chance within one.
std::vector<SrvAnswer> ServerResolution::in_order(std::vector<SrvAnswer> records) {
    std::ranges::stable_sort(records, {}, [](const SrvAnswer& record) {
        return std::pair{record.priority, record.weight != 0};
    });
    for (std::size_t at = 0; at + 1 < records.size(); ++at) {
        std::uint64_t sum = 0;
        std::size_t end = at;
        for (; end < records.size() && records[end].priority == records[at].priority; ++end) {
            sum += records[end].weight;
        }
        const std::uint64_t drawn = random_.below(sum + 1);
        std::uint64_t running = 0;
        std::size_t chosen = at;
        for (; chosen + 1 < end; ++chosen) {
            running += records[chosen].weight;
            if (running >= drawn) break;
        }
        const auto place = records.begin() + static_cast<std::ptrdiff_t>(at);
        const auto found = records.begin() + static_cast<std::ptrdiff_t>(chosen);
        std::rotate(place, found, found + 1);
    }
    return records;
}

std::optional<std::string> domain_of_identity(std::string_view identity) {
    const std::size_t at = identity.rfind('@');
    if (at == std::string_view::npos) return std::nullopt;
    std::string_view domain = identity.substr(at + 1);
    domain = domain.substr(0, domain.find_first_of(":;?/>"));
    const auto uri = TurnUri::parse("turn:" + std::string{domain});
    if (!uri || uri->address()) return std::nullopt;
    return uri->host;
}

std::vector<ServerAddress> anycast_servers(AddressFamily family,
                                           std::span<const ClientTransport> supported) {
    const auto text = family == AddressFamily::V4 ? anycast_v4 : anycast_v6;
    std::vector<ServerAddress> servers;
    for (const ClientTransport transport : supported) {
        if (is_secure(transport)) continue;
        servers.push_back({.transport = transport,
                           .address = {.ip = IpAddress::parse(text).value(),
                                       .port = default_port_of(transport)}});
    }
    return servers;
}

}  // namespace stile::turn
