// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn/snapshot.hpp>

#include <stile/base/byte_reader.hpp>
#include <stile/base/byte_writer.hpp>

namespace stile::turn {
namespace {

// Changes with every change of what follows.
constexpr std::uint32_t format = 0x53540001;

class Writer {
public:
    explicit Writer(Bytes& output) : out_(output) {}

    void number(std::uint64_t value) { out_.u64(value); }
    void octets(BytesView view) {
        out_.u32(static_cast<std::uint32_t>(view.size()));
        out_.bytes(view);
    }
    void text(std::string_view view) { octets(as_bytes(view)); }
    void instant(Instant at) { number(static_cast<std::uint64_t>(at.time_since_epoch().count())); }
    void ip(const IpAddress& address) { octets(address.octets()); }
    void address(const SocketAddress& address) {
        ip(address.ip);
        out_.u16(address.port.value);
    }
    void flow(const ClientFlow& flow) {
        address(flow.local);
        address(flow.remote);
        out_.u8(static_cast<std::uint8_t>(flow.transport));
    }
    void relay_id(RelayId id) {
        out_.u32(id.index);
        out_.u32(id.generation);
    }
    template <class T, class Each>
    void optional(const std::optional<T>& value, Each&& each) {
        out_.u8(value ? 1 : 0);
        if (value) each(*value);
    }
    template <class T, class Each>
    void list(const std::vector<T>& values, Each&& each) {
        out_.u32(static_cast<std::uint32_t>(values.size()));
        for (const T& value : values) each(value);
    }

    void allocation(const Snapshot::Allocation& copy);
    void reservation(const Snapshot::Reservation& copy);

private:
    ByteWriter out_;
};

void Writer::allocation(const Snapshot::Allocation& copy) {
    flow(copy.flow);
    text(copy.username);
    text(copy.owner);
    octets(copy.created_by.octets);
    octets(copy.answer);
    number(static_cast<std::uint64_t>(copy.protocol));
    instant(copy.started);
    number(copy.traffic.packets_to_peers);
    number(copy.traffic.octets_to_peers);
    number(copy.traffic.packets_to_clients);
    number(copy.traffic.octets_to_clients);
    list(copy.relays, [&](const Snapshot::Relay& relay) {
        relay_id(relay.id);
        address(relay.address);
        instant(relay.expires);
    });
    list(copy.permissions, [&](const Session::Permission& permission) {
        ip(permission.peer);
        instant(permission.expires);
    });
    list(copy.channels, [&](const Session::Channel& channel) {
        number(channel.number.value);
        address(channel.peer);
        instant(channel.expires);
    });
    list(copy.connections, [&](const Snapshot::Connection& connection) {
        number(connection.id.value);
        relay_id(connection.relay);
        address(connection.peer);
        optional(connection.data_flow, [&](const ClientFlow& data) { flow(data); });
        instant(connection.expires);
    });
    optional(copy.mobility, [&](const Mobility& mobility) {
        number(mobility.id);
        number(mobility.serial);
        optional(mobility.moving_to, [&](const ClientFlow& to) { flow(to); });
        number(static_cast<std::uint64_t>(mobility.old));
        octets(mobility.moved_by.octets);
        instant(mobility.moved_at);
        octets(mobility.answer);
    });
    optional(copy.token, [&](const TokenSession& token) {
        octets(token.mac_key);
        number(static_cast<std::uint64_t>(token.expires.time_since_epoch().count()));
    });
}

void Writer::reservation(const Snapshot::Reservation& copy) {
    relay_id(copy.id);
    address(copy.address);
    instant(copy.expires);
    text(copy.owner);
    octets(copy.token.octets);
}

// After the first thing that does not fit everything is empty and ok() is false.
class Reader {
public:
    explicit Reader(BytesView input) : in_(input) {}

