// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/relay/handover_wire.hpp>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>

namespace stile::relay {
namespace {

using nlohmann::json;

// Releases that cannot read each other's description differ in this.
constexpr int wire_version = 1;
// The kernel's SCM_MAX_FD is 253.
constexpr std::size_t sockets_a_message = 128;
// A million sessions of a kilobyte.
constexpr std::uint64_t most_description_octets = std::uint64_t{1} << 30U;

std::string failure(std::string_view what) {
    return fmt::format("{}: {}", what, std::strerror(errno));
}

json binary(BytesView bytes) {
    std::vector<std::uint8_t> octets;
    for (const std::byte octet : bytes) octets.push_back(std::to_integer<std::uint8_t>(octet));
    return json::binary(std::move(octets));
}

Bytes bytes_of(const json& value) {
    Bytes bytes;
    for (const std::uint8_t octet : value.get_binary()) bytes.push_back(std::byte{octet});
    return bytes;
}

SocketAddress address_of(const json& value) {
    return SocketAddress::parse(value.get<std::string>()).value();
}

json flow_json(const turn::ClientFlow& flow) {
    return {flow.local.to_string(), flow.remote.to_string(), static_cast<int>(flow.transport)};
}

json flows_json(const std::vector<HandedFlow>& flows) {
    json all = json::array();
    for (const auto& [flow, shard] : flows) {
        all.push_back({{"flow", flow_json(flow)}, {"shard", shard}});
    }
    return all;
}

json listener_json(const Listener& listener) {
    return {{"kind", static_cast<int>(listener.kind)},
            {"address", listener.address.to_string()},
            {"tenant", listener.tenant},
            {"proxy", static_cast<int>(listener.proxy_protocol)}};
}

// ---- description -------------------------------------------------------------------------------

// The sockets are numbered in the order in which they are met.
json describe(HandedShard& shard, std::vector<drivers::FileDescriptor>& sockets) {
    json listeners = json::array();
    for (HandedListener& handed : shard.listeners) {
        listeners.push_back(listener_json(handed.listener));
        sockets.push_back(std::move(handed.socket));
    }
    json relays = json::array();
    for (HandedRelay& handed : shard.relays) {
        relays.push_back({{"tenant", handed.tenant},
                          {"index", handed.relay.index},
                          {"generation", handed.relay.generation},
                          {"address", handed.address.to_string()}});
        sockets.push_back(std::move(handed.socket));
    }
    json streams = json::array();
    for (HandedStream& handed : shard.streams) {
        streams.push_back({{"tenant", handed.tenant},
                           {"flow", flow_json(handed.flow)},
                           {"unread", binary(handed.unread)},
                           {"unsent", binary(handed.connection.unsent)}});
        sockets.push_back(std::move(handed.connection.socket));
    }
    json incoming = json::array();
    for (HandedIncoming& handed : shard.incoming) {
        incoming.push_back(
            {{"listener", listener_json(handed.listener)}, {"unread", binary(handed.unread)}});
        if (handed.addresses) {
            incoming.back()["addresses"] = {handed.addresses->local.to_string(),
                                            handed.addresses->remote.to_string()};
        }
        sockets.push_back(std::move(handed.socket));
    }
    json connections = json::array();
    for (HandedConnection& handed : shard.connections) {
        connections.push_back({{"tenant", handed.tenant},
                               {"connection", handed.connection.value},
                               {"to_peer", binary(handed.peer.unsent)}});
        sockets.push_back(std::move(handed.peer.socket));
        if (!handed.client) continue;
        connections.back()["to_client"] = binary(handed.client->unsent);
        sockets.push_back(std::move(handed.client->socket));
    }
    json tenants = json::array();
    for (const HandedTenant& handed : shard.tenants) {
        tenants.push_back(
            {{"realm", handed.realm}, {"state", binary(turn::serialize(handed.state))}});
    }
    return {{"listeners", listeners},
            {"relays", relays},
            {"streams", streams},
            {"incoming", incoming},
            {"connections", connections},
            {"owners", flows_json(shard.owners)},
            {"origins", flows_json(shard.origins)},
            {"tenants", tenants}};
}

turn::ClientFlow flow_of(const json& value) {
    return {address_of(value.at(0)), address_of(value.at(1)),
            static_cast<turn::ClientTransport>(value.at(2).get<std::uint8_t>())};
}

Listener listener_of(const json& value) {
    return {.kind = static_cast<ListenerKind>(value.at("kind").get<std::uint8_t>()),
            .address = address_of(value.at("address")),
            .tenant = value.at("tenant").get<std::size_t>(),
            .proxy_protocol = static_cast<ProxyProtocol>(value.at("proxy").get<std::uint8_t>())};
}

std::vector<HandedFlow> flows_of(const json& value) {
    std::vector<HandedFlow> flows;
    for (const json& item : value) {
        flows.push_back({flow_of(item.at("flow")), item.at("shard").get<std::uint8_t>()});
    }
    return flows;
}

// Throws json's or optional's error for what is no description.
HandedShard parse_shard(const json& value) {
    HandedShard shard;
    for (const json& item : value.at("listeners")) {
        shard.listeners.push_back({listener_of(item), {}});
    }
    for (const json& item : value.at("relays")) {
        shard.relays.push_back(
            {item.at("tenant").get<std::size_t>(),
             {item.at("index").get<std::uint32_t>(), item.at("generation").get<std::uint32_t>()},
             address_of(item.at("address")),
             {}});
    }
    for (const json& item : value.at("streams")) {
        shard.streams.push_back({item.at("tenant").get<std::size_t>(),
                                 flow_of(item.at("flow")),
                                 {.socket = {}, .unsent = bytes_of(item.at("unsent"))},
                                 bytes_of(item.at("unread"))});
    }
    for (const json& item : value.at("incoming")) {
        HandedIncoming incoming{listener_of(item.at("listener")), {}, {}, {}};
        incoming.unread = bytes_of(item.at("unread"));
        if (item.contains("addresses")) {
            const json& addresses = item.at("addresses");
            incoming.addresses = {address_of(addresses.at(0)), address_of(addresses.at(1))};
        }
        shard.incoming.push_back(std::move(incoming));
    }
    for (const json& item : value.at("connections")) {
        HandedConnection connection;
        connection.tenant = item.at("tenant").get<std::size_t>();
        connection.connection = {item.at("connection").get<std::uint32_t>()};
        connection.peer.unsent = bytes_of(item.at("to_peer"));
        if (item.contains("to_client")) {
            connection.client.emplace().unsent = bytes_of(item.at("to_client"));
        }
        shard.connections.push_back(std::move(connection));
    }
    shard.owners = flows_of(value.at("owners"));
    shard.origins = flows_of(value.at("origins"));
    for (const json& item : value.at("tenants")) {
        shard.tenants.push_back({item.at("realm").get<std::string>(),
                                 turn::parse_snapshot(bytes_of(item.at("state"))).value()});
    }
    return shard;
}

template <class Each>
void each_socket(Handover& handover, Each&& each) {
    for (HandedShard& shard : handover.shards) {
        for (HandedListener& handed : shard.listeners) each(handed.socket);
        for (HandedRelay& handed : shard.relays) each(handed.socket);
        for (HandedStream& handed : shard.streams) each(handed.connection.socket);
        for (HandedIncoming& handed : shard.incoming) each(handed.socket);
        for (HandedConnection& handed : shard.connections) {
            each(handed.peer.socket);
            if (handed.client) each(handed.client->socket);
        }
    }
}

// ---- octets and sockets ------------------------------------------------------------------------

bool send_all(int socket, std::span<const std::uint8_t> octets) {
    while (!octets.empty()) {
        const ssize_t count = ::send(socket, octets.data(), octets.size(), MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        octets = octets.subspan(static_cast<std::size_t>(count));
    }
    return true;
}

bool receive_all(int socket, std::span<std::uint8_t> octets) {
    while (!octets.empty()) {
        const ssize_t count = ::recv(socket, octets.data(), octets.size(), 0);
        if (count < 0 && errno == EINTR) continue;
        if (count == 0) errno = ECONNRESET;
        if (count <= 0) return false;
        octets = octets.subspan(static_cast<std::size_t>(count));
    }
    return true;
}

// Room for one control message with as many sockets.
struct Control {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * sockets_a_message)> octets{};
};

bool send_sockets(int socket, std::span<const drivers::FileDescriptor> sockets) {
    std::array<int, sockets_a_message> numbers{};
    for (std::size_t i = 0; i < sockets.size(); ++i) numbers.at(i) = sockets[i].get();
    char octet = 'F';
    iovec vector{.iov_base = &octet, .iov_len = 1};
    Control control;
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.octets.data();
    message.msg_controllen = CMSG_SPACE(sizeof(int) * sockets.size());
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * sockets.size());
    std::memcpy(CMSG_DATA(header), numbers.data(), sizeof(int) * sockets.size());
    ssize_t count = 0;
    do {
        count = ::sendmsg(socket, &message, MSG_NOSIGNAL);
    } while (count < 0 && errno == EINTR);
    return count == 1;
}

bool receive_sockets(int socket, std::size_t wanted,
                     std::vector<drivers::FileDescriptor>& sockets) {
    char octet = 0;
    iovec vector{.iov_base = &octet, .iov_len = 1};
    Control control;
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.octets.data();
    message.msg_controllen = control.octets.size();
    ssize_t count = 0;
    do {
        count = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    } while (count < 0 && errno == EINTR);
    const cmsghdr* const header = count == 1 ? CMSG_FIRSTHDR(&message) : nullptr;
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return false;
    const std::size_t got = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    std::array<int, sockets_a_message> numbers{};
    std::memcpy(numbers.data(), CMSG_DATA(header), sizeof(int) * std::min(got, numbers.size()));
    for (std::size_t i = 0; i < got; ++i) sockets.emplace_back(numbers.at(i));
    return got == wanted;
}

}  // namespace

