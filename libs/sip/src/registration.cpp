// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sip/registration.hpp>

#include <stile/base/assert.hpp>

#include <algorithm>
#include <utility>

namespace stile::sip {

namespace {

constexpr std::uint32_t most_expires_seconds = 7 * 24 * 3600;

// Uniform between `low` and `high`.
Duration between(crypto::RandomStream& random, Duration low, Duration high) {
    if (high <= low) return low;
    return low + Duration{static_cast<Duration::rep>(
                     random.below(static_cast<std::uint64_t>((high - low).count())))};
}

// Which of the contacts in a 2xx is ours. RFC 5626 Section 6, RFC 3261 Section 10.2.4.
const ContactView* find_own(const Contacts& contacts, const Contact& own,
                            const std::optional<std::uint32_t>& reg_id) {
    const auto instance = own.instance();
    for (const ContactView& candidate : contacts.values) {
        if (instance && reg_id && candidate.instance() == instance &&
            candidate.reg_id() == reg_id) {
            return &candidate;
        }
    }
    for (const ContactView& candidate : contacts.values) {
        if (candidate.uri() == own.uri().view()) return &candidate;
    }
    return nullptr;
}

}  // namespace

Registration::Registration(AgentContext context, RegistrationConfig config)
    : config_(std::move(config)),
      call_id_(random_token(context.random)),
      from_tag_(random_token(context.random)),
      sequence_(context.random.u32() & 0xFFFFU),
      asked_seconds_(config_.expires_seconds) {
    if (context.config.account) {
        digest_.emplace(*context.config.account, context.random.fork(), context.config.md5);
    }
}

void Registration::start(Instant now, AgentContext context, std::optional<FlowId> flow) {
    if (state_ != State::Stopped) return;
    if (context.config.account) {
        digest_.emplace(*context.config.account, context.random.fork(), context.config.md5);
    }
    consecutive_failures_ = 0;
    state_ = State::Waiting;
    if (flow) {
        use_flow(now, context, *flow);
    } else {
        events_.emplace_back(FlowWanted{});
    }
}

void Registration::use_flow(Instant now, AgentContext context, FlowId flow) {
    if (state_ == State::Stopped || state_ == State::Removing) return;
    if (!context.layer.find_flow(flow)) return;
    drop_transaction(context);
    timers_.clear();
    flow_ = flow;
    flow_timer_.reset();
    proof_ = FlowProof::Missing;
    state_ = State::Registering;
    send_register(now, context, asked_seconds_);
}

void Registration::stop(Instant now, AgentContext context) {
    switch (state_) {
        case State::Removing:
            return;
        case State::Stopped:
        case State::Waiting:
            finish_removal();
            return;
        case State::Registering:
        case State::Registered:
            drop_transaction(context);
            timers_.clear();
            state_ = State::Removing;
            send_register(now, context, 0);
            return;
    }
}

void Registration::finish_removal() {
    timers_.clear();
    state_ = State::Stopped;
    flow_.reset();
    transaction_.reset();
    events_.emplace_back(Removed{});
}

void Registration::drop_transaction(AgentContext context) {
    if (const auto transaction = std::exchange(transaction_, {})) {
        context.layer.abandon(*transaction);
    }
}

void Registration::send_register(Instant now, AgentContext context, std::uint32_t expires_seconds) {
    STILE_ASSERT(flow_.has_value());
    if (!context.layer.find_flow(*flow_)) {
        fail(now, context, Failure::Unreachable, nullptr);
        return;
    }
    NameAddr from = context.config.address;
    const NameAddr to = from;
    from.set_tag(from_tag_);
    Contact own = contact(context, *flow_, ContactUse::Registration);
    if (asks_outbound_ && own.instance()) {
        own.address.parameters.set("reg-id", std::to_string(config_.reg_id));
    }
    own.address.parameters.set("expires", std::to_string(expires_seconds));

    MessageBuilder builder = MessageBuilder::request(Method::Register, config_.registrar);
    builder.add(context.layer.make_via(*flow_)).add(HeaderName::MaxForwards, "70");
    for (const NameAddr& hop : config_.route) builder.add(HeaderName::Route, hop);
    builder.add(HeaderName::From, from)
        .add(HeaderName::To, to)
        .add(HeaderName::CallId, call_id_)
        .add(CSeq{.number = ++sequence_, .method = Method::Register})
        .add(own)
        .add(HeaderName::Supported, asks_outbound_ ? "path, outbound" : "path")
        .add(HeaderName::Allow, allowed_methods(context.config));
    add_software(context, builder, HeaderName::UserAgent);
    add_credentials(builder, digest_ ? &*digest_ : nullptr, method_text(Method::Register),
                    config_.registrar.to_string(), std::nullopt);
    const auto sent = context.layer.send_request(now, *flow_, builder.build());
    if (!sent) {
        fail(now, context, Failure::Unreachable, nullptr);
        return;
    }
    transaction_ = *sent;
}

void Registration::handle_response(Instant now, AgentContext context,
                                   ClientTransactionId transaction, const Message& response) {
    if (transaction != transaction_ || response.status().is_provisional()) return;
    transaction_.reset();
    const Status status = response.status();
    if (state_ == State::Removing) {
        if (status == status::Unauthorized || status == status::ProxyAuthenticationRequired) {
            handle_challenge(now, context, response);
        } else {
            finish_removal();
        }
        return;
    }
    if (status.is_success()) {
        handle_success(now, context, response);
    } else if (status == status::Unauthorized || status == status::ProxyAuthenticationRequired) {
        handle_challenge(now, context, response);
    } else if (status == status::IntervalTooBrief) {
        const auto least = response.min_expires_seconds();
        if (least && *least > asked_seconds_ && *least <= most_expires_seconds) {
            asked_seconds_ = *least;
            send_register(now, context, asked_seconds_);
        } else {
            fail(now, context, Failure::Rejected, &response);
        }
    } else if (status == status::FirstHopLacksOutboundSupport && asks_outbound_) {
        asks_outbound_ = false;
        send_register(now, context, asked_seconds_);
    } else {
        fail(now, context, Failure::Rejected, &response);
    }
}

void Registration::handle_challenge(Instant now, AgentContext context, const Message& response) {
    const auto outcome =
        digest_ ? digest_->handle_challenge(response) : DigestClient::Outcome::NoChallenge;
    if (outcome == DigestClient::Outcome::Retry) {
        send_register(now, context, state_ == State::Removing ? 0 : asked_seconds_);
    } else if (state_ == State::Removing) {
        finish_removal();
    } else {
        // Another try would be the same one, and could lock the account.
        stop_with(Failure::Unauthorized, response.status());
    }
}

void Registration::stop_with(Failure failure, std::optional<Status> status) {
    timers_.clear();
    state_ = State::Stopped;
    flow_.reset();
    events_.emplace_back(Failed{.failure = failure, .status = status, .retry_at = std::nullopt});
}

void Registration::handle_success(Instant now, AgentContext context, const Message& response) {
    if (digest_) digest_->handle_success(response);
    const auto contacts = response.contacts();
    const Contact own = contact(context, *flow_, ContactUse::Registration);
    const ContactView* bound = contacts ? find_own(*contacts, own, config_.reg_id) : nullptr;
    const std::uint32_t fallback = response.expires_seconds().value_or(asked_seconds_);
    const std::uint32_t granted = bound ? bound->expires_seconds().value_or(fallback) : 0;
    if (granted == 0) {
        fail(now, context, Failure::BadAnswer, nullptr);
        return;
    }
    const std::chrono::seconds lifetime{std::min(granted, most_expires_seconds)};
    outbound_ = response.lists(HeaderName::Require, "outbound") ? Outbound::Supported
                                                                : Outbound::Unsupported;
    if (auto routes = response.routes(HeaderName::ServiceRoute).copies()) {
        service_route_ = *std::move(routes);
    }
    flow_timer_.reset();
    if (const auto text = response.find(HeaderName::FlowTimer)) {
        if (const auto number = parse_number(*text, most_expires_seconds); number && *number > 0) {
            flow_timer_ = std::chrono::seconds{*number};
        }
    }
    const bool is_first = state_ == State::Registering;
    state_ = State::Registered;
    // Well before the end, so that a lost answer and a new flow still fit in.
    timers_.set(Timer::Refresh, now + between(context.random, Duration{lifetime} * 3 / 4,
                                              Duration{lifetime} * 9 / 10));
    timers_.set(Timer::Expiry, now + lifetime);
    if (is_first || !timers_.get(Timer::Ping)) schedule_ping(now, context);
    // RFC 5626 Section 4.5: with keep-alives a flow counts as successful after the first answer.
    if (outbound_ == Outbound::Unsupported) note_proven_flow();
    events_.emplace_back(Registered{.flow = *flow_, .expires = lifetime, .outbound = outbound_});
}

void Registration::schedule_ping(Instant now, AgentContext context) {
    timers_.clear(Timer::Ping);
    const Flow* flow = flow_ ? context.layer.find_flow(*flow_) : nullptr;
    if (!flow || outbound_ == Outbound::Unsupported) return;
    const Duration most = flow_timer_                    ? Duration{*flow_timer_}
                          : is_reliable(flow->transport) ? config_.times.stream_ping
                                                         : config_.times.datagram_ping;
    timers_.set(Timer::Ping, now + between(context.random, most * 4 / 5, most));
}

void Registration::handle_failure(Instant now, AgentContext context,
                                  ClientTransactionId transaction) {
    if (transaction != transaction_) return;
    transaction_.reset();
    if (state_ == State::Removing) {
        finish_removal();
        return;
    }
    fail(now, context, Failure::Unreachable, nullptr);
}

// RFC 5626 Section 4.5. `response` is what was answered, if anything was.
void Registration::fail(Instant now, AgentContext context, Failure failure,
                        const Message* response) {
    drop_transaction(context);
    ++consecutive_failures_;
    const FlowTimes& times = config_.times;
    const std::uint32_t doublings = std::min(consecutive_failures_, std::uint32_t{16});
    const Duration most = std::min(times.most_wait, times.base_all_failed * (1U << doublings));
    Duration wait = between(context.random, most / 2, most);
    if (response) {
        if (const auto after = response->retry_after()) {
            wait = std::max<Duration>(
                wait, std::chrono::seconds{std::min(after->seconds, most_expires_seconds)});
        }
    }
    timers_.clear();
    // A flow that still carries answers is kept: RFC 5626 Section 4.2.2.
    const bool keep_flow = response && flow_ && context.layer.find_flow(*flow_);
    if (!keep_flow && flow_) events_.emplace_back(FlowFailed{*std::exchange(flow_, {})});
    state_ = State::Waiting;
    timers_.set(Timer::Retry, now + wait);
    events_.emplace_back(
        Failed{.failure = failure,
               .status = response ? std::optional{response->status()} : std::nullopt,
               .retry_at = now + wait});
}

void Registration::handle_flow_unavailable(Instant now, AgentContext context) {
    if (state_ == State::Waiting && !timers_.get(Timer::Retry)) {
        fail(now, context, Failure::Unreachable, nullptr);
    }
}

void Registration::handle_flow_dead(Instant now, AgentContext context, FlowId flow) {
    if (flow_ != flow) return;
    switch (state_) {
        case State::Stopped:
        case State::Waiting:
            flow_.reset();
            return;
        case State::Removing:
            finish_removal();
            return;
        case State::Registering:
            fail(now, context, Failure::Unreachable, nullptr);
            return;
        case State::Registered:
            if (proof_ == FlowProof::Missing) {
                // It never proved itself: wait, as after any failure.
                fail(now, context, Failure::Unreachable, nullptr);
                return;
            }
            drop_transaction(context);
            timers_.clear();
            events_.emplace_back(FlowFailed{*std::exchange(flow_, {})});
            state_ = State::Waiting;
            events_.emplace_back(FlowWanted{});
            return;
    }
}

void Registration::handle_pong(Instant now, AgentContext context, FlowId flow) {
    if (flow_ != flow || state_ != State::Registered) return;
    timers_.clear(Timer::Pong);
    note_proven_flow();
    if (!timers_.get(Timer::Ping)) schedule_ping(now, context);
}

void Registration::note_proven_flow() {
    proof_ = FlowProof::Seen;
    consecutive_failures_ = 0;
}

void Registration::handle_timeout(Instant now, AgentContext context) {
    if (timers_.take_expired(Timer::Retry, now)) {
        if (flow_ && context.layer.find_flow(*flow_)) {
            use_flow(now, context, *flow_);
        } else {
            flow_.reset();
            events_.emplace_back(FlowWanted{});
        }
        return;
    }
    if (timers_.take_expired(Timer::Pong, now) && flow_) {
        handle_flow_dead(now, context, *flow_);
        return;
    }
    if (timers_.take_expired(Timer::Expiry, now)) {
        fail(now, context, Failure::Unreachable, nullptr);
        return;
    }
    if (timers_.take_expired(Timer::Refresh, now) && !transaction_) {
        send_register(now, context, asked_seconds_);
    }
    if (timers_.take_expired(Timer::Ping, now) && flow_) {
        const Flow* flow = context.layer.find_flow(*flow_);
        if (flow && is_reliable(flow->transport)) {
            context.layer.send(*flow_, to_bytes(std::string_view{"\r\n\r\n"}));
            timers_.set(Timer::Pong, now + config_.times.pong_timeout);
        } else if (flow) {
            events_.emplace_back(KeepAliveDue{*flow_});
        }
        schedule_ping(now, context);
    }
}

std::optional<Registration::Event> Registration::poll_event() {
    if (events_.empty()) return std::nullopt;
    Event first = std::move(events_.front());
    events_.pop_front();
    return first;
}

}  // namespace stile::sip
