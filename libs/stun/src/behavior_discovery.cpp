// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/stun/attributes.hpp>
#include <stile/stun/behavior_discovery.hpp>
#include <stile/stun/binding_answer.hpp>
#include <stile/stun/message_builder.hpp>

#include <utility>

namespace stile::stun {

BehaviorDiscovery::BehaviorDiscovery(Instant now, Config config, crypto::RandomStream random)
    : config_(config), random_(std::move(random)) {
    begin(now, Test::Connectivity);
}

void BehaviorDiscovery::begin(Instant now, Test test) {
    using Change = ChangeRequest::Change;
    test_ = test;
    target_ = config_.server;
    MessageBuilder request{Class::Request, Method::Binding, TransactionId::random(random_)};
    switch (test) {
        case Test::Connectivity:
            break;
        case Test::FilterOtherAddress:
            request.add(ChangeRequest{.ip = Change::Change, .port = Change::Change});
            break;
        case Test::FilterOtherPort:
            request.add(ChangeRequest{.port = Change::Change});
            break;
        case Test::MapOtherAddress:
            target_.ip = other_.ip;
            break;
        case Test::MapOtherPort:
            target_ = other_;
            break;
        case Test::Fragments:
            request.add(Padding{config_.padding});
            break;
        case Test::Done:
            transaction_.reset();
            return;
    }
    transaction_.emplace(now, request.finish(), config_.schedule);
}

Verdict BehaviorDiscovery::handle_datagram(Instant now, const Path& path, BytesView datagram) {
    if (!transaction_ || path.local != config_.local) return Verdict::NotMine;
    const auto message = MessageView::parse(datagram);
    if (!message) return Verdict::NotMine;
    // The answers of the filter tests come from another address: only the transaction id counts.
    const Verdict verdict = transaction_->handle_message(now, *message, Integrity::Passed);
    advance(now);
    return verdict;
}

void BehaviorDiscovery::handle_timeout(Instant now) {
    if (!transaction_) return;
    transaction_->handle_timeout(now);
    advance(now);
}

void BehaviorDiscovery::advance(Instant now) {
    const auto event = transaction_->poll_event();
    if (!event) return;
    if (const auto* answered = std::get_if<ClientTransaction::Answered>(&*event)) {
        const auto response = MessageView::parse(answered->response);
        if (test_ == Test::Connectivity) findings_.round_trip = answered->round_trip;
        conclude(now, &*response);
    } else {
        conclude(now, nullptr);
    }
}

// What the test that has just ended has shown, and which one is next.
void BehaviorDiscovery::conclude(Instant now, const MessageView* response) {
    const bool refused = response != nullptr && response->message_class() == Class::ErrorResponse;
    std::optional<SocketAddress> mapped;
    if (response != nullptr) {
        if (const auto answer = read_binding_answer(*response)) mapped = answer->mapped;
    }
    switch (test_) {
        case Test::Connectivity:
            return conclude_connectivity(now, response);
        case Test::FilterOtherAddress:
            if (mapped) findings_.filtering = FilteringBehavior::EndpointIndependent;
            return begin(now, mapped || refused ? Test::MapOtherAddress : Test::FilterOtherPort);
        case Test::FilterOtherPort:
            if (!refused) {
                findings_.filtering = mapped ? FilteringBehavior::AddressDependent
                                             : FilteringBehavior::AddressAndPortDependent;
            }
            return begin(now, Test::MapOtherAddress);
        case Test::MapOtherAddress:
            if (!mapped) return begin_last(now);
            mapped_for_other_ = mapped;
            if (mapped != findings_.mapped) return begin(now, Test::MapOtherPort);
            findings_.mapping = MappingBehavior::EndpointIndependent;
            return begin_last(now);
        case Test::MapOtherPort:
            if (mapped) {
                findings_.mapping = mapped == mapped_for_other_
                                        ? MappingBehavior::AddressDependent
                                        : MappingBehavior::AddressAndPortDependent;
            }
            return begin_last(now);
        case Test::Fragments:
            if (!refused) {
                findings_.fragments = mapped ? FragmentHandling::Pass : FragmentHandling::Lost;
            }
            return begin(now, Test::Done);
        case Test::Done:
            return;
    }
}

void BehaviorDiscovery::conclude_connectivity(Instant now, const MessageView* response) {
    if (response == nullptr) return begin(now, Test::Done);
    const auto answer = read_binding_answer(*response);
    if (!answer) {
        findings_.refusal = answer.error().code;
        return begin(now, Test::Done);
    }
    findings_.mapped = answer->mapped;
    findings_.software = answer->software;
    findings_.other = answer->other;
    if (answer->mapped_in_clear && answer->mapped_in_clear != answer->mapped) {
        findings_.rewritten = answer->mapped_in_clear;
    }
    if (!answer->other) return begin_last(now);
    other_ = *answer->other;
    begin(now, Test::FilterOtherAddress);
}

void BehaviorDiscovery::begin_last(Instant now) {
    begin(now, config_.padding > 0 ? Test::Fragments : Test::Done);
}

std::optional<Transmit> BehaviorDiscovery::poll_transmit() {
    if (!transaction_) return std::nullopt;
    const auto payload = transaction_->poll_transmit();
    if (!payload) return std::nullopt;
    return Transmit{.path = {.local = config_.local, .remote = target_}, .payload = *payload};
}

std::optional<BehaviorDiscovery::Findings> BehaviorDiscovery::poll_event() {
    if (test_ != Test::Done || std::exchange(told_, true)) return std::nullopt;
    return findings_;
}

std::optional<Instant> BehaviorDiscovery::poll_timeout() const {
    return transaction_ ? transaction_->poll_timeout() : std::nullopt;
}

}  // namespace stile::stun
