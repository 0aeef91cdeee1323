// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/stun/attributes.hpp>
#include <stile/stun/binding_answer.hpp>
#include <stile/stun/connection_mapping_discovery.hpp>
#include <stile/stun/message_builder.hpp>

#include <utility>

namespace stile::stun {

ConnectionMappingDiscovery::ConnectionMappingDiscovery(Instant now, Config config,
                                                       crypto::RandomStream random)
    : config_(config), random_(std::move(random)) {
    begin(now, Test::First, config.server);
}

void ConnectionMappingDiscovery::begin(Instant now, Test test, const SocketAddress& target) {
    test_ = test;
    target_ = target;
    connect_wanted_ = test != Test::Done;
    connected_ = false;
    received_.clear();
    transaction_.reset();
    if (test == Test::Done) return;
    MessageBuilder request{Class::Request, Method::Binding, TransactionId::random(random_)};
    transaction_.emplace(now, request.finish(), RetransmitSchedule::reliable(config_.patience));
}

std::optional<SocketAddress> ConnectionMappingDiscovery::poll_connect() {
    if (!std::exchange(connect_wanted_, false)) return std::nullopt;
    return target_;
}

void ConnectionMappingDiscovery::handle_connected(Instant, const SocketAddress& server) {
    if (server == target_) connected_ = true;
}

void ConnectionMappingDiscovery::handle_bytes(Instant now, const SocketAddress& server,
                                              BytesView bytes) {
    if (!transaction_ || server != target_) return;
    received_.insert(received_.end(), bytes.begin(), bytes.end());
    while (transaction_) {
        const auto size = framed_size(received_);
        if (!size) {
            if (size.error() != ParseError::TooShort) conclude(now, nullptr);
            return;
        }
        if (received_.size() < *size) return;
        const Bytes wire(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(*size));
        received_.erase(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(*size));
        const auto message = MessageView::parse(wire);
        if (!message) return conclude(now, nullptr);
        transaction_->handle_message(now, *message, Integrity::Passed);
        if (transaction_->poll_event()) conclude(now, &*message);
    }
}

void ConnectionMappingDiscovery::handle_closed(Instant now, const SocketAddress& server) {
    if (transaction_ && server == target_) conclude(now, nullptr);
}

void ConnectionMappingDiscovery::handle_timeout(Instant now) {
    if (!transaction_) return;
    transaction_->handle_timeout(now);
    if (transaction_->poll_event()) conclude(now, nullptr);
}

void ConnectionMappingDiscovery::conclude(Instant now, const MessageView* response) {
    std::optional<BindingAnswer> answer;
    if (response != nullptr) {
        if (auto read = read_binding_answer(*response)) {
            answer = *std::move(read);
        } else if (test_ == Test::First) {
            findings_.refusal = read.error().code;
        }
    }
    if (!answer) return begin(now, Test::Done, target_);
    switch (test_) {
        case Test::First:
            findings_.mapped = answer->mapped;
            findings_.software = std::move(answer->software);
            findings_.other = answer->other;
            if (!answer->other) return begin(now, Test::Done, target_);
            return begin(now, Test::Second,
                         {.ip = answer->other->ip, .port = config_.server.port});
        case Test::Second:
            if (answer->mapped == findings_.mapped) {
                findings_.mapping = MappingBehavior::EndpointIndependent;
                return begin(now, Test::Done, target_);
            }
            mapped_for_other_ = answer->mapped;
            return begin(now, Test::Third, *findings_.other);
        case Test::Third:
            findings_.mapping = answer->mapped == mapped_for_other_
                                    ? MappingBehavior::AddressDependent
                                    : MappingBehavior::AddressAndPortDependent;
            return begin(now, Test::Done, target_);
        case Test::Done:
            return;
    }
}

std::optional<Transmit> ConnectionMappingDiscovery::poll_transmit() {
    if (!transaction_ || !connected_) return std::nullopt;
    const auto payload = transaction_->poll_transmit();
    if (!payload) return std::nullopt;
    return Transmit{.path = {.local = {}, .remote = target_}, .payload = *payload};
}

std::optional<ConnectionMappingDiscovery::Findings> ConnectionMappingDiscovery::poll_event() {
    if (test_ != Test::Done || std::exchange(told_, true)) return std::nullopt;
    return findings_;
}

std::optional<Instant> ConnectionMappingDiscovery::poll_timeout() const {
    return transaction_ ? transaction_->poll_timeout() : std::nullopt;
}

}  // namespace stile::stun
