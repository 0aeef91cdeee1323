// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "addresses.hpp"
#include "authority.hpp"
#include "daemon.hpp"
#include "login_service.hpp"

#include <stile/base/encoding.hpp>
#include <stile/base/text.hpp>
#include <stile/drivers/random.hpp>
#include <stile/relay/admin.hpp>
#include <stile/relay/state_folder.hpp>
#include <stile/sip/digest.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <nlohmann/json.hpp>

namespace stile::stiled {
namespace {

constexpr std::size_t most_user_octets = 64;
constexpr std::size_t password_octets = 15;  // 20 characters of base 64

app::Problem store_problem(const drivers::StoreError& error) {
    return {app::ExitCode::Local, "The server's store cannot be used", error.text, "", ""};
}

// Without dots: a user is one label of a gateway's host names.
bool is_user_name(std::string_view user) {
    return !user.empty() && user.size() <= most_user_octets &&
           std::ranges::all_of(user, [](char c) {
               return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
           });
}

// A server that runs takes the account over at once; one that does not, at its start.
void tell_server(const Config& config) {
    (void)relay::ask_admin(admin_socket(config), {{"command", "reload"}});
}

WallTime wall_now() { return drivers::Loop{}.wall_now(); }

int print_link(drivers::ServerStore& store, const Config& config, const AccountOptions& options) {
    const WallTime now = wall_now();
    const auto authority = Authority::open(store, config.domain, now);
    if (!authority) return app::fail(store_problem(authority.error()));
    const auto made = make_login_link(store, *authority, options.user, config.domain,
                                      reachable_address(config.listen.https, config), now);
    if (!made) return app::fail(store_problem(made.error()));
    if (options.output == AccountOptions::Output::LinkOnly) {
        fmt::print("{}\n", made->link);
    } else {
        fmt::print("Login link for {}@{}, good once, for a day:\n\n    stile login '{}'\n",
                   options.user, config.domain, made->link);
    }
    return 0;
}

// The password exists here only; the store keeps what digest needs of it.
std::string make_password(drivers::Account& account) {
    crypto::RandomStream random{drivers::random_seed()};
    const std::string password = to_base64url(random.bytes(password_octets));
    const auto secret = [&](sip::AuthAlgorithm algorithm) {
        return sip::AuthSecret::from_password(algorithm, account.user, account.domain, password)
            .ha1;
    };
    if (account.account_class == drivers::AccountClass::Compatible) {
        account.ha1_md5 = secret(sip::AuthAlgorithm::Md5);
    } else {
        account.ha1_sha256 = secret(sip::AuthAlgorithm::Sha256);
        account.ha1_sha512_256 = secret(sip::AuthAlgorithm::Sha512_256);
    }
    return password;
}

}  // namespace

std::string state_directory(const Config& config) {
    return relay::StateFolder::choose(config.state_directory, "stiled");
}

std::string admin_socket(const Config& config) { return state_directory(config) + "/admin.sock"; }

std::expected<drivers::ServerStore, app::Problem> open_store(const Config& config) {
    auto store = drivers::ServerStore::open(state_directory(config) + "/stiled.db");
    if (store) return *std::move(store);
    return std::unexpected(app::Problem{app::ExitCode::Local, "The server's store cannot be opened",
                                        store.error().text, state_directory(config),
                                        "make the folder writable, or name another as "
                                        "state_directory in the configuration"});
}

int add_user(const Config& config, const AccountOptions& options) {
    if (!is_user_name(options.user)) {
        return app::fail({app::ExitCode::Usage, fmt::format("'{}' is no user name", options.user),
                          "", "", "small letters, digits, '-' and '_', at most 64"});
    }
    auto store = open_store(config);
    if (!store) return app::fail(store.error());
    drivers::Account account{.user = options.user, .domain = config.domain};
    account.created = wall_now();
    account.account_class = options.kind == AccountOptions::Kind::Compatible
                                ? drivers::AccountClass::Compatible
                                : drivers::AccountClass::Modern;
    const std::string password = make_password(account);
    if (const auto added = store->add_account(account); !added) {
        if (added.error().failure != drivers::StoreFailure::Conflict) {
            return app::fail(store_problem(added.error()));
        }
        return app::fail({app::ExitCode::Usage,
                          fmt::format("{}@{} is there already", options.user, config.domain), "",
                          "", fmt::format("for a new link: stiled user link {}", options.user)});
    }
    tell_server(config);
    if (options.kind == AccountOptions::Kind::Compatible) {
        fmt::print("SIP user  {}@{}\nPassword  {}\n\n", options.user, config.domain, password);
    }
    return print_link(*store, config, options);
}

int new_link(const Config& config, const AccountOptions& options) {
    auto store = open_store(config);
    if (!store) return app::fail(store.error());
    const auto account = store->find_account(options.user, config.domain);
    if (!account) return app::fail(store_problem(account.error()));
    if (!*account) {
        return app::fail({app::ExitCode::NotFound,
                          fmt::format("There is no {}@{}", options.user, config.domain), "", "",
                          fmt::format("make the account: stiled user add {}", options.user)});
    }
    return print_link(*store, config, options);
}

int list_users(const Config& config) {
    auto store = open_store(config);
    if (!store) return app::fail(store.error());
    const auto accounts = store->accounts(config.domain);
    if (!accounts) return app::fail(store_problem(accounts.error()));
    for (const drivers::Account& account : *accounts) {
        fmt::print("{}@{}  {}{}\n", account.user, account.domain,
                   account.account_class == drivers::AccountClass::Modern ? "modern" : "compatible",
                   account.state == drivers::AccountState::Enabled ? "" : ", disabled");
    }
    return 0;
}

int remove_user(const Config& config, const std::string& user) {
    auto store = open_store(config);
    if (!store) return app::fail(store.error());
    const auto removed = store->remove_account(user, config.domain);
    if (!removed) return app::fail(store_problem(removed.error()));
    if (!*removed) {
        return app::fail({app::ExitCode::NotFound,
                          fmt::format("There is no {}@{}", user, config.domain), "", "",
                          "see 'stiled user list'"});
    }
    tell_server(config);
    fmt::print("{}@{} is removed\n", user, config.domain);
    return 0;
}

}  // namespace stile::stiled
