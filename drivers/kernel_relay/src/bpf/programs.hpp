// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/file_descriptor.hpp>
#include <stile/drivers/kernel_relay.hpp>

#include "../../bpf/relay_maps.h"

#include <span>

struct bpf_object;

namespace stile::drivers::kernel {

// The loaded BPF programs and the memory that they share with this process.
class Programs {
public:
    static std::expected<Programs, std::string> load(std::size_t most_channels);
    Programs(Programs&& other) noexcept;
    Programs& operator=(Programs&&) = delete;
    ~Programs();

    // -1 where the kernel took only the others.
    int program(KernelMode mode) const;
    // In the place of XDP native on a veth.
    int veth_program() const;

    std::span<relay_channel> channels() const { return channels_; }
    std::span<relay_hop> hops() const { return hops_; }
    std::span<relay_owner> owners() const { return owners_; }
    relay_settings& settings() const { return settings_.front(); }

    // False where the kernel has no room.
    bool add_flow(const relay_key& key, std::uint32_t channel);
    void remove_flow(const relay_key& key);
    void add_server(const relay_server& key);
    void remove_server(const relay_server& key);
    std::array<std::uint64_t, RELAY_COUNTS> counts() const;

private:
    explicit Programs(bpf_object* object) : object_(object) {}
    int map(const char* name) const;
    int program(const char* name) const;
    template <class T>
    std::optional<std::string> share(const char* name, std::size_t entries, std::span<T>& memory);
    std::optional<std::string> share_all(std::size_t most_channels);

    bpf_object* object_ = nullptr;
    std::span<relay_channel> channels_;
    std::span<relay_hop> hops_;
    std::span<relay_owner> owners_;
    std::span<relay_settings> settings_;
};

// How the maps have addresses.
std::array<std::uint8_t, 16> mapped_octets(const IpAddress& ip);
std::uint16_t network_order(std::uint16_t value);
relay_key to_key(const SocketAddress& local, const SocketAddress& remote, std::uint16_t channel);
relay_server to_server(const SocketAddress& address);
relay_rate to_rate(const std::optional<KernelRate>& rate);
// Packets that arrive at arrival_local from arrival_remote leave from `from` to `to`.
relay_way to_way(const Path& arrival, const Path& departure, std::uint32_t hop);

}  // namespace stile::drivers::kernel
