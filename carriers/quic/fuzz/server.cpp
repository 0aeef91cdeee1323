// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "peers.hpp"

// A server meets whatever a network sends it, from the first datagram on.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace stile;
    using namespace stile::quic;
    const BytesView input = std::as_bytes(std::span{data, size});
    if (input.size() < 2) return 0;
    const BytesView first = input.subspan(2);
    const auto initial = read_initial(first);
    const Initial known = initial.value_or(Initial{.destination = {.octets = {}, .size = 8},
                                                   .source = {.octets = {}, .size = 8},
                                                   .version = 1});
    Connection server{Instant{}, fuzz_config(), known,
                      crypto::RandomStream{crypto::seed_from_number(2)}};
    feed(server, input);
    return 0;
}
