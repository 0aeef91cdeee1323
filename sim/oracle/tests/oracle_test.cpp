// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sim/oracle.hpp>
#include <stile/sim/world.hpp>

#include <doctest/doctest.h>
#include <algorithm>
#include <set>
#include <vector>

namespace stile::sim {
namespace {

using namespace std::chrono_literals;

IpAddress ip(std::string_view text) {
    const auto parsed = IpAddress::parse(text);
    REQUIRE(parsed);
    return *parsed;
}

constexpr Mapping mappings[] = {Mapping::EndpointIndependent, Mapping::AddressDependent,
                                Mapping::AddressAndPortDependent};
constexpr Filtering filterings[] = {Filtering::EndpointIndependent, Filtering::AddressDependent,
                                    Filtering::AddressAndPortDependent};

std::vector<NatBehavior> nine() {
    std::vector<NatBehavior> all;
    for (const Mapping mapping : mappings) {
        for (const Filtering filtering : filterings) {
            all.push_back({.mapping = mapping, .filtering = filtering});
        }
    }
    return all;
}

// Does with real packets in a world what ICE does, as simply as possible: every socket asks the
// STUN server for its outside address; then both sides send to everything they know, learn the
// sources of what reaches them, and answer to there. A request says where it was sent, its answer
// repeats that.
class Prober {
public:
    Prober(const Topology& topology, HostId left, HostId right, HostId stun, std::uint64_t seed)
        : world_(topology, seed), stun_(stun), sides_{Side{left, {}, {}}, Side{right, {}, {}}} {
        gather();
        for (std::size_t i = 0; i < 2; ++i) {
            for (const SocketAddress& socket : sockets(sides_[i].host)) {
                for (const SocketAddress& remote : sockets(sides_[1 - i].host)) {
                    add(sides_[i], socket, remote);
                }
                for (const SocketAddress& remote : sides_[1 - i].reflexive) {
                    add(sides_[i], socket, remote);
                }
            }
        }
    }

    bool finds_a_path() {
        for (int round = 0; round < 12 && !found_; ++round) {
            for (const Side& side : sides_) {
                for (const auto& [socket, remote] : side.pairs) {
                    world_.send(side.host, {socket, remote}, as_bytes("Q" + remote.to_string()));
                }
            }
            world_.run_until(world_.now() + 1s, [this](const Happening& happening) {
                receive(std::get<DatagramArrived>(happening));
            });
        }
        return found_;
    }

private:
    struct Side {
        HostId host;
        std::vector<SocketAddress> reflexive;
        std::set<std::pair<SocketAddress, SocketAddress>> pairs;
    };

    std::vector<SocketAddress> sockets(HostId host) const {
        std::vector<SocketAddress> all;
        for (const Interface& one : world_.topology().host(host).interfaces) {
            // Different ports, lest a packet that strays to another host is taken there.
            all.push_back({one.address, Port{static_cast<std::uint16_t>(5000 + host.value)}});
        }
        return all;
    }

    static void add(Side& side, const SocketAddress& socket, const SocketAddress& remote) {
        if (socket.ip.family() == remote.ip.family()) side.pairs.insert({socket, remote});
    }

    void gather() {
        for (Side& side : sides_) {
            for (const SocketAddress& socket : sockets(side.host)) {
                for (const SocketAddress& server : sockets(stun_)) {
                    world_.send(side.host, {socket, server}, as_bytes("S"));
                    world_.run_until(world_.now() + 1s, [&](const Happening& happening) {
                        side.reflexive.push_back(std::get<DatagramArrived>(happening).path.remote);
                    });
                }
            }
        }
    }

    void receive(const DatagramArrived& arrived) {
        const std::vector<SocketAddress> open = sockets(arrived.host);
        if (std::ranges::count(open, arrived.path.local) == 0) return;
        const std::string text = to_text(arrived.payload);
        Side& side = sides_[arrived.host == sides_[0].host ? 0 : 1];
        if (text.starts_with('Q')) {
            add(side, arrived.path.local, arrived.path.remote);
            world_.send(arrived.host, arrived.path, as_bytes("R" + text.substr(1)));
        } else if (text.substr(1) == arrived.path.remote.to_string()) {
            found_ = true;
        }
    }

