// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#ifdef STILE_KERNEL_RELAY
#include "../src/bpf/attachment.hpp"
#include "frames.hpp"
#include "namespaces.hpp"

#include <stile/drivers/kernel_relay.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <ctime>

#include <linux/udp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace stile::drivers::kernel::testing {

namespace {

constexpr std::uint16_t number = 0x4001;

SocketAddress address(const char* text) { return SocketAddress::parse(text).value(); }

Instant in_seconds(int seconds) {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return Instant{std::chrono::seconds{now.tv_sec + seconds}};
}

// client --- (r0) relay (r1) --- peer, each a namespace; IPv4 and IPv6. The relay does not forward.
struct Lab {
    Namespace client, relay, peer;

    static std::optional<Lab> make() {
        auto client = Namespace::make();
        auto relay = Namespace::make();
        auto peer = Namespace::make();
        if (!client || !relay || !peer) {
            MESSAGE("skipped: this process may not make network namespaces");
            return std::nullopt;
        }
        Lab lab{*std::move(client), *std::move(relay), *std::move(peer)};
        lab.relay.ip("link add r0 type veth peer name c0 netns " + lab.client.path());
        lab.relay.ip("link add r1 type veth peer name p0 netns " + lab.peer.path());
        lab.set_up(lab.client, "c0", "10.1.0.2/24", "fd01::2/64");
        lab.set_up(lab.relay, "r0", "10.1.0.1/24", "fd01::1/64");
        lab.set_up(lab.relay, "r1", "10.2.0.1/24", "fd02::1/64");
        lab.set_up(lab.peer, "p0", "10.2.0.2/24", "fd02::2/64");
        return lab;
    }

    static void set_up(const Namespace& where, const std::string& name, const std::string& v4,
                       const std::string& v6) {
        where.ip("link set " + name + " up");
        where.ip("addr add " + v4 + " dev " + name);
        where.ip("addr add " + v6 + " dev " + name + " nodad");
    }

    // Native XDP on a veth transmits only to an end that polls.
    void allow_native() const {
        set_feature(client, "c0", Feature::Gro, Switch::On);
        set_feature(peer, "p0", Feature::Gro, Switch::On);
    }

    std::unique_ptr<KernelRelay> open(std::optional<KernelMode> mode) const {
        const Namespace::Inside inside{relay};
        auto opened = KernelRelay::open({.interfaces = {"r0"},
                                         .addresses = {IpAddress::parse("10.2.0.1").value()},
                                         .mode = mode,
                                         .most_channels = 16});
        return opened ? *std::move(opened) : nullptr;
    }
};

// One channel with its four sockets: those of the relay see what the kernel leaves to them.
struct Call {
    Call(const Lab& lab, KernelRelay& driver, const char* server_ip, const char* client_ip,
         const char* relay_ip, const char* peer_ip)
        : server(address(server_ip)),
          relayed(address(relay_ip)),
          client(lab.client, address(client_ip)),
          listener(lab.relay, server),
          relay(lab.relay, relayed),
          peer(lab.peer, address(peer_ip)),
          kernel(driver) {
        channel = {.key = {.server = server, .client = address(client_ip), .channel = number},
                   .relayed = relayed,
                   .peer = address(peer_ip),
                   .until = in_seconds(100),
                   .tag = 77};
        CHECK(kernel.install(channel) == KernelRelay::Installed::Added);
    }

    // Sends both ways until the kernel knows its neighbours and nothing comes to the relay.
    bool settle() {
        for (int i = 0; i < 500; ++i) {
            kernel.tend();
            client.send(server, channel_data(number, sample(20)));
            peer.send(relayed, sample(20));
            const bool up = !takes_by_user_space(peer, listener);
            const bool down = !takes_by_user_space(client, relay);
            if (up && down) return true;
        }
        return false;
    }

