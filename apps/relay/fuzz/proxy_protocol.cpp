// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/relay/proxy_protocol.hpp>

#include <cstdint>
#include <cstdlib>
#include <span>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace stile;
    const BytesView stream = std::as_bytes(std::span{data, size});
    const auto whole = relay::parse_proxy_header(stream);
    if (whole && whole->octets > size) std::abort();
    // What is a header stays one when more follows, and is none yet when its end is missing.
    if (whole && whole->octets > 0) {
        const auto shorter = relay::parse_proxy_header(stream.first(whole->octets - 1));
        if (shorter || shorter.error() != relay::ProxyError::Incomplete) std::abort();
        if (!relay::parse_proxy_header(stream.first(whole->octets))) std::abort();
    }
    return 0;
}
