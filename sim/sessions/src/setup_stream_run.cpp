// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// The same where no UDP passes: ICE's check and QUIC's handshake on a TCP connection.
#include "setup_talker.hpp"

#include <stile/base/drain.hpp>
#include <stile/connect/connector.hpp>
#include <stile/sim/sessions/setup_run.hpp>
#include <stile/sim/world.hpp>

#include <array>
#include <map>
#include <utility>

namespace stile::sim {
namespace {

using namespace std::chrono_literals;

constexpr Duration patience = 30s;
constexpr Port listening{5000};

struct Person {
    HostId host;
    Talker talker;
    connect::Connector connector;
    std::map<connect::StreamId, std::pair<StreamId, StreamEnd>> streams = {};
    std::optional<Instant> routed = {};
    std::uint16_t next_port = 40000;
};

class StreamSetupRun {
public:
    explicit StreamSetupRun(const SetupConfig& config)
        : scene_(make_setup_scene(SetupPlace::BothPublic, config.one_way)),
          world_(scene_.topology, config.seed),
          config_(config),
          random_(crypto::seed_from_number(config.seed)) {
        people_.push_back(make(scene_.left, scene_.left_addresses.front(), quic::Role::Client));
        people_.push_back(make(scene_.right, scene_.right_addresses.front(), quic::Role::Server));
    }

    std::expected<SetupTimes, std::string> run() {
        for (const std::size_t i : {0U, 1U}) {
            people_[i].talker.expect({people_[1 - i].talker.fingerprint()});
        }
        const std::array descriptions{people_[0].connector.local_description(),
                                      people_[1].connector.local_description()};
        for (const std::size_t i : {1U, 0U}) {
            if (!people_[i].connector.set_remote_description(world_.now(),
                                                             descriptions.at(1 - i))) {
                return std::unexpected("a description was not taken");
            }
            drain_person(people_[i]);
        }
        const Instant end = world_.now() + patience;
        while (!people_[0].talker.received() && world_.now() < end) {
            const Instant next = next_timeout().value_or(end);
            const Instant wake = std::max(world_.now(), std::min(next, end));
            if (const auto happening = world_.step(wake)) {
                handle(*happening);
            } else if (next <= world_.now()) {
                handle_timeouts();
            } else {
                break;
            }
        }
        for (const Person& person : people_) {
            if (person.talker.problem()) return std::unexpected(*person.talker.problem());
        }
        if (!people_[0].talker.received()) return std::unexpected("no response came in time");
        return times();
    }

private:
    Person make(HostId host, const IpAddress& address, quic::Role role) {
        world_.listen(host, {address, listening});
        connect::ConnectorConfig config;
        config.listeners = {{.address = {address, listening}, .type = ice::TcpType::Passive}};
        config.ice.role =
            role == quic::Role::Client ? ice::Role::Controlling : ice::Role::Controlled;
        if (config_.ta) config.ice.ta = *config_.ta;
        return {.host = host,
                .talker = Talker{role, random_.fork()},
                .connector = connect::Connector{world_.now(), config, random_.fork()}};
    }

    Person& person_at(HostId host) { return people_[host == scene_.left ? 0 : 1]; }

    std::optional<Instant> next_timeout() const {
        std::optional<Instant> next;
        for (const Person& person : people_) {
            next = earlier(next, person.connector.poll_timeout());
            next = earlier(next, person.talker.poll_timeout());
        }
        return next;
    }

    void handle_timeouts() {
        const Instant now = world_.now();
        for (Person& person : people_) {
            const auto due = person.connector.poll_timeout();
            if (due && *due <= now) person.connector.handle_timeout(now);
            person.talker.handle_timeout(now);
            drain_person(person);
        }
    }

    static std::optional<connect::StreamId> find(const Person& person, StreamId stream,
                                                 StreamEnd end) {
        for (const auto& [id, known] : person.streams) {
            if (known == std::pair{stream, end}) return id;
        }
        return std::nullopt;
    }

