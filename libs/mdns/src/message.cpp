// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/mdns/message.hpp>

#include <stile/base/assert.hpp>
#include <stile/base/byte_reader.hpp>
#include <stile/base/byte_writer.hpp>
#include <stile/base/socket_address.hpp>

#include <optional>
#include <string>

namespace stile::mdns {
namespace {

constexpr std::size_t header_size = 12;
constexpr std::uint16_t response_flag = 0x8000;
constexpr std::uint16_t authoritative_flag = 0x0400;
constexpr std::uint16_t opcode_mask = 0x7800;
constexpr std::uint16_t rcode_mask = 0x000F;
// RFC 6762 Sections 18.12 and 18.13: the top bit of a class is "unicast response" in questions and
// "cache flush" in records.
constexpr std::uint16_t top_bit = 0x8000;
constexpr std::uint16_t class_in = 1;
constexpr std::size_t most_label = 63;
constexpr std::size_t most_name = 255;

bool is_known(std::uint16_t type) {
    return type == static_cast<std::uint16_t>(RecordType::A) ||
           type == static_cast<std::uint16_t>(RecordType::Aaaa) ||
           type == static_cast<std::uint16_t>(RecordType::Any);
}

class Parser {
public:
    explicit Parser(BytesView octets) : octets_(octets) {}

    std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
    std::uint32_t u32() { return number(4); }
    BytesView bytes(std::size_t count) {
        if (count > octets_.size() - at_) {
            fail(ParseError::TooShort);
            return {};
        }
        const BytesView taken = octets_.subspan(at_, count);
        at_ += count;
        return taken;
    }
    // Dotted, without a dot at the end. RFC 1035 Section 4.1.4.
    std::string name() {
        std::string text;
        std::size_t at = at_;
        std::optional<std::size_t> after;
        while (!error_) {
            if (at >= octets_.size()) return fail(ParseError::TooShort), std::string{};
            const auto length = std::to_integer<std::size_t>(octets_[at]);
            if (length == 0) break;
            if (length > most_label) {
                // A pointer, which points to an earlier place only: so it ends.
                if (length < 0xC0) return fail(ParseError::BadName), std::string{};
                if (at + 1 >= octets_.size()) return fail(ParseError::TooShort), std::string{};
                const std::size_t target =
                    ((length & 0x3FU) << 8U) | std::to_integer<std::size_t>(octets_[at + 1]);
                if (target >= at) return fail(ParseError::BadName), std::string{};
                if (!after) after = at + 2;
                at = target;
                continue;
            }
            if (at + 1 + length > octets_.size()) return fail(ParseError::TooShort), std::string{};
            if (text.size() + length + 1 > most_name) {
                return fail(ParseError::BadName), std::string{};
            }
            if (!text.empty()) text += '.';
            for (const std::byte octet : octets_.subspan(at + 1, length)) {
                text += static_cast<char>(octet);
            }
            at += 1 + length;
        }
        at_ = after.value_or(at + 1);
        return text;
    }
    std::optional<ParseError> error() const { return error_; }

private:
    std::uint32_t number(std::size_t width) {
        std::uint32_t value = 0;
        for (const std::byte octet : bytes(width)) {
            value = (value << 8U) | std::to_integer<std::uint32_t>(octet);
        }
        return value;
    }
    void fail(ParseError error) {
        if (!error_) error_ = error;
        at_ = octets_.size();
    }

