// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/base/drain.hpp>
#include <stile/quic/connection.hpp>
#include <stile/session/http_session.hpp>
#include <stile/sim/sessions/setup_run.hpp>
#include <stile/sim/sessions/turn_host.hpp>
#include <stile/turn/channel_data.hpp>

#include <algorithm>
#include <array>
#include <cstdio>

namespace stile::sim {
namespace {

using namespace std::chrono_literals;

constexpr Duration patience = 30s;
// Datagrams of the client that a server without a route keeps until it has one.
constexpr std::size_t most_early = 8;

struct Identity {
    explicit Identity(crypto::RandomStream& random)
        : key(crypto::PrivateKey::from_entropy(random.array<48>())),
          certificate(crypto::make_self_signed(
              key, {.names = {.common_name = "peer"}, .serial = random.array<16>()})) {}
    crypto::PrivateKey key;
    crypto::Certificate certificate;
};

// What a program makes of a session: sockets are the world's, the rest is as in apps/stile.
struct Person {
    HostId host;
    Identity identity;
    session::HttpSession session;
    std::optional<quic::Connection> connection = {};
    std::optional<connect::Route> route = {};
    std::vector<Bytes> early = {};
    std::optional<std::string> description = {};
    std::optional<std::string> problem = {};
    std::optional<Instant> routed = {};
    std::optional<Instant> completed = {};
    bool speaks = false;  // the application has given what is to be sent
    std::optional<Instant> sent = {};
    std::optional<Instant> received = {};
    std::size_t checks = 0;
};

class SetupRun {
public:
    SetupRun(SetupPlace place, const SetupConfig& config)
        : scene_(make_setup_scene(place, config.one_way)),
          world_(scene_.topology, config.seed),
          turn_(world_, scene_, config.seed),
          config_(config),
          random_(crypto::seed_from_number(config.seed)) {
        people_.push_back(make(session::Part::Offerer));
        people_.push_back(make(session::Part::Answerer));
    }

    std::expected<SetupTimes, std::string> run() {
        for (Person& person : people_) drain_person(person);
        run_while([this] { return !gathered(); });
        if (!gathered()) return std::unexpected("gathering did not end");
        // The turn of the last transaction of gathering passes, too.
        run_while([] { return true; }, connect::proposed_ta);
        exchange();
        run_while([this] { return !client().received && !problem(); });
        if (const auto what = problem()) return std::unexpected(*what);
        if (!client().received) return std::unexpected("no response came in time");
        return times();
    }

private:
    Person& client() { return people_[0]; }
    Person& server() { return people_[1]; }

    Person make(session::Part part) {
        const bool is_left = part == session::Part::Offerer;
        Identity identity{random_};
        session::HttpSessionConfig config;
        config.part = part;
        config.path = turn_.client_config();
        config.fingerprint = identity::Fingerprint::of(identity.certificate);
        if (config_.ta) config.path.ice.ta = *config_.ta;
        for (const IpAddress& address : is_left ? scene_.left_addresses : scene_.right_addresses) {
            config.path.hosts.push_back({address, Port{5000}});
        }
        return {.host = is_left ? scene_.left : scene_.right,
                .identity = std::move(identity),
                .session = session::HttpSession{world_.now(), config, random_.fork()}};
    }

    bool gathered() const {
        return std::ranges::all_of(people_, [](const Person& person) {
            return person.session.path().local_description().gathering ==
                   connect::Gathering::Complete;
        });
    }

    void exchange() {
        begin_ = world_.now();
        if (!server().session.handle_offer(begin_, *client().description)) {
            server().problem = "the offer was not taken";
        }
        drain_person(server());
        if (!server().description) {
            server().problem = "there is no answer";
        } else if (!client().session.handle_answer(begin_, *server().description)) {
            client().problem = "the answer was not taken";
        }
        drain_person(client());
    }

    std::optional<std::string> problem() const {
        for (const Person& person : people_) {
            if (person.problem) return person.problem;
        }
        return std::nullopt;
    }

