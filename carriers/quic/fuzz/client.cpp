// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "peers.hpp"

// A client meets whatever comes back.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace stile;
    using namespace stile::quic;
    Connection client{Instant{}, fuzz_config(), crypto::RandomStream{crypto::seed_from_number(2)}};
    while (client.poll_transmit(Instant{})) {
    }
    feed(client, std::as_bytes(std::span{data, size}));
    return 0;
}