std::expected<void, std::string> send_handover(int socket, Handover handover) {
    std::vector<drivers::FileDescriptor> sockets;
    json shards = json::array();
    for (HandedShard& shard : handover.shards) shards.push_back(describe(shard, sockets));
    const std::vector<std::uint8_t> description =
        json::to_cbor({{"version", wire_version}, {"shards", shards}, {"sockets", sockets.size()}});
    const std::uint64_t size = description.size();
    std::array<std::uint8_t, sizeof size> head{};
    std::memcpy(head.data(), &size, sizeof size);
    if (!send_all(socket, head) || !send_all(socket, description)) {
        return std::unexpected(failure("the sessions could not be sent"));
    }
    std::span<const drivers::FileDescriptor> rest{sockets};
    while (!rest.empty()) {
        const std::size_t count = std::min(rest.size(), sockets_a_message);
        if (!send_sockets(socket, rest.first(count))) {
            return std::unexpected(failure("the sockets could not be sent"));
        }
        rest = rest.subspan(count);
    }
    return {};
}

std::expected<Handover, std::string> receive_handover(int socket) {
    std::uint64_t size = 0;
    std::array<std::uint8_t, sizeof size> head{};
    if (!receive_all(socket, head)) return std::unexpected(failure("no sessions came"));
    std::memcpy(&size, head.data(), sizeof size);
    if (size > most_description_octets) return std::unexpected(std::string{"too much came"});
    std::vector<std::uint8_t> octets(size);
    if (!receive_all(socket, octets)) return std::unexpected(failure("no sessions came"));
    Handover handover;
    std::size_t wanted = 0;
    try {
        const json description = json::from_cbor(octets);
        if (description.at("version") != wire_version) {
            return std::unexpected(std::string{"the old process is of another release"});
        }
        for (const json& shard : description.at("shards")) {
            handover.shards.push_back(parse_shard(shard));
        }
        wanted = description.at("sockets").get<std::size_t>();
    } catch (const std::exception& error) {
        return std::unexpected(fmt::format("what came is not understood: {}", error.what()));
    }
    std::vector<drivers::FileDescriptor> sockets;
    while (sockets.size() < wanted) {
        if (!receive_sockets(socket, std::min(wanted - sockets.size(), sockets_a_message),
                             sockets)) {
            return std::unexpected(std::string{"not all sockets came: see 'ulimit -n'"});
        }
    }
    std::size_t next = 0;
    each_socket(handover, [&](drivers::FileDescriptor& place) {
        if (next < sockets.size()) place = std::move(sockets.at(next));
        ++next;
    });
    if (next != wanted) return std::unexpected(std::string{"not all sockets have a place"});
    return handover;
}

}  // namespace stile::relay
