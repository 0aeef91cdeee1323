// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/stun/attributes.hpp>
#include <stile/stun/behavior_discovery.hpp>
#include <stile/stun/binding_responder.hpp>
#include <stile/stun/integrity.hpp>
#include <stile/stun/message_builder.hpp>

#include <utility>

namespace stile::stun {

std::optional<BehaviorServer::Answer> BehaviorServer::respond(const MessageView& request,
                                                              const Path& path) const {
    if (request.message_class() != Class::Request || request.method() != Method::Binding) {
        return std::nullopt;
    }
    const SocketAddress& received_at = path.local;
    const bool known_ip = received_at.ip == primary || received_at.ip == alternate;
    const bool known_port = received_at.port == primary_port || received_at.port == alternate_port;
    if (!known_ip || !known_port) return std::nullopt;

    const auto unknown =
        request.unknown_required({AttributeType::ChangeRequest, AttributeType::ResponsePort});
    if (!unknown.empty()) return Answer{path, unknown_attribute_response(request, unknown)};
    const ChangeRequest change = request.get<ChangeRequest>().value_or(ChangeRequest{});
    // Ca and Cp of RFC 5780 Table 1.
    const SocketAddress other{
        .ip = received_at.ip == primary ? alternate : primary,
        .port = received_at.port == primary_port ? alternate_port : primary_port,
    };
    const SocketAddress origin{
        .ip = change.ip == ChangeRequest::Change::Change ? other.ip : received_at.ip,
        .port = change.port == ChangeRequest::Change::Change ? other.port : received_at.port,
    };
    MessageBuilder builder = MessageBuilder::reply(request, Class::SuccessResponse);
    builder.add(MappedAddress{path.remote});
    if (request.dialect() == Dialect::Rfc8489) builder.add(XorMappedAddress{path.remote});
    builder.add(ResponseOrigin{origin}).add(OtherAddress{other});
    if (!software.empty()) builder.add(Software{software});
    if (check_fingerprint(request) == Fingerprint::Correct) builder.add_fingerprint();

    SocketAddress target = path.remote;
    if (const auto port = request.get<ResponsePort>()) target.port = port->port;
    return Answer{.path = {.local = origin, .remote = target}, .response = builder.finish()};
}

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
        conclude(now, &*response);
    } else {
        conclude(now, nullptr);
    }
}

// What the test that has just ended has shown, and which one is next.
void BehaviorDiscovery::conclude(Instant now, const MessageView* response) {
    const bool refused = response != nullptr && response->message_class() == Class::ErrorResponse;
    std::optional<SocketAddress> mapped;
    if (response != nullptr && !refused) {
        if (const auto address = response->get<XorMappedAddress>()) mapped = address->address;
    }
    switch (test_) {
        case Test::Connectivity: {
            findings_.mapped = mapped;
            const auto other =
                mapped ? response->get<OtherAddress>() : std::unexpected(AttributeError::Absent);
            if (!other || other->address.ip.family() != config_.server.ip.family()) {
                return begin(now, Test::Done);
            }
            other_ = other->address;
            return begin(now, Test::FilterOtherAddress);
        }
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
            if (!mapped) return begin(now, Test::Done);
            mapped_for_other_ = mapped;
            if (mapped != findings_.mapped) return begin(now, Test::MapOtherPort);
            findings_.mapping = MappingBehavior::EndpointIndependent;
            return begin(now, Test::Done);
        case Test::MapOtherPort:
            if (mapped) {
                findings_.mapping = mapped == mapped_for_other_
                                        ? MappingBehavior::AddressDependent
                                        : MappingBehavior::AddressAndPortDependent;
            }
            return begin(now, Test::Done);
        case Test::Done:
            return;
    }
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
