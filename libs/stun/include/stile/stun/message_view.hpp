// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>
#include <stile/stun/attribute.hpp>
#include <stile/stun/attributes/error.hpp>
#include <stile/stun/limits.hpp>
#include <stile/stun/message_type.hpp>
#include <stile/stun/transaction_id.hpp>

#include <expected>
#include <initializer_list>
#include <optional>

namespace stile::stun {

inline constexpr std::uint32_t magic_cookie = 0x2112A442;

enum class ParseError : std::uint8_t {
    TooShort,           // fewer octets than the header has
    NotStun,            // the first two bits are not zero
    NoMagicCookie,      // and the caller did not ask for RFC 3489 messages
    LengthMisaligned,   // the length field is not a multiple of four
    LengthMismatch,     // the length field does not agree with the octets present
    AttributeOverrun,   // an attribute reaches past the end of the message
    TooManyAttributes,  // more than most_attributes
    AfterFingerprint,   // FINGERPRINT is not the last attribute
};

enum class AttributeError : std::uint8_t {
    Absent,
    Malformed,  // present, but its value breaks the rules of its type
};

// Whether a message without the magic cookie is one of RFC 3489 ("classic STUN") or none.
enum class MagicCookie : std::uint8_t { Required, Optional };
enum class Dialect : std::uint8_t { Rfc8489, Rfc3489 };

enum class IntegrityKind : std::uint8_t { Sha1, Sha256 };

struct AttributeView {
    AttributeType type;
    BytesView value;  // without padding
};

// A parsed message: a view into the datagram, valid as long as the datagram is. Copying is cheap
// and parsing allocates nothing.
//
// What follows an integrity attribute is not protected by it and therefore not seen: neither
// attributes() nor find() nor get() show it. The exceptions are MESSAGE-INTEGRITY-SHA256 after
// MESSAGE-INTEGRITY, and FINGERPRINT. RFC 8489 Section 9.
class MessageView {
public:
    // One whole message. RFC 8489 Section 5.
    [[nodiscard]] static std::expected<MessageView, ParseError> parse(
        BytesView wire, MagicCookie cookie = MagicCookie::Required);
    static std::expected<MessageView, ParseError> parse(
        Bytes&& wire, MagicCookie cookie = MagicCookie::Required) = delete;

    Class message_class() const { return type_.message_class; }
    Method method() const { return type_.method; }
    MessageType type() const { return type_; }
    Dialect dialect() const { return dialect_; }
    // Of an RFC 3489 message the last 96 of its 128 bits.
    TransactionId id() const;
    BytesView wire() const { return wire_; }

    // The value of the first attribute of the type.
    std::optional<BytesView> find(AttributeType wanted) const;
    bool has(AttributeType wanted) const { return find(wanted).has_value(); }

    // The first attribute of the type, decoded; text and data view into the datagram.
    template <Attribute A>
    [[nodiscard]] std::expected<A, AttributeError> get() const {
        const std::optional<BytesView> value = find(A::type);
        if (!value) return std::unexpected(AttributeError::Absent);
        if (std::optional<A> attribute = A::decode(*value, id())) return *attribute;
        return std::unexpected(AttributeError::Malformed);
    }

    bool has_integrity(IntegrityKind kind) const { return integrity_offset(kind).has_value(); }
    // Where the attribute begins in wire(); the integrity covers what is before.
    std::optional<std::size_t> integrity_offset(IntegrityKind kind) const;
    std::optional<std::size_t> fingerprint_offset() const;

    // The comprehension-required attributes that are neither in RFC 8489 nor in `also_known`, for a
    // 420 answer; at most most_unknown_attributes of them. RFC 8489 Section 6.3.1.
    UnknownAttributes unknown_required(std::initializer_list<AttributeType> also_known = {}) const;

    class Iterator {
    public:
        using value_type = AttributeView;
        using difference_type = std::ptrdiff_t;

        Iterator() = default;
        AttributeView operator*() const;
        Iterator& operator++();
        Iterator operator++(int) {
            Iterator before = *this;
            ++*this;
            return before;
        }
        friend bool operator==(const Iterator& left, const Iterator& right) {
            return left.offset_ == right.offset_;
        }

    private:
        friend class MessageView;
        Iterator(const MessageView* message, std::size_t offset)
            : message_(message), offset_(offset) {}
        const MessageView* message_ = nullptr;
        std::size_t offset_ = 0;
    };
    class Attributes {
    public:
        Iterator begin() const { return {message_, header_octets}; }
        Iterator end() const { return {message_, message_->wire_.size()}; }

    private:
        friend class MessageView;
        explicit Attributes(const MessageView* message) : message_(message) {}
        const MessageView* message_;
    };
    // In the order of the wire. Valid as long as this view.
    Attributes attributes() const& { return Attributes{this}; }
    Attributes attributes() const&& = delete;

private:
    MessageView() = default;

    BytesView wire_;
    MessageType type_;
    Dialect dialect_ = Dialect::Rfc8489;
    // Offsets into wire_; 0, where the header is, means absent.
    std::uint32_t sha1_offset_ = 0;
    std::uint32_t sha256_offset_ = 0;
    std::uint32_t fingerprint_offset_ = 0;
};

// Quick test for a demultiplexer: the first two bits, the cookie and a length that agrees with the
// datagram. RFC 8489 Section 6.3, RFC 7983 Section 7.
bool looks_like_stun(BytesView datagram);

// How many octets the message at the front of a byte stream has, once its first 20 octets are
// there; TooShort says that more are needed. RFC 8489 Section 6.2.2.
[[nodiscard]] std::expected<std::size_t, ParseError> framed_size(BytesView stream);

}  // namespace stile::stun
