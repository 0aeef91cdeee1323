// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>
#include <stile/drivers/database.hpp>

#include <utility>
#include <vector>

namespace stile::drivers {

// What a login left on a person's machine.
struct PeerAccount {
    std::string address;          // "alice@example.org"
    std::string registrar;        // where to register: "sips:example.org" or with a host and port
    std::string key_pem;          // the address's or the device's private key
    std::string certificate_pem;  // chain, the domain's certificate for that key first
    std::string password;         // for digest; empty where the certificate is enough
    std::string settings;         // what else the server handed out at login, as JSON
    friend bool operator==(const PeerAccount&, const PeerAccount&) = default;
};

// The key that an address proved at the first meeting.
struct Pin {
    std::string address;
    Bytes thumbprint;  // SHA-256 of the SubjectPublicKeyInfo
    WallTime first_seen;
    WallTime last_seen;
    enum class Verified : std::uint8_t {
        No,
        ByCode
    };  // a short authentication string was compared
    Verified verified = Verified::No;
    friend bool operator==(const Pin&, const Pin&) = default;
};

// The peer's lasting state.
class PeerStore {
public:
    static StoreResult<PeerStore> open(const std::string& path);

    [[nodiscard]] StoreResult<void> put_account(const PeerAccount& account);
    [[nodiscard]] StoreResult<bool> remove_account(std::string_view address);
    [[nodiscard]] StoreResult<std::optional<PeerAccount>> find_account(std::string_view address);
    [[nodiscard]] StoreResult<std::vector<PeerAccount>> accounts();

    [[nodiscard]] StoreResult<void> put_pin(const Pin& pin);
    [[nodiscard]] StoreResult<bool> remove_pin(std::string_view address);
    [[nodiscard]] StoreResult<std::optional<Pin>> find_pin(std::string_view address);
    [[nodiscard]] StoreResult<std::vector<Pin>> pins();

    [[nodiscard]] StoreResult<void> put_setting(std::string_view name, BytesView value);
    [[nodiscard]] StoreResult<std::optional<Bytes>> find_setting(std::string_view name);

private:
    explicit PeerStore(Database database);
    std::unique_ptr<Database> database_;
};

}  // namespace stile::drivers
