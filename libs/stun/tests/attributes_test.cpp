// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <stile/stun/integrity.hpp>

namespace stile::stun {
namespace {

using namespace test;

Bytes encoded(const auto& attribute) {
    Bytes value;
    ByteWriter writer{value};
    attribute.encode(writer, id_of(7));
    return value;
}

// Encodes and decodes; the value must be the octets of the RFC's figure.
void check_wire(const auto& attribute, std::string_view octets) {
    const Bytes value = encoded(attribute);
    CHECK(to_hex(value) == to_hex(hex(octets)));
    const auto decoded = std::remove_cvref_t<decltype(attribute)>::decode(value, id_of(7));
    REQUIRE(decoded);
    CHECK(encoded(*decoded) == value);
}

TEST_CASE("stun attributes: each is on the wire as its RFC draws it") {
    check_wire(MappedAddress{address("192.0.2.1:32853")}, "0001 8055 c0000201");
    check_wire(MappedAddress{address("[2001:db8::1]:1")},
               "0002 0001 20010db8 00000000 00000000 00000001");
    check_wire(XorMappedAddress{address("192.0.2.1:32853")}, "0001 a147 e112a643");
    check_wire(XorPeerAddress{address("[2001:db8::1]:0")},
               "0002 2112 0113a9fa 00000000 00000000 00000006");
    check_wire(XorRelayedAddress{address("0.0.0.0:0")}, "0001 2112 2112a442");
    check_wire(AlternateServer{address("192.0.2.9:3478")}, "0001 0d96 c0000209");
    check_wire(ResponseOrigin{address("192.0.2.9:3478")}, "0001 0d96 c0000209");
    check_wire(OtherAddress{address("192.0.2.9:3479")}, "0001 0d97 c0000209");
    check_wire(ErrorCode{401, "No"}, "0000 0401 4e6f");
    check_wire(ErrorCode{699, ""}, "0000 0663");
    check_wire(AddressErrorCode{AddressFamily::V6, 440, "x"}, "0200 0428 78");
    check_wire(ChannelNumberAttribute{0x4001}, "4001 0000");
    check_wire(Lifetime{std::chrono::seconds{600}}, "00000258");
    check_wire(RequestedAddressFamily{AddressFamily::V6}, "02000000");
    check_wire(AdditionalAddressFamily{AddressFamily::V4}, "01000000");
    check_wire(EvenPort{EvenPort::Next::Reserve}, "80");
    check_wire(EvenPort{}, "00");
    check_wire(RequestedTransport{}, "11000000");
    check_wire(DontFragment{}, "");
    check_wire(ConnectionId{5}, "00000005");
    check_wire(Icmp{3, 4, 1280}, "0000 03 04 00000500");
    check_wire(Priority{0x6e0001ff}, "6e0001ff");
    check_wire(UseCandidate{}, "");
    check_wire(IceControlled{1}, "00000000 00000001");
    check_wire(IceControlling{0x8000000000000000}, "80000000 00000000");
    check_wire(PasswordAlgorithmAttribute{PasswordAlgorithm::Sha256}, "0002 0000");
    check_wire(ChangeRequest{ChangeRequest::Change::Change, ChangeRequest::Change::Keep},
               "00000004");
    check_wire(ChangeRequest{ChangeRequest::Change::Keep, ChangeRequest::Change::Change},
               "00000002");
    check_wire(ResponsePort{Port{3478}}, "0d96 0000");
    check_wire(Padding{5}, "00000000 00");
    check_wire(TransactionTransmitCounter{2, 1}, "0000 02 01");
    check_wire(Username{"evtj:h6vY"}, "6576746a3a68367659");
    check_wire(Data{as_bytes("hi")}, "6869");
    check_wire(MobilityTicket{as_bytes("t")}, "74");
    check_wire(AccessToken{as_bytes("t")}, "74");
    PasswordAlgorithms algorithms;
    algorithms.add(PasswordAlgorithm::Sha256);
    algorithms.add(PasswordAlgorithm::Md5);
    check_wire(algorithms, "0002 0000 0001 0000");
    UnknownAttributes unknown;
    unknown.add(AttributeType{0x7FFF});
    check_wire(unknown, "7fff");
}

struct Row {
    const char* what;
    AttributeType type;
    const char* value;
};

// Whether the type's own struct refuses the value.
bool refused(AttributeType type, BytesView value) {
    const TransactionId id = id_of(7);
    switch (type) {
        case AttributeType::MappedAddress:
            return !MappedAddress::decode(value, id);
        case AttributeType::XorMappedAddress:
            return !XorMappedAddress::decode(value, id);
        case AttributeType::ErrorCode:
            return !ErrorCode::decode(value, id);
        case AttributeType::AddressErrorCode:
            return !AddressErrorCode::decode(value, id);
        case AttributeType::UnknownAttributes:
            return !UnknownAttributes::decode(value, id);
        case AttributeType::ChannelNumber:
            return !ChannelNumberAttribute::decode(value, id);
        case AttributeType::Lifetime:
            return !Lifetime::decode(value, id);
        case AttributeType::RequestedAddressFamily:
            return !RequestedAddressFamily::decode(value, id);
        case AttributeType::EvenPort:
            return !EvenPort::decode(value, id);
        case AttributeType::RequestedTransport:
            return !RequestedTransport::decode(value, id);
        case AttributeType::DontFragment:
            return !DontFragment::decode(value, id);
        case AttributeType::ReservationToken:
            return !ReservationToken::decode(value, id);
        case AttributeType::Icmp:
            return !Icmp::decode(value, id);
        case AttributeType::Priority:
            return !Priority::decode(value, id);
        case AttributeType::IceControlled:
            return !IceControlled::decode(value, id);
        case AttributeType::UserHash:
            return !UserHash::decode(value, id);
        case AttributeType::PasswordAlgorithm:
            return !PasswordAlgorithmAttribute::decode(value, id);
        case AttributeType::PasswordAlgorithms:
            return !PasswordAlgorithms::decode(value, id);
        case AttributeType::ChangeRequest:
            return !ChangeRequest::decode(value, id);
        case AttributeType::ResponsePort:
            return !ResponsePort::decode(value, id);
        case AttributeType::TransactionTransmitCounter:
            return !TransactionTransmitCounter::decode(value, id);
        default:
            break;
    }
    FAIL("no such row");
    return false;
}

TEST_CASE("stun attributes: malformed values are refused") {
    const Row table[] = {
        {"empty address", AttributeType::MappedAddress, ""},
        {"address of family 0", AttributeType::MappedAddress, "0000 0001 01020304"},
        {"address of family 3", AttributeType::MappedAddress, "0003 0001 01020304"},
        {"IPv4 with 3 octets", AttributeType::MappedAddress, "0001 0001 010203"},
        {"IPv4 with 16 octets", AttributeType::XorMappedAddress,
         "0001 0001 01020304 01020304 01020304 01020304"},
        {"IPv6 with 4 octets", AttributeType::XorMappedAddress, "0002 0001 01020304"},
        {"error code without number", AttributeType::ErrorCode, "000004"},
        {"error code 200", AttributeType::ErrorCode, "00000200"},
        {"error code 700", AttributeType::ErrorCode, "00000700"},
        {"error code 4 and 100", AttributeType::ErrorCode, "00000464"},
        {"address error of family 0", AttributeType::AddressErrorCode, "00000428"},
        {"address error too short", AttributeType::AddressErrorCode, "010004"},
        {"half an unknown attribute", AttributeType::UnknownAttributes, "7fff80"},
        {"channel of 2 octets", AttributeType::ChannelNumber, "4000"},
        {"lifetime of 5 octets", AttributeType::Lifetime, "0000000000"},
        {"family 3", AttributeType::RequestedAddressFamily, "03000000"},
        {"family of 1 octet", AttributeType::RequestedAddressFamily, "01"},
        {"even port without value", AttributeType::EvenPort, ""},
        {"even port of 4 octets", AttributeType::EvenPort, "80000000"},
        {"transport of 1 octet", AttributeType::RequestedTransport, "11"},
        {"dont-fragment with a value", AttributeType::DontFragment, "00"},
        {"token of 7 octets", AttributeType::ReservationToken, "01020304050607"},
        {"icmp of 4 octets", AttributeType::Icmp, "00000304"},
        {"priority of 8 octets", AttributeType::Priority, "0000000000000001"},
        {"tie-breaker of 4 octets", AttributeType::IceControlled, "00000001"},
        {"user hash of 31 octets", AttributeType::UserHash,
         "00000000000000000000000000000000000000000000000000000000000000"},
        {"algorithm of 2 octets", AttributeType::PasswordAlgorithm, "0001"},
        {"algorithm whose parameters are missing", AttributeType::PasswordAlgorithm, "00010004"},
        {"two algorithms where one belongs", AttributeType::PasswordAlgorithm, "00010000 00020000"},
        {"no algorithms", AttributeType::PasswordAlgorithms, ""},
        {"nine algorithms", AttributeType::PasswordAlgorithms,
         "00010000 00010000 00010000 00010000 00010000 00010000 00010000 00010000 00010000"},
        {"change request of 1 octet", AttributeType::ChangeRequest, "04"},
        {"response port of 3 octets", AttributeType::ResponsePort, "0d9600"},
        {"counter of 2 octets", AttributeType::TransactionTransmitCounter, "0201"},
    };
    for (const Row& row : table) {
        CAPTURE(row.what);
        CHECK(refused(row.type, hex(row.value)));
    }
}

TEST_CASE("stun attributes: eight password algorithms and unknown ones with parameters are read") {
    const Bytes eight =
        hex("00010000 00010000 00010000 00010000 00010000 00010000 00010000 00020000");
    const auto list = PasswordAlgorithms::decode(eight, id_of(1));
    REQUIRE(list);
    CHECK(list->list().size() == most_password_algorithms);
    const auto odd =
        PasswordAlgorithms::decode(hex("00090005 0102030405000000 00020000"), id_of(1));
    REQUIRE(odd);
    CHECK(odd->list()[0] == PasswordAlgorithm{9});
    CHECK(odd->list()[1] == PasswordAlgorithm::Sha256);
}

TEST_CASE("stun attributes: texts are read up to 763 octets") {
    const std::string longest(most_text_octets, 'x');
    CHECK(Username::decode(as_bytes(longest), id_of(1))->text == longest);
    CHECK_FALSE(Username::decode(as_bytes(longest + "x"), id_of(1)));
    CHECK_FALSE(Nonce::decode(as_bytes(longest + "x"), id_of(1)));
    const Bytes reason = hex("00000401");
    Bytes most = reason;
    most.resize(4 + most_text_octets);
    CHECK(ErrorCode::decode(most, id_of(1)));
    most.resize(4 + most_text_octets + 1);
    CHECK_FALSE(ErrorCode::decode(most, id_of(1)));
    CHECK(AlternateDomain::decode(as_bytes(std::string(255, 'a')), id_of(1)));
    CHECK_FALSE(AlternateDomain::decode(as_bytes(std::string(256, 'a')), id_of(1)));
}

TEST_CASE("stun attributes: reserved octets are ignored") {
    CHECK(MappedAddress::decode(hex("ff01 8055 c0000201"), id_of(1))->address ==
          address("192.0.2.1:32853"));
    CHECK(ErrorCode::decode(hex("ffff fc01"), id_of(1))->code == 401);
    CHECK(ChannelNumberAttribute::decode(hex("4000ffff"), id_of(1))->number == 0x4000);
    CHECK(EvenPort::decode(hex("7f"), id_of(1))->next == EvenPort::Next::Free);
    CHECK(ChangeRequest::decode(hex("fffffff9"), id_of(1))->asks_for_nothing());
}

}  // namespace
}  // namespace stile::stun
