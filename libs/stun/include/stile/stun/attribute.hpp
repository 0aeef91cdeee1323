// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/byte_writer.hpp>
#include <stile/stun/attribute_type.hpp>
#include <stile/stun/transaction_id.hpp>

#include <concepts>
#include <optional>

namespace stile::stun {

// What every attribute struct offers. decode reads the value without header and padding, and what
// it yields may view into it; encode writes the value without header and padding. The transaction
// id is what XOR-ed addresses need.
template <class A>
concept Attribute =
    requires(const A& attribute, BytesView value, const TransactionId& id, ByteWriter& writer) {
        { A::type } -> std::convertible_to<AttributeType>;
        { A::decode(value, id) } -> std::same_as<std::optional<A>>;
        { attribute.encode(writer, id) } -> std::same_as<void>;
    };

}  // namespace stile::stun
