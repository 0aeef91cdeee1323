// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "account.hpp"
#include "commands.hpp"
#include "home.hpp"
#include "server_api.hpp"

#include <stile/identity/address.hpp>

#include <fmt/format.h>

namespace stile::peer {
namespace {

std::string day(WallTime time) {
    const std::chrono::year_month_day date{std::chrono::floor<std::chrono::days>(time)};
    return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

int ask_server(const Account& account) {
    drivers::Loop loop;
    ServerApi api{loop};
    int result = 0;
    api.relay_access(account, [&](auto access) {
        if (!access) {
            result = app::fail(access.error());
        } else {
            for (const connect::TurnServer& server : access->turn_servers) {
                fmt::print("Relay     {}, credentials for {} s\n", server.address.to_string(),
                           std::chrono::duration_cast<std::chrono::seconds>(access->valid).count());
            }
        }
        loop.stop();
    });
    loop.run();
    return result;
}

}  // namespace

int status(const StatusOptions& options) {
    auto store = open_store();
    if (!store) return app::fail(store.error());
    const auto account = load_account(*store, options.common.account);
    if (!account) return app::fail(account.error());
    fmt::print("Account   {}\n", account->address);
    fmt::print("Server    {}:{} (SIP over TLS), for {}\n", account->server_host,
               account->sips_port.value, account->domain);
    fmt::print("Key       {}\n", account->key().public_key().thumbprint().to_hex());
    fmt::print("Until     {}\n", day(account->certificate().validity().not_after));
    fmt::print("Kept in   {}\n", home_directory());
    return options.network == StatusOptions::Network::Asked ? ask_server(*account) : 0;
}

int contacts_list() {
    auto store = open_store();
    if (!store) return app::fail(store.error());
    const auto pins = store->pins();
    if (!pins) {
        return app::fail(
            {app::ExitCode::Local, "The pins cannot be read", pins.error().text, "", ""});
    }
    for (const drivers::Pin& pin : *pins) {
        fmt::print("{}  first met {}, last {}  key {}\n", pin.address, day(pin.first_seen),
                   day(pin.last_seen),
                   crypto::Digest{BytesView{pin.thumbprint}}.to_hex().substr(0, 16));
    }
    return 0;
}

int contacts_remove(const std::string& address) {
    auto store = open_store();
    if (!store) return app::fail(store.error());
    const auto parsed = identity::Address::parse(address);
    const auto removed = store->remove_pin(parsed ? parsed->text() : address);
    if (!removed) {
        return app::fail(
            {app::ExitCode::Local, "The pin cannot be removed", removed.error().text, "", ""});
    }
    if (!*removed) {
        return app::fail({app::ExitCode::NotFound, fmt::format("{} was never met", address), "", "",
                          "see 'stile contacts'"});
    }
    fmt::print("{} is forgotten: the next meeting is a first one, and not verified\n", address);
    return 0;
}

}  // namespace stile::peer
