// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// A program for tests: one side of ICE, without any signalling of its own. Whoever starts it
// carries its lines to the other side.
//
// It reads SDP attributes of the peer, one a line (a=ice-ufrag, a=ice-pwd, before these
// a=ice-pacing, a=ice-options and a=ice-lite, a=candidate and a=end-of-candidates, RFC 8839 and RFC
// 8840), and the words "send TEXT", "greet TEXT" (sent on each new route), "restart" (new
// credentials follow), "pairs" and "close". It writes one JSON object a line, with "event" and
// "at", a moment on the monotonic clock: description, candidate, end-of-candidates, state,
// selected, received, resolved (a name of multicast DNS), lost, failed, relay-failed, unused (a
// candidate that ICE cannot use), pairs, error.
#include "peer.hpp"

#include <stile/drivers/interfaces.hpp>

#include <unistd.h>
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

namespace {

using namespace stile;

// SERVER:PORT, or for a relay SERVER:PORT,USER,PASSWORD.
std::vector<std::string> fields(const std::string& text) {
    std::vector<std::string> found;
    std::size_t begin = 0;
    while (found.size() < 2) {
        const std::size_t comma = text.find(',', begin);
        if (comma == std::string::npos) break;
        found.push_back(text.substr(begin, comma - begin));
        begin = comma + 1;
    }
    found.push_back(text.substr(begin));
    return found;
}

SocketAddress address_of(const std::string& text) {
    const auto address = SocketAddress::parse(text);
    if (!address) throw CLI::ValidationError(text, "is no ADDRESS:PORT");
    return *address;
}

struct Words {
    bool controlled = false;
    bool relay_only = false;
    bool loopback = false;
    bool echo = false;
    bool names = false;
    bool tcp = false;
    std::vector<std::string> bind;
    std::vector<std::string> stun;
    std::vector<std::string> turn;
    std::vector<std::string> turn_tcp;
    std::string greeting;
    int patience_ms = 3000;
    int relayed_patience_ms = 10000;
    int pac_ms = 39500;

    void add_to(CLI::App& app) {
        app.add_flag("--controlled", controlled, "the peer began; otherwise we are controlling");
        app.add_flag("--relay-only", relay_only, "tell the peer relayed candidates alone");
        app.add_flag("--loopback", loopback, "candidates of 127.0.0.0/8 and ::1, too");
        app.add_flag("--names", names, "tell names of multicast DNS in place of our addresses");
        app.add_flag("--tcp", tcp, "candidates over TCP, too");
        app.add_flag("--echo", echo, "send back what comes");
        app.add_option("--bind", bind, "an IP address to use; all of the host without it");
        app.add_option("--stun", stun, "ADDRESS:PORT of a STUN server");
        app.add_option("--turn", turn, "ADDRESS:PORT,USER,PASSWORD of a TURN server")
            ->delimiter('\0');
        app.add_option("--turn-tcp", turn_tcp, "the same over TCP")->delimiter('\0');
        app.add_option("--greeting", greeting, "sent on each new route");
        app.add_option("--patience-ms", patience_ms, "nomination waits so long for better pairs");
        app.add_option("--relayed-patience-ms", relayed_patience_ms, "and so long for direct ones");
        app.add_option("--pac-ms", pac_ms, "not failed before (RFC 8863)");
    }

    ice_peer::Settings settings() const {
        ice_peer::Settings made;
        made.greeting = greeting;
        made.echo = echo ? ice_peer::Settings::Echo::Yes : ice_peer::Settings::Echo::No;
        made.hosts =
            names ? ice_peer::Settings::Hosts::Names : ice_peer::Settings::Hosts::Addresses;
        connect::ConnectorConfig& config = made.connector;
        config.ice.role = controlled ? ice::Role::Controlled : ice::Role::Controlling;
        config.ice.nomination_patience = std::chrono::milliseconds{patience_ms};
        config.ice.relayed_nomination_patience = std::chrono::milliseconds{relayed_patience_ms};
        config.ice.pac = std::chrono::milliseconds{pac_ms};
        if (loopback) config.loopback = connect::LoopbackCandidates::Admitted;
        if (relay_only) config.policy = connect::CandidatePolicy::RelayedOnly;
        for (const std::string& server : stun) config.stun_servers.push_back(address_of(server));
        made.tcp = tcp ? ice_peer::Settings::Tcp::Listens : ice_peer::Settings::Tcp::No;
        using turn::ClientTransport;
        for (const auto& [servers, transport] :
             {std::pair{&turn, ClientTransport::Udp}, {&turn_tcp, ClientTransport::Tcp}}) {
            for (const std::string& server : *servers) {
                const auto parts = fields(server);
                if (parts.size() != 3) throw CLI::ValidationError(server, "lacks user or password");
                config.turn_servers.push_back(
                    {address_of(parts[0]), parts[1], parts[2], transport, {}});
            }
        }
        made.addresses = addresses();
        return made;
    }

    std::vector<IpAddress> addresses() const {
        std::vector<IpAddress> made;
        for (const std::string& text : bind) {
            const auto address = IpAddress::parse(text);
            if (!address) throw CLI::ValidationError(text, "is no IP address");
            made.push_back(*address);
        }
        if (!made.empty()) return made;
        const auto found = drivers::local_addresses();
        if (!found) throw CLI::RuntimeError(found.error().text, 1);
        for (const drivers::LocalAddress& local : *found) {
            const bool is_loopback = local.kind == drivers::InterfaceKind::Loopback;
            if (!local.link_local && (loopback || !is_loopback)) made.push_back(local.ip);
        }
        return ice::intermingle(made);
    }
};

// Standard input by lines, until "close" or its end.
class Input {
public:
    Input(drivers::Loop& loop, ice_peer::Peer& peer)
        : loop_(loop), peer_(peer), watch_(loop, STDIN_FILENO, [this] { read_some(); }) {
        watch_.want_readable(drivers::Watch::Wanted::Yes);
    }

private:
    void read_some() {
        std::array<char, 4096> buffer{};
        const ssize_t size = read(STDIN_FILENO, buffer.data(), buffer.size());
        if (size <= 0) return end();
        text_.append(buffer.data(), static_cast<std::size_t>(size));
        for (std::size_t at = text_.find('\n'); at != std::string::npos; at = text_.find('\n')) {
            const std::string line = text_.substr(0, at);
            text_.erase(0, at + 1);
            if (line == "close") return end();
            if (!line.empty()) peer_.handle_line(line);
        }
    }

    void end() {
        watch_.want_readable(drivers::Watch::Wanted::No);
        peer_.close([this] { loop_.stop(); });
    }

    drivers::Loop& loop_;
    ice_peer::Peer& peer_;
    std::string text_;
    drivers::Watch watch_;
};

}  // namespace

int main(int count, char** words) {
    CLI::App app{"One side of ICE, for tests."};
    Words given;
    given.add_to(app);
    try {
        app.parse(count, words);
        std::signal(SIGPIPE, SIG_IGN);
        drivers::Loop loop;
        ice_peer::Peer peer{loop, given.settings()};
        Input input{loop, peer};
        loop.run();
    } catch (const CLI::Error& error) {
        return app.exit(error);
    }
    return 0;
}
