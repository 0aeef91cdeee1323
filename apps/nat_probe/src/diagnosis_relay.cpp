// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// What a diagnosis says of the relay.
#include "doctor.hpp"

#include <fmt/format.h>

namespace stile::nat_probe {

void Doctor::judge_relay() {
    if (!found_.server) return;
    const Server& server = *found_.server;
    if (server.no_credentials && !server.not_found) {
        return add("Relay", Level::Bad, server.no_credentials->what,
                   server.no_credentials->cause.empty() ? server.no_credentials->evidence
                                                        : server.no_credentials->cause,
                   server.no_credentials->fix);
    }
    if (relay_works_over_stream() && !relay_works_over_udp()) return judge_stream_relay();
    if (server.stream_relay && !relay_works_over_udp()) judge_stream_relay_failure();
    if (!server.relay) return;
    const RelayFindings& relay = *server.relay;
    if (relay.failure || !relay.relayed) return judge_relay_failure(relay);
    std::string words = fmt::format("gives {}", relay.relayed->to_string());
    if (relay.allocated_in) {
        words += fmt::format(" in {:.0f} ms", in_milliseconds(*relay.allocated_in));
    }
    if (relay.peer_refused) {
        return add("Relay", Level::Good,
                   words + fmt::format("; not tried with data: {} {}", relay.peer_refused->code,
                                       relay.peer_refused->reason),
                   "its policy denies your own address, as it does for private networks");
    }
    switch (relay.loop) {
        case RelayFindings::Loop::Returned:
            return add(
                "Relay", Level::Good,
                words + fmt::format(", a packet went there and back in {:.1f} ms",
                                    in_milliseconds(relay.round_trip.value_or(Duration::zero()))));
        case RelayFindings::Loop::Lost:
            return add("Relay", Level::Bad, words + ", and nothing passes through it",
                       "a firewall keeps the relay's ports closed, or its external address is "
                       "wrong",
                       "let UDP in to the relay ports of the server; see 'stiled check' there");
        case RelayFindings::Loop::NotTried:
            break;
    }
    add("Relay", Level::Good, words);
}

void Doctor::judge_relay_failure(const RelayFindings& relay) {
    if (!relay.failure) {
        return add("Relay", Level::Bad, "no answer in time", "no relay over UDP",
                   "see the line about UDP");
    }
    const auto& failure = relay.failure->failure;
    if (failure && failure->code != 0) {
        const bool credentials = failure->kind == turn::FailureKind::Unauthenticated ||
                                 failure->kind == turn::FailureKind::WrongCredentials;
        refused_ = credentials;
        return add("Relay", Level::Bad,
                   fmt::format("refuses: {} {}", failure->code, failure->reason),
                   credentials ? "the relay does not take the credentials that the server gave"
                               : std::string{turn::to_string(failure->kind)},
                   credentials ? "compare the clocks of server and relay, which agree on how "
                                 "long a password is good"
                               : "see the server's log");
    }
    add("Relay", Level::Bad,
        failure ? std::string{turn::to_string(failure->kind)} : relay.failure->text,
        "no relay over UDP", "see the line about UDP");
}

// There is no relay over UDP.
void Doctor::judge_stream_relay() {
    const NetworkFindings::StreamRelay& relay = *found_.server->stream_relay;
    const std::string way = fmt::format("over {} to {}", stream_word(), relay.server.to_string());
    if (!relay.took) {
        return add("Relay", Level::Good, way + " by the network's proxy; not tried",
                   "reaches everybody, and slower than UDP would");
    }
    const std::string words = fmt::format("{}, gives {} in {:.0f} ms", way,
                                          relay.relayed->to_string(), in_milliseconds(*relay.took));
    if (answered_udp() == nullptr) {
        return add("Relay", Level::Good, words, "reaches everybody, and slower than UDP would");
    }
    add("Relay", Level::Note, words, "not over UDP, and so slower",
        fmt::format("let UDP out to {}, and see whether stiled relays there",
                    relay.server.ip.to_string()));
}

void Doctor::judge_stream_relay_failure() {
    const NetworkFindings::StreamRelay& relay = *found_.server->stream_relay;
    if (relay.way == NetworkFindings::StreamRelay::Way::ByProxy) return;
    const std::string topic = fmt::format("{} relay", stream_word());
    const char* const means = "it is the way out of networks without UDP";
    if (!relay.failure) {
        return add(topic, Level::Bad, "no answer in time", means,
                   fmt::format("let TCP out to port {}", relay.server.port.value));
    }
    const auto& closed = relay.failure->closed;
    const std::string words =
        closed ? fmt::format("{} ({})", drivers::to_string(closed->reason), closed->text)
               : relay.failure->text;
    add(topic, Level::Bad, words, means,
        fmt::format("let TCP out to port {}; see 'stiled check' at the server",
                    relay.server.port.value));
}

}  // namespace stile::nat_probe
