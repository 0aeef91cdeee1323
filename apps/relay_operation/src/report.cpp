// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/relay/report.hpp>

#include <stile/app/json_field.hpp>
#include <stile/app/problem.hpp>
#include <stile/base/encoding.hpp>
#include <stile/crypto/digest.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace stile::relay {
namespace {

using nlohmann::json;

// What a column of the table has room for: of an access token's user the key and the beginning of a
// digest.
constexpr std::size_t shown_user_octets = 20;
// Long enough to be unique among a million sessions, short enough to type.
constexpr std::size_t session_name_digits = 12;

std::string_view name_of(turn::ClientTransport transport) {
    switch (transport) {
        case turn::ClientTransport::Udp:
            return "udp";
        case turn::ClientTransport::Dtls:
            return "dtls";
        case turn::ClientTransport::Tcp:
            return "tcp";
        case turn::ClientTransport::Tls:
            return "tls";
    }
    return "";
}

std::string_view name_of(turn::RelayProtocol protocol) {
    switch (protocol) {
        case turn::RelayProtocol::Udp:
            return "udp";
        case turn::RelayProtocol::Tcp:
            return "tcp";
    }
    return "";
}

std::string_view name_of(turn::EndReason reason) {
    switch (reason) {
        case turn::EndReason::Released:
            return "released";
        case turn::EndReason::Expired:
            return "expired";
        case turn::EndReason::ClientGone:
            return "client-gone";
    }
    return "";
}

std::string_view name_of(turn::DropReason reason) {
    switch (reason) {
        case turn::DropReason::Malformed:
            return "malformed";
        case turn::DropReason::NoAllocation:
            return "no-allocation";
        case turn::DropReason::NoChannel:
            return "no-channel";
        case turn::DropReason::NoPermission:
            return "no-permission";
        case turn::DropReason::PeerRefused:
            return "peer-refused";
        case turn::DropReason::Bandwidth:
            return "rate";
        case turn::DropReason::TooLarge:
            return "too-large";
        case turn::DropReason::UnknownRelay:
            return "unknown-relay";
        case turn::DropReason::QueueFull:
            return "queue-full";
        case turn::DropReason::count:
            break;
    }
    return "other";
}

std::int64_t seconds_at(Instant when, const Clocks& clocks) {
    const auto distance = std::chrono::duration_cast<std::chrono::seconds>(when - clocks.now);
    return (clocks.wall + distance).time_since_epoch().count();
}

std::int64_t seconds_left(Instant when, const Clocks& clocks) {
    return std::chrono::duration_cast<std::chrono::seconds>(when - clocks.now).count();
}

json traffic_json(const turn::Traffic& traffic) {
    return {{"packets_to_peers", traffic.packets_to_peers},
            {"octets_to_peers", traffic.octets_to_peers},
            {"packets_to_clients", traffic.packets_to_clients},
            {"octets_to_clients", traffic.octets_to_clients}};
}

// Writes one family after the other.
class Exposition {
public:
    void counter(std::string_view name, std::string_view help, std::uint64_t value) {
        head(name, help, "counter");
        text_ += fmt::format("{} {}\n", name, value);
    }
    void gauge(std::string_view name, std::string_view help, std::uint64_t value) {
        head(name, help, "gauge");
        text_ += fmt::format("{} {}\n", name, value);
    }
    void head(std::string_view name, std::string_view help, std::string_view type) {
        text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
    }
    void sample(std::string_view name, std::string_view label, std::string_view value,
                std::uint64_t number) {
        text_ += fmt::format("{}{{{}=\"{}\"}} {}\n", name, label, value, number);
    }
    std::string take() { return std::move(text_); }

private:
    std::string text_;
};

}  // namespace

