// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sip_server/proxy.hpp>

#include <stile/base/assert.hpp>
#include <stile/sip_server/limits.hpp>

#include <algorithm>
#include <utility>

namespace stile::sip_server {

using sip::HeaderName;
using sip::Message;
using sip::Method;
using sip::Status;
namespace status = sip::status;

namespace {

// A token's place in a URI, or the bare address: what later requests of the dialog pass.
sip::NameAddr record_route(const sip::Flow& flow, std::optional<std::string> token) {
    sip::NameAddr route;
    route.uri.user = std::move(token);
    route.uri.host = flow.sent_by.host;
    route.uri.port = flow.sent_by.port;
    switch (flow.transport) {
        case sip::TransportKind::Udp:
            break;
        case sip::TransportKind::Tcp:
            route.uri.parameters.set("transport", "tcp");
            break;
        case sip::TransportKind::Tls:
            route.uri.parameters.set("transport", "tls");
            break;
        case sip::TransportKind::Ws:
        case sip::TransportKind::Wss:
            route.uri.parameters.set("transport", "ws");
            break;
    }
    route.uri.parameters.set_flag("lr");
    return route;
}

bool makes_dialog(const Message& request) {
    const auto tag = request.to_tag();
    if (!tag || *tag) return false;
    return request.method() == Method::Invite || request.method() == Method::Subscribe ||
           request.method() == Method::Refer;
}

std::uint32_t max_breadth(const Message& request) {
    const auto text = request.find(HeaderName::MaxBreadth);
    if (!text) return default_max_breadth;
    const auto number = sip::parse_number(*text);
    return number ? std::min(*number, default_max_breadth) : default_max_breadth;
}

// Lower is better.
int rank(Status status) {
    if (status.is_global_failure()) return 0;
    if (status.is_redirection()) return 1;
    if (status.code >= 500) return status == status::ServiceUnavailable ? 6 : 5;
    // RFC 3261 Section 16.7 step 6: what tells the client how to try again.
    if (status == status::Unauthorized || status == status::ProxyAuthenticationRequired ||
        status == status::UnsupportedMediaType || status == status::BadExtension ||
        status == status::AddressIncomplete) {
        return 2;
    }
    // Our own findings say less than what a callee said.
    return status == status::RequestTimeout || status == status::FlowFailed ||
                   status == status::RequestTerminated
               ? 4
               : 3;
}

}  // namespace

std::size_t best_response(const std::vector<Status>& statuses) {
    STILE_ASSERT(!statuses.empty());
    const auto best = std::ranges::min_element(statuses, {}, rank);
    return static_cast<std::size_t>(best - statuses.begin());
}

bool Proxy::Fork::is_pending() const {
    return std::ranges::any_of(branches,
                               [](const Branch& b) { return b.state != BranchState::Done; });
}

// --- forwarding a request ---------------------------------------------------------------------

void Proxy::forward(Instant now, Context context, ForwardRequest request) {
    STILE_ASSERT(!request.groups.empty());
    const std::uint64_t id = ++last_id_;
    const std::uint32_t breadth = max_breadth(request.request);
    by_server_.emplace(request.transaction, id);
    const auto [fork, is_new] =
        forks_.emplace(id, Fork{.transaction = request.transaction,
                                .source = request.source,
                                .source_hop = request.source_hop,
                                .request = std::move(request.request),
                                .loop = std::move(request.loop),
                                .waiting = {std::make_move_iterator(request.groups.begin()),
                                            std::make_move_iterator(request.groups.end())},
                                .branches = {},
                                .finals = {},
                                .breadth = breadth});
    STILE_ASSERT(is_new);
    start_group(now, context, fork);
    settle(now, context, forks_.find(id));
}

void Proxy::start_group(Instant now, Context context, Forks::iterator fork) {
    Fork& it = fork->second;
    TargetGroup group = std::move(it.waiting.front());
    it.waiting.pop_front();
    // RFC 5393 Section 5.3.3: what exceeds the breadth is tried afterwards.
    if (it.breadth == 0) {
        it.waiting.clear();
        it.finals.push_back({.status = status::MaxBreadthExceeded, .response = std::nullopt});
        return;
    }
    if (group.size() > it.breadth) {
        const auto rest = group.begin() + it.breadth;
        it.waiting.emplace_front(std::make_move_iterator(rest),
                                 std::make_move_iterator(group.end()));
        group.erase(rest, group.end());
    }
    it.group_deadline.reset();
    if (it.is_invite() && !it.waiting.empty()) it.group_deadline = now + config_.serial_wait;
    const std::size_t first = it.branches.size();
    for (Target& target : group) {
        it.branches.push_back(Branch{.target = std::move(target),
                                     .state = BranchState::Routing,
                                     .query = std::nullopt,
                                     .transaction = std::nullopt,
                                     .timer_c = std::nullopt});
    }
    for (std::size_t i = first; i < it.branches.size(); ++i) start_branch(now, context, fork, i);
}

void Proxy::start_branch(Instant now, Context context, Forks::iterator fork, std::size_t index) {
    Fork& it = fork->second;
    Branch& branch = it.branches[index];
    if (branch.target.flow) {
        send_branch(now, context, fork, index, *branch.target.flow);
        return;
    }
    sip::Uri next_hop = branch.target.uri;
    if (!branch.target.route.empty()) {
        next_hop = branch.target.route.front().uri;
    } else if (const auto routes = it.request.routes(HeaderName::Route).all();
               routes && !routes->empty()) {
        next_hop = routes->front().uri.copy();
    }
    const RouteQuery query{++last_id_};
    branch.query = query;
    by_query_.emplace(query, Place{.fork = fork->first, .branch = index});
    events_.push_back(RouteWanted{.query = query, .next_hop = std::move(next_hop)});
}

void Proxy::handle_route(Instant now, Context context, RouteQuery query,
                         std::optional<sip::FlowId> flow) {
    const auto found = by_query_.find(query);
    if (found == by_query_.end()) return;
    const Place place = found->second;
    by_query_.erase(found);
    const auto fork = forks_.find(place.fork);
    STILE_ASSERT(fork != forks_.end());
    fork->second.branches[place.branch].query.reset();
    if (flow) {
        send_branch(now, context, fork, place.branch, *flow);
    } else {
        // RFC 3261 Section 16.9: as if a 503 had come.
        finish_branch(now, context, fork, place.branch,
                      {.status = status::ServiceUnavailable, .response = std::nullopt});
    }
    settle(now, context, fork);
}

Message Proxy::make_forwarded(Context context, const Fork& fork, const Target& target,
                              sip::FlowId flow) {
    const Message& request = fork.request;
    sip::MessageEdit edit{request};
    edit.set_request_uri(target.uri).decrement_max_forwards();
    for (auto hop = target.route.rbegin(); hop != target.route.rend(); ++hop) {
        edit.push_route(*hop);
    }
    const sip::Flow* out = context.layer.find_flow(flow);
    const sip::Flow* in = context.layer.find_flow(fork.source);
    STILE_ASSERT(out);
    if (makes_dialog(request)) {
        // The side that we reach only by a flow gets a token; later requests pass both.
        const bool near = fork.source_hop == Hop::Client && in;
        const bool far = target.hop == Hop::Client;
        if (near) edit.add_record_route(record_route(*in, context.tokens.issue(fork.source)));
        if (far) edit.add_record_route(record_route(*out, context.tokens.issue(flow)));
        if (!near && !far) edit.add_record_route(record_route(*out, std::nullopt));
    }
    strip_realm(edit, request, HeaderName::ProxyAuthorization, config_.realm);
    const std::uint32_t share = std::max<std::uint32_t>(
        1, fork.breadth /
               std::max<std::uint32_t>(1, static_cast<std::uint32_t>(fork.branches.size())));
    edit.replace(HeaderName::MaxBreadth, std::to_string(share));
    edit.prepend_via(context.layer.make_via(flow, fork.loop));
    return edit.build();
}

void Proxy::send_branch(Instant now, Context context, Forks::iterator fork, std::size_t index,
                        sip::FlowId flow) {
    Fork& it = fork->second;
    Branch& branch = it.branches[index];
    if (!context.layer.find_flow(flow)) {
        finish_branch(now, context, fork, index,
                      {.status = status::FlowFailed, .response = std::nullopt});
        return;
    }
    const auto sent =
        context.layer.send_request(now, flow, make_forwarded(context, it, branch.target, flow));
    if (!sent) {
        finish_branch(now, context, fork, index,
                      {.status = status::ServiceUnavailable, .response = std::nullopt});
        return;
    }
    ++counters_.requests_forwarded;
    branch.state = BranchState::Trying;
    branch.transaction = *sent;
    by_client_.emplace(*sent, Place{.fork = fork->first, .branch = index});
    if (it.is_invite()) branch.timer_c = now + config_.timer_c;
}

void Proxy::forward_ack(Context context, const Message& ack, sip::FlowId flow) {
    if (!context.layer.find_flow(flow)) return;
    sip::MessageEdit edit{ack};
    edit.decrement_max_forwards().prepend_via(context.layer.make_via(flow, loop_value(ack)));
    strip_realm(edit, ack, HeaderName::ProxyAuthorization, config_.realm);
    context.layer.send(flow, edit.serialize());
    ++counters_.requests_forwarded;
}

// --- what comes back --------------------------------------------------------------------------

// Without the challenges in our own name: a callee that copies them would learn digests made for
// us. Empty where nothing is left to answer.
std::optional<Message> Proxy::strip(const Message& response) {
    sip::MessageEdit edit{response};
    edit.remove_top_via();
    const bool challenges = response.status() == status::Unauthorized ||
                            response.status() == status::ProxyAuthenticationRequired;
    if (challenges) {
        strip_realm(edit, response, HeaderName::ProxyAuthenticate, config_.realm);
        strip_realm(edit, response, HeaderName::WwwAuthenticate, config_.realm);
    }
    Message stripped = edit.build();
    if (!stripped.contains(HeaderName::Via)) return std::nullopt;  // it was for ourselves
    if (challenges && !stripped.contains(HeaderName::ProxyAuthenticate) &&
        !stripped.contains(HeaderName::WwwAuthenticate)) {
        ++counters_.challenges_stripped;
        return std::nullopt;
    }
    return stripped;
}

void Proxy::handle_response(Instant now, Context context, sip::ClientTransactionId transaction,
                            Message response) {
    const auto found = by_client_.find(transaction);
    if (found == by_client_.end()) return;
    const Place place = found->second;
    const auto fork = forks_.find(place.fork);
    STILE_ASSERT(fork != forks_.end());
    Fork& it = fork->second;
    Branch& branch = it.branches[place.branch];
    const Status status = response.status();
    auto stripped = strip(response);

    if (status.is_provisional()) {
        if (branch.state != BranchState::Trying) return;
        if (it.is_invite()) branch.timer_c = now + config_.timer_c;
        // RFC 4320 Section 4.1: none to a non-INVITE request; 100 goes no further.
        const bool passes =
            it.is_invite() && status != status::Trying && stripped && it.progress == Progress::Open;
        if (passes && ++branch.provisionals <= most_provisionals) {
            context.layer.respond(now, it.transaction, *stripped);
            ++counters_.responses_forwarded;
        }
    } else if (status.is_success()) {
        if (stripped) accept(now, context, fork, place.branch, *stripped);
    } else {
        const Status kept = stripped ? status : status::BadGateway;
        finish_branch(now, context, fork, place.branch,
                      {.status = kept, .response = std::move(stripped)});
    }
    settle(now, context, fork);
}

// RFC 3261 Section 16.7 step 5: every 2xx to INVITE at once, and the first one to anything else.
void Proxy::accept(Instant now, Context context, Forks::iterator fork, std::size_t index,
                   const Message& response) {
    Fork& it = fork->second;
    const bool first = it.progress != Progress::Answered;
    if (it.is_invite() || first) {
        context.layer.respond(now, it.transaction, response);
        ++counters_.responses_forwarded;
    }
    Branch& branch = it.branches[index];
    branch.state = BranchState::Done;
    branch.timer_c.reset();
    it.progress = Progress::Answered;
    it.waiting.clear();
    if (first) {
        // RFC 3326: the phones that stop ringing do not show a missed call.
        cancel_branches(now, context, it, "SIP;cause=200;text=\"Call completed elsewhere\"");
    }
}

void Proxy::finish_branch(Instant now, Context context, Forks::iterator fork, std::size_t index,
                          Final final) {
    Fork& it = fork->second;
    Branch& branch = it.branches[index];
    branch.timer_c.reset();
    if (branch.state == BranchState::Done) return;
    const bool try_other_flow =
        it.progress == Progress::Open && !branch.target.alternates.empty() &&
        (final.status == status::FlowFailed || final.status == status::RequestTimeout ||
         final.status == status::ServiceUnavailable);
    if (try_other_flow) {
        // RFC 5626 Section 7: another flow of the same instance may still lead there.
        Target next = std::move(branch.target.alternates.front());
        next.alternates.assign(std::make_move_iterator(branch.target.alternates.begin() + 1),
                               std::make_move_iterator(branch.target.alternates.end()));
        drop_branch(it, index);
        branch.target = std::move(next);
        branch.state = BranchState::Routing;
        start_branch(now, context, fork, index);
        return;
    }
    branch.state = BranchState::Done;
    if (final.status.is_global_failure() && it.progress == Progress::Open) {
        // RFC 3261 Section 16.7 step 5: no new branches, and the others are cancelled.
        it.progress = Progress::Closing;
        it.waiting.clear();
        cancel_branches(now, context, it, {});
    }
    it.finals.push_back(std::move(final));
}

void Proxy::drop_branch(Fork& fork, std::size_t index) {
    Branch& branch = fork.branches[index];
    if (branch.transaction) by_client_.erase(*branch.transaction);
    if (branch.query) by_query_.erase(*branch.query);
    branch.transaction.reset();
    branch.query.reset();
}

void Proxy::handle_failure(Instant now, Context context, sip::ClientTransactionId transaction,
                           sip::ClientFailure failure) {
    const auto found = by_client_.find(transaction);
    if (found == by_client_.end()) return;
    const Place place = found->second;
    by_client_.erase(found);
    const auto fork = forks_.find(place.fork);
    STILE_ASSERT(fork != forks_.end());
    fork->second.branches[place.branch].transaction.reset();
    Status status = status::RequestTimeout;
    if (failure == sip::ClientFailure::TransportFailed) {
        status = fork->second.branches[place.branch].target.hop == Hop::Client
                     ? status::FlowFailed
                     : status::ServiceUnavailable;
    }
    finish_branch(now, context, fork, place.branch, {.status = status, .response = std::nullopt});
    settle(now, context, fork);
}

void Proxy::handle_invite_ended(sip::ClientTransactionId transaction) {
    const auto found = by_client_.find(transaction);
    if (found == by_client_.end()) return;
    const auto fork = forks_.find(found->second.fork);
    STILE_ASSERT(fork != forks_.end());
    fork->second.branches[found->second.branch].transaction.reset();
    by_client_.erase(found);
    const bool in_use = std::ranges::any_of(fork->second.branches, [](const Branch& branch) {
        return branch.transaction || branch.state != BranchState::Done;
    });
    if (in_use || fork->second.progress != Progress::Answered) return;
    by_server_.erase(fork->second.transaction);
    deadlines_.update(fork->first, fork->second.queued, std::nullopt);
    forks_.erase(fork);
}

// --- cancelling -------------------------------------------------------------------------------

void Proxy::cancel_branches(Instant now, Context context, Fork& fork, std::string_view reason) {
    if (!fork.is_invite()) return;
    for (std::size_t i = 0; i < fork.branches.size(); ++i) {
        Branch& branch = fork.branches[i];
        switch (branch.state) {
            case BranchState::Done:
                break;
            case BranchState::Routing:
                drop_branch(fork, i);
                branch.state = BranchState::Done;
                fork.finals.push_back(
                    {.status = status::RequestTerminated, .response = std::nullopt});
                break;
            case BranchState::Trying:
                branch.timer_c.reset();
                context.layer.cancel(now, *branch.transaction, reason);
                ++counters_.branches_cancelled;
                break;
        }
    }
}

bool Proxy::cancel(Instant now, Context context, sip::ServerTransactionId invite,
                   std::string_view reason) {
    const auto found = by_server_.find(invite);
    if (found == by_server_.end()) return false;
    const auto fork = forks_.find(found->second);
    STILE_ASSERT(fork != forks_.end());
    if (fork->second.progress == Progress::Open) {
        fork->second.progress = Progress::Closing;
        fork->second.waiting.clear();
        cancel_branches(now, context, fork->second, reason);
        settle(now, context, fork);
    }
    return true;
}

void Proxy::handle_source_closed(Instant now, Context context, sip::FlowId flow) {
    std::vector<sip::ServerTransactionId> orphans;
    for (const auto& [id, fork] : forks_) {
        if (fork.source == flow && fork.is_invite()) orphans.push_back(fork.transaction);
    }
    for (const sip::ServerTransactionId id : orphans) (void)cancel(now, context, id, {});
}

void Proxy::handle_timeout(Instant now, Context context) {
    while (const auto id = deadlines_.expired(now)) {
        const auto fork = forks_.find(*id);
        STILE_ASSERT(fork != forks_.end());
        Fork& it = fork->second;
        if (it.group_deadline && *it.group_deadline <= now) {
            // It has rung long enough: the next group's turn.
            it.group_deadline.reset();
            cancel_branches(now, context, it, {});
        }
        for (Branch& branch : it.branches) {
            if (!branch.timer_c || *branch.timer_c > now) continue;
            // RFC 3261 Section 16.8. The layer gives up 64 * T1 later if nothing comes even then.
            branch.timer_c.reset();
            if (branch.transaction) context.layer.cancel(now, *branch.transaction);
        }
        settle(now, context, fork);
    }
}

// --- the end ----------------------------------------------------------------------------------

void Proxy::settle(Instant now, Context context, Forks::iterator fork) {
    const std::uint64_t id = fork->first;
    while (!fork->second.is_pending() && fork->second.progress == Progress::Open &&
           !fork->second.waiting.empty()) {
        start_group(now, context, fork);
    }
    if (!fork->second.is_pending() && fork->second.progress != Progress::Answered) {
        conclude(now, context, fork);
    }
    Fork& it = fork->second;
    const bool in_use =
        it.is_pending() || (it.is_invite() && std::ranges::any_of(it.branches, [](const Branch& b) {
                                return b.transaction.has_value();
                            }));
    if (it.progress == Progress::Answered && !it.is_invite()) {
        // Later responses to a non-INVITE request are of no use to anybody.
        for (std::size_t i = 0; i < it.branches.size(); ++i) drop_branch(it, i);
        by_server_.erase(it.transaction);
        deadlines_.update(id, it.queued, std::nullopt);
        forks_.erase(fork);
        return;
    }
    if (!in_use && it.progress == Progress::Answered) {
        by_server_.erase(it.transaction);
        deadlines_.update(id, it.queued, std::nullopt);
        forks_.erase(fork);
        return;
    }
    std::optional<Instant> wake = it.group_deadline;
    for (const Branch& branch : it.branches) wake = earlier(wake, branch.timer_c);
    deadlines_.update(id, it.queued, wake);
}

// RFC 3261 Section 16.7 steps 6 to 9.
void Proxy::conclude(Instant now, Context context, Forks::iterator fork) {
    Fork& it = fork->second;
    it.progress = Progress::Answered;
    it.group_deadline.reset();
    STILE_ASSERT(!it.finals.empty());
    std::vector<Status> statuses;
    for (const Final& final : it.finals) statuses.push_back(final.status);
    const Final& best = it.finals[best_response(statuses)];
    if (best.status == status::RequestTimeout && !best.response && !it.is_invite()) {
        // RFC 4320 Section 4.2: too late for the client, who must not get a 408.
        context.layer.abandon(it.transaction);
        return;
    }
    ++counters_.responses_forwarded;
    // Endpoints never get a 430 (RFC 5626 Section 11.5), and a 503 would have the client avoid us
    // (RFC 3261 Section 16.7 step 6).
    std::optional<Status> instead;
    if (best.status == status::FlowFailed) instead = status::TemporarilyUnavailable;
    if (best.status == status::ServiceUnavailable) instead = status::ServerInternalError;
    if (best.response && !instead) {
        sip::MessageEdit edit{*best.response};
        if (best.status == status::Unauthorized ||
            best.status == status::ProxyAuthenticationRequired) {
            // Step 7: the challenges of all branches.
            for (const Final& other : it.finals) {
                if (&other == &best || !other.response) continue;
                for (const auto name :
                     {HeaderName::WwwAuthenticate, HeaderName::ProxyAuthenticate}) {
                    for (const std::string_view value : other.response->values(name)) {
                        edit.append(name, value);
                    }
                }
            }
        }
        context.layer.respond(now, it.transaction, edit.build());
        return;
    }
    const std::string tag = context.layer.stateless_tag(it.request);
    context.layer.respond(
        now, it.transaction,
        sip::make_response(it.request, instead.value_or(best.status), {.to_tag = tag}).build());
}

std::optional<RouteWanted> Proxy::poll_event() {
    if (events_.empty()) return std::nullopt;
    RouteWanted first = std::move(events_.front());
    events_.pop_front();
    return first;
}

}  // namespace stile::sip_server
