// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hosts.hpp"

#include <functional>
#include <map>
#include <memory>

// TCP as far as an agent can tell: SYNs that arrive, meet, are dropped or refused; streams that
// carry whole frames in order and end.
namespace stile::ice::testing {

inline bool contains(const std::vector<SocketAddress>& list, const SocketAddress& address) {
    return std::find(list.begin(), list.end(), address) != list.end();
}

// Time, and what is under way.
struct Wire {
    Instant now = start;
    Duration delay = 10ms;
    std::vector<Peer*> peers;
    std::multimap<Instant, std::function<void()>> flying;

    void later(Duration wait, std::function<void()> happening) {
        flying.emplace(now + wait, std::move(happening));
    }
};

class Streams {
public:
    explicit Streams(Wire& wire) : wire_(wire) {}

    enum class Fate : std::uint8_t { Pass, Drop, Reset };
    // What the network does with a SYN, from and to the addresses that are on the wire.
    std::function<Fate(const Path&)> syn_fate = [](const Path&) { return Fate::Pass; };
    std::size_t syns = 0;
    std::size_t resets = 0;

    void open(Peer& peer, const ConnectionWanted& wanted) {
        Path path = wanted.path;
        if (path.local.port == discard_port) path.local.port = Port{next_port_++};
        auto attempt = std::make_shared<Attempt>();
        attempt->end = {.peer = &peer, .id = wanted.id, .path = path};
        attempts_.push_back(attempt);
        send_syn(attempt, 1s);
    }

    void close(Peer& peer, ConnectionId id) {
        std::erase_if(attempts_, [&](const auto& attempt) { return is(attempt->end, peer, id); });
        if (Stream* stream = find(peer, id)) finish(*stream, peer);
    }
    // The network ends it: both sides hear of it.
    void cut(Peer& peer, ConnectionId id) {
        Stream* stream = find(peer, id);
        REQUIRE(stream != nullptr);
        const End ends[] = {stream->a, stream->b};
        std::erase_if(streams_, [&](const auto& one) { return one.get() == stream; });
        for (const End& end : ends) {
            if (end.peer != nullptr) end.peer->agent.handle_connection_closed(wire_.now, end.id);
        }
    }
    void send(Peer& peer, ConnectionId id, const Bytes& frame) {
        Stream* stream = find(peer, id);
        if (stream == nullptr) return;
        const std::size_t serial = stream->serial;
        const bool to_a = is(stream->b, peer, id);
        wire_.later(wire_.delay, [this, serial, to_a, frame] {
            const Stream* there = by_serial(serial);
            if (there == nullptr) return;
            const End end = to_a ? there->a : there->b;
            if (end.peer != nullptr) end.peer->agent.handle_frame(wire_.now, end.id, frame);
        });
    }
    // Streams that a side has open.
    std::size_t count(const Peer& peer) const {
        return static_cast<std::size_t>(
            std::count_if(streams_.begin(), streams_.end(), [&](const auto& stream) {
                return stream->a.peer == &peer || stream->b.peer == &peer;
            }));
    }
    std::size_t attempts() const { return attempts_.size(); }

private:
    struct End {
        Peer* peer = nullptr;
        ConnectionId id;
        Path path;
    };
    struct Attempt {
        End end;
        bool in_flight = true;
    };
    struct Stream {
        std::size_t serial;
        End a;
        End b;
    };

    static bool is(const End& end, const Peer& peer, ConnectionId id) {
        return end.peer == &peer && end.id == id;
    }
    Stream* find(const Peer& peer, ConnectionId id) {
        for (const auto& stream : streams_) {
            if (is(stream->a, peer, id) || is(stream->b, peer, id)) return stream.get();
        }
        return nullptr;
    }
    Stream* by_serial(std::size_t serial) {
        for (const auto& stream : streams_) {
            if (stream->serial == serial) return stream.get();
        }
        return nullptr;
    }
    bool is_pending(const std::shared_ptr<Attempt>& attempt) const {
        return std::find(attempts_.begin(), attempts_.end(), attempt) != attempts_.end();
    }

    // One SYN, and another after `again` while nothing comes back, as systems do.
    void send_syn(const std::shared_ptr<Attempt>& attempt, Duration again) {
        ++syns;
        Path wire_path = attempt->end.path;
        if (Nat* nat = attempt->end.peer->tcp_nat) {
            wire_path.local = nat->translate(wire_path.local, wire_path.remote);
        }
        wire_.later(again, [this, attempt, again] {
            if (is_pending(attempt) && again < 64s) send_syn(attempt, again * 2);
        });
        switch (syn_fate(wire_path)) {
            case Fate::Pass:
                wire_.later(wire_.delay,
                            [this, attempt, wire_path] { arrive(attempt, wire_path); });
                break;
            case Fate::Drop:
                break;
            case Fate::Reset:
                reset(attempt, wire_path);
                break;
        }
    }

