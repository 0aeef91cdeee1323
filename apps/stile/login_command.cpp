// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "account.hpp"
#include "commands.hpp"
#include "login_link.hpp"
#include "server_api.hpp"

#include <stile/drivers/random.hpp>

#include <fmt/format.h>

namespace stile::peer {
namespace {

// A later login to the same server as the same user keeps the key: contacts have pinned it.
crypto::PrivateKey key_for(drivers::PeerStore& store, const LoginLink& link) {
    if (const auto accounts = store.accounts()) {
        for (const drivers::PeerAccount& stored : *accounts) {
            const auto account = load_account(store, stored.address);
            const auto authority = account ? crypto::Certificate::from_pem(account->ca_pem)
                                           : std::unexpected(crypto::CertificateError::Malformed);
            const bool same = authority && account->address.starts_with(link.user + '@') &&
                              authority->fingerprint() == link.ca_fingerprint;
            if (same) return account->key();
        }
    }
    crypto::RandomStream random{drivers::random_seed()};
    return crypto::PrivateKey::from_entropy(random.array<crypto::PrivateKey::entropy_octets>());
}

}  // namespace

int login(const LoginOptions& options) {
    const auto link = LoginLink::parse(options.link);
    if (!link) {
        return app::fail(
            {app::ExitCode::Usage, "This is no login link", "", "",
             "a link looks like https://HOST:PORT/login#USER.TOKEN.FINGERPRINT; in a shell, "
             "put it in quotation marks"});
    }
    auto store = open_store();
    if (!store) return app::fail(store.error());

    const crypto::PrivateKey key = key_for(*store, *link);
    drivers::Loop loop;
    ServerApi api{loop};
    int result = 0;
    api.login(*link, key, [&](auto account) {
        if (!account) {
            result = app::fail(account.error());
        } else if (const auto kept = store->put_account(to_stored(*account)); !kept) {
            result = app::fail({app::ExitCode::Local, "The account could not be kept",
                                kept.error().text, "", "ask for a new link: this one is used up"});
        } else {
            fmt::print("Logged in as {}\n", account->address);
        }
        loop.stop();
    });
    loop.run();
    return result;
}

}  // namespace stile::peer
