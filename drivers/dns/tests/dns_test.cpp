// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/base/byte_reader.hpp>
#include <stile/base/byte_writer.hpp>
#include <stile/base/text.hpp>
#include <stile/drivers/native_address.hpp>
#include <stile/drivers/server_selection.hpp>

#include <stile/drivers/file_descriptor.hpp>

#include <sys/socket.h>
#include <algorithm>
#include <map>

namespace stile::drivers {
namespace {

using namespace std::chrono_literals;

const SocketAddress any = *SocketAddress::parse("127.0.0.1:0");

void write_name(ByteWriter& writer, std::string_view name) {
    while (!name.empty()) {
        const std::string_view label = take_until(name, '.');
        writer.u8(static_cast<std::uint8_t>(label.size()));
        writer.bytes(as_bytes(label));
    }
    writer.u8(0);
}

void write_text(ByteWriter& writer, std::string_view text) {
    writer.u8(static_cast<std::uint8_t>(text.size()));
    writer.bytes(as_bytes(text));
}

// A name server on loopback that knows what it is told. RFC 1035 Section 4.
class TestServer {
public:
    explicit TestServer(Loop& loop)
        : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)),
          watch_(loop, fd_.get(), [this] { answer(); }) {
        const NativeAddress native = to_native(any);
        REQUIRE(::bind(fd_.get(), native.get(), native.size) == 0);
        watch_.want_readable(Watch::Wanted::Yes);
    }
    SocketAddress address() const { return bound_address(fd_.get()); }

    void a(const std::string& name, const std::string& ip) {
        const IpAddress address = *IpAddress::parse(ip);
        add(name, 1, to_bytes(address.octets()));
    }
    void aaaa(const std::string& name, const std::string& ip) {
        const IpAddress address = *IpAddress::parse(ip);
        add(name, 28, to_bytes(address.octets()));
    }
    void srv(const std::string& name, std::uint16_t priority, std::uint16_t weight,
             std::uint16_t port, const std::string& target) {
        Bytes data;
        ByteWriter writer{data};
        writer.u16(priority);
        writer.u16(weight);
        writer.u16(port);
        write_name(writer, target);
        add(name, 33, data);
    }
    void naptr(const std::string& name, std::uint16_t order, const std::string& service,
               const std::string& replacement) {
        Bytes data;
        ByteWriter writer{data};
        writer.u16(order);
        writer.u16(50);
        write_text(writer, "s");
        write_text(writer, service);
        write_text(writer, "");
        write_name(writer, replacement);
        add(name, 35, data);
    }
    void be_silent() { silent_ = true; }
    int questions() const { return questions_; }

private:
    void add(const std::string& name, std::uint16_t type, Bytes data) {
        records_[{to_lower(name), type}].push_back(std::move(data));
    }

    void answer() {
        std::array<std::byte, 1500> buffer;
        NativeAddress client;
        const ssize_t size =
            ::recvfrom(fd_.get(), buffer.data(), buffer.size(), 0, client.get(), &client.size);
        if (size <= 0) return;
        ++questions_;
        if (silent_) return;
        ByteReader reader{BytesView{buffer}.first(static_cast<std::size_t>(size))};
        const std::uint16_t id = reader.u16();
        reader.skip(10);
        std::string name;
        while (const std::uint8_t length = reader.u8()) {
            if (!name.empty()) name += '.';
            name += as_text(reader.bytes(length));
        }
        const std::uint16_t type = reader.u16();
        const auto found = records_.find({to_lower(name), type});
        Bytes reply;
        ByteWriter writer{reply};
        const bool name_exists = std::ranges::any_of(
            records_, [&](const auto& entry) { return entry.first.first == to_lower(name); });
        writer.u16(id);
        writer.u16(name_exists ? 0x8580 : 0x8583);
        writer.u16(1);
        writer.u16(static_cast<std::uint16_t>(found == records_.end() ? 0 : found->second.size()));
        writer.u16(0);
        writer.u16(0);
        write_name(writer, name);
        writer.u16(type);
        writer.u16(1);
        if (found != records_.end()) {
            for (const Bytes& data : found->second) {
                write_name(writer, name);
                writer.u16(type);
                writer.u16(1);
                writer.u32(60);
                writer.u16(static_cast<std::uint16_t>(data.size()));
                writer.bytes(data);
            }
        }
        ::sendto(fd_.get(), reply.data(), reply.size(), 0, client.get(), client.size);
    }

    FileDescriptor fd_;
    Watch watch_;
    std::map<std::pair<std::string, std::uint16_t>, std::vector<Bytes>> records_;
    bool silent_ = false;
    int questions_ = 0;
};

struct Names {
    explicit Names(Duration deadline = 5s)
        : resolver(loop, {.servers = {server.address()},
                          .deadline = deadline,
                          .hosts_file = ResolverOptions::HostsFile::Ignored}) {}

