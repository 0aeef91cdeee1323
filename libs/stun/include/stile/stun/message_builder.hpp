// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/stun/attribute.hpp>
#include <stile/stun/integrity.hpp>
#include <stile/stun/message_view.hpp>

namespace stile::stun {

// Writes one message into one buffer. Order of calls: the attributes, then add_integrity (at most
// once a kind, SHA-1 first), then add_fingerprint, then finish.
// Requires: no attribute after integrity or fingerprint, and all of it fits most_message_octets.
class MessageBuilder {
public:
    // `buffer` may be given for its capacity; its content is dropped.
    MessageBuilder(Class message_class, Method method, const TransactionId& id, Bytes buffer = {});
    // An answer to the request: its method, its transaction id and, for RFC 3489 requests, the
    // octets it has where the magic cookie would be.
    static MessageBuilder reply(const MessageView& request, Class message_class, Bytes buffer = {});

    template <Attribute A>
    MessageBuilder& add(const A& attribute) {
        const std::size_t begin = begin_attribute(A::type);
        ByteWriter writer{wire_};
        attribute.encode(writer, id_);
        end_attribute(begin);
        return *this;
    }
    // A value that is already encoded, without padding.
    MessageBuilder& add_raw(AttributeType type, BytesView value);

    // RFC 8489 Sections 14.5 and 14.6. `octets` shortens the SHA-256 tag for usages that allow it.
    MessageBuilder& add_integrity(const IntegrityKey& key, IntegrityKind kind);
    MessageBuilder& add_integrity(const IntegrityKey& key, LeastTag truncated_sha256);
    // RFC 8489 Section 14.7.
    MessageBuilder& add_fingerprint();

    const TransactionId& id() const { return id_; }
    // So far, header included.
    std::size_t size() const { return wire_.size(); }
    // The message; the builder is spent.
    Bytes finish();

private:
    std::size_t begin_attribute(AttributeType type);
    void end_attribute(std::size_t begin);
    void append_tag(const IntegrityKey& key, IntegrityKind kind, std::size_t octets);
    void set_length(std::size_t total_octets);

    // What may still come, in the order of the wire.
    enum class Stage : std::uint8_t { Attributes, AfterSha1, AfterSha256, AfterFingerprint };

    TransactionId id_;
    Bytes wire_;
    Stage stage_ = Stage::Attributes;
};

}  // namespace stile::stun