std::string to_prometheus(const Statistics& statistics, const ProcessFacts& facts) {
    const turn::ServerCounters& relay = statistics.relay;
    Exposition out;
    out.head("stile_turn_info", "The program's version and how it relays.", "gauge");
    out.sample("stile_turn_info", "version", facts.version, 1);
    out.gauge("stile_turn_start_time_seconds", "When the process started.", facts.started);
    out.gauge("stile_turn_draining", "1 while no new allocation is made.", facts.draining ? 1 : 0);
    out.gauge("stile_turn_allocations", "Allocations now.", statistics.allocations);
    out.gauge("stile_turn_relays", "Relay addresses now.", statistics.relays);
    out.head("stile_turn_clients", "Connected clients now.", "gauge");
    out.sample("stile_turn_clients", "transport", "stream", statistics.stream_clients);
    out.sample("stile_turn_clients", "transport", "dtls", statistics.dtls_clients);
    out.counter("stile_turn_allocations_made_total", "Allocations since the start.",
                relay.allocations_made);
    out.head("stile_turn_requests_refused_total", "Requests answered with an error, by its code.",
             "counter");
    for (std::size_t i = 0; i < turn::RefusalCounters::codes.size(); ++i) {
        out.sample("stile_turn_requests_refused_total", "code",
                   std::to_string(turn::RefusalCounters::codes.at(i)), relay.refused.at(i));
    }
    out.head("stile_turn_packets_total", "Datagrams relayed.", "counter");
    out.sample("stile_turn_packets_total", "direction", "to_peer", relay.packets_to_peers);
    out.sample("stile_turn_packets_total", "direction", "to_client", relay.packets_to_clients);
    out.head("stile_turn_payload_octets_total", "Payload relayed.", "counter");
    out.sample("stile_turn_payload_octets_total", "direction", "to_peer", relay.octets_to_peers);
    out.sample("stile_turn_payload_octets_total", "direction", "to_client",
               relay.octets_to_clients);
    out.counter("stile_turn_kernel_packets_total",
                "Of the datagrams relayed those that the kernel path forwarded.",
                statistics.kernel_packets);
    out.head("stile_turn_dropped_total", "What was not relayed, by reason.", "counter");
    for (std::size_t i = 0; i < relay.dropped.size(); ++i) {
        out.sample("stile_turn_dropped_total", "reason", name_of(static_cast<turn::DropReason>(i)),
                   relay.dropped.at(i));
    }
    out.counter("stile_stun_binding_answers_total", "Binding requests answered.",
                statistics.binding_answers);
    out.head("stile_turn_strangers_total",
             "Requests without a valid credential: answered, or dropped over the rate of answers.",
             "counter");
    out.sample("stile_turn_strangers_total", "outcome", "answered", statistics.strangers_answered);
    out.sample("stile_turn_strangers_total", "outcome", "silenced", statistics.strangers_silenced);
    out.counter("stile_turn_slow_client_drops_total",
                "Messages that clients on TCP and TLS did not read in time.",
                statistics.stream_drops);
    out.counter("stile_turn_receive_queue_drops_total",
                "Datagrams that the system dropped because they were not read in time.",
                statistics.receive_queue_drops);
    out.counter("stile_turn_send_errors_total", "Datagrams that the system refused to send.",
                statistics.send_errors);
    out.counter("stile_turn_reloads_total", "Configurations taken over.", facts.reloads);
    out.counter("stile_turn_reloads_refused_total", "Configurations refused.",
                facts.reloads_refused);
    if (facts.certificate_not_after != 0) {
        out.gauge("stile_turn_certificate_expiry_time_seconds", "When the certificate expires.",
                  facts.certificate_not_after);
    }
    return out.take();
}

std::string session_name(const turn::ClientFlow& flow) {
    const std::string text = fmt::format("{} {} {}", flow.local.to_string(),
                                         flow.remote.to_string(), name_of(flow.transport));
    return crypto::digest(crypto::DigestAlgorithm::Sha256, as_bytes(text))
        .to_hex()
        .substr(0, session_name_digits);
}

