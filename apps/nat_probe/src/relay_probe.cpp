// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/nat_probe/relay_probe.hpp>

#include <stile/stun/binding_answer.hpp>
#include <stile/stun/message_builder.hpp>

#include <algorithm>
#include <utility>

namespace stile::nat_probe {
namespace {

using turn::Client;

// Packets of one step, and how long each waits for what it should bring about.
constexpr unsigned most_sends = 4;
constexpr Duration send_interval = std::chrono::milliseconds{200};
constexpr std::size_t token_octets = 24;

turn_link::TurnLinkOptions link_options(const RelayProbe::Config& config) {
    turn_link::TurnLinkOptions options;
    options.uri = {.scheme = turn::TurnUri::Scheme::Turn,
                   .host = config.server.ip.to_string(),
                   .port = config.server.port,
                   .transport = turn::TurnUri::Transport::Udp};
    options.client.username = config.username;
    options.client.password = config.password;
    options.client.retransmit = config.schedule;
    options.client.family = config.server.ip.is_v4() ? turn::FamilyWish::V4 : turn::FamilyWish::V6;
    options.local = config.local;
    return options;
}

}  // namespace

void learn(const RelayFindings& findings, connect::NatKnowledge& nat) {
    using enum stun::MappingBehavior;
    if (findings.seen_by_server && findings.seen_by_relay) {
        if (findings.seen_by_server == findings.seen_by_relay) {
            nat.mapping_is_not(AddressAndPortDependent);
        } else {
            nat.mapping_is(AddressAndPortDependent);
        }
    }
    if (findings.stranger == RelayFindings::Stranger::LetIn) {
        nat.filtering_is_not(stun::FilteringBehavior::AddressAndPortDependent);
    }
    // Lost by chance is possible, but not four times; and a NAT that maps by port is asked at a
    // port that it opened for the server alone.
    if (findings.stranger == RelayFindings::Stranger::Dropped) {
        nat.filtering_is(stun::FilteringBehavior::AddressAndPortDependent);
    }
}

RelayProbe::RelayProbe(drivers::Loop& loop, drivers::NameService& names, const Config& config,
                       std::unique_ptr<drivers::UdpSocket> second, crypto::RandomStream random)
    : loop_(loop),
      config_(config),
      socket_(std::move(second)),
      token_(random.bytes(token_octets)),
      binding_timer_(loop,
                     [this] {
                         binding_->handle_timeout(loop_.now());
                         pump_binding();
                     }),
      timer_(loop, [this] { handle_timeout(); }),
      begun_(loop.now()) {
    // Neither STUN nor ChannelData, whose first two bits are 00 and 01. RFC 8656 Section 12.
    token_.front() |= std::byte{0xC0};
    socket_->on_datagrams([this](std::span<const drivers::Datagram> batch) {
        for (const drivers::Datagram& datagram : batch) handle_datagram(datagram);
    });
    binding_.emplace(loop_.now(),
                     stun::MessageBuilder{stun::Class::Request, stun::Method::Binding,
                                          stun::TransactionId::random(random)}
                         .finish(),
                     config_.schedule);
    pump_binding();
    link_.emplace(loop_, names, link_options(config_),
                  turn_link::TurnLink::Handlers{
                      .on_event = [this](const Client::Event& event) { handle_event(event); },
                      .on_data = [this](const SocketAddress& peer,
                                        BytesView payload) { handle_data(peer, payload); },
                      .on_ended =
                          [this](const turn_link::LinkFailure& why) {
                              if (step_ == Step::Done) return;
                              if (!findings_.relayed) findings_.failure = why;
                              finish();
                          }});
}

void RelayProbe::handle_event(const Client::Event& event) {
    if (const auto* const made = std::get_if<Client::Allocated>(&event)) {
        findings_.relayed = made->relayed.front();
        findings_.allocated_in = loop_.now() - begun_;
        consider_permission();
    } else if (std::holds_alternative<Client::PermissionInstalled>(event)) {
        if (step_ == Step::Permitting) enter(Step::Intruding);
    } else if (const auto* const denied = std::get_if<Client::PermissionFailed>(&event)) {
        findings_.peer_refused = denied->failure;
        finish();
    }
}

void RelayProbe::pump_binding() {
    while (const auto request = binding_->poll_transmit()) {
        socket_->send(Transmit{{socket_->local_address(), config_.server}, *request});
    }
    binding_timer_.arm(binding_->poll_timeout());
    const auto event = binding_->poll_event();
    if (!event) return;
    const auto* const answered = std::get_if<stun::ClientTransaction::Answered>(&*event);
    const auto message = answered == nullptr
                             ? std::nullopt
                             : std::optional{stun::MessageView::parse(answered->response)};
    if (message && *message) {
        if (const auto answer = stun::read_binding_answer(**message)) {
            findings_.seen_by_server = answer->mapped;
            return consider_permission();
        }
    }
    // The allocation is told all the same.
    if (findings_.relayed) finish();
}

void RelayProbe::consider_permission() {
    if (step_ != Step::Asking || !findings_.relayed) return;
    if (!findings_.seen_by_server) {
        if (!binding_->poll_timeout()) finish();
        return;
    }
    step_ = Step::Permitting;
    link_->permit(findings_.seen_by_server->ip);
}

void RelayProbe::enter(Step step) {
    step_ = step;
    sends_ = 0;
    sent_ = loop_.now();
    send_test();
}

void RelayProbe::send_test() {
    ++sends_;
    if (step_ == Step::Intruding) {
        link_->send(*findings_.seen_by_server, token_);
    } else {
        socket_->send(Transmit{{socket_->local_address(), *findings_.relayed}, token_});
    }
    timer_.arm_after(send_interval);
}

void RelayProbe::handle_timeout() {
    if (sends_ < most_sends) return send_test();
    if (step_ == Step::Intruding) {
        findings_.stranger = RelayFindings::Stranger::Dropped;
        return enter(Step::Looping);
    }
    findings_.loop = RelayFindings::Loop::Lost;
    finish();
}

void RelayProbe::handle_datagram(const drivers::Datagram& datagram) {
    if (datagram.path.remote == config_.server) {
        const auto message = stun::MessageView::parse(datagram.payload);
        if (!message) return;
        binding_->handle_message(loop_.now(), *message, stun::Integrity::Passed);
        return pump_binding();
    }
    if (datagram.path.remote != findings_.relayed ||
        !std::ranges::equal(datagram.payload, token_)) {
        return;
    }
    if (step_ == Step::Intruding) {
        findings_.stranger = RelayFindings::Stranger::LetIn;
        enter(Step::Looping);
    } else if (step_ == Step::Looping && findings_.seen_by_relay) {
        findings_.loop = RelayFindings::Loop::Returned;
        findings_.round_trip = loop_.now() - sent_;
        finish();
    }
}

void RelayProbe::handle_data(const SocketAddress& peer, BytesView payload) {
    if (step_ != Step::Looping || !std::ranges::equal(payload, token_)) return;
    findings_.seen_by_relay = peer;
    link_->send(peer, token_);
}

void RelayProbe::finish() {
    step_ = Step::Done;
    timer_.disarm();
    if (findings_.relayed) link_->release();
}

}  // namespace stile::nat_probe
