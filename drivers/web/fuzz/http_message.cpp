// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "../src/body_decoder.hpp"

#include <stile/base/assert.hpp>

#include <algorithm>

// A head and its body, the body in pieces whose size the first octet chooses: however it is cut,
// the decoder must find the same payload.
namespace {

using namespace stile;
using namespace stile::drivers;

struct Decoded {
    Bytes payload;
    bool done = false;
    bool broken = false;
};

Decoded decode(Framing framing, std::uint64_t length, BytesView input, std::size_t piece) {
    BodyDecoder decoder{framing, length};
    Decoded result;
    Bytes waiting;
    while (!decoder.done() && !decoder.broken()) {
        const auto step = decoder.step(waiting);
        STILE_ASSERT(step.consumed <= waiting.size() && step.body.size() <= step.consumed);
        result.payload.insert(result.payload.end(), step.body.begin(), step.body.end());
        if (step.consumed > 0) {
            waiting.erase(waiting.begin(),
                          waiting.begin() + static_cast<std::ptrdiff_t>(step.consumed));
            continue;
        }
        if (decoder.done() || decoder.broken() || input.empty()) break;
        const BytesView more = input.first(std::min(piece, input.size()));
        waiting.insert(waiting.end(), more.begin(), more.end());
        input = input.subspan(more.size());
    }
    result.done = decoder.done();
    result.broken = decoder.broken();
    return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::size_t piece = 1 + data[0] % 32;
    const BytesView message = std::as_bytes(std::span{data + 1, size - 1});
    const auto end = find_head_end(message);
    if (!end) return 0;
    (void)parse_response_head(message.first(*end));
    const auto head = parse_request_head(message.first(*end));
    if (!head) return 0;
    const BytesView body = message.subspan(*end);
    const Decoded whole = decode(head->framing, head->length, body, body.size() + 1);
    const Decoded cut = decode(head->framing, head->length, body, piece);
    STILE_ASSERT(whole.done == cut.done && whole.broken == cut.broken);
    STILE_ASSERT(whole.payload == cut.payload);
    return 0;
}
