// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "engine.hpp"

#include <stile/base/assert.hpp>
#include <stile/base/machine.hpp>
#include <stile/quic/limits.hpp>

#include <ngtcp2/ngtcp2_crypto.h>
#include <algorithm>

namespace stile::quic {
namespace {

constexpr std::size_t first_destination_octets = 18;  // RFC 9000 Section 7.2: at least 8
constexpr std::uint64_t unidirectional_streams = 3;   // control and two of QPACK
constexpr std::uint64_t unidirectional_window = 262'144;
// kGranularity of RFC 9002 Section 6.1.2: timers below it would only repeat packets for nothing.
constexpr Duration least_initial_rtt = std::chrono::milliseconds{1};
constexpr std::uint64_t spare_ids = 7;  // a migration uses one up on each side

ngtcp2_cc_algo native_algorithm(CongestionControl algorithm) {
    switch (algorithm) {
        case CongestionControl::Cubic:
            return NGTCP2_CC_ALGO_CUBIC;
        case CongestionControl::Bbr:
            return NGTCP2_CC_ALGO_BBR;
    }
    return NGTCP2_CC_ALGO_CUBIC;
}

ngtcp2_transport_params transport_parameters(Role role, const Config& config) {
    ngtcp2_transport_params parameters{};
    ngtcp2_transport_params_default(&parameters);
    parameters.initial_max_data = config.first_window;
    parameters.initial_max_stream_data_bidi_local = config.first_window;
    parameters.initial_max_stream_data_bidi_remote = config.first_window;
    parameters.initial_max_stream_data_uni = unidirectional_window;
    parameters.initial_max_streams_bidi = role == Role::Server ? most_parallel_requests : 0;
    parameters.initial_max_streams_uni = unidirectional_streams;
    parameters.max_idle_timeout = to_native(config.idle_timeout);
    parameters.active_connection_id_limit = spare_ids;
    return parameters;
}

}  // namespace

// What ngtcp2 calls. None of these may call back into its reading and writing.
struct Connection::Engine::Hooks {
    static Engine& of(void* user_data) { return *static_cast<Engine*>(user_data); }
    static int result(Http3::Step step) {
        return step == Http3::Step::Done ? 0 : NGTCP2_ERR_CALLBACK_FAILURE;
    }

