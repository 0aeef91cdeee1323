// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/ice/connectivity_check.hpp>

#include <stile/base/assert.hpp>
#include <stile/base/byte_reader.hpp>
#include <stile/base/byte_writer.hpp>
#include <stile/ice/priority.hpp>
#include <stile/stun/message_builder.hpp>

namespace stile::ice {
namespace {

using stun::AttributeError;
using stun::IntegrityKind;
using stun::MessageBuilder;

Bytes finish(MessageBuilder& builder, const stun::IntegrityKey& key) {
    builder.add_integrity(key, IntegrityKind::Sha1);
    builder.add_fingerprint();
    return builder.finish();
}

}  // namespace

std::expected<CheckContent, stun::ErrorCode> read_check(const stun::MessageView& request) {
    CheckContent content;
    const auto priority = request.get<stun::Priority>();
    if (!priority || !is_valid_priority(priority->value)) {
        return std::unexpected(stun::error::bad_request);
    }
    content.priority = priority->value;

    const auto controlling = request.get<stun::IceControlling>();
    const auto controlled = request.get<stun::IceControlled>();
    const auto is_malformed = [](const auto& attribute) {
        return !attribute && attribute.error() == AttributeError::Malformed;
    };
    if (is_malformed(controlling) || is_malformed(controlled) || (controlling && controlled)) {
        return std::unexpected(stun::error::bad_request);
    }
    if (controlling) {
        content.role = Role::Controlling;
        content.tie_breaker = controlling->tie_breaker;
    } else if (controlled) {
        content.role = Role::Controlled;
        content.tie_breaker = controlled->tie_breaker;
    }
    if (request.has(stun::AttributeType::UseCandidate)) {
        // RFC 8445 Section 7.1.2: a controlled agent must not send it.
        if (controlled) return std::unexpected(stun::error::bad_request);
        content.nomination = Nomination::Yes;
    }
    if (const auto value = request.find(nomination_attribute); value && value->size() == 4) {
        content.nomination_number = ByteReader{*value}.u32();
    }
    return content;
}

std::expected<CheckContent, Refusal> admit_check(const stun::MessageView& request,
                                                 const stun::IntegrityKey& key) {
    // Without a word: an answer to whoever cannot prove who he is would be a reflector.
    if (stun::check_fingerprint(request) != stun::Fingerprint::Correct ||
        stun::check_integrity(request, key, IntegrityKind::Sha1) != stun::Integrity::Passed) {
        return std::unexpected(Refusal{});
    }
    if (const auto unknown = unknown_attributes(request); !unknown.empty()) {
        return std::unexpected(Refusal{build_unknown_attributes(request, unknown, key)});
    }
    const auto content = read_check(request);
    if (!content) return std::unexpected(Refusal{build_error(request, content.error(), key)});
    return *content;
}

Bytes build_check(const stun::TransactionId& id, std::string_view username,
                  const CheckContent& content, const stun::IntegrityKey& key) {
    STILE_ASSERT(content.role);
    MessageBuilder builder{stun::Class::Request, stun::Method::Binding, id};
    builder.add(stun::Username{username}).add(stun::Priority{content.priority});
    switch (*content.role) {
        case Role::Controlling:
            builder.add(stun::IceControlling{content.tie_breaker});
            break;
        case Role::Controlled:
            builder.add(stun::IceControlled{content.tie_breaker});
            break;
    }
    if (content.nomination == Nomination::Yes) builder.add(stun::UseCandidate{});
    if (content.nomination_number) {
        Bytes number;
        ByteWriter{number}.u32(*content.nomination_number);
        builder.add_raw(nomination_attribute, number);
    }
    return finish(builder, key);
}

Bytes build_success(const stun::MessageView& request, const SocketAddress& source,
                    const stun::IntegrityKey& key) {
    auto builder = MessageBuilder::reply(request, stun::Class::SuccessResponse);
    builder.add(stun::XorMappedAddress{source});
    return finish(builder, key);
}

Bytes build_error(const stun::MessageView& request, const stun::ErrorCode& error,
                  const stun::IntegrityKey& key) {
    auto builder = MessageBuilder::reply(request, stun::Class::ErrorResponse);
    builder.add(error);
    return finish(builder, key);
}

Bytes build_unknown_attributes(const stun::MessageView& request,
                               const stun::UnknownAttributes& unknown,
                               const stun::IntegrityKey& key) {
    auto builder = MessageBuilder::reply(request, stun::Class::ErrorResponse);
    builder.add(stun::error::unknown_attribute).add(unknown);
    return finish(builder, key);
}

stun::UnknownAttributes unknown_attributes(const stun::MessageView& message) {
    return message.unknown_required(
        {stun::AttributeType::Priority, stun::AttributeType::UseCandidate});
}

std::optional<CheckUsername> split_username(std::string_view username) {
    const std::size_t colon = username.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    return CheckUsername{.receiver = username.substr(0, colon),
                         .sender = username.substr(colon + 1)};
}

}  // namespace stile::ice