    void reset(const std::shared_ptr<Attempt>& attempt, const Path& wire_path) {
        ++resets;
        wire_.later(wire_.delay, [this, attempt, wire_path] {
            if (!is_pending(attempt)) return;
            std::erase(attempts_, attempt);
            const End& end = attempt->end;
            if (end.peer->tcp_nat != nullptr) {
                end.peer->tcp_nat->forget(wire_path.local, wire_path.remote);
            }
            end.peer->agent.handle_connect_failed(wire_.now, end.id, ConnectFailure::Refused);
        });
    }

    void arrive(const std::shared_ptr<Attempt>& attempt, const Path& wire_path) {
        if (!is_pending(attempt)) return;
        for (Peer* peer : wire_.peers) {
            const Nat* nat = peer->tcp_nat;
            SocketAddress inside = wire_path.remote;
            if (nat != nullptr) {
                if (nat->outside != wire_path.remote.ip) continue;
                const auto admitted = nat->admit(wire_path.remote, wire_path.local);
                if (!admitted) {
                    if (nat->unexpected_syn == Nat::UnexpectedSyn::Reset) reset(attempt, wire_path);
                    return;
                }
                inside = *admitted;
            }
            const Path theirs{.local = inside, .remote = wire_path.local};
            if (meet(attempt, *peer, theirs)) return;
            if (!contains(peer->listeners, inside)) continue;
            const auto id = peer->agent.handle_accepted(wire_.now, theirs);
            if (!id) return reset(attempt, wire_path);
            establish(attempt, {.peer = peer, .id = *id, .path = theirs});
            return;
        }
        const bool is_host =
            std::any_of(wire_.peers.begin(), wire_.peers.end(), [&](const Peer* peer) {
                return std::any_of(
                           peer->sockets.begin(), peer->sockets.end(),
                           [&](const auto& one) { return one.ip == wire_path.remote.ip; }) ||
                       std::any_of(peer->listeners.begin(), peer->listeners.end(),
                                   [&](const auto& one) { return one.ip == wire_path.remote.ip; });
            });
        if (is_host) reset(attempt, wire_path);
    }

    // Two SYNs that cross: simultaneous open.
    bool meet(const std::shared_ptr<Attempt>& attempt, Peer& peer, const Path& path) {
        const auto found = std::find_if(attempts_.begin(), attempts_.end(), [&](const auto& other) {
            return other->end.peer == &peer && other->end.path == path;
        });
        if (found == attempts_.end()) return false;
        const End end = (*found)->end;
        attempts_.erase(found);
        establish(attempt, end);
        end.peer->agent.handle_connected(wire_.now, end.id, end.path);
        return true;
    }

    void establish(const std::shared_ptr<Attempt>& attempt, const End& other) {
        std::erase(attempts_, attempt);
        auto stream = std::make_unique<Stream>();
        stream->serial = ++serials_;
        stream->a = attempt->end;
        stream->b = other;
        streams_.push_back(std::move(stream));
        wire_.later(wire_.delay, [this, serial = serials_] {
            const Stream* there = by_serial(serial);
            if (there == nullptr || there->a.peer == nullptr) return;
            const End end = there->a;
            end.peer->agent.handle_connected(wire_.now, end.id, end.path);
        });
    }

    // One side closes; what it has sent arrives first.
    void finish(Stream& stream, const Peer& peer) {
        End& mine = stream.a.peer == &peer ? stream.a : stream.b;
        mine.peer = nullptr;
        wire_.later(wire_.delay, [this, serial = stream.serial] {
            const Stream* there = by_serial(serial);
            if (there == nullptr) return;
            const End other = there->a.peer != nullptr ? there->a : there->b;
            std::erase_if(streams_, [&](const auto& one) { return one->serial == serial; });
            if (other.peer != nullptr) {
                other.peer->agent.handle_connection_closed(wire_.now, other.id);
            }
        });
    }

    Wire& wire_;
    std::vector<std::shared_ptr<Attempt>> attempts_;
    std::vector<std::unique_ptr<Stream>> streams_;
    std::size_t serials_ = 0;
    std::uint16_t next_port_ = 50000;
};

}  // namespace stile::ice::testing