json to_json(const turn::Session& session, const Clocks& clocks) {
    json relayed = json::array();
    for (const SocketAddress& address : session.relayed) relayed.push_back(address.to_string());
    json permissions = json::array();
    for (const auto& permission : session.permissions) {
        permissions.push_back({{"peer", permission.peer.to_string()},
                               {"seconds_left", seconds_left(permission.expires, clocks)}});
    }
    json channels = json::array();
    for (const auto& channel : session.channels) {
        channels.push_back({{"number", channel.number.value},
                            {"peer", channel.peer.to_string()},
                            {"seconds_left", seconds_left(channel.expires, clocks)}});
    }
    return {{"session", session_name(session.flow)},
            {"user", app::printable(session.username)},
            {"owner", app::printable(session.owner)},
            {"transport", name_of(session.flow.transport)},
            {"client", session.flow.remote.to_string()},
            {"server", session.flow.local.to_string()},
            {"protocol", name_of(session.protocol)},
            {"relayed", relayed},
            {"started", seconds_at(session.started, clocks)},
            {"seconds_left", seconds_left(session.expires, clocks)},
            {"permissions", permissions},
            {"channels", channels},
            {"connections", session.connections},
            {"traffic", traffic_json(session.traffic)}};
}

json to_json(const turn::Usage& usage, const Clocks& clocks) {
    json record = to_json(usage.session, clocks);
    for (const char* live : {"seconds_left", "permissions", "channels", "connections"}) {
        record.erase(live);
    }
    record["ended"] = seconds_at(usage.ended, clocks);
    record["why"] = name_of(usage.why);
    return record;
}

json to_json(const Statistics& statistics, const ProcessFacts& facts) {
    return {{"version", facts.version},
            {"started", facts.started},
            {"draining", facts.draining},
            {"allocations", statistics.allocations},
            {"relays", statistics.relays},
            {"stream_clients", statistics.stream_clients},
            {"dtls_clients", statistics.dtls_clients},
            {"binding_answers", statistics.binding_answers},
            {"requests_refused", statistics.relay.refused.total()},
            {"strangers_silenced", statistics.strangers_silenced},
            {"packets_to_peers", statistics.relay.packets_to_peers},
            {"octets_to_peers", statistics.relay.octets_to_peers},
            {"packets_to_clients", statistics.relay.packets_to_clients},
            {"octets_to_clients", statistics.relay.octets_to_clients},
            {"kernel_packets", statistics.kernel_packets},
            {"kernel_path", statistics.kernel_path}};
}

std::string sessions_table(const json& sessions) {
    if (!sessions.is_array() || sessions.empty()) return "No sessions.\n";
    std::string text =
        fmt::format("{:<13} {:<20} {:<5} {:<24} {:<24} {:>7} {:>5} {:>12} {:>12}\n", "SESSION",
                    "USER", "OVER", "CLIENT", "RELAYED", "LEFT", "CHAN", "TO PEERS", "TO CLIENT");
    for (const json& session : sessions) {
        const json relayed = session.value("relayed", json::array());
        const json traffic = session.value("traffic", json::object());
        const json channels = session.value("channels", json::array());
        text += fmt::format("{:<13} {:<20} {:<5} {:<24} {:<24} {:>6}s {:>5} {:>12} {:>12}\n",
                            app::text_of(session, "session"),
                            app::text_of(session, "owner").substr(0, shown_user_octets),
                            app::text_of(session, "transport"), app::text_of(session, "client"),
                            relayed.empty() || !relayed.front().is_string()
                                ? "-"
                                : relayed.front().get<std::string>(),
                            session.value("seconds_left", 0), channels.size(),
                            app::number_of(traffic, "octets_to_peers", UINT64_MAX).value_or(0),
                            app::number_of(traffic, "octets_to_clients", UINT64_MAX).value_or(0));
    }
    return text;
}

}  // namespace stile::relay
