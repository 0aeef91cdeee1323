// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Messages from a peer, separated by NUL octets, to a user agent that registers, calls, and takes
// every call. An empty message lets 20 s pass.
#include <stile/sip/user_agent.hpp>

#include <cstdlib>
#include <variant>

using namespace stile;
using namespace std::chrono_literals;

namespace {

void drain(Instant now, sip::UserAgent& agent) {
    while (agent.poll_transmit()) {
    }
    while (auto event = agent.poll_event()) {
        if (const auto* call = std::get_if<sip::UserAgent::CallEvent>(&*event)) {
            if (std::holds_alternative<sip::Call::Incoming>(call->event)) {
                (void)agent.answer(now, call->call, {});
            } else if (std::holds_alternative<sip::Call::Reinvited>(call->event)) {
                (void)agent.answer_reinvite(now, call->call, {});
            }
        } else if (const auto* got = std::get_if<sip::UserAgent::RequestReceived>(&*event)) {
            agent.respond(now, got->transaction, sip::status::Ok);
        }
        while (agent.poll_transmit()) {
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Instant now{};
    sip::UserAgentConfig config;
    config.address = *sip::NameAddr::parse("<sip:alice@example.org>");
    config.account = sip::Account{"alice", "example.org", "secret"};
    config.instance = "urn:uuid:1";
    config.methods = {"MESSAGE"};
    sip::UserAgent agent{config, crypto::RandomStream{crypto::seed_from_number(1)}};
    agent.handle_flow_opened(now, {.id = {1},
                                   .transport = sip::TransportKind::Udp,
                                   .remote = *SocketAddress::parse("192.0.2.1:5060"),
                                   .sent_by = {.host = *sip::Host::parse("10.0.0.1"), .port = {}}});
    (void)agent.register_with(now, {.registrar = *sip::Uri::parse("sip:example.org")},
                              sip::FlowId{1});
    (void)agent.invite(now, {.flow = {1}, .target = *sip::Uri::parse("sip:bob@example.org")});
    drain(now, agent);
    std::string_view rest{reinterpret_cast<const char*>(data), size};
    while (!rest.empty()) {
        const std::size_t end = rest.find('\0');
        const std::string_view chunk = rest.substr(0, end);
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
        if (chunk.empty()) {
            now += 20s;
            agent.handle_timeout(now);
        } else if (auto message = sip::parse_message(as_bytes(chunk))) {
            agent.handle_message(now, {1}, *std::move(message));
        } else {
            agent.handle_parse_failure(now, {1}, message.error());
        }
        drain(now, agent);
        const auto wake = agent.poll_timeout();
        if (wake && *wake < now) std::abort();  // a deadline that was not dealt with
    }
    return 0;
}
