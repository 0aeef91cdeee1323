// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/stun/attributes.hpp>
#include <stile/stun/binding_responder.hpp>
#include <stile/stun/message_builder.hpp>
#include <stile/stun/message_view.hpp>

// Asks for a mapped address and reads the answer, with nothing of the project but its STUN library.
int main() {
    using namespace stile;
    stun::MessageBuilder builder{stun::Class::Request, stun::Method::Binding,
                                 stun::TransactionId{}};
    const Bytes request = builder.finish();
    const auto seen = stun::MessageView::parse(BytesView{request});
    const SocketAddress source{IpAddress::v4({192, 0, 2, 1}), Port{1024}};
    const auto answer = stun::respond_to_binding(*seen, source);
    if (!answer) return 1;
    const auto response = stun::MessageView::parse(BytesView{*answer});
    const auto mapped = response->get<stun::XorMappedAddress>();
    return mapped && mapped->address == source ? 0 : 1;
}