    // Waits at whichever socket the datagram comes out of.
    static bool takes_by_user_space(Socket& far, Socket& near) {
        for (int i = 0; i < 1000; ++i) {
            if (!near.is_empty()) return near.receive().has_value();
            if (!far.is_empty()) return !far.receive().has_value();
            sched_yield();
        }
        return near.receive().has_value();
    }

    void check_up(std::size_t octets, std::size_t padding = 0) {
        CAPTURE(octets);
        client.send(server, channel_data(number, sample(octets), padding));
        const auto received = peer.receive();
        REQUIRE(received);
        CHECK(received->first == relayed);
        CHECK(received->second == sample(octets));
        CHECK(listener.is_empty());
    }

    void check_down(std::size_t octets) {
        CAPTURE(octets);
        peer.send(relayed, sample(octets));
        const auto received = client.receive();
        REQUIRE(received);
        CHECK(received->first == server);
        CHECK(received->second == channel_data(number, sample(octets)));
        CHECK(relay.is_empty());
    }

    void check_both() {
        for (const auto octets : {0U, 1U, 3U, 4U, 172U, 700U, 1200U, 1440U}) {
            check_up(octets);
            check_down(octets);
        }
        check_up(5, 3);
    }

    SocketAddress server, relayed;
    Socket client, listener, relay, peer;
    KernelRelay& kernel;
    KernelRelay::Channel channel;
};

constexpr std::array v4 = {"10.1.0.1:3478", "10.1.0.2:40000", "10.2.0.1:50000", "10.2.0.2:6000"};
constexpr std::array v6 = {"[fd01::1]:3478", "[fd01::2]:40000", "[fd02::1]:50000",
                           "[fd02::2]:6000"};

void check_all_families(const Lab& lab, KernelRelay& driver) {
    for (const auto& [near, far] : {std::pair{v4, v4}, {v6, v6}, {v4, v6}, {v6, v4}}) {
        Call call{lab, driver, near[0], near[1], far[2], far[3]};
        CAPTURE(call.server.to_string());
        CAPTURE(call.relayed.to_string());
        REQUIRE(call.settle());
        call.check_both();
        driver.remove(call.channel.key);
    }
}

}  // namespace

TEST_CASE("kernel relay end to end: native XDP forwards both ways between namespaces") {
    const auto lab = Lab::make();
    if (!lab) return;
    lab->allow_native();
    const auto driver = lab->open(KernelMode::XdpNative);
    REQUIRE(driver);
    CHECK(driver->describe() == "XDP native on r0, XDP native on r1");
    check_all_families(*lab, *driver);
}

TEST_CASE("kernel relay end to end: TC forwards both ways, whoever makes the checksums") {
    const auto lab = Lab::make();
    if (!lab) return;
    const auto driver = lab->open(KernelMode::Tc);
    REQUIRE(driver);
    CHECK(driver->describe() == "TC on r0, TC on r1");
    check_all_families(*lab, *driver);
    // Now the kernel makes the partial checksums whole as packets leave the relay, at the octet
    // that their note names; and the receivers check them.
    for (const char* name : {"r0", "r1"}) {
        set_feature(lab->relay, name, Feature::SendChecksums, Switch::Off);
    }
    check_all_families(*lab, *driver);
    set_feature(lab->client, "c0", Feature::SendChecksums, Switch::Off);
    set_feature(lab->peer, "p0", Feature::SendChecksums, Switch::Off);
    check_all_families(*lab, *driver);
}

TEST_CASE("kernel relay end to end: generic XDP forwards what it can tell from a train") {
    const auto lab = Lab::make();
    if (!lab) return;
    const auto driver = lab->open(KernelMode::XdpGeneric);
    REQUIRE(driver);
    {
        Call call{*lab, *driver, v4[0], v4[1], v4[2], v4[3]};
        // Checksums are partial here: only ChannelData is forwarded.
        for (int i = 0; i < 500; ++i) {
            driver->tend();
            call.client.send(call.server, channel_data(number, sample(20)));
            if (!Call::takes_by_user_space(call.peer, call.listener)) break;
        }
        call.check_up(172);
        call.peer.send(call.relayed, sample(172));
        CHECK(call.relay.receive().value().second == sample(172));
        CHECK(driver->statistics().odd >= 1);
        driver->remove(call.channel.key);
    }
    set_feature(lab->client, "c0", Feature::SendChecksums, Switch::Off);
    set_feature(lab->peer, "p0", Feature::SendChecksums, Switch::Off);
    check_all_families(*lab, *driver);
}

