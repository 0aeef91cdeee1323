// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "carrier_run.hpp"
#include "switch_scenes.hpp"

#include <stile/connect/explanation.hpp>
#include <stile/sim/sessions/switch_run.hpp>

#include <array>
#include <cstdio>
#include <utility>

namespace stile::sim {
namespace {

using namespace std::chrono_literals;

// The new uplink is there for so long beside the old one, or so long after it.
constexpr Duration together = 3s;
constexpr Duration apart = 300ms;
constexpr Duration patience = 40s;

class SwitchRun {
public:
    explicit SwitchRun(const SwitchConfig& config)
        : config_(config),
          scene_(make_switch_scene(config)),
          run_(scene_.scene, config.seed),
          carriers_{CarrierRun{quic::Role::Client, seed_of(1)},
                    CarrierRun{quic::Role::Server, seed_of(2)}} {
        run_.set_handshakes(Handshakes::TcpAndTls);
        carriers_[0].expect(carriers_[1].fingerprint());
        carriers_[1].expect(carriers_[0].fingerprint());
    }

    std::expected<SwitchTimes, std::string> run() {
        if (!run_.start()) return std::unexpected("no registration");
        run_.fetch("bob@example.org");
        pump();
        const Instant begin = now();
        const bool flows =
            run_while([&] { return !is_settled() || client().octets() == 0; }, patience);
        if (!flows) {
            return std::unexpected(problem_.value_or("no transfer in time") + "\n" + timeline_ +
                                   pairs());
        }
        run_while([] { return true; }, 3s);
        note("before: " + to_string(chosen()));
        move();
        const Instant told = now();
        told_ = told;
        (void)client().take_longest_silence(told);
        run_while([] { return true; }, patience / 2);
        SwitchTimes times = times_;
        times.gap = client().take_longest_silence(now());
        times.round_trip = 2 * config_.one_way;
        times.expected = expected_path(after_switch(scene_, config_.mover));
        times.chosen = chosen();
        server().finish();
        run_while([&] { return !client().is_whole(); }, patience);
        for (const SessionRun::Person* const person : {&run_.alice(), &run_.bob()}) {
            if (const auto* const ended = last<session::Ended>(*person)) {
                problem_ = person->user + " ended: " + ended->evidence +
                           (ended->fault ? std::string{to_string(*ended->fault)} : std::string{});
            }
        }
        if (!problem_) problem_ = client().problem();
        if (!problem_) problem_ = server().problem();
        if (!problem_ && !client().is_whole()) problem_ = "the transfer did not end";
        if (!problem_ && client().octets() != server().octets()) problem_ = "octets are missing";
        const crypto::Digest read = client().take_sha256();
        if (!problem_ && read != server().take_sha256()) problem_ = "another SHA-256";
        if (problem_) return std::unexpected(*problem_ + "\n" + timeline_ + pairs());
        times.sha256 = read.to_hex();
        times.octets = client().octets();
        times.timeline = timeline_ + pairs();
        (void)begin;
        return times;
    }

private:
    crypto::RandomStream seed_of(std::uint64_t number) const {
        return crypto::RandomStream{crypto::seed_from_number(config_.seed * 16 + number)};
    }
    Instant now() { return run_.world().now(); }
    CarrierRun& client() { return carriers_[0]; }
    CarrierRun& server() { return carriers_[1]; }
    SessionRun::Person& person(std::size_t index) { return index == 0 ? run_.alice() : run_.bob(); }
    std::size_t mover() const { return config_.mover == SwitchMover::Getting ? 0 : 1; }

    void note(const std::string& text) {
        std::array<char, 32> when{};
        const double ms = std::chrono::duration<double, std::milli>{now() - told_}.count();
        (void)std::snprintf(when.data(), when.size(), "%10.1f ", ms);
        timeline_ += std::string{when.data()} + text + "\n";
    }

