// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "tenant_config.hpp"

#include "behavior_places.hpp"

#include <algorithm>
#include <set>

namespace stile::relay {

turn_server::ServiceConfig service_config(const Settings& settings, const Tenant& tenant,
                                          std::uint8_t shard, turn::RelayDirectory& directory,
                                          turn::Offer offload) {
    turn_server::ServiceConfig config;
    config.relay = tenant.limits;
    config.relay.authentication.realm = tenant.realm;
    config.relay.authentication.nonce_key = settings.nonce_key;
    const auto offers = [&](AddressFamily family) {
        return std::ranges::any_of(
                   settings.relay_addresses,
                   [&](const RelayAddress& address) { return address.local.family() == family; })
                   ? turn::Offer::Offered
                   : turn::Offer::NotOffered;
    };
    config.relay.ipv4 = offers(AddressFamily::V4);
    config.relay.ipv6 = offers(AddressFamily::V6);
    config.relay.dont_fragment = turn::Offer::Offered;
    config.relay.shard = shard;
    config.relay.directory = &directory;
    config.relay.offload = offload;
    config.replies = settings.replies;
    config.own_addresses = settings.own_addresses;
    config.discovery = discovery_addresses(settings);
    return config;
}

bool fill_credentials(turn::CredentialTable& table, const Tenant& tenant, const Tenant* before) {
    if (before != nullptr) {
        std::set<std::string_view> kept;
        for (const Account& account : tenant.accounts) kept.insert(account.username);
        for (const Account& account : before->accounts) {
            if (!kept.contains(account.username)) table.remove_account(account.username);
        }
    }
    if (!table.set_shared_secrets(tenant.secrets)) return false;
    if (!table.set_token_keys(tenant.token_keys)) return false;
    return std::ranges::all_of(tenant.accounts, [&](const Account& account) {
        return table.set_account(account.username, account.keys);
    });
}

}  // namespace stile::relay