    World world_;
    HostId stun_;
    std::array<Side, 2> sides_;
    bool found_ = false;
};

bool oracle_says(const Topology& topology, HostId left, HostId right, HostId stun) {
    const DirectPath path = direct_udp_path(topology, left, right, stun);
    CHECK(direct_udp_path(topology, right, left, stun) == path);
    return path == DirectPath::Possible;
}

struct TwoHomes {
    Topology topology;
    HostId stun = topology.add_host("stun", Topology::internet, ip("198.51.100.1"));
    HostId left{};
    HostId right{};

    TwoHomes(NatBehavior one, NatBehavior two) {
        const NetworkId first = topology.add_nat(Topology::internet, ip("203.0.113.1"), one);
        const NetworkId second = topology.add_nat(Topology::internet, ip("203.0.113.2"), two);
        left = topology.add_host("left", first, ip("192.168.1.2"));
        right = topology.add_host("right", second, ip("192.168.1.3"));
    }
    bool possible() const { return oracle_says(topology, left, right, stun); }
};

TEST_CASE("sim oracle: agrees with packets for every pair of NATs, and looks as the README says") {
    // Rows and columns: mapping EI, AD, APD, and within each filtering EI, AD, APD.
    const std::string_view table[9] = {
        "+++++++++",  // EI mapping, EI filtering
        "+++++++++",  // EI mapping, AD filtering
        "+++......",  // EI mapping, APD filtering
        "++.++.++.",  // AD mapping, EI filtering
        "++.+..+..",  // AD mapping, AD filtering
        "++.......",  // AD mapping, APD filtering
        "++.++....",  // APD mapping, EI filtering
        "++.+.....",  // APD mapping, AD filtering
        "++.......",  // APD mapping, APD filtering
    };
    const auto kinds = nine();
    for (std::size_t row = 0; row < 9; ++row) {
        std::string computed;
        for (std::size_t column = 0; column < 9; ++column) {
            CAPTURE(row);
            CAPTURE(column);
            const TwoHomes homes{kinds[row], kinds[column]};
            const bool possible = homes.possible();
            computed += possible ? '+' : '.';
            Prober prober{homes.topology, homes.left, homes.right, homes.stun, 1};
            CHECK(prober.finds_a_path() == possible);
        }
        CHECK(computed == table[row]);
    }
}

TEST_CASE("sim oracle: RFC 4787 Section 5 on the filtering that meets a port-dependent NAT") {
    const NatBehavior symmetric{.mapping = Mapping::AddressAndPortDependent,
                                .filtering = Filtering::AddressAndPortDependent};
    CHECK_FALSE(TwoHomes{{.filtering = Filtering::AddressAndPortDependent}, symmetric}.possible());
    CHECK(TwoHomes{{.filtering = Filtering::AddressDependent}, symmetric}.possible());
    CHECK(TwoHomes{{.filtering = Filtering::EndpointIndependent}, symmetric}.possible());
}

TEST_CASE(
    "sim oracle: a public host is reached from behind any NAT, but not where UDP is blocked") {
    for (const NatBehavior& behavior : nine()) {
        Topology topology;
        const HostId stun = topology.add_host("stun", Topology::internet, ip("198.51.100.1"));
        const HostId open = topology.add_host("open", Topology::internet, ip("198.51.100.2"));
        const NetworkId home = topology.add_nat(Topology::internet, ip("203.0.113.1"), behavior);
        const HostId inside = topology.add_host("inside", home, ip("192.168.1.2"));
        CHECK(oracle_says(topology, inside, open, stun));
        const NetworkId office =
            topology.add_firewall(Topology::internet, std::nullopt, Udp::Blocked);
        const HostId blocked = topology.add_host("blocked", office, ip("198.51.100.80"));
        CHECK_FALSE(oracle_says(topology, blocked, open, stun));
        CHECK_FALSE(oracle_says(topology, blocked, inside, stun));
        const HostId colleague = topology.add_host("colleague", office, ip("198.51.100.81"));
        CHECK(oracle_says(topology, blocked, colleague, stun));
    }
}

TEST_CASE(
    "sim oracle: two hosts behind one NAT meet inside; two homes behind one need hairpinning") {
    for (const Hairpin hairpin :
         {Hairpin::None, Hairpin::InternalSource, Hairpin::ExternalSource}) {
        CAPTURE(static_cast<int>(hairpin));
        Topology topology;
        const HostId stun = topology.add_host("stun", Topology::internet, ip("198.51.100.1"));
        const NetworkId carrier =
            topology.add_nat(Topology::internet, ip("203.0.113.1"), {.hairpin = hairpin});
        const NetworkId one = topology.add_nat(carrier, ip("100.64.0.1"), {});
        const NetworkId two = topology.add_nat(carrier, ip("100.64.0.2"), {});
        const HostId left = topology.add_host("left", one, ip("192.168.1.2"));
        const HostId beside = topology.add_host("beside", one, ip("192.168.1.3"));
        const HostId right = topology.add_host("right", two, ip("192.168.1.2"));
        CHECK(oracle_says(topology, left, beside, stun));
        const bool possible = oracle_says(topology, left, right, stun);
        CHECK(possible == (hairpin == Hairpin::ExternalSource));
        Prober prober{topology, left, right, stun, 1};
        CHECK(prober.finds_a_path() == possible);
    }
}

TEST_CASE("sim oracle: IPv6 leads past the worst IPv4 NATs, through firewalls too") {
    const NatBehavior symmetric{.mapping = Mapping::AddressAndPortDependent,
                                .filtering = Filtering::AddressAndPortDependent};
    TwoHomes homes{symmetric, symmetric};
    CHECK_FALSE(homes.possible());
    Topology& topology = homes.topology;
    for (std::uint32_t i = 0; i < 2; ++i) {
        topology.box(BoxId{i}).firewall = Filtering::AddressAndPortDependent;
    }
    topology.add_interface(homes.stun, Topology::internet, ip("2001:db8::1"));
    topology.add_interface(homes.left, topology.box(BoxId{0}).inside, ip("2001:db8:1::2"));
    CHECK_FALSE(homes.possible());
    topology.add_interface(homes.right, topology.box(BoxId{1}).inside, ip("2001:db8:2::2"));
    CHECK(homes.possible());
    Prober prober{topology, homes.left, homes.right, homes.stun, 1};
    CHECK(prober.finds_a_path());
}

constexpr NatBehavior symmetric_nat{.mapping = Mapping::AddressAndPortDependent,
                                    .filtering = Filtering::AddressAndPortDependent};

BestPath best(const Topology& topology, HostId left, HostId right, HostId server) {
    const BestPath path = best_udp_path(topology, left, right, server);
    CHECK(best_udp_path(topology, right, left, server) == path);
    return path;
}

TEST_CASE("sim oracle: host paths are told from translated ones, and IPv6 is the better of two") {
    Topology topology;
    const HostId server = topology.add_host("server", Topology::internet, ip("198.51.100.1"));
    const NetworkId home = topology.add_nat(Topology::internet, ip("203.0.113.1"), {});
    const HostId left = topology.add_host("left", home, ip("192.168.1.2"));
    const HostId beside = topology.add_host("beside", home, ip("192.168.1.3"));
    const HostId open = topology.add_host("open", Topology::internet, ip("198.51.100.9"));
    CHECK(best(topology, left, beside, server) == BestPath{PathKind::Host, Passage::V4});
    CHECK(best(topology, left, open, server) == BestPath{PathKind::Reflexive, Passage::V4});
    CHECK(best(topology, server, open, server) == BestPath{PathKind::Host, Passage::V4});
    topology.add_interface(left, home, ip("2001:db8:1::2"));
    topology.add_interface(open, Topology::internet, ip("2001:db8:2::2"));
    CHECK(best(topology, left, open, server) == BestPath{PathKind::Host, Passage::V6});
}

TEST_CASE("sim oracle: one relay is better than two, and without a server there is none") {
    TwoHomes homes{symmetric_nat, symmetric_nat};
    Topology& topology = homes.topology;
    const auto kind = [&] { return best(topology, homes.left, homes.right, homes.stun).kind; };
    CHECK(kind() == PathKind::RelayedByOne);
    topology.box(BoxId{0}).udp = Udp::StunOnly;
    CHECK(kind() == PathKind::RelayedByOne);
    topology.box(BoxId{1}).udp = Udp::StunOnly;
    CHECK(kind() == PathKind::RelayedByBoth);
    topology.box(BoxId{1}).udp = Udp::Allowed;
    topology.box(BoxId{0}).udp = Udp::Blocked;
    CHECK(kind() == PathKind::None);
}

TEST_CASE("sim oracle: a host without IPv4 meets IPv4 through a NAT64 as that maps and filters") {
    constexpr NatBehavior easy{.filtering = Filtering::EndpointIndependent};
    for (const NatBehavior& translator : {easy, symmetric_nat}) {
        for (const NatBehavior& opposite : {easy, symmetric_nat}) {
            for (const char* prefix : {"64:ff9b::", "2001:db8:64::"}) {
                Topology topology;
                const HostId stun =
                    topology.add_host("stun", Topology::internet, ip("198.51.100.1"));
                const NetworkId six = topology.add_nat64(
                    Topology::internet, ip("203.0.113.1"),
                    {.prefix = TranslationPrefix{ip(prefix)}, .behavior = translator}, {});
                const NetworkId four =
                    topology.add_nat(Topology::internet, ip("203.0.113.2"), opposite);
                const HostId left = topology.add_host("left", six, ip("2001:db8:1::2"));
                const HostId right = topology.add_host("right", four, ip("192.168.1.2"));
                // As between two NATs.
                const bool is_direct = TwoHomes{translator, opposite}.possible();
                CHECK(best(topology, left, right, stun) ==
                      (is_direct ? BestPath{PathKind::Reflexive, Passage::Translated}
                                 : BestPath{PathKind::RelayedByOne, {}}));
                topology.add_interface(right, Topology::internet, ip("2001:db8:2::2"));
                CHECK(best(topology, left, right, stun) == BestPath{PathKind::Host, Passage::V6});
            }
        }
    }
}

NatBehavior any_behavior(crypto::RandomStream& random) {
    return {
        .mapping = mappings[random.below(3)],
        .filtering = filterings[random.below(3)],
        .ports = static_cast<PortAssignment>(random.below(3)),
        .parity = static_cast<PortParity>(random.below(2)),
        .hairpin = static_cast<Hairpin>(random.below(3)),
        .refresh = Refresh::Both,
    };
}

TEST_CASE("sim oracle: agrees with packets in any tree of boxes") {
    std::size_t possible_ones = 0;
    constexpr std::uint64_t rounds = 400;
    for (std::uint64_t seed = 1; seed <= rounds; ++seed) {
        CAPTURE(seed);
        crypto::RandomStream random{crypto::seed_from_number(seed)};
        Topology topology;
        const HostId stun = topology.add_host("stun", Topology::internet, ip("198.51.100.1"));
        std::vector<NetworkId> networks{Topology::internet};
        const std::uint64_t boxes = random.below(6);
        for (std::uint64_t i = 0; i < boxes; ++i) {
            const NetworkId outside = networks[random.below(networks.size())];
            const auto number = static_cast<std::uint32_t>(i + 1);
            if (random.below(5) != 0) {
                const IpAddress external = IpAddress::v4(0xCB007100U + number);
                networks.push_back(topology.add_nat(outside, external, any_behavior(random)));
            } else {
                const Udp udp = random.below(4) == 0 ? Udp::Blocked : Udp::Allowed;
                networks.push_back(
                    topology.add_firewall(outside, filterings[random.below(3)], udp));
            }
        }
        const NetworkId first = networks[random.below(networks.size())];
        const NetworkId second = networks[random.below(networks.size())];
        const HostId left = topology.add_host("left", first, ip("192.168.1.2"));
        // Often the same private address in another network.
        const bool same = first != second && random.below(2) != 0;
        HostId right{};
        if (same &&
            std::holds_alternative<std::monostate>(topology.next_hop(second, ip("192.168.1.2")))) {
            right = topology.add_host("right", second, ip("192.168.1.2"));
        } else {
            right = topology.add_host("right", second, ip("192.168.1.3"));
        }
        const bool possible = oracle_says(topology, left, right, stun);
        possible_ones += possible ? 1 : 0;
        Prober prober{topology, left, right, stun, seed};
        CHECK(prober.finds_a_path() == possible);
    }
    // Both answers occur, so that agreement means something.
    CHECK(possible_ones > rounds / 10);
    CHECK(possible_ones < rounds - rounds / 10);
}

}  // namespace
}  // namespace stile::sim
