// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// The connection to the own server, and the registration on it.
#include <stile/session/endpoint.hpp>

namespace stile::session {

void Endpoint::start(Instant now) {
    if (config_.purpose == Purpose::Serve && !registration_) {
        sip::RegistrationConfig registration;
        const std::size_t at = config_.address.find('@');
        registration.registrar = *sip::Uri::parse("sip:" + config_.address.substr(at + 1));
        if (auto started = agent_.register_with(now, std::move(registration), flow_)) {
            registration_ = *started;
        }
    } else if (!flow_) {
        queue_event(FlowWanted{});
    }
    see(now);
}

void Endpoint::stop(Instant now) {
    while (!entries_.empty()) end(now, entries_.begin()->first);
    if (registration_) (void)agent_.unregister(now, *registration_);
    see(now);
}

void Endpoint::handle_flow_opened(Instant now, const sip::Flow& flow) {
    framers_.insert_or_assign(flow.id, sip::StreamFramer{sip::FlowSide::Opened});
    agent_.handle_flow_opened(now, flow);
    // Calls of before go on by the new connection.
    if (last_flow_) agent_.replace_flow(*last_flow_, flow.id);
    flow_ = last_flow_ = flow.id;
    if (registration_) (void)agent_.use_flow(now, *registration_, flow.id);
    release_held();
    see(now);
}

void Endpoint::handle_flow_unavailable(Instant now) {
    if (registration_) (void)agent_.flow_unavailable(now, *registration_);
    see(now);
}

void Endpoint::handle_flow_closed(Instant now, sip::FlowId flow) {
    framers_.erase(flow);
    if (flow_ == flow) flow_.reset();
    agent_.handle_flow_closed(now, flow);
    see(now);
}

bool Endpoint::handle_signalling(Instant now, sip::FlowId flow, BytesView bytes) {
    const auto framer = framers_.find(flow);
    if (framer == framers_.end()) return true;
    bool sound = true;
    for (;;) {
        const std::size_t taken = framer->second.feed(bytes);
        bytes = bytes.subspan(taken);
        auto event = framer->second.poll_event();
        if (!event) break;
        if (auto* const message = std::get_if<sip::Message>(&*event)) {
            agent_.handle_message(now, flow, std::move(*message));
        } else if (std::holds_alternative<sip::PingReceived>(*event)) {
            agent_.handle_ping(now, flow);
        } else if (std::holds_alternative<sip::PongReceived>(*event)) {
            agent_.handle_pong(now, flow);
        } else if (const auto* const broken = std::get_if<sip::StreamBroken>(&*event)) {
            agent_.handle_parse_failure(now, flow, broken->failure);
            sound = false;
        }
    }
    see(now);
    return sound;
}

void Endpoint::take_registration_event(const sip::Registration::Event& event) {
    if (const auto* const registered = std::get_if<sip::Registration::Registered>(&event)) {
        queue_event(Registered{registered->expires});
    } else if (const auto* const failed = std::get_if<sip::Registration::Failed>(&event)) {
        queue_event(RegistrationFailed{
            failed->failure, failed->status ? std::to_string(failed->status->code) : std::string{},
            failed->retry_at});
    } else if (const auto* const dead = std::get_if<sip::Registration::FlowFailed>(&event)) {
        queue_event(FlowUnwanted{dead->flow});
    } else if (std::holds_alternative<sip::Registration::FlowWanted>(event)) {
        queue_event(FlowWanted{});
    } else if (std::holds_alternative<sip::Registration::Removed>(event)) {
        registration_.reset();
        queue_event(Unregistered{});
    }
}

}  // namespace stile::session
