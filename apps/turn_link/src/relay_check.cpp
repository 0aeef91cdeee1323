// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn_link/relay_check.hpp>

#include <stile/drivers/tcp.hpp>

#include <algorithm>
#include <map>
#include <utility>

namespace stile::turn_link {
namespace {

using turn::Client;

// Longer than any request waits.
constexpr Duration most_wait = std::chrono::seconds{60};

// A link and what it has said.
struct Party {
    std::unique_ptr<TurnLink> link;
    std::optional<Client::Allocated> allocated;
    std::optional<LinkFailure> failure;
    std::vector<Client::Event> events;
    std::vector<IpAddress> permitted;
    std::move_only_function<void(const SocketAddress&, BytesView)> on_data;

    void open(drivers::Loop& loop, drivers::NameService& names, const TurnLinkOptions& options) {
        link = std::make_unique<TurnLink>(
            loop, names, options,
            TurnLink::Handlers{.on_event =
                                   [this](const Client::Event& event) {
                                       if (const auto* made =
                                               std::get_if<Client::Allocated>(&event)) {
                                           allocated = *made;
                                       }
                                       events.push_back(event);
                                   },
                               .on_data =
                                   [this](const SocketAddress& peer, BytesView payload) {
                                       if (on_data) on_data(peer, payload);
                                   },
                               .on_ended = [this](const LinkFailure& why) { failure = why; }});
    }
    // Takes the first event of that kind which fits.
    template <class Kind, class Fits>
    std::optional<Kind> take(Fits&& fits) {
        for (auto each = events.begin(); each != events.end(); ++each) {
            const auto* found = std::get_if<Kind>(&*each);
            if (found == nullptr || !fits(*found)) continue;
            const Kind kind = *found;
            events.erase(each);
            return kind;
        }
        return std::nullopt;
    }
    template <class Kind>
    std::optional<Kind> take() {
        return take<Kind>([](const Kind&) { return true; });
    }
};

// What is sent: different for each of a series, and not guessed by a relay.
Bytes payload_of(std::size_t number, std::size_t octets) {
    Bytes payload(octets);
    std::uint64_t state = number * 0x9E3779B97F4A7C15U + octets;
    for (std::byte& octet : payload) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        octet = static_cast<std::byte>(state >> 56U);
    }
    if (!payload.empty()) payload[0] = static_cast<std::byte>(number);
    return payload;
}

class Check {
public:
    Check(drivers::Loop& loop, drivers::NameService& names, const RelayCheckOptions& options)
        : loop_(loop), names_(names), options_(options) {}

    RelayReport run() {
        const Instant started = loop_.now();
        us_.open(loop_, names_, options_.link);
        wait([&] { return us_.allocated || us_.failure; });
        report_.server = us_.link->server();
        if (us_.allocated) {
            report_.allocated = us_.allocated;
            report_.setup = loop_.now() - started;
            report_.local = us_.link->local_address();
            report_.security = us_.link->security();
            if (options_.link.client.protocol == turn::RelayProtocol::Tcp) {
                check_passive();
                check_active();
            } else {
                check_datagrams();
            }
            release(us_);
            if (us_.take<Client::Released>()) report_.released = RelayReport::Released::Yes;
        }
        report_.failure = us_.failure;
        return std::move(report_);
    }

private:
    template <class Condition>
    bool wait(Condition&& condition, Duration at_most = most_wait) {
        return loop_.run_until([&] { return condition(); }, at_most) ==
               drivers::Loop::Outcome::Done;
    }
    void pause(Duration duration) {
        (void)loop_.run_until([] { return false; }, duration);
    }
    void release(Party& party) {
        if (!party.link || party.failure) return;
        party.link->release();
        wait([&] {
            return party.failure || std::ranges::any_of(party.events, [](const auto& event) {
                       return std::holds_alternative<Client::Released>(event);
                   });
        });
    }

    // Whether the server took it.
    template <class Yes, class No, class Fits>
    bool granted(Party& party, const std::string& step, Fits&& fits) {
        std::optional<Yes> yes;
        std::optional<No> no;
        wait([&] {
            if (!yes) yes = party.take<Yes>(fits);
            if (!no) no = party.take<No>(fits);
            return yes || no || party.failure;
        });
        if (no) report_.refusals.push_back({step, no->failure});
        return yes.has_value();
    }
    bool permit(Party& party, const IpAddress& peer) {
        // The event comes once.
        if (std::ranges::find(party.permitted, peer) != party.permitted.end()) return true;
        party.link->permit(peer);
        const bool done = granted<Client::PermissionInstalled, Client::PermissionFailed>(
            party, "CreatePermission for " + peer.to_string(),
            [&](const auto& event) { return event.peer == peer; });
        if (done) party.permitted.push_back(peer);
        return done;
    }
    bool bind(Party& party, const SocketAddress& peer) {
        party.link->bind_channel(peer);
        return granted<Client::ChannelBound, Client::ChannelFailed>(
            party, "ChannelBind to " + peer.to_string(),
            [&](const auto& event) { return event.peer == peer; });
    }

