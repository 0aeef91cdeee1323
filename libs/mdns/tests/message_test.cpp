// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/encoding.hpp>
#include <stile/mdns/message.hpp>

#include <doctest/doctest.h>

#include <string>

namespace stile::mdns {
namespace {

constexpr std::string_view text = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local";
const HostName name = *HostName::parse(text);

// "1f47...d8bf" and "local" as labels.
const std::string wire_name =
    "24" + to_hex(std::as_bytes(std::span{text.substr(0, 36)})) + "056c6f63616c00";

Bytes bytes(const std::string& hex) { return *from_hex(hex); }

TEST_CASE("mdns names: a UUID of version 4 and .local, in either case") {
    CHECK(HostName::parse("1F4712DB-EA17-4BCF-A596-105139DFD8BF.LOCAL") == name);
    for (const std::string_view other :
         {"printer.local", "1f4712db-ea17-4bcf-a596-105139dfd8bf", "",
          "1f4712db-ea17-4bcf-a596-105139dfd8bf.local.", ".local",
          "1f4712db-ea17-1bcf-a596-105139dfd8bf.local",  // version 1
          "1f4712db-ea17-4bcf-c596-105139dfd8bf.local",  // another variant
          "1f4712db-ea17-4bcf-a596-105139dfd8bg.local",  // no digit
          "1f4712db.ea17-4bcf-a596-105139dfd8bf.local",  // a label more
          "1f4712db-ea17-4bcf-a596-105139dfd8bf.locax",
          "x1f4712db-ea17-4bcf-a596-105139dfd8bf.local"}) {
        CAPTURE(other);
        CHECK_FALSE(HostName::parse(other));
    }
}

TEST_CASE("mdns names: a random one is one, and another each time") {
    crypto::RandomStream random{crypto::seed_from_number(5)};
    const HostName one = HostName::random(random);
    CHECK(HostName::parse(one.text()) == one);
    CHECK(HostName::random(random) != one);
}

TEST_CASE("mdns messages: a query as RFC 6762 Section 18 has it") {
    Message query;
    query.questions = {{name, RecordType::Aaaa, Question::Reply::Unicast}};
    CHECK(query.to_bytes() == bytes("000000000001000000000000" + wire_name + "001c8001"));
    CHECK(Message::parse(query.to_bytes()) == query);
}

TEST_CASE(
    "mdns messages: an answer flushes caches; one to a resolver of DNS repeats its question") {
    Message answer;
    answer.kind = Message::Kind::Response;
    answer.answers = {{name, IpAddress::v4({192, 168, 1, 7})}};
    CHECK(answer.to_bytes() ==
          bytes("000084000000000100000000" + wire_name + "000180010000007800" + "04c0a80107"));
    CHECK(Message::parse(answer.to_bytes()) == answer);
    answer.questions = {{name, RecordType::A, Question::Reply::Multicast}};
    answer.answers = {{name, *IpAddress::parse("fe80::1")}};
    CHECK(Message::parse(answer.to_bytes()) == answer);
}

TEST_CASE("mdns messages: names are read through pointers, and foreign records left out") {
    // A TXT record of another name, then the A record whose name points to the question's.
    const std::string foreign =
        "0131" + std::string{"056c6f63616c00"} + "00108001000000780001" + "00";
    const auto message =
        Message::parse(bytes("000084000001000200000000" + wire_name + "00018001" + foreign +
                             "c00c" + "0001800100000078" + "0004" + "0a000001"));
    REQUIRE(message);
    REQUIRE(message->answers.size() == 1);
    CHECK(message->answers.front().name == name);
    CHECK(message->answers.front().ip == IpAddress::v4({10, 0, 0, 1}));
}

TEST_CASE("mdns messages: what is broken is refused with its reason") {
    struct Row {
        std::string hex;
        ParseError error;
    };
    for (const Row& row : {
             Row{"", ParseError::TooShort},
             Row{"0000000000010000000000", ParseError::TooShort},
             Row{"000000000001000000000000", ParseError::TooShort},
             Row{"000000000001000000000000" + wire_name + "00", ParseError::TooShort},
             Row{"000000000001000000000000056c6f", ParseError::TooShort},
             Row{"000000000001000000000000c0", ParseError::TooShort},
             Row{"000000000001000000000000c00c00010001", ParseError::BadName},  // points to itself
             Row{"000000000001000000000000c01000010001", ParseError::BadName},  // forward
             Row{"00000000000100000000000041", ParseError::BadName},
             Row{"000008000001000000000000", ParseError::BadOpcode},
             Row{"000084030000000000000000", ParseError::BadOpcode},
             Row{"000084000000000100000000" + wire_name + "000180010000007800" + "ffc0",
                 ParseError::TooShort},
         }) {
        CAPTURE(row.hex);
        const auto parsed = Message::parse(bytes(row.hex));
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error() == row.error);
    }
    CHECK(Message::parse(Bytes(limits::most_message + 1)).error() == ParseError::TooLong);
    CHECK(Message::parse(Bytes(limits::most_message)));
}

TEST_CASE("mdns messages: more entries than the limit are left out") {
    std::string questions;
    // Names by pointers: they all fit.
    for (std::size_t i = 0; i < limits::most_entries; ++i) questions += "c00c00010001";
    const auto message =
        Message::parse(bytes("000000000021000000000000" + wire_name + "00010001" + questions));
    REQUIRE(message);
    CHECK(message->questions.size() == limits::most_entries);
}

TEST_CASE("mdns messages: the groups are RFC 6762's") {
    CHECK(group(AddressFamily::V4).to_string() == "224.0.0.251");
    CHECK(group(AddressFamily::V6).to_string() == "ff02::fb");
}

}  // namespace
}  // namespace stile::mdns
