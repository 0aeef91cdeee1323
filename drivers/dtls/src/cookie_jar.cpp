// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "cookie_jar.hpp"

#include <stile/base/byte_writer.hpp>

#include <algorithm>

namespace stile::drivers {

CookieJar::Cookie CookieJar::bake(std::uint64_t period, const Path& path) const {
    Bytes input;
    ByteWriter writer{input};
    writer.u64(period);
    for (const SocketAddress& address : {path.local, path.remote}) {
        writer.u16(address.port.value);
        writer.u8(static_cast<std::uint8_t>(address.ip.octets().size()));
        writer.bytes(address.ip.octets());
    }
    const crypto::Digest tag = hmac_.tag(input);
    Cookie cookie{};
    std::ranges::copy(tag.bytes().first(cookie.size()), cookie.begin());
    return cookie;
}

CookieJar::Cookie CookieJar::bake(Instant now, const Path& path) const {
    return bake(period_of(now), path);
}

CookieJar::Taste CookieJar::taste(Instant now, const Path& path, BytesView cookie) const {
    const std::uint64_t period = period_of(now);
    for (const std::uint64_t candidate : {period, period - 1}) {
        if (crypto::equal_in_constant_time(bake(candidate, path), cookie)) return Taste::Good;
    }
    return Taste::Bad;
}

}  // namespace stile::drivers
