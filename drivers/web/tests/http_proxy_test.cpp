// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/http_proxy.hpp>

#include <doctest/doctest.h>

#include <map>

namespace stile::drivers {
namespace {

using Login = HttpProxy::Login;
using Error = HttpProxy::ParseError;

ProxySettings settings(const std::map<std::string, std::string>& environment) {
    const auto read =
        ProxySettings::from_environment([&](const char* name) -> std::optional<std::string> {
            const auto found = environment.find(name);
            if (found == environment.end()) return std::nullopt;
            return found->second;
        });
    REQUIRE(read);
    return *read;
}

TEST_CASE("http proxy: an address says host, port and login") {
    struct Row {
        const char* url;
        HttpProxy proxy;
    };
    for (const Row& row : {
             Row{"http://proxy.example.org:3128", {"proxy.example.org", Port{3128}, {}}},
             Row{"HTTP://proxy.example.org:3128/", {"proxy.example.org", Port{3128}, {}}},
             Row{"proxy:8080", {"proxy", Port{8080}, {}}},
             Row{" http://192.0.2.1 ", {"192.0.2.1", Port{80}, {}}},
             Row{"http://[2001:db8::1]:3128", {"2001:db8::1", Port{3128}, {}}},
             Row{"http://u:p@proxy:1", {"proxy", Port{1}, Login{"u", "p"}}},
             Row{"http://u@proxy:1", {"proxy", Port{1}, Login{"u", ""}}},
             Row{"http://a%40b:p%3a%2F@proxy:1", {"proxy", Port{1}, Login{"a@b", "p:/"}}},
         }) {
        CAPTURE(row.url);
        const auto parsed = HttpProxy::parse(row.url);
        REQUIRE(parsed);
        CHECK(*parsed == row.proxy);
    }
}

TEST_CASE("http proxy: what is no address of a proxy is refused with the reason") {
    struct Row {
        const char* url;
        Error error;
    };
    for (const Row& row :
         {Row{"socks5://proxy:1080", Error::UnknownScheme},
          Row{"https://proxy:443", Error::UnknownScheme}, Row{"", Error::BadHost},
          Row{"http://", Error::BadHost}, Row{"http://pro xy:1", Error::BadHost},
          Row{"http://[2001:db8::1", Error::BadHost}, Row{"http://[192.0.2.1]:1", Error::BadHost},
          Row{"http://[2001:db8::1]1", Error::BadHost}, Row{"http://proxy:", Error::BadPort},
          Row{"http://proxy:0", Error::BadPort}, Row{"http://proxy:65536", Error::BadPort},
          Row{"http://proxy:x", Error::BadPort}, Row{"http://:p@proxy:1", Error::BadLogin},
          Row{"http://a%3Ab:p@proxy:1", Error::BadLogin},
          Row{"http://a%4:p@proxy:1", Error::BadLogin}}) {
        CAPTURE(row.url);
        const auto parsed = HttpProxy::parse(row.url);
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error() == row.error);
        CHECK_FALSE(to_string(parsed.error()).empty());
    }
}

TEST_CASE("http proxy: its text never shows the login") {
    CHECK(HttpProxy::parse("http://u:secret@proxy")->to_string() == "proxy:80");
    CHECK(HttpProxy::parse("http://[2001:db8::1]:1")->to_string() == "[2001:db8::1]:1");
}

TEST_CASE("proxy settings: the variables have an order, and HTTP_PROXY is none of them") {
    const auto host = [](const std::map<std::string, std::string>& environment) -> std::string {
        const ProxySettings read = settings(environment);
        return read.proxy() ? read.proxy()->host : "";
    };
    CHECK(host({}).empty());
    CHECK(host({{"https_proxy", "a:1"}, {"all_proxy", "b:1"}, {"http_proxy", "c:1"}}) == "a");
    CHECK(host({{"https_proxy", " "}, {"HTTPS_PROXY", "a:1"}, {"ALL_PROXY", "b:1"}}) == "a");
    CHECK(host({{"all_proxy", "b:1"}, {"http_proxy", "c:1"}}) == "b");
    CHECK(host({{"http_proxy", "c:1"}}) == "c");
    CHECK(host({{"HTTP_PROXY", "c:1"}}).empty());
}

TEST_CASE("proxy settings: a variable that cannot be read is named") {
    const auto read = ProxySettings::from_environment([](const char* name) {
        return name == std::string{"all_proxy"} ? std::optional<std::string>{"socks5://a:1"}
                                                : std::nullopt;
    });
    REQUIRE_FALSE(read);
    CHECK(read.error().variable == "all_proxy");
    CHECK(read.error().error == Error::UnknownScheme);
}

TEST_CASE("proxy settings: exceptions by name, by what is below it, by address and by prefix") {
    const ProxySettings read =
        settings({{"https_proxy", "proxy:3128"},
                  {"no_proxy",
                   "example.org, .example.net,*.example.com,192.0.2.1,10.0.0.0/8,2001:db8::/32,"
                   "not a name"}});
    for (const char* const direct :
         {"example.org", "EXAMPLE.org", "a.example.org", "example.net", "a.b.example.net",
          "a.example.com", "192.0.2.1", "10.255.0.1", "2001:db8::5", "localhost", "a.localhost",
          "127.0.0.1", "::1"}) {
        CAPTURE(direct);
        CHECK(read.proxy_for(direct) == nullptr);
    }
    for (const char* const through :
         {"example.edu", "badexample.org", "org", "192.0.2.2", "11.0.0.1", "2001:db9::1"}) {
        CAPTURE(through);
        REQUIRE(read.proxy_for(through) != nullptr);
        CHECK(read.proxy_for(through)->host == "proxy");
    }
    CHECK(settings({{"https_proxy", "p:1"}, {"NO_PROXY", "*"}}).proxy_for("a") == nullptr);
    CHECK(settings({}).proxy_for("example.edu") == nullptr);
}

}  // namespace
}  // namespace stile::drivers
