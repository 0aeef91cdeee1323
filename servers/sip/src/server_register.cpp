// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/sip_server/server.hpp>

#include <utility>

namespace stile::sip_server {

using sip::HeaderName;
using sip::Message;
namespace status = sip::status;

// RFC 3261 Section 10.3, from step 3 on: who asks, and for whom.
void Server::handle_register(Instant now, Received received) {
    const auto to = received.request.to();
    STILE_ASSERT(to.has_value());
    // "The address-of-record MUST be a SIP URI or SIPS URI." RFC 3261 Section 10.2.
    if (!to->uri.is_sip_or_sips()) {
        ++counters_.registrations_refused;
        reply(now, received, status::BadRequest, "To Names No SIP URI");
        return;
    }
    if (!config_.own.is_own_domain(to->uri)) {
        ++counters_.registrations_refused;
        reply(now, received, status::NotFound);
        return;
    }
    std::string user = user_of(to->uri);
    if (user.empty()) {
        ++counters_.registrations_refused;
        reply(now, received, status::NotFound);
        return;
    }
    const auto flow = flows_.find(received.flow);
    if (flow != flows_.end() && flow->second.certificate_user) {
        if (flow->second.certificate_user == user) {
            finish_register(now, std::move(received), user);
        } else {
            ++counters_.registrations_refused;
            reply(now, received, status::Forbidden);
        }
        return;
    }
    // Credentials for another user of ours are judged as such and refused afterwards: a guess at
    // who exists learns nothing from the order.
    std::string claimed =
        authenticator_.claimed_user(received.request, HeaderName::Authorization).value_or(user);
    ask_account(now, AwaitsAccount{.purpose = Purpose::Register,
                                   .received = std::move(received),
                                   .user = std::move(claimed)});
}

void Server::authenticate_register(Instant now, AwaitsAccount waiting,
                                   const std::optional<AccountRecord>& account) {
    const Received& received = waiting.received;
    switch (authenticator_.judge(received.request, HeaderName::Authorization, account,
                                 source(received.flow), wall(now))) {
        case AuthVerdict::Passed:
            break;
        case AuthVerdict::Missing:
            challenge(now, received, status::Unauthorized, account, sip::Staleness::Fresh);
            return;
        case AuthVerdict::Stale:
            challenge(now, received, status::Unauthorized, account, sip::Staleness::Stale);
            return;
        case AuthVerdict::Failed:
            note_auth_failure(received.flow);
            challenge(now, received, status::Unauthorized, account, sip::Staleness::Fresh);
            return;
        case AuthVerdict::Forbidden:
            ++counters_.registrations_refused;
            reply(now, received, status::Forbidden, "TLS Required");
            return;
    }
    note_user(received.flow, waiting.user);
    if (user_of(received.request.to()->uri) != waiting.user) {
        ++counters_.registrations_refused;
        reply(now, received, status::Forbidden);
        return;
    }
    finish_register(now, std::move(waiting.received), waiting.user);
}

void Server::finish_register(Instant now, Received received, const std::string& user) {
    const RegisterInput input{.request = received.request,
                              .user = user,
                              .flow = received.flow,
                              .now = now,
                              .wall_now = wall(now)};
    const auto plan = plan_registration(input, locations_, config_.registrar);
    const std::string tag = layer_.stateless_tag(received.request);
    if (!plan) {
        ++counters_.registrations_refused;
        const RegisterRefusal& refusal = plan.error();
        sip::MessageBuilder builder = sip::make_response(received.request, refusal.status,
                                                         {.reason = refusal.reason, .to_tag = tag});
        if (refusal.min_expires_seconds) {
            builder.add_number(HeaderName::MinExpires, *refusal.min_expires_seconds);
        }
        if (!refusal.unsupported.empty()) {
            builder.add(HeaderName::Unsupported, refusal.unsupported);
        }
        if (refusal.status == status::ServiceUnavailable) {
            builder.add_number(HeaderName::RetryAfter, 60);
        }
        layer_.respond(now, received.transaction, builder.build());
        return;
    }
    if (waiting_.size() >= most_waiting) {
        reply(now, received, status::ServiceUnavailable);
        return;
    }
    for (const Binding& binding : plan->puts) {
        if (!binding.reg_id || !binding.flow) continue;
        const Binding* known = locations_.find(user, binding.key);
        successors_.note_registered(user, binding.key, known ? known->flow : std::nullopt,
                                    *binding.flow);
    }
    std::vector<BindingChange> changes = apply(*plan, user, locations_);
    Message response = registration_answer(input, *plan, locations_, config_.registrar, tag);
    if (changes.empty()) {  // a query
        ++counters_.registrations;
        layer_.respond(now, received.transaction, response);
        return;
    }
    Message failure =
        sip::make_response(received.request, status::ServerInternalError, {.to_tag = tag}).build();
    const auto id = wait(now, AwaitsStore{.transaction = received.transaction,
                                          .response = std::move(response),
                                          .failure = std::move(failure)});
    STILE_ASSERT(id.has_value());
    events_.emplace_back(PersistBindings{.batch = {*id}, .changes = std::move(changes)});
}

// Nobody waits for these, so their batch has a number that no answer is looked up by.
void Server::persist_removals(Instant, const std::vector<BindingRemoved>& removed) {
    if (removed.empty()) return;
    std::vector<BindingChange> changes{removed.begin(), removed.end()};
    events_.emplace_back(PersistBindings{.batch = {++last_id_}, .changes = std::move(changes)});
}

void Server::remove_bindings(Instant now, std::string_view user) {
    std::vector<BindingRemoved> removed;
    for (const Binding* binding : locations_.find(user, now)) {
        removed.push_back({.user = std::string{user}, .key = binding->key});
    }
    for (const BindingRemoved& it : removed) locations_.remove(it.user, it.key);
    persist_removals(now, removed);
}

}  // namespace stile::sip_server
