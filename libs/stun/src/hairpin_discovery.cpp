// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/stun/attributes.hpp>
#include <stile/stun/binding_answer.hpp>
#include <stile/stun/hairpin_discovery.hpp>
#include <stile/stun/message_builder.hpp>

#include <algorithm>
#include <utility>

namespace stile::stun {

HairpinDiscovery::HairpinDiscovery(Instant now, Config config, crypto::RandomStream random)
    : config_(config), random_(std::move(random)) {
    begin(now, Test::MapFirst);
}

std::optional<HairpinDiscovery::Probe> HairpinDiscovery::probe(Instant now,
                                                               const SocketAddress& from,
                                                               const SocketAddress& to) {
    MessageBuilder request{Class::Request, Method::Binding, TransactionId::random(random_)};
    return Probe{.transaction = ClientTransaction{now, request.finish(), config_.schedule},
                 .path = {.local = from, .remote = to}};
}

void HairpinDiscovery::begin(Instant now, Test test) {
    test_ = test;
    one_.reset();
    two_.reset();
    switch (test) {
        case Test::MapFirst:
            one_ = probe(now, config_.first, config_.server);
            return;
        case Test::MapSecond:
            one_ = probe(now, config_.second, config_.server);
            return;
        case Test::SecondToFirst:
            one_ = probe(now, config_.second, *findings_.mapped_first);
            return;
        case Test::BothWays:
            one_ = probe(now, config_.second, *findings_.mapped_first);
            two_ = probe(now, config_.first, *findings_.mapped_second);
            return;
        case Test::Done:
            return;
    }
}

Verdict HairpinDiscovery::handle_datagram(Instant now, const Path& path, BytesView datagram) {
    if (path.local != config_.first && path.local != config_.second) return Verdict::NotMine;
    const auto message = MessageView::parse(datagram);
    if (!message) return Verdict::NotMine;
    if (message->message_class() == Class::Request) return handle_request(now, path, *message);
    if (!one_ || path.local != one_->path.local) return Verdict::NotMine;
    if (test_ != Test::MapFirst && test_ != Test::MapSecond) return Verdict::NotMine;
    const Verdict verdict = one_->transaction.handle_message(now, *message, Integrity::Passed);
    advance(now);
    return verdict;
}

// One of our own requests that came around.
Verdict HairpinDiscovery::handle_request(Instant now, const Path& path,
                                         const MessageView& request) {
    if (test_ != Test::SecondToFirst && test_ != Test::BothWays) return Verdict::NotMine;
    const auto came_around = [&](const std::optional<Probe>& sent) {
        return sent && sent->transaction.id() == request.id() && path.local != sent->path.local;
    };
    if (!came_around(one_) && !came_around(two_)) return Verdict::NotMine;
    findings_.behavior =
        test_ == Test::SecondToFirst ? HairpinBehavior::Always : HairpinBehavior::AfterSending;
    findings_.seen_source = path.remote;
    begin(now, Test::Done);
    return Verdict::Accepted;
}

void HairpinDiscovery::handle_timeout(Instant now) {
    if (one_) one_->transaction.handle_timeout(now);
    if (two_) two_->transaction.handle_timeout(now);
    advance(now);
}

void HairpinDiscovery::advance(Instant now) {
    switch (test_) {
        case Test::MapFirst:
        case Test::MapSecond: {
            const auto event = one_->transaction.poll_event();
            if (!event) return;
            const auto* answered = std::get_if<ClientTransaction::Answered>(&*event);
            if (answered == nullptr) return conclude_mapping(now, nullptr);
            const auto response = MessageView::parse(answered->response);
            return conclude_mapping(now, &*response);
        }
        case Test::SecondToFirst:
            if (one_->transaction.finished()) begin(now, Test::BothWays);
            return;
        case Test::BothWays:
            if (!one_->transaction.finished() || !two_->transaction.finished()) return;
            findings_.behavior = HairpinBehavior::Never;
            return begin(now, Test::Done);
        case Test::Done:
            return;
    }
}

void HairpinDiscovery::conclude_mapping(Instant now, const MessageView* response) {
    std::optional<SocketAddress> mapped;
    if (response != nullptr) {
        if (const auto answer = read_binding_answer(*response)) mapped = answer->mapped;
    }
    if (!mapped) return begin(now, Test::Done);
    if (test_ == Test::MapFirst) {
        findings_.mapped_first = mapped;
        return begin(now, Test::MapSecond);
    }
    findings_.mapped_second = mapped;
    begin(now, Test::SecondToFirst);
}

std::optional<Transmit> HairpinDiscovery::poll_transmit() {
    for (auto* sending : {&one_, &two_}) {
        if (!*sending) continue;
        if (const auto payload = (*sending)->transaction.poll_transmit()) {
            return Transmit{.path = (*sending)->path, .payload = *payload};
        }
    }
    return std::nullopt;
}

std::optional<HairpinDiscovery::Findings> HairpinDiscovery::poll_event() {
    if (test_ != Test::Done || std::exchange(told_, true)) return std::nullopt;
    return findings_;
}

std::optional<Instant> HairpinDiscovery::poll_timeout() const {
    std::optional<Instant> next;
    for (const auto* waiting : {&one_, &two_}) {
        if (!*waiting) continue;
        const auto deadline = (*waiting)->transaction.poll_timeout();
        if (deadline && (!next || *deadline < *next)) next = deadline;
    }
    return next;
}

}  // namespace stile::stun