    void check_datagrams() {
        if (!options_.echo) {
            open_echo();
            if (!echo_.allocated) return;
            report_.notes.emplace_back(
                "the way in from outside: a firewall before the relay's ports shows with an echo "
                "peer only");
        }
        for (const SocketAddress& ours : us_.allocated->relayed) {
            const auto peer = peer_for(ours.ip.family());
            if (!peer) {
                report_.notes.push_back("no peer of the family of " + ours.to_string());
                continue;
            }
            if (!permit(us_, peer->ip)) continue;
            if (!options_.echo && !permit(echo_, ours.ip)) continue;
            check_ways(*peer);
        }
        release(echo_);
    }
    void open_echo() {
        TurnLinkOptions second = options_.link;
        second.client.even_port.reset();
        second.client.reservation.reset();
        second.client.mobility = turn::ClientConfig::Mobility::NotWanted;
        echo_.on_data = [this](const SocketAddress& peer, BytesView payload) {
            (void)echo_.link->send(peer, payload);
        };
        echo_.open(loop_, names_, second);
        wait([&] { return echo_.allocated || echo_.failure; });
        if (echo_.failure && echo_.failure->failure) {
            report_.refusals.push_back({"a second Allocate", *echo_.failure->failure});
        }
    }
    std::optional<SocketAddress> peer_for(AddressFamily family) const {
        if (options_.echo) {
            return options_.echo->ip.family() == family ? options_.echo : std::nullopt;
        }
        const auto& relayed = echo_.allocated->relayed;
        const auto found = std::ranges::find_if(
            relayed, [&](const SocketAddress& each) { return each.ip.family() == family; });
        return found == relayed.end() ? std::nullopt : std::optional{*found};
    }
    void check_ways(const SocketAddress& peer) {
        using DontFragment = turn::ClientConfig::DontFragment;
        run_series(Way::Indications, peer, DontFragment::NotNeeded);
        if (options_.link.client.dont_fragment == DontFragment::Wanted) {
            run_series(Way::UnfragmentedIndications, peer, DontFragment::Wanted);
        }
        if (!bind(us_, peer)) return;
        run_series(Way::Channels, peer, DontFragment::NotNeeded);
        if (options_.move == RelayCheckOptions::Move::Skipped) return;
        if (us_.link->move(options_.link.local) == Client::Moving::NoTicket) {
            report_.notes.emplace_back("the server offers no mobility");
            return;
        }
        std::optional<Client::MoveFailed> refused;
        std::optional<Client::Moved> moved;
        wait([&] {
            moved = us_.take<Client::Moved>();
            refused = us_.take<Client::MoveFailed>();
            return moved || refused || us_.failure;
        });
        if (refused) report_.refusals.push_back({"Refresh with MOBILITY-TICKET", refused->failure});
        if (moved) run_series(Way::ChannelsAfterMove, peer, DontFragment::NotNeeded);
    }

    void run_series(Way way, const SocketAddress& peer, turn::ClientConfig::DontFragment fragment) {
        for (const std::size_t octets : options_.sizes) {
            std::map<Bytes, Instant> awaited;
            Series series{.way = way, .family = peer.ip.family(), .octets = octets};
            Duration sum{};
            us_.on_data = [&](const SocketAddress& from, BytesView payload) {
                const auto found = awaited.find(to_bytes(payload));
                if (from != peer || found == awaited.end()) {
                    ++series.damaged;
                    return;
                }
                note(series, sum, loop_.now() - found->second);
                awaited.erase(found);
            };
            for (std::size_t i = 0; i < options_.count && !us_.failure; ++i) {
                const Bytes payload = payload_of(i, octets);
                if (us_.link->send(peer, payload, fragment) != Client::Sent::Queued) break;
                awaited.emplace(payload, loop_.now());
                ++series.sent;
                pause(options_.interval);
            }
            wait([&] { return awaited.empty() || us_.failure; }, options_.patience);
            us_.on_data = nullptr;
            finish(series, sum);
        }
    }
    static void note(Series& series, Duration& sum, Duration round_trip) {
        series.least = series.returned == 0 ? round_trip : std::min(series.least, round_trip);
        series.most = std::max(series.most, round_trip);
        sum += round_trip;
        ++series.returned;
    }
    void finish(Series& series, Duration sum) {
        if (series.returned != 0) series.mean = sum / static_cast<int>(series.returned);
        report_.series.push_back(series);
    }