TEST_CASE("kernel relay end to end: on lo, between addresses of one host") {
    const auto host = Namespace::make();
    if (!host) return;
    for (const auto mode : {KernelMode::Tc, KernelMode::XdpGeneric}) {
        std::unique_ptr<KernelRelay> driver;
        {
            const Namespace::Inside inside{*host};
            auto opened = KernelRelay::open(
                {.interfaces = {},
                 .addresses = {IpAddress::parse("127.0.0.1").value()},
                 .mode = mode == KernelMode::Tc ? std::nullopt : std::optional{mode},
                 .most_channels = 4});
            REQUIRE(opened);
            driver = *std::move(opened);
        }
        CHECK(driver->attached().at(0).interface == "lo");
        CHECK(driver->attached().at(0).mode == mode);
        Socket client{*host, address("127.0.0.2:40000")};
        Socket listener{*host, address("127.0.0.1:3478")};
        Socket relay{*host, address("127.0.0.1:50000")};
        Socket peer{*host, address("127.0.0.3:6000")};
        REQUIRE(driver->install({.key = {.server = address("127.0.0.1:3478"),
                                         .client = address("127.0.0.2:40000"),
                                         .channel = number},
                                 .relayed = address("127.0.0.1:50000"),
                                 .peer = address("127.0.0.3:6000"),
                                 .until = in_seconds(100)}) == KernelRelay::Installed::Added);
        for (const auto octets : {0U, 1U, 172U, 1200U, 9000U}) {
            client.send(address("127.0.0.1:3478"), channel_data(number, sample(octets)));
            const auto up = peer.receive();
            REQUIRE(up);
            CHECK(up->first == address("127.0.0.1:50000"));
            CHECK(up->second == sample(octets));
            peer.send(address("127.0.0.1:50000"), sample(octets));
            if (mode == KernelMode::XdpGeneric) {
                CHECK(relay.receive().value().second == sample(octets));
                continue;
            }
            const auto down = client.receive();
            REQUIRE(down);
            CHECK(down->first == address("127.0.0.1:3478"));
            CHECK(down->second == channel_data(number, sample(octets)));
        }
        // Larger than the programs copy.
        client.send(address("127.0.0.1:3478"), channel_data(number, sample(20000)));
        CHECK(listener.receive().value().second.size() == 20004);
        CHECK(relay.is_empty());
    }
}

