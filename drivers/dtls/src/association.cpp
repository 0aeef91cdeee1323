// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "association.hpp"

#include <stile/base/assert.hpp>

#include <sys/time.h>
#include <algorithm>
#include <array>

namespace stile::drivers {
namespace {

constexpr unsigned longest_timer_us = 60'000'000;  // RFC 6347 Section 4.2.4.1

struct FreeMethod {
    void operator()(BIO_METHOD* method) const { BIO_meth_free(method); }
};

}  // namespace

const int Association::ex_data_index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);

// Each read is one datagram that came, each write one to send: a memory BIO would run them
// together.
BIO_METHOD* Association::datagram_method() {
    static const std::unique_ptr<BIO_METHOD, FreeMethod> shared = [] {
        BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagrams");
        STILE_ASSERT(method != nullptr);
        BIO_meth_set_read(method, [](BIO* bio, char* buffer, int size) {
            auto& self = *static_cast<Association*>(BIO_get_data(bio));
            BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
            if (self.incoming_.empty() || size <= 0) {
                BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY);
                return -1;
            }
            const auto octets = std::min(self.incoming_.size(), static_cast<std::size_t>(size));
            std::memcpy(buffer, self.incoming_.data(), octets);
            self.incoming_ = {};
            return static_cast<int>(octets);
        });
        BIO_meth_set_write(method, [](BIO* bio, const char* octets, int size) {
            auto& self = *static_cast<Association*>(BIO_get_data(bio));
            BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
            if (size > 0) {
                self.output_(self.path,
                             std::as_bytes(std::span{octets, static_cast<std::size_t>(size)}));
            }
            return size;
        });
        BIO_meth_set_ctrl(method, [](BIO*, int command, long, void*) -> long {
            return command == BIO_CTRL_FLUSH ? 1 : 0;
        });
        return std::unique_ptr<BIO_METHOD, FreeMethod>{method};
    }();
    return shared.get();
}

unsigned Association::next_timer(SSL* ssl, unsigned microseconds) {
    if (microseconds == 0) return of(ssl).first_retransmission_us_;
    return std::min(microseconds * 2, longest_timer_us);
}

Association::Association(std::shared_ptr<TlsContext::State> context, const DtlsOptions& options,
                         Output& output)
    : context_(std::move(context)),
      output_(output),
      first_retransmission_us_(static_cast<unsigned>(
          std::chrono::duration_cast<std::chrono::microseconds>(options.first_retransmission)
              .count())),
      session_(SSL_new(context_->context.get())) {
    STILE_ASSERT(context_->carrier == TlsCarrier::Datagrams);
    STILE_ASSERT(options.mtu >= least_dtls_mtu && options.mtu <= most_dtls_mtu);
    STILE_ASSERT(session_ != nullptr);
    BIO* bio = BIO_new(datagram_method());
    STILE_ASSERT(bio != nullptr);
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl(), bio, bio);
    SSL_set_ex_data(ssl(), ex_data_index, this);
    SSL_set_options(ssl(), SSL_OP_NO_QUERY_MTU);
    SSL_set_mtu(ssl(), static_cast<long>(options.mtu));
    DTLS_set_timer_cb(ssl(), next_timer);
    if (context_->role == TlsContext::State::Role::Server) {
        SSL_set_options(ssl(), SSL_OP_COOKIE_EXCHANGE);
        SSL_set_accept_state(ssl());
    } else {
        SSL_set_connect_state(ssl());
        send_server_name(ssl(), *context_);
    }
}

Association::Progress Association::handshake() {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl());
    if (result == 1) return Progress::Done;
    const int error = SSL_get_error(ssl(), result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? Progress::Waiting
                                                                         : Progress::Failed;
}

Association::Received Association::read(MutableBytes buffer) {
    ERR_clear_error();
    // An alert, or a repeated flight, may be the answer to what is read.
    if (SSL_alloc_buffers(ssl()) != 1) return {.kind = Received::Kind::Failed};
    const int count = SSL_read(ssl(), buffer.data(), static_cast<int>(buffer.size()));
    if (count > 0) {
        return {.kind = Received::Kind::Data, .octets = static_cast<std::size_t>(count)};
    }
    switch (SSL_get_error(ssl(), count)) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE:
            return {.kind = Received::Kind::Nothing};
        case SSL_ERROR_ZERO_RETURN:
            return {.kind = Received::Kind::Ended};
        default:
            return {.kind = Received::Kind::Failed};
    }
}

DtlsSent Association::send(BytesView payload, BytesView prefix) {
    const std::size_t size = prefix.size() + payload.size();
    if (size > most_dtls_octets) return DtlsSent::TooLong;
    if (size == 0) return DtlsSent::Sent;
    std::array<std::byte, most_dtls_octets> together;  // filled before it is read
    const std::byte* start = payload.data();
    if (!prefix.empty()) {
        std::ranges::copy(prefix, together.begin());
        std::ranges::copy(payload, together.begin() + static_cast<std::ptrdiff_t>(prefix.size()));
        start = together.data();
    }
    ERR_clear_error();
    // Reading gets its buffers by itself, writing does not.
    if (SSL_alloc_buffers(ssl()) != 1) return DtlsSent::NotOpen;
    const int written = SSL_write(ssl(), start, static_cast<int>(size));
    return written > 0 ? DtlsSent::Sent : DtlsSent::NotOpen;
}

void Association::say_goodbye() {
    ERR_clear_error();
    if (SSL_alloc_buffers(ssl()) != 1) return;
    SSL_shutdown(ssl());
    ERR_clear_error();
}

std::optional<Duration> Association::retransmission_in() const {
    timeval left{};
    if (DTLSv1_get_timeout(ssl(), &left) != 1) return std::nullopt;
    return std::chrono::seconds{left.tv_sec} + std::chrono::microseconds{left.tv_usec};
}

Association::Progress Association::retransmit() {
    ERR_clear_error();
    if (SSL_alloc_buffers(ssl()) != 1) return Progress::Failed;
    return DTLSv1_handle_timeout(ssl()) < 0 ? Progress::Failed : Progress::Waiting;
}

Closed Association::failure() {
    Closed closed = describe_failure(ssl(), *context_, path.remote.to_string());
    ERR_clear_error();
    return closed;
}

}  // namespace stile::drivers
