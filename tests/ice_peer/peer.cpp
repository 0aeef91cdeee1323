// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "peer.hpp"

#include <stile/base/drain.hpp>
#include <stile/connect/explanation.hpp>
#include <stile/drivers/random.hpp>
#include <stile/sdp/ice_attributes.hpp>
#include <stile/session/path_description.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>

namespace stile::ice_peer {
namespace {

using Json = nlohmann::ordered_json;

constexpr Duration closing_patience = std::chrono::seconds{1};

std::string_view word(ice::State state) {
    switch (state) {
        case ice::State::Waiting:
            return "waiting";
        case ice::State::Running:
            return "running";
        case ice::State::Completed:
            return "completed";
        case ice::State::Failed:
            return "failed";
    }
    return "";
}

std::string_view word(ice::Role role) {
    return role == ice::Role::Controlling ? "controlling" : "controlled";
}

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// One line, with the moment on the clock that all programs of the machine share.
void say(std::string_view event, Json line = Json::object()) {
    line["event"] = event;
    line["at"] = seconds(std::chrono::steady_clock::now().time_since_epoch());
    std::puts(line.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
    std::fflush(stdout);
}

// What follows `prefix`, where the line begins with it.
std::optional<std::string_view> after(std::string_view line, std::string_view prefix) {
    if (!line.starts_with(prefix)) return std::nullopt;
    return line.substr(prefix.size());
}

}  // namespace

Peer::Peer(drivers::Loop& loop, Settings settings)
    : loop_(loop),
      settings_(std::move(settings)),
      names_(loop),
      streams_(loop, {.on_opened =
                          [this](connect::StreamId id, const Path& path) {
                              connector_.handle_stream_opened(loop_.now(), id, path);
                              pump();
                          },
                      .on_failed =
                          [this](connect::StreamId id, ice::ConnectFailure failure) {
                              connector_.handle_stream_failed(loop_.now(), id, failure);
                              pump();
                          },
                      .on_accepted =
                          [this](const Path& path) {
                              return connector_.handle_stream_accepted(loop_.now(), path);
                          },
                      .on_bytes =
                          [this](connect::StreamId id, BytesView bytes) {
                              connector_.handle_stream_bytes(loop_.now(), id, bytes);
                              pump();
                          },
                      .on_closed =
                          [this](connect::StreamId id) {
                              connector_.handle_stream_closed(loop_.now(), id);
                              pump();
                          }}),
      connector_(loop.now(), open_sockets(), crypto::RandomStream{drivers::random_seed()}),
      timer_(loop,
             [this] {
                 connector_.handle_timeout(loop_.now());
                 pump();
             }),
      closing_(loop, [this] {
          if (done_) std::exchange(done_, {})();
      }) {
    tell_description();
    pump();
}

connect::ConnectorConfig Peer::open_sockets() {
    connect::ConnectorConfig config = settings_.connector;
    for (const IpAddress& address : settings_.addresses) {
        auto socket = drivers::UdpSocket::open(loop_, {address, Port{0}});
        if (!socket) {
            say("error", {{"text", socket.error().text}});
            continue;
        }
        (*socket)->on_datagrams(
            [this](std::span<const drivers::Datagram> batch) { handle(batch); });
        config.hosts.push_back((*socket)->local_address());
        sockets_.push_back(*std::move(socket));
        if (settings_.tcp == Settings::Tcp::No) continue;
        for (const auto type : {ice::TcpType::Passive, ice::TcpType::SimultaneousOpen}) {
            if (const auto at = streams_.listen(address, type)) config.listeners.push_back(*at);
        }
    }
    if (settings_.hosts == Settings::Hosts::Names) config.concealment = concealment();
    return config;
}

connect::Concealment Peer::concealment() {
    connect::Concealment names;
    for (const IpAddress& address : settings_.addresses) {
        if (const auto name = names_.name_of(address)) {
            names.names.push_back({address, name->text()});
        }
    }
    return names;
}

void Peer::send(const Transmit& datagram) {
    const auto found = std::ranges::find(
        sockets_, datagram.path.local, [](const auto& socket) { return socket->local_address(); });
    if (found != sockets_.end()) (*found)->send(datagram);
}

// Streams have what the machine brought about, and may bring about more.
void Peer::pump() {
    if (std::exchange(pumping_, Pumping::Yes) == Pumping::Yes) return;
    const auto send_it = [this](const Transmit& datagram) { send(datagram); };
    const auto tell_it = [this](const connect::Event& event) { handle(event); };
    for (bool is_quiet = false; !is_quiet;) {
        is_quiet = true;
        timer_.arm(drain(connector_, send_it, tell_it));
        while (const auto out = connector_.poll_stream_transmit()) {
            streams_.write(out->stream, out->octets);
        }
        while (const auto received = connector_.poll_received()) {
            take({received->pair, BytesView{to_bytes(received->payload)}});
            is_quiet = false;
        }
    }
    pumping_ = Pumping::No;
}

// ---- what came ----

void Peer::take(const connect::Received& received) {
    say("received", {{"text", as_text(received.payload)},
                     {"octets", received.payload.size()},
                     {"from", received.pair.remote.to_string()}});
    if (settings_.echo == Settings::Echo::Yes) connector_.send(loop_.now(), received.payload);
}

void Peer::handle(std::span<const drivers::Datagram> batch) {
    for (const drivers::Datagram& datagram : batch) {
        const auto received =
            connector_.handle_datagram(loop_.now(), datagram.path, datagram.payload);
        if (received) take(*received);
    }
    pump();
    finish_when_released();
}

void Peer::handle_line(std::string_view line) {
    if (handle_sdp(line)) {
    } else if (const auto text = after(line, "send ")) {
        connector_.send(loop_.now(), as_bytes(*text));
    } else if (line == "restart") {
        remote_ = {};
        connector_.restart(loop_.now());
        tell_description();
    } else if (line == "pairs") {
        tell_pairs();
    } else {
        say("error", {{"text", "not understood: " + std::string{line}}});
    }
    pump();
    tell_state();
}

// RFC 8839 Section 5. Candidates may come until RFC 8840's end of them.
bool Peer::handle_sdp(std::string_view line) {
    if (const auto text = after(line, "a=ice-ufrag:")) {
        remote_.credentials.fragment = *text;
    } else if (const auto secret = after(line, "a=ice-pwd:")) {
        remote_.credentials.password = *secret;
    } else if (const auto options = after(line, "a=ice-options:")) {
        const auto read = sdp::IceOptions::parse(*options);
        if (read && read->has("renomination")) remote_.renomination = ice::Renomination::Offered;
    } else if (line == "a=ice-lite") {
        remote_.kind = ice::PeerKind::Lite;
    } else if (const auto pacing = after(line, "a=ice-pacing:")) {
        if (const auto read = sdp::IcePacing::parse(*pacing)) {
            remote_.ta = std::chrono::milliseconds{read->milliseconds};
        }
    } else if (const auto greeting = after(line, "greet ")) {
        settings_.greeting = *greeting;
    } else if (const auto value = after(line, "a=candidate:")) {
        const auto candidate = sdp::Candidate::parse(*value);
        connect::Description one;
        if (candidate) session::take_candidate(*candidate, one);
        bool used = false;
        for (const auto& each : one.candidates) {
            used = connector_.add_remote_candidate(loop_.now(), each);
        }
        for (const auto& each : one.named) {
            used = connector_.add_remote_candidate(loop_.now(), each);
        }
        if (!used) {
            say("unused", {{"text", *value}});
        }
    } else if (line == "a=end-of-candidates") {
        connector_.end_of_remote_candidates(loop_.now());
    } else {
        return false;
    }
    if (!remote_.credentials.fragment.empty() && !remote_.credentials.password.empty()) {
        take_credentials(std::exchange(remote_, {}));
    }
    return true;
}

// Other ones than before are the peer's restart. RFC 8445 Section 9.
void Peer::take_credentials(const connect::Description& remote) {
    const auto set = connector_.set_remote_description(loop_.now(), remote);
    if (set) return;
    if (set.error() != connect::DescriptionError::OtherCredentials) {
        return say("error", {{"text", "these credentials cannot be used"}});
    }
    connector_.restart(loop_.now());
    tell_description();
    take_credentials(remote);
}

// ---- what happens ----

void Peer::handle(const connect::Event& event) {
    if (const auto* const gathered = std::get_if<connect::CandidateGathered>(&event)) {
        const auto& concealment = connector_.local_description().concealment;
        const auto value = session::to_sdp(gathered->candidate, concealment).value();
        if (value) say("candidate", {{"line", "a=candidate:" + *value}});
    } else if (std::holds_alternative<connect::GatheringCompleted>(event)) {
        say("end-of-candidates");
    } else if (const auto* const changed = std::get_if<connect::RouteChanged>(&event)) {
        handle(*changed);
    } else if (std::holds_alternative<connect::RouteLost>(event)) {
        say("lost");
    } else if (const auto* const failed = std::get_if<connect::PathFailed>(&event)) {
        const bool never = failed->reason == ice::FailureReason::NoValidPair;
        say("failed", {{"reason", never ? "no pair is valid" : "no consent"}});
    } else if (const auto* const relay = std::get_if<connect::RelayFailed>(&event)) {
        say("relay-failed", {{"server", relay->server.to_string()}});
    } else if (const auto* const stream = std::get_if<connect::StreamWanted>(&event)) {
        streams_.open(*stream);
    } else if (const auto* const unwanted = std::get_if<connect::StreamUnwanted>(&event)) {
        while (const auto out = connector_.poll_stream_transmit()) {
            streams_.write(out->stream, out->octets);
        }
        streams_.close(unwanted->stream);
    } else if (const auto* const wanted = std::get_if<connect::NameWanted>(&event)) {
        look_for(wanted->name);
    }
    tell_state();
}

void Peer::look_for(const std::string& name) {
    const auto tell = [this, name](std::optional<IpAddress> address) {
        if (address) say("resolved", {{"name", name}, {"address", address->to_string()}});
        connector_.handle_name(loop_.now(), name, address);
        pump();
    };
    if (const auto wanted = mdns::HostName::parse(name)) {
        names_.resolve(*wanted, tell);
    } else {
        loop_.post([tell] { tell(std::nullopt); });
    }
}

void Peer::tell_state() {
    if (connector_.state() == told_state_) return;
    told_state_ = connector_.state();
    say("state", {{"state", word(told_state_)}, {"role", word(connector_.role())}});
}

void Peer::handle(const connect::RouteChanged& changed) {
    const connect::Route& route = changed.route;
    const bool direct = route.kind == connect::RouteKind::Direct;
    say("selected", {{"kind", direct ? "direct" : "relayed"},
                     {"local_type", connect::to_string(route.local_type)},
                     {"remote_type", connect::to_string(route.remote_type)},
                     {"local", route.pair.local.to_string()},
                     {"remote", route.pair.remote.to_string()},
                     {"channel", route.channel.has_value()},
                     {"transport", connect::to_string(route.transport)}});
    if (!settings_.greeting.empty()) connector_.send(loop_.now(), as_bytes(settings_.greeting));
}

void Peer::tell_description() {
    const connect::Description& local = connector_.local_description();
    const auto pacing = std::chrono::duration_cast<std::chrono::milliseconds>(*local.ta).count();
    say("description", {{"ufrag", local.credentials.fragment},
                        {"pwd", local.credentials.password},
                        {"pacing", pacing}});
}

void Peer::tell_pairs() const {
    Json pairs = Json::array();
    for (const ice::PairReport& pair : connector_.pairs()) {
        pairs.push_back({{"local", pair.local.to_string()},
                         {"path", pair.path.local.to_string() + " " + pair.path.remote.to_string()},
                         {"types", std::string{connect::to_string(pair.local_type)} + " " +
                                       std::string{connect::to_string(pair.remote_type)}},
                         {"state", connect::to_string(pair.state)},
                         {"valid", pair.valid},
                         {"nominated", pair.nominated},
                         {"selected", pair.selected}});
    }
    say("pairs",
        {{"state", word(connector_.state())}, {"role", word(connector_.role())}, {"pairs", pairs}});
}

void Peer::close(std::move_only_function<void()> done) {
    done_ = std::move(done);
    connector_.release(loop_.now());
    pump();
    closing_.arm_after(closing_patience);
    finish_when_released();
}

void Peer::finish_when_released() {
    if (done_ && !connector_.poll_timeout()) closing_.arm_after({});
}

}  // namespace stile::ice_peer