TEST_CASE("kernel relay end to end: user space gets what the process no longer allows") {
    const auto lab = Lab::make();
    if (!lab) return;
    const auto driver = lab->open(KernelMode::Tc);
    REQUIRE(driver);
    Call call{*lab, *driver, v4[0], v4[1], v4[2], v4[3]};
    REQUIRE(call.settle());
    const auto reaches_user_space = [&] {
        call.client.send(call.server, channel_data(number, sample(9)));
        call.peer.send(call.relayed, sample(9));
        const bool up = Call::takes_by_user_space(call.peer, call.listener);
        const bool down = Call::takes_by_user_space(call.client, call.relay);
        CHECK(up == down);
        return up;
    };
    CHECK_FALSE(reaches_user_space());

    // Expiry, and being extended.
    call.channel.until = in_seconds(-1);
    CHECK(driver->install(call.channel) == KernelRelay::Installed::Updated);
    CHECK(reaches_user_space());
    call.channel.until = in_seconds(100);
    CHECK(driver->install(call.channel) == KernelRelay::Installed::Updated);
    CHECK_FALSE(reaches_user_space());

    // The peer turns out to be a relay of this host.
    driver->add_relay(call.channel.peer);
    CHECK(reaches_user_space());
    driver->remove_relay(call.channel.peer);
    CHECK_FALSE(reaches_user_space());

    // A rate of nearly nothing, then none.
    call.channel.owner = 5;
    driver->limit(5, {.octets = std::nullopt, .packets = KernelRate{.per_second = 1, .burst = 1}});
    driver->install(call.channel);
    call.check_up(10);
    call.client.send(call.server, channel_data(number, sample(10)));
    CHECK(call.listener.receive());
    driver->limit(5, {});
    CHECK_FALSE(reaches_user_space());

    // A neighbour that is forgotten is found again.
    lab->relay.ip("neigh flush dev r1");
    CHECK(call.settle());

    // A way out that takes less; the client's side still takes all.
    lab->relay.ip("link set r1 mtu 1000");
    driver->tend();
    call.client.send(call.server, channel_data(number, sample(1100)));
    CHECK(call.listener.receive());
    call.check_up(900);
    lab->relay.ip("link set r1 mtu 1500");
    driver->tend();
    call.check_up(1100);

    const auto traffic = driver->take_traffic();
    REQUIRE(traffic.size() == 1);
    CHECK(traffic[0].tag == 77);
    CHECK(traffic[0].key == call.channel.key);
    CHECK(driver->statistics().to_peer == traffic[0].to_peer.packets);
    CHECK(driver->statistics().to_client == traffic[0].to_client.packets);
    CHECK(driver->take_traffic().empty());
    call.check_up(33);
    driver->remove(call.channel.key);
    CHECK(reaches_user_space());
    const auto last = driver->take_traffic();
    REQUIRE(last.size() == 1);
    CHECK(last[0].to_peer.packets == 1);
    CHECK(last[0].to_peer.octets == 33);
    CHECK(last[0].to_client.packets == 0);
}

TEST_CASE("kernel relay end to end: a train of datagrams arrives as it was sent") {
    const auto lab = Lab::make();
    if (!lab) return;
    lab->allow_native();
    for (const auto mode : {KernelMode::XdpNative, KernelMode::Tc, KernelMode::XdpGeneric}) {
        const auto driver = lab->open(mode);
        REQUIRE(driver);
        Call call{*lab, *driver, v4[0], v4[1], v4[2], v4[3]};
        const auto whole = sample(400);
        // Four datagrams of 100 octets in one call.
        const int segment = 100;
        REQUIRE(setsockopt(call.peer.fd(), IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment) ==
                0);
        for (int round = 0; round < 5; ++round) {
            driver->tend();
            call.peer.send(call.relayed, sample(400));
            for (std::size_t i = 0; i < 4; ++i) {
                const auto expected = BytesView{whole}.subspan(i * 100, 100);
                std::array wait = {pollfd{call.client.fd(), POLLIN, 0},
                                   pollfd{call.relay.fd(), POLLIN, 0}};
                REQUIRE(poll(wait.data(), wait.size(), 2000) >= 1);
                if (wait[0].revents != 0) {
                    CHECK(call.client.receive().value().second == channel_data(number, expected));
                } else {
                    CHECK(std::ranges::equal(call.relay.receive().value().second, expected));
                }
            }
        }
        CHECK(call.client.is_empty());
        CHECK(call.relay.is_empty());
        CHECK(call.listener.is_empty());
    }
}