    template <class Condition>
    void run_while(Condition&& condition, Duration limit = patience) {
        const Instant end = world_.now() + limit;
        while (condition()) {
            const Instant next = next_timeout().value_or(end);
            const Instant wake = std::max(world_.now(), std::min(next, end));
            if (const auto happening = world_.step(wake)) {
                if (const auto* const arrived = std::get_if<DatagramArrived>(&*happening)) {
                    handle(*arrived);
                }
            } else if (next <= world_.now()) {
                handle_timeouts();
            } else {
                return;
            }
        }
    }

    std::optional<Instant> next_timeout() const {
        std::optional<Instant> next = turn_.poll_timeout();
        for (const Person& person : people_) {
            next = earlier(next, person.session.poll_timeout());
            if (person.connection) next = earlier(next, person.connection->poll_timeout());
        }
        return next;
    }

    void handle_timeouts() {
        const Instant now = world_.now();
        const auto is_due = [&](const std::optional<Instant>& when) {
            return when && *when <= now;
        };
        if (is_due(turn_.poll_timeout())) turn_.handle_timeout();
        for (Person& person : people_) {
            if (is_due(person.session.poll_timeout())) person.session.handle_timeout(now);
            if (person.connection && is_due(person.connection->poll_timeout())) {
                person.connection->handle_timeout(now);
            }
            drain_person(person);
        }
    }

    void handle(const DatagramArrived& arrived) {
        if (arrived.host == scene_.server) return turn_.handle(arrived);
        Person& person = arrived.host == scene_.left ? client() : server();
        const auto received =
            person.session.handle_datagram(world_.now(), arrived.path, arrived.payload);
        if (received) take(person, received->payload);
        drain_person(person);
    }

    // Nothing may be sent without a route, and a connection that can't send loses its time.
    void take(Person& person, BytesView payload) {
        if (person.route) {
            give(person, payload);
        } else if (person.early.size() < most_early) {
            person.early.push_back(to_bytes(payload));
        }
    }

    void give(Person& person, BytesView payload) {
        if (!person.connection) {
            const auto initial = quic::read_initial(payload);
            if (!initial) return;
            person.connection.emplace(world_.now(), quic::hidden_path, quic_config(person),
                                      *initial, random_.fork());
        }
        person.connection->handle_datagram(world_.now(), quic::hidden_path, payload);
    }

    static quic::Config quic_config(const Person& person) {
        return {.credentials = {.key = person.identity.key,
                                .chain = {person.identity.certificate},
                                .expected = person.session.expected_fingerprints()},
                .initial_rtt = person.route ? person.route->round_trip : std::nullopt};
    }

    void drain_person(Person& person) {
        while (drain_session(person) || drain_connection(person)) {
        }
    }

    bool drain_session(Person& person) {
        bool any = false;
        (void)drain(
            person.session,
            [&](const Transmit& transmit) {
                if (begin_ != Instant{} && !person.routed) ++person.checks;
                world_.send(person.host, transmit.path, transmit.payload);
                any = true;
            },
            [&](const session::HttpSessionEvent& event) {
                handle(person, event);
                any = true;
            });
        return any;
    }

    void handle(Person& person, const session::HttpSessionEvent& event) {
        if (const auto* const ready = std::get_if<session::DescriptionReady>(&event)) {
            person.description = ready->sdp;
        } else if (const auto* const opened = std::get_if<session::RouteReady>(&event)) {
            set_route(person, opened->route);
        } else if (const auto* const failed = std::get_if<session::Failed>(&event)) {
            person.problem = std::string{to_string(failed->fault)};
        }
    }

    void set_route(Person& person, const connect::Route& route) {
        person.route = route;
        if (!person.routed) {
            person.routed = world_.now();
            if (&person == &client()) note_pair(route);
        }
        if (!person.connection && &person == &client()) {
            person.connection.emplace(world_.now(), quic::hidden_path, quic_config(person),
                                      random_.fork());
        }
        for (const Bytes& payload : std::exchange(person.early, {})) give(person, payload);
    }

    void note_pair(const connect::Route& route) {
        constexpr std::array types{"host", "srflx", "prflx", "relay"};
        const auto pairs = client().session.path().pairs();
        times_.pairs = pairs.size();
        const auto winner = std::ranges::find(pairs, route.pair, &ice::PairReport::path);
        times_.rank = static_cast<std::size_t>(winner - pairs.begin()) + 1;
        times_.pair = std::string{types.at(static_cast<std::size_t>(route.local_type))} + " to " +
                      types.at(static_cast<std::size_t>(route.remote_type));
    }

