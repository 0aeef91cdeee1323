// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "engine.hpp"

#include <stile/quic/limits.hpp>

#include <algorithm>

namespace stile::quic {

std::optional<Batch> Connection::Engine::poll_transmit(Instant now, std::size_t segments) {
    advance(now);
    if (phase_ == Phase::Open) {
        auto batch = write_batch(std::clamp<std::size_t>(segments, 1, most_batch_segments));
        take_validation();  // the library may have given it up
        if (batch) return batch;
    }
    return phase_ == Phase::Closing ? poll_close() : std::nullopt;
}

std::optional<Connection::Engine::Packet> Connection::Engine::write_packet(MutableBytes output) {
    NativePath path;
    ngtcp2_pkt_info info{};
    for (;;) {
        Http3::Outgoing outgoing;
        if (http_.is_started() && ngtcp2_conn_get_max_data_left(connection_.get()) > 0) {
            auto next = http_.next_outgoing();
            if (!next) {
                fail_http();
                return std::nullopt;
            }
            outgoing = *next;
        }
        ngtcp2_ssize taken = -1;
        const std::uint32_t flags =
            NGTCP2_WRITE_STREAM_FLAG_MORE |
            (outgoing.last ? NGTCP2_WRITE_STREAM_FLAG_FIN : NGTCP2_WRITE_STREAM_FLAG_NONE);
        // The two libraries' vectors have one layout: a pointer and a size.
        const auto written = ngtcp2_conn_writev_stream(
            connection_.get(), path.get(), &info, native_data(output), output.size(), &taken, flags,
            outgoing.stream, reinterpret_cast<const ngtcp2_vec*>(outgoing.parts.data()),
            outgoing.count, to_native(now_));
        switch (written) {
            case NGTCP2_ERR_WRITE_MORE:
                http_.sent(outgoing.stream, static_cast<std::size_t>(taken));
                continue;
            case NGTCP2_ERR_STREAM_DATA_BLOCKED:
                http_.blocked(outgoing.stream);
                continue;
            case NGTCP2_ERR_STREAM_SHUT_WR:
            case NGTCP2_ERR_STREAM_NOT_FOUND:
                http_.sending_shut(outgoing.stream);
                continue;
            default:  // any other code of the library
                break;
        }
        if (written < 0) {
            fail(static_cast<int>(written));
            return std::nullopt;
        }
        if (taken >= 0 && outgoing.stream >= 0) {
            http_.sent(outgoing.stream, static_cast<std::size_t>(taken));
        }
        if (written == 0) return std::nullopt;
        return Packet{.size = static_cast<std::size_t>(written), .ecn = static_cast<Ecn>(info.ecn)};
    }
}

std::optional<Batch> Connection::Engine::write_batch(std::size_t segments) {
    buffer_.resize(most_batch_octets + most_datagram_octets);
    if (burst_left_ == 0) {
        burst_left_ = std::max<std::size_t>(ngtcp2_conn_get_send_quantum(connection_.get()),
                                            2 * datagram_octets_);
    }
    std::size_t used = 0;
    std::size_t count = 0;
    Packet first;
    bool more_allowed = true;
    if (held_packet_.size > 0) {
        std::ranges::copy(held_, buffer_.begin());
        first = std::exchange(held_packet_, {});
        used = first.size;
        count = 1;
    }
    while (count < segments && used < burst_left_ && used + datagram_octets_ <= most_batch_octets) {
        const auto packet = write_packet(MutableBytes{buffer_}.subspan(used, datagram_octets_));
        if (!packet) {
            more_allowed = false;
            break;
        }
        if (count == 0) {
            first = *packet;
        } else if (packet->size > first.size || packet->ecn != first.ecn) {
            // Cannot be a segment of this batch: it begins the next one.
            const auto begin = buffer_.begin() + static_cast<std::ptrdiff_t>(used);
            held_.assign(begin, begin + static_cast<std::ptrdiff_t>(packet->size));
            held_packet_ = *packet;
            break;
        }
        used += packet->size;
        ++count;
        if (packet->size < first.size) break;  // only the last segment may be shorter
    }
    burst_left_ -= std::min(burst_left_, used);
    if (phase_ != Phase::Open) return std::nullopt;
    if (!more_allowed || burst_left_ == 0) end_burst();
    if (count == 0) {
        if (http_.is_idle()) buffer_ = {};  // an idle connection keeps no buffer
        return std::nullopt;
    }
    sent_ += count;
    return Batch{
        .payload = BytesView{buffer_}.first(used), .segment_octets = first.size, .ecn = first.ecn};
}

// From here the pacer counts. Before the first round trip was measured it is only as good as
// Config::initial_rtt.
void Connection::Engine::end_burst() {
    burst_left_ = 0;
    // After a change of path the first window goes out as one burst, as RFC 9002 Section 7.7
    // allows, rather than spread over the old path's round trip.
    if (confirmed_ && !has_round_trip()) return;
    ngtcp2_conn_update_pkt_tx_time(connection_.get(), to_native(now_));
}

std::optional<Batch> Connection::Engine::poll_close() {
    if (!std::exchange(close_due_, false)) return std::nullopt;
    ++sent_;
    return Batch{.payload = close_datagram_, .segment_octets = close_datagram_.size()};
}

}  // namespace stile::quic