    BytesView octets_;
    std::size_t at_ = 0;
    std::optional<ParseError> error_;
};

void read_question(Parser& parser, Message& message) {
    const auto name = HostName::parse(parser.name());
    const std::uint16_t type = parser.u16();
    const std::uint16_t dns_class = parser.u16();
    // RFC 6762 Section 6: a question may be for any class.
    const bool in = (dns_class & ~top_bit) == class_in || (dns_class & ~top_bit) == 255;
    if (parser.error() || !name || !is_known(type) || !in) return;
    if (message.questions.size() == limits::most_entries) return;
    message.questions.push_back(
        {*name, static_cast<RecordType>(type),
         (dns_class & top_bit) != 0 ? Question::Reply::Unicast : Question::Reply::Multicast});
}

void read_record(Parser& parser, Message& message) {
    const auto name = HostName::parse(parser.name());
    const std::uint16_t type = parser.u16();
    const std::uint16_t dns_class = parser.u16();
    const std::chrono::seconds time_to_live{parser.u32()};
    const BytesView data = parser.bytes(parser.u16());
    if (parser.error() || !name || (dns_class & ~top_bit) != class_in) return;
    const bool is_a = type == static_cast<std::uint16_t>(RecordType::A) && data.size() == 4;
    const bool is_aaaa = type == static_cast<std::uint16_t>(RecordType::Aaaa) && data.size() == 16;
    if (!is_a && !is_aaaa) return;
    if (message.answers.size() == limits::most_entries) return;
    message.answers.push_back({*name, IpAddress::from_octets(data), time_to_live});
}

void write_name(ByteWriter& writer, const HostName& name) {
    std::string_view rest = name.text();
    while (!rest.empty()) {
        const std::string_view label = rest.substr(0, rest.find('.'));
        writer.u8(static_cast<std::uint8_t>(label.size()));
        writer.bytes(std::as_bytes(std::span{label}));
        rest.remove_prefix(std::min(rest.size(), label.size() + 1));
    }
    writer.u8(0);
}

}  // namespace

IpAddress group(AddressFamily family) {
    if (family == AddressFamily::V4) return IpAddress::v4({224, 0, 0, 251});
    return *IpAddress::parse("ff02::fb");
}

std::expected<Message, ParseError> Message::parse(BytesView octets) {
    if (octets.size() < header_size) return std::unexpected(ParseError::TooShort);
    if (octets.size() > limits::most_message) return std::unexpected(ParseError::TooLong);
    Parser parser{octets};
    Message message;
    message.id = parser.u16();
    const std::uint16_t flags = parser.u16();
    if ((flags & (opcode_mask | rcode_mask)) != 0) return std::unexpected(ParseError::BadOpcode);
    message.kind = (flags & response_flag) != 0 ? Kind::Response : Kind::Query;
    const std::uint16_t questions = parser.u16();
    const std::uint16_t answers = parser.u16();
    const std::uint16_t authorities = parser.u16();
    const std::uint16_t additional = parser.u16();
    for (unsigned i = 0; i < questions && !parser.error(); ++i) read_question(parser, message);
    for (unsigned i = 0; i < answers && !parser.error(); ++i) read_record(parser, message);
    // Probes have what they want to claim there, which nobody has yet. RFC 6762 Section 8.2.
    Message ignored;
    for (unsigned i = 0; i < authorities && !parser.error(); ++i) read_record(parser, ignored);
    Message& last = message.kind == Kind::Response ? message : ignored;
    for (unsigned i = 0; i < additional && !parser.error(); ++i) read_record(parser, last);
    if (parser.error()) return std::unexpected(*parser.error());
    return message;
}

Bytes Message::to_bytes() const {
    STILE_ASSERT(questions.size() <= limits::most_entries);
    STILE_ASSERT(answers.size() <= limits::most_entries);
    Bytes octets;
    ByteWriter writer{octets};
    writer.u16(id);
    writer.u16(kind == Kind::Response ? response_flag | authoritative_flag : 0);
    writer.u16(static_cast<std::uint16_t>(questions.size()));
    writer.u16(static_cast<std::uint16_t>(answers.size()));
    writer.u32(0);
    for (const Question& question : questions) {
        write_name(writer, question.name);
        writer.u16(static_cast<std::uint16_t>(question.type));
        const bool unicast = question.reply == Question::Reply::Unicast;
        writer.u16(static_cast<std::uint16_t>(class_in | (unicast ? top_bit : 0)));
    }
    for (const AddressRecord& record : answers) {
        write_name(writer, record.name);
        writer.u16(
            static_cast<std::uint16_t>(record.ip.is_v4() ? RecordType::A : RecordType::Aaaa));
        // RFC 6762 Section 10.2: nobody else has this name. Section 6.7: not to a resolver of
        // ordinary DNS, whose question is repeated.
        const bool flush = kind == Kind::Response && questions.empty();
        writer.u16(static_cast<std::uint16_t>(class_in | (flush ? top_bit : 0)));
        writer.u32(static_cast<std::uint32_t>(record.time_to_live.count()));
        writer.u16(static_cast<std::uint16_t>(record.ip.octets().size()));
        writer.bytes(record.ip.octets());
    }
    return octets;
}

}  // namespace stile::mdns
