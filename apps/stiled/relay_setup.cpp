// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "relay_setup.hpp"

#include <stile/base/encoding.hpp>
#include <stile/relay/prepare.hpp>

namespace stile::stiled {

std::expected<relay::Prepared, app::Problem> prepare_relay(const Config& config,
                                                           drivers::ServerStore& store,
                                                           const relay::StateFolder& state,
                                                           const RelayFacts& facts) {
    relay::Prepared prepared{config.relay, {}};
    relay::Settings& wanted = prepared.file.settings;
    relay::Tenant& tenant = wanted.tenants.front();
    tenant.secrets.insert(tenant.secrets.begin(), {.secret = facts.secret});
    const auto accounts = store.accounts(config.domain);
    if (!accounts) {
        return std::unexpected(app::Problem{app::ExitCode::Local,
                                            "The server's store cannot be used",
                                            accounts.error().text, state.path(), ""});
    }
    for (const drivers::Account& account : *accounts) {
        if (account.state != drivers::AccountState::Enabled) continue;
        tenant.accounts.push_back(
            {.username = account.user,
             .keys = {.md5 = from_hex(account.ha1_md5).value_or(Bytes{}),
                      .sha256 = from_hex(account.ha1_sha256).value_or(Bytes{})}});
    }
    wanted.nonce_key = facts.nonce_key;
    if (prepared.file.certificate_file.empty()) {
        wanted.certificate_pem = facts.certificate_pem;
        wanted.key_pem = facts.key_pem;
    }
    auto settings = relay::prepare(prepared.file, state, relay::Machine::this_one());
    if (!settings) return std::unexpected(settings.error());
    prepared.settings = *std::move(settings);
    return prepared;
}

}  // namespace stile::stiled