    std::uint64_t number() { return in_.u64(); }
    BytesView octets() { return in_.bytes(in_.u32()); }
    std::string text() { return to_text(octets()); }
    Instant instant() { return Instant{Duration{static_cast<std::int64_t>(number())}}; }
    IpAddress ip() {
        const BytesView view = octets();
        if (view.size() != 4 && view.size() != 16) return fail(IpAddress{});
        return IpAddress::from_octets(view);
    }
    SocketAddress address() {
        const IpAddress at = ip();
        return {.ip = at, .port = {in_.u16()}};
    }
    ClientFlow flow() {
        const SocketAddress local = address();
        const SocketAddress remote = address();
        const std::uint8_t transport = in_.u8();
        if (transport > static_cast<std::uint8_t>(ClientTransport::Tls)) return fail(ClientFlow{});
        return {
            .local = local, .remote = remote, .transport = static_cast<ClientTransport>(transport)};
    }
    RelayId relay_id() {
        const std::uint32_t index = in_.u32();
        return {.index = index, .generation = in_.u32()};
    }
    template <std::size_t count>
    std::array<std::byte, count> fixed() {
        std::array<std::byte, count> value{};
        const BytesView view = octets();
        if (view.size() != count) return fail(value);
        std::copy(view.begin(), view.end(), value.begin());
        return value;
    }
    template <class Each>
    auto optional(Each&& each) -> std::optional<decltype(each())> {
        if (in_.u8() == 0) return std::nullopt;
        return each();
    }
    template <class Each>
    auto list(Each&& each) -> std::vector<decltype(each())> {
        std::vector<decltype(each())> values;
        const std::uint32_t count = in_.u32();
        for (std::uint32_t i = 0; i < count && ok(); ++i) values.push_back(each());
        return values;
    }

    Snapshot::Allocation allocation();
    Snapshot::Reservation reservation();

    bool ok() const { return in_.ok() && fits_; }
    bool at_end() const { return in_.remaining() == 0; }

private:
    template <class T>
    T fail(T value) {
        fits_ = false;
        return value;
    }

    ByteReader in_;
    bool fits_ = true;
};

// Fields are read one after the other: the order of evaluation in braces is that of the text.
Snapshot::Allocation Reader::allocation() {
    Snapshot::Allocation copy;
    copy.flow = flow();
    copy.username = text();
    copy.owner = text();
    copy.created_by.octets = fixed<12>();
    copy.answer = to_bytes(octets());
    copy.protocol = number() == 0 ? RelayProtocol::Udp : RelayProtocol::Tcp;
    copy.started = instant();
    copy.traffic.packets_to_peers = number();
    copy.traffic.octets_to_peers = number();
    copy.traffic.packets_to_clients = number();
    copy.traffic.octets_to_clients = number();
    copy.relays = list([&] {
        return Snapshot::Relay{.id = relay_id(), .address = address(), .expires = instant()};
    });
    copy.permissions =
        list([&] { return Session::Permission{.peer = ip(), .expires = instant()}; });
    copy.channels = list([&] {
        const auto channel = static_cast<std::uint16_t>(number());
        return Session::Channel{.number = {channel}, .peer = address(), .expires = instant()};
    });
    copy.connections = list([&] {
        const auto id = static_cast<std::uint32_t>(number());
        return Snapshot::Connection{.id = {id},
                                    .relay = relay_id(),
                                    .peer = address(),
                                    .data_flow = optional([&] { return flow(); }),
                                    .expires = instant()};
    });
    copy.mobility = optional([&] {
        Mobility mobility;
        mobility.id = number();
        mobility.serial = static_cast<std::uint32_t>(number());
        mobility.moving_to = optional([&] { return flow(); });
        mobility.old = number() == 0 ? Mobility::Old::There : Mobility::Old::Left;
        mobility.moved_by.octets = fixed<12>();
        mobility.moved_at = instant();
        mobility.answer = to_bytes(octets());
        return mobility;
    });
    copy.token = optional([&] {
        Bytes key = to_bytes(octets());
        const auto seconds = static_cast<std::int64_t>(number());
        return TokenSession{.mac_key = std::move(key),
                            .expires = WallTime{std::chrono::seconds{seconds}}};
    });
    return copy;
}

Snapshot::Reservation Reader::reservation() {
    Snapshot::Reservation copy;
    copy.id = relay_id();
    copy.address = address();
    copy.expires = instant();
    copy.owner = text();
    copy.token.octets = fixed<8>();
    return copy;
}

}  // namespace

Bytes serialize(const Snapshot& snapshot) {
    Bytes output;
    Writer writer{output};
    writer.number(format);
    writer.list(snapshot.allocations, [&](const auto& each) { writer.allocation(each); });
    writer.list(snapshot.reservations, [&](const auto& each) { writer.reservation(each); });
    return output;
}

std::optional<Snapshot> parse_snapshot(BytesView octets) {
    Reader reader{octets};
    if (reader.number() != format) return std::nullopt;
    Snapshot snapshot;
    snapshot.allocations = reader.list([&] { return reader.allocation(); });
    snapshot.reservations = reader.list([&] { return reader.reservation(); });
    if (!reader.ok() || !reader.at_end()) return std::nullopt;
    return snapshot;
}

}  // namespace stile::turn
