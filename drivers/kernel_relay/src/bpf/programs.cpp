// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "programs.hpp"

#include <stile/drivers/os_error.hpp>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <utility>

// The programs as clang made them.
asm(".section .rodata\n"
    ".balign 16\n"
    "stile_bpf_begin:\n"
    ".incbin \"" STILE_BPF_OBJECT
    "\"\n"
    "stile_bpf_end:\n"
    ".balign 16\n"
    ".previous\n");
extern "C" {
extern const std::byte stile_bpf_begin[];  // NOLINT
extern const std::byte stile_bpf_end[];    // NOLINT
}

namespace stile::drivers::kernel {

namespace {

std::size_t page_rounded(std::size_t octets) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    return (octets + page - 1) / page * page;
}

bpf_object* open_object() {
    libbpf_set_print(nullptr);  // its words would go to the standard error
    const auto size = static_cast<std::size_t>(stile_bpf_end - stile_bpf_begin);
    LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "stile_relay");
    return bpf_object__open_mem(stile_bpf_begin, size, &options);
}

void set_sizes(bpf_object* object, std::size_t most_channels) {
    const auto size = [&](const char* name, std::size_t entries) {
        bpf_map__set_max_entries(bpf_object__find_map_by_name(object, name),
                                 static_cast<std::uint32_t>(entries));
    };
    size("flows", 2 * most_channels);
    size("channels", most_channels);
    size("hops", 2 * most_channels + 1);
    size("owners", most_kernel_owners);
}

}  // namespace

std::expected<Programs, std::string> Programs::load(std::size_t most_channels) {
    int failure = 0;
    // An old kernel may know too little for XDP, but enough for TC.
    for (const bool only_tc : {false, true}) {
        bpf_object* object = open_object();
        if (object == nullptr) return std::unexpected(os_error("open the BPF object").text);
        set_sizes(object, most_channels);
        for (const char* name : {"stile_xdp_native", "stile_xdp_veth", "stile_xdp_generic"}) {
            bpf_program__set_autoload(bpf_object__find_program_by_name(object, name), !only_tc);
        }
        Programs programs{object};
        failure = bpf_object__load(object);
        if (failure != 0) continue;
        if (auto error = programs.share_all(most_channels)) return std::unexpected(*error);
        return programs;
    }
    return std::unexpected(os_error("load the BPF programs", -failure).text);
}

Programs::Programs(Programs&& other) noexcept
    : object_(std::exchange(other.object_, nullptr)),
      channels_(std::exchange(other.channels_, {})),
      hops_(std::exchange(other.hops_, {})),
      owners_(std::exchange(other.owners_, {})),
      settings_(std::exchange(other.settings_, {})) {}

Programs::~Programs() {
    const auto give_back = [](auto memory) {
        if (!memory.empty()) munmap(memory.data(), page_rounded(memory.size_bytes()));
    };
    give_back(channels_);
    give_back(hops_);
    give_back(owners_);
    give_back(settings_);
    if (object_ != nullptr) bpf_object__close(object_);
}

template <class T>
std::optional<std::string> Programs::share(const char* name, std::size_t entries,
                                           std::span<T>& memory) {
    static_assert(sizeof(T) % 8 == 0);
    void* at = mmap(nullptr, page_rounded(entries * sizeof(T)), PROT_READ | PROT_WRITE, MAP_SHARED,
                    map(name), 0);
    if (at == MAP_FAILED) return os_error(std::string{"map "} + name).text;
    memory = {static_cast<T*>(at), entries};
    return std::nullopt;
}

std::optional<std::string> Programs::share_all(std::size_t most_channels) {
    if (auto error = share("channels", most_channels, channels_)) return error;
    if (auto error = share("hops", 2 * most_channels + 1, hops_)) return error;
    if (auto error = share("owners", most_kernel_owners, owners_)) return error;
    return share("settings", 1, settings_);
}

int Programs::map(const char* name) const { return bpf_object__find_map_fd_by_name(object_, name); }

int Programs::program(const char* name) const {
    return bpf_program__fd(bpf_object__find_program_by_name(object_, name));
}

int Programs::program(KernelMode mode) const {
    switch (mode) {
        case KernelMode::XdpNative:
            return program("stile_xdp_native");
        case KernelMode::Tc:
            return program("stile_tc");
        case KernelMode::XdpGeneric:
            return program("stile_xdp_generic");
    }
    return -1;
}

