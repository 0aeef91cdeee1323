// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// The TCP connections of a run.
#include <stile/sim/sessions/connect_run.hpp>

namespace stile::sim {

void ConnectRun::send_streams(std::size_t index) {
    Side& side = sides_[index];
    while (const auto transmit = side.connector.poll_stream_transmit()) {
        const auto end = side.ends.find(transmit->stream);
        if (end == side.ends.end()) {
            problem_ = "octets for a stream that is not there";
            return;
        }
        world_.send(end->second.first, end->second.second, transmit->octets);
    }
}

void ConnectRun::open_stream(std::size_t index, const connect::StreamWanted& wanted) {
    Side& side = sides_[index];
    Path path = wanted.path;
    if (wanted.local_port == connect::StreamWanted::LocalPort::Any) {
        path.local.port = Port{side.next_port++};
    }
    const StreamId stream = world_.connect(side.host, path);
    side.streams[stream] = wanted.stream;
    side.ends[wanted.stream] = {stream, StreamEnd::Client};
}

void ConnectRun::handle_stream(std::size_t index, const StreamOpened& opened) {
    Side& side = sides_[index];
    const auto stream = side.streams.find(opened.stream);
    if (stream == side.streams.end()) return;
    side.connector.handle_stream_opened(world_.now(), stream->second, opened.path);
}

void ConnectRun::handle_stream(std::size_t index, const StreamAccepted& accepted) {
    Side& side = sides_[index];
    const auto stream = side.connector.handle_stream_accepted(world_.now(), accepted.path);
    if (!stream) return world_.close(accepted.stream, StreamEnd::Server);
    side.streams[accepted.stream] = *stream;
    side.ends[*stream] = {accepted.stream, StreamEnd::Server};
}

void ConnectRun::handle_stream(std::size_t index, const StreamArrived& arrived) {
    Side& side = sides_[index];
    const auto stream = side.streams.find(arrived.stream);
    if (stream == side.streams.end()) return;
    side.connector.handle_stream_bytes(world_.now(), stream->second, arrived.octets);
}

void ConnectRun::handle_stream(std::size_t index, const StreamClosed& closed) {
    Side& side = sides_[index];
    const auto found = side.streams.find(closed.stream);
    if (found == side.streams.end()) return;
    const connect::StreamId stream = found->second;
    side.ends.erase(stream);
    side.streams.erase(found);
    using Why = StreamClosed::Why;
    const auto fail = [&](ice::ConnectFailure failure) {
        side.connector.handle_stream_failed(world_.now(), stream, failure);
    };
    switch (closed.why) {
        case Why::Ended:
            return side.connector.handle_stream_closed(world_.now(), stream);
        case Why::Refused:
            return fail(ice::ConnectFailure::Refused);
        case Why::TimedOut:
            return fail(ice::ConnectFailure::TimedOut);
        case Why::Unreachable:
            return fail(ice::ConnectFailure::Unreachable);
        case Why::Local:
            return fail(ice::ConnectFailure::Local);
    }
}

void ConnectRun::take_received(std::size_t index) {
    while (const auto received = sides_[index].connector.poll_received()) {
        count_received(index, received);
    }
}

}  // namespace stile::sim
