// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tls_context.hpp"

#include <stile/base/socket_address.hpp>
#include <stile/drivers/dtls.hpp>

#include <functional>
#include <memory>
#include <optional>

namespace stile::drivers {

// One end of DTLS between two addresses: OpenSSL, and the datagrams that it reads and writes. It
// knows no timer and keeps no state of its own.
class Association {
public:
    using Output = std::move_only_function<void(const Path&, BytesView)>;

    // `output` must outlive this.
    Association(std::shared_ptr<TlsContext::State> context, const DtlsOptions& options,
                Output& output);
    Association(const Association&) = delete;
    Association& operator=(const Association&) = delete;

    SSL* ssl() const { return session_.get(); }
    const TlsContext::State& context() const { return *context_; }
    Path path;
    void* owner = nullptr;  // for OpenSSL's callbacks

    // Until the next call, or until OpenSSL has read it, `datagram` is what there is to read.
    void offer(BytesView datagram) { incoming_ = datagram; }

    enum class Progress : std::uint8_t { Waiting, Done, Failed };
    Progress handshake();
    // The next datagram of data. Ended: the peer's close_notify came.
    struct Received {
        enum class Kind : std::uint8_t { Data, Nothing, Ended, Failed };
        Kind kind = Kind::Nothing;
        std::size_t octets = 0;
    };
    Received read(MutableBytes buffer);
    DtlsSent send(BytesView payload, BytesView prefix);
    void say_goodbye();
    // Gives back OpenSSL's record buffers, half of what an association takes, until they are
    // needed again. Not while one of its calls runs.
    void rest() { SSL_free_buffers(ssl()); }

    // How long until a flight is due again; empty when none is.
    std::optional<Duration> retransmission_in() const;
    Progress retransmit();
    // After a failure, before anything else is called.
    Closed failure();

    static Association& of(SSL* ssl) {
        return *static_cast<Association*>(SSL_get_ex_data(ssl, ex_data_index));
    }

private:
    static const int ex_data_index;
    static BIO_METHOD* datagram_method();
    static unsigned next_timer(SSL* ssl, unsigned microseconds);

    std::shared_ptr<TlsContext::State> context_;
    Output& output_;
    BytesView incoming_;
    unsigned first_retransmission_us_;
    openssl::Session session_;
};

}  // namespace stile::drivers