    static void random(std::uint8_t* data, std::size_t size, const ngtcp2_rand_ctx* context) {
        static_cast<crypto::RandomStream*>(context->native_handle)->fill(from_native(data, size));
    }
    static int new_id(ngtcp2_conn*, ngtcp2_cid* id, std::uint8_t* token, std::size_t size,
                      void* self) {
        Engine& engine = of(self);
        *id = engine.random_id(size);
        engine.random_.fill(from_native(token, NGTCP2_STATELESS_RESET_TOKENLEN));
        engine.local_ids_.push_back(from_native(*id));
        return 0;
    }
    static int remove_id(ngtcp2_conn*, const ngtcp2_cid* id, void* self) {
        std::erase(of(self).local_ids_, from_native(*id));
        return 0;
    }
    static int challenge(ngtcp2_conn*, std::uint8_t* data, void* self) {
        of(self).random_.fill(from_native(data, NGTCP2_PATH_CHALLENGE_DATALEN));
        return 0;
    }
    static int completed(ngtcp2_conn*, void* self) { return of(self).handle_completed(); }
    static int confirmed(ngtcp2_conn*, void* self) {
        of(self).handle_confirmed();
        return 0;
    }
    static int octets(ngtcp2_conn*, std::uint32_t flags, std::int64_t id, std::uint64_t,
                      const std::uint8_t* data, std::size_t size, void* self, void*) {
        const bool last = (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0;
        return result(
            of(self).http_.handle_octets(id, from_native(data, size), last ? More::No : More::Yes));
    }
    static int acknowledged(ngtcp2_conn*, std::int64_t id, std::uint64_t, std::uint64_t size,
                            void* self, void*) {
        return result(of(self).http_.handle_acknowledged(id, size));
    }
    static int stream_closed(ngtcp2_conn*, std::uint32_t flags, std::int64_t id, std::uint64_t code,
                             void* self, void*) {
        Engine& engine = of(self);
        if (!engine.http_.is_started()) return 0;
        const bool has_code = (flags & NGTCP2_STREAM_CLOSE_FLAG_APP_ERROR_CODE_SET) != 0;
        return result(engine.http_.handle_stream_closed(
            id, has_code ? std::optional{ErrorCode{code}} : std::nullopt));
    }
    static int stream_reset(ngtcp2_conn*, std::int64_t id, std::uint64_t, std::uint64_t code,
                            void* self, void*) {
        if (of(self).http_.is_started()) of(self).http_.handle_stream_reset(id, {code});
        return 0;
    }
    // By us: the library tells nobody when the peer stops reading.
    static int reading_stopped(ngtcp2_conn*, std::int64_t id, std::uint64_t, void* self, void*) {
        if (of(self).http_.is_started()) of(self).http_.handle_reading_stopped(id);
        return 0;
    }
    static int more_requests(ngtcp2_conn*, std::uint64_t, void* self) {
        of(self).http_.handle_more_requests_allowed();
        return 0;
    }
    static int more_peer_requests(ngtcp2_conn*, std::uint64_t count, void* self) {
        if (of(self).http_.is_started()) of(self).http_.handle_more_peer_requests_allowed(count);
        return 0;
    }
    static int more_stream_data(ngtcp2_conn*, std::int64_t id, std::uint64_t, void* self, void*) {
        if (of(self).http_.is_started()) of(self).http_.handle_more_stream_data_allowed(id);
        return 0;
    }
    static int path_validated(ngtcp2_conn*, std::uint32_t, const ngtcp2_path* path,
                              ngtcp2_path_validation_result validation, void* self) {
        Engine& engine = of(self);
        if (from_native(*path) == path_of(engine.role_, engine.label_)) {
            engine.verdict_ = validation;
        }
        return 0;
    }
    static int stateless_reset(ngtcp2_conn*, const ngtcp2_pkt_stateless_reset*, void* self) {
        of(self).stateless_reset_ = true;
        return 0;
    }

    static ngtcp2_callbacks all() {
        ngtcp2_callbacks hooks{};
        hooks.client_initial = &ngtcp2_crypto_client_initial_cb;
        hooks.recv_client_initial = &ngtcp2_crypto_recv_client_initial_cb;
        hooks.recv_crypto_data = &ngtcp2_crypto_recv_crypto_data_cb;
        hooks.encrypt = &ngtcp2_crypto_encrypt_cb;
        hooks.decrypt = &ngtcp2_crypto_decrypt_cb;
        hooks.hp_mask = &ngtcp2_crypto_hp_mask_cb;
        hooks.recv_retry = &ngtcp2_crypto_recv_retry_cb;
        hooks.update_key = &ngtcp2_crypto_update_key_cb;
        hooks.delete_crypto_aead_ctx = &ngtcp2_crypto_delete_crypto_aead_ctx_cb;
        hooks.delete_crypto_cipher_ctx = &ngtcp2_crypto_delete_crypto_cipher_ctx_cb;
        hooks.version_negotiation = &ngtcp2_crypto_version_negotiation_cb;
        hooks.rand = &random;
        hooks.get_new_connection_id = &new_id;
        hooks.remove_connection_id = &remove_id;
        hooks.get_path_challenge_data = &challenge;
        hooks.handshake_completed = &completed;
        hooks.handshake_confirmed = &confirmed;
        hooks.recv_stream_data = &octets;
        hooks.acked_stream_data_offset = &acknowledged;
        hooks.stream_close = &stream_closed;
        hooks.stream_reset = &stream_reset;
        hooks.stream_stop_sending = &reading_stopped;
        hooks.extend_max_local_streams_bidi = &more_requests;
        hooks.extend_max_remote_streams_bidi = &more_peer_requests;
        hooks.extend_max_stream_data = &more_stream_data;
        hooks.path_validation = &path_validated;
        hooks.recv_stateless_reset = &stateless_reset;
        return hooks;
    }
};

Connection::Engine::Engine(Role role, Instant now, const Config& config, const Initial* initial,
                           crypto::RandomStream random)
    : role_(role),
      now_(now),
      random_(std::move(random)),
      datagram_octets_(config.datagram_octets),
      tls_(role, config.credentials),
      http_(role),
      keep_alive_(config.keep_alive) {
    STILE_ASSERT(config.datagram_octets >= least_datagram_octets);
    STILE_ASSERT(config.datagram_octets <= most_datagram_octets);
    STILE_ASSERT(config.first_window <= config.most_window);
    const ngtcp2_callbacks hooks = Hooks::all();
    const ngtcp2_settings chosen = settings(config);
    ngtcp2_transport_params parameters = transport_parameters(role, config);
    if (initial == nullptr) {
        make_client(hooks, chosen, parameters);
    } else {
        make_server(*initial, hooks, chosen, parameters);
    }
    tls_.attach(connection_.get());
    set_pings(keep_alive_);
}

ngtcp2_settings Connection::Engine::settings(const Config& config) {
    ngtcp2_settings chosen{};
    ngtcp2_settings_default(&chosen);
    chosen.initial_ts = to_native(now_);
    chosen.cc_algo = native_algorithm(config.congestion);
    if (config.initial_rtt) {
        chosen.initial_rtt = to_native(std::max(*config.initial_rtt, least_initial_rtt));
    }
    chosen.max_tx_udp_payload_size = config.datagram_octets;
    chosen.max_window = config.most_window;
    chosen.max_stream_window = config.most_window;
    chosen.handshake_timeout = to_native(config.handshake_timeout);
    chosen.rand_ctx.native_handle = &random_;
    return chosen;
}

ngtcp2_cid Connection::Engine::random_id(std::size_t size) {
    ngtcp2_cid id{};
    id.datalen = size;
    random_.fill(from_native(id.data, size));
    return id;
}

void Connection::Engine::make_client(const ngtcp2_callbacks& hooks, const ngtcp2_settings& chosen,
                                     ngtcp2_transport_params& parameters) {
    const ngtcp2_cid source = random_id(local_id_octets);
    const ngtcp2_cid destination = random_id(first_destination_octets);
    NativePath native{path_of(role_, label_)};
    ngtcp2_conn* made = nullptr;
    STILE_ASSERT(ngtcp2_conn_client_new(&made, &destination, &source, native.get(),
                                        NGTCP2_PROTO_VER_V1, &hooks, &chosen, &parameters,
                                        memory_.get(), this) == 0);
    connection_.reset(made);
    local_ids_.push_back(from_native(source));
}

void Connection::Engine::make_server(const Initial& initial, const ngtcp2_callbacks& hooks,
                                     const ngtcp2_settings& chosen,
                                     ngtcp2_transport_params& parameters) {
    const ngtcp2_cid source = random_id(local_id_octets);
    const ngtcp2_cid destination = to_native(initial.source);
    parameters.original_dcid = to_native(initial.destination);
    parameters.stateless_reset_token_present = 1;
    random_.fill(from_native(parameters.stateless_reset_token, NGTCP2_STATELESS_RESET_TOKENLEN));
    NativePath native{path_of(role_, label_)};
    ngtcp2_conn* made = nullptr;
    STILE_ASSERT(ngtcp2_conn_server_new(&made, &destination, &source, native.get(), initial.version,
                                        &hooks, &chosen, &parameters, memory_.get(), this) == 0);
    connection_.reset(made);
    // Until the client knows our id it goes on with the one that it chose for us.
    local_ids_ = {from_native(source), initial.destination};
}

int Connection::Engine::handle_completed() {
    // TLS does not complete without the peer's certificate having been judged; this makes sure.
    if (tls_.peer_check() != PeerCheck::Match) return NGTCP2_ERR_CALLBACK_FAILURE;
    if (http_.start(connection_.get()) == Http3::Step::Failed) return NGTCP2_ERR_CALLBACK_FAILURE;
    http_.tell(event::Completed{});
    // For a server the two are one. RFC 9001 Section 4.1.2.
    if (role_ == Role::Server) handle_confirmed();
    return 0;
}

void Connection::Engine::handle_confirmed() {
    confirmed_ = true;
    http_.tell(event::Confirmed{});
}

// ---- inputs

void Connection::Engine::handle_datagram(Instant now, BytesView datagram, Ecn ecn) {
    advance(now);
    if (datagram.empty() || datagram.size() > most_received_octets) return;
    if (phase_ == Phase::Closing) {
        // Repeated ever more seldom. RFC 9000 Section 10.2.1.
        ++received_closing_;
        close_due_ = close_due_ || (received_closing_ & (received_closing_ - 1)) == 0;
    }
    if (phase_ != Phase::Open) return;
    ++received_;
    heard_at_ = now_;
    NativePath native{current_path()};
    const ngtcp2_pkt_info info{.ecn = std::to_underlying(ecn)};
    const int result =
        ngtcp2_conn_read_pkt(connection_.get(), native.get(), &info, native_data(datagram),
                             datagram.size(), to_native(now_));
    if (result == NGTCP2_ERR_DRAINING) {
        peer_closed();
    } else if (result != 0) {
        fail(result);
    }
    take_validation();
    consider_pings();
    consider_probe();
    consider_second_try();
    consider_move();
}

void Connection::Engine::handle_timeout(Instant now) {
    advance(now);
    if (phase_ == Phase::Closing && now_ >= *close_deadline_) {
        phase_ = Phase::Over;
        close_deadline_.reset();
        close_due_ = false;
    }
    if (phase_ != Phase::Open) return;
    consider_pings();
    consider_probe();
    if (phase_ != Phase::Open) return;
    expire();
    // Some of the library's timers end one nanosecond after the deadline that it gives for them: at
    // that deadline exactly it would ask to be woken for ever.
    if (phase_ == Phase::Open && ngtcp2_conn_get_expiry(connection_.get()) <= to_native(now_)) {
        now_ += Duration{1};
        expire();
    }
    take_validation();
    consider_move();
}

void Connection::Engine::expire() {
    const ngtcp2_tstamp time = to_native(now_);
    if (ngtcp2_conn_get_expiry(connection_.get()) > time) return;
    const int result = ngtcp2_conn_handle_expiry(connection_.get(), time);
    if (result != 0) fail(result);
}

std::optional<Instant> Connection::Engine::poll_timeout() const {
    if (phase_ != Phase::Open) return close_deadline_;
    const ngtcp2_tstamp expiry = ngtcp2_conn_get_expiry(connection_.get());
    if (expiry == UINT64_MAX) return next_probe_;
    return earlier(from_native_time(expiry), next_probe_);
}

// ---- questions

std::span<const crypto::Certificate> Connection::Engine::peer_certificates() const {
    // Not before the handshake has shown that the peer holds the key as well.
    if (!http_.is_started()) return {};
    return tls_.peer_certificates();
}

bool Connection::Engine::owns(BytesView datagram) const {
    ngtcp2_version_cid ids{};
    if (datagram.empty() || ngtcp2_pkt_decode_version_cid(&ids, native_data(datagram),
                                                          datagram.size(), local_id_octets) != 0) {
        return false;
    }
    const BytesView destination = from_native(ids.dcid, ids.dcidlen);
    return std::ranges::any_of(
        local_ids_, [&](const ConnectionId& id) { return equal(id.bytes(), destination); });
}

Statistics Connection::Engine::statistics() const {
    ngtcp2_conn_stat native{};
    ngtcp2_conn_get_conn_stat(connection_.get(), &native);
    return {.smoothed_rtt = Duration{static_cast<Duration::rep>(native.smoothed_rtt)},
            .least_rtt = native.min_rtt == UINT64_MAX
                             ? Duration{}
                             : Duration{static_cast<Duration::rep>(native.min_rtt)},
            .congestion_window = native.cwnd,
            .in_flight = native.bytes_in_flight,
            .datagram_octets = ngtcp2_conn_get_path_max_tx_udp_payload_size(connection_.get()),
            .datagrams_received = received_,
            .datagrams_sent = sent_};
}

}  // namespace stile::quic
