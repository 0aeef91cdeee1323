// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/identity/presented.hpp>

#include <stile/identity/limits.hpp>

namespace stile::identity {
namespace {

std::optional<PresentedError> error_of(crypto::CertificateCheck check) {
    switch (check) {
        case crypto::CertificateCheck::Good:
            return std::nullopt;
        case crypto::CertificateCheck::NotIssuedByAuthority:
        case crypto::CertificateCheck::IssuerNotAuthority:
            return PresentedError::NotCertified;
        case crypto::CertificateCheck::NotYetValid:
            return PresentedError::NotYetValid;
        case crypto::CertificateCheck::Expired:
            return PresentedError::Expired;
    }
    return PresentedError::NotCertified;
}

}  // namespace

std::expected<Met, PresentedError> meet(std::span<const crypto::Certificate> presented,
                                        WallTime now) {
    if (presented.empty()) return std::unexpected(PresentedError::Nothing);
    if (presented.size() > most_presented_certificates) {
        return std::unexpected(PresentedError::TooMany);
    }
    auto key = presented.back().public_key();
    if (!key || !presented.front().public_key()) {
        return std::unexpected(PresentedError::UnusableKey);
    }
    if (presented.size() == 2) {
        const auto check = crypto::check_issued(presented.front(), presented.back(), now);
        if (const auto error = error_of(check)) return std::unexpected(*error);
    }
    return Met{.device = presented.front(), .address_key = *std::move(key)};
}

}  // namespace stile::identity