    void move() {
        SessionRun::Person& moving = person(mover());
        const std::vector<IpAddress> home = moving.addresses;
        told_ = now();
        if (config_.order == SwitchOrder::MakeFirst) {
            note("the new uplink is there");
            run_.join(moving, scene_.uplink);
            pump();
            run_while([] { return true; }, together);
            note("the old one goes");
            run_.leave(moving, home);
            timeline_ += "\n";
            told_ = now();
            pump();
        } else {
            note("the old uplink goes");
            run_.leave(moving, home);
            pump();
            run_while([] { return true; }, apart);
            note("the new one is there");
            told_ = now();
            run_.join(moving, scene_.uplink);
            pump();
        }
    }

    bool is_settled() {
        for (std::size_t i = 0; i < 2; ++i) {
            if (!person(i).latest) return false;
            const session::HttpSession* const session = person(i).endpoint.find(*person(i).latest);
            if (session == nullptr || session->path().state() != ice::State::Completed)
                return false;
        }
        return true;
    }

    BestPath chosen() {
        const session::HttpSession* const one = person(0).endpoint.find(*person(0).latest);
        const session::HttpSession* const two = person(1).endpoint.find(*person(1).latest);
        if (one == nullptr || two == nullptr || !one->route() || !two->route()) return {};
        return path_of(*one->route(), *two->route());
    }

    // What became of all that was tried.
    std::string pairs() {
        std::string text;
        for (const SessionRun::Person* const who : {&run_.alice(), &run_.bob()}) {
            const session::HttpSession* const session =
                who->latest ? who->endpoint.find(*who->latest) : nullptr;
            if (session == nullptr) continue;
            const connect::PathReport report = session->path().report();
            text += who->user + ":\n";
            for (const connect::SourceReport& source : report.sources) {
                text += "  " + std::string{to_string(source.kind)} + " " +
                        source.path.local.to_string() + " to " + source.path.remote.to_string() +
                        " " + std::string{to_string(source.outcome)} + "\n";
            }
            for (const ice::PairReport& pair : report.pairs) {
                text += "  " + std::string{connect::to_string(pair.local_type)} + " " +
                        pair.path.local.to_string() + " to " +
                        std::string{connect::to_string(pair.remote_type)} + " " +
                        pair.path.remote.to_string() + " " +
                        std::string{connect::to_string(pair.state)} +
                        (pair.nominated ? ", nominated" : "") + (pair.valid ? ", valid" : "") +
                        (pair.last_error ? ", " + std::string{connect::to_string(*pair.last_error)}
                                         : std::string{}) +
                        "\n";
            }
        }
        return text;
    }

    template <class Condition>
    bool run_while(Condition&& condition, Duration limit) {
        const Instant end = now() + limit;
        while (condition()) {
            if (problem_ || client().problem() || server().problem()) return false;
            Instant deadline = end;
            for (const CarrierRun& carrier : carriers_) {
                deadline = std::min(deadline, carrier.poll_timeout().value_or(end));
            }
            deadline = std::max(deadline, now());
            const bool stepped = run_.step(deadline);
            if (!stepped) {
                if (now() >= end) return false;
                for (CarrierRun& carrier : carriers_) carrier.handle_timeout(now());
            }
            pump();
        }
        return true;
    }

    // What came and what is to be sent, on both sides, until nothing is left.
    void pump() {
        for (bool any = true; any;) {
            any = false;
            for (std::size_t i = 0; i < 2; ++i) any = pump_one(i) || any;
        }
    }
    bool pump_one(std::size_t i) {
        SessionRun::Person& who = person(i);
        bool any = take_events(i);
        for (const Bytes& payload : std::exchange(who.payloads, {})) {
            carriers_[i].take(now(), payload);
            any = true;
        }
        while (carriers_[i].step(now(), [&](BytesView one) { run_.send(who, one); })) any = true;
        if (who.signalling.size() > told_signalling_[i]) {
            const std::string_view fresh = std::string_view{who.signalling}.substr(
                std::exchange(told_signalling_[i], who.signalling.size()));
            note(who.user + " says " + std::string{fresh.substr(0, fresh.find('\r'))});
        }
        return any;
    }

