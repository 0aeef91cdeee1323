// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "setup_talker.hpp"

#include <stile/base/drain.hpp>
#include <stile/session/http_session.hpp>
#include <stile/sim/sessions/setup_run.hpp>
#include <stile/sim/sessions/turn_host.hpp>

#include <algorithm>
#include <array>
#include <cstdio>

namespace stile::sim {
namespace {

using namespace std::chrono_literals;

constexpr Duration patience = 30s;
// What a program makes of a session: sockets are the world's, the rest is as in apps/stile.
struct Person {
    HostId host;
    Talker talker;
    session::HttpSession session;
    std::optional<std::string> description = {};
    std::optional<std::string> problem = {};
    std::optional<Instant> routed = {};
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
        run_while([this] { return !client().talker.received() && !problem(); });
        if (const auto what = problem()) return std::unexpected(*what);
        if (!client().talker.received()) return std::unexpected("no response came in time");
        return times();
    }

private:
    Person& client() { return people_[0]; }
    Person& server() { return people_[1]; }

    Person make(session::Part part) {
        const bool is_left = part == session::Part::Offerer;
        Talker talker{is_left ? quic::Role::Client : quic::Role::Server, random_.fork()};
        session::HttpSessionConfig config;
        config.part = part;
        config.path = turn_.client_config();
        config.fingerprint = talker.fingerprint();
        if (config_.ta) config.path.ice.ta = *config_.ta;
        for (const IpAddress& address : is_left ? scene_.left_addresses : scene_.right_addresses) {
            config.path.hosts.push_back({address, Port{5000}});
        }
        return {.host = is_left ? scene_.left : scene_.right,
                .talker = std::move(talker),
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
            if (person.talker.problem()) return person.talker.problem();
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
            next = earlier(next, person.talker.poll_timeout());
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
            person.talker.handle_timeout(now);
            drain_person(person);
        }
    }

    void handle(const DatagramArrived& arrived) {
        if (arrived.host == scene_.server) return turn_.handle(arrived);
        Person& person = arrived.host == scene_.left ? client() : server();
        const auto received =
            person.session.handle_datagram(world_.now(), arrived.path, arrived.payload);
        if (received) person.talker.take(world_.now(), received->payload);
        drain_person(person);
    }

    void drain_person(Person& person) {
        const auto send = [&](BytesView datagram) { person.session.send(world_.now(), datagram); };
        while (drain_session(person) || person.talker.step(world_.now(), send)) {
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
        if (!person.routed) {
            person.routed = world_.now();
            if (&person == &client()) note_pair(route);
        }
        person.talker.expect(person.session.expected_fingerprints());
        person.talker.set_route(world_.now(), route.round_trip);
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

    SetupTimes times() {
        SetupTimes times = times_;
        times.round_trip = 2 * config_.one_way;
        times.ta = config_.ta.value_or(connect::proposed_ta);
        times.checks_sent = client().checks;
        times.client_route = *client().routed - begin_;
        times.server_route = *server().routed - begin_;
        times.handshake = *client().talker.completed() - begin_;
        times.client_sent = *client().talker.sent() - begin_;
        times.server_received = *server().talker.received() - begin_;
        times.server_sent = *server().talker.sent() - begin_;
        times.client_received = *client().talker.received() - begin_;
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
        "place                       pair                rank  check  handshake  request sent  "
        "response sent  response in\n";
    const auto add = [&](std::string_view name, const auto& times) {
        std::array<char, 160> line{};
        const int size =
            times ? std::snprintf(line.data(), line.size(),
                                  "%-27s %-19s %2zu/%-2zu  %4.2f   %8.2f  %12.2f  %13.2f  %11.2f\n",
                                  std::string{name}.c_str(), times->pair.c_str(), times->rank,
                                  times->pairs, times->in_round_trips(times->client_route),
                                  times->in_round_trips(times->handshake),
                                  times->in_round_trips(times->client_sent),
                                  times->in_round_trips(times->server_sent),
                                  times->in_round_trips(times->client_received))
                  : std::snprintf(line.data(), line.size(), "%-27s %s\n", std::string{name}.c_str(),
                                  times.error().c_str());
        text.append(line.data(), static_cast<std::size_t>(std::max(size, 0)));
    };
    for (std::size_t i = 0; i < static_cast<std::size_t>(SetupPlace::count); ++i) {
        const auto place = static_cast<SetupPlace>(i);
        add(to_string(place), run_setup(place, config));
    }
    add("both public, TCP alone", run_stream_setup(config));
    return text;
}

}  // namespace stile::sim