    void handle(const Happening& happening) {
        const Instant now = world_.now();
        Person& person = person_at(host_of(happening));
        if (const auto* const opened = std::get_if<StreamOpened>(&happening)) {
            if (const auto id = find(person, opened->stream, StreamEnd::Client)) {
                person.connector.handle_stream_opened(now, *id, opened->path);
            }
        } else if (const auto* const accepted = std::get_if<StreamAccepted>(&happening)) {
            if (const auto id = person.connector.handle_stream_accepted(now, accepted->path)) {
                person.streams[*id] = {accepted->stream, StreamEnd::Server};
            }
        } else if (const auto* const arrived = std::get_if<StreamArrived>(&happening)) {
            if (const auto id = find(person, arrived->stream, arrived->end)) {
                person.connector.handle_stream_bytes(now, *id, arrived->octets);
            }
        } else if (const auto* const closed = std::get_if<StreamClosed>(&happening)) {
            if (const auto id = find(person, closed->stream, closed->end)) {
                person.connector.handle_stream_closed(now, *id);
                person.streams.erase(*id);
            }
        }
        drain_person(person);
    }

    void drain_person(Person& person) {
        const auto send = [&](BytesView datagram) {
            person.connector.send(world_.now(), datagram);
        };
        while (drain_connector(person) || person.talker.step(world_.now(), send)) {
        }
    }

    bool drain_connector(Person& person) {
        bool any = false;
        (void)drain(
            person.connector, [](const Transmit&) {},  // UDP is blocked
            [&](const connect::Event& event) {
                handle(person, event);
                any = true;
            });
        while (const auto out = person.connector.poll_stream_transmit()) {
            any = true;
            const auto stream = person.streams.find(out->stream);
            if (stream == person.streams.end()) continue;
            world_.send(stream->second.first, stream->second.second, out->octets);
        }
        while (const auto received = person.connector.poll_received()) {
            any = true;
            person.talker.take(world_.now(), received->payload);
        }
        return any;
    }

    void handle(Person& person, const connect::Event& event) {
        if (const auto* const wanted = std::get_if<connect::StreamWanted>(&event)) {
            Path path = wanted->path;
            if (wanted->local_port == connect::StreamWanted::LocalPort::Any) {
                path.local.port = Port{person.next_port++};
            }
            person.streams[wanted->stream] = {world_.connect(person.host, path), StreamEnd::Client};
        } else if (const auto* const unwanted = std::get_if<connect::StreamUnwanted>(&event)) {
            const auto stream = person.streams.find(unwanted->stream);
            if (stream == person.streams.end()) return;
            world_.close(stream->second.first, stream->second.second);
            person.streams.erase(stream);
        } else if (const auto* const changed = std::get_if<connect::RouteChanged>(&event)) {
            if (!person.routed) person.routed = world_.now();
            person.talker.set_route(world_.now(), changed->route.round_trip);
        }
    }

    SetupTimes times() {
        const Talker& client = people_[0].talker;
        const Talker& server = people_[1].talker;
        SetupTimes times;
        times.round_trip = 2 * config_.one_way;
        times.ta = config_.ta.value_or(connect::proposed_ta);
        times.pair = "host to host, TCP";
        const auto pairs = people_[0].connector.pairs();
        times.pairs = pairs.size();
        const auto winner =
            std::ranges::find_if(pairs, [](const ice::PairReport& pair) { return pair.selected; });
        times.rank = static_cast<std::size_t>(winner - pairs.begin()) + 1;
        times.client_route = *people_[0].routed - Instant{};
        times.server_route = *people_[1].routed - Instant{};
        times.handshake = *client.completed() - Instant{};
        times.client_sent = *client.sent() - Instant{};
        times.server_received = *server.received() - Instant{};
        times.server_sent = *server.sent() - Instant{};
        times.client_received = *client.received() - Instant{};
        return times;
    }

    Scene scene_;
    World world_;
    SetupConfig config_;
    crypto::RandomStream random_;
    std::vector<Person> people_;
};

}  // namespace

std::expected<SetupTimes, std::string> run_stream_setup(const SetupConfig& config) {
    return StreamSetupRun{config}.run();
}

}  // namespace stile::sim