    bool take_events(std::size_t i) {
        SessionRun::Person& who = person(i);
        bool any = false;
        for (; events_[i] < who.events.size(); ++events_[i]) {
            any = true;
            const session::EndpointEvent& event = who.events[events_[i]];
            if (const auto* const opened = std::get_if<session::RouteOpened>(&event)) {
                take_route(i, opened->route);
            } else if (std::holds_alternative<session::RouteClosed>(event)) {
                note(who.user + " has no route");
                carriers_[i].clear_way();
                ways_[i].reset();
            } else if (std::holds_alternative<session::Registered>(event)) {
                note(who.user + " is registered");
            }
        }
        return any;
    }

    void take_route(std::size_t i, const connect::Route& route) {
        const std::pair way{route.pair, route.wire};
        if (std::exchange(ways_[i], way) == way) return;
        note(person(i).user + " sends " + route.pair.local.to_string() + " to " +
             route.pair.remote.to_string());
        if (told_ != Instant{}) {
            Duration& first = i == mover() ? times_.mover_route : times_.stayer_route;
            if (first == Duration{}) first = now() - told_;
        }
        carriers_[i].change_way(now(), route.round_trip);
    }

    SwitchConfig config_;
    SwitchScene scene_;
    SessionRun run_;
    std::array<CarrierRun, 2> carriers_;
    std::array<std::size_t, 2> events_{};
    std::array<std::size_t, 2> told_signalling_{};
    std::array<std::optional<std::pair<Path, Path>>, 2> ways_;
    Instant told_{};
    SwitchTimes times_;
    std::string timeline_;
    std::optional<std::string> problem_;
};

}  // namespace

std::string_view to_string(SwitchMover mover) {
    return mover == SwitchMover::Getting ? "getting" : "sharing";
}

std::string_view to_string(SwitchOrder order) {
    return order == SwitchOrder::MakeFirst ? "make first" : "break first";
}

std::string_view to_string(SwitchPlace place) {
    switch (place) {
        case SwitchPlace::Public:
            return "both public";
        case SwitchPlace::DirectToDirect:
            return "direct to direct";
        case SwitchPlace::DirectToRelayed:
            return "direct to relayed";
        case SwitchPlace::RelayedToDirect:
            return "relayed to direct";
        case SwitchPlace::RelayedToRelayed:
            return "relayed to relayed";
        case SwitchPlace::count:
            break;
    }
    return "";
}

std::expected<SwitchTimes, std::string> run_switch(const SwitchConfig& config) {
    return SwitchRun{config}.run();
}

SwitchBound bound_of(const SwitchConfig& config) {
    const bool is_relayed_after = config.place == SwitchPlace::DirectToRelayed ||
                                  config.place == SwitchPlace::RelayedToRelayed;
    if (config.order == SwitchOrder::BreakFirst) {
        return {
            3.5,
            "the relay is refreshed from the new address in 1, with a nonce of its own in 1 more, "
            "and what was lost is found and sent again by QUIC in 1.5"};
    }
    if (is_relayed_after && config.families != Families::V4) {
        return {
            3.5,
            "nothing but TURN passes at the new place, and the relay moves when the old address "
            "goes"};
    }
    return {3.0,
            "one for the check of a way that was not proven yet, half for the first datagram, and "
            "what was lost is sent again"};
}

std::vector<SwitchConfig> all_switches(Duration one_way) {
    std::vector<SwitchConfig> all;
    for (const Families families : {Families::V4, Families::V6, Families::Dual}) {
        for (std::uint8_t place = 0; place < static_cast<std::uint8_t>(SwitchPlace::count);
             ++place) {
            for (const SwitchMover mover : {SwitchMover::Getting, SwitchMover::Sharing}) {
                for (const SwitchOrder order : {SwitchOrder::MakeFirst, SwitchOrder::BreakFirst}) {
                    all.push_back({.families = families,
                                   .mover = mover,
                                   .order = order,
                                   .place = static_cast<SwitchPlace>(place),
                                   .one_way = one_way});
                }
            }
        }
    }
    return all;
}

}  // namespace stile::sim
