// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/crypto/digest.hpp>

namespace stile::crypto {

// RFC 2104. The key is prepared once; each tag then costs the data alone.
class Hmac {
public:
    Hmac(DigestAlgorithm algorithm, BytesView key);
    Hmac(const Hmac&);
    Hmac& operator=(const Hmac&);
    Hmac(Hmac&&) noexcept;
    Hmac& operator=(Hmac&&) noexcept;
    ~Hmac();

    // The code over the parts in their order.
    Digest tag(std::initializer_list<BytesView> parts) const;
    Digest tag(BytesView bytes) const { return tag({bytes}); }

private:
    struct State;
    std::unique_ptr<State> state_;
};

// Takes the same time wherever the two differ. Views of different length are unequal at once.
bool equal_in_constant_time(BytesView left, BytesView right);

}  // namespace stile::crypto