    // The peer is a connection of our own to the relayed address.
    void check_passive() {
        const SocketAddress relayed = us_.allocated->relayed.front();
        if (!permit(us_, us_.allocated->mapped.ip)) return;
        drivers::TcpOptions options;
        options.local = SocketAddress{.ip = report_.local.ip, .port = {}};
        const auto peer = drivers::TcpStream::connect(loop_, relayed, options);
        bool lost = false;
        peer->set_handlers({.on_open = {},
                            .on_bytes = [&](BytesView octets) { (void)peer->write(octets); },
                            .on_end = {},
                            .on_writable = {},
                            .on_closed = [&](const drivers::Closed&) { lost = true; }});
        std::optional<Client::ConnectionAttempt> attempt;
        wait([&] {
            attempt = us_.take<Client::ConnectionAttempt>();
            return attempt || lost || us_.failure;
        });
        if (!attempt) {
            report_.notes.emplace_back("a connection to the relayed address was not announced");
            return;
        }
        exchange(Way::PassiveConnection, attempt->connection, attempt->peer.ip.family());
    }
    // The peer is the given one, or a listener here, where no NAT is between it and the relay.
    void check_active() {
        std::unique_ptr<drivers::TcpStream> accepted;
        std::unique_ptr<drivers::TcpListener> listener;
        SocketAddress peer;
        if (options_.echo) {
            peer = *options_.echo;
        } else {
            if (us_.allocated->mapped.ip != report_.local.ip) {
                report_.notes.emplace_back(
                    "behind a NAT the relay cannot connect to this machine; name an echo peer");
                return;
            }
            auto opened = drivers::TcpListener::open(
                loop_, {.ip = report_.local.ip, .port = {}},
                [&](std::unique_ptr<drivers::TcpStream> stream) {
                    accepted = std::move(stream);
                    accepted->set_handlers(
                        {.on_open = {},
                         .on_bytes = [&](BytesView octets) { (void)accepted->write(octets); },
                         .on_end = {},
                         .on_writable = {},
                         .on_closed = {}});
                });
            if (!opened) return report_.notes.push_back(opened.error().text);
            listener = *std::move(opened);
            peer = listener->local_address();
        }
        if (!permit(us_, peer.ip)) return;
        us_.link->connect(peer);
        std::optional<Client::Connected> connected;
        wait([&] {
            connected = us_.take<Client::Connected>();
            if (const auto failed = us_.take<Client::ConnectFailed>()) {
                report_.refusals.push_back({"Connect to " + peer.to_string(), failed->failure});
                return true;
            }
            return connected || us_.failure;
        });
        if (connected) {
            exchange(Way::ActiveConnection, connected->connection, peer.ip.family());
        }
    }
    void exchange(Way way, turn::ConnectionId connection, AddressFamily family) {
        bool open = false;
        std::optional<PeerStream::End> ended;
        Bytes received;
        const auto stream = us_.link->open_connection(
            connection, {.on_open = [&] { open = true; },
                         .on_bytes =
                             [&](BytesView octets) {
                                 received.insert(received.end(), octets.begin(), octets.end());
                             },
                         .on_closed = [&](PeerStream::End why) { ended = std::move(why); }});
        if (!stream) {
            report_.notes.emplace_back("no data connection could be opened");
            return;
        }
        wait([&] { return open || ended || us_.failure; });
        if (!open) {
            if (ended && ended->failure) {
                report_.refusals.push_back({"ConnectionBind", *ended->failure});
            } else if (ended) {
                report_.notes.push_back("data connection: " + ended->closed.text);
            }
            return;
        }
        for (const std::size_t octets : options_.sizes) {
            Series series{.way = way, .family = family, .octets = octets};
            Duration sum{};
            for (std::size_t i = 0; i < options_.count && !ended; ++i) {
                const Bytes payload = payload_of(i, octets);
                received.clear();
                if (stream->write(payload) != drivers::Written::Queued) break;
                const Instant sent = loop_.now();
                ++series.sent;
                wait([&] { return received.size() >= octets || ended; }, options_.patience);
                if (received == payload) {
                    note(series, sum, loop_.now() - sent);
                } else if (!received.empty()) {
                    ++series.damaged;
                }
            }
            finish(series, sum);
        }
        // In order: a reset would reach the peer.
        stream->close();
        wait([&] { return ended.has_value(); }, options_.patience);
    }

    drivers::Loop& loop_;
    drivers::NameService& names_;
    const RelayCheckOptions& options_;
    RelayReport report_;
    Party us_;
    Party echo_;
};

}  // namespace

std::string_view to_string(Way way) {
    switch (way) {
        case Way::Indications:
            return "indications";
        case Way::UnfragmentedIndications:
            return "unfragmented indications";
        case Way::Channels:
            return "channels";
        case Way::ChannelsAfterMove:
            return "channels after a move";
        case Way::ActiveConnection:
            return "active connection";
        case Way::PassiveConnection:
            return "passive connection";
    }
    return "";
}

bool RelayReport::lossless() const {
    return !series.empty() && std::ranges::all_of(series, [](const Series& each) {
        return each.sent != 0 && each.returned == each.sent && each.damaged == 0;
    });
}

RelayReport check_relay(drivers::Loop& loop, drivers::NameService& names,
                        const RelayCheckOptions& options) {
    return Check{loop, names, options}.run();
}

}  // namespace stile::turn_link