    template <class T, class Ask>
    DnsAnswer<T> wait(Ask ask) {
        std::optional<DnsAnswer<T>> answer;
        ask([&](DnsAnswer<T> got) { answer = std::move(got); });
        CHECK_FALSE(answer.has_value());  // never from within the call
        REQUIRE(loop.run_until([&] { return answer.has_value(); }, 20s) == Loop::Outcome::Done);
        return *std::move(answer);
    }
    DnsAnswer<IpAddress> addresses(const std::string& host) {
        return wait<IpAddress>([&](auto done) { resolver.addresses(host, std::move(done)); });
    }
    // As "transport host:port" texts.
    std::vector<std::string> servers(SipTarget target) {
        const auto answer = wait<SelectedServer>([&](auto done) {
            select_sip_servers(loop, resolver, std::move(target), 10s, std::move(done));
        });
        if (!answer) return {"error"};
        constexpr std::array names{"udp", "tcp", "tls", "ws", "wss"};
        std::vector<std::string> texts;
        for (const SelectedServer& one : *answer) {
            texts.push_back(std::string{names[std::to_underlying(one.transport)]} + " " + one.host +
                            " " + one.address.to_string());
        }
        return texts;
    }

    Loop loop;
    TestServer server{loop};
    Resolver resolver;
};

using enum SipTransport;
using Texts = std::vector<std::string>;

TEST_CASE("resolver: numeric hosts and localhost need no server") {
    Names names;
    names.server.be_silent();
    CHECK(names.addresses("192.0.2.7").value() == std::vector{*IpAddress::parse("192.0.2.7")});
    CHECK(names.addresses("2001:db8::7").value() == std::vector{*IpAddress::parse("2001:db8::7")});
    for (const std::string host : {"localhost", "LOCALHOST.", "alice.example.org.localhost"}) {
        CAPTURE(host);
        CHECK(names.addresses(host).value() ==
              std::vector{*IpAddress::parse("127.0.0.1"), *IpAddress::parse("::1")});
    }
    CHECK(names.server.questions() == 0);
}

TEST_CASE("resolver: the hosts file is read where it is wanted") {
    Loop loop;
    Resolver resolver{loop, {.servers = {*SocketAddress::parse("127.0.0.1:1")}, .deadline = 2s}};
    std::optional<DnsAnswer<IpAddress>> answer;
    // "ip6-localhost" is in Debian's file, and under no special rule here.
    resolver.addresses("ip6-localhost", [&](auto got) { answer = std::move(got); });
    REQUIRE(loop.run_until([&] { return answer.has_value(); }, 10s) == Loop::Outcome::Done);
    if (answer->has_value()) CHECK(answer->value().front().is_loopback());
}

TEST_CASE("resolver: addresses of both families") {
    Names names;
    names.server.a("both.example.org", "192.0.2.1");
    names.server.aaaa("both.example.org", "2001:db8::1");
    auto found = names.addresses("both.example.org").value();
    std::ranges::sort(found);
    CHECK(found == std::vector{*IpAddress::parse("192.0.2.1"), *IpAddress::parse("2001:db8::1")});
}

TEST_CASE("resolver: failures are told apart") {
    Names names{150ms};
    names.server.a("known.example.org", "192.0.2.1");
    CHECK(names.addresses("unknown.example.org").error().failure == DnsFailure::NotFound);
    CHECK(names.addresses("not a name").error().failure == DnsFailure::BadName);
    CHECK(names.addresses("").error().failure == DnsFailure::BadName);
    CHECK(names
              .wait<SrvRecord>(
                  [&](auto done) { names.resolver.srv("known.example.org", std::move(done)); })
              .error()
              .failure == DnsFailure::NotFound);
    names.server.be_silent();
    const auto late = names.addresses("known.example.org");
    CHECK(late.error().failure == DnsFailure::TimedOut);
    CHECK(late.error().text.contains("known.example.org"));
}

TEST_CASE("resolver: with no server to be reached it fails soon, not at the deadline only") {
    Loop loop;
    // Nothing listens there: ICMP says so at once.
    Resolver resolver{loop, {.servers = {*SocketAddress::parse("127.0.0.1:1")}, .deadline = 2s}};
    std::optional<DnsAnswer<IpAddress>> answer;
    resolver.addresses("example.org", [&](auto got) { answer = std::move(got); });
    REQUIRE(loop.run_until([&] { return answer.has_value(); }, 9s) == Loop::Outcome::Done);
    REQUIRE_FALSE(answer->has_value());
    // c-ares does not see every refusal: a send that finds it pending takes it away.
    const DnsFailure failure = answer->error().failure;
    CHECK((failure == DnsFailure::Unavailable || failure == DnsFailure::TimedOut));
}

