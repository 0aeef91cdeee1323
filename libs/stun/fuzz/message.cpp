// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Whatever arrives: parsing, both integrity checks, credentials and the responder.
#include <stile/base/assert.hpp>
#include <stile/stun/binding_responder.hpp>
#include <stile/stun/long_term_client.hpp>
#include <stile/stun/long_term_server.hpp>
#include <stile/stun/short_term.hpp>

using namespace stile;
using namespace stile::stun;

namespace {

const SocketAddress& source() {
    static const SocketAddress address{IpAddress::v4(0xC0000201), Port{4000}};
    return address;
}

LongTermServer make_server() {
    LongTermServer::Config config;
    config.realm = "example.org";
    config.algorithms.add(PasswordAlgorithm::Sha256);
    config.algorithms.add(PasswordAlgorithm::Md5);
    return LongTermServer{config};
}

void answer(const MessageView& message) {
    if (const auto response = BindingResponder{"fuzz"}.respond(message, source())) {
        const auto again = MessageView::parse(*response, MagicCookie::Optional);
        STILE_ASSERT(again && is_response(again->message_class()));
        STILE_ASSERT(again->id() == message.id());
    }
    if (message.message_class() != Class::Request) return;
    static const LongTermServer server = make_server();
    const WallTime now{std::chrono::seconds{1'700'000'000}};
    if (const auto claim = server.examine(message)) {
        const auto key = server.key_of("george", "secret", claim->algorithm);
        (void)server.verify(message, *claim, &key, source(), now);
    } else {
        const Bytes refusal = server.refuse(message, claim.error(), source(), now);
        STILE_ASSERT(MessageView::parse(refusal, MagicCookie::Optional));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const BytesView wire{reinterpret_cast<const std::byte*>(data), size};
    (void)framed_size(wire);
    const auto parsed = MessageView::parse(wire, MagicCookie::Optional);
    if (!parsed) return 0;
    if (parsed->dialect() == Dialect::Rfc8489) STILE_ASSERT(looks_like_stun(wire));

    std::size_t count = 0;
    for (const AttributeView attribute : parsed->attributes()) {
        STILE_ASSERT(parsed->has(attribute.type));
        ++count;
    }
    STILE_ASSERT(count <= most_attributes);
    static const IntegrityKey key = IntegrityKey::short_term("secret");
    for (const IntegrityKind kind : {IntegrityKind::Sha1, IntegrityKind::Sha256}) {
        (void)check_integrity(*parsed, key, kind, LeastTag{16});
    }
    (void)check_fingerprint(*parsed);
    (void)short_term_username(*parsed);
    answer(*parsed);

    LongTermClient client{{"george", "secret"}};
    const Bytes request = MessageBuilder{Class::Request, Method::Allocate, parsed->id()}.finish();
    const auto sent = MessageView::parse(request);
    if (client.handle_response(*sent, *parsed) == LongTermClient::Outcome::Retry) {
        MessageBuilder retry{Class::Request, Method::Allocate, parsed->id()};
        client.authenticate(retry);
        const Bytes second = retry.finish();
        (void)client.handle_response(*MessageView::parse(second), *parsed);
    }
    return 0;
}
