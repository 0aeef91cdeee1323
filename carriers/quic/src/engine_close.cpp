// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "engine.hpp"

#include <stile/quic/limits.hpp>

#include <algorithm>

namespace stile::quic {
namespace {

// TLS alerts that speak of the certificate we showed, or of its absence. RFC 8446 Section 6.2.
bool is_about_certificate(std::uint64_t alert) {
    constexpr std::array<std::uint64_t, 9> alerts{41, 42, 43, 44, 45, 46, 48, 49, 116};
    return std::ranges::find(alerts, alert) != alerts.end();
}

constexpr std::uint64_t application_error = 0x0c;  // stands for any HTTP/3 code; RFC 9000 10.2.3
constexpr std::uint64_t first_crypto_error = 0x100;
constexpr std::uint64_t last_crypto_error = 0x1ff;

event::Closed explain(const ngtcp2_connection_close_error& error) {
    const auto text =
        as_text(from_native(error.reason, std::min(error.reasonlen, most_reason_octets)));
    event::Closed told{.reason = CloseReason::PeerReportedError,
                       .code = error.error_code,
                       .text = std::string{error.reason == nullptr ? "" : text}};
    if (error.type == NGTCP2_CONNECTION_CLOSE_ERROR_CODE_TYPE_APPLICATION ||
        error.error_code == NGTCP2_NO_ERROR || error.error_code == application_error) {
        told.reason = CloseReason::ClosedByPeer;
    } else if (error.error_code >= first_crypto_error && error.error_code <= last_crypto_error &&
               is_about_certificate(error.error_code - first_crypto_error)) {
        told.reason = CloseReason::RefusedByPeer;
        told.code = error.error_code - first_crypto_error;
    }
    return told;
}

}  // namespace

void Connection::Engine::peer_closed() {
    if (stateless_reset_) {
        end({.reason = CloseReason::PeerLostState, .code = 0, .text = "stateless reset"});
        return;
    }
    ngtcp2_connection_close_error error{};
    ngtcp2_conn_get_connection_close_error(connection_.get(), &error);
    end(explain(error));
}

void Connection::Engine::fail(int error) {
    ngtcp2_connection_close_error native{};
    ngtcp2_connection_close_error_default(&native);
    event::Closed told{
        .reason = CloseReason::PeerBrokeProtocol, .code = 0, .text = ngtcp2_strerror(error)};
    switch (error) {
        case NGTCP2_ERR_IDLE_CLOSE:
            told.reason = CloseReason::IdleTimeout;
            end(std::move(told));
            return;
        case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
            told.reason = CloseReason::HandshakeTimeout;
            end(std::move(told));
            return;
        case NGTCP2_ERR_DROP_CONN:
        case NGTCP2_ERR_RETRY:
        case NGTCP2_ERR_RECV_VERSION_NEGOTIATION:
            end(std::move(told));
            return;
        case NGTCP2_ERR_CALLBACK_FAILURE:
            fail_http();
            return;
        case NGTCP2_ERR_CRYPTO: {
            const std::uint8_t alert = ngtcp2_conn_get_tls_alert(connection_.get());
            ngtcp2_connection_close_error_set_transport_error_tls_alert(&native, alert, nullptr, 0);
            constexpr std::uint8_t certificate_required = 116;
            if (tls_.peer_check() == PeerCheck::Mismatch) {
                told.reason = CloseReason::FingerprintMismatch;
            } else if (tls_.peer_check() == PeerCheck::Unreadable ||
                       alert == certificate_required) {
                told.reason = CloseReason::NoPeerCertificate;
            }
            told.code = alert;
            break;
        }
        default:  // any other code of the library
            ngtcp2_connection_close_error_set_transport_error_liberr(&native, error, nullptr, 0);
            told.code = native.error_code;
            if (error == NGTCP2_ERR_NOMEM || error == NGTCP2_ERR_INTERNAL) {
                told.reason = CloseReason::Internal;
            }
            break;
    }
    begin_close(native, std::move(told));
}

void Connection::Engine::fail_http() {
    ngtcp2_connection_close_error native{};
    ngtcp2_connection_close_error_default(&native);
    const ErrorCode code = http_.failure();
    ngtcp2_connection_close_error_set_application_error(&native, code.value, nullptr, 0);
    begin_close(native, {.reason = code == internal_error ? CloseReason::Internal
                                                          : CloseReason::PeerBrokeProtocol,
                         .code = code.value,
                         .text = std::string{http_.failure_text()}});
}

void Connection::Engine::close(Instant now, ErrorCode code, std::string_view text) {
    advance(now);
    if (phase_ != Phase::Open) return;
    const BytesView reason = as_bytes(text.substr(0, most_reason_octets));
    ngtcp2_connection_close_error native{};
    ngtcp2_connection_close_error_default(&native);
    ngtcp2_connection_close_error_set_application_error(&native, code.value, native_data(reason),
                                                        reason.size());
    begin_close(native, {.reason = CloseReason::ClosedHere,
                         .code = code.value,
                         .text = std::string{as_text(reason)}});
}

void Connection::Engine::begin_close(const ngtcp2_connection_close_error& error,
                                     event::Closed told) {
    NativePath path;
    ngtcp2_pkt_info info{};
    const ngtcp2_duration timeout = ngtcp2_conn_get_pto(connection_.get());
    close_datagram_.resize(most_datagram_octets);
    const auto written = ngtcp2_conn_write_connection_close(
        connection_.get(), path.get(), &info, native_data(MutableBytes{close_datagram_}),
        std::min(datagram_octets_, close_datagram_.size()), &error, to_native(now_));
    if (written <= 0) {
        end(std::move(told));  // nothing was ever sent, or no key to send with
        return;
    }
    close_datagram_.resize(static_cast<std::size_t>(written));
    close_due_ = true;
    close_deadline_ = now_ + 3 * Duration{static_cast<Duration::rep>(timeout)};
    phase_ = Phase::Closing;
    held_packet_ = {};
    http_.tell(std::move(told));
}

void Connection::Engine::end(event::Closed told) {
    phase_ = Phase::Over;
    held_packet_ = {};
    http_.tell(std::move(told));
}

}  // namespace stile::quic