TEST_CASE("resolver: destroyed with a question under way it calls nothing back") {
    Loop loop;
    TestServer server{loop};
    server.be_silent();
    bool called = false;
    {
        Resolver resolver{loop, {.servers = {server.address()}}};
        resolver.addresses("example.org", [&](auto) { called = true; });
        resolver.addresses("192.0.2.1", [&](auto) { called = true; });
    }
    CHECK(loop.run_until([&] { return called; }, 20ms) == Loop::Outcome::DeadlinePassed);
}

TEST_CASE("sip servers: a numeric host is used as it is, by RFC 3263's default transport") {
    Names names;
    CHECK(names.servers({.host = "192.0.2.9", .wanted = {Tls, Tcp, Udp}}) ==
          Texts{"udp 192.0.2.9 192.0.2.9:5060", "tcp 192.0.2.9 192.0.2.9:5060"});
    CHECK(names.servers({.host = "192.0.2.9",
                         .scheme = SipTarget::Scheme::Sips,
                         .wanted = {Tls, Tcp, Udp}}) == Texts{"tls 192.0.2.9 192.0.2.9:5061"});
    CHECK(names.servers({.host = "2001:db8::9",
                         .port = Port{5070},
                         .transport = Tcp,
                         .wanted = {Tls, Tcp, Udp}}) ==
          Texts{"tcp 2001:db8::9 [2001:db8::9]:5070"});
    CHECK(names.server.questions() == 0);
}

TEST_CASE("sip servers: NAPTR chooses the transport, SRV the hosts, in the domain's order") {
    Names names;
    // The example of RFC 3263 Section 4.1.
    names.server.naptr("example.com", 50, "SIPS+D2T", "_sips._tcp.example.com");
    names.server.naptr("example.com", 90, "SIP+D2T", "_sip._tcp.example.com");
    names.server.naptr("example.com", 100, "SIP+D2U", "_sip._udp.example.com");
    names.server.naptr("example.com", 10, "H323+D2T", "_h323._tcp.example.com");
    names.server.srv("_sips._tcp.example.com", 0, 1, 5061, "secure.example.com");
    names.server.srv("_sip._tcp.example.com", 1, 1, 5070, "server2.example.com");
    names.server.srv("_sip._tcp.example.com", 0, 1, 5060, "server1.example.com");
    names.server.srv("_sip._udp.example.com", 0, 1, 5060, "server1.example.com");
    names.server.a("secure.example.com", "192.0.2.10");
    names.server.a("server1.example.com", "192.0.2.1");
    names.server.a("server2.example.com", "192.0.2.2");
    CHECK(names.servers({.host = "example.com", .wanted = {Udp, Tcp}}) ==
          Texts{"tcp server1.example.com 192.0.2.1:5060", "tcp server2.example.com 192.0.2.2:5070",
                "udp server1.example.com 192.0.2.1:5060"});
    CHECK(names.servers({.host = "example.com", .wanted = {Tls, Tcp, Udp}}).front() ==
          "tls secure.example.com 192.0.2.10:5061");
    CHECK(names.servers({.host = "example.com",
                         .scheme = SipTarget::Scheme::Sips,
                         .wanted = {Udp, Tcp, Tls}}) ==
          Texts{"tls secure.example.com 192.0.2.10:5061"});
    CHECK(names.servers({.host = "example.com", .transport = Udp, .wanted = {Tls, Tcp, Udp}}) ==
          Texts{"udp server1.example.com 192.0.2.1:5060"});
}

TEST_CASE("sip servers: secure WebSocket is found by NAPTR, else at its default port") {
    Names names;
    names.server.naptr("example.com", 1, "SIPS+D2W", "_sips._ws.example.com");
    names.server.srv("_sips._ws.example.com", 0, 0, 8443, "ws.example.com");
    names.server.a("ws.example.com", "192.0.2.3");
    CHECK(names.servers({.host = "example.com", .wanted = {Wss}}) ==
          Texts{"wss ws.example.com 192.0.2.3:8443"});
    CHECK(names.servers({.host = "ws.example.com", .wanted = {Wss}}) ==
          Texts{"wss ws.example.com 192.0.2.3:443"});
}

TEST_CASE(
    "sip servers: without NAPTR each wanted transport's SRV is asked, in the caller's order") {
    Names names;
    names.server.srv("_sip._udp.example.org", 0, 0, 5060, "u.example.org");
    names.server.srv("_sips._tcp.example.org", 0, 0, 5061, "s.example.org");
    names.server.a("u.example.org", "192.0.2.1");
    names.server.a("s.example.org", "192.0.2.2");
    CHECK(names.servers({.host = "example.org", .wanted = {Tls, Tcp, Udp}}) ==
          Texts{"tls s.example.org 192.0.2.2:5061", "udp u.example.org 192.0.2.1:5060"});
}

