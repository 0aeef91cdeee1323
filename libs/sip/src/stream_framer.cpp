// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "message_parser.hpp"

#include <stile/sip/stream_framer.hpp>

#include <algorithm>
#include <utility>

namespace stile::sip {

namespace {

constexpr std::string_view head_end = "\r\n\r\n";

}  // namespace

StreamFramer::StreamFramer(FlowSide side, const ParseLimits& limits)
    : side_(side), limits_(bounded(limits)) {}

std::size_t StreamFramer::feed(BytesView octets) {
    if (broken_) return octets.size();
    std::size_t taken = 0;
    while (taken < octets.size() && !event_) {
        const BytesView rest = octets.subspan(taken);
        if (pending_) {
            taken += take_body(rest);
        } else if (!head_octets_.empty()) {
            taken += take_head(rest);
        } else {
            taken += take_gap(rest);
        }
        if (broken_) return octets.size();
    }
    return taken;
}

std::optional<StreamEvent> StreamFramer::poll_event() {
    return std::exchange(event_, std::nullopt);
}

// Between messages: line ends, which are keep-alives or nothing. RFC 3261 Section 7.5, RFC 5626
// Section 4.4.1.
std::size_t StreamFramer::take_gap(BytesView octets) {
    std::size_t taken = 0;
    for (const std::byte octet : octets) {
        const bool wants_feed = line_ends_ % 2 == 1;
        if (octet != (wants_feed ? std::byte{'\n'} : std::byte{'\r'})) {
            if (wants_feed || octet == std::byte{'\n'}) {
                fail({.error = ParseError::BadCharacter});
                return octets.size();
            }
            line_ends_ = 0;
            return taken + take_head(octets.subspan(taken));
        }
        ++taken;
        ++line_ends_;
        if (side_ == FlowSide::Opened && line_ends_ == 2) {
            line_ends_ = 0;
            event_ = PongReceived{};
            return taken;
        }
        if (line_ends_ == 4) {
            line_ends_ = 0;
            event_ = PingReceived{};
            return taken;
        }
    }
    return taken;
}

std::size_t StreamFramer::take_head(BytesView octets) {
    const std::size_t before = head_octets_.size();
    const std::size_t room = limits_.message_octets - before;
    const BytesView piece = octets.first(std::min(room, octets.size()));
    head_octets_.insert(head_octets_.end(), piece.begin(), piece.end());
    // The end may have begun in the octets that came before.
    const std::size_t from = before < head_end.size() ? 0 : before - head_end.size() + 1;
    const std::size_t end = as_text(head_octets_).find(head_end, from);
    if (end == std::string_view::npos) {
        if (head_octets_.size() == limits_.message_octets) {
            auto head = MessageParser::parse_head(head_octets_, limits_);
            head.error = ParseError::TooLarge;
            head.answer = status::MessageTooLarge;
            fail(MessageParser::failure(std::move(head)));
        }
        return piece.size();
    }
    head_octets_.resize(end + head_end.size());
    const std::size_t taken = head_octets_.size() - before;
    finish_head();
    return taken;
}

void StreamFramer::finish_head() {
    auto head = MessageParser::parse_head(head_octets_, limits_);
    head_octets_ = {};
    // RFC 3261 Section 20.14: on a stream there is no other way to find the end.
    if (!head.error && !head.content_length) head.error = ParseError::Missing;
    if (head.error) return fail(MessageParser::failure(std::move(head)));
    body_missing_ = *head.content_length;
    if (body_missing_ > limits_.message_octets - head.message.wire().size()) {
        head.error = ParseError::TooLarge;
        head.answer = status::MessageTooLarge;
        return fail(MessageParser::failure(std::move(head)));
    }
    if (body_missing_ == 0) {
        event_ = std::move(head.message);
        return;
    }
    pending_ = std::move(head.message);
    pending_->arena_.reserve(pending_->arena_.size() + body_missing_);
}

std::size_t StreamFramer::take_body(BytesView octets) {
    const BytesView piece = octets.first(std::min(body_missing_, octets.size()));
    pending_->arena_.insert(pending_->arena_.end(), piece.begin(), piece.end());
    body_missing_ -= piece.size();
    if (body_missing_ == 0) {
        event_ = *std::move(pending_);
        pending_.reset();
    }
    return piece.size();
}

void StreamFramer::fail(ParseFailure failure) {
    broken_ = true;
    head_octets_ = {};
    pending_.reset();
    event_ = StreamBroken{std::move(failure)};
}

}  // namespace stile::sip
