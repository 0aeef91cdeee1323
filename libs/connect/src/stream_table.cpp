// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/connect/stream_table.hpp>

#include <algorithm>
#include <utility>

namespace stile::connect {

Stream& StreamTable::add(Stream::Use use, Stream::Phase phase, const Path& path) {
    streams_.push_back({.id = {++last_id_},
                        .use = use,
                        .phase = phase,
                        .path = path,
                        .connection = {},
                        .inbox = {},
                        .relayed_pair = {}});
    return streams_.back();
}

Stream* StreamTable::find(StreamId id) {
    const auto stream = std::ranges::find(streams_, id, &Stream::id);
    return stream == streams_.end() ? nullptr : &*stream;
}

Stream* StreamTable::find(ice::ConnectionId connection) {
    const auto stream = std::ranges::find(streams_, std::optional{connection}, &Stream::connection);
    return stream == streams_.end() ? nullptr : &*stream;
}

const Stream* StreamTable::find(ice::ConnectionId connection) const {
    const auto stream = std::ranges::find(streams_, std::optional{connection}, &Stream::connection);
    return stream == streams_.end() ? nullptr : &*stream;
}

void StreamTable::erase(StreamId id) {
    std::erase_if(streams_, [&](const Stream& stream) { return stream.id == id; });
}

std::optional<StreamTransmit> StreamTable::poll_transmit() {
    if (queued_.empty()) return std::nullopt;
    const StreamId stream = queued_.front().stream;
    current_ = std::move(queued_.front().octets);
    queued_.pop_front();
    return StreamTransmit{stream, current_};
}

}  // namespace stile::connect
