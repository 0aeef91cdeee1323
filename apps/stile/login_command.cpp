// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "account.hpp"
#include "commands.hpp"
#include "login_link.hpp"
#include "server_api.hpp"

#include <stile/drivers/random.hpp>

#include <fmt/format.h>

namespace stile::peer {

int login(const LoginOptions& options) {
    const auto link = LoginLink::parse(options.link);
    if (!link) {
        return app::fail(
            {app::ExitCode::Usage, "This is no login link", "", "",
             "a link looks like https://HOST:PORT/login#TOKEN.FINGERPRINT; in a shell, "
             "put it in quotation marks"});
    }
    auto store = open_store();
    if (!store) return app::fail(store.error());

    crypto::RandomStream random{drivers::random_seed()};
    const auto key =
        crypto::PrivateKey::from_entropy(random.array<crypto::PrivateKey::entropy_octets>());
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
