// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/stun/attributes.hpp>
#include <stile/stun/binding_answer.hpp>

namespace stile::stun {
namespace {

template <class A>
std::optional<SocketAddress> address_in(const MessageView& message) {
    const auto attribute = message.get<A>();
    if (!attribute) return std::nullopt;
    return attribute->address;
}

}  // namespace

std::expected<BindingAnswer, BindingRefusal> read_binding_answer(const MessageView& response) {
    STILE_ASSERT(is_response(response.message_class()));
    if (response.message_class() == Class::ErrorResponse) {
        const auto error = response.get<ErrorCode>();
        if (!error) return std::unexpected(BindingRefusal{.code = 500, .reason = {}});
        return std::unexpected(
            BindingRefusal{.code = error->code, .reason = std::string{error->reason}});
    }
    const auto hidden = address_in<XorMappedAddress>(response);
    const auto clear = address_in<MappedAddress>(response);
    if (!hidden && !clear) return std::unexpected(BindingRefusal{});
    BindingAnswer answer{.mapped = hidden ? *hidden : *clear};
    if (hidden) answer.mapped_in_clear = clear;
    answer.origin = address_in<ResponseOrigin>(response);
    answer.other = address_in<OtherAddress>(response);
    if (answer.other && answer.other->ip.family() != answer.mapped.ip.family()) {
        answer.other.reset();
    }
    if (const auto software = response.get<Software>()) answer.software = software->text;
    return answer;
}

}  // namespace stile::stun