TEST_CASE("kernel relay end to end: Binding requests are answered in each mode") {
    const auto lab = Lab::make();
    if (!lab) return;
    lab->allow_native();
    for (const auto mode : {KernelMode::XdpNative, KernelMode::Tc, KernelMode::XdpGeneric}) {
        CAPTURE(static_cast<int>(mode));
        const auto driver = lab->open(mode);
        REQUIRE(driver);
        for (const auto& ends : {v4, v6}) {
            Socket client{lab->client, address(ends[1])};
            Socket listener{lab->relay, address(ends[0])};
            driver->bindings(address(ends[0]), KernelRelay::Bindings::Answer);
            Bytes request(20);
            request[1] = std::byte{1};
            request[4] = std::byte{0x21};
            request[5] = std::byte{0x12};
            request[6] = std::byte{0xa4};
            request[7] = std::byte{0x42};
            client.send(address(ends[0]), request);
            const auto answer = client.receive();
            REQUIRE(answer);
            CHECK(answer->first == address(ends[0]));
            CHECK(answer->second.size() == (answer->first.ip.is_v4() ? 32 : 44));
            CHECK(listener.is_empty());
            driver->bindings(address(ends[0]), KernelRelay::Bindings::Leave);
            client.send(address(ends[0]), request);
            CHECK(listener.receive());
        }
        CHECK(driver->statistics().bindings == 2);
    }
}

TEST_CASE("kernel relay end to end: says what it got and why, and leaves others alone") {
    const auto lab = Lab::make();
    if (!lab) return;
    {
        const auto driver = lab->open(std::nullopt);
        REQUIRE(driver);
        CHECK(driver->attached().at(0).mode == KernelMode::Tc);
        CHECK(driver->describe().contains("XDP native: its other end has neither GRO nor an XDP"));
    }
    CHECK(lab->open(KernelMode::XdpNative) == nullptr);
    lab->allow_native();
    const auto first = lab->open(std::nullopt);
    REQUIRE(first);
    CHECK(first->attached().at(0).mode == KernelMode::XdpNative);
    const auto second = lab->open(std::nullopt);
    REQUIRE(second);
    CHECK(second->describe().starts_with("TC on r0 (XDP native: another XDP program is there"));
    CHECK(lab->open(KernelMode::XdpGeneric) == nullptr);

    const Namespace::Inside inside{lab->relay};
    const auto none = KernelRelay::open({.interfaces = {"none0"}, .addresses = {}});
    REQUIRE_FALSE(none);
    CHECK(none.error().text == "none0: there is no such interface");
    const auto nowhere =
        KernelRelay::open({.interfaces = {}, .addresses = {IpAddress::parse("192.0.2.1").value()}});
    REQUIRE_FALSE(nowhere);
    CHECK(nowhere.error().text == "no interface carries the addresses");
}

TEST_CASE("kernel relay end to end: nothing stays when the process ends without a word") {
    const auto lab = Lab::make();
    if (!lab) return;
    lab->allow_native();
    const pid_t child = fork();
    if (child == 0) {
        const auto driver = lab->open(KernelMode::XdpNative);
        _exit(driver != nullptr ? 0 : 1);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    const auto driver = lab->open(KernelMode::XdpNative);
    REQUIRE(driver);
    CHECK(driver->attached().size() == 2);
}

TEST_CASE("kernel relay end to end: a TC filter of the old kind replaces the one left behind") {
    const auto lab = Lab::make();
    if (!lab) return;
    const Namespace::Inside inside{lab->relay};
    const auto programs = Programs::load(4);
    if (!programs) return;
    Netlink netlink;
    const auto links = netlink.links();
    const auto link = std::ranges::find(links, "r0", &Link::name);
    REQUIRE(link != links.end());
    const auto filters = [] {
        FILE* listing = popen("tc filter show dev r0 ingress | grep -c stile_tc", "r");
        int count = -1;
        REQUIRE(fscanf(listing, "%d", &count) == 1);
        pclose(listing);
        return count;
    };
    CHECK_FALSE(attach_tc_filter(*programs, *link));
    CHECK(filters() == 1);
    CHECK_FALSE(attach_tc_filter(*programs, *link));
    CHECK(filters() == 1);
    detach_tc_filter(link->index);
    CHECK(filters() == 0);
}

}  // namespace stile::drivers::kernel::testing
#endif
