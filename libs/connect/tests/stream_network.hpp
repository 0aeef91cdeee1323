// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support.hpp"

#include <utility>

namespace stile::connect::test {

// TCP between two connectors, which hear each other at once: connections that open, are refused or
// meet half-way, and streams that arrive in whatever pieces.
class StreamNetwork {
public:
    StreamNetwork(Driven& left, Driven& right, std::uint64_t seed)
        : sides_{&left, &right}, random_(random(seed)) {}

    enum class Datagrams : std::uint8_t { Pass, Blocked };
    Datagrams datagrams = Datagrams::Blocked;
    enum class Listening : std::uint8_t { Open, Firewalled };  // for SYNs that nobody waits for
    Listening listening = Listening::Open;

    std::size_t open() const { return streams_.size(); }

    void run(Duration time) {
        const Instant end = sides_[0]->now + time;
        for (;;) {
            while (step()) {
            }
            const auto wake = earlier(sides_[0]->settle(), sides_[1]->settle());
            if (!wake || *wake > end) break;
            for (Driven* side : sides_) side->now = std::max(side->now, *wake);
            for (Driven* side : sides_) side->connector.handle_timeout(side->now);
        }
        for (Driven* side : sides_) side->now = end;
    }
    // Both ends hear of it.
    void cut() {
        for (const Stream& stream : std::exchange(streams_, {})) {
            for (std::size_t side : {0U, 1U}) {
                sides_[side]->connector.handle_stream_closed(sides_[side]->now, stream.ends[side]);
            }
        }
    }

private:
    struct Stream {
        StreamId ends[2];
    };
    struct Attempt {
        std::size_t side;
        StreamWanted wanted;
    };

    // True when something happened.
    bool step() {
        bool happened = false;
        for (const std::size_t side : {0U, 1U}) {
            Driven& driven = *sides_[side];
            driven.settle();
            for (; events_[side] < driven.events.size(); ++events_[side]) {
                happened = true;
                const Event event = driven.events[events_[side]];
                if (const auto* wanted = std::get_if<StreamWanted>(&event)) open(side, *wanted);
                if (const auto* unwanted = std::get_if<StreamUnwanted>(&event)) {
                    close(side, unwanted->stream);
                }
            }
            for (; written_[side] < driven.written.size(); ++written_[side]) {
                happened = true;
                carry(side, driven.written[written_[side]]);
            }
            for (; sent_[side] < driven.sent.size(); ++sent_[side]) {
                const Sent sent = driven.sent[sent_[side]];
                if (datagrams == Datagrams::Blocked) continue;
                happened = true;
                sides_[1 - side]->receive({sent.path.remote, sent.path.local}, sent.octets);
            }
        }
        return happened;
    }

    void open(std::size_t side, const StreamWanted& wanted) {
        Driven& other = *sides_[1 - side];
        Path path = wanted.path;
        if (wanted.local_port == StreamWanted::LocalPort::Any) path.local.port = Port{next_port_++};
        const Path theirs{path.remote, path.local};
        const auto met = std::ranges::find_if(attempts_, [&](const Attempt& attempt) {
            return attempt.side != side && attempt.wanted.path == theirs;
        });
        if (met != attempts_.end()) {
            const StreamId id = met->wanted.stream;
            attempts_.erase(met);
            return establish(side, wanted.stream, path, id, theirs);
        }
        const bool is_open =
            std::ranges::find(listeners[1 - side], path.remote) != listeners[1 - side].end();
        if (listening == Listening::Open && is_open) {
            const auto accepted = other.connector.handle_stream_accepted(other.now, theirs);
            if (accepted) return join(side, wanted.stream, path, *accepted);
        }
        if (wanted.local_port == StreamWanted::LocalPort::Shared) {
            attempts_.push_back({side, wanted});
            return;
        }
        sides_[side]->connector.handle_stream_failed(sides_[side]->now, wanted.stream,
                                                     ice::ConnectFailure::Refused);
    }

    void establish(std::size_t side, StreamId mine, const Path& path, StreamId theirs,
                   const Path& back) {
        Driven& other = *sides_[1 - side];
        Stream stream{};
        stream.ends[side] = mine;
        stream.ends[1 - side] = theirs;
        streams_.push_back(stream);
        other.connector.handle_stream_opened(other.now, theirs, back);
        sides_[side]->connector.handle_stream_opened(sides_[side]->now, mine, path);
    }
    void join(std::size_t side, StreamId mine, const Path& path, StreamId theirs) {
        Stream stream{};
        stream.ends[side] = mine;
        stream.ends[1 - side] = theirs;
        streams_.push_back(stream);
        sides_[side]->connector.handle_stream_opened(sides_[side]->now, mine, path);
    }

    void close(std::size_t side, StreamId id) {
        std::erase_if(attempts_, [&](const Attempt& attempt) {
            return attempt.side == side && attempt.wanted.stream == id;
        });
        const auto stream = std::ranges::find_if(
            streams_, [&](const Stream& each) { return each.ends[side] == id; });
        if (stream == streams_.end()) return;
        const StreamId other = stream->ends[1 - side];
        streams_.erase(stream);
        sides_[1 - side]->connector.handle_stream_closed(sides_[1 - side]->now, other);
    }

    void carry(std::size_t side, const SentOnStream& sent) {
        const auto stream = std::ranges::find_if(
            streams_, [&](const Stream& each) { return each.ends[side] == sent.stream; });
        if (stream == streams_.end()) return;
        const StreamId id = stream->ends[1 - side];
        Driven& other = *sides_[1 - side];
        BytesView rest = sent.octets;
        while (!rest.empty()) {
            const std::size_t piece = 1 + random_.below(rest.size());
            other.connector.handle_stream_bytes(other.now, id, rest.first(piece));
            rest = rest.subspan(piece);
        }
    }

public:
    std::vector<SocketAddress> listeners[2];

private:
    Driven* sides_[2];
    crypto::RandomStream random_;
    std::vector<Stream> streams_;
    std::vector<Attempt> attempts_;
    std::size_t events_[2] = {0, 0};
    std::size_t written_[2] = {0, 0};
    std::size_t sent_[2] = {0, 0};
    std::uint16_t next_port_ = 50000;
};

}  // namespace stile::connect::test
