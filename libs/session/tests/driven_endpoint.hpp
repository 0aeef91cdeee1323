// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// One endpoint, whose server is the test.
#pragma once

#include <stile/base/drain.hpp>
#include <stile/session/endpoint.hpp>

#include <doctest/doctest.h>
#include <string>
#include <vector>

namespace stile::session::test {

using namespace std::chrono_literals;

constexpr sip::FlowId flow_id{7};

inline sip::Flow flow(sip::FlowId id = flow_id) {
    return {.id = id,
            .transport = sip::TransportKind::Tls,
            .remote = SocketAddress::parse("198.51.100.1:5061").value(),
            .sent_by = {.host = sip::Host::parse("192.0.2.1").value(), .port = Port{5062}}};
}

inline connect::ConnectorConfig path(std::uint16_t port = 5000) {
    connect::ConnectorConfig config;
    config.hosts = {{IpAddress::v4({192, 0, 2, 1}), Port{port}}};
    return config;
}

struct Driven {
    Endpoint endpoint;
    Instant now{};
    std::vector<EndpointEvent> events = {};
    std::string signalling = {};  // all that was written

    explicit Driven(Purpose purpose)
        : endpoint(Instant{},
                   {.address = "alice@example.org",
                    .instance = "urn:uuid:00000000-0000-4000-8000-000000000001",
                    .software = "test",
                    .purpose = purpose,
                    .fingerprint = {.hash = identity::HashFunction::Sha256,
                                    .octets = crypto::Digest{BytesView{Bytes(32, std::byte{1})}}}},
                   crypto::RandomStream{crypto::seed_from_number(1)}) {
        endpoint.start(now);
        settle();
    }
    void open() {
        endpoint.handle_flow_opened(now, flow());
        settle();
    }
    std::optional<Instant> settle() {
        return drain(
            endpoint,
            [&](const EndpointTransmit& out) {
                if (const auto* const written = std::get_if<sip::Outgoing>(&out)) {
                    signalling += as_text(written->bytes);
                }
            },
            [&](EndpointEvent event) { events.push_back(std::move(event)); });
    }
    template <class Kind>
    const Kind* find() const {
        for (const EndpointEvent& event : events) {
            if (const auto* const found = std::get_if<Kind>(&event)) return found;
        }
        return nullptr;
    }
    // The value of a header field of the first message that was written.
    std::string field(std::string_view name) const {
        const std::size_t begin = signalling.find(std::string{name} + ": ");
        REQUIRE(begin != std::string::npos);
        const std::size_t value = begin + name.size() + 2;
        return signalling.substr(value, signalling.find("\r\n", value) - value);
    }
    // An answer to the INVITE.
    void answer(std::string_view status, std::string_view contact, std::string_view body = {}) {
        std::string text = "SIP/2.0 " + std::string{status} + "\r\n";
        for (const std::string_view name : {"Via", "From", "Call-ID", "CSeq"}) {
            text += std::string{name} + ": " + field(name) + "\r\n";
        }
        text += "To: " + field("To") + ";tag=bob\r\n" + std::string{contact};
        text += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string{body};
        CHECK(endpoint.handle_signalling(now, flow_id, as_bytes(text)));
        settle();
    }
    // How often this was written.
    std::size_t count(std::string_view text) const {
        std::size_t found = 0;
        for (std::size_t at = signalling.find(text); at != std::string::npos;
             at = signalling.find(text, at + 1)) {
            ++found;
        }
        return found;
    }
    // Everything that was written is forgotten, but for the last message.
    void keep_last(std::string_view start) {
        const std::size_t begin = signalling.rfind(start);
        REQUIRE(begin != std::string::npos);
        signalling = signalling.substr(begin);
    }
    void pass_to(Instant end) {
        for (auto next = settle(); next && *next <= end; next = settle()) {
            endpoint.handle_timeout(now = *next);
        }
        now = end;
    }
    void incoming(std::string_view number, std::string_view type, std::string_view body) {
        const std::string text =
            "INVITE sip:alice@192.0.2.1:5062;transport=tls SIP/2.0\r\n"
            "Via: SIP/2.0/TLS 198.51.100.1:5061;branch=z9hG4bK" +
            std::string{number} +
            "\r\n"
            "Max-Forwards: 70\r\n"
            "From: <sip:bob@example.org>;tag=b" +
            std::string{number} +
            "\r\n"
            "To: <sip:alice@example.org>\r\n"
            "Call-ID: " +
            std::string{number} +
            "@example.org\r\n"
            "CSeq: 1 INVITE\r\n"
            "Contact: <sip:bob@198.51.100.1:5061;transport=tls>\r\n"
            "Content-Type: " +
            std::string{type} +
            "\r\n"
            "Content-Length: " +
            std::to_string(body.size()) + "\r\n\r\n" + std::string{body};
        CHECK(endpoint.handle_signalling(now, flow_id, as_bytes(text)));
        settle();
    }
};

// A path with a server that never answers: there is always something to wait for.
inline connect::ConnectorConfig slow_path() {
    connect::ConnectorConfig config = path();
    config.stun_servers = {SocketAddress::parse("198.51.100.99:3478").value()};
    return config;
}

}  // namespace stile::session::test
