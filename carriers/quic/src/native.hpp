// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>
#include <stile/base/socket_address.hpp>
#include <stile/base/time.hpp>
#include <stile/quic/acceptor.hpp>

#include <ngtcp2/ngtcp2.h>
#include <sys/socket.h>

namespace stile::quic {

// ngtcp2 counts nanoseconds from a point of the caller's choice, and takes UINT64_MAX for never.
inline ngtcp2_tstamp to_native(Instant now) {
    return static_cast<ngtcp2_tstamp>(now.time_since_epoch().count());
}
inline Instant from_native_time(ngtcp2_tstamp time) {
    return Instant{Duration{static_cast<Duration::rep>(time)}};
}
inline ngtcp2_duration to_native(Duration duration) {
    return static_cast<ngtcp2_duration>(duration.count());
}

inline const std::uint8_t* native_data(BytesView octets) {
    return reinterpret_cast<const std::uint8_t*>(octets.data());
}
inline std::uint8_t* native_data(MutableBytes octets) {
    return reinterpret_cast<std::uint8_t*>(octets.data());
}
inline BytesView from_native(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const std::byte*>(data), size};
}
inline MutableBytes from_native(std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<std::byte*>(data), size};
}

ngtcp2_cid to_native(const ConnectionId& id);
ConnectionId from_native(const ngtcp2_cid& id);

// A path in the library's form. It points into itself: made where it is used, never moved.
class NativePath {
public:
    NativePath();  // with room for the library to write to
    explicit NativePath(const Path& path);
    NativePath(const NativePath&) = delete;
    NativePath& operator=(const NativePath&) = delete;

    ngtcp2_path* get() { return &path_; }
    Path to_path() const;

private:
    sockaddr_storage local_;  // its length says how much of it is set
    sockaddr_storage remote_;
    ngtcp2_path path_{};
};

Path from_native(const ngtcp2_path& path);

}  // namespace stile::quic
