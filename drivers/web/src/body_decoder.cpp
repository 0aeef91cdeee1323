// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "body_decoder.hpp"

#include <stile/base/text.hpp>

#include <algorithm>
#include <charconv>

namespace stile::drivers {
namespace {

// A chunk's size with its extensions, and one trailer field; a sender needs a fraction of it.
constexpr std::size_t most_line_octets = 1024;
// Trailer fields together.
constexpr std::size_t most_trailer_octets = 8192;

}  // namespace

BodyDecoder::BodyDecoder(Framing framing, std::uint64_t length) {
    switch (framing) {
        case Framing::None:
            state_ = State::Done;
            break;
        case Framing::Length:
            state_ = length > 0 ? State::Payload : State::Done;
            remaining_ = length;
            break;
        case Framing::Chunked:
            state_ = State::ChunkSize;
            chunked_ = true;
            break;
        case Framing::UntilEnd:
            state_ = State::UntilEnd;
            break;
    }
}

BodyDecoder::Step BodyDecoder::step(BytesView input) {
    Step step;
    if (input.empty()) return step;
    switch (state_) {
        case State::Payload: {
            step.consumed =
                static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, input.size()));
            step.body = input.first(step.consumed);
            remaining_ -= step.consumed;
            if (remaining_ == 0) state_ = chunked_ ? State::ChunkEnd : State::Done;
            return step;
        }
        case State::UntilEnd:
            step.consumed = input.size();
            step.body = input;
            return step;
        case State::ChunkSize:
            if (const auto line = take_line(input, step)) read_chunk_size(*line);
            return step;
        case State::ChunkEnd:
            if (const auto line = take_line(input, step)) {
                state_ = line->empty() ? State::ChunkSize : State::Broken;
            }
            return step;
        case State::Trailer:
            if (const auto line = take_line(input, step)) {
                trailer_octets_ += line->size();
                if (line->empty()) state_ = State::Done;
                if (trailer_octets_ > most_trailer_octets) state_ = State::Broken;
            }
            return step;
        case State::Done:
        case State::Broken:
            return step;
    }
    return step;
}

void BodyDecoder::end_of_input() {
    if (state_ == State::UntilEnd) state_ = State::Done;
}

// A line without its CRLF. A bare LF or CR in it breaks the framing: others may read it otherwise.
std::optional<std::string_view> BodyDecoder::take_line(BytesView input, Step& step) {
    const std::string_view text = as_text(input);
    const auto end = text.find_first_of("\r\n");
    if (end == std::string_view::npos || end + 1 == text.size()) {
        if (text.size() > most_line_octets) state_ = State::Broken;
        // A bare LF at the very end needs no further octet to be wrong.
        if (end != std::string_view::npos && text[end] == '\n') state_ = State::Broken;
        return std::nullopt;
    }
    if (end > most_line_octets || text[end] != '\r' || text[end + 1] != '\n') {
        state_ = State::Broken;
        return std::nullopt;
    }
    step.consumed = end + 2;
    return text.substr(0, end);
}

void BodyDecoder::read_chunk_size(std::string_view line) {
    std::string_view digits = take_until(line, ';');
    while (digits.ends_with(' ') || digits.ends_with('\t')) digits.remove_suffix(1);
    std::uint64_t size = 0;
    const char* end = digits.data() + digits.size();
    const auto [stopped, failed] = std::from_chars(digits.data(), end, size, 16);
    if (digits.empty() || failed != std::errc{} || stopped != end) {
        state_ = State::Broken;
        return;
    }
    remaining_ = size;
    state_ = size > 0 ? State::Payload : State::Trailer;
}

}  // namespace stile::drivers