int Programs::veth_program() const { return program("stile_xdp_veth"); }

bool Programs::add_flow(const relay_key& key, std::uint32_t channel) {
    return bpf_map_update_elem(map("flows"), &key, &channel, BPF_ANY) == 0;
}

void Programs::remove_flow(const relay_key& key) { bpf_map_delete_elem(map("flows"), &key); }

void Programs::add_server(const relay_server& key) {
    const std::uint32_t nothing = 0;
    bpf_map_update_elem(map("servers"), &key, &nothing, BPF_ANY);
}

void Programs::remove_server(const relay_server& key) { bpf_map_delete_elem(map("servers"), &key); }

std::array<std::uint64_t, RELAY_COUNTS> Programs::counts() const {
    std::array<std::uint64_t, RELAY_COUNTS> sums{};
    const int processors = libbpf_num_possible_cpus();
    if (processors <= 0) return sums;
    std::vector<std::uint64_t> each(static_cast<std::size_t>(processors));
    for (std::uint32_t what = 0; what < RELAY_COUNTS; ++what) {
        if (bpf_map_lookup_elem(map("counts"), &what, each.data()) != 0) continue;
        for (const auto value : each) sums[what] += value;
    }
    return sums;
}

std::array<std::uint8_t, 16> mapped_octets(const IpAddress& ip) {
    std::array<std::uint8_t, 16> octets{};
    if (ip.is_v4()) {
        octets[10] = 0xff;
        octets[11] = 0xff;
        std::memcpy(&octets[12], ip.octets().data(), 4);
    } else {
        std::memcpy(octets.data(), ip.octets().data(), 16);
    }
    return octets;
}

std::uint16_t network_order(std::uint16_t value) { return htons(value); }

relay_key to_key(const SocketAddress& local, const SocketAddress& remote, std::uint16_t channel) {
    relay_key key{};
    std::memcpy(key.local, mapped_octets(local.ip).data(), 16);
    std::memcpy(key.remote, mapped_octets(remote.ip).data(), 16);
    key.local_port = network_order(local.port.value);
    key.remote_port = network_order(remote.port.value);
    key.channel = network_order(channel);
    return key;
}

relay_server to_server(const SocketAddress& address) {
    relay_server server{};
    std::memcpy(server.address, mapped_octets(address.ip).data(), 16);
    server.port = network_order(address.port.value);
    return server;
}

relay_rate to_rate(const std::optional<KernelRate>& rate) {
    if (!rate) return {};
    constexpr std::uint64_t second = 1'000'000'000;
    // Caps keep products below 2^64: sixteen thousand octets at one a second, a year's burst.
    const std::uint64_t per_second = std::max<std::uint64_t>(rate->per_second, 1);
    const std::uint64_t burst = std::min<std::uint64_t>(rate->burst, 1ULL << 33U);
    return {
        .cost = std::max<std::uint64_t>((second << 16U) / per_second, 1),
        .burst = burst * second / per_second,
    };
}

namespace {

std::uint16_t sum_of(const IpAddress& one, const IpAddress& other) {
    std::uint32_t sum = 0;
    for (const auto& octets : {mapped_octets(one), mapped_octets(other)}) {
        for (std::size_t i = 0; i < octets.size(); i += 2) {
            std::uint16_t word = 0;
            std::memcpy(&word, &octets[i], 2);
            sum += word;
        }
    }
    sum = (sum & 0xffffU) + (sum >> 16U);
    return static_cast<std::uint16_t>((sum & 0xffffU) + (sum >> 16U));
}

}  // namespace

relay_way to_way(const Path& arrival, const Path& departure, std::uint32_t hop) {
    relay_way way{};
    std::memcpy(way.from, mapped_octets(departure.local.ip).data(), 16);
    std::memcpy(way.to, mapped_octets(departure.remote.ip).data(), 16);
    way.from_port = network_order(departure.local.port.value);
    way.to_port = network_order(departure.remote.port.value);
    way.sum_in = sum_of(arrival.local.ip, arrival.remote.ip);
    way.sum_out = sum_of(departure.local.ip, departure.remote.ip);
    way.hop = hop;
    way.family = departure.remote.ip.is_v4() ? 4 : 6;
    return way;
}

}  // namespace stile::drivers::kernel
