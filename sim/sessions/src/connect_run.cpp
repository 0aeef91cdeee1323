// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/drain.hpp>
#include <stile/sim/sessions/connect_run.hpp>
#include <stile/turn/channel_data.hpp>

#include <algorithm>

namespace stile::sim {
namespace {

using namespace std::chrono_literals;

// Nobody waits longer for a path.
constexpr Duration patience = 45s;
// Datagrams of the last phase, and how many of them a line that loses 5 % has to let through on the
// way from home to home.
constexpr int last_datagrams = 30;
constexpr std::size_t least_received = 18;

// Where a peer listens.
constexpr Port passive_port{5001};
constexpr Port open_port{5002};

// More calls than this at one instant: a machine whose poll_timeout never moves on.
constexpr int most_steps_at_once = 20'000;

bool is_between_peers(const Scene& scene, const DatagramArrived& arrived) {
    return arrived.host != scene.server &&
           std::ranges::none_of(scene.server_sockets, [&](const SocketAddress& socket) {
               return socket.ip == arrived.path.remote.ip;
           });
}

}  // namespace

ConnectRun::ConnectRun(const Scene& scene, std::uint64_t seed, Signalling signalling,
                       Policies policies)
    : scene_(scene),
      world_(scene.topology, seed),
      server_(world_, scene_, seed),
      signalling_(signalling),
      signalling_delay_(10ms + 10ms * (seed % 30)) {
    crypto::RandomStream random{crypto::seed_from_number(seed)};
    for (std::size_t i = 0; i < policies.size(); ++i) {
        sides_.push_back(
            {i == 0 ? scene.left : scene.right,
             connect::Connector{world_.now(), config_of(i, policies[i]), random.fork()}});
    }
    if (scene.transports == Transports::UdpAndTcp) {
        for (std::size_t i = 0; i < sides_.size(); ++i) {
            for (const IpAddress& address : i == 0 ? scene.left_addresses : scene.right_addresses) {
                world_.listen(sides_[i].host, {address, passive_port});
                world_.listen(sides_[i].host, {address, open_port});
            }
        }
    }
    for (std::size_t i = 0; i < sides_.size(); ++i) drain_side(i);
}

connect::ConnectorConfig ConnectRun::config_of(std::size_t index,
                                               connect::CandidatePolicy policy) const {
    const auto& addresses = index == 0 ? scene_.left_addresses : scene_.right_addresses;
    const auto& prefix = index == 0 ? scene_.left_prefix : scene_.right_prefix;
    const HostId host = index == 0 ? scene_.left : scene_.right;
    const ice::Role role = index == 0 ? ice::Role::Controlling : ice::Role::Controlled;
    if (scene_.tcp_peer && scene_.tcp_peer->host == host) {
        connect::ConnectorConfig plain;
        for (const IpAddress& address : addresses) {
            plain.listeners.push_back({{address, passive_port}, ice::TcpType::Passive});
        }
        plain.ice.role = role;
        return plain;
    }
    const bool has_v4 = std::ranges::any_of(addresses, &IpAddress::is_v4);
    const auto place_of_silent = [&](auto& servers) {
        return scene_.silent_servers == Order::First ? servers.begin() : servers.end();
    };
    connect::ConnectorConfig config =
        server_.client_config(has_v4 || prefix ? AddressFamily::V4 : AddressFamily::V6);
    for (const IpAddress& address : addresses) {
        config.hosts.push_back({address, Port{5000}});
        if (scene_.transports == Transports::UdpOnly) continue;
        config.listeners.push_back({{address, passive_port}, ice::TcpType::Passive});
        config.listeners.push_back({{address, open_port}, ice::TcpType::SimultaneousOpen});
    }
    for (const SocketAddress& silent : scene_.silent_stun_servers) {
        config.stun_servers.insert(place_of_silent(config.stun_servers), silent);
    }
    for (const SocketAddress& silent : scene_.silent_turn_servers) {
        config.turn_servers.insert(place_of_silent(config.turn_servers), {silent, "peer", "none"});
    }
    config.policy = policy;
    config.ice.role = role;
    if (prefix) config.nat64_prefix = connect::Nat64Prefix::from({prefix->address(), 96});
    return config;
}

std::optional<std::string> ConnectRun::run() {
    const Instant end = world_.now() + patience;
    while (world_.now() < end && !both_completed() && problem_.empty()) {
        run_until(world_.now() + 100ms);
        for (std::size_t i = 0; i < sides_.size(); ++i) send_data(i);
    }
    if (!problem_.empty()) return problem_;
    if (!both_completed()) return "no final route in time";
    for (std::size_t i = 0; i < sides_.size(); ++i) {
        if (sides_[1 - i].sent > 10 && sides_[i].received == 0) {
            return "nothing arrived on the first routes";
        }
    }
    for (const Side& side : sides_) {
        if (!side.connector.route()) return "completed without a route";
    }
    const BestPath expected = expected_path(scene_);
    if (chosen_path() != expected) {
        return "the path is " + to_string(chosen_path()) + ", not " + to_string(expected);
    }
    run_until(world_.now() + 1s);
    return pass_data();
}

std::optional<std::string> ConnectRun::pass_data() {
    for (Side& side : sides_) side.received = 0;
    for (int i = 0; i < last_datagrams; ++i) {
        for (std::size_t from = 0; from < sides_.size(); ++from) send_data(from);
        run_until(world_.now() + 20ms);
    }
    run_until(world_.now() + 1s);
    for (const Side& side : sides_) {
        if (side.received < least_received) {
            return "only " + std::to_string(side.received) + " datagrams passed";
        }
    }
    if (!problem_.empty()) return problem_;
    return std::nullopt;
}

std::optional<std::string> ConnectRun::stay_idle(Duration time) {
    const std::array before{sides_[0].connector.route(), sides_[1].connector.route()};
    phase_ = Phase::Idle;
    run_until(world_.now() + time);
    if (!problem_.empty()) return "while idle: " + problem_;
    for (std::size_t i = 0; i < sides_.size(); ++i) {
        const auto now = sides_[i].connector.route();
        if (!now) return "the route was lost while idle";
        if (now->pair != before.at(i)->pair) return "the route changed while idle";
    }
    if (const auto problem = pass_data()) return "after being idle: " + *problem;
    return std::nullopt;
}

void ConnectRun::leave(std::size_t index) {
    Side& side = sides_[index];
    for (const SocketAddress& host : std::vector{side.connector.hosts()}) {
        world_.detach(side.host, host.ip);
        side.connector.remove_host(world_.now(), host);
    }
    drain_side(index);
}

void ConnectRun::join(std::size_t index, const Uplink& uplink) {
    Side& side = sides_[index];
    for (const IpAddress& address : uplink.addresses) {
        world_.attach(side.host, uplink.network, address, uplink.link);
        side.connector.add_host(world_.now(), {address, Port{5000}});
    }
    drain_side(index);
}

bool ConnectRun::both_completed() const {
    return std::ranges::all_of(
        sides_, [](const Side& side) { return side.connector.state() == ice::State::Completed; });
}

// Every second datagram is framed by hand where the route has a channel, as a fast sender does.
void ConnectRun::send_data(std::size_t from) {
    Side& side = sides_[from];
    const auto route = side.connector.route();
    if (!route) return;
    const std::string text = from == 0 ? "of the left" : "of the right";
    if (++side.sent % 2 == 0 && route->wire == route->pair && !route->stream) {
        world_.send(side.host, route->wire, as_bytes(text));
    } else if (side.sent % 2 == 0 && route->channel && !route->stream) {
        const auto header = turn::channel_header(*route->channel, text.size());
        Bytes framed = to_bytes(BytesView{header});
        framed.insert(framed.end(), as_bytes(text).begin(), as_bytes(text).end());
        world_.send(side.host, route->wire, framed);
        ++side.by_channel;
    } else {
        side.connector.send(world_.now(), as_bytes(text));
        drain_side(from);
    }
}

void ConnectRun::drain_side(std::size_t index) {
    Side& side = sides_[index];
    drain(
        side.connector,
        [&](const Transmit& transmit) {
            if (world_.send(side.host, transmit.path, transmit.payload) != World::Sent::Yes) {
                problem_ = "sent from " + transmit.path.local.to_string() + ", which is no socket";
            }
        },
        [&](connect::Event event) {
            const bool is_candidate = std::holds_alternative<connect::CandidateGathered>(event);
            const bool is_end = std::holds_alternative<connect::GatheringCompleted>(event);
            if (is_end || (is_candidate && signalling_ == Signalling::Trickled)) tell_other(index);
            if (std::holds_alternative<connect::PathFailed>(event)) problem_ = "the path failed";
            if (const auto* const wanted = std::get_if<connect::StreamWanted>(&event)) {
                return open_stream(index, *wanted);
            }
            if (const auto* const unwanted = std::get_if<connect::StreamUnwanted>(&event)) {
                send_streams(index);
                const auto end = side.ends.find(unwanted->stream);
                if (end == side.ends.end()) return;
                world_.close(end->second.first, end->second.second);
                side.streams.erase(end->second.first);
                side.ends.erase(end);
                return;
            }
            // Where UDP is blocked the relay over UDP is one that does not answer.
            const bool is_used_later =
                phase_ == Phase::Connecting && scene_.transports == Transports::UdpOnly;
            if (is_used_later && std::holds_alternative<connect::RelayFailed>(event)) {
                problem_ = "a relay failed";
            }
            side.events.push_back(std::move(event));
        });
    send_streams(index);
}

void ConnectRun::tell_other(std::size_t index) {
    connect::Description description = sides_[index].connector.local_description();
    if (scene_.tcp_peer) {
        // The one opens what the other listens at, and nothing else.
        const bool is_peer = scene_.tcp_peer->host == sides_[index].host;
        const bool may_open = is_peer == (scene_.tcp_peer->does == TcpPeer::Opens);
        std::erase_if(description.candidates, [&](const ice::Candidate& candidate) {
            const bool opens = candidate.tcp_type == ice::TcpType::Active;
            return candidate.transport == ice::Transport::Tcp && opens != may_open;
        });
    }
    telling_.emplace(world_.now() + signalling_delay_, Told{1 - index, std::move(description)});
}

void ConnectRun::run_until(Instant end) {
    int steps = 0;
    Instant last = world_.now();
    for (;;) {
        const auto next = next_timeout();
        const Instant wake = std::max(world_.now(), std::min(next.value_or(end), end));
        if (const auto happening = world_.step(wake)) {
            handle(*happening);
        } else if (next && *next <= world_.now()) {
            handle_timeouts();
        } else {
            return;
        }
        steps = world_.now() == last ? steps + 1 : 0;
        last = world_.now();
        for (Side& side : sides_) {
            if (!side.first_route && side.connector.route()) {
                side.first_route = world_.now() - Instant{};
            }
        }
        if (!first_route_ && sides_[0].connector.route() && sides_[1].connector.route()) {
            first_route_ = world_.now() - Instant{};
        }
        if (steps > most_steps_at_once) {
            problem_ = "a machine never lets time pass";
            return;
        }
    }
}

void ConnectRun::handle(const Happening& happening) {
    if (const auto* const arrived = std::get_if<DatagramArrived>(&happening)) {
        if (scene_.middle == Middle::Blocked && is_between_peers(scene_, *arrived)) return;
        if (arrived->host == scene_.server) return server_.handle(*arrived);
        const std::size_t index = index_of(arrived->host);
        count_received(index, sides_[index].connector.handle_datagram(world_.now(), arrived->path,
                                                                      arrived->payload));
        return drain_side(index);
    }
    const HostId host = host_of(happening);
    std::visit(
        [&](const auto& one) {
            using One = std::decay_t<decltype(one)>;
            if constexpr (!std::is_same_v<One, DatagramArrived>) {
                if (host != scene_.server) return handle_stream(index_of(host), one);
                server_.handle(one);
            }
        },
        happening);
    if (host == scene_.server) return;
    take_received(index_of(host));
    drain_side(index_of(host));
}

void ConnectRun::count_received(std::size_t index,
                                const std::optional<connect::Received>& received) {
    if (received && as_text(received->payload) == (index == 0 ? "of the right" : "of the left")) {
        ++sides_[index].received;
    }
}

void ConnectRun::handle_timeouts() {
    const Instant now = world_.now();
    const auto is_due = [&](const std::optional<Instant>& when) { return when && *when <= now; };
    while (!telling_.empty() && telling_.begin()->first <= now) {
        Told told = std::move(telling_.begin()->second);
        telling_.erase(telling_.begin());
        if (!sides_[told.side].connector.set_remote_description(now, told.description)) {
            problem_ = "a description was refused";
        }
        drain_side(told.side);
    }
    for (std::size_t i = 0; i < sides_.size(); ++i) {
        if (!is_due(sides_[i].connector.poll_timeout())) continue;
        sides_[i].connector.handle_timeout(now);
        drain_side(i);
    }
    if (is_due(server_.poll_timeout())) server_.handle_timeout();
}

std::optional<Instant> ConnectRun::next_timeout() const {
    std::optional<Instant> next = server_.poll_timeout();
    if (!telling_.empty()) next = earlier(next, telling_.begin()->first);
    for (const Side& side : sides_) next = earlier(next, side.connector.poll_timeout());
    return next;
}

}  // namespace stile::sim
