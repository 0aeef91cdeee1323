// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "account.hpp"

#include "home.hpp"

#include <stile/app/json_field.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stile::peer {
namespace {

using nlohmann::json;

app::Problem damaged(const std::string& address) {
    return {app::ExitCode::Local, fmt::format("The stored account {} cannot be used", address),
            "what was kept of its login is incomplete", store_path(),
            fmt::format("log in again with a new link, or remove {}", store_path())};
}

std::optional<Account> from_stored(const drivers::PeerAccount& stored) {
    const json settings = json::parse(stored.settings, nullptr, false);
    if (!settings.is_object()) return std::nullopt;
    const auto port = [&](const char* name) {
        return Port{static_cast<std::uint16_t>(app::number_of(settings, name, 65535).value_or(0))};
    };
    const std::size_t at = stored.address.find('@');
    if (at == std::string::npos) return std::nullopt;
    Account account{.address = stored.address,
                    .domain = stored.address.substr(at + 1),
                    .server_host = app::text_of(settings, "server"),
                    .sips_port = port("sips_port"),
                    .https_port = port("https_port"),
                    .ca_pem = app::text_of(settings, "ca"),
                    .key_pem = stored.key_pem,
                    .certificate_pem = stored.certificate_pem};
    if (account.server_host.empty() || account.sips_port.value == 0 ||
        !crypto::PrivateKey::from_pem(account.key_pem) ||
        !crypto::Certificate::from_pem(account.certificate_pem)) {
        return std::nullopt;
    }
    return account;
}

}  // namespace

crypto::PrivateKey Account::key() const { return *crypto::PrivateKey::from_pem(key_pem); }

crypto::Certificate Account::certificate() const {
    return *crypto::Certificate::from_pem(certificate_pem);
}

drivers::PeerAccount to_stored(const Account& account) {
    const json settings{{"server", account.server_host},
                        {"sips_port", account.sips_port.value},
                        {"https_port", account.https_port.value},
                        {"ca", account.ca_pem}};
    return {.address = account.address,
            .registrar = "sips:" + account.domain,
            .key_pem = account.key_pem,
            .certificate_pem = account.certificate_pem,
            .password = {},
            .settings = settings.dump()};
}

std::expected<Account, app::Problem> load_account(drivers::PeerStore& store,
                                                  const std::string& address) {
    const auto accounts = store.accounts();
    if (!accounts) {
        return std::unexpected(app::Problem{app::ExitCode::Local, "The store cannot be read",
                                            accounts.error().text, "", ""});
    }
    if (accounts->empty()) {
        return std::unexpected(app::Problem{
            app::ExitCode::NotAuthorised, "Nobody is logged in here",
            fmt::format("no account is kept in {}", home_directory()), "",
            "ask your server's operator for a login link ('stiled user add NAME'), then: stile "
            "login LINK"});
    }
    for (const drivers::PeerAccount& stored : *accounts) {
        if (!address.empty() && stored.address != address) continue;
        auto account = from_stored(stored);
        if (!account) return std::unexpected(damaged(stored.address));
        return *std::move(account);
    }
    return std::unexpected(app::Problem{app::ExitCode::NotAuthorised,
                                        fmt::format("{} is not logged in here", address), "", "",
                                        "see 'stile status' for who is"});
}

std::expected<drivers::PeerStore, app::Problem> open_store() {
    auto store = drivers::PeerStore::open(store_path());
    if (store) return *std::move(store);
    return std::unexpected(
        app::Problem{app::ExitCode::Local, "The store cannot be opened", store.error().text,
                     store_path(), "make the folder writable, or choose another by STILE_HOME"});
}

}  // namespace stile::peer
