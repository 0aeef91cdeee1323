// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace stile::drivers::testing {

struct CertificateWish {
    std::string subject = "test";
    std::string alternative_names;            // OpenSSL's notation: "DNS:example.org,IP:127.0.0.1"
    std::int64_t valid_from_seconds = -3600;  // from now
    std::int64_t valid_to_seconds = 3600;
    enum class Kind : std::uint8_t { End, Authority };
    Kind kind = Kind::End;
};

struct Issued {
    std::string certificate_pem;
    std::string key_pem;
};

// Makes certificates for tests. P-256 keys, new ones each time.
class TestAuthority {
public:
    explicit TestAuthority(const std::string& name = "test authority");
    ~TestAuthority();
    const std::string& pem() const;
    Issued issue(const CertificateWish& wish) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace stile::drivers::testing