    bool drain_connection(Person& person) {
        if (!person.connection || !person.route) return false;
        // Events first: what they bring about leaves with what was to be sent anyway.
        if (const auto event = person.connection->poll_event()) {
            handle(person, *event);
            return true;
        }
        const auto batch = person.connection->poll_transmit(world_.now());
        if (!batch) return false;
        if (person.speaks && !person.sent) person.sent = world_.now();
        send(person, *batch);
        return true;
    }

    void send(Person& person, const quic::Batch& batch) {
        for (BytesView rest = batch.payload; !rest.empty();) {
            const BytesView one = rest.first(std::min(rest.size(), batch.segment_octets));
            rest = rest.subspan(one.size());
            person.session.send(world_.now(), one);
        }
    }

    void handle(Person& person, const quic::Event& event) {
        const auto taken = [&](bool done) {
            if (!done) person.problem = "HTTP/3 did not take the message";
            person.speaks = true;
        };
        if (std::holds_alternative<quic::event::Completed>(event)) {
            person.completed = world_.now();
            if (&person != &client()) return;
            taken(person.connection
                      ->request({.method = "GET",
                                 .scheme = "https",
                                 .authority = "bob.example.org",
                                 .path = "/"},
                                quic::More::No)
                      .has_value());
        } else if (const auto* const request = std::get_if<quic::event::RequestReceived>(&event)) {
            person.received = world_.now();
            taken(person.connection->respond(request->stream, {.status = 204}, quic::More::No) ==
                  quic::SendResult::Taken);
        } else if (std::holds_alternative<quic::event::ResponseReceived>(event)) {
            person.received = world_.now();
        } else if (const auto* const closed = std::get_if<quic::event::Closed>(&event)) {
            person.problem = "QUIC closed: " + std::string{quic::to_text(closed->reason)};
        }
    }

    SetupTimes times() {
        SetupTimes times = times_;
        times.round_trip = 2 * config_.one_way;
        times.ta = config_.ta.value_or(connect::proposed_ta);
        times.checks_sent = client().checks;
        times.client_route = *client().routed - begin_;
        times.server_route = *server().routed - begin_;
        times.handshake = *client().completed - begin_;
        times.client_sent = *client().sent - begin_;
        times.server_received = *server().received - begin_;
        times.server_sent = *server().sent - begin_;
        times.client_received = *client().received - begin_;
        return times;
    }

    Scene scene_;
    World world_;
    TurnHost turn_;
    SetupConfig config_;
    crypto::RandomStream random_;
    std::vector<Person> people_;
    Instant begin_{};
    SetupTimes times_;
};

}  // namespace

std::expected<SetupTimes, std::string> run_setup(SetupPlace place, const SetupConfig& config) {
    return SetupRun{place, config}.run();
}

std::string setup_table(const SetupConfig& config) {
    std::string text =
        "place                       pair            rank  check  handshake  request sent  "
        "response sent  response in\n";
    for (std::size_t i = 0; i < static_cast<std::size_t>(SetupPlace::count); ++i) {
        const auto place = static_cast<SetupPlace>(i);
        const auto times = run_setup(place, config);
        std::array<char, 160> line{};
        const int size =
            times ? std::snprintf(line.data(), line.size(),
                                  "%-27s %-15s %2zu/%-2zu  %4.2f   %8.2f  %12.2f  %13.2f  %11.2f\n",
                                  std::string{to_string(place)}.c_str(), times->pair.c_str(),
                                  times->rank, times->pairs,
                                  times->in_round_trips(times->client_route),
                                  times->in_round_trips(times->handshake),
                                  times->in_round_trips(times->client_sent),
                                  times->in_round_trips(times->server_sent),
                                  times->in_round_trips(times->client_received))
                  : std::snprintf(line.data(), line.size(), "%-27s %s\n",
                                  std::string{to_string(place)}.c_str(), times.error().c_str());
        text.append(line.data(), static_cast<std::size_t>(std::max(size, 0)));
    }
    return text;
}

}  // namespace stile::sim