TEST_CASE("sip servers: without any record the host itself, at the default ports") {
    Names names;
    names.server.a("plain.example.org", "192.0.2.4");
    CHECK(names.servers({.host = "plain.example.org", .wanted = {Tls, Udp}}) ==
          Texts{"tls plain.example.org 192.0.2.4:5061", "udp plain.example.org 192.0.2.4:5060"});
    CHECK(names.servers({.host = "plain.example.org", .port = Port{5080}, .wanted = {Tls, Udp}}) ==
          Texts{"udp plain.example.org 192.0.2.4:5080"});
    CHECK(names.servers({.host = "nowhere.example.org", .wanted = {Udp}}) == Texts{"error"});
    CHECK(names.servers(
              {.host = "plain.example.org", .scheme = SipTarget::Scheme::Sips, .wanted = {Udp}}) ==
          Texts{"error"});
}

TEST_CASE("sip servers: localhost needs no server that answers") {
    Names names{200ms};
    names.server.be_silent();
    CHECK(names.servers({.host = "localhost", .port = Port{5060}, .wanted = {Udp}}).front() ==
          "udp localhost 127.0.0.1:5060");
}

TEST_CASE("sip servers: at the deadline what is known already is handed over") {
    // Answers at once about one host, never about the other.
    struct Halting final : NameService {
        explicit Halting(Loop& owner) : loop(owner) {}
        void addresses(const std::string& host, OnDnsAnswer<IpAddress> done) override {
            if (host == "slow") return forgotten.push_back(std::move(done));
            loop.post([done = std::move(done)]() mutable {
                done(std::vector{*IpAddress::parse("192.0.2.1")});
            });
        }
        void srv(const std::string&, OnDnsAnswer<SrvRecord> done) override {
            loop.post([done = std::move(done)]() mutable {
                done(std::vector<SrvRecord>{{0, 0, Port{1}, "slow"}, {1, 0, Port{2}, "quick"}});
            });
        }
        void naptr(const std::string&, OnDnsAnswer<NaptrRecord>) override {}
        Loop& loop;
        std::vector<OnDnsAnswer<IpAddress>> forgotten;
    };
    Loop loop;
    Halting names{loop};
    std::optional<DnsAnswer<SelectedServer>> answer;
    select_sip_servers(loop, names, {.host = "example.org", .transport = Tcp, .wanted = {Tcp}},
                       30ms, [&](auto got) { answer = std::move(got); });
    REQUIRE(loop.run_until([&] { return answer.has_value(); }, 10s) == Loop::Outcome::Done);
    REQUIRE(answer->has_value());
    REQUIRE(answer->value().size() == 1);
    CHECK(answer->value()[0].host == "quick");
}

TEST_CASE("service hosts: by SRV, else by the domain's addresses") {
    Names names;
    names.server.srv("_turn._udp.example.org", 0, 0, 3479, "relay.example.org");
    names.server.a("relay.example.org", "192.0.2.5");
    names.server.a("example.org", "192.0.2.6");
    const auto ask = [&](const std::string& service) {
        const auto answer = names.wait<ServiceHost>([&](auto done) {
            select_service_hosts(names.loop, names.resolver, service, "example.org", {}, Port{3478},
                                 10s, std::move(done));
        });
        return answer.value().front().address.to_string();
    };
    CHECK(ask("_turn._udp") == "192.0.2.5:3479");
    CHECK(ask("_stun._udp") == "192.0.2.6:3478");
}

TEST_CASE("srv order: priorities ascend, weights are drawn as RFC 2782 says") {
    const std::vector<SrvRecord> records{{10, 0, Port{1}, "zero"},
                                         {10, 60, Port{2}, "sixty"},
                                         {10, 40, Port{3}, "forty"},
                                         {5, 0, Port{4}, "first"}};
    const auto ordered = [&](std::vector<std::uint64_t> draws) {
        std::size_t next = 0;
        std::vector<std::string> targets;
        for (const SrvRecord& record :
             order_srv(records, [&](std::uint64_t) { return draws[next++]; })) {
            targets.push_back(record.target);
        }
        return targets;
    };
    CHECK(ordered({0, 0, 0, 0}) == Texts{"first", "zero", "sixty", "forty"});
    CHECK(ordered({0, 1, 0, 0}) == Texts{"first", "sixty", "zero", "forty"});
    CHECK(ordered({0, 60, 40, 0}) == Texts{"first", "sixty", "forty", "zero"});
    CHECK(ordered({0, 61, 60, 0}) == Texts{"first", "forty", "sixty", "zero"});
}

}  // namespace
}  // namespace stile::drivers
