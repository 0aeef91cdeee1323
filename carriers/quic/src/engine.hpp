// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/quic/connection.hpp>
#include "http3.hpp"
#include "native.hpp"
#include "native_memory.hpp"
#include "path_label.hpp"
#include "tls_session.hpp"

namespace stile::quic {

// What a Connection is made of: ngtcp2's connection, its TLS session and HTTP/3, which point at
// each other, so it stays where it is made.
class Connection::Engine {
public:
    // `initial` is null for a client.
    Engine(Role role, Instant now, const Config& config, const Initial* initial,
           crypto::RandomStream random);
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    void handle_datagram(Instant now, BytesView datagram, Ecn ecn);
    void handle_timeout(Instant now);
    std::optional<Batch> poll_transmit(Instant now, std::size_t segments);
    std::optional<Instant> poll_timeout() const;
    void change_path(Instant now, std::optional<Duration> round_trip);
    void close(Instant now, ErrorCode code, std::string_view text);

    bool is_open() const { return phase_ == Phase::Open; }
    Instant now() const { return now_; }
    Role role() const { return role_; }
    Http3& http() { return http_; }
    const Http3& http() const { return http_; }
    std::span<const crypto::Certificate> peer_certificates() const;
    bool owns(BytesView datagram) const;
    Statistics statistics() const;

private:
    static constexpr std::size_t local_id_octets = 8;

    enum class Phase : std::uint8_t {
        Open,
        Closing,  // our close is out and repeated where needed; RFC 9000 Section 10.2.1
        Over,
    };
    struct Hooks;
    struct FreeConnection {
        void operator()(ngtcp2_conn* connection) const { ngtcp2_conn_del(connection); }
    };
    // A packet that was written, and what keeps it out of a batch with others.
    struct Packet {
        std::size_t size = 0;
        Ecn ecn = Ecn::NotCapable;
    };

    void make_client(const ngtcp2_callbacks& hooks, const ngtcp2_settings& settings,
                     ngtcp2_transport_params& parameters);
    void make_server(const Initial& initial, const ngtcp2_callbacks& hooks,
                     const ngtcp2_settings& settings, ngtcp2_transport_params& parameters);
    ngtcp2_settings settings(const Config& config);
    ngtcp2_cid random_id(std::size_t size);
    int handle_completed();
    void handle_confirmed();
    void expire();
    void advance(Instant now) { now_ = std::max(now_, now); }

    // engine_path.cpp
    Path current_path() const;
    void begin_pings();
    void consider_pings();
    void consider_probe();
    void set_pings(std::optional<Duration> interval);
    void want_move();
    void consider_move();
    void take_validation();
    void consider_second_try();
    bool has_round_trip() const;

    // Writes one packet into `output`; empty when nothing may be sent now, or the phase changed.
    std::optional<Packet> write_packet(MutableBytes output);
    std::optional<Batch> write_batch(std::size_t segments);
    void end_burst();

    void fail(int error);
    void fail_http();
    void peer_closed();
    void begin_close(const ngtcp2_connection_close_error& error, event::Closed told);
    void end(event::Closed told);
    std::optional<Batch> poll_close();

    Role role_;
    Phase phase_ = Phase::Open;
    Instant now_;
    crypto::RandomStream random_;
    std::size_t datagram_octets_;
    TlsSession tls_;
    Http3 http_;
    NativeMemory memory_;
    // After tls_ and http_: destroyed first, while what it points to is there.
    std::unique_ptr<ngtcp2_conn, FreeConnection> connection_;
    std::vector<ConnectionId> local_ids_;

    Bytes buffer_;                // the batch that was handed out last
    std::size_t burst_left_ = 0;  // octets that congestion control allows before pacing is asked
    Bytes held_;                  // a packet that did not fit the batch before it
    Packet held_packet_;

    PathLabel label_;  // that a client is on, or wants to be on
    enum class Validation : std::uint8_t {
        None,
        Wanted,  // until there is a connection id for it
        Begun,
        Failed,  // to be tried again
    };
    Validation validation_ = Validation::None;
    std::optional<ngtcp2_path_validation_result> verdict_;  // of the library, on label_
    bool confirmed_ = false;
    bool second_try_ = false;
    std::optional<Duration> keep_alive_;
    Duration path_round_trip_{};
    std::optional<Instant> pings_begin_;
    std::optional<Instant> next_probe_;
    std::uint32_t probes_ = 0;  // since the window had room
    Instant heard_at_{};

    bool stateless_reset_ = false;
    std::uint64_t received_ = 0;
    std::uint64_t sent_ = 0;

    Bytes close_datagram_;
    bool close_due_ = false;
    std::uint64_t received_closing_ = 0;
    std::optional<Instant> close_deadline_;  // set exactly while Closing
};

}  // namespace stile::quic
