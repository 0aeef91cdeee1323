// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "sessions.hpp"

#include "network.hpp"

#include <stile/stun/attributes.hpp>
#include <stile/stun/message_builder.hpp>
#include <stile/stun/message_view.hpp>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <array>
#include <cerrno>
#include <cstring>

namespace stile::bench {
namespace {

constexpr std::int64_t retransmit_after = 500'000'000;
constexpr std::size_t most_sends = 8;

stun::TransactionId number_id(std::uint64_t number) {
    stun::TransactionId id{};
    std::memcpy(id.octets.data(), &number, sizeof number);
    const auto start = static_cast<std::uint32_t>(steady_now());
    std::memcpy(id.octets.data() + sizeof number, &start, sizeof start);
    return id;
}

void open_session(const Options& options, Session& session) {
    session.socket = open_udp(options.client_namespace, {session.local.ip, Port{0}});
    connect_to(session.socket.get(), options.server);
    session.local = drivers::bound_address(session.socket.get());
}

}  // namespace

std::vector<Session> open_sessions(const Options& options, std::size_t count) {
    std::vector<Session> sessions(count);
    for (std::size_t i = 0; i < count; ++i) {
        sessions[i].local.ip = options.clients[i % options.clients.size()];
        open_session(options, sessions[i]);
    }
    return sessions;
}

void Progress::establish(std::span<Session> sessions, const std::optional<SocketAddress>& peer) {
    peer_ = peer;
    run(sessions, Session::State::Allocating);
}

void Progress::release(std::span<Session> sessions) { run(sessions, Session::State::Releasing); }

bool Progress::is_under_way(const Session& session) const {
    return session.state == Session::State::Allocating ||
           session.state == Session::State::Binding || session.state == Session::State::Releasing;
}

void Progress::run(std::span<Session> sessions, Session::State first) {
    const drivers::FileDescriptor poll{epoll_create1(EPOLL_CLOEXEC)};
    for (std::size_t i = 0; i < sessions.size(); ++i) {
        epoll_event wish{.events = EPOLLIN, .data = {.u64 = i}};
        epoll_ctl(poll.get(), EPOLL_CTL_ADD, sessions[i].socket.get(), &wish);
    }
    std::size_t next = 0;
    std::size_t under_way = 0;
    std::int64_t last_look = steady_now();
    std::array<epoll_event, 64> events{};
    std::array<std::byte, 2048> buffer{};
    while (next < sessions.size() || under_way > 0) {
        while (next < sessions.size() && under_way < at_once_) {
            start(sessions[next++], first);
            ++under_way;
        }
        const int ready = epoll_wait(poll.get(), events.data(), events.size(), 50);
        for (int i = 0; i < ready; ++i) {
            Session& session = sessions[events[static_cast<std::size_t>(i)].data.u64];
            const ssize_t size = recv(session.socket.get(), buffer.data(), buffer.size(), 0);
            if (size <= 0 || !is_under_way(session)) continue;
            handle(session, BytesView{buffer}.first(static_cast<std::size_t>(size)));
            if (session.state == Session::State::Mismatched) {
                // Some servers remember a 5-tuple for a while after its end.
                reopen(session);
                epoll_event wish{.events = EPOLLIN,
                                 .data = events[static_cast<std::size_t>(i)].data};
                epoll_ctl(poll.get(), EPOLL_CTL_ADD, session.socket.get(), &wish);
                start(session, Session::State::Allocating);
            }
            if (!is_under_way(session)) --under_way;
            if (session.state == Session::State::Failed) give_up(session.trouble);
        }
        if (steady_now() - last_look < retransmit_after / 10) continue;
        last_look = steady_now();
        for (Session& session : sessions.first(next)) {
            if (is_under_way(session) && last_look - session.sent_at > retransmit_after) {
                if (session.sends == most_sends) give_up("the server does not answer");
                ++retransmissions_;
                send(session);
            }
        }
    }
}

void Progress::reopen(Session& session) {
    ++mismatches_;
    open_session(options_, session);
    session.authentication.reset();
}

void Progress::start(Session& session, Session::State state) {
    session.state = state;
    session.sends = 0;
    if (!session.authentication) {
        const std::string& user = options_.usernames[next_user_++ % options_.usernames.size()];
        session.authentication.emplace(stun::LongTermClient::Credentials{user, options_.password});
    }
    const stun::TransactionId id = number_id(next_id_++);
    const auto build = [&]() -> stun::MessageBuilder {
        if (state == Session::State::Allocating) {
            stun::MessageBuilder builder{stun::Class::Request, stun::Method::Allocate, id};
            builder.add(stun::RequestedTransport{});
            return builder;
        }
        if (state == Session::State::Binding) {
            stun::MessageBuilder builder{stun::Class::Request, stun::Method::ChannelBind, id};
            builder.add(stun::ChannelNumberAttribute{session.channel.value});
            builder.add(stun::XorPeerAddress{*peer_});
            return builder;
        }
        stun::MessageBuilder builder{stun::Class::Request, stun::Method::Refresh, id};
        builder.add(stun::Lifetime{std::chrono::seconds{0}});
        return builder;
    };
    stun::MessageBuilder builder = build();
    session.authentication->authenticate(builder);
    session.request = builder.finish();
    send(session);
}

void Progress::send(Session& session) {
    session.sent_at = steady_now();
    ++session.sends;
    send_train(session.socket.get(), nullptr, BytesView{session.request}, 1);
}

void Progress::handle(Session& session, BytesView datagram) {
    const auto response = stun::MessageView::parse(datagram);
    const auto request = stun::MessageView::parse(BytesView{session.request});
    if (!response || !request || response->id() != request->id()) return;
    using Outcome = stun::LongTermClient::Outcome;
    const Outcome outcome = session.authentication->handle_response(*request, *response);
    if (outcome == Outcome::Discarded) return;
    if (outcome == Outcome::Retry) {
        start(session, session.state);
        return;
    }
    if (outcome == Outcome::Refused || response->message_class() != stun::Class::SuccessResponse) {
        fail(session, *response);
        return;
    }
    if (session.state == Session::State::Allocating) {
        const auto relayed = response->get<stun::XorRelayedAddress>();
        if (!relayed) return fail(session, *response);
        session.relayed = relayed->address;
        if (peer_) return start(session, Session::State::Binding);
    }
    session.state =
        session.state == Session::State::Releasing ? Session::State::Ended : Session::State::Ready;
}

void Progress::fail(Session& session, const stun::MessageView& response) {
    session.trouble = "the server refuses " +
                      std::string{session.state == Session::State::Allocating ? "Allocate"
                                  : session.state == Session::State::Binding  ? "ChannelBind"
                                                                              : "Refresh"};
    if (const auto error = response.get<stun::ErrorCode>()) {
        if (error->code == 437 && session.state == Session::State::Allocating) {
            session.state = Session::State::Mismatched;
            return;
        }
        session.trouble += ": " + std::to_string(error->code) + " " + std::string{error->reason};
    }
    session.state = Session::State::Failed;
}

}  // namespace stile::bench
