// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/nat_probe/nat64_search.hpp>

#include <doctest/doctest.h>
#include <utility>

namespace stile::nat_probe {
namespace {

// Answers when the test wants it.
struct Names final : drivers::NameService {
    void addresses(const std::string& host, drivers::OnDnsAnswer<IpAddress> done) override {
        CHECK(host == "ipv4only.arpa");
        questions.push_back(std::move(done));
    }
    void srv(const std::string&, drivers::OnDnsAnswer<drivers::SrvRecord>) override {}
    void naptr(const std::string&, drivers::OnDnsAnswer<drivers::NaptrRecord>) override {}

    void answer(std::initializer_list<const char*> addresses) {
        std::vector<IpAddress> parsed;
        for (const char* const address : addresses) parsed.push_back(*IpAddress::parse(address));
        std::exchange(questions.back(), nullptr)(parsed);
    }
    std::vector<drivers::OnDnsAnswer<IpAddress>> questions;
};

TEST_CASE("nat64 search: the prefix that DNS shows, asked for once") {
    drivers::Loop loop;
    Names names;
    Nat64Search search{loop, names};
    int told = 0;
    search.look([&] { ++told; });
    search.look();
    CHECK(search.is_looking());
    REQUIRE(names.questions.size() == 1);
    names.answer({"192.0.0.170", "2001:db8:64::c000:aa", "2001:db8:64::c000:ab"});
    CHECK(told == 1);
    CHECK_FALSE(search.is_looking());
    REQUIRE(search.prefix());
    CHECK(search.prefix()->prefix().address == *IpAddress::parse("2001:db8:64::"));
    search.look();
    CHECK(names.questions.size() == 1);
    // Another network is asked anew.
    search.forget();
    CHECK_FALSE(search.prefix());
    search.look();
    CHECK(names.questions.size() == 2);
}

TEST_CASE("nat64 search: no DNS64 is no prefix, and so is no answer") {
    drivers::Loop loop;
    Names names;
    Nat64Search search{loop, names};
    search.look();
    names.answer({"192.0.0.170", "192.0.0.171"});
    CHECK_FALSE(search.prefix());
    search.look();  // it was just asked
    CHECK(names.questions.size() == 1);
    search.forget();
    search.look();
    std::exchange(names.questions.back(), nullptr)(
        std::unexpected(drivers::DnsError{drivers::DnsFailure::TimedOut, "no answer"}));
    CHECK_FALSE(search.prefix());
    CHECK_FALSE(search.is_looking());
}

TEST_CASE("nat64 search: an answer that comes too late finds nobody") {
    drivers::Loop loop;
    Names names;
    int told = 0;
    {
        Nat64Search search{loop, names};
        search.look([&] { ++told; });
    }
    names.answer({"64:ff9b::c000:aa"});
    CHECK(told == 0);
}

}  // namespace
}  // namespace stile::nat_probe
