// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http_head.hpp"

namespace stile::drivers {

// Finds the body within a connection's bytes. RFC 9112 Sections 6 and 7.1; trailer fields and chunk
// extensions are read over.
class BodyDecoder {
public:
    BodyDecoder() = default;  // no body
    BodyDecoder(Framing framing, std::uint64_t length);

    struct Step {
        std::size_t consumed = 0;  // of the input
        BytesView body;            // a part of the input: payload
    };
    // One step onwards; nothing consumed means that more input is needed, or that it is done.
    Step step(BytesView input);
    // The connection ended: that is the end of a body which has no other.
    void end_of_input();

    bool done() const { return state_ == State::Done; }
    bool broken() const { return state_ == State::Broken; }

private:
    enum class State : std::uint8_t {
        Payload,  // remaining_ octets, of the body or of a chunk
        UntilEnd,
        ChunkSize,
        ChunkEnd,  // the CRLF after a chunk
        Trailer,
        Done,
        Broken,
    };

    std::optional<std::string_view> take_line(BytesView input, Step& step);
    void read_chunk_size(std::string_view line);

    State state_ = State::Done;
    bool chunked_ = false;
    std::uint64_t remaining_ = 0;
    std::size_t trailer_octets_ = 0;
};

}  // namespace stile::drivers
