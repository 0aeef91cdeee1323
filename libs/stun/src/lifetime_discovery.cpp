// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/stun/attributes.hpp>
#include <stile/stun/binding_answer.hpp>
#include <stile/stun/lifetime_discovery.hpp>
#include <stile/stun/message_builder.hpp>

#include <algorithm>
#include <utility>

namespace stile::stun {

LifetimeDiscovery::LifetimeDiscovery(Instant now, Config config, crypto::RandomStream random)
    : config_(config), random_(std::move(random)), deadline_(now + config.budget) {
    STILE_ASSERT(config.resolution > Duration::zero());
    STILE_ASSERT(config.first_wait > Duration::zero() && config.first_wait <= config.longest_wait);
    make(now);
}

// Only what goes out refreshes a mapping at every NAT: a request, before each wait.
void LifetimeDiscovery::make(Instant now) {
    phase_ = Phase::Making;
    path_ = {.local = config_.kept, .remote = config_.server};
    MessageBuilder request{Class::Request, Method::Binding, TransactionId::random(random_)};
    transaction_.emplace(now, request.finish(), config_.schedule);
}

void LifetimeDiscovery::ask(Instant now) {
    phase_ = Phase::Asking;
    wake_.reset();
    path_ = {.local = config_.asker, .remote = config_.server};
    MessageBuilder request{Class::Request, Method::Binding, TransactionId::random(random_)};
    request.add(ResponsePort{mapped_port_});
    transaction_.emplace(now, request.finish(), config_.schedule);
}

Verdict LifetimeDiscovery::handle_datagram(Instant now, const Path& path, BytesView datagram) {
    if (!transaction_) return Verdict::NotMine;
    if (path.local != config_.kept && path.local != config_.asker) return Verdict::NotMine;
    const auto message = MessageView::parse(datagram);
    if (!message || !is_response(message->message_class())) return Verdict::NotMine;
    if (phase_ == Phase::Making && path.local != config_.kept) return Verdict::NotMine;
    const Verdict verdict = transaction_->handle_message(now, *message, Integrity::Passed);
    if (!transaction_->poll_event()) return verdict;
    if (phase_ == Phase::Making) {
        made(now, &*message);
    } else if (message->message_class() == Class::ErrorResponse) {
        finish(Findings::End::NotOffered);
    } else {
        // At the asker: the old mapping is gone, and its port was given to the asker.
        asked(now, path.local == config_.kept ? Probed::Outcome::Alive : Probed::Outcome::Expired);
    }
    return verdict;
}

void LifetimeDiscovery::handle_timeout(Instant now) {
    if (wake_ && now >= *wake_) return ask(now);
    if (!transaction_) return;
    transaction_->handle_timeout(now);
    if (!transaction_->poll_event()) return;
    if (phase_ == Phase::Making) return made(now, nullptr);
    if (wait_ == Duration::zero()) return finish(Findings::End::NotComparable);
    asked(now, Probed::Outcome::Expired);
}

void LifetimeDiscovery::made(Instant now, const MessageView* response) {
    std::optional<SocketAddress> mapped;
    if (response != nullptr) {
        if (const auto answer = read_binding_answer(*response)) mapped = answer->mapped;
    }
    if (!mapped) {
        // Once it had answered it is what was found so far that counts.
        return finish(findings_.mapped ? Findings::End::BudgetSpent : Findings::End::NoServer);
    }
    findings_.mapped = mapped;
    mapped_port_ = mapped->port;
    transaction_.reset();
    phase_ = Phase::Waiting;
    wake_ = now + wait_;
}

void LifetimeDiscovery::asked(Instant now, Probed::Outcome outcome) {
    if (wait_ == Duration::zero()) {
        // The mapping cannot be gone yet: who answers the asker does not look at RESPONSE-PORT.
        if (outcome == Probed::Outcome::Expired) return finish(Findings::End::NotOffered);
        findings_.longest_alive = Duration::zero();
        return next_wait(now);
    }
    probed_ = Probed{.wait = wait_, .outcome = outcome};
    if (outcome == Probed::Outcome::Alive) {
        findings_.longest_alive = std::max(*findings_.longest_alive, wait_);
    } else {
        findings_.shortest_expired = std::min(findings_.shortest_expired.value_or(wait_), wait_);
    }
    next_wait(now);
}

void LifetimeDiscovery::next_wait(Instant now) {
    const Duration alive = *findings_.longest_alive;
    if (findings_.shortest_expired) {
        const Duration expired = *findings_.shortest_expired;
        if (expired - alive <= config_.resolution) return finish(Findings::End::Found);
        wait_ = alive + (expired - alive) / 2;
    } else {
        if (alive >= config_.longest_wait) return finish(Findings::End::LongestAlive);
        wait_ = std::min(std::max(config_.first_wait, alive * 2), config_.longest_wait);
    }
    if (now + wait_ > deadline_) return finish(Findings::End::BudgetSpent);
    make(now);
}

void LifetimeDiscovery::finish(Findings::End end) {
    findings_.end = end;
    transaction_.reset();
    wake_.reset();
    phase_ = Phase::Done;
}

std::optional<Transmit> LifetimeDiscovery::poll_transmit() {
    if (!transaction_) return std::nullopt;
    const auto payload = transaction_->poll_transmit();
    if (!payload) return std::nullopt;
    return Transmit{.path = path_, .payload = *payload};
}

std::optional<LifetimeDiscovery::Event> LifetimeDiscovery::poll_event() {
    if (const auto probed = std::exchange(probed_, std::nullopt)) return *probed;
    if (phase_ != Phase::Done || std::exchange(told_, true)) return std::nullopt;
    return findings_;
}

std::optional<Instant> LifetimeDiscovery::poll_timeout() const {
    if (wake_) return wake_;
    return transaction_ ? transaction_->poll_timeout() : std::nullopt;
}

}  // namespace stile::stun
