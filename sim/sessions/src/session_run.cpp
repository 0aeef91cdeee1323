// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/base/drain.hpp>
#include <stile/crypto/digest.hpp>
#include <stile/sim/sessions/connect_run.hpp>
#include <stile/sim/sessions/session_run.hpp>

#include <algorithm>
#include <utility>

namespace stile::sim {
namespace {

using namespace std::chrono_literals;
using session::EndReason;

constexpr Port signalling_port{5062};
constexpr std::string_view payload = "of the application";

}  // namespace

SessionRun::SessionRun(const Scene& scene, std::uint64_t seed, session::Trickling trickling)
    : scene_(scene),
      world_(scene.topology, seed),
      turn_(world_, scene_, seed),
      sip_(world_, scene_, seed) {
    crypto::RandomStream random{crypto::seed_from_number(seed)};
    const auto add = [&](std::string user, HostId host, IpAddress address,
                         session::Purpose purpose) {
        sip_.add_account(user);
        sip_.set_owner(host, user);
        session::Endpoint endpoint{world_.now(), endpoint_config(user, purpose, trickling),
                                   random.fork()};
        people_.push_back({.user = std::move(user),
                           .host = host,
                           .address = {address, signalling_port},
                           .endpoint = std::move(endpoint)});
    };
    add("alice", scene.left, scene.left_addresses.front(), session::Purpose::Ask);
    add("bob", scene.right, scene.right_addresses.front(), session::Purpose::Serve);
    people_[0].addresses = scene.left_addresses;
    people_[1].addresses = scene.right_addresses;
}

identity::Fingerprint SessionRun::fingerprint_of(std::string_view user) {
    return {.hash = identity::HashFunction::Sha256,
            .octets = crypto::digest(crypto::DigestAlgorithm::Sha256, as_bytes(user))};
}

session::EndpointConfig SessionRun::endpoint_config(const std::string& user,
                                                    session::Purpose purpose,
                                                    session::Trickling trickling) {
    return {
        .address = user + "@example.org",
        .instance = "urn:uuid:00000000-0000-4000-8000-00000000000" + std::to_string(people_.size()),
        .software = "sim",
        .purpose = purpose,
        .fingerprint = fingerprint_of(user),
        .trickling = trickling};
}

connect::ConnectorConfig SessionRun::path_config(const Person& person) {
    const bool has_v4 = std::ranges::any_of(person.addresses, &IpAddress::is_v4);
    connect::ConnectorConfig config =
        turn_.client_config(has_v4 ? AddressFamily::V4 : AddressFamily::V6);
    const Port port{++last_port_};
    for (const IpAddress& address : person.addresses) config.hosts.push_back({address, port});
    config.stun_servers.insert(config.stun_servers.end(), more_stun_servers_.begin(),
                               more_stun_servers_.end());
    sockets_[{person.host, port}] = {};
    return config;
}

// ---- what the test does ------------------------------------------------------------------------

bool SessionRun::start() {
    for (Person& person : people_) {
        person.endpoint.start(world_.now());
        drain_person(person);
    }
    return run_while_not(5s, [&] {
        return last<session::Registered>(bob()) != nullptr && alice().stream.has_value();
    });
}

session::SessionId SessionRun::fetch(const std::string& address) {
    const auto config = path_config(alice());
    const auto id = alice().endpoint.fetch(world_.now(), address, config);
    STILE_ASSERT(id);
    sockets_[{alice().host, config.hosts.front().port}] = *id;
    alice().latest = *id;
    drain_person(alice());
    return *id;
}

void SessionRun::end(Person& person) {
    person.endpoint.end(world_.now(), person.latest.value());
    drain_person(person);
}

void SessionRun::end_when_told(Person& person, Duration patience) {
    person.endpoint.end_when_told(world_.now(), *person.latest, patience);
    drain_person(person);
}

void SessionRun::send_data(Person& person) { send(person, as_bytes(payload)); }

void SessionRun::send(Person& person, BytesView octets) {
    if (!person.latest) return;
    person.endpoint.send(world_.now(), *person.latest, octets);
    drain_person(person);
}

void SessionRun::join(Person& person, const Uplink& uplink) {
    for (const IpAddress& address : uplink.addresses) {
        world_.attach(person.host, uplink.network, address, uplink.link);
        person.addresses.push_back(address);
    }
    for (const auto& [socket, session] : sockets_) {
        if (socket.first != person.host || !session) continue;
        for (const IpAddress& address : uplink.addresses) {
            person.endpoint.handle_host_added(world_.now(), *session, {address, socket.second});
        }
    }
    if (!person.stream) connect(person);
    drain_person(person);
}

void SessionRun::leave(Person& person, const std::vector<IpAddress>& addresses) {
    const bool is_by_flow = std::ranges::find(addresses, person.address.ip) != addresses.end();
    for (const IpAddress& address : addresses) {
        std::erase(person.addresses, address);
        world_.detach(person.host, address);
        for (const auto& [socket, session] : sockets_) {
            if (socket.first != person.host || !session) continue;
            person.endpoint.handle_host_removed(world_.now(), *session, {address, socket.second});
        }
    }
    // The server is not told that the connection is gone.
    if (is_by_flow) {
        person.connecting.reset();
        if (const auto stream = std::exchange(person.stream, {})) {
            person.endpoint.handle_flow_closed(world_.now(), flow_of(*stream));
        }
        connect(person);
    }
    drain_person(person);
}

std::optional<std::string> SessionRun::run_whole_session() {
    if (!start()) return "no registration";
    const session::SessionId id = fetch("bob@example.org");
    const connect::RouteKind expected = expected_kind(scene_);
    const auto is_final = [&](const Person& person) {
        if (!person.latest) return false;
        const session::HttpSession* const session = person.endpoint.find(*person.latest);
        return session != nullptr && session->path().state() == ice::State::Completed;
    };
    const bool completed = run_while_not(50s, [&] { return is_final(alice()) && is_final(bob()); });
    for (const Person& person : people_) {
        if (const auto* const ended = last<session::Ended>(person)) {
            return person.user + "'s session ended with reason " +
                   std::to_string(static_cast<int>(ended->reason)) + " " + ended->evidence +
                   (ended->fault ? std::string{to_string(*ended->fault)} : std::string{});
        }
    }
    if (!completed) return "no final route in time";
    for (Person& person : people_) {
        const session::HttpSession& session = *person.endpoint.find(*person.latest);
        if (last<session::RouteOpened>(person) == nullptr) return "no RouteOpened";
        if (session.route()->kind != expected) return person.user + " has the wrong kind of route";
        const std::string_view other = &person == &alice() ? "bob" : "alice";
        if (session.expected_fingerprints() != std::vector{fingerprint_of(other)}) {
            return person.user + " expects another fingerprint";
        }
    }
    for (int i = 0; i < 20; ++i) {
        for (Person& person : people_) send_data(person);
        run_for(20ms);
    }
    run_for(1s);
    for (const Person& person : people_) {
        if (person.received.at(*person.latest) < 10) return "too few datagrams passed";
    }
    end(alice());
    if (!run_while_not(5s, [&] { return last<session::Ended>(bob()) != nullptr; })) {
        return "bob was not told of the end";
    }
    if (last<session::Ended>(alice())->reason != EndReason::Local) return "alice ended otherwise";
    if (last<session::Ended>(alice())->session != id) return "another session ended";
    if (last<session::Ended>(bob())->reason != EndReason::PeerEnded) return "bob ended otherwise";
    return std::nullopt;
}

// ---- a person's machine ------------------------------------------------------------------------

bool SessionRun::has_address(const Person& person, const SocketAddress& local) {
    return std::ranges::find(person.addresses, local.ip) != person.addresses.end();
}

void SessionRun::drain_person(Person& person) {
    drain(
        person.endpoint,
        [&](const session::EndpointTransmit& transmit) {
            if (const auto* const signalling = std::get_if<sip::Outgoing>(&transmit)) {
                Bytes octets = signalling->bytes;
                if (person.alteration) {
                    std::string text = to_text(octets);
                    const std::size_t at = text.find(person.alteration->from);
                    if (at != std::string::npos) {
                        text.replace(at, person.alteration->from.size(), person.alteration->to);
                    }
                    octets = to_bytes(text);
                }
                person.signalling += as_text(octets);
                world_.send(stream_of(signalling->flow), StreamEnd::Client, octets);
            } else {
                const Transmit& datagram = std::get<session::PathTransmit>(transmit).datagram;
                const auto sent = world_.send(person.host, datagram.path, datagram.payload);
                // What is under way on a socket that goes is lost with it.
                STILE_ASSERT(sent == World::Sent::Yes || !has_address(person, datagram.path.local));
            }
        },
        [&](session::EndpointEvent event) { handle(person, std::move(event)); });
}

void SessionRun::handle(Person& person, session::EndpointEvent event) {
    const Instant now = world_.now();
    if (std::holds_alternative<session::FlowWanted>(event)) {
        connect(person);
    } else if (const auto* const unwanted = std::get_if<session::FlowUnwanted>(&event)) {
        world_.close(stream_of(unwanted->flow), StreamEnd::Client);
    } else if (const auto* const incoming = std::get_if<session::Incoming>(&event)) {
        person.latest = incoming->session;
        if (person.answering == Answering::Accepts) {
            const auto config = path_config(person);
            sockets_[{person.host, config.hosts.front().port}] = incoming->session;
            person.endpoint.accept(now, incoming->session, config);
        } else if (person.answering == Answering::Rejects) {
            person.endpoint.reject(now, incoming->session);
        }
    }
    person.events.push_back(std::move(event));
}

void SessionRun::connect(Person& person) {
    const auto reaches = [&](const IpAddress& address) {
        return address.family() == sip_.address().ip.family();
    };
    const auto from = std::ranges::find_if(person.addresses, reaches);
    if (person.connecting || from == person.addresses.end()) return;
    person.address.ip = *from;
    const StreamId stream = world_.connect(person.host, {person.address, sip_.address()});
    openers_[stream] = {person.host, world_.now()};
    person.connecting = stream;
}

void SessionRun::handle(Person& person, const StreamOpened& opened) {
    if (person.connecting != opened.stream) return;
    if (handshakes_ == Handshakes::Tcp) return open_flow(person, opened);
    const Duration round_trip = world_.now() - openers_.at(opened.stream).since;
    in_handshake_.emplace(world_.now() + round_trip, opened);
}

void SessionRun::open_flow(Person& person, const StreamOpened& opened) {
    const std::string ip = person.address.ip.to_string();
    const std::string host = person.address.ip.is_v4() ? ip : '[' + ip + ']';
    person.connecting.reset();
    person.stream = opened.stream;
    person.endpoint.handle_flow_opened(
        world_.now(),
        {.id = flow_of(opened.stream),
         .transport = sip::TransportKind::Tls,
         .remote = opened.path.remote,
         .sent_by = {.host = sip::Host::parse(host).value(), .port = person.address.port}});
}

void SessionRun::handle(Person& person, const StreamArrived& arrived) {
    if (!person.endpoint.handle_signalling(world_.now(), flow_of(arrived.stream), arrived.octets)) {
        world_.close(arrived.stream, StreamEnd::Client);
        person.endpoint.handle_flow_closed(world_.now(), flow_of(arrived.stream));
    }
}

void SessionRun::handle(Person& person, const StreamClosed& closed) {
    if (person.stream == closed.stream) {
        person.stream.reset();
        person.endpoint.handle_flow_closed(world_.now(), flow_of(closed.stream));
    } else if (person.connecting == closed.stream) {
        person.connecting.reset();
        person.endpoint.handle_flow_unavailable(world_.now());
    }
}

void SessionRun::handle(Person& person, const DatagramArrived& arrived) {
    const auto socket = sockets_.find({person.host, arrived.path.local.port});
    if (socket == sockets_.end() || !socket->second) return;
    const auto received = person.endpoint.handle_datagram(world_.now(), *socket->second,
                                                          arrived.path, arrived.payload);
    if (!received) return;
    if (as_text(received->payload) == payload) {
        ++person.received[*socket->second];
    } else {
        person.payloads.push_back(to_bytes(received->payload));
    }
}

// ---- the world ---------------------------------------------------------------------------------

void SessionRun::run_until(Instant end) {
    while (step(end)) {
    }
}

bool SessionRun::step(Instant deadline) {
    const auto next = next_timeout();
    const Instant wake = std::max(world_.now(), std::min(next.value_or(deadline), deadline));
    if (auto happening = world_.step(wake)) {
        handle(*std::move(happening));
    } else if (next && *next <= world_.now()) {
        handle_timeouts();
    } else {
        return false;
    }
    return true;
}

SessionRun::Person* SessionRun::person_at(HostId host) {
    const auto person = std::ranges::find(people_, host, &Person::host);
    return person == people_.end() ? nullptr : &*person;
}

void SessionRun::handle(Happening happening) {
    if (Person* const person = person_at(host_of(happening))) {
        std::visit(
            [&](const auto& one) {
                if constexpr (!std::is_same_v<std::decay_t<decltype(one)>, StreamAccepted>) {
                    handle(*person, one);
                }
            },
            happening);
        drain_person(*person);
    } else if (const auto* const datagram = std::get_if<DatagramArrived>(&happening)) {
        turn_.handle(*datagram);
    } else if (const auto* const accepted = std::get_if<StreamAccepted>(&happening)) {
        sip_.handle(*accepted, openers_.at(accepted->stream).host);
    } else if (const auto* const arrived = std::get_if<StreamArrived>(&happening)) {
        sip_.handle(*arrived);
    } else if (const auto* const closed = std::get_if<StreamClosed>(&happening)) {
        sip_.handle(*closed);
    }
}

void SessionRun::handle_timeouts() {
    const Instant now = world_.now();
    const auto is_due = [&](const std::optional<Instant>& when) { return when && *when <= now; };
    while (!in_handshake_.empty() && in_handshake_.begin()->first <= now) {
        const StreamOpened opened = in_handshake_.extract(in_handshake_.begin()).mapped();
        Person& person = *person_at(opened.host);
        if (person.connecting == opened.stream) open_flow(person, opened);
        drain_person(person);
    }
    for (Person& person : people_) {
        if (!is_due(person.endpoint.poll_timeout())) continue;
        person.endpoint.handle_timeout(now);
        drain_person(person);
    }
    if (is_due(turn_.poll_timeout())) turn_.handle_timeout();
    if (is_due(sip_.poll_timeout())) sip_.handle_timeout();
}

std::optional<Instant> SessionRun::next_timeout() const {
    std::optional<Instant> next = earlier(turn_.poll_timeout(), sip_.poll_timeout());
    for (const Person& person : people_) next = earlier(next, person.endpoint.poll_timeout());
    if (!in_handshake_.empty()) next = earlier(next, in_handshake_.begin()->first);
    return next;
}

}  // namespace stile::sim
