// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/interfaces.hpp>
#include <stile/drivers/multicast_dns.hpp>

#include <doctest/doctest.h>

namespace stile::drivers {
namespace {

using namespace std::chrono_literals;

TEST_CASE("multicast dns: whoever asked for a name that nobody has hears so, each of them once") {
    Loop loop;
    MulticastDns names{loop};
    const auto name = mdns::HostName::parse("1f4712db-ea17-4bcf-a596-105139dfd8bf.local");
    unsigned heard = 0;
    const auto count = [&](std::optional<IpAddress> address) {
        CHECK_FALSE(address);
        ++heard;
    };
    names.resolve(*name, count);
    names.resolve(*name, count);
    CHECK(heard == 0);
    REQUIRE(loop.run_until([&] { return heard == 2; }, 20s) == Loop::Outcome::Done);
}

TEST_CASE("multicast dns: an address has one name, and loopback or foreign ones have none") {
    Loop loop;
    MulticastDns names{loop};
    CHECK_FALSE(names.name_of(IpAddress::v4({127, 0, 0, 1})));
    CHECK_FALSE(names.name_of(IpAddress::v4({192, 0, 2, 77})));
    const auto addresses = local_addresses();
    REQUIRE(addresses);
    for (const LocalAddress& address : *addresses) {
        const auto name = names.name_of(address.ip);
        if (!address.ip.is_loopback()) CHECK(name == names.name_of(address.ip));
    }
    names.handle_network_changed();
}

TEST_CASE("multicast dns: whoever ends it hears nothing more") {
    Loop loop;
    auto names = std::make_unique<MulticastDns>(loop);
    const auto name = mdns::HostName::parse("2f4712db-ea17-4bcf-a596-105139dfd8bf.local");
    names->resolve(*name, [](std::optional<IpAddress>) { FAIL("it is over"); });
    names.reset();
    CHECK(loop.run_until([] { return false; }, 100ms) == Loop::Outcome::DeadlinePassed);
}

}  // namespace
}  // namespace stile::drivers
