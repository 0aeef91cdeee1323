// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sim/oracle.hpp>
#include <stile/sim/sessions/scene.hpp>
#include <stile/sim/sessions/turn_host.hpp>

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace stile::sim {

// How a peer hears of the other's candidates.
enum class Signalling : std::uint8_t {
    Trickled,  // each as it is found
    Whole,     // once all are there
};

// What the topology promises for the scene: by the oracle, or one relay where the middle is
// blocked.
BestPath expected_path(const Scene& scene);
connect::RouteKind expected_kind(const Scene& scene);
std::string to_string(const BestPath& path);
// What two routes are, by the addresses at their ends.
BestPath path_of(const connect::Route& left, const connect::Route& right);

// Two connectors in a scene. They are told each other's descriptions after a fixed delay, and share
// nothing else.
class ConnectRun {
public:
    using Policies = std::array<connect::CandidatePolicy, 2>;  // of the left and the right
    ConnectRun(const Scene& scene, std::uint64_t seed, Signalling signalling,
               Policies policies = {connect::CandidatePolicy::All, connect::CandidatePolicy::All});

    // Until both have found their final route, or the time is over. Then datagrams go both ways
    // over it. Empty when everything is as the topology promises, otherwise what is wrong.
    std::optional<std::string> run();
    // After run(): nobody sends for so long, then datagrams go both ways over the same routes. A
    // relay that no route uses may be lost meanwhile.
    std::optional<std::string> stay_idle(Duration time);
    std::size_t relays_lost() const;
    // What the two routes are now, by the addresses at their ends; None without both.
    BestPath chosen_path() const;
    // From the start until both sides had a route.
    std::optional<Duration> first_route() const { return first_route_; }

    struct Side {
        HostId host;
        connect::Connector connector;
        std::vector<connect::Event> events = {};
        std::size_t sent = 0;
        std::size_t received = 0;    // datagrams of the other side's application
        std::size_t by_channel = 0;  // of those sent
        std::map<StreamId, connect::StreamId> streams = {};
        std::map<connect::StreamId, std::pair<StreamId, StreamEnd>> ends = {};
        std::uint16_t next_port = 40'000;          // of connections that leave from any
        std::optional<Duration> first_route = {};  // from the start
    };
    Side& side(std::size_t index) { return sides_.at(index); }
    World& world() { return world_; }
    TurnHost& server() { return server_; }
    // The side's network is gone, or it is in one more. Nobody tells the other side.
    void leave(std::size_t index);
    void join(std::size_t index, const Uplink& uplink);
    // Lets time pass with everybody running.
    void run_until(Instant end);
    void send_data(std::size_t from);
    // The description as it is now goes to the other side.
    void tell_other(std::size_t index);
    // Both sides, pair by pair.
    std::string report() const;

private:
    struct Told {
        std::size_t side;
        connect::Description description;
    };

    connect::ConnectorConfig config_of(std::size_t index, connect::CandidatePolicy policy) const;
    std::optional<std::string> pass_data();
    void drain_side(std::size_t index);
    void send_streams(std::size_t index);
    void open_stream(std::size_t index, const connect::StreamWanted& wanted);
    void take_received(std::size_t index);
    void count_received(std::size_t index, const std::optional<connect::Received>& received);
    void handle(const Happening& happening);
    void handle_stream(std::size_t index, const StreamOpened& opened);
    void handle_stream(std::size_t index, const StreamAccepted& accepted);
    void handle_stream(std::size_t index, const StreamArrived& arrived);
    void handle_stream(std::size_t index, const StreamClosed& closed);
    std::size_t index_of(HostId host) const { return host == scene_.left ? 0 : 1; }
    void handle_timeouts();
    std::optional<Instant> next_timeout() const;
    bool both_completed() const;

    Scene scene_;
    World world_;
    TurnHost server_;
    Signalling signalling_;
    Duration signalling_delay_;
    std::vector<Side> sides_;
    std::multimap<Instant, Told> telling_;
    enum class Phase : std::uint8_t { Connecting, Idle };
    Phase phase_ = Phase::Connecting;
    std::optional<Duration> first_route_;
    std::string problem_;
};

}  // namespace stile::sim
